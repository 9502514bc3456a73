#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "duplicates.h"
#include "lookup.h"
#include "memory.h"
#include "random.h"

enum { FEATURES = 200, WIDTH = 32, MOST = 16, PARENTS = 24, SHARE = 4 };
static const double CUT = 0.98;

/* The team of all ranks, opened at first use. */
static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

/* Unit rows in clouds of five around 40 centres, 0.98 to 0.999 near in part: chains in which the middle
   one is near both ends and the ends are not near each other. The first 24 rows are parents too. */
static const float *row_of(int64_t id) {
  static float rows[FEATURES][WIDTH];
  static bool is_made;
  for (int64_t i = 0; !is_made && i < FEATURES; ++i) {
    double square = 0;
    for (int64_t j = 0; j < WIDTH; ++j) {
      const double noise =
          random_normal(random_key(1, "noise", "duplicates"), (uint64_t)(i * WIDTH + j));
      const double centre =
          random_normal(random_key(1, "centre", "duplicates"), (uint64_t)(i % 40 * WIDTH + j));
      rows[i][j] = (float)(centre + (i % 40 < 30 ? 0.14 : 0.4) * noise);
      square += (double)rows[i][j] * (double)rows[i][j];
    }
    for (int64_t j = 0; j < WIDTH; ++j) {
      rows[i][j] = (float)((double)rows[i][j] / sqrt(square));
    }
  }
  is_made = true;
  return rows[id];
}

static float cosine_of(int64_t a, int64_t b) {
  return dense_dot(row_of(a), row_of(b), WIDTH);
}

/* The rule, feature after feature. */
static void collapse_plainly(uint32_t *out) {
  for (int64_t i = 0; i < FEATURES; ++i) {
    float best = -2;
    out[i] = (uint32_t)i;
    for (int64_t j = 0; j < i; ++j) {
      const float cosine = cosine_of(i, j);
      if (out[j] == (uint32_t)j && (double)cosine >= CUT && cosine > best) {
        best = cosine;
        out[i] = (uint32_t)j;
      }
    }
  }
}

static void nearest_of(int64_t id, uint32_t *ids, float *cosines) {
  int64_t count = 0;
  for (int64_t other = 0; other < FEATURES; ++other) {
    const float cosine = cosine_of(id, other);
    int64_t place = count;
    while (place > 0 && cosines[place - 1] < cosine) {
      --place;
    }
    if (other == id || place == MOST) {
      continue;
    }
    count += count < MOST;
    for (int64_t j = count - 1; j > place; --j) {
      ids[j] = ids[j - 1];
      cosines[j] = cosines[j - 1];
    }
    ids[place] = (uint32_t)other;
    cosines[place] = cosine;
  }
}

static int64_t count_wrong(const DuplicatesNear *near) {
  uint32_t want[FEATURES], got[FEATURES];
  const Shard own = lookup_own(ranks(), FEATURES);
  int64_t wrong = 0, joined = 0;
  collapse_plainly(want);
  CU_ASSERT(duplicates_collapse(ranks(), FEATURES, near, got) == OK);
  for (int64_t i = own.first; i < own.past; ++i) {
    wrong += got[i - own.first] != want[i];
  }
  for (int64_t i = 0; i < FEATURES; ++i) {
    joined += want[i] != (uint32_t)i;
  }
  CU_ASSERT(joined > 40 && joined < FEATURES / 2);
  return wrong;
}

static void test_stored_neighbours_collapse_as_the_rule_says(void) {
  const Shard own = lookup_own(ranks(), FEATURES);
  static uint32_t ids[FEATURES * MOST];
  static float cosines[FEATURES * MOST];
  DuplicatesNear near;
  for (int64_t i = own.first; i < own.past; ++i) {
    nearest_of(i, ids + (i - own.first) * MOST, cosines + (i - own.first) * MOST);
  }
  CU_ASSERT(duplicates_stored(&near, own, ids, cosines, MOST, CUT) == OK);
  CU_ASSERT(count_wrong(&near) == 0);
  duplicates_clear(&near);
}

static Status own_rows(Directions *rows) {
  TRY(directions_open(rows, ranks(), FEATURES, WIDTH));
  for (int64_t i = rows->own.first; i < rows->own.past; ++i) {
    memcpy(rows->rows + (i - rows->own.first) * WIDTH, row_of(i), WIDTH * sizeof(float));
  }
  return OK;
}

/* The best of the first 24 rows; a duplicate has them in common with what it copies. */
static void best_of(int64_t id, uint32_t *best, float *cosine) {
  for (int64_t j = 0; j < SHARE; ++j) {
    best[j] = LOOKUP_NONE;
    cosine[j] = -2;
    for (int64_t p = 0; p < PARENTS; ++p) {
      const bool is_taken =
          (j > 0 && best[0] == p) || (j > 1 && best[1] == p) || (j > 2 && best[2] == p);
      if (!is_taken && cosine_of(id, p) > cosine[j]) {
        best[j] = (uint32_t)p;
        cosine[j] = cosine_of(id, p);
      }
    }
  }
}

static void test_siblings_collapse_as_the_whole_dictionary_would(void) {
  Directions rows;
  uint32_t best[FEATURES * SHARE];
  float cosine[FEATURES * SHARE];
  int64_t crowded = -1;
  DuplicatesNear near;
  CU_ASSERT(own_rows(&rows) == OK);
  for (int64_t i = rows.own.first; i < rows.own.past; ++i) {
    const int64_t at = (i - rows.own.first) * SHARE;
    best_of(i, best + at, cosine + at);
  }
  const DuplicatesSiblings job = {&rows, best, cosine, SHARE, PARENTS, CUT};
  CU_ASSERT(duplicates_siblings(&near, ranks(), &job, &crowded) == OK);
  CU_ASSERT(crowded == 0);
  CU_ASSERT(count_wrong(&near) == 0);
  duplicates_clear(&near);
  directions_clear(&rows);
}

static void test_features_left_out_and_without_parents_take_no_part(void) {
  Directions rows;
  uint32_t best[FEATURES];
  float cosine[FEATURES];
  int64_t crowded, found = 0;
  DuplicatesNear near;
  CU_ASSERT(own_rows(&rows) == OK);
  for (int64_t i = 0; i < shard_count(rows.own); ++i) {
    rows.is_left_out[i] = (rows.own.first + i) % 2 == 0;
    best[i] = rows.own.first + i < 100 ? 3 : LOOKUP_NONE;
    cosine[i] = 0.5F;
  }
  const DuplicatesSiblings job = {&rows, best, cosine, 1, PARENTS, CUT};
  CU_ASSERT(duplicates_siblings(&near, ranks(), &job, &crowded) == OK);
  for (int64_t i = 0; i < near.count; ++i) {
    for (int64_t e = near.start[i]; e < near.start[i + 1]; ++e, ++found) {
      CU_ASSERT((rows.own.first + i) % 2 == 1 && rows.own.first + i < 100 && near.id[e] % 2 == 1);
    }
  }
  CU_ASSERT(ranks()->size > 1 || found > 5);
  duplicates_clear(&near);
  directions_clear(&rows);
}

/* Feature i lies near i - 1 alone: every second one joins. As many rounds as features. */
static void test_a_long_chain_is_settled(void) {
  const Shard own = lookup_own(ranks(), FEATURES);
  uint32_t ids[FEATURES], got[FEATURES];
  float cosines[FEATURES];
  DuplicatesNear near;
  int64_t wrong = 0;
  for (int64_t i = own.first; i < own.past; ++i) {
    ids[i - own.first] = i > 0 ? (uint32_t)(i - 1) : LOOKUP_NONE;
    cosines[i - own.first] = i > 0 ? 0.99F : NAN;
  }
  CU_ASSERT(duplicates_stored(&near, own, ids, cosines, 1, CUT) == OK);
  CU_ASSERT(duplicates_collapse(ranks(), FEATURES, &near, got) == OK);
  for (int64_t i = own.first; i < own.past; ++i) {
    wrong += got[i - own.first] != (uint32_t)(i - i % 2);
  }
  CU_ASSERT(wrong == 0);
  duplicates_clear(&near);
}

static void test_lists_keep_the_first_of_each_group(void) {
  const uint32_t representative[] = {7, 3, 7, 9, 3, 1, LOOKUP_NONE, 5};
  int64_t kept[8];
  CU_ASSERT(duplicates_keep(representative, 8, kept) == 4);
  CU_ASSERT(kept[0] == 0 && kept[1] == 1 && kept[2] == 3 && kept[3] == 5);
  CU_ASSERT(duplicates_keep(representative, 0, kept) == 0);
}

static const CheckFact FACTS[] = {
    {"stored neighbours collapse as the rule says",
     test_stored_neighbours_collapse_as_the_rule_says},
    {"siblings collapse as the whole dictionary would",
     test_siblings_collapse_as_the_whole_dictionary_would},
    {"features left out and without parents take no part",
     test_features_left_out_and_without_parents_take_no_part},
    {"a long chain is settled", test_a_long_chain_is_settled},
    {"lists keep the first of each group", test_lists_keep_the_first_of_each_group},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "duplicates", FACTS);
}
