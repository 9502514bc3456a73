#include <stdio.h>
#include <string.h>

#include "compare_run.h"
#include "distribution.h"
#include "memory.h"
#include "null.h"
#include "schema.h"
#include "spread.h"

/* A pair while it is compared; a dictionary with itself has no parent. */
typedef struct Pair {
  char group[COMPARE_NAME]; /* "/pair/8k/1k" */
  Dictionary *child, *parent;
  Directions child_rows, parent_rows;
  Neighbours up, down; /* parents of children, children of parents */
  uint32_t *ids;       /* [longer side, most] */
  float *values;       /* [longer side, most] */
} Pair;

void compare_name_group(char *group, const char *kind, const char *child, const char *parent) {
  snprintf(group, COMPARE_NAME, parent != NULL ? "/%s/%s/%s" : "/%s/%s", kind, child, parent);
}

/* The output's datasets. */

static Status add(Compare *compare, const char *group, const char *name, ArchiveType type,
                  int64_t rows, int64_t columns, const char *meaning) {
  char path[COMPARE_NAME + 32];
  snprintf(path, sizeof(path), "%s/%s", group, name);
  const ArchiveDataset dataset = {
      .name = path,
      .type = type,
      .dims = columns > 0 ? 2 : 1,
      .shape = {rows, columns},
      .meaning = meaning,
      .unit = type == ARCHIVE_F32 ? "cosine" : (type == ARCHIVE_U32 ? "latent" : "1")};
  return archive_add(compare->out, &dataset);
}

static Status add_dictionary(Compare *compare, const Dictionary *one) {
  char group[COMPARE_NAME];
  compare_name_group(group, "dictionary", one->settings->name, NULL);
  TRY(add(compare, group, "state", ARCHIVE_U8, one->latents, 0, "0 dead, 1 unseen, 2 alive"));
  const bool is_level = one->settings->control_of[0] == '\0';
  TRY(archive_set_integer(compare->out, group, "latents", one->latents));
  TRY(archive_set_text(compare->out, group, "role", is_level ? "level" : "control"));
  TRY(archive_set_text(compare->out, group, "control_of", one->settings->control_of));
  compare_name_group(group, "self", one->settings->name, NULL);
  TRY(add(compare, group, "id", ARCHIVE_U32, one->latents, compare->most,
          "nearest other features of the same dictionary, best first (4294967295: none)"));
  return add(compare, group, "cosine", ARCHIVE_F32, one->latents, compare->most,
             "decoder cosine with each of them");
}

static Status add_pair(Compare *compare, const SettingsPair *pair) {
  const Dictionary *child = &compare->dictionaries[pair->child];
  const Dictionary *parent = &compare->dictionaries[pair->parent];
  const int64_t most = compare->most;
  char group[COMPARE_NAME];
  compare_name_group(group, "pair", child->settings->name, parent->settings->name);
  TRY(add(compare, group, "parent_id", ARCHIVE_U32, child->latents, most,
          "best parents of each child by decoder cosine, best first (4294967295: none)"));
  TRY(add(compare, group, "cosine", ARCHIVE_F32, child->latents, most,
          "decoder cosine with each parent"));
  TRY(add(compare, group, "cosine_centred", ARCHIVE_F32, child->latents, most,
          "the same after each dictionary's mean direction is subtracted"));
  TRY(add(compare, group, "encoder_cosine", ARCHIVE_F32, child->latents, most,
          "encoder cosine with each parent"));
  TRY(add(compare, group, "child_id", ARCHIVE_U32, parent->latents, most,
          "best children of each parent by decoder cosine, best first (4294967295: none)"));
  TRY(add(compare, group, "child_cosine", ARCHIVE_F32, parent->latents, most,
          "decoder cosine with each child"));
  return add(compare, group, "best_histogram", ARCHIVE_I64, DISTRIBUTION_BINS, 0,
             "alive children by best cosine, bins of 0.01 over [0, 1]; below 0 in the first");
}

static Status begin_output(Compare *compare, const char *path, const char *stamp) {
  TRY(archive_create(compare->team, path, SCHEMA_NEIGHBOURS, &compare->out));
  TRY(archive_set_text(compare->out, "/", "stamp", stamp));
  double pairs = 0;
  for (int64_t i = 0; i < compare->count; i++) {
    const double latents = (double)compare->dictionaries[i].latents;
    TRY(add_dictionary(compare, &compare->dictionaries[i]));
    pairs += latents * latents;
  }
  for (int64_t i = 0; i < compare->pair_count; i++) {
    const SettingsPair *pair = &compare->pairs[i];
    TRY(add_pair(compare, pair));
    pairs += (double)compare->dictionaries[pair->child].latents *
             (double)compare->dictionaries[pair->parent].latents;
  }
  progress_open(&compare->bar, compare->team, "neighbours", "pairs", (int64_t)pairs);
  compare->watch.bar = &compare->bar;
  return archive_begin(compare->out);
}

/* Rows. */

/* This rank's rows of a matrix, as they are in the file. */
static Status read_rows(Compare *compare, const Dictionary *one, const char *matrix,
                        Directions *rows) {
  TRY_ALL(compare->team, directions_open(rows, compare->team, one->latents, one->width));
  return archive_read(one->file, matrix, rows->own.first, shard_count(rows->own), rows->rows);
}

static Status unit_rows(Compare *compare, const Dictionary *one, const char *matrix,
                        Directions *rows) {
  char place[2 * COMPARE_NAME];
  snprintf(place, sizeof(place), "%s %s", archive_path(one->file), matrix);
  TRY_ALL(compare->team, directions_unit(rows, place));
  return OK;
}

static Status load(Compare *compare, const Dictionary *one, const char *matrix, Directions *rows) {
  TRY(read_rows(compare, one, matrix, rows));
  directions_adopt(rows, one->state);
  return unit_rows(compare, one, matrix, rows);
}

static Status read_firings(const Dictionary *one, const Directions *rows, int64_t *firings,
                           int64_t *seen) {
  TRY(archive_get_integer(one->codes, "/", "rows", seen));
  return archive_read(one->codes, "/firings", rows->own.first, shard_count(rows->own), firings);
}

/* Who is dead, unseen, alive; and the unit rows. */
static Status judge(Compare *compare, Dictionary *one, Directions *rows) {
  const int64_t own = shard_count(rows->own);
  int64_t *firings = NULL;
  int64_t seen = 0;
  TRY_NEW(compare->team, &one->state, own, "states of latents");
  Status status = OK;
  if (one->codes != NULL) {
    status = team_agree(compare->team, MEMORY_NEW(&firings, own, "firings"));
    if (status == OK) {
      status = read_firings(one, rows, firings, &seen);
    }
  }
  if (status == OK) {
    directions_judge(rows, firings, seen);
    memcpy(one->state, rows->state, (size_t)own);
    one->not_dead = one->latents - directions_count(compare->team, rows, DIRECTION_DEAD);
  }
  MEMORY_FREE(firings);
  return status;
}

/* Results of one group. */

static void pair_clear(Pair *pair) {
  directions_clear(&pair->child_rows);
  directions_clear(&pair->parent_rows);
  neighbours_clear(&pair->up);
  neighbours_clear(&pair->down);
  MEMORY_FREE(pair->ids);
  MEMORY_FREE(pair->values);
}

static Status write_rows(Compare *compare, const Pair *pair, const char *name, int64_t first,
                         int64_t rows, const void *data) {
  char path[COMPARE_NAME + 32];
  snprintf(path, sizeof(path), "%s/%s", pair->group, name);
  return archive_write(compare->out, path, first, rows, data);
}

static Status write_lists(Compare *compare, Pair *pair, const Neighbours *lists, Shard own,
                          const char *ids, const char *cosines) {
  neighbours_unpack(lists, pair->ids, pair->values);
  TRY(write_rows(compare, pair, ids, own.first, lists->count, pair->ids));
  return write_rows(compare, pair, cosines, own.first, lists->count, pair->values);
}

static Status pair_take(const Compare *compare, Pair *pair) {
  const int64_t up = shard_count(pair->child_rows.own);
  const int64_t down = shard_count(pair->parent_rows.own);
  const int64_t longer = up > down ? up : down;
  TRY(neighbours_open(&pair->up, up, compare->most));
  TRY(neighbours_open(&pair->down, down, compare->most));
  TRY(MEMORY_NEW(&pair->ids, longer * compare->most, "ids to be written"));
  return MEMORY_NEW(&pair->values, longer * compare->most, "cosines to be written");
}

/* States, mean, effective dimension and nearest features of one dictionary. */
static Status describe(Compare *compare, Pair *pair) {
  Dictionary *one = pair->child;
  Directions *rows = &pair->child_rows;
  TRY(read_rows(compare, one, "/w_dec", rows));
  TRY(judge(compare, one, rows));
  TRY(unit_rows(compare, one, "/w_dec", rows));
  TRY_NEW(compare->team, &one->mean, one->width, "mean of a dictionary");
  TRY(spread_mean(compare->team, rows, one->mean));
  TRY(spread_dimension(compare->team, rows, one->mean, &one->dimension));
  compare_name_group(pair->group, "dictionary", one->settings->name, NULL);
  TRY(write_rows(compare, pair, "state", rows->own.first, shard_count(rows->own), one->state));
  TRY(archive_set_real(compare->out, pair->group, "effective_dimension", one->dimension));
  TRY_ALL(compare->team, pair_take(compare, pair));
  TRY(neighbours_find_own(compare->team, rows, &pair->up, &compare->watch));
  compare_name_group(pair->group, "self", one->settings->name, NULL);
  return write_lists(compare, pair, &pair->up, rows->own, "id", "cosine");
}

/* Other rows of the same latents, multiplied for the candidates that were found. */
static Status score(Compare *compare, Pair *pair, const char *dataset) {
  TRY(neighbours_score(compare->team, &pair->child_rows, &pair->parent_rows, &pair->up,
                       pair->values));
  return write_rows(compare, pair, dataset, pair->child_rows.own.first, pair->up.count,
                    pair->values);
}

static Status score_encoders(Compare *compare, Pair *pair) {
  directions_clear(&pair->child_rows);
  directions_clear(&pair->parent_rows);
  TRY(load(compare, pair->child, "/w_enc", &pair->child_rows));
  TRY(load(compare, pair->parent, "/w_enc", &pair->parent_rows));
  return score(compare, pair, "encoder_cosine");
}

static Status write_distribution(Compare *compare, Pair *pair) {
  int64_t count = 0;
  neighbours_unpack(&pair->up, pair->ids, pair->values);
  for (int64_t i = 0; i < pair->up.count; i++) {
    if (pair->child->state[i] == DIRECTION_ALIVE && pair->up.counts[i] > 0) {
      pair->values[count++] = pair->values[i * compare->most];
    }
  }
  Distribution best;
  distribution_of(compare->team, pair->values, count, &best);
  const int64_t dimension = null_dimension(pair->child->dimension, pair->parent->dimension);
  const double null_median = null_quantile(dimension, pair->parent->not_dead, 0.5);
  const bool is_low = best.median - null_median < COMPARE_UNDERTRAINED;
  const int64_t bins = compare->team->rank == 0 ? DISTRIBUTION_BINS : 0;
  TRY(write_rows(compare, pair, "best_histogram", 0, bins, best.histogram));
  TRY(archive_set_integer(compare->out, pair->group, "null_dimension", dimension));
  TRY(archive_set_real(compare->out, pair->group, "null_median", null_median));
  TRY(archive_set_real(compare->out, pair->group, "null_999",
                       null_quantile(dimension, pair->parent->not_dead, 0.999)));
  TRY(archive_set_real(compare->out, pair->group, "median_best", best.median));
  TRY(archive_set_real(compare->out, pair->group, "share_40", best.share[0]));
  TRY(archive_set_real(compare->out, pair->group, "share_50", best.share[1]));
  TRY(archive_set_real(compare->out, pair->group, "share_70", best.share[2]));
  return archive_set_text(compare->out, pair->group, "warning", is_low ? "undertrained" : "");
}

static Status compare_pair(Compare *compare, Pair *pair) {
  compare_name_group(pair->group, "pair", pair->child->settings->name,
                     pair->parent->settings->name);
  TRY(load(compare, pair->child, "/w_dec", &pair->child_rows));
  TRY(load(compare, pair->parent, "/w_dec", &pair->parent_rows));
  TRY_ALL(compare->team, pair_take(compare, pair));
  TRY(neighbours_find(compare->team, &pair->child_rows, &pair->parent_rows, &pair->up, &pair->down,
                      &compare->watch));
  TRY(write_lists(compare, pair, &pair->up, pair->child_rows.own, "parent_id", "cosine"));
  TRY(write_lists(compare, pair, &pair->down, pair->parent_rows.own, "child_id", "child_cosine"));
  directions_centre(&pair->child_rows, pair->child->mean);
  directions_centre(&pair->parent_rows, pair->parent->mean);
  TRY(score(compare, pair, "cosine_centred"));
  TRY(score_encoders(compare, pair));
  return write_distribution(compare, pair);
}

static Status compare_all(Compare *compare) {
  Status status = OK;
  for (int64_t i = 0; i < compare->count && status == OK; i++) {
    Pair pair = {.child = &compare->dictionaries[i]};
    status = describe(compare, &pair);
    pair_clear(&pair);
  }
  for (int64_t i = 0; i < compare->pair_count && status == OK; i++) {
    Pair pair = {.child = &compare->dictionaries[compare->pairs[i].child],
                 .parent = &compare->dictionaries[compare->pairs[i].parent]};
    status = compare_pair(compare, &pair);
    pair_clear(&pair);
  }
  return status;
}

Status compare_write(Compare *compare, const char *path, const char *stamp) {
  Status status = begin_output(compare, path, stamp);
  if (status == OK) {
    status = compare_all(compare);
  }
  if (status != OK) {
    archive_abandon(&compare->out);
    return status;
  }
  progress_close(&compare->bar, compare->bar.total);
  return archive_finish(&compare->out, NULL);
}
