/* Each feature's nearest ones in every dictionary that was compared with its own: the lists on its
 * page and the points of its map. */

#include <stdio.h>

#include "desk.h"
#include "memory.h"
#include "schema.h"

/* What has been found near one feature; scratch for one list. */
typedef struct Vicinity {
  Desk *desk;
  int dictionary;
  uint32_t *ids;
  float *cosines;
} Vicinity;

/* [id, cosine, label, status, parent]: the last two relative to the next smaller dictionary, -1
 * where there is none. */
static Status write_one(const Desk *desk, int dictionary, int64_t id, double cosine, Pen *pen) {
  const AtlasPair *below = atlas_pair_below(desk->atlas, dictionary);
  uint8_t status = 0;
  uint32_t parent = SCHEMA_NO_ID;
  const bool has_status = below != NULL && below->columns[ATLAS_STATUS] != NULL;
  if (has_status) {
    TRY(shelf_read(below->columns[ATLAS_STATUS], id, 1, &status));
    TRY(shelf_read(below->columns[ATLAS_PARENT], id, 1, &parent));
  }
  pen_open(pen, "[");
  pen_integer(pen, id);
  pen_real(pen, cosine, 3);
  TRY(desk_label(desk, dictionary, id, pen));
  pen_integer(pen, has_status ? status : -1);
  pen_integer(pen, parent == SCHEMA_NO_ID ? -1 : (int64_t)parent);
  pen_close(pen, "]");
  return OK;
}

static Status write_list(Vicinity *vicinity, int64_t id, int other, Shelf *ids, Shelf *cosines,
                         Pen *pen) {
  if (ids == NULL || cosines == NULL) {
    return OK;
  }
  const int64_t stored = shelf_shape(ids, 1);
  TRY(MEMORY_RESIZE(&vicinity->ids, stored, "neighbours"));
  TRY(MEMORY_RESIZE(&vicinity->cosines, stored, "neighbours"));
  TRY(shelf_read(ids, id, 1, vicinity->ids));
  TRY(shelf_read(cosines, id, 1, vicinity->cosines));
  pen_open(pen, "{");
  pen_key(pen, "d");
  pen_integer(pen, other);
  pen_key(pen, "v");
  pen_open(pen, "[");
  for (int64_t i = 0; i < stored && i < vicinity->desk->neighbours; ++i) {
    if (vicinity->ids[i] == SCHEMA_NO_ID) {
      break;
    }
    TRY(write_one(vicinity->desk, other, vicinity->ids[i], (double)vicinity->cosines[i], pen));
  }
  pen_close(pen, "]");
  pen_close(pen, "}");
  return OK;
}

static Status write_feature(Vicinity *vicinity, int64_t id, Pen *pen) {
  const Atlas *atlas = vicinity->desk->atlas;
  const int dictionary = vicinity->dictionary;
  Shelf *const *own = atlas->dictionaries[dictionary].columns;
  TRY(write_list(vicinity, id, dictionary, own[ATLAS_SELF_ID], own[ATLAS_SELF_COSINE], pen));
  for (int i = 0; i < atlas->pair_count; ++i) {
    const AtlasPair *pair = &atlas->pairs[i];
    if (pair->child == dictionary) {
      TRY(write_list(vicinity, id, pair->parent, pair->columns[ATLAS_BEST_PARENT],
                     pair->columns[ATLAS_BEST_PARENT_COSINE], pen));
    } else if (pair->parent == dictionary) {
      TRY(write_list(vicinity, id, pair->child, pair->columns[ATLAS_BEST_CHILD],
                     pair->columns[ATLAS_BEST_CHILD_COSINE], pen));
    }
  }
  return OK;
}

/* An array of the shard's features, each an array of lists; dead features have none. */
static Status write_features(Vicinity *vicinity, int64_t first, Pen *pen) {
  const AtlasDictionary *own = &vicinity->desk->atlas->dictionaries[vicinity->dictionary];
  pen_open(pen, "[");
  for (int64_t id = first; id < first + DESK_FEATURES && id < own->latents; ++id) {
    uint8_t state = ATLAS_DEAD;
    TRY(shelf_read(own->columns[ATLAS_STATE], id, 1, &state));
    pen_open(pen, "[");
    if (state != ATLAS_DEAD) {
      TRY(write_feature(vicinity, id, pen));
    }
    pen_close(pen, "]");
  }
  pen_close(pen, "]");
  return pen_status(pen);
}

static Status write_shard(Desk *desk, int64_t shard, void *context) {
  Vicinity vicinity = {.desk = desk, .dictionary = *(const int *)context};
  Text json = {0};
  Pen pen = pen_on(&json);
  char key[256];
  Status status = write_features(&vicinity, shard * DESK_FEATURES, &pen);
  snprintf(key, sizeof(key), "near/%s/%lld/%lld",
           desk->atlas->dictionaries[vicinity.dictionary].name, (long long)(shard / DESK_FOLDER),
           (long long)shard);
  status = status == OK ? desk_write(desk, key, &json) : status;
  text_clear(&json);
  MEMORY_FREE(vicinity.ids);
  MEMORY_FREE(vicinity.cosines);
  return status;
}

Status vicinity_write(Desk *desk) {
  return desk_deal_features(desk, "neighbours", write_shard);
}
