/* data/run.js: what was run, what came of it, and the words for what the data does not support. */

#include <string.h>

#include "calibration.h"
#include "curve.h"
#include "desk.h"
#include "exchange.h"
#include "memory.h"
#include "roll.h"
#include "shard.h"
#include "verdict.h"

/* A dictionary below this share of alive features with at least 30 firings: too little text. A pair
 * whose median best cosine is nearer to the null's median: undertrained. */
#define ENOUGH_SHARE 0.70
#define ENOUGH_RISE 0.04

enum { NAME_SIZE = 600, BINS = 100, STATES = 3, BLOCK = 4096 };

typedef struct Summary {
  Desk *desk;
  const Atlas *atlas;
  Pen *pen;
} Summary;

static Status put_real(const Summary *summary, Archive *file, const char *object, const char *key) {
  double value = 0;
  TRY(archive_get_real(file, object, key, &value));
  pen_key(summary->pen, key);
  pen_real(summary->pen, value, 6);
  return OK;
}

static Status put_integer(const Summary *summary, Archive *file, const char *object,
                          const char *key) {
  int64_t value = 0;
  TRY(archive_get_integer(file, object, key, &value));
  pen_key(summary->pen, key);
  pen_integer(summary->pen, value);
  return OK;
}

static Status put_text(const Summary *summary, Archive *file, const char *object, const char *key) {
  char *value = NULL;
  TRY(archive_get_text(file, object, key, &value));
  pen_key(summary->pen, key);
  pen_chars(summary->pen, value);
  MEMORY_FREE(value);
  return OK;
}

static void put_count(const Summary *summary, const char *key, int64_t value) {
  pen_key(summary->pen, key);
  pen_integer(summary->pen, value);
}

static void put_counts(const Summary *summary, const char *key, const int64_t *counts, int count) {
  pen_key(summary->pen, key);
  pen_open(summary->pen, "[");
  for (int i = 0; i < count; ++i) {
    pen_integer(summary->pen, counts[i]);
  }
  pen_close(summary->pen, "]");
}

/* How often each code occurs in a column of codes. */
static Status count_here(const Atlas *atlas, Shelf *column, int64_t *counts, int codes) {
  const Shard own = shard_of(shelf_rows(column), 1, atlas->team->rank, atlas->team->size);
  uint8_t block[BLOCK];
  for (int64_t first = own.first; first < own.past; first += BLOCK) {
    const int64_t rows = own.past - first < BLOCK ? own.past - first : BLOCK;
    TRY(shelf_read(column, first, rows, block));
    for (int64_t i = 0; i < rows; ++i) {
      if (block[i] < codes) {
        ++counts[block[i]];
      }
    }
  }
  return OK;
}

static Status put_codes(const Summary *summary, const char *key, Shelf *column, int codes) {
  int64_t counts[64] = {0};
  ASSERT(codes <= 64);
  if (column == NULL) {
    return OK;
  }
  TRY_ALL(summary->atlas->team, count_here(summary->atlas, column, counts, codes));
  exchange_sum(summary->atlas->team, counts, codes);
  put_counts(summary, key, counts, codes);
  return OK;
}

static Status put_source(const Summary *summary) {
  Archive *file = summary->atlas->activations;
  int64_t width = 0;
  TRY(archive_shape(file, "/mean", ARCHIVE_F64, 1, &width));
  pen_key(summary->pen, "source");
  pen_open(summary->pen, "{");
  put_count(summary, "width", width);
  put_count(summary, "rows", shelf_rows(summary->atlas->text[ATLAS_ROW_DOCUMENT]));
  put_count(summary, "documents", shelf_rows(summary->atlas->text[ATLAS_DOCUMENT_START]) - 1);
  put_count(summary, "tokens", shelf_rows(summary->atlas->text[ATLAS_TOKEN]));
  TRY(put_text(summary, file, "/", "model"));
  TRY(put_text(summary, file, "/", "model_hash"));
  TRY(put_integer(summary, file, "/", "layer"));
  TRY(put_integer(summary, file, "/", "context"));
  TRY(put_integer(summary, file, "/", "rows_held_out"));
  TRY(put_integer(summary, file, "/", "left_out_first"));
  TRY(put_integer(summary, file, "/", "left_out_special"));
  TRY(put_integer(summary, file, "/", "left_out_norm"));
  TRY(put_real(summary, file, "/", "median_norm"));
  pen_close(summary->pen, "}");
  return OK;
}

static void name_object(char *out, const char *kind, const char *first, const char *second) {
  const char *parts[] = {"/", kind, "/", first, second[0] != '\0' ? "/" : "", second};
  out[0] = '\0';
  for (int i = 0; i < 6; ++i) {
    strncat(out, parts[i], NAME_SIZE - 1 - strlen(out));
  }
}

/* What cleave-evaluate measured, where it did. */
static Status put_evaluation(const Summary *summary, Archive *file) {
  static const char *const FIGURES[] = {"loss_plain",    "loss_itself",   "loss_mean",
                                        "loss_zero",     "loss_rebuilt",  "recovered",
                                        "recovered_low", "recovered_high"};
  if (file == NULL) {
    return OK;
  }
  pen_key(summary->pen, "evaluation");
  pen_open(summary->pen, "{");
  for (size_t i = 0; i < sizeof(FIGURES) / sizeof(FIGURES[0]); ++i) {
    TRY(put_real(summary, file, "/", FIGURES[i]));
  }
  TRY(put_integer(summary, file, "/", "tokens"));
  TRY(put_integer(summary, file, "/", "held_out"));
  pen_close(summary->pen, "}");
  return OK;
}

static Status put_dictionary(const Summary *summary, int index) {
  const Atlas *atlas = summary->atlas;
  const AtlasDictionary *own = &atlas->dictionaries[index];
  double share = 0;
  char object[NAME_SIZE];
  name_object(object, "dictionary", own->name, "");
  pen_open(summary->pen, "{");
  pen_key(summary->pen, "name");
  pen_chars(summary->pen, own->name);
  pen_key(summary->pen, "control_of");
  pen_chars(summary->pen, own->control_of);
  pen_key(summary->pen, "neuronpedia");
  pen_chars(summary->pen, own->neuronpedia);
  put_count(summary, "latents", own->latents);
  put_count(summary, "level", own->level);
  put_count(summary, "intervals", shelf_shape(own->columns[ATLAS_INTERVAL_ROW], 1));
  TRY(put_integer(summary, own->codes, "/", "k"));
  TRY(put_real(summary, own->codes, "/", "l0"));
  TRY(put_real(summary, own->codes, "/", "explained_variance"));
  TRY(put_text(summary, own->codes, "/", "pca_explained_variance"));
  TRY(put_real(summary, own->codes, "/", "dead_share"));
  TRY(put_real(summary, own->codes, "/", "unseen_share"));
  TRY(put_real(summary, own->codes, "/", "share_30"));
  TRY(archive_get_real(own->codes, "/", "share_30", &share));
  put_count(summary, "too_little_text", share < ENOUGH_SHARE ? 1 : 0);
  TRY(put_real(summary, atlas->neighbours, object, "effective_dimension"));
  TRY(put_evaluation(summary, own->evaluation));
  if (own->training != NULL) { /* rank 0's pen alone is written */
    TRY_ALL(atlas->team, atlas->team->rank == 0 ? curve_write(own->training, summary->pen) : OK);
  }
  TRY(put_codes(summary, "states", own->columns[ATLAS_STATE], STATES));
  TRY(put_codes(summary, "parents", own->columns[ATLAS_PARENT_STATUS], PARENT_STATUSES));
  pen_close(summary->pen, "}");
  return OK;
}

static Status put_histogram(const Summary *summary, const char *object) {
  const int64_t bins = BINS;
  int64_t counts[BINS];
  char name[NAME_SIZE];
  name_object(name, object + 1, "best_histogram", "");
  TRY(archive_expect(summary->atlas->neighbours, name, ARCHIVE_I64, 1, &bins));
  TRY(archive_read(summary->atlas->neighbours, name, 0, BINS, counts));
  put_counts(summary, "histogram", counts, BINS);
  return OK;
}

static Status put_medians(const Summary *summary, const char *object) {
  Archive *file = summary->atlas->neighbours;
  double median = 0, null_median = 0;
  TRY(archive_get_real(file, object, "median_best", &median));
  TRY(archive_get_real(file, object, "null_median", &null_median));
  put_count(summary, "undertrained", median - null_median < ENOUGH_RISE ? 1 : 0);
  TRY(put_real(summary, file, object, "median_best"));
  TRY(put_real(summary, file, object, "null_median"));
  TRY(put_real(summary, file, object, "null_999"));
  TRY(put_real(summary, file, object, "share_40"));
  TRY(put_real(summary, file, object, "share_50"));
  return put_real(summary, file, object, "share_70");
}

static Status put_links(const Summary *summary, const AtlasPair *pair, const char *object) {
  Archive *file = summary->atlas->families;
  TRY(put_real(summary, file, object, "link"));
  TRY(put_integer(summary, file, object, "children"));
  TRY(put_integer(summary, file, object, "linked"));
  TRY(put_integer(summary, file, object, "enough"));
  TRY(put_real(summary, file, object, "merge_rate"));
  TRY(put_real(summary, file, object, "skip_rate"));
  TRY(put_real(summary, file, object, "mean_p"));
  TRY(put_real(summary, file, object, "mean_p_all"));
  TRY(put_real(summary, file, object, "mean_lift"));
  return put_codes(summary, "counts", pair->columns[ATLAS_STATUS], CHILD_STATUSES);
}

static Status put_pair(const Summary *summary, const AtlasPair *pair) {
  const Atlas *atlas = summary->atlas;
  const AtlasDictionary *child = &atlas->dictionaries[pair->child];
  const AtlasDictionary *parent = &atlas->dictionaries[pair->parent];
  char object[NAME_SIZE];
  name_object(object, "pair", child->name, parent->name);
  pen_open(summary->pen, "{");
  put_count(summary, "child", pair->child);
  put_count(summary, "parent", pair->parent);
  put_count(summary, "next", atlas_next_smaller(atlas, pair->child) == pair->parent ? 1 : 0);
  put_count(summary, "twin", strcmp(child->control_of, parent->name) == 0 ? 1 : 0);
  put_count(summary, "novel", novel_is_asked(atlas, pair) ? 1 : 0);
  TRY(put_histogram(summary, object));
  TRY(put_medians(summary, object));
  TRY(put_links(summary, pair, object));
  TRY(calibration_write_pair(atlas, object, summary->pen));
  pen_close(summary->pen, "}");
  return OK;
}

/* The group of a twin and a parent level; families.h5 has it where both were compared. */
static Status put_replication(const Summary *summary, int twin, int parent) {
  const Atlas *atlas = summary->atlas;
  Archive *file = atlas->families;
  char object[NAME_SIZE], dataset[NAME_SIZE];
  name_object(object, "replication", atlas->dictionaries[twin].name,
              atlas->dictionaries[parent].name);
  name_object(dataset, object + 1, "children", "");
  if (!archive_has(file, dataset)) {
    return OK;
  }
  pen_open(summary->pen, "{");
  put_count(summary, "twin", twin);
  put_count(summary, "parent", parent);
  TRY(put_text(summary, file, object, "level"));
  TRY(put_integer(summary, file, object, "parents"));
  TRY(put_real(summary, file, object, "correlation"));
  TRY(put_real(summary, file, object, "correlation_within"));
  TRY(put_real(summary, file, object, "split_again"));
  TRY(put_real(summary, file, object, "split_any"));
  pen_close(summary->pen, "}");
  return OK;
}

static Status put_families(const Summary *summary) {
  Roll roll;
  TRY(roll_open(&roll, summary->atlas));
  int64_t replicated[3] = {0}, with_children = 0;
  for (int64_t i = 0; i < roll.count; ++i) {
    ++replicated[roll.replicated[i] < 3 ? roll.replicated[i] : 2];
    with_children += roll_size(&roll, i) > 1 ? 1 : 0;
  }
  pen_key(summary->pen, "families");
  pen_open(summary->pen, "{");
  put_count(summary, "count", roll.count);
  put_count(summary, "with_children", with_children);
  put_count(summary, "whole", roll.count <= summary->desk->table_most ? 1 : 0);
  put_counts(summary, "replicated", replicated, 3);
  pen_close(summary->pen, "}");
  roll_close(&roll);
  return OK;
}

static void put_names(const Summary *summary, const char *key, const char *(*name_of)(int code),
                      int count) {
  pen_key(summary->pen, key);
  pen_open(summary->pen, "[");
  for (int i = 0; i < count; ++i) {
    pen_chars(summary->pen, name_of(i));
  }
  pen_close(summary->pen, "]");
}

/* What the page's script must know of codes and files. */
static void put_codebook(const Summary *summary) {
  put_names(summary, "child_statuses", verdict_child_name, CHILD_STATUSES);
  put_names(summary, "parent_statuses", verdict_parent_name, PARENT_STATUSES);
  put_names(summary, "flags", verdict_flag_name, VERDICT_FLAGS);
  pen_key(summary->pen, "shard");
  pen_open(summary->pen, "{");
  put_count(summary, "features", DESK_FEATURES);
  put_count(summary, "families", DESK_FAMILIES);
  put_count(summary, "rows", DESK_ROWS);
  put_count(summary, "folder", DESK_FOLDER);
  put_count(summary, "buckets", finder_buckets(summary->atlas));
  pen_close(summary->pen, "}");
}

static void put_file(const Summary *summary, const Archive *file) {
  const char *path = archive_path(file);
  const char *slash = strrchr(path, '/');
  pen_open(summary->pen, "[");
  pen_chars(summary->pen, slash == NULL ? path : slash + 1);
  pen_chars(summary->pen, archive_content(file));
  pen_close(summary->pen, "]");
}

static void put_provenance(const Summary *summary) {
  const Atlas *atlas = summary->atlas;
  pen_key(summary->pen, "files");
  pen_open(summary->pen, "[");
  put_file(summary, atlas->activations);
  for (int i = 0; i < atlas->count; ++i) {
    put_file(summary, atlas->dictionaries[i].codes);
  }
  put_file(summary, atlas->neighbours);
  put_file(summary, atlas->families);
  pen_close(summary->pen, "]");
  pen_key(summary->pen, "version");
  pen_chars(summary->pen, CLEAVE_VERSION);
  put_count(summary, "labels", names_count(summary->desk->names));
}

static Status put_lists(const Summary *summary) {
  const Atlas *atlas = summary->atlas;
  pen_key(summary->pen, "dictionaries");
  pen_open(summary->pen, "[");
  for (int i = 0; i < atlas->count; ++i) {
    TRY(put_dictionary(summary, i));
  }
  pen_close(summary->pen, "]");
  pen_key(summary->pen, "pairs");
  pen_open(summary->pen, "[");
  for (int i = 0; i < atlas->pair_count; ++i) {
    TRY(put_pair(summary, &atlas->pairs[i]));
  }
  pen_close(summary->pen, "]");
  pen_key(summary->pen, "replication");
  pen_open(summary->pen, "[");
  for (int twin = 0; twin < atlas->count; ++twin) {
    for (int parent = 0; parent < atlas->count; ++parent) {
      TRY(put_replication(summary, twin, parent));
    }
  }
  pen_close(summary->pen, "]");
  return OK;
}

static Status put_all(const Summary *summary, const char *title) {
  pen_open(summary->pen, "{");
  pen_key(summary->pen, "title");
  pen_chars(summary->pen, title);
  put_codebook(summary);
  TRY(put_source(summary));
  TRY(put_lists(summary));
  TRY(calibration_write_run(summary->atlas, summary->pen));
  TRY(put_families(summary));
  put_provenance(summary);
  pen_close(summary->pen, "}");
  return OK;
}

Status summary_write(Desk *desk, const char *title) {
  Team *team = desk->atlas->team;
  Text json = {0};
  Pen pen = pen_on(&json);
  const Summary summary = {.desk = desk, .atlas = desk->atlas, .pen = &pen};
  Status status = put_all(&summary, title);
  status = status == OK ? team_agree(team, pen_status(&pen)) : status;
  if (status == OK) {
    status = team_agree(team, team->rank == 0 ? desk_write(desk, "run", &json) : OK);
  }
  text_clear(&json);
  return status;
}
