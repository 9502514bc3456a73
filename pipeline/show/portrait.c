/* One record a feature: what it is, where it comes from, what it looks like. */

#include <stdio.h>
#include <stdlib.h>

#include "desk.h"
#include "memory.h"
#include "schema.h"
#include "strip.h"

/* A forest child, to be ranked by mass. */
typedef struct Child {
  double mass;
  uint32_t id;
} Child;

/* The feature that is being written. */
typedef struct Portrait {
  Desk *desk;
  int dictionary;
  int64_t id;
  AtlasFeature feature;
  const AtlasPair *below; /* with the next smaller level; NULL for none */
  AtlasLink link;         /* in `below` */
  int larger;             /* dictionary of the forest children, -1 for none */
  Child *children;        /* [child_count] by mass */
  int64_t child_count;
  Strip strip;
  float *values; /* scratch, [cells] */
} Portrait;

static int by_mass(const void *left, const void *right) {
  const Child *a = left;
  const Child *b = right;
  if (a->mass != b->mass) {
    return a->mass > b->mass ? -1 : 1;
  }
  return a->id < b->id ? -1 : (a->id > b->id ? 1 : 0);
}

static Status find_children(Portrait *portrait) {
  const Atlas *atlas = portrait->desk->atlas;
  const int level = atlas->dictionaries[portrait->dictionary].level;
  const uint32_t *ids = NULL;
  portrait->larger = level >= 0 && level + 1 < atlas->levels ? atlas->of_level[level + 1] : -1;
  portrait->child_count = kin_children(portrait->desk->kin, level, portrait->id, &ids);
  TRY(MEMORY_NEW(&portrait->children, portrait->child_count, "children of a feature"));
  for (int64_t i = 0; i < portrait->child_count; ++i) {
    Child *child = &portrait->children[i];
    child->id = ids[i];
    TRY(shelf_read(atlas->dictionaries[portrait->larger].columns[ATLAS_SUM], ids[i], 1,
                   &child->mass));
  }
  qsort(portrait->children, (size_t)portrait->child_count, sizeof(Child), by_mass);
  return OK;
}

static int64_t shown_children(const Portrait *portrait) {
  return portrait->child_count < DESK_CHILDREN ? portrait->child_count : DESK_CHILDREN;
}

static Status write_head(Portrait *portrait, Pen *pen) {
  const AtlasFeature *feature = &portrait->feature;
  pen_key(pen, "i");
  pen_integer(pen, portrait->id);
  pen_key(pen, "n");
  TRY(desk_label_of(portrait->desk, portrait->dictionary, portrait->id, feature->label_token, pen));
  pen_key(pen, "s");
  pen_integer(pen, feature->state);
  pen_key(pen, "k");
  pen_integer(pen, feature->firings);
  pen_key(pen, "h");
  pen_integer(pen, feature->firings_held_out);
  pen_key(pen, "m");
  pen_real(pen, feature->sum, 6);
  pen_key(pen, "x");
  pen_real(pen, (double)feature->maximum, 4);
  pen_key(pen, "d");
  pen_real(pen, (double)feature->density, 4);
  pen_key(pen, "ps");
  pen_integer(pen, feature->parent_status);
  pen_key(pen, "g");
  pen_integer(pen, feature->flags);
  pen_key(pen, "co");
  pen_real(pen, feature->coverage, 4);
  if (feature->hole_share > 0) {
    pen_key(pen, "ho");
    pen_real(pen, feature->hole_share, 4);
  }
  return OK;
}

static Status write_root(Portrait *portrait, Pen *pen) {
  const AtlasFeature *feature = &portrait->feature;
  const Atlas *atlas = portrait->desk->atlas;
  if (feature->root == SCHEMA_NO_ID || feature->root_level >= atlas->levels) {
    return OK;
  }
  pen_key(pen, "r");
  pen_open(pen, "[");
  pen_integer(pen, atlas->of_level[feature->root_level]);
  pen_integer(pen, feature->root);
  TRY(desk_label(portrait->desk, atlas->of_level[feature->root_level], feature->root, pen));
  pen_close(pen, "]");
  return OK;
}

static Status write_link(Portrait *portrait, const AtlasPair *pair, Pen *pen) {
  const Atlas *atlas = portrait->desk->atlas;
  AtlasLink link;
  TRY(atlas_link(pair, portrait->id, &link));
  pen_open(pen, "{");
  pen_key(pen, "d");
  pen_integer(pen, pair->parent);
  pen_key(pen, "s");
  pen_integer(pen, link.status);
  pen_key(pen, "f");
  pen_integer(pen, link.flags);
  if (link.parent != SCHEMA_NO_ID) {
    AtlasFeature parent;
    TRY(atlas_feature(atlas, pair->parent, link.parent, &parent));
    pen_key(pen, "p");
    pen_integer(pen, link.parent);
    pen_key(pen, "n");
    TRY(desk_label(portrait->desk, pair->parent, link.parent, pen));
    pen_key(pen, "x");
    pen_real(pen, (double)parent.maximum, 4);
    pen_key(pen, "c");
    pen_open(pen, "[");
    pen_real(pen, (double)link.cosine, 4);
    pen_real(pen, (double)link.cosine_centred, 4);
    pen_real(pen, (double)link.cosine_encoder, 4);
    pen_close(pen, "]");
    pen_key(pen, "q");
    desk_share(&link, pen);
    pen_key(pen, "w");
    pen_real(pen, (double)link.p_wide, 3);
    pen_key(pen, "u");
    pen_real(pen, (double)link.p_child, 3);
    pen_key(pen, "li");
    pen_real(pen, (double)link.lift, 3);
    pen_key(pen, "b");
    pen_integer(pen, link.both);
    pen_key(pen, "o");
    pen_integer(pen, link.documents);
    pen_key(pen, "e");
    pen_integer(pen, link.evidence);
  }
  pen_close(pen, "}");
  return OK;
}

static Status write_links(Portrait *portrait, Pen *pen) {
  const Atlas *atlas = portrait->desk->atlas;
  pen_key(pen, "l");
  pen_open(pen, "[");
  for (int i = 0; i < atlas->pair_count; ++i) {
    if (atlas->pairs[i].child == portrait->dictionary) {
      TRY(write_link(portrait, &atlas->pairs[i], pen));
    }
  }
  pen_close(pen, "]");
  return OK;
}

static Status write_child(Portrait *portrait, const Child *child, Pen *pen) {
  const Atlas *atlas = portrait->desk->atlas;
  AtlasLink link = {0};
  float maximum = 0;
  TRY(atlas_link(atlas_pair(atlas, portrait->larger, portrait->dictionary), child->id, &link));
  TRY(shelf_read(atlas->dictionaries[portrait->larger].columns[ATLAS_MAXIMUM], child->id, 1,
                 &maximum));
  pen_open(pen, "[");
  pen_integer(pen, child->id);
  TRY(desk_label(portrait->desk, portrait->larger, child->id, pen));
  pen_integer(pen, link.status);
  pen_real(pen, (double)link.cosine, 4);
  desk_share(&link, pen);
  pen_real(pen, child->mass, 6);
  pen_real(pen, (double)maximum, 4);
  pen_close(pen, "]");
  return OK;
}

static Status write_children(Portrait *portrait, Pen *pen) {
  if (portrait->child_count == 0) {
    return OK;
  }
  pen_key(pen, "fc");
  pen_integer(pen, portrait->child_count);
  pen_key(pen, "ch");
  pen_open(pen, "[");
  for (int64_t i = 0; i < shown_children(portrait); ++i) {
    TRY(write_child(portrait, &portrait->children[i], pen));
  }
  pen_close(pen, "]");
  return OK;
}

static Status read_strip(Portrait *portrait, int64_t row) {
  TRY(strip_read(&portrait->strip, portrait->desk->atlas, row, portrait->desk->strip_side));
  return MEMORY_RESIZE(&portrait->values, portrait->strip.count, "values of a strip");
}

/* A feature's values on the strip that was read last. */
static Status write_values(Portrait *portrait, int dictionary, int64_t id, Pen *pen) {
  TRY(strip_values(&portrait->strip, &portrait->desk->atlas->dictionaries[dictionary], id,
                   portrait->values, NULL));
  strip_write_values(&portrait->strip, portrait->values, pen);
  return OK;
}

/* Values of the parent and the children there: who takes over where. */
static Status write_relatives(Portrait *portrait, Pen *pen) {
  if (portrait->link.parent != SCHEMA_NO_ID) {
    pen_key(pen, "pv");
    TRY(write_values(portrait, portrait->below->parent, portrait->link.parent, pen));
  }
  if (portrait->child_count == 0) {
    return OK;
  }
  pen_key(pen, "cv");
  pen_open(pen, "[");
  for (int64_t i = 0; i < shown_children(portrait); ++i) {
    TRY(write_values(portrait, portrait->larger, portrait->children[i].id, pen));
  }
  pen_close(pen, "]");
  return OK;
}

/* One example. kind: 0 one of the strongest, else the number of its activation interval from the
 * top. */
static Status write_strip(Portrait *portrait, int64_t row, int64_t kind, Pen *pen) {
  TRY(read_strip(portrait, row));
  pen_open(pen, "{");
  pen_key(pen, "k");
  pen_integer(pen, kind);
  strip_write(&portrait->strip, pen);
  pen_key(pen, "v");
  TRY(write_values(portrait, portrait->dictionary, portrait->id, pen));
  TRY(write_relatives(portrait, pen));
  pen_close(pen, "}");
  return OK;
}

/* The strongest example of each child and the feature's own values there: does it fire wherever the
 * child does? Kept here, so that a page of the parent loads no file of a child. */
static Status write_child_strip(Portrait *portrait, const Child *child, int64_t *rows, Pen *pen) {
  const AtlasDictionary *larger = &portrait->desk->atlas->dictionaries[portrait->larger];
  TRY(shelf_read(larger->columns[ATLAS_TOP_ROW], child->id, 1, rows));
  pen_open(pen, "{");
  if (rows[0] >= 0) {
    TRY(read_strip(portrait, rows[0]));
    strip_write(&portrait->strip, pen);
    pen_key(pen, "v");
    TRY(write_values(portrait, portrait->larger, child->id, pen));
    pen_key(pen, "pv");
    TRY(write_values(portrait, portrait->dictionary, portrait->id, pen));
  }
  pen_close(pen, "}");
  return OK;
}

static Status write_child_strips(Portrait *portrait, Pen *pen) {
  if (portrait->child_count == 0) {
    return OK;
  }
  const AtlasDictionary *larger = &portrait->desk->atlas->dictionaries[portrait->larger];
  int64_t *rows = NULL;
  TRY(MEMORY_NEW(&rows, shelf_shape(larger->columns[ATLAS_TOP_ROW], 1), "rows of examples"));
  Status status = OK;
  pen_key(pen, "ce");
  pen_open(pen, "[");
  for (int64_t i = 0; status == OK && i < shown_children(portrait); ++i) {
    status = write_child_strip(portrait, &portrait->children[i], rows, pen);
  }
  pen_close(pen, "]");
  MEMORY_FREE(rows);
  return status;
}

/* Would this row show a text that is shown already? Then it adds nothing. */
static Status is_shown_already(const Portrait *portrait, int64_t row, const int64_t *shown,
                               int64_t count, bool *out) {
  const Atlas *atlas = portrait->desk->atlas;
  uint32_t document = 0, position = 0;
  *out = false;
  TRY(shelf_read(atlas->text[ATLAS_ROW_DOCUMENT], row, 1, &document));
  TRY(shelf_read(atlas->text[ATLAS_ROW_POSITION], row, 1, &position));
  for (int64_t i = 0; i < count; ++i) {
    uint32_t other_document = 0, other_position = 0;
    TRY(shelf_read(atlas->text[ATLAS_ROW_DOCUMENT], shown[i], 1, &other_document));
    TRY(shelf_read(atlas->text[ATLAS_ROW_POSITION], shown[i], 1, &other_position));
    const int64_t distance = (int64_t)position - (int64_t)other_position;
    *out = *out || (document == other_document && distance <= portrait->desk->strip_side &&
                    -distance <= portrait->desk->strip_side);
  }
  return OK;
}

/* Of the candidate rows write up to `most` that show something new. */
static Status write_new(Portrait *portrait, const int64_t *rows, int64_t count, int64_t most,
                        int64_t kind, int64_t *shown, int64_t *shown_count, Pen *pen) {
  for (int64_t i = 0, written = 0; i < count && written < most; ++i) {
    bool is_old = true;
    if (rows[i] >= 0) {
      TRY(is_shown_already(portrait, rows[i], shown, *shown_count, &is_old));
    }
    if (!is_old) {
      TRY(write_strip(portrait, rows[i], kind, pen));
      shown[(*shown_count)++] = rows[i];
      ++written;
    }
  }
  return OK;
}

static Status write_examples(Portrait *portrait, int64_t *rows, int64_t *shown, Pen *pen) {
  const AtlasDictionary *own = &portrait->desk->atlas->dictionaries[portrait->dictionary];
  Shelf *top = own->columns[ATLAS_TOP_ROW];
  Shelf *drawn = own->columns[ATLAS_INTERVAL_ROW];
  const int64_t intervals = shelf_shape(drawn, 1), per = shelf_shape(drawn, 2);
  int64_t count = 0;
  pen_key(pen, "e");
  pen_open(pen, "[");
  TRY(shelf_read(top, portrait->id, 1, rows));
  TRY(write_new(portrait, rows, shelf_shape(top, 1), portrait->desk->strips, 0, shown, &count,
                pen));
  TRY(shelf_read(drawn, portrait->id, 1, rows));
  for (int64_t i = 0; i < intervals; ++i) {
    TRY(write_new(portrait, rows + i * per, per, 1, i + 1, shown, &count, pen));
  }
  pen_close(pen, "]");
  return OK;
}

static Status write_strips(Portrait *portrait, Pen *pen) {
  const AtlasDictionary *own = &portrait->desk->atlas->dictionaries[portrait->dictionary];
  const int64_t top = shelf_shape(own->columns[ATLAS_TOP_ROW], 1);
  const int64_t drawn = shelf_shape(own->columns[ATLAS_INTERVAL_ROW], 1) *
                        shelf_shape(own->columns[ATLAS_INTERVAL_ROW], 2);
  int64_t *rows = NULL, *shown = NULL;
  TRY(MEMORY_NEW(&rows, top > drawn ? top : drawn, "rows of examples"));
  Status status = MEMORY_NEW(&shown, top + drawn, "rows that are shown");
  status = status == OK ? write_examples(portrait, rows, shown, pen) : status;
  MEMORY_FREE(shown);
  MEMORY_FREE(rows);
  return status;
}

/* How strong its firings are. */
static Status write_strengths(Portrait *portrait, Pen *pen) {
  int64_t bins[DESK_BINS];
  if (portrait->feature.firings == 0) {
    return OK;
  }
  TRY(atlas_strengths(portrait->desk->atlas, portrait->dictionary, portrait->id, bins, DESK_BINS));
  pen_key(pen, "hi");
  pen_open(pen, "[");
  for (int bin = 0; bin < DESK_BINS; ++bin) {
    pen_integer(pen, bins[bin]);
  }
  pen_close(pen, "]");
  return OK;
}

/* Tokens at one end of the direction's effect on the logits: word, effect, word, effect ... */
static Status write_end(Portrait *portrait, const char *key, int sign, Pen *pen) {
  const Atlas *atlas = portrait->desk->atlas;
  uint32_t token[DESK_TOKENS];
  float effect[DESK_TOKENS];
  int found;
  TRY(atlas_promoted(atlas, portrait->dictionary, portrait->id, sign, DESK_TOKENS, token, effect,
                     &found));
  if (atlas->dictionaries[portrait->dictionary].evaluation == NULL) {
    return OK;
  }
  Text word = {0};
  Status status = OK;
  pen_key(pen, key);
  pen_open(pen, "[");
  for (int i = 0; status == OK && i < found; ++i) {
    word.length = 0;
    status = names_word(atlas, token[i], &word);
    pen_text(pen, text_chars(&word), word.length);
    pen_real(pen, (double)effect[i], 3);
  }
  pen_close(pen, "]");
  text_clear(&word);
  return status;
}

static Status write_feature(Portrait *portrait, Pen *pen) {
  const Atlas *atlas = portrait->desk->atlas;
  TRY(atlas_feature(atlas, portrait->dictionary, portrait->id, &portrait->feature));
  portrait->link.parent = SCHEMA_NO_ID;
  if (portrait->below != NULL) {
    TRY(atlas_link(portrait->below, portrait->id, &portrait->link));
  }
  TRY(find_children(portrait));
  TRY(write_head(portrait, pen));
  TRY(write_root(portrait, pen));
  TRY(write_links(portrait, pen));
  TRY(write_children(portrait, pen));
  if (portrait->feature.state != ATLAS_DEAD) {
    TRY(write_strengths(portrait, pen));
    TRY(write_end(portrait, "pt", 1, pen));
    TRY(write_end(portrait, "st", -1, pen));
    TRY(write_strips(portrait, pen));
    TRY(write_child_strips(portrait, pen));
  }
  return pen_status(pen);
}

static Status write_shard(Desk *desk, int64_t shard, void *context) {
  const int dictionary = *(const int *)context;
  const AtlasDictionary *own = &desk->atlas->dictionaries[dictionary];
  Portrait portrait = {
      .desk = desk, .dictionary = dictionary, .below = atlas_pair_below(desk->atlas, dictionary)};
  Text json = {0};
  Pen pen = pen_on(&json);
  Status status = OK;
  char key[256];
  pen_open(&pen, "[");
  for (int64_t i = 0; status == OK && i < DESK_FEATURES; ++i) {
    portrait.id = shard * DESK_FEATURES + i;
    if (portrait.id < own->latents) {
      pen_open(&pen, "{");
      status = write_feature(&portrait, &pen);
      pen_close(&pen, "}");
      MEMORY_FREE(portrait.children);
    }
  }
  pen_close(&pen, "]");
  snprintf(key, sizeof(key), "feature/%s/%lld/%lld", own->name, (long long)(shard / DESK_FOLDER),
           (long long)shard);
  status = status == OK ? pen_status(&pen) : status;
  status = status == OK ? desk_write(desk, key, &json) : status;
  text_clear(&json);
  strip_clear(&portrait.strip);
  MEMORY_FREE(portrait.values);
  return status;
}

Status portrait_write(Desk *desk) {
  return desk_deal_features(desk, "features", write_shard);
}
