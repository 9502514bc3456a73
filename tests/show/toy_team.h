#ifndef TOY_TEAM_H
#define TOY_TEAM_H

#include <mpi.h>

#include "team.h"

/** The team of all ranks in a test, and a team of this rank alone. MPI is started by the runner.
 *  ranks   local */
static inline Team toy_team(MPI_Comm comm) {
  Team team = {.comm = comm};
  MPI_Comm_rank(comm, &team.rank);
  MPI_Comm_size(comm, &team.size);
  team.node_size = team.size;
  return team;
}

#endif
