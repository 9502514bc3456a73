#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "exchange.h"
#include "forest.h"
#include "memory.h"
#include "metrics.h"
#include "planted.h"
#include "random.h"

enum { MOST = 16, PIECE = 997 };

static const VerdictRules RULES = {
    .strong = 0.7,
    .margin = 0.05,
    .r2_cut = 0.3,
    .evidence = {.p_min = 0.5, .lift_min = 3, .firings_min = 30, .documents_min = 10}};

/* One analysis of the planted dictionaries by some ranks. */
typedef struct Analysis {
  Team *team;
  VerdictTable tables[3]; /* 1 under 0, 2 under 1, twin under 0 */
  ForestRoot *roots[PLANTED_LEVELS];
  ForestChildren children[2];
  int64_t *of_parent[2]; /* children of level 0 in level 1 and in the twin */
  MetricsReplication replication;
} Analysis;

static const int64_t CHILD[3] = {1, 2, PLANTED_TWIN}, PARENT[3] = {0, 1, 0};

static Planted *planted(void) {
  static Planted once;
  if (once.document == NULL) {
    CU_ASSERT(planted_open(&once) == OK);
  }
  return &once;
}

static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

static Shard own_of(const Analysis *analysis, int64_t dictionary) {
  return lookup_own(analysis->team, PLANTED_LATENTS[dictionary]);
}

/* Firings by feature of some children. */
typedef struct Firings {
  int64_t *start;
  uint32_t *row;
  float *value;
} Firings;

static EvidenceChildren firings_open(Firings *firings, const PlantedDictionary *one, Shard own) {
  CU_ASSERT(MEMORY_NEW(&firings->start, shard_count(own) + 2, "starts") == OK);
  CU_ASSERT(MEMORY_NEW(&firings->row, one->entries, "rows") == OK);
  CU_ASSERT(MEMORY_NEW(&firings->value, one->entries, "values") == OK);
  for (int pass = 0; pass < 2;
       ++pass) { /* count into start[c + 2]; then fill, and start[c + 1] moves to c's end */
    for (int64_t row = 0; row < PLANTED_ROWS; ++row) {
      for (int64_t e = one->start[row]; e < one->start[row + 1]; ++e) {
        const int64_t child = (int64_t)one->id[e] - own.first;
        if (!one->active[e] || child < 0 || child >= shard_count(own)) {
          continue;
        }
        const int64_t at = firings->start[child + 2 - pass]++;
        if (pass == 1) {
          firings->row[at] = (uint32_t)row;
          firings->value[at] = one->value[e];
        }
      }
    }
    for (int64_t c = 0; pass == 0 && c <= shard_count(own); ++c) {
      firings->start[c + 1] += firings->start[c];
    }
  }
  return (EvidenceChildren){shard_count(own), firings->start, firings->row, firings->value,
                            "planted"};
}

static void firings_close(Firings *firings) {
  MEMORY_FREE(firings->start);
  MEMORY_FREE(firings->row);
  MEMORY_FREE(firings->value);
}

static Status read_piece(void *context, int64_t first, EvidenceChunk *chunk) {
  static uint32_t document[PIECE];
  const PlantedDictionary *one = context;
  const int64_t rows = first + PIECE < PLANTED_ROWS ? PIECE : PLANTED_ROWS - first;
  for (int64_t row = 0; row < rows; ++row) {
    document[row] = (uint32_t)planted()->document[first + row];
  }
  const int64_t from = one->start[first];
  *chunk = (EvidenceChunk){first,
                           rows,
                           document,
                           one->start + first,
                           one->id + from,
                           one->value + from,
                           one->active + from};
  return OK;
}

/* Candidates and cosines of the own children; the best child of each one's best parent. */
typedef struct Lists {
  uint32_t *candidate, *best_child, *back;
  float *cosine, *back_cosine;
  int64_t *narrow, *wide;
  uint8_t *suggested;
  VerdictSpan *span;
} Lists;

static void lists_open(Lists *lists, const PlantedDictionary *child,
                       const PlantedDictionary *parent, Shard own) {
  const int64_t cells = shard_count(own) * MOST;
  CU_ASSERT(MEMORY_NEW(&lists->candidate, cells, "candidates") == OK);
  CU_ASSERT(MEMORY_NEW(&lists->cosine, cells, "cosines") == OK);
  CU_ASSERT(MEMORY_NEW(&lists->narrow, cells, "counts") == OK);
  CU_ASSERT(MEMORY_NEW(&lists->wide, cells, "counts") == OK);
  CU_ASSERT(MEMORY_NEW(&lists->suggested, cells, "suggested") == OK);
  CU_ASSERT(MEMORY_NEW(&lists->span, shard_count(own), "spans") == OK);
  CU_ASSERT(MEMORY_NEW(&lists->best_child, shard_count(own), "children") == OK);
  CU_ASSERT(MEMORY_NEW(&lists->back, parent->latents, "children") == OK);
  CU_ASSERT(MEMORY_NEW(&lists->back_cosine, parent->latents, "cosines") == OK);
  CU_ASSERT(planted_neighbours(child, parent, own.first, own.past, MOST, lists->candidate,
                               lists->cosine) == OK);
  CU_ASSERT(planted_neighbours(parent, child, 0, parent->latents, 1, lists->back,
                               lists->back_cosine) == OK);
  for (int64_t i = 0; i < shard_count(own); ++i) {
    const uint32_t best = lists->candidate[i * MOST];
    lists->best_child[i] = best == LOOKUP_NONE ? LOOKUP_NONE : lists->back[best];
    lists->span[i] = (VerdictSpan){NAN, {LOOKUP_NONE, LOOKUP_NONE}, {0, 0}, NAN};
  }
}

static void lists_close(Lists *lists) {
  MEMORY_FREE(lists->candidate);
  MEMORY_FREE(lists->cosine);
  MEMORY_FREE(lists->narrow);
  MEMORY_FREE(lists->wide);
  MEMORY_FREE(lists->suggested);
  MEMORY_FREE(lists->span);
  MEMORY_FREE(lists->best_child);
  MEMORY_FREE(lists->back);
  MEMORY_FREE(lists->back_cosine);
}

static void count_all(Evidence *evidence, const PlantedDictionary *child, PlantedDictionary *parent,
                      Shard own, const Lists *lists) {
  Firings firings = {0};
  int64_t *narrow = NULL, *wide = NULL;
  const EvidenceSource source = {.rows = PLANTED_ROWS,
                                 .entries = parent->entries,
                                 .parents = parent->latents,
                                 .read = read_piece,
                                 .context = parent,
                                 .place = "planted"};
  const EvidenceChildren children = firings_open(&firings, child, own);
  CU_ASSERT(evidence_count(evidence, &children, &source, lists->candidate, MOST) == OK);
  CU_ASSERT(MEMORY_NEW(&narrow, parent->latents, "counts") == OK);
  CU_ASSERT(MEMORY_NEW(&wide, parent->latents, "counts") == OK);
  CU_ASSERT(evidence_fired(&source, (Shard){0, parent->latents}, narrow, wide) == OK);
  for (int64_t i = 0; i < shard_count(own) * MOST; ++i) {
    const uint32_t id = lists->candidate[i];
    lists->narrow[i] = id == LOOKUP_NONE ? 0 : narrow[id];
    lists->wide[i] = id == LOOKUP_NONE ? 0 : wide[id];
  }
  MEMORY_FREE(narrow);
  MEMORY_FREE(wide);
  firings_close(&firings);
}

static void judge_pair(Analysis *analysis, int pair) {
  const PlantedDictionary *child = &planted()->dictionaries[CHILD[pair]];
  PlantedDictionary *parent = &planted()->dictionaries[PARENT[pair]];
  const Shard own = own_of(analysis, CHILD[pair]);
  Lists lists = {0};
  Evidence evidence;
  lists_open(&lists, child, parent, own);
  count_all(&evidence, child, parent, own, &lists);
  const VerdictInput input = {.evidence = &evidence,
                              .near = MOST,
                              .cosine = lists.cosine,
                              .cosine_centred = lists.cosine,
                              .encoder_cosine = lists.cosine,
                              .is_suggested = lists.suggested,
                              .last = lists.cosine, /* margins are not looked at */
                              .span = lists.span,
                              .parent_narrow = lists.narrow,
                              .parent_wide = lists.wide,
                              .state = child->state + own.first,
                              .best_child = lists.best_child,
                              .first = own.first};
  CU_ASSERT(verdict_open(&analysis->tables[pair], shard_count(own), 0.4) == OK);
  CU_ASSERT(verdict_add(&analysis->tables[pair], &input, &RULES) == OK);
  evidence_close(&evidence);
  lists_close(&lists);
}

static void grow_forest(Analysis *analysis) {
  for (int64_t level = 0; level < PLANTED_LEVELS; ++level) {
    const Shard own = own_of(analysis, level);
    CU_ASSERT(MEMORY_NEW(&analysis->roots[level], shard_count(own), "roots") == OK);
    forest_plant(own, planted()->dictionaries[level].state + own.first, (uint32_t)level,
                 analysis->roots[level]);
    if (level > 0) {
      CU_ASSERT(forest_grow(analysis->team, PLANTED_LATENTS[level - 1], analysis->roots[level - 1],
                            &analysis->tables[level - 1], analysis->roots[level]) == OK);
      CU_ASSERT(forest_children(analysis->team, PLANTED_LATENTS[level], PLANTED_LATENTS[level - 1],
                                &analysis->tables[level - 1],
                                &analysis->children[level - 1]) == OK);
    }
  }
}

static void replicate(Analysis *analysis) {
  ForestChildren of_twin;
  const Shard own = own_of(analysis, 0);
  CU_ASSERT(forest_children(analysis->team, PLANTED_LATENTS[PLANTED_TWIN], PLANTED_LATENTS[0],
                            &analysis->tables[2], &of_twin) == OK);
  for (int side = 0; side < 2; ++side) {
    CU_ASSERT(MEMORY_NEW(&analysis->of_parent[side], shard_count(own), "children") == OK);
    for (int64_t p = 0; p < shard_count(own); ++p) {
      analysis->of_parent[side][p] =
          forest_counts(side == 0 ? &analysis->children[0] : &of_twin, p).all;
    }
  }
  const uint8_t bin[64] = {0}; /* PLANTED_LATENTS[0] */
  metrics_replication(analysis->team, analysis->of_parent[0], analysis->of_parent[1],
                      planted()->dictionaries[0].state + own.first, bin, shard_count(own),
                      &analysis->replication);
  forest_clear(&of_twin);
}

static void analysis_open(Analysis *analysis, Team *team) {
  memset(analysis, 0, sizeof *analysis);
  analysis->team = team;
  for (int pair = 0; pair < 3; ++pair) {
    judge_pair(analysis, pair);
  }
  grow_forest(analysis);
  replicate(analysis);
}

static void analysis_close(Analysis *analysis) {
  for (int pair = 0; pair < 3; ++pair) {
    verdict_clear(&analysis->tables[pair]);
  }
  for (int64_t level = 0; level < PLANTED_LEVELS; ++level) {
    MEMORY_FREE(analysis->roots[level]);
  }
  for (int side = 0; side < 2; ++side) {
    MEMORY_FREE(analysis->of_parent[side]);
    forest_clear(&analysis->children[side]);
  }
}

static Analysis *analysis(void) {
  static Analysis once;
  if (once.team == NULL) {
    analysis_open(&once, ranks());
  }
  return &once;
}

/* Rows: the truth; columns: what was found; over all ranks. */
static void confusion_of(int pair, int64_t matrix[CHILD_STATUSES * CHILD_STATUSES]) {
  const PlantedDictionary *child = &planted()->dictionaries[CHILD[pair]];
  const Shard own = own_of(analysis(), CHILD[pair]);
  memset(matrix, 0, sizeof(int64_t) * CHILD_STATUSES * CHILD_STATUSES);
  for (int64_t i = 0; i < shard_count(own); ++i) {
    ++matrix[child->status[own.first + i] * CHILD_STATUSES + analysis()->tables[pair].status[i]];
  }
  exchange_sum(ranks(), matrix, CHILD_STATUSES * CHILD_STATUSES);
}

static void print_confusion(const int64_t *matrix) {
  for (int truth = 0; truth < CHILD_STATUSES; ++truth) {
    for (int found = 0; found < CHILD_STATUSES; ++found) {
      if (matrix[truth * CHILD_STATUSES + found] > 0 && ranks()->rank == 0) {
        printf("\n    %s found as %s: %lld", verdict_child_name(truth), verdict_child_name(found),
               (long long)matrix[truth * CHILD_STATUSES + found]);
      }
    }
  }
}

static void test_statuses_are_recovered(void) {
  int64_t matrix[CHILD_STATUSES * CHILD_STATUSES];
  for (int pair = 0; pair < 2; ++pair) {
    confusion_of(pair, matrix);
    int64_t all = 0, right = 0;
    for (int truth = 0; truth < CHILD_STATUSES; ++truth) {
      int64_t of_truth = 0;
      for (int found = 0; found < CHILD_STATUSES; ++found) {
        of_truth += matrix[truth * CHILD_STATUSES + found];
      }
      const int64_t good = matrix[truth * CHILD_STATUSES + truth];
      all += of_truth;
      right += good;
      CU_ASSERT(10 * good >= 9 * of_truth); /* of each status nine in ten */
    }
    CU_ASSERT(100 * right >= 98 * all); /* and of all 98 % */
    if (100 * right < 98 * all) {
      print_confusion(matrix);
    }
  }
}

static void test_every_status_in_scope_is_planted(void) {
  static const ChildStatus SCOPE[] = {
      CHILD_DEAD,  CHILD_UNSEEN,     CHILD_KEPT,    CHILD_KEPT_OPEN,    CHILD_AMBIGUOUS,
      CHILD_SPLIT, CHILD_SPLIT_OPEN, CHILD_RELATED, CHILD_RELATED_OPEN, CHILD_UNMATCHED};
  int64_t count[CHILD_STATUSES] = {0};
  for (int64_t level = 1; level < PLANTED_LEVELS; ++level) {
    for (int64_t i = 0; i < PLANTED_LATENTS[level]; ++i) {
      ++count[planted()->dictionaries[level].status[i]];
    }
  }
  for (size_t s = 0; s < sizeof SCOPE / sizeof SCOPE[0]; ++s) {
    CU_ASSERT(count[SCOPE[s]] >= 2);
  }
}

/* Found status and parent are the true ones, of a feature and of all its ancestors. */
static bool *right_of_level(int64_t level, bool *right) {
  const PlantedDictionary *one = &planted()->dictionaries[level];
  const Shard own = own_of(analysis(), level);
  int64_t mask[512] = {0};
  ASSERT(one->latents <= 512);
  for (int64_t i = 0; level > 0 && i < shard_count(own); ++i) {
    const VerdictTable *table = &analysis()->tables[level - 1];
    const int64_t id = own.first + i;
    const bool is_tree = verdict_in_forest((ChildStatus)one->status[id]);
    mask[id] =
        table->status[i] == one->status[id] && (!is_tree || table->parent[i] == one->parent[id]);
  }
  exchange_sum(ranks(), mask, 512);
  for (int64_t id = 0; id < one->latents; ++id) {
    right[id] = level == 0 || mask[id] == 1;
  }
  return right;
}

static void test_roots_are_right_where_statuses_are(void) {
  static bool right[PLANTED_LEVELS][512];
  int64_t checked = 0, wrong = 0;
  for (int64_t level = 0; level < PLANTED_LEVELS; ++level) {
    right_of_level(level, right[level]);
  }
  for (int64_t level = 0; level < PLANTED_LEVELS; ++level) {
    const PlantedDictionary *one = &planted()->dictionaries[level];
    const Shard own = own_of(analysis(), level);
    for (int64_t i = 0; i < shard_count(own); ++i) {
      const int64_t id = own.first + i;
      const bool is_tree = level > 0 && verdict_in_forest((ChildStatus)one->status[id]);
      int64_t root_level = level;
      const uint32_t root = planted_root(planted(), &root_level, (uint32_t)id);
      if (one->state[id] == DIRECTION_DEAD || !right[level][id] ||
          (is_tree && !right[level - 1][one->parent[id]])) {
        continue;
      }
      ++checked;
      wrong +=
          analysis()->roots[level][i].id != root || analysis()->roots[level][i].level != root_level;
    }
  }
  exchange_sum(ranks(), &checked, 1);
  CU_ASSERT(wrong == 0);
  CU_ASSERT(checked > 700); /* of 768 */
}

static void test_parents_are_those_planted(void) {
  int64_t wrong = 0, all = 0;
  for (int pair = 0; pair < 2; ++pair) {
    const PlantedDictionary *child = &planted()->dictionaries[CHILD[pair]];
    const Shard own = own_of(analysis(), CHILD[pair]);
    for (int64_t i = 0; i < shard_count(own); ++i) {
      if (verdict_in_forest((ChildStatus)analysis()->tables[pair].status[i])) {
        wrong += analysis()->tables[pair].parent[i] != child->parent[own.first + i];
        ++all;
      }
    }
  }
  exchange_sum(ranks(), &all, 1);
  CU_ASSERT(wrong == 0);
  CU_ASSERT(all > 150);
}

/* By the table UNDER of planted.c: parents of the smallest level by id modulo 16. */
static void test_parent_statuses_follow_from_what_grows(void) {
  static const ParentStatus TRUTH[16] = {
      PARENT_SPLIT_PERSISTS, PARENT_SPLIT_K,        PARENT_REFINED, PARENT_PERSISTS,
      PARENT_LINKED,         PARENT_SPLIT_PERSISTS, PARENT_LINKED,  PARENT_LOST,
      PARENT_SPLIT_K,        PARENT_SPLIT_PERSISTS, PARENT_LOST,    PARENT_SPLIT_K,
      PARENT_LINKED,         PARENT_LINKED,         PARENT_LOST,    PARENT_PERSISTS};
  const PlantedDictionary *smallest = &planted()->dictionaries[0];
  const Shard own = own_of(analysis(), 0);
  int64_t *edges = NULL, wrong = 0, all = 0;
  CU_ASSERT(MEMORY_NEW(&edges, shard_count(own), "edges") == OK);
  CU_ASSERT(lookup_add(ranks(), PLANTED_LATENTS[0], analysis()->tables[0].edge_parent, NULL,
                       analysis()->tables[0].edges, edges) == OK);
  for (int64_t p = 0; p < shard_count(own); ++p) {
    const int64_t id = own.first + p;
    const ForestCounts counts = forest_counts(&analysis()->children[0], p);
    const bool is_pair = smallest->kind[id] == PLANTED_COPY;
    if (smallest->kind[id] == PLANTED_FREE || is_pair) {
      const bool is_copied = is_pair || (id > 0 && smallest->kind[id - 1] == PLANTED_COPY);
      const ParentStatus truth =
          (id % 16 == 12 || id % 16 == 13) && !is_copied ? PARENT_LOST : TRUTH[id % 16];
      wrong += verdict_parent(DIRECTION_ALIVE, counts.kept, counts.split, edges[p] > 0) != truth;
      ++all;
    }
  }
  exchange_sum(ranks(), &wrong, 1);
  exchange_sum(ranks(), &all, 1);
  CU_ASSERT(all > 50);
  CU_ASSERT(20 * wrong <= all);
  MEMORY_FREE(edges);
}

static void test_splits_replicate_in_the_twin(void) {
  const MetricsReplication *found = &analysis()->replication;
  CU_ASSERT(found->correlation > 0.5 && found->correlation < 1);
  CU_ASSERT(found->split_again > 2 * found->split_any);
}

static void test_hubs_are_dense_and_attract_nobody(void) {
  for (int pair = 0; pair < 2; ++pair) {
    const PlantedDictionary *child = &planted()->dictionaries[CHILD[pair]];
    const PlantedDictionary *parent = &planted()->dictionaries[PARENT[pair]];
    const Shard own = own_of(analysis(), CHILD[pair]);
    for (int64_t i = 0; i < shard_count(own); ++i) {
      const VerdictTable *table = &analysis()->tables[pair];
      const bool is_dense = (table->flags[i] & verdict_bit(FLAG_DENSE)) != 0;
      CU_ASSERT(is_dense == (child->kind[own.first + i] == PLANTED_HUB));
      if (verdict_in_forest((ChildStatus)table->status[i])) {
        CU_ASSERT(parent->kind[table->parent[i]] != PLANTED_HUB);
      }
    }
  }
}

static uint64_t hash_rows(uint64_t hash, const void *data, size_t size, int64_t count) {
  return random_hash(data, (int64_t)size * count, hash);
}

/* Tables of the own children against those of one rank alone. */
static bool is_same(const VerdictTable *part, const VerdictTable *whole, int64_t first) {
  uint64_t hashes[2];
  const VerdictTable *tables[2] = {part, whole};
  for (int side = 0; side < 2; ++side) {
    const VerdictTable *t = tables[side];
    const int64_t at = side == 0 ? 0 : first, n = part->count, edge = t->edge_start[at];
    const int64_t edges = t->edge_start[at + n] - edge;
    uint64_t h = hash_rows(1, t->status + at, 1, n);
    h = hash_rows(h, t->flags + at, 1, n);
    h = hash_rows(h, t->evidence + at, 1, n);
    h = hash_rows(h, t->parent + at, sizeof *t->parent, n);
    h = hash_rows(h, t->cosine + at, sizeof *t->cosine, n);
    h = hash_rows(h, t->both + at, sizeof *t->both, n);
    h = hash_rows(h, t->documents + at, sizeof *t->documents, n);
    h = hash_rows(h, t->p + at, sizeof *t->p, n);
    h = hash_rows(h, t->p_low + at, sizeof *t->p_low, n);
    h = hash_rows(h, t->p_high + at, sizeof *t->p_high, n);
    h = hash_rows(h, t->p_wide + at, sizeof *t->p_wide, n);
    h = hash_rows(h, t->p_child + at, sizeof *t->p_child, n);
    h = hash_rows(h, t->lift + at, sizeof *t->lift, n);
    h = hash_rows(h, t->edge_parent + edge, sizeof *t->edge_parent, edges);
    h = hash_rows(h, t->status_at + at * VERDICT_CUTS, VERDICT_CUTS, n);
    h = hash_rows(h, t->masked_cosine + at, sizeof *t->masked_cosine, n);
    h = hash_rows(h, t->edge_product + edge, sizeof *t->edge_product, edges);
    hashes[side] = hash_rows(h, t->edge_p + edge, sizeof *t->edge_p, edges);
  }
  return hashes[0] == hashes[1];
}

static void test_the_same_bits_at_any_rank_count(void) {
  Team self = {.comm = MPI_COMM_SELF, .rank = 0, .size = 1, .node_size = 1};
  Analysis alone;
  analysis_open(&alone, &self);
  for (int pair = 0; pair < 3; ++pair) {
    CU_ASSERT(is_same(&analysis()->tables[pair], &alone.tables[pair],
                      own_of(analysis(), CHILD[pair]).first));
  }
  for (int64_t level = 0; level < PLANTED_LEVELS; ++level) {
    const Shard own = own_of(analysis(), level);
    CU_ASSERT(memcmp(analysis()->roots[level], alone.roots[level] + own.first,
                     (size_t)shard_count(own) * sizeof(ForestRoot)) == 0);
  }
  CU_ASSERT(memcmp(&analysis()->replication, &alone.replication, sizeof alone.replication) == 0);
  analysis_close(&alone);
}

/* Last: gives everything back. */
static void test_memory_goes_back(void) {
  analysis_close(analysis());
  planted_close(planted());
}

static const CheckFact FACTS[] = {
    {"every status in scope is planted", test_every_status_in_scope_is_planted},
    {"statuses are recovered", test_statuses_are_recovered},
    {"roots are right where statuses are", test_roots_are_right_where_statuses_are},
    {"parents are those planted", test_parents_are_those_planted},
    {"parent statuses follow from what grows", test_parent_statuses_follow_from_what_grows},
    {"splits replicate in the twin", test_splits_replicate_in_the_twin},
    {"hubs are dense and attract nobody", test_hubs_are_dense_and_attract_nobody},
    {"the same bits at any rank count", test_the_same_bits_at_any_rank_count},
    {"memory goes back", test_memory_goes_back},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "truth", FACTS);
}
