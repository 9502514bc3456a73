/* A training step, or a panel of a comparison, on ranks that SimGrid imagines: the real code of the exchanges with
 * sizes alone, time passed where the work would be. Run by tests/bench/scaling.sh.
 *   simulate train LATENTS WIDTH BATCH K AUX_K RATE BANDWIDTH ALIKE
 *   simulate compare PARENTS WIDTH PANEL NEIGHBOURS SPAN RATE BANDWIDTH ALIKE
 * RATE: operations/s of a rank in products of 8 bits; BANDWIDTH: bytes/s of its memory by all threads; ALIKE: bytes/s
 * of what every rank does alike. Rank 0 prints: seconds in the exchanges of each part of a step (step.h), seconds,
 * seconds of work of these, bytes from other ranks. */
#include <smpi/smpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "directions.h"
#include "exchange.h"
#include "memory.h"
#include "neighbours.h"
#include "ring.h"
#include "step.h"

typedef struct Machine {
  double rate[STEP_KINDS];   /* per second */
  double worked;             /* seconds */
  double ended, worked_then; /* at the end of the last part */
  double waited[STEP_PARTS]; /* seconds in exchanges */
} Machine;

static void end_part(void *context, StepPart part) {
  Machine *machine = context;
  const double now = MPI_Wtime();
  machine->waited[part] += now - machine->ended - (machine->worked - machine->worked_then);
  machine->ended = now;
  machine->worked_then = machine->worked;
}

static void work_for(void *context, StepKind kind, double amount) {
  Machine *machine = context;
  const double seconds = amount / machine->rate[kind];
  machine->worked += seconds;
  smpi_execute(seconds);
}

static Status train(Team *team, char **argv, Machine *machine) {
  const StepShape shape = {.latents = atoll(argv[2]),
                           .width = atoll(argv[3]),
                           .batch = atoll(argv[4]),
                           .k = atoll(argv[5]),
                           .row_bytes = 2 * atoll(argv[3]),
                           .aux_k = atoll(argv[6])};
  const StepWork work = {work_for, end_part, machine};
  char *room = NULL;
  TRY(MEMORY_NEW(&room, step_room(team, &shape), "room of a step"));
  step_run(team, &shape, &work, room);
  MEMORY_FREE(room);
  return OK;
}

/* Children that stay on a rank meet a block of parents. */
typedef struct Panel {
  Machine *machine;
  double children, width;
  bool is_screened; /* else only listed candidates are scored */
} Panel;

static Status visit(const RingBlock *block, void *context) {
  const Panel *panel = context;
  const double parents = (double)shard_count(block->here);
  if (panel->is_screened) {
    work_for(panel->machine, STEP_STREAMED, 5.0 * parents * panel->width); /* packed, in 8 bits */
    work_for(panel->machine, STEP_SCREENED, 2.0 * panel->children * parents * panel->width);
  }
  return OK;
}

/* The parents go round with their heaps; then for each parent of a span fit but one, and for their encoder rows. */
static Status compare(Team *team, char **argv, Machine *machine) {
  const int64_t parents = atoll(argv[2]), width = atoll(argv[3]), most = atoll(argv[5]);
  Panel panel = {machine, atof(argv[4]), (double)width, true};
  Directions rows;
  Neighbours lists;
  TRY(directions_open(&rows, team, parents, width));
  TRY(neighbours_open(&lists, shard_count(rows.own), most));
  TRY(ring_run(team, &rows, &lists, visit, &panel));
  panel.is_screened = false;
  for (int64_t i = 0; i < atoll(argv[6]); i++) {
    TRY(ring_run(team, &rows, NULL, visit, &panel));
    work_for(machine, STEP_STREAMED, panel.children * 4.0 * (double)width * (double)most);
  }
  neighbours_clear(&lists);
  directions_clear(&rows);
  return OK;
}

/* team_open() asks for threads, which SimGrid's MPI does not promise. */
static Team open_team(int *argc, char ***argv) {
  Team team = {.node_size = 1};
  MPI_Init(argc, argv);
  MPI_Comm_dup(MPI_COMM_WORLD, &team.comm);
  MPI_Comm_rank(team.comm, &team.rank);
  MPI_Comm_size(team.comm, &team.size);
  return team;
}

int main(int argc, char **argv) {
  if (argc < 10) {
    fprintf(stderr, "usage: see the head of simulate.c\n");
    return 2;
  }
  Team team = open_team(&argc, &argv);
  Machine machine = {.rate = {atof(argv[7]), atof(argv[8]), atof(argv[9])}};
  memory_plan(true);
  team_barrier(&team);
  const double began = MPI_Wtime();
  machine.ended = began;
  const bool is_train = strcmp(argv[1], "train") == 0;
  const Status status = is_train ? train(&team, argv, &machine) : compare(&team, argv, &machine);
  team_barrier(&team);
  if (team.rank == 0) {
    const double seconds = MPI_Wtime() - began;
    for (int part = 0; part < STEP_PARTS; part++) {
      printf("%.9g ", machine.waited[part]);
    }
    printf("%.9g %.9g %lld\n", seconds, machine.worked, (long long)exchange_bytes());
  }
  team_close(&team);
  MPI_Finalize();
  return (int)status;
}
