#ifndef MESH_H
#define MESH_H

#include "shard.h"
#include "status.h"
#include "team.h"

/** The ranks of a team as a grid: `replicas` groups of consecutive ranks. A group shares one thing in
 *  parts (a dictionary), every group has a copy; the ranks with the same part, one of each group, are a
 *  lane. With one replica the group is the whole team. */
typedef struct Mesh {
  Team *all;  /* borrowed */
  Team group; /* says nothing of failures: mesh_agree() does */
  Team lane;  /* its ranks are the replicas */
  int replicas, replica;
} Mesh;

/** ranks   collective
 *  needs   replicas >= 1 divides the team's size */
void mesh_open(Mesh *mesh, Team *all, int replicas);
/** ranks   collective; what was never opened is fine */
void mesh_close(Mesh *mesh);

/** The rows of a batch that this rank's group works on.
 *  ranks   local */
Shard mesh_rows(const Mesh *mesh, int64_t rows);
/** After a collective call of the group (its status is the same on all its ranks): the status of all.
 *  ranks   collective over all */
Status mesh_agree(const Mesh *mesh, Status groups) MUST_USE;

#endif
