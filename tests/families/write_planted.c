/* write_planted FOLDER [bare | GATE]: the files that harvest, train, encode and compare would leave of the planted
   dictionaries, so that cleave-families can be tested alone; bare: activations of another tool,
   without text, levels of different kinds; GATE: what is wrong with the imports. One rank. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "archive.h"
#include "memory.h"
#include "null.h"
#include "planted.h"
#include "schema.h"
#include "text.h"

enum { MOST = 16, SPAN = 4, TOKENS = 1000, LABEL = 5, ROWS = PLANTED_ROWS };

static const char *const NAMES[PLANTED_COUNT] = {"small", "middle", "large", "middle-b"};

static Team g_team;
static char g_folder[512], g_activations[17];
static bool g_is_bare;
static const char *g_gate = ""; /* what is wrong with an import */

static const char *path_of(const char *name) {
  static char path[1024];
  snprintf(path, sizeof path, "%s/%s", g_folder, name);
  return path;
}

static Status add(Archive *out, const char *group, const char *name, ArchiveType type, int64_t rows,
                  int64_t columns) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", group, name);
  const ArchiveDataset dataset = {.name = path,
                                  .type = type,
                                  .dims = columns > 0 ? 2 : 1,
                                  .shape = {rows, columns},
                                  .meaning = "planted",
                                  .unit = "1"};
  return archive_add(out, &dataset);
}

static Status put(Archive *out, const char *group, const char *name, int64_t rows,
                  const void *data) {
  char path[256];
  snprintf(path, sizeof path, "%s/%s", group, name);
  return archive_write(out, path, 0, rows, data);
}

/* Tokens of rows and their text: words, some of them awkward for tables and terminals. */
typedef struct Words {
  uint32_t token[ROWS], document[ROWS];
  int64_t document_start[ROWS / PLANTED_DOCUMENT + 1], start[TOKENS + 1];
  uint8_t bytes[TOKENS * 16];
} Words;

static void draw_words(Words *words, const Planted *planted) {
  static const char *const AWKWARD[] = {" a,b",     "\"q\"",         "\n",
                                        "\xe6\x96", " \xe6\x97\xa5", "\x1b["};
  for (int64_t r = 0; r < ROWS; ++r) {
    words->document[r] = (uint32_t)planted->document[r];
    words->token[r] = (uint32_t)(r * 7919 % TOKENS);
  }
  for (int64_t d = 0; d <= ROWS / PLANTED_DOCUMENT; ++d) {
    words->document_start[d] = d * PLANTED_DOCUMENT;
  }
  for (int64_t t = 0; t < TOKENS; ++t) {
    char word[16];
    snprintf(word, sizeof word, "%s%d", t % 50 < 6 ? AWKWARD[t % 50] : " word", (int)t);
    words->start[t + 1] = words->start[t] + (int64_t)strlen(word);
    memcpy(words->bytes + words->start[t], word, strlen(word));
  }
}

/* Activations that another tool wrote know nothing of text: runs of rows stand for documents. */
static Status fill_activations(Archive *out, const Words *words) {
  const int64_t documents = ROWS / PLANTED_DOCUMENT;
  TRY(archive_set_integer(out, "/", "document_rows", g_is_bare ? PLANTED_DOCUMENT : 0));
  TRY(add(out, "", "document", ARCHIVE_U32, ROWS, 0));
  TRY(add(out, "", "document_start", ARCHIVE_I64, documents + 1, 0));
  if (g_is_bare) {
    TRY(archive_begin(out));
    TRY(put(out, "", "document", ROWS, words->document));
    return put(out, "", "document_start", documents + 1, words->document_start);
  }
  TRY(add(out, "", "token", ARCHIVE_U32, ROWS, 0));
  TRY(add(out, "", "vocabulary_start", ARCHIVE_I64, TOKENS + 1, 0));
  TRY(add(out, "", "vocabulary_byte", ARCHIVE_U8, words->start[TOKENS], 0));
  TRY(archive_begin(out));
  TRY(put(out, "", "token", ROWS, words->token));
  TRY(put(out, "", "document", ROWS, words->document));
  TRY(put(out, "", "document_start", documents + 1, words->document_start));
  TRY(put(out, "", "vocabulary_start", TOKENS + 1, words->start));
  return put(out, "", "vocabulary_byte", words->start[TOKENS], words->bytes);
}

static Status write_activations(const Planted *planted) {
  Archive *out = NULL;
  Words *words = NULL;
  TRY(MEMORY_NEW(&words, 1, "planted words"));
  draw_words(words, planted);
  TRY(archive_create(&g_team, path_of("activations.h5"), SCHEMA_ACTIVATIONS, &out));
  TRY(fill_activations(out, words));
  MEMORY_FREE(words);
  return archive_finish(&out, g_activations);
}

/* Firings by feature. */
typedef struct ByFeature {
  int64_t *start, *firings; /* [latents + 1], [latents] */
  double *sum, *square;
  uint32_t *row, *label;
  float *value;
} ByFeature;

static Status take_features(ByFeature *by, const PlantedDictionary *one) {
  TRY(MEMORY_NEW(&by->start, one->latents + 1, "starts"));
  TRY(MEMORY_NEW(&by->firings, one->latents, "firings"));
  TRY(MEMORY_NEW(&by->sum, one->latents, "sums"));
  TRY(MEMORY_NEW(&by->square, one->latents, "sums of squares"));
  TRY(MEMORY_NEW(&by->label, one->latents * LABEL, "labels"));
  TRY(MEMORY_NEW(&by->row, one->entries, "rows"));
  return MEMORY_NEW(&by->value, one->entries, "values");
}

static void transpose(ByFeature *by, const PlantedDictionary *one) {
  for (int64_t e = 0; e < one->entries; ++e) {
    by->firings[one->id[e]] += one->active[e];
  }
  for (int64_t i = 0; i < one->latents; ++i) {
    by->start[i + 1] = by->start[i] + by->firings[i];
    by->firings[i] = 0;
    for (int64_t j = 0; j < LABEL; ++j) {
      const bool is_none = j > 2 || one->state[i] != DIRECTION_ALIVE;
      by->label[i * LABEL + j] = is_none ? SCHEMA_NO_ID : (uint32_t)((i * 3 + j) % TOKENS);
    }
  }
  for (int64_t row = 0; row < ROWS; ++row) {
    for (int64_t e = one->start[row]; e < one->start[row + 1]; ++e) {
      const uint32_t id = one->id[e];
      if (one->active[e]) {
        const int64_t at = by->start[id] + by->firings[id]++;
        by->row[at] = (uint32_t)row;
        by->value[at] = one->value[e];
        by->sum[id] += (double)one->value[e];
        by->square[id] += (double)one->value[e] * (double)one->value[e];
      }
    }
  }
}

static void free_features(ByFeature *by) {
  MEMORY_FREE(by->start);
  MEMORY_FREE(by->firings);
  MEMORY_FREE(by->sum);
  MEMORY_FREE(by->square);
  MEMORY_FREE(by->label);
  MEMORY_FREE(by->row);
  MEMORY_FREE(by->value);
}

static Status fill_codes(Archive *out, const PlantedDictionary *one, const ByFeature *by) {
  const int64_t m = one->latents, firings = by->start[m];
  TRY(add(out, "", "row_start", ARCHIVE_I64, ROWS + 1, 0));
  TRY(add(out, "", "id", ARCHIVE_U32, one->entries, 0));
  TRY(add(out, "", "value", ARCHIVE_F32, one->entries, 0));
  TRY(add(out, "", "active", ARCHIVE_U8, one->entries, 0));
  TRY(add(out, "", "feature_start", ARCHIVE_I64, m + 1, 0));
  TRY(add(out, "", "feature_row", ARCHIVE_U32, firings, 0));
  TRY(add(out, "", "feature_value", ARCHIVE_F32, firings, 0));
  TRY(add(out, "", "firings", ARCHIVE_I64, m, 0));
  TRY(add(out, "", "sum", ARCHIVE_F64, m, 0));
  TRY(add(out, "", "sum_square", ARCHIVE_F64, m, 0));
  TRY(add(out, "", "label_token", ARCHIVE_U32, m, LABEL));
  TRY(archive_set_text(out, "/", "activations", g_activations));
  TRY(archive_set_integer(out, "/", "rows", ROWS));
  TRY(archive_set_real(out, "/", "share_30", 0.65));
  TRY(archive_set_real(out, "/", "l0", (double)firings / ROWS));
  TRY(archive_set_text(out, "/", "l0_class", g_is_bare && m == 512 ? "medium" : "small"));
  TRY(archive_set_text(out, "/", "gate", g_gate));
  TRY(archive_begin(out));
  TRY(put(out, "", "row_start", ROWS + 1, one->start));
  TRY(put(out, "", "id", one->entries, one->id));
  TRY(put(out, "", "value", one->entries, one->value));
  TRY(put(out, "", "active", one->entries, one->active));
  TRY(put(out, "", "feature_start", m + 1, by->start));
  TRY(put(out, "", "feature_row", firings, by->row));
  TRY(put(out, "", "feature_value", firings, by->value));
  TRY(put(out, "", "firings", m, by->firings));
  TRY(put(out, "", "sum", m, by->sum));
  TRY(put(out, "", "sum_square", m, by->square));
  return put(out, "", "label_token", m, by->label);
}

static Status write_codes(const Planted *planted, int64_t d) {
  const PlantedDictionary *one = &planted->dictionaries[d];
  char name[64];
  Archive *out = NULL;
  ByFeature by = {0};
  TRY(take_features(&by, one));
  transpose(&by, one);
  snprintf(name, sizeof name, "codes/%s.h5", NAMES[d]);
  TRY(archive_create(&g_team, path_of(name), SCHEMA_CODES, &out));
  TRY(fill_codes(out, one, &by));
  free_features(&by);
  return archive_finish(&out, NULL);
}

/* Decoder and encoder alike. */
static Status write_dictionary(const Planted *planted, int64_t d) {
  const PlantedDictionary *one = &planted->dictionaries[d];
  char name[64];
  Archive *out = NULL;
  snprintf(name, sizeof name, "dictionaries/%s.h5", NAMES[d]);
  TRY(archive_create(&g_team, path_of(name), SCHEMA_DICTIONARY, &out));
  TRY(add(out, "", "w_dec", ARCHIVE_F32, one->latents, PLANTED_WIDTH));
  TRY(add(out, "", "w_enc", ARCHIVE_F32, one->latents, PLANTED_WIDTH));
  TRY(archive_set_text(out, "/", "architecture", g_is_bare && d == 2 ? "jumprelu" : "topk"));
  TRY(archive_begin(out));
  TRY(put(out, "", "w_dec", one->latents, one->rows));
  TRY(put(out, "", "w_enc", one->latents, one->rows));
  return archive_finish(&out, NULL);
}

static Status write_lists(Archive *out, const char *group, const PlantedDictionary *of,
                          const PlantedDictionary *in, bool is_up) {
  uint32_t *ids = NULL;
  float *cosines = NULL;
  TRY(MEMORY_NEW(&ids, of->latents * MOST, "neighbours"));
  TRY(MEMORY_NEW(&cosines, of->latents * MOST, "cosines"));
  TRY(planted_neighbours(of, in, 0, of->latents, MOST, ids, cosines));
  TRY(put(out, group, is_up ? "parent_id" : "child_id", of->latents, ids));
  TRY(put(out, group, is_up ? "cosine" : "child_cosine", of->latents, cosines));
  if (is_up) {
    TRY(put(out, group, "cosine_centred", of->latents, cosines));
    TRY(put(out, group, "encoder_cosine", of->latents, cosines));
  }
  MEMORY_FREE(ids);
  MEMORY_FREE(cosines);
  return OK;
}

/* No sum of parents rebuilds a child: planted.c makes none. */
static Status write_spans(Archive *out, const char *group, int64_t children) {
  uint32_t *parent = NULL;
  float *zero = NULL, *none = NULL;
  TRY(MEMORY_NEW(&parent, children * SPAN, "span fits"));
  TRY(MEMORY_NEW(&zero, children * SPAN, "span fits"));
  TRY(MEMORY_NEW(&none, children, "span fits"));
  for (int64_t i = 0; i < children; ++i) {
    none[i] = NAN;
    for (int64_t j = 0; j < SPAN; ++j) {
      parent[i * SPAN + j] = SCHEMA_NO_ID;
    }
  }
  TRY(put(out, group, "span_parent", children, parent));
  TRY(put(out, group, "span_weight", children, zero));
  TRY(put(out, group, "span_r2", children, zero));
  TRY(put(out, group, "span_mutual", children, none));
  MEMORY_FREE(parent);
  MEMORY_FREE(zero);
  MEMORY_FREE(none);
  return OK;
}

static Status write_pair(Archive *out, const char *group, const PlantedDictionary *child,
                         const PlantedDictionary *parent) {
  int64_t histogram[100] = {0};
  for (int bin = 0; bin < 50; ++bin) {
    histogram[bin] = 50 - bin; /* of 1,275 null children 45 link at 0.41 */
  }
  TRY(write_lists(out, group, child, parent, true));
  TRY(write_lists(out, group, parent, child, false));
  TRY(write_spans(out, group, child->latents));
  return put(out, group, "null_histogram", 100, histogram);
}

static Status set_null(Archive *out, const char *group, const char *key, double value) {
  char name[64];
  TRY(archive_set_real(out, group, key, value));
  snprintf(name, sizeof name, "%s_low", key);
  TRY(archive_set_real(out, group, name, value - 0.01));
  snprintf(name, sizeof name, "%s_high", key);
  return archive_set_real(out, group, name, value + 0.01);
}

static Status add_pair(Archive *out, const char *group, const PlantedDictionary *child,
                       const PlantedDictionary *parent, double median) {
  TRY(add(out, group, "parent_id", ARCHIVE_U32, child->latents, MOST));
  TRY(add(out, group, "cosine", ARCHIVE_F32, child->latents, MOST));
  TRY(add(out, group, "cosine_centred", ARCHIVE_F32, child->latents, MOST));
  TRY(add(out, group, "encoder_cosine", ARCHIVE_F32, child->latents, MOST));
  TRY(add(out, group, "child_id", ARCHIVE_U32, parent->latents, MOST));
  TRY(add(out, group, "child_cosine", ARCHIVE_F32, parent->latents, MOST));
  TRY(add(out, group, "span_parent", ARCHIVE_U32, child->latents, SPAN));
  TRY(add(out, group, "span_weight", ARCHIVE_F32, child->latents, SPAN));
  TRY(add(out, group, "span_r2", ARCHIVE_F32, child->latents, 0));
  TRY(add(out, group, "span_mutual", ARCHIVE_F32, child->latents, 0));
  TRY(add(out, group, "null_histogram", ARCHIVE_I64, 100, 0));
  TRY(set_null(out, group, "null_median", 0.17));
  TRY(set_null(out, group, "null_999", null_quantile(200, parent->latents, 0.999)));
  TRY(set_null(out, group, "r2_null_999", 0.25));
  TRY(archive_set_integer(out, group, "certified", child->latents));
  TRY(archive_set_integer(out, group, "centred_differs", 3));
  return archive_set_real(out, group, "median_best", median);
}

static Status each_pair(const Planted *planted, Archive *out, bool is_write) {
  static const int PAIRS[][2] = {{1, 0}, {2, 0}, {2, 1}, {3, 1}, {3, 0}};
  for (size_t p = 0; p < sizeof PAIRS / sizeof PAIRS[0]; ++p) {
    const PlantedDictionary *child = &planted->dictionaries[PAIRS[p][0]];
    const PlantedDictionary *parent = &planted->dictionaries[PAIRS[p][1]];
    char group[128];
    snprintf(group, sizeof group, "/pair/%s/%s", NAMES[PAIRS[p][0]], NAMES[PAIRS[p][1]]);
    TRY(is_write ? write_pair(out, group, child, parent)
                 : add_pair(out, group, child, parent, PAIRS[p][0] == 2 ? 0.20 : 0.55));
  }
  return OK;
}

/* Nearest features of the same dictionary; of the largest there are none. */
static Status each_self(const Planted *planted, Archive *out, bool is_write) {
  for (int d = 0; d < PLANTED_COUNT; ++d) {
    const PlantedDictionary *one = &planted->dictionaries[d];
    uint32_t *ids = NULL;
    float *cosines = NULL;
    char group[128];
    snprintf(group, sizeof group, "/self/%s", NAMES[d]);
    if (d == 2) {
      continue;
    }
    if (!is_write) {
      TRY(add(out, group, "id", ARCHIVE_U32, one->latents, MOST));
      TRY(add(out, group, "cosine", ARCHIVE_F32, one->latents, MOST));
      continue;
    }
    TRY(MEMORY_NEW(&ids, one->latents * MOST, "neighbours"));
    TRY(MEMORY_NEW(&cosines, one->latents * MOST, "cosines"));
    TRY(planted_neighbours(one, one, 0, one->latents, MOST, ids, cosines));
    TRY(put(out, group, "id", one->latents, ids));
    TRY(put(out, group, "cosine", one->latents, cosines));
    MEMORY_FREE(ids);
    MEMORY_FREE(cosines);
  }
  return OK;
}

static Status each_state(const Planted *planted, Archive *out, bool is_write) {
  for (int d = 0; d < PLANTED_COUNT; ++d) {
    const PlantedDictionary *one = &planted->dictionaries[d];
    char group[128];
    snprintf(group, sizeof group, "/dictionary/%s", NAMES[d]);
    TRY(is_write ? put(out, group, "state", one->latents, one->state)
                 : add(out, group, "state", ARCHIVE_U8, one->latents, 0));
  }
  return OK;
}

static Status write_neighbours(const Planted *planted) {
  Archive *out = NULL;
  TRY(archive_create(&g_team, path_of("neighbours.h5"), SCHEMA_NEIGHBOURS, &out));
  TRY(each_state(planted, out, false));
  TRY(each_pair(planted, out, false));
  TRY(each_self(planted, out, false));
  TRY(archive_begin(out));
  TRY(each_state(planted, out, true));
  TRY(each_pair(planted, out, true));
  TRY(each_self(planted, out, true));
  return archive_finish(&out, NULL);
}

/* dictionary,feature,status: the truth beside features.csv. */
static Status write_truth(const Planted *planted) {
  Text text = {0};
  TRY(text_printf(&text, "dictionary,feature,child_status,parent\n"));
  for (int level = 1; level < PLANTED_LEVELS; ++level) {
    const PlantedDictionary *one = &planted->dictionaries[level];
    for (int64_t i = 0; i < one->latents; ++i) {
      TRY(text_printf(&text, "%s,%lld,%s,%lld\n", NAMES[level], (long long)i,
                      verdict_child_name(one->status[i]), (long long)one->parent[i]));
    }
  }
  TRY(text_write_file(&text, path_of("truth.csv")));
  text_clear(&text);
  return OK;
}

static Status write_yaml(void) {
  Text text = {0};
  TRY(text_printf(&text,
                  "folder: %s\nharvest: {model: none.gguf, layer: 0, text: none.txt}\n"
                  "train: {k: 4}\ndictionaries:\n",
                  g_folder));
  for (int d = 0; d < PLANTED_COUNT; ++d) {
    TRY(text_printf(&text, "  - {name: %s, latents: %lld%s}\n", NAMES[d],
                    (long long)PLANTED_LATENTS[d],
                    d == PLANTED_TWIN ? ", seed: 2, control_of: middle" : ""));
  }
  TRY(text_write_file(&text, path_of("run.yaml")));
  text_clear(&text);
  return OK;
}

static Status write_all(void) {
  Planted planted;
  TRY(planted_open(&planted));
  TRY(write_activations(&planted));
  for (int64_t d = 0; d < PLANTED_COUNT; ++d) {
    TRY(write_codes(&planted, d));
    TRY(write_dictionary(&planted, d));
  }
  TRY(write_neighbours(&planted));
  TRY(write_truth(&planted));
  planted_close(&planted);
  return write_yaml();
}

int main(int argc, char **argv) {
  Status status = team_open(&g_team, &argc, &argv);
  g_is_bare = argc == 3 && strcmp(argv[2], "bare") == 0;
  g_gate = argc == 3 && !g_is_bare ? argv[2] : "";
  if (status == OK && argc >= 2) {
    snprintf(g_folder, sizeof g_folder, "%s", argv[1]);
    status = write_all();
  }
  if (status != OK || argc < 2) {
    fprintf(stderr, "write_planted FOLDER [bare | GATE]: %s\n", status_why());
  }
  team_close(&g_team);
  return argc >= 2 ? (int)status : 2;
}
