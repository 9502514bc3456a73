#include <math.h>
#include <string.h>

#include "exchange.h"
#include "families_codes.h"
#include "families_run.h"
#include "fixed.h"
#include "memory.h"
#include "rebuild.h"

/* Parents are taken one by one, with their own firings and those of their forest children. */
typedef struct Cover {
  FamiliesDictionary *level;
  const FamiliesDictionary *larger;
  FamiliesFirings own, child;
  uint8_t *is_covered, *is_hole; /* [room] of the parent's firings */
  uint32_t *at;                  /* [room] firings that a child shares, */
  float *value;                  /* [room] and its activation there */
  Rebuild rebuild;
  bool is_rebuilt;  /* the parent in hand: no hub with too many children */
  float *direction; /* [width] of the parent */
  uint64_t *any;    /* bitmap of the rows where a child fires */
  uint32_t *row;    /* these rows */
  int64_t rows, room, row_room;
} Cover;

static void cover_close(Cover *cover) {
  families_firings_close(&cover->own);
  families_firings_close(&cover->child);
  MEMORY_FREE(cover->is_covered);
  MEMORY_FREE(cover->is_hole);
  MEMORY_FREE(cover->at);
  MEMORY_FREE(cover->value);
  MEMORY_FREE(cover->direction);
  rebuild_close(&cover->rebuild);
  MEMORY_FREE(cover->any);
  MEMORY_FREE(cover->row);
}

static Status make_room(Cover *cover, int64_t firings) {
  if (firings > cover->room) {
    TRY(MEMORY_RESIZE(&cover->is_covered, firings, "covered rows"));
    TRY(MEMORY_RESIZE(&cover->is_hole, firings, "rows in holes"));
    TRY(MEMORY_RESIZE(&cover->at, firings, "rows that a child shares"));
    TRY(MEMORY_RESIZE(&cover->value, firings, "rows that a child shares"));
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

/* Marks the rows where child `e` fires. */
static Status mark_rows(Cover *cover, int64_t count) {
  if (cover->rows + count > cover->row_room) {
    const int64_t room = 2 * (cover->rows + count);
    TRY(MEMORY_RESIZE(&cover->row, room, "rows of children"));
    cover->row_room = room;
  }
  cover->rows += metrics_mark(cover->any, cover->child.row, count, cover->row + cover->rows);
  return OK;
}

/* Child `e`: the rows where it fires, those of the parent that it shares, what it puts back. */
static Status add_child(Cover *cover, int64_t e, int64_t firings) {
  const ForestChildren *children = &cover->level->children;
  const uint32_t id = children->child[e];
  int64_t count;
  TRY(read_one(&cover->child, cover->larger, id, &count));
  TRY(mark_rows(cover, count));
  const int64_t shared = metrics_shared(cover->own.row, firings, cover->child.row,
                                        cover->child.value, count, cover->at, cover->value);
  for (int64_t i = 0; i < shared; ++i) {
    cover->is_covered[cover->at[i]] = 1;
    cover->is_hole[cover->at[i]] |= children->status[e] == CHILD_ABSORBED;
  }
  if (!cover->is_rebuilt) {
    return OK;
  }
  float *direction = NULL;
  TRY(rebuild_add(&cover->rebuild, cover->at, cover->value, shared, &direction));
  return archive_read_here(cover->larger->file, "/w_dec", id, 1, direction);
}

static Status rebuild_parent(Cover *cover, int64_t parent, int64_t firings) {
  FamiliesDictionary *level = cover->level;
  if (!cover->is_rebuilt) {
    return OK;
  }
  TRY(archive_read_here(level->file, "/w_dec", level->own.first + parent, 1, cover->direction));
  return rebuild_end(&cover->rebuild, cover->direction, cover->own.value, firings,
                     &level->rebuilt[parent]);
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
  cover->is_rebuilt = past - first <= REBUILD_MOST;
  rebuild_begin(&cover->rebuild, level->width);
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
  return rebuild_parent(cover, parent, firings);
}

static Status cover_level(FamiliesRun *run, Cover *cover) {
  FamiliesDictionary *level = cover->level;
  const int64_t own = shard_count(level->own);
  for (int64_t p = 0; p < own; ++p) {
    level->coverage[p] = level->hole_share[p] = level->rebuilt[p] = NAN;
    level->hamming[p] = -1;
  }
  if (cover->larger == NULL) {
    return OK; /* the largest level has no children */
  }
  TRY(MEMORY_NEW(&cover->any, (run->rows + 63) / 64, "rows of children"));
  TRY(MEMORY_NEW(&cover->direction, level->width, "a parent's direction"));
  for (int64_t p = 0; p < own; ++p) {
    TRY(cover_parent(cover, p));
  }
  return OK;
}

/* Sums over the level: of activation, and of the parts that are covered, in holes, in families; of
 * squared activation of the features that were rebuilt from children, and of what came back. */
enum { ALL, COVERED, HOLES, IN_FAMILIES, SQUARES, REBUILT, MASSES };

static void masses_of(const FamiliesDictionary *level, int64_t i, double *mass) {
  const double sum = level->counts[i] ? level->sum[i] : 0;
  const double square = isnan(level->rebuilt[i]) ? 0 : level->sum_square[i];
  mass[ALL] = sum;
  mass[COVERED] = isnan(level->coverage[i]) ? 0 : sum * level->coverage[i];
  mass[HOLES] = isnan(level->hole_share[i]) ? 0 : sum * level->hole_share[i];
  mass[IN_FAMILIES] = level->roots[i].level == 0 ? sum : 0;
  mass[SQUARES] = square;
  mass[REBUILT] = square > 0 ? square * level->rebuilt[i] : 0;
}

/* In fixed point, of one scale for the sums of activation and one for those of squares. */
static void sum_masses(FamiliesRun *run, const FamiliesDictionary *level, double *sums) {
  const int64_t own = shard_count(level->own);
  int64_t whole[MASSES] = {0};
  double most[2] = {0, 0}, mass[MASSES], scale[2];
  for (int64_t i = 0; i < own; ++i) {
    masses_of(level, i, mass);
    for (int kind = 0; kind < MASSES; ++kind) {
      most[kind >= SQUARES] = fmax(most[kind >= SQUARES], fabs(mass[kind]));
    }
  }
  exchange_max(run->team, most, 2);
  scale[0] = fixed_scale(most[0] * (double)level->latents);
  scale[1] = fixed_scale(most[1] * (double)level->latents);
  for (int64_t i = 0; i < own; ++i) {
    masses_of(level, i, mass);
    for (int kind = 0; kind < MASSES; ++kind) {
      whole[kind] += fixed_of(mass[kind], scale[kind >= SQUARES]);
    }
  }
  exchange_sum(run->team, whole, MASSES);
  for (int kind = 0; kind < MASSES; ++kind) {
    sums[kind] = fixed_to(whole[kind], scale[kind >= SQUARES]);
  }
}

/* Parents with children, their distance; with holes; rebuilt, better than nothing. */
enum { PARENTS, DISTANCE, WITH_HOLES, WITH_REST, BETTER, COUNTS };

static void weigh_level(FamiliesRun *run, FamiliesDictionary *level) {
  int64_t counts[COUNTS] = {0};
  double sums[MASSES];
  for (int64_t i = 0; i < shard_count(level->own); ++i) {
    counts[PARENTS] += level->hamming[i] >= 0;
    counts[DISTANCE] += level->hamming[i] >= 0 ? level->hamming[i] : 0;
    counts[WITH_HOLES] += level->counts[i] && (level->flags[i] & verdict_bit(FLAG_HOLES)) != 0;
    counts[WITH_REST] += !isnan(level->rebuilt[i]);
    counts[BETTER] += level->rebuilt[i] > 0;
  }
  exchange_sum(run->team, counts, COUNTS);
  sum_masses(run, level, sums);
  const double all = sums[ALL] > 0 ? sums[ALL] : NAN;
  level->covered_mass = sums[COVERED] / all;
  level->hole_mass = sums[HOLES] / all;
  level->mass_in_families = sums[IN_FAMILIES] / all;
  level->rebuilt_whole = sums[REBUILT] / (sums[SQUARES] > 0 ? sums[SQUARES] : NAN);
  level->rebuilt_better =
      (double)counts[BETTER] / (counts[WITH_REST] > 0 ? (double)counts[WITH_REST] : NAN);
  level->mean_hamming =
      counts[PARENTS] > 0 ? (double)counts[DISTANCE] / (double)counts[PARENTS] : NAN;
  level->holes = counts[WITH_HOLES];
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
