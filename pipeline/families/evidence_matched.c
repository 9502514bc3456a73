#include "evidence.h"
#include "lookup.h"
#include "memory.h"
#include "random.h"

enum { QUARTERS = 4, BINS = 32 * QUARTERS };

/* Quarter of an octave of n > 0, by comparisons alone: libm's logarithms differ between CPUs. */
static int bin_of(uint32_t n) {
  static const double CUTS[QUARTERS - 1] = {1.189207115002721, 1.414213562373095,
                                            1.681792830507429}; /* 2^(1/4), ... */
  const int octave = 31 - __builtin_clz(n);
  const double rest = (double)n / (double)((uint32_t)1 << octave);
  int quarter = 0;
  while (quarter < QUARTERS - 1 && rest >= CUTS[quarter]) {
    ++quarter;
  }
  return octave * QUARTERS + quarter;
}

/* Parents that fire, by bin; ids ascend within a bin. */
typedef struct Bins {
  int64_t start[BINS + 1];
  uint32_t *id; /* [parents] */
} Bins;

static Status fill_bins(const EvidenceMatched *matched, Bins *bins) {
  int64_t place[BINS];
  TRY(MEMORY_NEW(&bins->id, matched->parents, "parents by frequency"));
  for (int64_t p = 0; p < matched->parents; ++p) {
    if (matched->parent_fired[p] > 0) {
      ++bins->start[bin_of(matched->parent_fired[p]) + 1];
    }
  }
  for (int b = 0; b < BINS; ++b) {
    bins->start[b + 1] += bins->start[b];
    place[b] = bins->start[b];
  }
  for (int64_t p = 0; p < matched->parents; ++p) {
    if (matched->parent_fired[p] > 0) {
      bins->id[place[bin_of(matched->parent_fired[p])]++] = (uint32_t)p;
    }
  }
  return OK;
}

static int64_t place_of(const Bins *bins, int bin, uint32_t id) {
  int64_t low = bins->start[bin], high = bins->start[bin + 1];
  while (high - low > 1) {
    const int64_t middle = low + (high - low) / 2;
    *(bins->id[middle] <= id ? &low : &high) = middle;
  }
  return low;
}

static void draw(const EvidenceMatched *matched, const Bins *bins, int64_t child, uint32_t *out) {
  const uint32_t chosen = matched->chosen[child];
  const bool is_there = chosen != LOOKUP_NONE && matched->parent_fired[chosen] > 0;
  const int bin = is_there ? bin_of(matched->parent_fired[chosen]) : 0;
  const int64_t first = bins->start[bin];
  const int64_t others = is_there ? bins->start[bin + 1] - first - 1 : 0;
  const int64_t place = is_there ? place_of(bins, bin, chosen) - first : 0;
  const uint64_t key = random_subkey(matched->key, (uint64_t)(matched->first + child));
  for (int64_t j = 0; j < matched->most; ++j) {
    const int64_t other = j < others ? random_permute(key, others, j) : 0;
    out[j] = j < others ? bins->id[first + other + (other >= place)] : LOOKUP_NONE;
  }
}

Status evidence_matched(const EvidenceMatched *matched, uint32_t *out) {
  Bins bins = {{0}, NULL};
  for (int64_t child = 0; child < matched->children; ++child) {
    if (matched->chosen[child] != LOOKUP_NONE && matched->chosen[child] >= matched->parents) {
      return RAISE(ERR_FORMAT, "chosen parent %lld of %lld: run cleave-compare again",
                   (long long)matched->chosen[child], (long long)matched->parents);
    }
  }
  TRY(fill_bins(matched, &bins));
  for (int64_t child = 0; child < matched->children; ++child) {
    draw(matched, &bins, child, out + child * matched->most);
  }
  MEMORY_FREE(bins.id);
  return OK;
}

int64_t evidence_rank(const Evidence *evidence, int64_t child, int64_t both, int64_t *others) {
  int64_t rank = 1;
  *others = 0;
  for (int64_t at = child * evidence->candidates; at < (child + 1) * evidence->candidates; ++at) {
    if (evidence->candidate[at] != LOOKUP_NONE) {
      ++*others;
      rank += evidence->narrow[at].both >= both;
    }
  }
  return rank;
}
