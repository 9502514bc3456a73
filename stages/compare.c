/* cleave-compare: the nearest features of every feature, between dictionaries and inside each. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "distribution.h"
#include "log.h"
#include "memory.h"
#include "neighbours.h"
#include "null.h"
#include "progress.h"
#include "schema.h"
#include "spread.h"
#include "stage.h"
#include "stamp.h"

/* A median best cosine this near the null's says that the child is where it was initialised. */
#define UNDERTRAINED 0.04

enum { NAME_SIZE = 256 };

/* One dictionary, as long as it is compared. */
typedef struct Dictionary {
  const DictionarySettings *settings;
  Archive *file;
  Archive *codes; /* NULL: nobody counted firings */
  int64_t latents, width;
  uint8_t *state;   /* [own] DirectionState */
  float *mean;      /* [width] of the alive unit rows */
  double dimension; /* effective */
  int64_t not_dead; /* latents that take part, over all ranks */
} Dictionary;

typedef struct Compare {
  Stage *stage;
  Team *team;
  Dictionary *dictionaries; /* [count], as declared */
  int64_t count;
  SettingsPair *pairs; /* [pair_count] */
  int64_t pair_count;
  int64_t most; /* neighbours kept a row */
  Archive *out;
  Progress bar;
  NeighboursWatch watch;
} Compare;

/* A pair while it is compared; a dictionary with itself has no parent. */
typedef struct Pair {
  char group[NAME_SIZE]; /* "/pair/8k/1k" */
  Dictionary *child, *parent;
  Directions child_rows, parent_rows;
  Neighbours up, down; /* parents of children, children of parents */
  uint32_t *ids;       /* [longer side, most] */
  float *values;       /* [longer side, most] */
} Pair;

/* Inputs. */

static Status check_shape(const Compare *compare, const Dictionary *one) {
  if (one->latents != one->settings->latents) {
    return RAISE(ERR_DATA, "%s has %lld latents, but run.yaml declares %lld",
                 archive_path(one->file), (long long)one->latents,
                 (long long)one->settings->latents);
  }
  if (one->width != compare->dictionaries[0].width) {
    return RAISE(ERR_DATA, "%s is %lld wide, but %s %lld: compare dictionaries of one site",
                 archive_path(one->file), (long long)one->width,
                 archive_path(compare->dictionaries[0].file),
                 (long long)compare->dictionaries[0].width);
  }
  return OK;
}

static Status check_codes(const Dictionary *one, const char *dictionary) {
  if (strcmp(dictionary, archive_content(one->file)) != 0) {
    return RAISE(ERR_STALE, "%s was made from another %s: run cleave-encode again",
                 archive_path(one->codes), archive_path(one->file));
  }
  return OK;
}

static Status agree_on_codes(Compare *compare, Dictionary *one) {
  char *dictionary = NULL;
  TRY(archive_get_text(one->codes, "/", "dictionary", &dictionary));
  const Status status = team_agree(compare->team, check_codes(one, dictionary));
  MEMORY_FREE(dictionary);
  return status;
}

/* Without codes the comparison is of geometry alone, which is legal: say so. */
static Status open_codes(Compare *compare, Dictionary *one) {
  char *path = NULL;
  TRY_ALL(compare->team, stage_path(compare->stage, &path, "codes/%s.h5", one->settings->name));
  const bool is_there = compare->team->rank == 0 && access(path, F_OK) == 0;
  Status status = OK;
  if (team_any(compare->team, is_there)) {
    status = archive_open(compare->team, path, SCHEMA_CODES, "cleave-encode", &one->codes);
  } else {
    log_info("%s: not encoded, so only rows of zero norm count as dead", one->settings->name);
  }
  MEMORY_FREE(path);
  if (status == OK && one->codes != NULL) {
    status = agree_on_codes(compare, one);
  }
  return status;
}

static Status open_dictionary(Compare *compare, int64_t index) {
  Dictionary *one = &compare->dictionaries[index];
  one->settings = &compare->stage->settings.dictionaries[index];
  char *path = NULL;
  TRY_ALL(compare->team,
          stage_path(compare->stage, &path, "dictionaries/%s.h5", one->settings->name));
  const Status status =
      archive_open(compare->team, path, SCHEMA_DICTIONARY, "cleave-train", &one->file);
  MEMORY_FREE(path);
  TRY(status);
  int64_t shape[2];
  TRY(archive_shape(one->file, "/w_dec", ARCHIVE_F32, 2, shape));
  one->latents = shape[0];
  one->width = shape[1];
  TRY_ALL(compare->team, check_shape(compare, one));
  return open_codes(compare, one);
}

static Status open_inputs(Compare *compare) {
  const Settings *settings = &compare->stage->settings;
  compare->count = settings->count;
  compare->pair_count = settings_pairs(settings, NULL);
  compare->most = settings->compare.neighbours;
  Status status = MEMORY_NEW(&compare->dictionaries, compare->count, "dictionaries");
  if (status == OK) {
    status = MEMORY_NEW(&compare->pairs, compare->pair_count, "pairs");
  }
  TRY_ALL(compare->team, status);
  settings_pairs(settings, compare->pairs);
  for (int64_t i = 0; i < compare->count; i++) {
    TRY(open_dictionary(compare, i));
  }
  return OK;
}

static void close_inputs(Compare *compare) {
  for (int64_t i = 0; compare->dictionaries != NULL && i < compare->count; i++) {
    Dictionary *one = &compare->dictionaries[i];
    archive_close(&one->file);
    archive_close(&one->codes);
    MEMORY_FREE(one->state);
    MEMORY_FREE(one->mean);
  }
  MEMORY_FREE(compare->dictionaries);
  MEMORY_FREE(compare->pairs);
}

static Stamp stamp_of(const Compare *compare) {
  Stamp stamp;
  stamp_open(&stamp, "compare 1");
  stamp_add_fingerprint(&stamp,
                        config_fingerprint(&SETTINGS_COMPARE, &compare->stage->settings.compare));
  for (int64_t i = 0; i < compare->count; i++) {
    const Dictionary *one = &compare->dictionaries[i];
    stamp_add_text(&stamp, one->settings->name);
    stamp_add_text(&stamp, one->settings->control_of);
    stamp_add_text(&stamp, archive_content(one->file));
    stamp_add_text(&stamp, one->codes != NULL ? archive_content(one->codes) : "no codes");
  }
  return stamp;
}

/* The output's datasets. */

static Status add(Compare *compare, const char *group, const char *name, ArchiveType type,
                  int64_t rows, int64_t columns, const char *meaning) {
  char path[NAME_SIZE + 32];
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

static void name_group(char *group, const char *kind, const char *child, const char *parent) {
  snprintf(group, NAME_SIZE, parent != NULL ? "/%s/%s/%s" : "/%s/%s", kind, child, parent);
}

static Status add_dictionary(Compare *compare, const Dictionary *one) {
  char group[NAME_SIZE];
  name_group(group, "dictionary", one->settings->name, NULL);
  TRY(add(compare, group, "state", ARCHIVE_U8, one->latents, 0, "0 dead, 1 unseen, 2 alive"));
  const bool is_level = one->settings->control_of[0] == '\0';
  TRY(archive_set_integer(compare->out, group, "latents", one->latents));
  TRY(archive_set_text(compare->out, group, "role", is_level ? "level" : "control"));
  TRY(archive_set_text(compare->out, group, "control_of", one->settings->control_of));
  name_group(group, "self", one->settings->name, NULL);
  TRY(add(compare, group, "id", ARCHIVE_U32, one->latents, compare->most,
          "nearest other features of the same dictionary, best first (4294967295: none)"));
  return add(compare, group, "cosine", ARCHIVE_F32, one->latents, compare->most,
             "decoder cosine with each of them");
}

static Status add_pair(Compare *compare, const SettingsPair *pair) {
  const Dictionary *child = &compare->dictionaries[pair->child];
  const Dictionary *parent = &compare->dictionaries[pair->parent];
  const int64_t most = compare->most;
  char group[NAME_SIZE];
  name_group(group, "pair", child->settings->name, parent->settings->name);
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
  progress_open(&compare->bar, compare->team, "compare", "pairs", (int64_t)pairs);
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
  char place[2 * NAME_SIZE];
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
  TRY_ALL(compare->team, MEMORY_NEW(&one->state, own, "states of latents"));
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
  char path[NAME_SIZE + 32];
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
  TRY_ALL(compare->team, MEMORY_NEW(&one->mean, one->width, "mean of a dictionary"));
  TRY(spread_mean(compare->team, rows, one->mean));
  TRY(spread_dimension(compare->team, rows, one->mean, &one->dimension));
  name_group(pair->group, "dictionary", one->settings->name, NULL);
  TRY(write_rows(compare, pair, "state", rows->own.first, shard_count(rows->own), one->state));
  TRY(archive_set_real(compare->out, pair->group, "effective_dimension", one->dimension));
  TRY_ALL(compare->team, pair_take(compare, pair));
  TRY(neighbours_find_own(compare->team, rows, &pair->up, &compare->watch));
  name_group(pair->group, "self", one->settings->name, NULL);
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
  const bool is_low = best.median - null_median < UNDERTRAINED;
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
  name_group(pair->group, "pair", pair->child->settings->name, pair->parent->settings->name);
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

/* The table at the end. */

static Status print_pair(Compare *compare, Archive *made, const SettingsPair *pair) {
  static const char *const KEYS[] = {"median_best", "null_median", "null_999",
                                     "share_40",    "share_50",    "share_70"};
  const char *child = compare->dictionaries[pair->child].settings->name;
  const char *parent = compare->dictionaries[pair->parent].settings->name;
  char group[NAME_SIZE];
  name_group(group, "pair", child, parent);
  double value[6];
  for (int i = 0; i < 6; i++) {
    TRY(archive_get_real(made, group, KEYS[i], &value[i]));
  }
  if (compare->team->rank == 0) {
    char title[NAME_SIZE];
    snprintf(title, sizeof(title), "%s -> %s", child, parent);
    printf("%-24s %8.3f %8.3f %8.3f %7.1f%% %7.1f%% %7.1f%%\n", title, value[0], value[1], value[2],
           100 * value[3], 100 * value[4], 100 * value[5]);
  }
  return OK;
}

static Status print_warning(Compare *compare, Archive *made, const SettingsPair *pair) {
  const char *child = compare->dictionaries[pair->child].settings->name;
  const char *parent = compare->dictionaries[pair->parent].settings->name;
  char group[NAME_SIZE];
  name_group(group, "pair", child, parent);
  char *warning = NULL;
  TRY(archive_get_text(made, group, "warning", &warning));
  if (warning[0] != '\0' && compare->team->rank == 0) {
    printf("%s: %s -> %s is less than %.2f above the null: its families are no finding\n", warning,
           child, parent, UNDERTRAINED);
  }
  MEMORY_FREE(warning);
  return OK;
}

static Status print_table(Compare *compare, const char *path) {
  Archive *made = NULL;
  TRY(archive_open(compare->team, path, SCHEMA_NEIGHBOURS, "cleave-compare", &made));
  Status status = OK;
  if (compare->team->rank == 0) {
    printf("%-24s %8s %8s %8s %8s %8s %8s\n", "best cosine", "median", "null med", "null .1%",
           ">= .40", ">= .50", ">= .70");
  }
  for (int64_t i = 0; i < compare->pair_count && status == OK; i++) {
    status = print_pair(compare, made, &compare->pairs[i]);
  }
  for (int64_t i = 0; i < compare->pair_count && status == OK; i++) {
    status = print_warning(compare, made, &compare->pairs[i]);
  }
  fflush(stdout);
  archive_close(&made);
  return status;
}

static Status make(Compare *compare, const char *path, const char *stamp) {
  Status status = begin_output(compare, path, stamp);
  if (status == OK) {
    status = compare_all(compare);
  }
  if (status != OK) {
    archive_abandon(&compare->out);
    return status;
  }
  progress_close(&compare->bar, compare->bar.total);
  TRY(archive_finish(&compare->out, NULL));
  stage_wrote(compare->stage, path);
  return OK;
}

static Status work(Compare *compare, const char *path) {
  TRY(open_inputs(compare));
  const Stamp stamp = stamp_of(compare);
  char text[32];
  bool go = false;
  TRY(stage_claim(compare->stage, &stamp, path, &go));
  if (go) {
    TRY(make(compare, path, stamp_text(&stamp, text)));
  }
  return compare->stage->is_check ? OK : print_table(compare, path);
}

static Status run(Stage *stage) {
  Compare compare = {.stage = stage, .team = &stage->team};
  char *path = NULL;
  TRY_ALL(compare.team, stage_path(stage, &path, "neighbours.h5"));
  const Status status = work(&compare, path);
  close_inputs(&compare);
  MEMORY_FREE(path);
  return status;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY,
                                                  &SETTINGS_COMPARE, NULL};
  static const StageSpec SPEC = {
      .name = "compare",
      .purpose = "exact nearest features between dictionaries and inside each, with a null",
      .reads = "dictionaries/*.h5, codes/*.h5 (optional)",
      .writes = "neighbours.h5",
      .next = "families",
      .sections = SECTIONS,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
