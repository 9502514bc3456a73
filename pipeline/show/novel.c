/* What the larger dictionary has and the smaller one has not: groups of alike features that are
 * novel or unmatched. */

#include <stdio.h>
#include <stdlib.h>

#include "desk.h"
#include "exchange.h"
#include "memory.h"
#include "peaks.h"
#include "schema.h"
#include "shard.h"
#include "verdict.h"

enum { LISTED = 100, MEMBERS = 12 }; /* groups of a pair, features of a group, most mass first */

/* A group as a range of the peaks, sorted by head and mass. */
typedef struct Group {
  double mass;
  int64_t first, count;
} Group;

typedef struct Novel {
  Desk *desk;
  int index; /* of the pair */
  const AtlasPair *pair;
  Shelf *const *child; /* columns of its child */
  double link;
  uint32_t *ids; /* [stored] scratch: a feature's nearest ones */
  float *cosines;
  Peak *own, *peaks; /* of this rank, of all */
  int64_t own_count, count;
  Group *groups;
  int64_t group_count, grouped; /* groups of two and more, features in them */
} Novel;

static int by_head(const void *left, const void *right) {
  const Peak *a = left;
  const Peak *b = right;
  if (a->next != b->next) {
    return a->next < b->next ? -1 : 1;
  }
  return peaks_compare(a, b);
}

static int by_mass(const void *left, const void *right) {
  const Group *a = left;
  const Group *b = right;
  if (a->mass != b->mass) {
    return a->mass > b->mass ? -1 : 1;
  }
  return a->first < b->first ? -1 : (a->first > b->first ? 1 : 0);
}

/* Is a child without a parent, and none that stands for another? */
static Status is_novel(const Novel *novel, int64_t id, bool *out) {
  uint8_t status = 0, flags = 0;
  TRY(shelf_read(novel->pair->columns[ATLAS_STATUS], id, 1, &status));
  TRY(shelf_read(novel->pair->columns[ATLAS_FLAGS], id, 1, &flags));
  *out = (status == CHILD_NOVEL || status == CHILD_UNMATCHED) &&
         (flags & verdict_bit(FLAG_DUPLICATE)) == 0;
  return OK;
}

/* The nearest heavier feature of the same kind. Lists are by descending cosine. */
static Status find_next(const Novel *novel, Peak *peak) {
  Shelf *ids = novel->child[ATLAS_SELF_ID];
  TRY(shelf_read(ids, peak->id, 1, novel->ids));
  TRY(shelf_read(novel->child[ATLAS_SELF_COSINE], peak->id, 1, novel->cosines));
  for (int64_t i = 0; i < shelf_shape(ids, 1) && novel->ids[i] != SCHEMA_NO_ID; ++i) {
    Peak other = {.id = novel->ids[i]};
    bool is_one = false;
    if ((double)novel->cosines[i] < novel->link) {
      break;
    }
    TRY(shelf_read(novel->child[ATLAS_SUM], other.id, 1, &other.mass));
    if (peaks_compare(&other, peak) < 0) {
      TRY(is_novel(novel, other.id, &is_one));
    }
    if (is_one) {
      peak->next = other.id;
      return OK;
    }
  }
  return OK;
}

static Status gather_own(Novel *novel) {
  const Team *team = novel->desk->atlas->team;
  const int64_t stored = shelf_shape(novel->child[ATLAS_SELF_ID], 1);
  const Shard own = shard_of(shelf_rows(novel->child[ATLAS_SUM]), 1, team->rank, team->size);
  int64_t room = 0;
  TRY(MEMORY_NEW(&novel->ids, stored, "neighbours"));
  TRY(MEMORY_NEW(&novel->cosines, stored, "neighbours"));
  for (int64_t id = own.first; id < own.past; ++id) {
    bool is_one = false;
    TRY(is_novel(novel, id, &is_one));
    if (!is_one) {
      continue;
    }
    if (novel->own_count == room) {
      room = room == 0 ? 1024 : 2 * room;
      TRY(MEMORY_RESIZE(&novel->own, room, "features without a parent"));
    }
    Peak *peak = &novel->own[novel->own_count++];
    *peak = (Peak){.id = (uint32_t)id, .next = (uint32_t)id};
    TRY(shelf_read(novel->child[ATLAS_SUM], id, 1, &peak->mass));
    TRY(find_next(novel, peak));
  }
  return OK;
}

/* Ranges of the same head; those of one feature are no groups. */
static Status make_groups(Novel *novel) {
  TRY(peaks_climb(novel->peaks, novel->count));
  qsort(novel->peaks, (size_t)novel->count, sizeof(Peak), by_head);
  TRY(MEMORY_NEW(&novel->groups, novel->count / 2, "groups"));
  for (int64_t first = 0, past; first < novel->count; first = past) {
    double mass = 0;
    for (past = first; past < novel->count && novel->peaks[past].next == novel->peaks[first].next;
         ++past) {
      mass += novel->peaks[past].mass;
    }
    if (past - first > 1) {
      novel->groups[novel->group_count++] =
          (Group){.mass = mass, .first = first, .count = past - first};
      novel->grouped += past - first;
    }
  }
  qsort(novel->groups, (size_t)novel->group_count, sizeof(Group), by_mass);
  return OK;
}

/* [id, label, firings, status, closest parent (-1: none), its label, cosine] */
static Status write_member(const Novel *novel, uint32_t id, Pen *pen) {
  const Desk *desk = novel->desk;
  AtlasLink link;
  int64_t firings = 0;
  TRY(atlas_link(novel->pair, id, &link));
  TRY(shelf_read(novel->child[ATLAS_FIRINGS], id, 1, &firings));
  const bool has_parent = link.parent != SCHEMA_NO_ID;
  pen_open(pen, "[");
  pen_integer(pen, id);
  TRY(desk_label(desk, novel->pair->child, id, pen));
  pen_integer(pen, firings);
  pen_integer(pen, link.status);
  pen_integer(pen, has_parent ? (int64_t)link.parent : -1);
  if (has_parent) {
    TRY(desk_label(desk, novel->pair->parent, link.parent, pen));
    pen_real(pen, (double)link.cosine, 3);
  }
  pen_close(pen, "]");
  return OK;
}

static Status write_group(const Novel *novel, const Group *group, Pen *pen) {
  pen_open(pen, "{");
  pen_key(pen, "n");
  pen_integer(pen, group->count);
  pen_key(pen, "m");
  pen_real(pen, group->mass, 6);
  pen_key(pen, "v");
  pen_open(pen, "[");
  for (int64_t i = 0; i < group->count && i < MEMBERS; ++i) {
    TRY(write_member(novel, novel->peaks[group->first + i].id, pen));
  }
  pen_close(pen, "]");
  pen_close(pen, "}");
  return OK;
}

static Status write_json(const Novel *novel, Pen *pen) {
  const struct {
    const char *key;
    int64_t value;
  } counts[] = {
      {"features", novel->count}, {"grouped", novel->grouped}, {"groups", novel->group_count}};
  pen_open(pen, "{");
  for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); ++i) {
    pen_key(pen, counts[i].key);
    pen_integer(pen, counts[i].value);
  }
  pen_key(pen, "link");
  pen_real(pen, novel->link, 4);
  pen_key(pen, "v");
  pen_open(pen, "[");
  for (int64_t i = 0; i < novel->group_count && i < LISTED; ++i) {
    TRY(write_group(novel, &novel->groups[i], pen));
  }
  pen_close(pen, "]");
  pen_close(pen, "}");
  return pen_status(pen);
}

static Status write_file(const Novel *novel) {
  Text json = {0};
  Pen pen = pen_on(&json);
  char key[32];
  Status status = write_json(novel, &pen);
  snprintf(key, sizeof(key), "novel/%d", novel->index);
  status = status == OK ? desk_write(novel->desk, key, &json) : status;
  text_clear(&json);
  return status;
}

static Status write_pair(Novel *novel) {
  Team *team = novel->desk->atlas->team;
  char object[600];
  snprintf(object, sizeof(object), "/pair/%s/%s",
           novel->desk->atlas->dictionaries[novel->pair->child].name,
           novel->desk->atlas->dictionaries[novel->pair->parent].name);
  TRY(archive_get_real(novel->desk->atlas->families, object, "link", &novel->link));
  TRY_ALL(team, gather_own(novel));
  TRY(exchange_collect(team, novel->own, novel->own_count, sizeof(Peak), (void **)&novel->peaks,
                       &novel->count, "features without a parent"));
  Status status = team->rank == 0 ? make_groups(novel) : OK;
  status = status == OK && team->rank == 0 ? write_file(novel) : status;
  return team_agree(team, status);
}

bool novel_is_asked(const Atlas *atlas, const AtlasPair *pair) {
  const AtlasDictionary *child = &atlas->dictionaries[pair->child];
  return child->level > 0 && atlas_next_smaller(atlas, pair->child) == pair->parent &&
         pair->columns[ATLAS_STATUS] != NULL && child->columns[ATLAS_SELF_ID] != NULL;
}

Status novel_write(Desk *desk) {
  const Atlas *atlas = desk->atlas;
  for (int i = 0; i < atlas->pair_count; ++i) {
    const AtlasPair *pair = &atlas->pairs[i];
    if (novel_is_asked(atlas, pair)) {
      Novel novel = {.desk = desk,
                     .index = i,
                     .pair = pair,
                     .child = atlas->dictionaries[pair->child].columns};
      const Status status = write_pair(&novel);
      MEMORY_FREE(novel.ids);
      MEMORY_FREE(novel.cosines);
      MEMORY_FREE(novel.own);
      MEMORY_FREE(novel.peaks);
      MEMORY_FREE(novel.groups);
      TRY(status);
    }
  }
  return OK;
}
