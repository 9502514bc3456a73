/* The strongest features of each status: what stands behind the bars of the overview. */

#include <stdio.h>
#include <stdlib.h>

#include "desk.h"
#include "exchange.h"
#include "memory.h"
#include "schema.h"
#include "shard.h"
#include "verdict.h"

enum { LISTED = 100, BLOCK = 4096 };

typedef struct Member {
  double mass;
  uint32_t id;
  int32_t status;
} Member;

static int by_mass(const void *left, const void *right) {
  const Member *a = left;
  const Member *b = right;
  if (a->mass != b->mass) {
    return a->mass > b->mass ? -1 : 1;
  }
  return a->id < b->id ? -1 : (a->id > b->id ? 1 : 0);
}

/* The first members of one status; up to BLOCK more are gathered before it is cut again. */
typedef struct List {
  Member *members; /* [LISTED + BLOCK] */
  int64_t count;
} List;

static void cut(List *list) {
  qsort(list->members, (size_t)list->count, sizeof(*list->members), by_mass);
  list->count = list->count < LISTED ? list->count : LISTED;
}

static Status gather_block(const Atlas *atlas, const AtlasPair *pair, int64_t first, int64_t rows,
                           List *lists) {
  for (int64_t id = first; id < first + rows; ++id) {
    uint8_t status = 0;
    double mass = 0;
    TRY(shelf_read(pair->columns[ATLAS_STATUS], id, 1, &status));
    TRY(shelf_read(atlas->dictionaries[pair->child].columns[ATLAS_SUM], id, 1, &mass));
    if (status >= CHILD_STATUSES) {
      return RAISE(ERR_FORMAT, "%s: feature %lld has the unknown status %d",
                   archive_path(atlas->families), (long long)id, (int)status);
    }
    List *list = &lists[status];
    list->members[list->count++] =
        (Member){.mass = mass, .id = (uint32_t)id, .status = (int32_t)status};
  }
  return OK;
}

/* This rank's children of the pair, the first of each status. */
static Status gather_own(const Atlas *atlas, const AtlasPair *pair, List *lists) {
  const int64_t latents = atlas->dictionaries[pair->child].latents;
  const Shard own = shard_of(latents, 1, atlas->team->rank, atlas->team->size);
  for (int status = 0; status < CHILD_STATUSES; ++status) {
    TRY(MEMORY_NEW(&lists[status].members, LISTED + BLOCK, "features of a status"));
  }
  for (int64_t first = own.first; first < own.past; first += BLOCK) {
    const int64_t left = own.past - first;
    TRY(gather_block(atlas, pair, first, left < BLOCK ? left : BLOCK, lists));
    for (int status = 0; status < CHILD_STATUSES; ++status) {
      cut(&lists[status]);
    }
  }
  return OK;
}

/* [id, label, firings, parent, its label, cosine, [p, low, high], flags] */
static Status write_member(const Desk *desk, const AtlasPair *pair, const Member *member,
                           Pen *pen) {
  AtlasLink link;
  int64_t firings = 0;
  TRY(atlas_link(pair, member->id, &link));
  TRY(shelf_read(desk->atlas->dictionaries[pair->child].columns[ATLAS_FIRINGS], member->id, 1,
                 &firings));
  pen_open(pen, "[");
  pen_integer(pen, member->id);
  TRY(desk_label(desk, pair->child, member->id, pen));
  pen_integer(pen, firings);
  if (link.parent == SCHEMA_NO_ID) {
    pen_integer(pen, -1);
    pen_chars(pen, "");
  } else {
    pen_integer(pen, link.parent);
    TRY(desk_label(desk, pair->parent, link.parent, pen));
  }
  pen_real(pen, (double)link.cosine, 3);
  desk_share(&link, pen);
  pen_integer(pen, link.flags);
  pen_close(pen, "]");
  return OK;
}

static Status write_list(Desk *desk, int pair, int status, const List *list) {
  Text json = {0};
  Pen pen = pen_on(&json);
  Status result = OK;
  char key[64];
  pen_open(&pen, "[");
  for (int64_t i = 0; result == OK && i < list->count; ++i) {
    result = write_member(desk, &desk->atlas->pairs[pair], &list->members[i], &pen);
  }
  pen_close(&pen, "]");
  snprintf(key, sizeof(key), "status/%d/%d", pair, status);
  result = result == OK ? pen_status(&pen) : result;
  result = result == OK ? desk_write(desk, key, &json) : result;
  text_clear(&json);
  return result;
}

/* Make the team's list of each rank's, on all ranks. */
static Status merge(Team *team, const List *own, List *merged) {
  TRY(exchange_collect(team, own->members, own->count, sizeof(Member), (void **)&merged->members,
                       &merged->count, "features of a status"));
  cut(merged);
  return OK;
}

static Status write_status(Desk *desk, int pair, int status, const List *own) {
  Team *team = desk->atlas->team;
  List merged = {0};
  Status result = merge(team, own, &merged);
  if (result == OK) {
    const bool is_mine = status % team->size == team->rank && merged.count > 0;
    result = team_agree(team, is_mine ? write_list(desk, pair, status, &merged) : OK);
  }
  MEMORY_FREE(merged.members);
  return result;
}

static Status write_pair(Desk *desk, int pair) {
  List lists[CHILD_STATUSES] = {{0}};
  Status result =
      team_agree(desk->atlas->team, gather_own(desk->atlas, &desk->atlas->pairs[pair], lists));
  for (int status = 0; result == OK && status < CHILD_STATUSES; ++status) {
    result = write_status(desk, pair, status, &lists[status]);
  }
  for (int status = 0; status < CHILD_STATUSES; ++status) {
    MEMORY_FREE(lists[status].members);
  }
  return result;
}

Status roster_write(Desk *desk) {
  for (int pair = 0; pair < desk->atlas->pair_count; ++pair) {
    if (desk->atlas->pairs[pair].columns[ATLAS_STATUS] != NULL) {
      TRY(write_pair(desk, pair));
    }
  }
  return OK;
}
