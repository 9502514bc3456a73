#include "forest.h"

#include <string.h>

#include "memory.h"

/* A forest edge on its way to the parent's rank. */
typedef struct Edge {
  uint32_t child, parent, status;
} Edge;

static Status list_edges(const VerdictTable *table, int64_t first, Edge **edges, uint32_t **to,
                         int64_t *count) {
  TRY(MEMORY_NEW(edges, table->count, "forest edges"));
  TRY(MEMORY_NEW(to, table->count, "parents of forest edges"));
  for (int64_t i = 0; i < table->count; ++i) {
    if (verdict_in_forest(table->status[i]) && !verdict_is_duplicate(table, i)) {
      (*to)[*count] = table->parent[i];
      (*edges)[(*count)++] = (Edge){(uint32_t)(first + i), table->parent[i], table->status[i]};
    }
  }
  return OK;
}

/* Counting sort by parent; edges arrive in ascending order of their children and stay so. */
static Status sort_edges(ForestChildren *out, const Edge *edges, int64_t count, Shard own) {
  int64_t *place = NULL;
  out->parents = shard_count(own);
  TRY(MEMORY_NEW(&out->start, out->parents + 1, "first children"));
  TRY(MEMORY_NEW(&out->child, count, "forest children"));
  TRY(MEMORY_NEW(&out->status, count, "statuses of forest children"));
  TRY(MEMORY_NEW(&place, out->parents, "places of forest children"));
  for (int64_t e = 0; e < count; ++e) {
    ++out->start[edges[e].parent - own.first + 1];
  }
  for (int64_t p = 0; p < out->parents; ++p) {
    place[p] = out->start[p];
    out->start[p + 1] += out->start[p];
  }
  for (int64_t e = 0; e < count; ++e) {
    const int64_t at = place[edges[e].parent - own.first]++;
    out->child[at] = edges[e].child;
    out->status[at] = (uint8_t)edges[e].status;
  }
  MEMORY_FREE(place);
  return OK;
}

Status forest_children(Team *team, int64_t children, int64_t parents, const VerdictTable *table,
                       ForestChildren *out) {
  Edge *edges = NULL;
  void *arrived = NULL;
  uint32_t *to = NULL;
  int64_t count = 0, received = 0;
  *out = (ForestChildren){0};
  Status status =
      team_agree(team, list_edges(table, lookup_own(team, children).first, &edges, &to, &count));
  if (status == OK) {
    status = lookup_deliver(team, parents, to, edges, sizeof *edges, count, &arrived, &received);
  }
  if (status == OK) {
    status = team_agree(team, sort_edges(out, arrived, received, lookup_own(team, parents)));
  }
  MEMORY_FREE(edges);
  MEMORY_FREE(to);
  MEMORY_FREE(arrived);
  return status;
}

void forest_clear(ForestChildren *children) {
  MEMORY_FREE(children->start);
  MEMORY_FREE(children->child);
  MEMORY_FREE(children->status);
}

ForestCounts forest_counts(const ForestChildren *children, int64_t parent) {
  ForestCounts counts = {0};
  for (int64_t e = children->start[parent]; e < children->start[parent + 1]; ++e) {
    ++counts.all;
    counts.kept += verdict_is_kept(children->status[e]);
    counts.split += verdict_is_split(children->status[e]);
    counts.absorbed += children->status[e] == CHILD_ABSORBED;
  }
  return counts;
}

void forest_plant(Shard own, const uint8_t *state, uint32_t level, ForestRoot *roots) {
  for (int64_t i = 0; i < shard_count(own); ++i) {
    roots[i] = state[i] == DIRECTION_DEAD ? (ForestRoot){LOOKUP_NONE, LOOKUP_NONE}
                                          : (ForestRoot){level, (uint32_t)(own.first + i)};
  }
}

Status forest_grow(Team *team, int64_t parents, const ForestRoot *below, const VerdictTable *table,
                   ForestRoot *roots) {
  uint32_t *wanted = NULL;
  TRY_NEW(team, &wanted, table->count, "parents in the forest");
  for (int64_t i = 0; i < table->count; ++i) {
    wanted[i] = verdict_in_forest(table->status[i]) ? table->parent[i] : LOOKUP_NONE;
  }
  const Status status =
      lookup_items(team, parents, below, sizeof *below, wanted, table->count, roots);
  MEMORY_FREE(wanted);
  return status;
}

Status forest_join(Team *team, int64_t latents, const uint32_t *representative, ForestRoot *roots) {
  const Shard own = lookup_own(team, latents);
  uint32_t *wanted = NULL;
  ForestRoot *joined = NULL;
  Status status = MEMORY_NEW(&wanted, shard_count(own), "representatives");
  if (status == OK) {
    status = MEMORY_NEW(&joined, shard_count(own), "roots of representatives");
  }
  status = team_agree(team, status);
  ASSERT(status != OK || (wanted != NULL && joined != NULL));
  for (int64_t i = 0; status == OK && i < shard_count(own); ++i) {
    const bool is_own = (int64_t)representative[i] == own.first + i;
    wanted[i] = is_own ? LOOKUP_NONE : representative[i];
    joined[i] = roots[i];
  }
  if (status == OK) {
    status = lookup_items(team, latents, roots, sizeof *roots, wanted, shard_count(own), joined);
  }
  if (status == OK && shard_count(own) > 0) {
    memcpy(roots, joined, (size_t)shard_count(own) * sizeof *roots);
  }
  MEMORY_FREE(wanted);
  MEMORY_FREE(joined);
  return status;
}

static uint8_t agreement(const uint32_t *through, int64_t width, uint32_t direct) {
  if (through[0] == LOOKUP_NONE || direct == LOOKUP_NONE) {
    return FOREST_NO_CHAIN;
  }
  for (int64_t j = 0; j < width; ++j) {
    if (through[j] == direct) {
      return j == 0 ? 3 : 1;
    }
  }
  return 0;
}

Status forest_consistency(Team *team, int64_t middle, const uint32_t *chain, int64_t width,
                          const uint32_t *above, const uint32_t *direct, int64_t own,
                          uint8_t *agrees) {
  uint32_t *through = NULL;
  TRY_NEW(team, &through, own * width, "parents through the middle");
  for (int64_t i = 0; i < own * width; ++i) {
    through[i] = LOOKUP_NONE;
  }
  const Status status =
      lookup_items(team, middle, above, sizeof *above, chain, own * width, through);
  for (int64_t i = 0; status == OK && i < own; ++i) {
    agrees[i] = agreement(through + i * width, width, direct[i]);
  }
  MEMORY_FREE(through);
  return status;
}
