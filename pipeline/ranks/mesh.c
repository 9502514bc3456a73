#include "mesh.h"

static Team team_of(MPI_Comm comm, const Team *all) {
  Team team = {.comm = comm, .node_size = all->node_size, .is_quiet = true};
  MPI_Comm_rank(comm, &team.rank);
  MPI_Comm_size(comm, &team.size);
  return team;
}

void mesh_open(Mesh *mesh, Team *all, int replicas) {
  ASSERT(replicas >= 1 && all->size % replicas == 0);
  const int parts = all->size / replicas;
  MPI_Comm group, lane;
  *mesh = (Mesh){.all = all, .replicas = replicas, .replica = all->rank / parts};
  MPI_Comm_split(all->comm, mesh->replica, all->rank, &group);
  MPI_Comm_split(all->comm, all->rank % parts, all->rank, &lane);
  mesh->group = team_of(group, all);
  mesh->group.is_quiet = replicas > 1;
  mesh->lane = team_of(lane, all);
}

void mesh_close(Mesh *mesh) {
  if (mesh->all != NULL) {
    MPI_Comm_free(&mesh->group.comm);
    MPI_Comm_free(&mesh->lane.comm);
  }
  *mesh = (Mesh){0};
}

Shard mesh_rows(const Mesh *mesh, int64_t rows) {
  return shard_of(rows, 1, mesh->replica, mesh->replicas);
}

Status mesh_agree(const Mesh *mesh, Status groups) {
  return mesh->replicas == 1 ? groups : team_agree(mesh->all, groups);
}
