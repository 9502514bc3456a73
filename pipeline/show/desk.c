#include "desk.h"

#include <string.h>

#include "memory.h"
#include "shard.h"

enum { ROUND = 16 }; /* units between two agreements */

static Status make_folder_of(Desk *desk, const char *path) {
  const char *slash = strrchr(path, '/');
  char *folder = NULL;
  TRY(memory_copy_text(&folder, path));
  folder[slash - path] = '\0';
  if (desk->last_folder != NULL && strcmp(desk->last_folder, folder) == 0) {
    MEMORY_FREE(folder);
    return OK;
  }
  MEMORY_FREE(desk->last_folder);
  const Status status = text_make_folder(folder);
  if (status != OK) {
    MEMORY_FREE(folder);
  }
  desk->last_folder = folder;
  return status;
}

Status desk_write(Desk *desk, const char *key, Text *json) {
  Text path = {0}, script = {0};
  Status status = text_printf(&path, "%s/data/%s.js", desk->folder, key);
  if (status == OK) {
    status = text_printf(&script, "cleave(\"%s\",", key);
  }
  if (status == OK) {
    status = text_append(&script, text_chars(json), json->length);
  }
  if (status == OK) {
    status = text_append(&script, ");\n", 3);
  }
  if (status == OK) {
    status = make_folder_of(desk, text_chars(&path));
  }
  if (status == OK) {
    status = text_write_file(&script, text_chars(&path));
  }
  ++desk->files;
  desk->bytes += script.length;
  json->length = 0;
  text_clear(&script);
  text_clear(&path);
  return status;
}

Status desk_label_of(const Desk *desk, int dictionary, int64_t id, const uint32_t *label_token,
                     Pen *pen) {
  Text label = {0};
  bool is_automatic = false;
  const Status status =
      names_label(desk->names, desk->atlas, dictionary, id, label_token, &label, &is_automatic);
  if (!is_automatic) {
    pen_open(pen, "[");
  }
  pen_text(pen, text_chars(&label), label.length);
  if (!is_automatic) {
    pen_close(pen, "]");
  }
  text_clear(&label);
  return status;
}

Status desk_label(const Desk *desk, int dictionary, int64_t id, Pen *pen) {
  uint32_t tokens[ATLAS_LABEL_TOKENS];
  TRY(atlas_labels(desk->atlas, dictionary, id, tokens));
  return desk_label_of(desk, dictionary, id, tokens, pen);
}

void desk_share(const AtlasLink *link, Pen *pen) {
  pen_open(pen, "[");
  if (link->p == link->p) { /* not nan */
    pen_real(pen, (double)link->p, 3);
    pen_real(pen, (double)link->p_low, 3);
    pen_real(pen, (double)link->p_high, 3);
  }
  pen_close(pen, "]");
}

/* Units of one round of this rank. */
static Status work_round(Desk *desk, Shard *own, DeskUnit unit, void *context) {
  for (int i = 0; i < ROUND && own->first < own->past; ++i) {
    TRY(unit(desk, own->first++, context));
  }
  return OK;
}

Status desk_deal(Desk *desk, int64_t units, DeskUnit unit, void *context) {
  Team *team = desk->atlas->team;
  Shard own = shard_of(units, 1, team->rank, team->size);
  const int64_t most = shard_count(shard_of(units, 1, 0, team->size)); /* rank 0 has the most */
  for (int64_t done = 0; done < most; done += ROUND) {
    TRY_ALL(team, work_round(desk, &own, unit, context));
    const int64_t all = (done + ROUND) * team->size;
    if (desk->progress != NULL) {
      progress_step(desk->progress, desk->done + (all < units ? all : units));
    }
  }
  desk->done += units;
  return OK;
}

static int64_t shards_of(const AtlasDictionary *dictionary) {
  return (dictionary->latents + DESK_FEATURES - 1) / DESK_FEATURES;
}

Status desk_deal_features(Desk *desk, const char *what, DeskUnit shard) {
  const Atlas *atlas = desk->atlas;
  Progress progress;
  int64_t total = 0;
  for (int i = 0; i < atlas->count; ++i) {
    total += shards_of(&atlas->dictionaries[i]);
  }
  progress_open(&progress, atlas->team, what, "shards", total);
  desk->progress = &progress;
  desk->done = 0;
  Status status = OK;
  for (int i = 0; status == OK && i < atlas->count; ++i) {
    status = desk_deal(desk, shards_of(&atlas->dictionaries[i]), shard, &i);
  }
  desk->progress = NULL;
  if (status == OK) {
    progress_close(&progress, total);
  }
  return status;
}
