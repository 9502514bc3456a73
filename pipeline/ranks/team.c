#include "team.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "piece.h"
#include "wire.h"

/* MPI may have been started by somebody else (the test runner): then it is theirs to end. */
static bool team_started_mpi;
static int64_t team_agreement_count;

static int node_size_of(MPI_Comm comm) {
  MPI_Comm node;
  MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
  int size;
  MPI_Comm_size(node, &size);
  MPI_Comm_free(&node);
  return size;
}

Status team_open(Team *team, int *argc, char ***argv) {
  int is_running;
  *team = (Team){0};
  MPI_Initialized(&is_running);
  int level = MPI_THREAD_FUNNELED;
  if (is_running) {
    MPI_Query_thread(&level);
  } else {
    MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &level);
    team_started_mpi = true;
  }
  MPI_Comm_dup(MPI_COMM_WORLD, &team->comm);
  MPI_Comm_rank(team->comm, &team->rank);
  MPI_Comm_size(team->comm, &team->size);
  team->node_size = node_size_of(team->comm);
  if (level < MPI_THREAD_FUNNELED) {
    return RAISE(ERR_UNSUPPORTED, "this MPI library cannot work beside threads");
  }
  return OK;
}

void team_close(Team *team) {
  MPI_Comm_free(&team->comm);
  if (team_started_mpi) {
    MPI_Finalize();
    team_started_mpi = false;
  }
}

#ifdef CLEAVE_FAULTS
static Status inject_fault(const Team *team, Status mine) {
  const char *fault = getenv("TEAM_FAULT");
  int rank;
  long long nth;
  if (mine == OK && fault != NULL && sscanf(fault, "%d:%lld", &rank, &nth) == 2 &&
      rank == team->rank && nth == team_agreement_count) {
    return RAISE(ERR_FAULT, "TEAM_FAULT=%s", fault);
  }
  return mine;
}
#endif

/* What the failed ranks have in common, known on all ranks. */
typedef struct Failure {
  Status code;
  int rank;       /* the one that is quoted */
  int count;      /* how many failed */
  bool is_common; /* all failed, with the same code and reason */
  char why[STATUS_WHY_SIZE];
} Failure;

static void share_failure(const Team *team, Status mine, Failure *failure) {
  snprintf(failure->why, sizeof(failure->why), "%s", status_why());
  MPI_Bcast(failure->why, STATUS_WHY_SIZE, MPI_CHAR, failure->rank, team->comm);
  failure->why[STATUS_WHY_SIZE - 1] = '\0';
  char own[STATUS_WHY_SIZE];
  snprintf(own, sizeof(own), "%s", status_why());
  int counts[2] = {mine != OK, mine == failure->code && strcmp(own, failure->why) == 0};
  MPI_Allreduce(MPI_IN_PLACE, counts, 2, MPI_INT, MPI_SUM, team->comm);
  failure->count = counts[0];
  failure->is_common = counts[1] == team->size;
  status_set_why(failure->why);
}

static void print_failure(const Team *team, const Failure *failure) {
  if (team->rank != 0 || team->is_quiet) {
    return;
  }
  char who[80] = "";
  if (!failure->is_common) {
    snprintf(who, sizeof(who), " (rank %d, %d of %d ranks failed)", failure->rank, failure->count,
             team->size);
  }
  fflush(stdout);
  fprintf(stderr, "cleave: %s%s: %s\n", status_sentence(failure->code), who, failure->why);
}

Status team_agree(Team *team, Status mine) {
  team_agreement_count++;
#ifdef CLEAVE_FAULTS
  mine = inject_fault(team, mine);
#endif
  struct {
    int code, rank;
  } worst = {(int)mine, team->rank};
  MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_2INT, MPI_MAXLOC, team->comm);
  if (worst.code == OK) {
    return OK;
  }
  Failure failure = {.code = (Status)worst.code, .rank = worst.rank};
  share_failure(team, mine, &failure);
  print_failure(team, &failure);
  return failure.code;
}

void team_report(const Team *team, Status status) {
  if (status != OK && team->rank == 0) {
    fflush(stdout);
    fprintf(stderr, "cleave: %s: %s\n", status_sentence(status), status_why());
  }
}

int64_t team_agreements(void) {
  return team_agreement_count;
}

void team_broadcast(Team *team, void *bytes, int64_t count, int root) {
  char *at = bytes;
  while (count > 0) {
    const int piece = piece_next(count);
    wire_broadcast(team, at, piece, root);
    at += piece;
    count -= piece;
  }
}

void team_barrier(Team *team) {
  MPI_Barrier(team->comm);
}

bool team_any(Team *team, bool mine) {
  int any = mine;
  MPI_Allreduce(MPI_IN_PLACE, &any, 1, MPI_INT, MPI_LOR, team->comm);
  return any != 0;
}
