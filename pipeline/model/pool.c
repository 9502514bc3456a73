#include "pool.h"

#include <string.h>

#include "exchange.h"

enum { DIGIT = 11, VALUES = 1 << DIGIT };

/* Positive floats are ordered as their bits are. */
static uint64_t score_bits(float score) {
  uint32_t bits;
  memcpy(&bits, &score, sizeof(bits));
  return bits;
}

static uint64_t place_of(const PoolHit *hit) {
  return ((uint64_t)(uint32_t)hit->row << 32) | (uint64_t)hit->id;
}

/* What is searched: the scores, or the places of those whose score is `score`. Larger keys are
 * better, so places are turned round. */
typedef struct Search {
  Team *team;
  const PoolHit *hits;
  int64_t count;
  bool by_place;
  uint64_t score;
  int64_t left; /* the left-th best is wanted */
} Search;

static bool takes_part(const Search *s, const PoolHit *hit, uint64_t *key) {
  if (!s->by_place) {
    *key = score_bits(hit->score);
    return true;
  }
  *key = ~place_of(hit);
  return score_bits(hit->score) == s->score;
}

/* How often each value of the digit at `shift` occurs, over all ranks, among keys that begin with
 * `known`. */
static void count_digit(const Search *s, uint64_t known, int shift, int64_t counts[VALUES]) {
  memset(counts, 0, VALUES * sizeof(*counts));
  for (int64_t i = 0; i < s->count; i++) {
    uint64_t key;
    const bool counts_here = takes_part(s, &s->hits[i], &key);
    const int above = shift + DIGIT;
    if (counts_here && (above > 63 || (key >> above) == (known >> above))) {
      counts[(key >> shift) & (VALUES - 1)]++;
    }
  }
  exchange_sum(s->team, counts, VALUES);
}

/* The left-th best key, or 0 where there are fewer; `left` becomes its number among its equals, and
 * equals the number of those. */
static uint64_t search(Search *s, int top, int64_t *equals) {
  uint64_t known = 0;
  int64_t counts[VALUES];
  for (int shift = top; shift >= 0; shift -= DIGIT) {
    count_digit(s, known, shift, counts);
    int64_t value = VALUES - 1;
    while (value >= 0 && counts[value] < s->left) {
      s->left -= counts[value--];
    }
    if (value < 0) {
      return 0;
    }
    known |= (uint64_t)value << shift;
    *equals = counts[value];
  }
  return known;
}

void pool_cut(Team *team, const PoolHit *hits, int64_t count, int64_t n, PoolCut *cut) {
  ASSERT(n >= 1);
  Search s = {.team = team, .hits = hits, .count = count, .left = n};
  int64_t equals = 0;
  *cut = (PoolCut){.place = UINT64_MAX};
  s.score = search(&s, 2 * DIGIT, &equals);
  const uint32_t bits = (uint32_t)s.score;
  memcpy(&cut->score, &bits, sizeof(bits));
  if (s.score != 0 && s.left < equals) {
    s.by_place = true;
    cut->place = ~search(&s, 5 * DIGIT, &equals);
  }
}

bool pool_holds(const PoolCut *cut, const PoolHit *hit) {
  return hit->score > cut->score || (hit->score == cut->score && place_of(hit) <= cut->place);
}
