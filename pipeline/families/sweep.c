#include "sweep.h"

#include <math.h>
#include <string.h>

#include "exchange.h"
#include "lookup.h"
#include "memory.h"

void sweep_children(Team *team, const VerdictTable *table, const uint8_t *state,
                    SweepChildren *out) {
  memset(out, 0, sizeof *out);
  for (int64_t i = 0; i < table->count; ++i) {
    if (verdict_is_duplicate(table, i)) {
      continue;
    }
    out->children += state[i] != DIRECTION_DEAD;
    out->alive += state[i] == DIRECTION_ALIVE;
    for (int cut = 0; cut < VERDICT_CUTS; ++cut) {
      const double link = cut == VERDICT_MAIN ? table->link : verdict_step(cut);
      ++out->status[cut][table->status_at[i * VERDICT_CUTS + cut]];
      out->linked[cut] += (double)table->best[i] >= link; /* never with nan */
      out->merged[cut] += (double)table->second[i] >= link;
    }
  }
  exchange_sum(team, (int64_t *)out, (int64_t)(sizeof *out / sizeof(int64_t)));
}

double sweep_null_share(const int64_t *histogram, int step) {
  int64_t all = 0, above = 0;
  for (int bin = 0; bin < VERDICT_BINS; ++bin) {
    all += histogram[bin];
    above += bin >= 40 + step ? histogram[bin] : 0;
  }
  return all > 0 ? (double)above / (double)all : NAN;
}

double sweep_false_share(double null_share, int64_t children, int64_t linked) {
  return linked > 0 ? null_share * (double)children / (double)linked : NAN;
}

/* A child is a forest child of a parent at the thresholds [from, past). */
typedef struct Stay {
  uint32_t parent;
  uint8_t from, past, kind, unused;
} Stay;

static int kind_of(ChildStatus status) {
  return verdict_is_kept(status)    ? SWEEP_KEPT
         : verdict_is_split(status) ? SWEEP_SPLIT
                                    : SWEEP_ABSORBED;
}

/* The stay that begins at threshold `cut`; parent LOOKUP_NONE where the child is no forest child. */
static Stay stay_at(const VerdictTable *table, int64_t child, int cut) {
  const uint8_t *status = table->status_at + child * VERDICT_CUTS;
  Stay stay = {.parent = LOOKUP_NONE, .from = (uint8_t)cut};
  if (verdict_in_forest((ChildStatus)status[cut])) {
    stay.parent = verdict_parent_at(table, child, cut);
    stay.kind = (uint8_t)kind_of((ChildStatus)status[cut]);
  }
  return stay;
}

static Status add_stay(Stay **stays, int64_t *count, int64_t *room, Stay stay) {
  if (*count == *room) {
    const int64_t more = 2 * *room + 64;
    TRY(MEMORY_RESIZE(stays, more, "forest children at thresholds"));
    *room = more;
  }
  (*stays)[(*count)++] = stay;
  return OK;
}

static Status list_stays(const VerdictTable *table, Stay **stays, int64_t *count) {
  int64_t room = 0;
  for (int64_t i = 0; i < table->count; ++i) {
    for (int cut = 0; !verdict_is_duplicate(table, i) && cut < VERDICT_CUTS;) {
      Stay stay = stay_at(table, i, cut);
      for (++cut; cut < VERDICT_CUTS; ++cut) {
        const Stay next = stay_at(table, i, cut);
        if (next.parent != stay.parent || next.kind != stay.kind) {
          break;
        }
      }
      stay.past = (uint8_t)cut;
      if (stay.parent != LOOKUP_NONE) {
        TRY(add_stay(stays, count, &room, stay));
      }
    }
  }
  return OK;
}

static Status count_stays(SweepForest *out, Shard own, const Stay *stays, int64_t count) {
  out->parents = shard_count(own);
  for (int kind = 0; kind < SWEEP_KINDS; ++kind) {
    TRY(MEMORY_NEW(&out->count[kind], out->parents * VERDICT_CUTS, "children at thresholds"));
  }
  for (int64_t i = 0; i < count; ++i) {
    int32_t *counts = out->count[stays[i].kind] + (stays[i].parent - own.first) * VERDICT_CUTS;
    for (int cut = stays[i].from; cut < stays[i].past; ++cut) {
      ++counts[cut];
    }
  }
  return OK;
}

static Status deliver_stays(Team *team, int64_t parents, const Stay *stays, int64_t count,
                            SweepForest *out) {
  uint32_t *to = NULL;
  void *arrived = NULL;
  int64_t received = 0;
  TRY_NEW(team, &to, count, "parents at thresholds");
  for (int64_t i = 0; i < count; ++i) {
    to[i] = stays[i].parent;
  }
  Status status =
      lookup_deliver(team, parents, to, stays, sizeof *stays, count, &arrived, &received);
  if (status == OK) {
    status = team_agree(team, count_stays(out, lookup_own(team, parents), arrived, received));
  }
  MEMORY_FREE(to);
  MEMORY_FREE(arrived);
  return status;
}

Status sweep_forest(Team *team, int64_t parents, const VerdictTable *table, SweepForest *out) {
  Stay *stays = NULL;
  int64_t count = 0;
  *out = (SweepForest){0};
  Status status = team_agree(team, list_stays(table, &stays, &count));
  if (status == OK) {
    status = deliver_stays(team, parents, stays, count, out);
  }
  MEMORY_FREE(stays);
  return status;
}

void sweep_forest_clear(SweepForest *forest) {
  for (int kind = 0; kind < SWEEP_KINDS; ++kind) {
    MEMORY_FREE(forest->count[kind]);
  }
}

int64_t sweep_forest_children(const SweepForest *forest, int64_t parent, int cut) {
  int64_t children = 0;
  for (int kind = 0; kind < SWEEP_KINDS; ++kind) {
    children += forest->count[kind][parent * VERDICT_CUTS + cut];
  }
  return children;
}

void sweep_parents(Team *team, const SweepForest *forest, const uint8_t *state,
                   const uint8_t *counts, const float *link, const uint8_t *is_linked,
                   SweepParents *out) {
  memset(out, 0, sizeof *out);
  for (int64_t p = 0; p < forest->parents; ++p) {
    for (int cut = 0; counts[p] && cut < VERDICT_CUTS; ++cut) {
      const int64_t at = p * VERDICT_CUTS + cut;
      const bool has_edge =
          cut == VERDICT_MAIN ? is_linked[p] != 0 : (double)link[p] >= verdict_step(cut);
      const ParentStatus status =
          verdict_parent((DirectionState)state[p], forest->count[SWEEP_KEPT][at],
                         forest->count[SWEEP_SPLIT][at], has_edge);
      ++out->status[cut][status];
      out->grown[cut] += sweep_forest_children(forest, p, cut) > 0;
    }
  }
  exchange_sum(team, (int64_t *)out, (int64_t)(sizeof *out / sizeof(int64_t)));
}
