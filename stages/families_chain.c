#include <math.h>
#include <stdio.h>

#include "duplicates.h"
#include "exchange.h"
#include "families_run.h"
#include "memory.h"
#include "random.h"

/* A dictionary with two smaller ones: `next` leads to the middle one, `above` from there to the small one, `direct`
   past it. */
typedef struct Chain {
  FamiliesRun *run;
  FamiliesPair *next, *above, *direct;
  int64_t stored;
  uint32_t *id,
      *stands;     /* [own, stored] middle parents; what they stand for, each once, best first */
  uint32_t *first; /* [own, FOREST_CHAIN] of them */
  uint32_t *pick, *of_pick; /* [own, 2] two of them by lot; their best parents */
  uint32_t *through;        /* [own] the best one's best parent */
  uint8_t *agrees;          /* [own] of forest_consistency() */
} Chain;

static void chain_close(Chain *chain) {
  MEMORY_FREE(chain->id);
  MEMORY_FREE(chain->stands);
  MEMORY_FREE(chain->first);
  MEMORY_FREE(chain->pick);
  MEMORY_FREE(chain->of_pick);
  MEMORY_FREE(chain->through);
  MEMORY_FREE(chain->agrees);
}

static Status chain_take(Chain *chain) {
  const int64_t own = chain->next->table.count;
  TRY(MEMORY_NEW(&chain->id, own * chain->stored, "middle parents"));
  TRY(MEMORY_NEW(&chain->stands, own * chain->stored, "middle parents"));
  TRY(MEMORY_NEW(&chain->first, own * FOREST_CHAIN, "middle parents"));
  TRY(MEMORY_NEW(&chain->pick, own * 2, "middle parents by lot"));
  TRY(MEMORY_NEW(&chain->of_pick, own * 2, "middle parents by lot"));
  TRY(MEMORY_NEW(&chain->through, own, "parents through the middle"));
  return MEMORY_NEW(&chain->agrees, own, "agreements");
}

/* The list of a child without near duplicates; how many stay. */
static int64_t shorten(uint32_t *stands, int64_t most, int64_t *kept) {
  const int64_t count = duplicates_keep(stands, most, kept);
  for (int64_t j = 0; j < count; ++j) {
    stands[j] = stands[kept[j]];
  }
  return count;
}

static void draw_two(uint64_t key, const uint32_t *stands, int64_t count, uint32_t *pick) {
  pick[0] = pick[1] = LOOKUP_NONE;
  if (count >= 2) {
    const int64_t one = random_below(key, 0, count), other = random_below(key, 1, count - 1);
    pick[0] = stands[one];
    pick[1] = stands[other + (other >= one)];
  }
}

static Status list_chains(Chain *chain) {
  const FamiliesDictionary *one = chain->next->child;
  const uint64_t key =
      random_key(chain->run->stage->settings.run.seed, "chance of chains", chain->next->group);
  int64_t *kept = NULL;
  TRY(MEMORY_NEW(&kept, chain->stored, "parents that stay"));
  for (int64_t i = 0; i < chain->next->table.count; ++i) {
    uint32_t *stands = chain->stands + i * chain->stored;
    const int64_t count = one->counts[i] ? shorten(stands, chain->stored, kept) : 0;
    for (int64_t j = 0; j < FOREST_CHAIN; ++j) {
      chain->first[i * FOREST_CHAIN + j] = j < count ? stands[j] : LOOKUP_NONE;
    }
    draw_two(random_subkey(key, (uint64_t)(one->own.first + i)), stands, count,
             chain->pick + 2 * i);
    chain->of_pick[2 * i] = chain->of_pick[2 * i + 1] = chain->through[i] = LOOKUP_NONE;
  }
  MEMORY_FREE(kept);
  return OK;
}

static Status read_chains(Chain *chain) {
  char name[FAMILIES_NAME + 32];
  const Shard own = chain->next->child->own;
  const FamiliesDictionary *middle = chain->next->parent;
  const int64_t cells = shard_count(own) * chain->stored;
  TRY(archive_read(chain->run->neighbours, families_dataset(chain->next, "parent_id", name),
                   own.first, shard_count(own), chain->id));
  for (int64_t i = 0; i < cells; ++i) {
    chain->stands[i] = LOOKUP_NONE;
  }
  TRY(lookup_items(chain->run->team, middle->latents, middle->representative, sizeof(uint32_t),
                   chain->id, cells, chain->stands));
  TRY_ALL(chain->run->team, list_chains(chain));
  return OK;
}

static Status follow(Chain *chain) {
  const int64_t own = chain->next->table.count, middle = chain->next->parent->latents;
  const uint32_t *above = chain->above->table.first_parent;
  uint32_t *best = NULL;
  TRY(forest_consistency(chain->run->team, middle, chain->first, FOREST_CHAIN, above,
                         chain->direct->table.first_parent, own, chain->agrees));
  TRY(lookup_items(chain->run->team, middle, above, sizeof *above, chain->pick, 2 * own,
                   chain->of_pick));
  TRY_NEW(chain->run->team, &best, own, "best middle parents");
  for (int64_t i = 0; i < own; ++i) {
    best[i] = chain->first[i * FOREST_CHAIN];
  }
  const Status status =
      lookup_items(chain->run->team, middle, above, sizeof *above, best, own, chain->through);
  MEMORY_FREE(best);
  return status;
}

static void judge(Chain *chain) {
  FamiliesPair *next = chain->next;
  int64_t sums[5] = {0}; /* chains, agreeing at once, agreeing; lots, agreeing */
  for (int64_t i = 0; i < next->table.count; ++i) {
    const uint32_t *lot = chain->of_pick + 2 * i;
    sums[0] += chain->agrees[i] != FOREST_NO_CHAIN;
    sums[1] += chain->agrees[i] == 3;
    sums[2] += chain->agrees[i] == 3 || chain->agrees[i] == 1;
    sums[3] += lot[0] != LOOKUP_NONE && lot[1] != LOOKUP_NONE;
    sums[4] += lot[0] != LOOKUP_NONE && lot[0] == lot[1];
    next->table.flags[i] |= chain->agrees[i] == 0 ? verdict_bit(FLAG_LOW_TC) : 0;
  }
  exchange_sum(chain->run->team, sums, 5);
  next->has_chain = true;
  next->tc_1 = sums[0] > 0 ? (double)sums[1] / (double)sums[0] : NAN;
  next->tc_5 = sums[0] > 0 ? (double)sums[2] / (double)sums[0] : NAN;
  next->tc_chance = sums[3] > 0 ? (double)sums[4] / (double)sums[3] : NAN;
}

/* Descendants of the small dictionary's features by either way, and by both. */
typedef struct Descendants {
  int64_t *chain, *direct, *both; /* [own small] */
  uint32_t *agreed;               /* [own children] the root where both ways lead to one */
} Descendants;

static Status descendants_take(Descendants *descendants, const Chain *chain) {
  const int64_t small = shard_count(chain->above->parent->own);
  TRY(MEMORY_NEW(&descendants->chain, small, "descendants"));
  TRY(MEMORY_NEW(&descendants->direct, small, "descendants"));
  TRY(MEMORY_NEW(&descendants->both, small, "descendants"));
  TRY(MEMORY_NEW(&descendants->agreed, chain->next->table.count, "descendants"));
  return MEMORY_NEW(&chain->above->parent->chain_jaccard, small, "overlaps of descendants");
}

static Status count_descendants(const Chain *chain, const Descendants *descendants) {
  Team *team = chain->run->team;
  const int64_t own = chain->next->table.count, small = chain->above->parent->latents;
  const uint32_t *direct = chain->direct->table.first_parent;
  for (int64_t i = 0; i < own; ++i) {
    const bool is_same = chain->through[i] == direct[i];
    descendants->agreed[i] = is_same ? direct[i] : LOOKUP_NONE;
  }
  TRY(lookup_add(team, small, chain->through, NULL, own, descendants->chain));
  TRY(lookup_add(team, small, direct, NULL, own, descendants->direct));
  return lookup_add(team, small, descendants->agreed, NULL, own, descendants->both);
}

static Status overlap(const Chain *chain, const Descendants *descendants) {
  FamiliesDictionary *small = chain->above->parent;
  const int64_t own = shard_count(small->own);
  float *values = NULL;
  int64_t counted;
  TRY_NEW(chain->run->team, &values, own, "overlaps of descendants");
  for (int64_t i = 0; i < own; ++i) {
    const int64_t any = descendants->chain[i] + descendants->direct[i] - descendants->both[i];
    small->chain_jaccard[i] = any > 0 ? (double)descendants->both[i] / (double)any : NAN;
    values[i] = (float)small->chain_jaccard[i];
  }
  chain->next->chain_jaccard = metrics_mean(chain->run->team, values, own, &counted);
  MEMORY_FREE(values);
  return OK;
}

static Status compare_descendants(const Chain *chain) {
  Descendants descendants = {0};
  Status status = team_agree(chain->run->team, descendants_take(&descendants, chain));
  if (status == OK) {
    status = count_descendants(chain, &descendants);
  }
  if (status == OK) {
    status = overlap(chain, &descendants);
  }
  MEMORY_FREE(descendants.chain);
  MEMORY_FREE(descendants.direct);
  MEMORY_FREE(descendants.both);
  MEMORY_FREE(descendants.agreed);
  return status;
}

static Status follow_one(FamiliesRun *run, FamiliesDictionary *child) {
  char name[FAMILIES_NAME + 32];
  const int64_t middle = child->below;
  const int64_t small = middle < 0 ? -1 : run->dictionaries[middle].below;
  int64_t shape[2];
  if (small < 0) {
    return OK;
  }
  const int64_t index = families_index(run, child);
  Chain chain = {.run = run,
                 .next = families_pair(run, index, middle),
                 .above = families_pair(run, middle, small),
                 .direct = families_pair(run, index, small)};
  TRY(archive_shape(run->neighbours, families_dataset(chain.next, "parent_id", name), ARCHIVE_U32,
                    2, shape));
  chain.stored = shape[1];
  Status status = team_agree(run->team, chain_take(&chain));
  if (status == OK) {
    status = read_chains(&chain);
  }
  if (status == OK) {
    status = follow(&chain);
  }
  if (status == OK) {
    judge(&chain);
    status = child->level >= 0 ? compare_descendants(&chain) : OK;
  }
  chain_close(&chain);
  return status;
}

Status families_follow_chains(FamiliesRun *run) {
  for (int64_t i = 0; i < run->count; ++i) {
    TRY(follow_one(run, &run->dictionaries[i]));
  }
  return OK;
}
