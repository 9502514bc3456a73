#include <math.h>
#include <string.h>

#include "exchange.h"
#include "families_codes.h"
#include "families_run.h"
#include "fixed.h"
#include "memory.h"

/* Parents are taken one by one, with their own firings and those of their forest children. */
typedef struct Cover {
  FamiliesDictionary *level;
  const FamiliesDictionary *larger;
  FamiliesFirings own, child;
  uint8_t *is_covered, *is_hole; /* [room] of the parent's firings */
  uint64_t *any;                 /* bitmap of the rows where a child fires */
  uint32_t *row;                 /* these rows */
  int64_t rows, room, row_room;
} Cover;

static void cover_close(Cover *cover) {
  families_firings_close(&cover->own);
  families_firings_close(&cover->child);
  MEMORY_FREE(cover->is_covered);
  MEMORY_FREE(cover->is_hole);
  MEMORY_FREE(cover->any);
  MEMORY_FREE(cover->row);
}

static Status make_room(Cover *cover, int64_t firings) {
  if (firings > cover->room) {
    TRY(MEMORY_RESIZE(&cover->is_covered, firings, "covered rows"));
    TRY(MEMORY_RESIZE(&cover->is_hole, firings, "rows in holes"));
    cover->room = firings;
  }
  memset(cover->is_covered, 0, (size_t)firings);
  memset(cover->is_hole, 0, (size_t)firings);
  return OK;
}

static Status read_one(FamiliesFirings *firings, const FamiliesDictionary *one, int64_t id,
                       int64_t *count) {
  TRY(families_firings_read(firings, one, (Shard){id, id + 1}));
  *count = firings->start[1] - firings->start[0];
  return OK;
}

/* Marks the rows where child `e` fires, and those of the parent that it shares. */
static Status add_child(Cover *cover, int64_t e, int64_t firings) {
  const ForestChildren *children = &cover->level->children;
  int64_t count;
  TRY(read_one(&cover->child, cover->larger, children->child[e], &count));
  if (cover->rows + count > cover->row_room) {
    const int64_t room = 2 * (cover->rows + count);
    TRY(MEMORY_RESIZE(&cover->row, room, "rows of children"));
    cover->row_room = room;
  }
  cover->rows += metrics_mark(cover->any, cover->child.row, count, cover->row + cover->rows);
  metrics_cover(cover->own.row, firings, cover->child.row, count, cover->is_covered);
  if (children->status[e] == CHILD_ABSORBED) {
    metrics_cover(cover->own.row, firings, cover->child.row, count, cover->is_hole);
  }
  return OK;
}

static Status cover_parent(Cover *cover, int64_t parent) {
  FamiliesDictionary *level = cover->level;
  const int64_t first = level->children.start[parent], past = level->children.start[parent + 1];
  int64_t firings, shared = 0;
  if (first == past) {
    return OK;
  }
  TRY(read_one(&cover->own, level, level->own.first + parent, &firings));
  TRY(make_room(cover, firings));
  for (int64_t e = first; e < past; ++e) {
    TRY(add_child(cover, e, firings));
  }
  for (int64_t i = 0; i < firings; ++i) {
    shared += cover->is_covered[i];
  }
  level->coverage[parent] = metrics_coverage(cover->own.value, cover->is_covered, firings);
  level->hole_share[parent] = metrics_coverage(cover->own.value, cover->is_hole, firings);
  level->hamming[parent] = cover->rows + firings - 2 * shared;
  metrics_unmark(cover->any, cover->row, cover->rows);
  cover->rows = 0;
  return OK;
}

static Status cover_level(FamiliesRun *run, Cover *cover) {
  FamiliesDictionary *level = cover->level;
  const int64_t own = shard_count(level->own);
  for (int64_t p = 0; p < own; ++p) {
    level->coverage[p] = level->hole_share[p] = NAN;
    level->hamming[p] = -1;
  }
  if (cover->larger == NULL) {
    return OK; /* the largest level has no children */
  }
  TRY(MEMORY_NEW(&cover->any, (run->rows + 63) / 64, "rows of children"));
  for (int64_t p = 0; p < own; ++p) {
    TRY(cover_parent(cover, p));
  }
  return OK;
}

/* Sums over the level of activation, and of the parts that are covered, in holes, in families. */
enum { ALL, COVERED, HOLES, IN_FAMILIES, MASSES };

static void masses_of(const FamiliesDictionary *level, int64_t i, double *mass) {
  const double sum = level->counts[i] ? level->sum[i] : 0;
  mass[ALL] = sum;
  mass[COVERED] = isnan(level->coverage[i]) ? 0 : sum * level->coverage[i];
  mass[HOLES] = isnan(level->hole_share[i]) ? 0 : sum * level->hole_share[i];
  mass[IN_FAMILIES] = level->roots[i].level == 0 ? sum : 0;
}

static void weigh_level(FamiliesRun *run, FamiliesDictionary *level) {
  const int64_t own = shard_count(level->own);
  int64_t sums[MASSES] = {0},
          counts[3] = {0}; /* parents with children, their distance; with holes */
  double most = 0, mass[MASSES];
  for (int64_t i = 0; i < own; ++i) {
    most = level->sum[i] > most ? level->sum[i] : most;
    counts[0] += level->hamming[i] >= 0;
    counts[1] += level->hamming[i] >= 0 ? level->hamming[i] : 0;
    counts[2] += level->counts[i] && (level->flags[i] & verdict_bit(FLAG_HOLES)) != 0;
  }
  exchange_max(run->team, &most, 1);
  const double scale = fixed_scale(most * (double)level->latents);
  for (int64_t i = 0; i < own; ++i) {
    masses_of(level, i, mass);
    for (int kind = 0; kind < MASSES; ++kind) {
      sums[kind] += fixed_of(mass[kind], scale);
    }
  }
  exchange_sum(run->team, sums, MASSES);
  exchange_sum(run->team, counts, 3);
  const double all = sums[ALL] > 0 ? (double)sums[ALL] : NAN;
  level->covered_mass = (double)sums[COVERED] / all;
  level->hole_mass = (double)sums[HOLES] / all;
  level->mass_in_families = (double)sums[IN_FAMILIES] / all;
  level->mean_hamming = counts[0] > 0 ? (double)counts[1] / (double)counts[0] : NAN;
  level->holes = counts[2];
}

Status families_cover(FamiliesRun *run) {
  for (int64_t l = 0; l < run->levels; ++l) {
    Cover cover = {.level = families_level(run, l),
                   .larger = l + 1 < run->levels ? families_level(run, l + 1) : NULL};
    const Status status = team_agree(run->team, cover_level(run, &cover));
    cover_close(&cover);
    TRY(status);
    weigh_level(run, cover.level);
  }
  return OK;
}
