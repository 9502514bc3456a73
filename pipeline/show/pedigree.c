/* The trees, sharded by root: what a family is made of, cut to the features of largest mass. */

#include <stdio.h>
#include <stdlib.h>

#include "desk.h"
#include "memory.h"
#include "roll.h"

enum { LEAVES_MOST = 200 };

/* What of a tree is shown. Arrays by node, in the order of kin_tree(). */
typedef struct Tree {
  KinNode *nodes;
  int64_t count;
  uint8_t *is_kept;
  int64_t *kept_children; /* children that are shown */
  int64_t
      *place; /* number among the shown nodes; of a hidden one: its nearest shown ancestor (node) */
  int64_t *hidden; /* hidden descendants counted at their nearest shown ancestor */
  double *hidden_mass;
  int64_t *by_mass; /* scratch */
} Tree;

static Status take(Tree *tree) {
  TRY(MEMORY_NEW(&tree->is_kept, tree->count, "nodes of a tree"));
  TRY(MEMORY_NEW(&tree->kept_children, tree->count, "nodes of a tree"));
  TRY(MEMORY_NEW(&tree->place, tree->count, "nodes of a tree"));
  TRY(MEMORY_NEW(&tree->hidden, tree->count, "nodes of a tree"));
  TRY(MEMORY_NEW(&tree->hidden_mass, tree->count, "nodes of a tree"));
  return MEMORY_NEW(&tree->by_mass, tree->count, "nodes of a tree");
}

static void clear(Tree *tree) {
  MEMORY_FREE(tree->nodes);
  MEMORY_FREE(tree->is_kept);
  MEMORY_FREE(tree->kept_children);
  MEMORY_FREE(tree->place);
  MEMORY_FREE(tree->hidden);
  MEMORY_FREE(tree->hidden_mass);
  MEMORY_FREE(tree->by_mass);
}

typedef struct Ranked {
  double mass;
  int64_t node;
} Ranked;

static int by_mass(const void *left, const void *right) {
  const Ranked *a = left;
  const Ranked *b = right;
  if (a->mass != b->mass) {
    return a->mass > b->mass ? -1 : 1;
  }
  return a->node < b->node ? -1 : 1;
}

static Status rank_nodes(Tree *tree) {
  Ranked *ranked = NULL;
  TRY(MEMORY_NEW(&ranked, tree->count, "nodes of a tree"));
  for (int64_t i = 0; i < tree->count; ++i) {
    ranked[i] = (Ranked){.mass = tree->nodes[i].mass, .node = i};
  }
  qsort(ranked, (size_t)tree->count, sizeof(*ranked), by_mass);
  for (int64_t i = 0; i < tree->count; ++i) {
    tree->by_mass[i] = ranked[i].node;
  }
  MEMORY_FREE(ranked);
  return OK;
}

/* Keep nodes by mass, each with its ancestors, until the tree has LEAVES_MOST leaves. */
static void keep_nodes(Tree *tree) {
  tree->is_kept[0] = 1;
  int64_t leaves = 1;
  for (int64_t i = 0; i < tree->count && leaves <= LEAVES_MOST; ++i) {
    int64_t node = tree->by_mass[i];
    if (tree->is_kept[node]) {
      continue;
    }
    if (leaves == LEAVES_MOST) {
      break;
    }
    while (!tree->is_kept[node]) {
      const int64_t parent = tree->nodes[node].parent;
      tree->is_kept[node] = 1;
      leaves += tree->is_kept[parent] && tree->kept_children[parent] > 0 ? 1 : 0;
      ++tree->kept_children[parent];
      node = parent;
    }
  }
}

static void number_nodes(Tree *tree) {
  int64_t shown = 0;
  for (int64_t i = 0; i < tree->count; ++i) {
    if (tree->is_kept[i]) {
      tree->place[i] = shown++;
      continue;
    }
    const int64_t parent = tree->nodes[i].parent;
    const int64_t nearest = tree->is_kept[parent] ? parent : tree->place[parent];
    tree->place[i] = nearest;
    ++tree->hidden[nearest];
    tree->hidden_mass[nearest] += tree->nodes[i].mass;
  }
}

static Status write_edge(const Atlas *atlas, const KinNode *node, Pen *pen) {
  const AtlasPair *pair =
      atlas_pair(atlas, atlas->of_level[node->level], atlas->of_level[node->level - 1]);
  AtlasLink link;
  TRY(atlas_link(pair, node->id, &link));
  pen_key(pen, "s");
  pen_integer(pen, link.status);
  pen_key(pen, "f");
  pen_integer(pen, link.flags);
  pen_key(pen, "c");
  pen_real(pen, (double)link.cosine, 3);
  pen_key(pen, "q");
  desk_share(&link, pen);
  return OK;
}

static Status write_node(const Desk *desk, const Tree *tree, int64_t index, Pen *pen) {
  const Atlas *atlas = desk->atlas;
  const KinNode *node = &tree->nodes[index];
  const int dictionary = atlas->of_level[node->level];
  AtlasFeature feature;
  TRY(atlas_feature(atlas, dictionary, node->id, &feature));
  pen_open(pen, "{");
  pen_key(pen, "l");
  pen_integer(pen, node->level);
  pen_key(pen, "i");
  pen_integer(pen, node->id);
  pen_key(pen, "n");
  TRY(desk_label_of(desk, dictionary, node->id, feature.label_token, pen));
  pen_key(pen, "m");
  pen_real(pen, node->mass, 5);
  pen_key(pen, "k");
  pen_integer(pen, feature.firings);
  pen_key(pen, "t");
  pen_integer(pen, feature.parent_status);
  if (node->parent >= 0) {
    pen_key(pen, "u");
    pen_integer(pen, tree->place[node->parent]);
    TRY(write_edge(atlas, node, pen));
  }
  if (tree->hidden[index] > 0) {
    pen_key(pen, "h");
    pen_integer(pen, tree->hidden[index]);
    pen_key(pen, "hm");
    pen_real(pen, tree->hidden_mass[index], 5);
  }
  pen_close(pen, "}");
  return OK;
}

static void write_sizes(const Atlas *atlas, const Tree *tree, Pen *pen) {
  int64_t sizes[ATLAS_LEVELS_MOST] = {0};
  double mass = 0;
  for (int64_t i = 0; i < tree->count; ++i) {
    ++sizes[tree->nodes[i].level];
    mass += tree->nodes[i].mass;
  }
  pen_key(pen, "z");
  pen_open(pen, "[");
  for (int level = 0; level < atlas->levels; ++level) {
    pen_integer(pen, sizes[level]);
  }
  pen_close(pen, "]");
  pen_key(pen, "m");
  pen_real(pen, mass, 6);
}

static Status write_tree(const Desk *desk, Tree *tree, int64_t root, Pen *pen) {
  TRY(take(tree));
  TRY(rank_nodes(tree));
  keep_nodes(tree);
  number_nodes(tree);
  pen_open(pen, "{");
  pen_key(pen, "i");
  pen_integer(pen, root);
  write_sizes(desk->atlas, tree, pen);
  pen_key(pen, "v");
  pen_open(pen, "[");
  for (int64_t i = 0; i < tree->count; ++i) {
    if (tree->is_kept[i]) {
      TRY(write_node(desk, tree, i, pen));
    }
  }
  pen_close(pen, "]");
  pen_close(pen, "}");
  return pen_status(pen);
}

/* Figures that only families of the smallest level have. */
static void write_figures(const Roll *roll, int64_t root, Pen *pen) {
  const int64_t family = roll->of_root[root];
  pen_open(pen, "[");
  if (family >= 0) {
    pen_real(pen, roll->mass[family], 6);
    pen_real(pen, roll->coverage[family], 4);
    pen_real(pen, roll->purity[family], 4);
    pen_integer(pen, roll->replicated[family]);
  }
  pen_close(pen, "]");
}

typedef struct Context {
  int level;
  const Roll *roll;
} Context;

/* A root with children, or any that is not dead in the smallest level. */
static Status is_root(const Desk *desk, int level, int64_t id, bool *out) {
  AtlasFeature feature;
  TRY(atlas_feature(desk->atlas, desk->atlas->of_level[level], id, &feature));
  *out = feature.root_level == level && feature.root == (uint32_t)id &&
         (level == 0 || feature.forest_children > 0);
  return OK;
}

/* A shard is a list of trees, each followed by its figures. */
static Status write_roots(Desk *desk, const Context *context, int64_t first, Pen *pen) {
  const int dictionary = desk->atlas->of_level[context->level];
  const int64_t latents = desk->atlas->dictionaries[dictionary].latents;
  for (int64_t id = first; id < latents && id < first + DESK_FAMILIES; ++id) {
    bool is_wanted = false;
    Tree tree = {0};
    TRY(is_root(desk, context->level, id, &is_wanted));
    if (!is_wanted) {
      continue;
    }
    Status status = kin_tree(desk->kin, desk->atlas, context->level, id, &tree.nodes, &tree.count);
    status = status == OK ? write_tree(desk, &tree, id, pen) : status;
    clear(&tree);
    TRY(status);
    if (context->level == 0) {
      write_figures(context->roll, id, pen);
    } else {
      pen_open(pen, "[");
      pen_close(pen, "]");
    }
  }
  return pen_status(pen);
}

static Status write_shard(Desk *desk, int64_t shard, void *data) {
  const Context *context = data;
  const int dictionary = desk->atlas->of_level[context->level];
  Text json = {0};
  Pen pen = pen_on(&json);
  char key[256];
  pen_open(&pen, "[");
  Status status = write_roots(desk, context, shard * DESK_FAMILIES, &pen);
  pen_close(&pen, "]");
  snprintf(key, sizeof(key), "family/%s/%lld/%lld", desk->atlas->dictionaries[dictionary].name,
           (long long)(shard / DESK_FOLDER), (long long)shard);
  status = status == OK ? pen_status(&pen) : status;
  status = status == OK ? desk_write(desk, key, &json) : status;
  text_clear(&json);
  return status;
}

Status pedigree_write(Desk *desk) {
  Roll roll;
  TRY(roll_open(&roll, desk->atlas));
  Status status = OK;
  for (int level = 0; status == OK && level < desk->atlas->levels; ++level) {
    if (level > 0 && level + 1 == desk->atlas->levels) {
      break; /* the largest level has no children */
    }
    Context context = {.level = level, .roll = &roll};
    const int64_t latents = desk->atlas->dictionaries[desk->atlas->of_level[level]].latents;
    status = desk_deal(desk, (latents + DESK_FAMILIES - 1) / DESK_FAMILIES, write_shard, &context);
  }
  roll_close(&roll);
  return status;
}
