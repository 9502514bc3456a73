#include <math.h>
#include <stdio.h>

#include "dense.h"
#include "exchange.h"
#include "families_picked.h"
#include "families_run.h"
#include "memory.h"

enum { TILE = 1 << 18 }; /* children counted at once */

/* The kept child of a parent; parents have one at most, being mutual. */
typedef struct Kept {
  uint32_t parent, child;
  uint64_t at; /* thresholds where it is kept */
} Kept;

static Status list_kept(const FamiliesPair *pair, Kept **kept, uint32_t **to, int64_t *count) {
  const VerdictTable *table = &pair->table;
  TRY(MEMORY_NEW(kept, table->count, "kept children"));
  TRY(MEMORY_NEW(to, table->count, "parents of kept children"));
  for (int64_t i = 0; i < table->count; ++i) {
    const uint64_t at = verdict_kept_at(table, i);
    if (at != 0) {
      (*to)[*count] = table->first_parent[i];
      (*kept)[(*count)++] =
          (Kept){table->first_parent[i], (uint32_t)(pair->child->own.first + i), at};
    }
  }
  return OK;
}

static Status place_kept(const FamiliesPair *pair, const Kept *arrived, int64_t count,
                         Kept **of_parent) {
  const Shard own = pair->parent->own;
  TRY(MEMORY_NEW(of_parent, shard_count(own), "kept children"));
  for (int64_t p = 0; p < shard_count(own); ++p) {
    (*of_parent)[p] = (Kept){LOOKUP_NONE, LOOKUP_NONE, 0};
  }
  for (int64_t i = 0; i < count; ++i) {
    (*of_parent)[arrived[i].parent - own.first] = arrived[i];
  }
  return OK;
}

/* [own parents] the kept child of each. */
static Status gather_kept(FamiliesRun *run, const FamiliesPair *pair, Kept **of_parent) {
  Kept *kept = NULL;
  uint32_t *to = NULL;
  void *arrived = NULL;
  int64_t count = 0, received = 0;
  Status status = team_agree(run->team, list_kept(pair, &kept, &to, &count));
  if (status == OK) {
    status = lookup_deliver(run->team, pair->parent->latents, to, kept, sizeof *kept, count,
                            &arrived, &received);
  }
  if (status == OK) {
    status = team_agree(run->team, place_kept(pair, arrived, received, of_parent));
  }
  MEMORY_FREE(kept);
  MEMORY_FREE(to);
  MEMORY_FREE(arrived);
  return status;
}

/* Children whose parent with evidence has a kept child other than themselves. */
static Status find_siblings(FamiliesRun *run, const FamiliesPair *pair, Kept *sibling) {
  const VerdictTable *table = &pair->table;
  Kept *of_parent = NULL;
  for (int64_t i = 0; i < table->count; ++i) {
    sibling[i] = (Kept){LOOKUP_NONE, LOOKUP_NONE, 0};
  }
  Status status = gather_kept(run, pair, &of_parent);
  if (status == OK) {
    status = lookup_items(run->team, pair->parent->latents, of_parent, sizeof *of_parent,
                          table->convinced, table->count, sibling);
  }
  for (int64_t i = 0; status == OK && i < table->count; ++i) {
    const bool is_self = (int64_t)sibling[i].child == pair->child->own.first + i;
    sibling[i].child = is_self ? LOOKUP_NONE : sibling[i].child;
  }
  MEMORY_FREE(of_parent);
  return status;
}

/* One child and its sibling, by their encoder rows. */
typedef struct Encoders {
  const FamiliesDictionary *one;
  float *row[2]; /* [width] */
} Encoders;

static Status read_cosine(const Encoders *encoders, int64_t child, int64_t sibling, double *out) {
  const int64_t width = encoders->one->width;
  TRY(archive_read_here(encoders->one->file, "/w_enc", child, 1, encoders->row[0]));
  TRY(archive_read_here(encoders->one->file, "/w_enc", sibling, 1, encoders->row[1]));
  const double lengths =
      sqrt(dense_square(encoders->row[0], width)) * sqrt(dense_square(encoders->row[1], width));
  *out = lengths > 0 ? (double)dense_dot(encoders->row[0], encoders->row[1], width) / lengths : NAN;
  return OK;
}

/* Children of a tile that have such a sibling. */
typedef struct Asked {
  int64_t *feature;  /* [count] places in the table */
  uint32_t *sibling; /* [count] */
  int64_t count;
  FamiliesPicked picked;
  Evidence evidence;
} Asked;

static void asked_close(Asked *asked) {
  MEMORY_FREE(asked->feature);
  MEMORY_FREE(asked->sibling);
  families_picked_close(&asked->picked);
  evidence_close(&asked->evidence);
}

static Status ask(Asked *asked, const Kept *sibling, int64_t first, int64_t past) {
  TRY(MEMORY_NEW(&asked->feature, past - first, "children with kept siblings"));
  TRY(MEMORY_NEW(&asked->sibling, past - first, "kept siblings"));
  for (int64_t i = first; i < past; ++i) {
    if (sibling[i].child != LOOKUP_NONE) {
      asked->feature[asked->count] = i - first;
      asked->sibling[asked->count++] = sibling[i].child;
    }
  }
  return OK;
}

/* Few children come so far: their encoder rows are read one by one. */
static Status decide(FamiliesPair *pair, const Asked *asked, const Kept *sibling, int64_t first,
                     const Encoders *encoders) {
  const Evidence *evidence = &asked->evidence;
  for (int64_t i = 0; i < asked->count; ++i) {
    const int64_t child = first + asked->feature[i];
    const EvidenceShare share =
        evidence_share(evidence, &evidence->narrow[i], i, 1, &pair->rules.evidence);
    double cosine = -1;
    if (verdict_absorbs(&share, cosine)) {
      TRY(read_cosine(encoders, pair->child->own.first + child, asked->sibling[i], &cosine));
      if (verdict_absorbs(&share, cosine)) {
        verdict_set_absorbed(&pair->table, child, sibling[child].at);
      }
    }
  }
  return OK;
}

static Status count_tile(FamiliesPair *pair, FamiliesCodes *codes, FamiliesFirings *firings,
                         const Kept *sibling, int64_t first, const Encoders *encoders) {
  const int64_t past = first + TILE < pair->table.count ? first + TILE : pair->table.count;
  const int64_t own = pair->child->own.first;
  Asked asked = {0};
  Status status = ask(&asked, sibling, first, past);
  if (status == OK && asked.count > 0) {
    status = families_firings_read(firings, pair->child, (Shard){own + first, own + past});
    if (status == OK) {
      status = families_pick(&asked.picked, &firings->children, asked.feature, asked.count);
    }
    if (status == OK) {
      status =
          evidence_count(&asked.evidence, &asked.picked.children, &codes->source, asked.sibling, 1);
    }
    if (status == OK) {
      status = decide(pair, &asked, sibling, first, encoders);
    }
  }
  asked_close(&asked);
  return status;
}

static Status count_all(FamiliesPair *pair, FamiliesCodes *codes, const Kept *sibling) {
  Encoders encoders = {.one = pair->child};
  FamiliesFirings firings = {0};
  Status status = MEMORY_NEW(&encoders.row[0], pair->child->width, "encoder rows");
  if (status == OK) {
    status = MEMORY_NEW(&encoders.row[1], pair->child->width, "encoder rows");
  }
  for (int64_t first = 0; status == OK && first < pair->table.count; first += TILE) {
    status = count_tile(pair, codes, &firings, sibling, first, &encoders);
  }
  families_firings_close(&firings);
  MEMORY_FREE(encoders.row[0]);
  MEMORY_FREE(encoders.row[1]);
  return status;
}

/* Inside the children's own dictionary: does the kept sibling stay silent where the child fires? */
Status families_absorb(FamiliesRun *run, FamiliesPair *pair) {
  FamiliesCodes codes = {0};
  Kept *sibling = NULL;
  TRY_NEW(run->team, &sibling, pair->table.count, "kept siblings");
  Status status = find_siblings(run, pair, sibling);
  if (status == OK) {
    status = families_codes_open(&codes, run, pair->child);
  }
  if (status == OK) {
    status = team_agree(run->team, count_all(pair, &codes, sibling));
  }
  families_codes_close(&codes);
  MEMORY_FREE(sibling);
  return status;
}
