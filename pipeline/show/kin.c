#include "kin.h"

#include "memory.h"
#include "schema.h"

enum { BLOCK = 1 << 14 };

/* Children [first, first + rows) of a level: which are in the forest, and their parents. */
typedef struct Links {
  uint8_t in_forest[BLOCK];
  uint32_t parent[BLOCK];
} Links;

static Status read_links(const Atlas *atlas, const AtlasPair *pair, int64_t first, int64_t rows,
                         int64_t parents, Links *links) {
  const AtlasDictionary *children = &atlas->dictionaries[pair->child];
  TRY(shelf_read(children->columns[ATLAS_IN_FOREST], first, rows, links->in_forest));
  TRY(shelf_read(pair->columns[ATLAS_PARENT], first, rows, links->parent));
  for (int64_t i = 0; i < rows; ++i) {
    if (links->in_forest[i] != 0 && links->parent[i] >= parents) {
      return RAISE(ERR_FORMAT, "%s: feature %s/%lld is in the forest without a parent",
                   archive_path(atlas->families), children->name, (long long)(first + i));
    }
  }
  return OK;
}

/* Counting sort by parent: count in pass 0, place in pass 1. After the count start[p] is the end of
 * parent p; placing runs backwards and leaves the beginning there. */
static Status sort_pass(Kin *kin, int level, const Atlas *atlas, const AtlasPair *pair, int pass,
                        Links *links) {
  const int64_t children = atlas->dictionaries[pair->child].latents;
  const int64_t parents = atlas->dictionaries[pair->parent].latents;
  int64_t *start = kin->start[level];
  for (int64_t past = children; past > 0;) {
    const int64_t rows = past < BLOCK ? past : BLOCK;
    past -= rows;
    TRY(read_links(atlas, pair, past, rows, parents, links));
    for (int64_t i = rows - 1; i >= 0; --i) {
      if (links->in_forest[i] == 0) {
        continue;
      }
      if (pass == 0) {
        ++start[links->parent[i]];
      } else {
        kin->child[level][--start[links->parent[i]]] = (uint32_t)(past + i);
      }
    }
  }
  return OK;
}

static Status sort_level(Kin *kin, int level, const Atlas *atlas, Links *links) {
  const int parent = atlas->of_level[level];
  const AtlasPair *pair = atlas_pair(atlas, atlas->of_level[level + 1], parent);
  const int64_t parents = atlas->dictionaries[parent].latents;
  if (pair == NULL || pair->columns[ATLAS_PARENT] == NULL ||
      atlas->dictionaries[pair->child].columns[ATLAS_IN_FOREST] == NULL) {
    return OK;
  }
  TRY(MEMORY_NEW(&kin->start[level], parents + 1, "children of each parent"));
  TRY(sort_pass(kin, level, atlas, pair, 0, links));
  int64_t total = 0;
  for (int64_t p = 0; p <= parents; ++p) {
    total += kin->start[level][p];
    kin->start[level][p] = total;
  }
  TRY(MEMORY_NEW(&kin->child[level], total, "children in the forest"));
  return sort_pass(kin, level, atlas, pair, 1, links);
}

static Status sort_all(Kin *kin, const Atlas *atlas) {
  Links *links = NULL;
  TRY(MEMORY_NEW(&links, 1, "a block of links"));
  Status status = OK;
  for (int level = 0; status == OK && level + 1 < atlas->levels; ++level) {
    status = sort_level(kin, level, atlas, links);
  }
  MEMORY_FREE(links);
  return status;
}

Status kin_open(Kin *kin, const Atlas *atlas) {
  *kin = (Kin){0};
  const Status status = team_agree(atlas->team, sort_all(kin, atlas));
  if (status != OK) {
    kin_close(kin);
  }
  return status;
}

void kin_close(Kin *kin) {
  for (int level = 0; level < ATLAS_LEVELS_MOST; ++level) {
    MEMORY_FREE(kin->start[level]);
    MEMORY_FREE(kin->child[level]);
  }
}

int64_t kin_children(const Kin *kin, int level, int64_t id, const uint32_t **children) {
  *children = NULL;
  if (level < 0 || level >= ATLAS_LEVELS_MOST || kin->start[level] == NULL) {
    return 0;
  }
  const int64_t *start = kin->start[level];
  *children = kin->child[level] + start[id];
  return start[id + 1] - start[id];
}

static Status read_mass(const Atlas *atlas, KinNode *node) {
  const AtlasDictionary *own = &atlas->dictionaries[atlas->of_level[node->level]];
  return shelf_read(own->columns[ATLAS_SUM], node->id, 1, &node->mass);
}

Status kin_tree(const Kin *kin, const Atlas *atlas, int level, int64_t root, KinNode **nodes,
                int64_t *count) {
  int64_t room = 16;
  *nodes = NULL;
  TRY(MEMORY_RESIZE(nodes, room, "nodes of a tree"));
  (*nodes)[0] = (KinNode){.level = level, .id = (uint32_t)root, .parent = -1};
  *count = 1;
  for (int64_t at = 0; at < *count; ++at) {
    TRY(read_mass(atlas, &(*nodes)[at]));
    const KinNode parent = (*nodes)[at];
    const uint32_t *children = NULL;
    const int64_t more = kin_children(kin, parent.level, parent.id, &children);
    if (*count + more > room) {
      room = 2 * (*count + more);
      TRY(MEMORY_RESIZE(nodes, room, "nodes of a tree"));
    }
    for (int64_t i = 0; i < more; ++i) {
      (*nodes)[(*count)++] = (KinNode){.level = parent.level + 1, .id = children[i], .parent = at};
    }
  }
  return OK;
}
