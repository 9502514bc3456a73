#ifndef KIN_H
#define KIN_H

#include <stdint.h>

#include "atlas.h"
#include "status.h"

/** The primary forest read downwards: the children of every parent. Held whole on each rank: 4
 *  bytes a child and 8 bytes a parent (170 MB for 34M under 4M). */
typedef struct Kin {
  int64_t *start[ATLAS_LEVELS_MOST];  /* [latents of the level + 1]: first child of each parent */
  uint32_t *child[ATLAS_LEVELS_MOST]; /* children in the next larger level, ascending for each */
} Kin;

/** ranks   collective (every rank reads the links for itself) */
Status kin_open(Kin *kin, const Atlas *atlas) MUST_USE;
void kin_close(Kin *kin);

/** The forest children of a feature of `level`, in ascending id.
 *  ranks   local
 *  children out    borrowed; NULL when there are none */
int64_t kin_children(const Kin *kin, int level, int64_t id, const uint32_t **children);

/** A feature of a tree. Nodes stand in breadth-first order: parents before children. */
typedef struct KinNode {
  int level;
  uint32_t id;
  int64_t parent; /* index of its parent's node, -1 for the root */
  double mass;    /* sum of its activations */
} KinNode;

/** A feature and all its descendants.
 *  ranks   local
 *  nodes   out     [count], the caller's to MEMORY_FREE */
Status kin_tree(const Kin *kin, const Atlas *atlas, int level, int64_t root, KinNode **nodes,
                int64_t *count) MUST_USE;

#endif
