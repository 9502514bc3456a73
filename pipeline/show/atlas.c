#include "atlas.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "schema.h"
#include "text.h"

typedef enum Home { CODES, EVALUATION, NEIGHBOURS, FAMILIES } Home;

/* Where a dataset stands; %s are the names of its dictionary or pair. */
typedef struct Column {
  Home home;
  const char *name;
  ArchiveType type;
  int dims;
} Column;

static const Column COLUMNS[ATLAS_COLUMNS] = {
    [ATLAS_FEATURE_START] = {CODES, "/feature_start", ARCHIVE_I64, 1},
    [ATLAS_FEATURE_ROW] = {CODES, "/feature_row", ARCHIVE_U32, 1},
    [ATLAS_FEATURE_VALUE] = {CODES, "/feature_value", ARCHIVE_F32, 1},
    [ATLAS_FIRINGS] = {CODES, "/firings", ARCHIVE_I64, 1},
    [ATLAS_FIRINGS_HELD_OUT] = {CODES, "/firings_held_out", ARCHIVE_I64, 1},
    [ATLAS_SUM] = {CODES, "/sum", ARCHIVE_F64, 1},
    [ATLAS_MAXIMUM] = {CODES, "/maximum", ARCHIVE_F32, 1},
    [ATLAS_DENSITY] = {CODES, "/log10_density", ARCHIVE_F32, 1},
    [ATLAS_TOP_ROW] = {CODES, "/top_row", ARCHIVE_I64, 2},
    [ATLAS_LABEL_TOKEN] = {CODES, "/label_token", ARCHIVE_U32, 2},
    [ATLAS_INTERVAL_ROW] = {CODES, "/interval_row", ARCHIVE_I64, 3},
    [ATLAS_PROMOTED_TOKEN] = {EVALUATION, "/promoted_token", ARCHIVE_U32, 2},
    [ATLAS_PROMOTED_EFFECT] = {EVALUATION, "/promoted_effect", ARCHIVE_F32, 2},
    [ATLAS_SUPPRESSED_TOKEN] = {EVALUATION, "/suppressed_token", ARCHIVE_U32, 2},
    [ATLAS_SUPPRESSED_EFFECT] = {EVALUATION, "/suppressed_effect", ARCHIVE_F32, 2},
    [ATLAS_STATE] = {NEIGHBOURS, "/dictionary/%s/state", ARCHIVE_U8, 1},
    [ATLAS_SELF_ID] = {NEIGHBOURS, "/self/%s/id", ARCHIVE_U32, 2},
    [ATLAS_SELF_COSINE] = {NEIGHBOURS, "/self/%s/cosine", ARCHIVE_F32, 2},
    [ATLAS_PARENT_STATUS] = {FAMILIES, "/dictionary/%s/parent_status", ARCHIVE_U8, 1},
    [ATLAS_IN_FOREST] = {FAMILIES, "/dictionary/%s/in_forest", ARCHIVE_U8, 1},
    [ATLAS_ROOT_LEVEL] = {FAMILIES, "/dictionary/%s/root_level", ARCHIVE_U8, 1},
    [ATLAS_ROOT] = {FAMILIES, "/dictionary/%s/root", ARCHIVE_U32, 1},
    [ATLAS_FOREST_CHILDREN] = {FAMILIES, "/dictionary/%s/forest_children", ARCHIVE_I64, 1},
    [ATLAS_OWN_FLAGS] = {FAMILIES, "/dictionary/%s/flags", ARCHIVE_U8, 1},
    [ATLAS_COVERAGE] = {FAMILIES, "/dictionary/%s/coverage", ARCHIVE_F64, 1},
    [ATLAS_HOLE_SHARE] = {FAMILIES, "/dictionary/%s/hole_share", ARCHIVE_F64, 1},
};

static const Column PAIR_COLUMNS[ATLAS_PAIR_COLUMNS] = {
    [ATLAS_BEST_PARENT] = {NEIGHBOURS, "/pair/%s/%s/parent_id", ARCHIVE_U32, 2},
    [ATLAS_BEST_PARENT_COSINE] = {NEIGHBOURS, "/pair/%s/%s/cosine", ARCHIVE_F32, 2},
    [ATLAS_BEST_CHILD] = {NEIGHBOURS, "/pair/%s/%s/child_id", ARCHIVE_U32, 2},
    [ATLAS_BEST_CHILD_COSINE] = {NEIGHBOURS, "/pair/%s/%s/child_cosine", ARCHIVE_F32, 2},
    [ATLAS_STATUS] = {FAMILIES, "/pair/%s/%s/status", ARCHIVE_U8, 1},
    [ATLAS_FLAGS] = {FAMILIES, "/pair/%s/%s/flags", ARCHIVE_U8, 1},
    [ATLAS_PARENT] = {FAMILIES, "/pair/%s/%s/parent", ARCHIVE_U32, 1},
    [ATLAS_COSINE] = {FAMILIES, "/pair/%s/%s/parent_cosine", ARCHIVE_F32, 1},
    [ATLAS_COSINE_CENTRED] = {FAMILIES, "/pair/%s/%s/parent_cosine_centred", ARCHIVE_F32, 1},
    [ATLAS_COSINE_ENCODER] = {FAMILIES, "/pair/%s/%s/parent_encoder_cosine", ARCHIVE_F32, 1},
    [ATLAS_BOTH] = {FAMILIES, "/pair/%s/%s/both", ARCHIVE_I64, 1},
    [ATLAS_DOCUMENTS] = {FAMILIES, "/pair/%s/%s/documents", ARCHIVE_I64, 1},
    [ATLAS_P] = {FAMILIES, "/pair/%s/%s/p", ARCHIVE_F32, 1},
    [ATLAS_P_LOW] = {FAMILIES, "/pair/%s/%s/p_low", ARCHIVE_F32, 1},
    [ATLAS_P_HIGH] = {FAMILIES, "/pair/%s/%s/p_high", ARCHIVE_F32, 1},
    [ATLAS_P_WIDE] = {FAMILIES, "/pair/%s/%s/p_wide", ARCHIVE_F32, 1},
    [ATLAS_P_CHILD] = {FAMILIES, "/pair/%s/%s/p_child", ARCHIVE_F32, 1},
    [ATLAS_LIFT] = {FAMILIES, "/pair/%s/%s/lift", ARCHIVE_F32, 1},
    [ATLAS_EVIDENCE] = {FAMILIES, "/pair/%s/%s/evidence", ARCHIVE_U8, 1},
};

static const Column TEXT_COLUMNS[ATLAS_TEXT_COLUMNS] = {
    [ATLAS_ROW_DOCUMENT] = {CODES, "/document", ARCHIVE_U32, 1},
    [ATLAS_ROW_POSITION] = {CODES, "/position", ARCHIVE_U32, 1},
    [ATLAS_DOCUMENT_START] = {CODES, "/document_start", ARCHIVE_I64, 1},
    [ATLAS_TOKEN] = {CODES, "/text_token", ARCHIVE_U32, 1},
    [ATLAS_VOCABULARY_START] = {CODES, "/vocabulary_start", ARCHIVE_I64, 1},
    [ATLAS_VOCABULARY_BYTE] = {CODES, "/vocabulary_byte", ARCHIVE_U8, 1},
};

enum { NAME_SIZE = 512 };

/* A dataset's name with up to two names put in for its %s. */
static Status fill_name(char *out, const char *pattern, const char *first, const char *second) {
  int64_t length = 0;
  const char *names[] = {first, second};
  int used = 0;
  for (const char *at = pattern; *at != '\0'; ++at) {
    const bool is_name = at[0] == '%' && at[1] == 's' && used < 2;
    const char *from = is_name ? names[used++] : at;
    const int64_t count = is_name ? (int64_t)strlen(from) : 1;
    if (length + count >= NAME_SIZE) {
      return RAISE(ERR_CONFIG, "%s: the dictionary's name is too long", first);
    }
    memcpy(out + length, from, (size_t)count);
    length += count;
    at += is_name ? 1 : 0;
  }
  out[length] = '\0';
  return OK;
}

/* Open the columns that stand in `archive`; where it lacks one, NULL stays. */
static Status open_columns(Atlas *atlas, const Column *columns, int count, Home home,
                           Archive *archive, const char *first, const char *second,
                           Shelf **shelves) {
  char name[NAME_SIZE];
  for (int i = 0; archive != NULL && i < count; ++i) {
    if (columns[i].home != home) {
      continue;
    }
    TRY_ALL(atlas->team, fill_name(name, columns[i].name, first, second));
    if (home == CODES || archive_has(archive, name)) {
      TRY(shelf_open(&shelves[i], atlas->team, archive, name, columns[i].type, columns[i].dims));
    }
  }
  return OK;
}

static Status open_file(Atlas *atlas, const char *folder, const char *name, const char *schema,
                        const char *maker, Archive **out) {
  char *path = NULL;
  TRY_OWN(atlas->team, &path, text_join_path(&path, folder, name));
  const Status status = archive_open(atlas->team, path, schema, maker, out);
  MEMORY_FREE(path);
  return status;
}

/* neighbours.h5 and families.h5 may be absent when features alone are looked at, evaluations always. */
static Status open_later(Atlas *atlas, const char *folder, const char *name, const char *schema,
                         const char *maker, bool must, Archive **out) {
  char *path = NULL;
  TRY_OWN(atlas->team, &path, text_join_path(&path, folder, name));
  const bool is_there = team_any(atlas->team, atlas->team->rank == 0 && access(path, F_OK) == 0);
  MEMORY_FREE(path);
  if (!is_there && !must) {
    return OK;
  }
  return open_file(atlas, folder, name, schema, maker, out);
}

static Status check_latents(const AtlasDictionary *dictionary) {
  for (int i = 0; i < ATLAS_COLUMNS; ++i) {
    const Shelf *shelf = dictionary->columns[i];
    const int64_t extra = i == ATLAS_FEATURE_START ? 1 : 0;
    if (shelf == NULL || i == ATLAS_FEATURE_ROW || i == ATLAS_FEATURE_VALUE) {
      continue;
    }
    if (shelf_rows(shelf) != dictionary->latents + extra) {
      return RAISE(ERR_FORMAT,
                   "dictionary %s: run.yaml declares %lld latents, a file of the run has %lld; run "
                   "the stages again with --force",
                   dictionary->name, (long long)dictionary->latents,
                   (long long)(shelf_rows(shelf) - extra));
    }
  }
  return OK;
}

/* Rank 0 looks, so that all think alike. */
static Status find_training(Atlas *atlas, const char *folder, AtlasDictionary *own) {
  char file[NAME_SIZE];
  TRY_ALL(atlas->team, fill_name(file, "training/%s.csv", own->name, ""));
  TRY_OWN(atlas->team, &own->training, text_join_path(&own->training, folder, file));
  if (!team_any(atlas->team, atlas->team->rank == 0 && access(own->training, F_OK) == 0)) {
    MEMORY_FREE(own->training);
  }
  return OK;
}

static Status open_dictionary(Atlas *atlas, const char *folder, int index,
                              const AtlasDeclared *declared) {
  AtlasDictionary *own = &atlas->dictionaries[index];
  char file[NAME_SIZE];
  TRY_OWN(atlas->team, &own->name, memory_copy_text(&own->name, declared->name));
  TRY_OWN(atlas->team, &own->control_of, memory_copy_text(&own->control_of, declared->control_of));
  const char *page = declared->neuronpedia == NULL ? "" : declared->neuronpedia;
  TRY_OWN(atlas->team, &own->neuronpedia, memory_copy_text(&own->neuronpedia, page));
  own->latents = declared->latents;
  own->level = -1;
  if (declared->control_of[0] == '\0') {
    ASSERT(atlas->levels < ATLAS_LEVELS_MOST);
    atlas->of_level[atlas->levels] = index;
    own->level = atlas->levels++;
  }
  TRY_ALL(atlas->team, fill_name(file, "codes/%s.h5", own->name, ""));
  TRY(open_file(atlas, folder, file, SCHEMA_CODES, "cleave-encode", &own->codes));
  TRY_ALL(atlas->team, fill_name(file, "evaluation/%s.h5", own->name, ""));
  TRY(open_later(atlas, folder, file, SCHEMA_EVALUATION, "cleave-evaluate", false,
                 &own->evaluation));
  TRY(find_training(atlas, folder, own));
  Archive *homes[] = {own->codes, own->evaluation, atlas->neighbours, atlas->families};
  for (int home = CODES; home <= FAMILIES; ++home) {
    TRY(open_columns(atlas, COLUMNS, ATLAS_COLUMNS, (Home)home, homes[home], own->name, "",
                     own->columns));
  }
  TRY_ALL(atlas->team, check_latents(own));
  return OK;
}

static Status open_pair(Atlas *atlas, int child, int parent) {
  char name[NAME_SIZE];
  const char *names[] = {atlas->dictionaries[child].name, atlas->dictionaries[parent].name};
  TRY_ALL(atlas->team, fill_name(name, "/pair/%s/%s/parent_id", names[0], names[1]));
  if (atlas->neighbours == NULL || !archive_has(atlas->neighbours, name)) {
    return OK;
  }
  TRY_ALL(atlas->team, MEMORY_RESIZE(&atlas->pairs, atlas->pair_count + 1, "compared pairs"));
  AtlasPair *pair = &atlas->pairs[atlas->pair_count++];
  *pair = (AtlasPair){.child = child, .parent = parent};
  TRY(open_columns(atlas, PAIR_COLUMNS, ATLAS_PAIR_COLUMNS, NEIGHBOURS, atlas->neighbours, names[0],
                   names[1], pair->columns));
  return open_columns(atlas, PAIR_COLUMNS, ATLAS_PAIR_COLUMNS, FAMILIES, atlas->families, names[0],
                      names[1], pair->columns);
}

static Status open_all(Atlas *atlas, const char *folder, const AtlasDeclared *declared, int count,
                       bool whole) {
  TRY(open_file(atlas, folder, "activations.h5", SCHEMA_ACTIVATIONS, "cleave-harvest",
                &atlas->activations));
  TRY(open_columns(atlas, TEXT_COLUMNS, ATLAS_TEXT_COLUMNS, CODES, atlas->activations, "", "",
                   atlas->text));
  TRY(open_later(atlas, folder, "neighbours.h5", SCHEMA_NEIGHBOURS, "cleave-compare", whole,
                 &atlas->neighbours));
  TRY(open_later(atlas, folder, "families.h5", SCHEMA_FAMILIES, "cleave-families", whole,
                 &atlas->families));
  TRY_NEW(atlas->team, &atlas->dictionaries, count, "the run's dictionaries");
  for (int i = 0; i < count; ++i) {
    atlas->count = i + 1;
    TRY(open_dictionary(atlas, folder, i, &declared[i]));
  }
  for (int child = 0; child < count; ++child) {
    for (int parent = 0; parent < count; ++parent) {
      TRY(open_pair(atlas, child, parent));
    }
  }
  return OK;
}

Status atlas_open(Atlas *atlas, Team *team, const char *folder, const AtlasDeclared *declared,
                  int count, bool whole) {
  *atlas = (Atlas){.team = team};
  const Status status = open_all(atlas, folder, declared, count, whole);
  if (status != OK) {
    atlas_close(atlas);
  }
  return status;
}

static void close_columns(Shelf **shelves, int count) {
  for (int i = 0; i < count; ++i) {
    shelf_close(&shelves[i]);
  }
}

void atlas_close(Atlas *atlas) {
  for (int i = 0; i < atlas->pair_count; ++i) {
    close_columns(atlas->pairs[i].columns, ATLAS_PAIR_COLUMNS);
  }
  for (int i = 0; i < atlas->count; ++i) {
    AtlasDictionary *dictionary = &atlas->dictionaries[i];
    close_columns(dictionary->columns, ATLAS_COLUMNS);
    archive_close(&dictionary->evaluation);
    archive_close(&dictionary->codes);
    MEMORY_FREE(dictionary->training);
    MEMORY_FREE(dictionary->name);
    MEMORY_FREE(dictionary->control_of);
    MEMORY_FREE(dictionary->neuronpedia);
  }
  close_columns(atlas->text, ATLAS_TEXT_COLUMNS);
  archive_close(&atlas->families);
  archive_close(&atlas->neighbours);
  archive_close(&atlas->activations);
  MEMORY_FREE(atlas->pairs);
  MEMORY_FREE(atlas->dictionaries);
  *atlas = (Atlas){0};
}

int atlas_find(const Atlas *atlas, const char *name) {
  for (int i = 0; i < atlas->count; ++i) {
    if (strcmp(atlas->dictionaries[i].name, name) == 0) {
      return i;
    }
  }
  return -1;
}

const AtlasPair *atlas_pair(const Atlas *atlas, int child, int parent) {
  for (int i = 0; i < atlas->pair_count; ++i) {
    if (atlas->pairs[i].child == child && atlas->pairs[i].parent == parent) {
      return &atlas->pairs[i];
    }
  }
  return NULL;
}

int atlas_next_smaller(const Atlas *atlas, int dictionary) {
  const AtlasDictionary *own = &atlas->dictionaries[dictionary];
  const int twin = own->level < 0 ? atlas_find(atlas, own->control_of) : dictionary;
  const int level = twin < 0 ? 0 : atlas->dictionaries[twin].level;
  return level > 0 ? atlas->of_level[level - 1] : -1;
}

const AtlasPair *atlas_pair_below(const Atlas *atlas, int dictionary) {
  const int parent = atlas_next_smaller(atlas, dictionary);
  return parent < 0 ? NULL : atlas_pair(atlas, dictionary, parent);
}

/* One row of a column; what a column that is not there would say stays as it is. */
static Status look_up(Shelf *const *columns, int column, int64_t id, void *out) {
  return columns[column] == NULL ? OK : shelf_read(columns[column], id, 1, out);
}

static Status read_forest(const AtlasDictionary *own, int64_t id, AtlasFeature *out) {
  uint8_t status = 0, in_forest = 0, root_level = ATLAS_NO_TREE, flags = 0;
  TRY(look_up(own->columns, ATLAS_PARENT_STATUS, id, &status));
  TRY(look_up(own->columns, ATLAS_IN_FOREST, id, &in_forest));
  TRY(look_up(own->columns, ATLAS_ROOT_LEVEL, id, &root_level));
  TRY(look_up(own->columns, ATLAS_ROOT, id, &out->root));
  TRY(look_up(own->columns, ATLAS_FOREST_CHILDREN, id, &out->forest_children));
  TRY(look_up(own->columns, ATLAS_OWN_FLAGS, id, &flags));
  TRY(look_up(own->columns, ATLAS_COVERAGE, id, &out->coverage));
  TRY(look_up(own->columns, ATLAS_HOLE_SHARE, id, &out->hole_share));
  out->flags = flags;
  out->parent_status = status;
  out->in_forest = in_forest != 0;
  out->root_level = root_level;
  return OK;
}

Status atlas_labels(const Atlas *atlas, int dictionary, int64_t id, uint32_t *tokens) {
  const AtlasDictionary *own = &atlas->dictionaries[dictionary];
  const int64_t stored = shelf_shape(own->columns[ATLAS_LABEL_TOKEN], 1);
  uint32_t all[64] = {0};
  if (stored > 64) {
    return RAISE(ERR_FORMAT, "%s: /label_token has %lld tokens a feature", archive_path(own->codes),
                 (long long)stored);
  }
  TRY(look_up(own->columns, ATLAS_LABEL_TOKEN, id, all));
  for (int i = 0; i < ATLAS_LABEL_TOKENS; ++i) {
    tokens[i] = i < stored ? all[i] : SCHEMA_NO_ID;
  }
  return OK;
}

Status atlas_feature(const Atlas *atlas, int dictionary, int64_t id, AtlasFeature *out) {
  const AtlasDictionary *own = &atlas->dictionaries[dictionary];
  *out = (AtlasFeature){.root = SCHEMA_NO_ID, .coverage = (double)NAN};
  TRY(look_up(own->columns, ATLAS_FIRINGS, id, &out->firings));
  TRY(look_up(own->columns, ATLAS_FIRINGS_HELD_OUT, id, &out->firings_held_out));
  TRY(look_up(own->columns, ATLAS_SUM, id, &out->sum));
  TRY(look_up(own->columns, ATLAS_MAXIMUM, id, &out->maximum));
  TRY(look_up(own->columns, ATLAS_DENSITY, id, &out->density));
  uint8_t state = out->firings > 0 ? ATLAS_ALIVE : ATLAS_UNSEEN;
  TRY(look_up(own->columns, ATLAS_STATE, id, &state));
  out->state = state;
  TRY(atlas_labels(atlas, dictionary, id, out->label_token));
  return read_forest(own, id, out);
}

Status atlas_link(const AtlasPair *pair, int64_t child, AtlasLink *out) {
  uint8_t status = 0, flags = 0, evidence = 0;
  *out = (AtlasLink){.parent = SCHEMA_NO_ID};
  TRY(look_up(pair->columns, ATLAS_STATUS, child, &status));
  TRY(look_up(pair->columns, ATLAS_FLAGS, child, &flags));
  TRY(look_up(pair->columns, ATLAS_EVIDENCE, child, &evidence));
  TRY(look_up(pair->columns, ATLAS_PARENT, child, &out->parent));
  TRY(look_up(pair->columns, ATLAS_COSINE, child, &out->cosine));
  TRY(look_up(pair->columns, ATLAS_COSINE_CENTRED, child, &out->cosine_centred));
  TRY(look_up(pair->columns, ATLAS_COSINE_ENCODER, child, &out->cosine_encoder));
  TRY(look_up(pair->columns, ATLAS_BOTH, child, &out->both));
  TRY(look_up(pair->columns, ATLAS_DOCUMENTS, child, &out->documents));
  TRY(look_up(pair->columns, ATLAS_P, child, &out->p));
  TRY(look_up(pair->columns, ATLAS_P_LOW, child, &out->p_low));
  TRY(look_up(pair->columns, ATLAS_P_HIGH, child, &out->p_high));
  TRY(look_up(pair->columns, ATLAS_P_WIDE, child, &out->p_wide));
  TRY(look_up(pair->columns, ATLAS_P_CHILD, child, &out->p_child));
  TRY(look_up(pair->columns, ATLAS_LIFT, child, &out->lift));
  out->status = status;
  out->flags = flags;
  out->evidence = evidence;
  return OK;
}

Status atlas_strengths(const Atlas *atlas, int dictionary, int64_t id, int64_t *counts,
                       int intervals) {
  enum { VALUES = 4096 }; /* read at a time */
  Shelf *const *columns = atlas->dictionaries[dictionary].columns;
  int64_t range[2];
  float maximum = 0, values[VALUES];
  memset(counts, 0, (size_t)intervals * sizeof(*counts));
  TRY(shelf_read(columns[ATLAS_FEATURE_START], id, 2, range));
  TRY(shelf_read(columns[ATLAS_MAXIMUM], id, 1, &maximum));
  for (int64_t at = range[0]; at < range[1]; at += VALUES) {
    const int64_t count = range[1] - at < VALUES ? range[1] - at : VALUES;
    TRY(shelf_read(columns[ATLAS_FEATURE_VALUE], at, count, values));
    for (int64_t i = 0; i < count; ++i) {
      const double place = (double)values[i] / (double)maximum * intervals;
      ++counts[place < intervals ? (int)place : intervals - 1];
    }
  }
  return OK;
}

Status atlas_promoted(const Atlas *atlas, int dictionary, int64_t id, int sign, int most,
                      uint32_t *token, float *effect, int *found) {
  enum { LIST = 1000 }; /* evaluate.promoted is no larger */
  Shelf *const *columns = atlas->dictionaries[dictionary].columns;
  Shelf *tokens = columns[sign > 0 ? ATLAS_PROMOTED_TOKEN : ATLAS_SUPPRESSED_TOKEN];
  Shelf *effects = columns[sign > 0 ? ATLAS_PROMOTED_EFFECT : ATLAS_SUPPRESSED_EFFECT];
  uint32_t all[LIST];
  float all_effects[LIST];
  *found = 0;
  if (tokens == NULL || effects == NULL) {
    return OK;
  }
  const int64_t stored = shelf_shape(tokens, 1);
  if (stored > LIST || shelf_shape(effects, 1) != stored) {
    return RAISE(ERR_FORMAT, "%s: %lld tokens a feature",
                 archive_path(atlas->dictionaries[dictionary].evaluation), (long long)stored);
  }
  TRY(shelf_read(tokens, id, 1, all));
  TRY(shelf_read(effects, id, 1, all_effects));
  for (; *found < most && *found < stored && all[*found] != SCHEMA_NO_ID; ++*found) {
    token[*found] = all[*found];
    effect[*found] = all_effects[*found];
  }
  return OK;
}

Status atlas_piece(const Atlas *atlas, uint32_t token, Text *out) {
  Shelf *start = atlas->text[ATLAS_VOCABULARY_START];
  int64_t range[2];
  if (token >= shelf_rows(start) - 1) {
    return text_append(out, "\xef\xbf\xbd", 3);
  }
  TRY(shelf_read(start, token, 2, range));
  char bytes[256];
  for (int64_t at = range[0]; at < range[1];) {
    const int64_t left = range[1] - at;
    const int64_t count = left < (int64_t)sizeof(bytes) ? left : (int64_t)sizeof(bytes);
    TRY(shelf_read(atlas->text[ATLAS_VOCABULARY_BYTE], at, count, bytes));
    TRY(text_append(out, bytes, count));
    at += count;
  }
  return OK;
}
