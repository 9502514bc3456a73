#include <math.h>
#include <stdio.h>

#include "families_picked.h"
#include "families_run.h"
#include "memory.h"

enum { TILE = 1 << 16 }; /* features whose firings are here at once */

/* The other dictionary of the same size, and where neighbours.h5 has its nearest features. */
typedef struct Twin {
  const FamiliesDictionary *one;
  char id[FAMILIES_NAME + 32], cosine[FAMILIES_NAME + 32];
} Twin;

static void name_twin(const FamiliesRun *run, int64_t control, bool of_control, Twin *twin) {
  const int64_t level = run->dictionaries[control].twin;
  const FamiliesPair *pair = families_pair(run, control, level);
  ASSERT(pair != NULL);
  twin->one = &run->dictionaries[of_control ? level : control];
  families_dataset(pair, of_control ? "parent_id" : "child_id", twin->id);
  families_dataset(pair, of_control ? "cosine" : "child_cosine", twin->cosine);
}

/* Features of a dictionary that may be novel, a tile at a time. */
typedef struct Search {
  FamiliesRun *run;
  const FamiliesDictionary *one;
  const Twin *twin;
  uint8_t *is_new, *has_like; /* [own] */
  uint32_t *twin_fired;       /* [twin's latents] */
  FamiliesCodes codes;        /* the twin's */
  int64_t stored, suggested;
  /* of the tile */
  Shard of;
  int64_t *feature; /* [count] own indices of those that are open */
  int64_t count;
  uint32_t *id;  /* [of, stored] */
  float *cosine; /* [of, stored] */
  FamiliesFirings firings;
  FamiliesPicked open;
} Search;

static void search_close(Search *search) {
  MEMORY_FREE(search->is_new);
  MEMORY_FREE(search->twin_fired);
  families_codes_close(&search->codes);
}

static void tile_close(Search *search) {
  families_firings_close(&search->firings);
  search->firings = (FamiliesFirings){0};
  MEMORY_FREE(search->feature);
  MEMORY_FREE(search->id);
  MEMORY_FREE(search->cosine);
  families_picked_close(&search->open);
}

static Status tile_take(Search *search) {
  const int64_t count = shard_count(search->of);
  TRY(MEMORY_NEW(&search->feature, count, "new features"));
  TRY(MEMORY_NEW(&search->id, count * search->stored, "features of the twin"));
  return MEMORY_NEW(&search->cosine, count * search->stored, "features of the twin");
}

/* A decoder cosine that is strong settles it; the others are open. */
static void look_at_cosines(Search *search) {
  const double strong = search->run->stage->settings.families.strong;
  const int64_t first = search->of.first - search->one->own.first;
  search->count = 0;
  for (int64_t i = 0; i < shard_count(search->of); ++i) {
    if (search->is_new[first + i] && !search->has_like[first + i]) {
      const bool is_like = search->id[i * search->stored] != LOOKUP_NONE &&
                           (double)search->cosine[i * search->stored] >= strong;
      search->has_like[first + i] = is_like;
      if (!is_like) {
        search->feature[search->count++] = i;
      }
    }
  }
}

/* The firings of the open features alone. */
static Status pick_firings(Search *search) {
  TRY(families_firings_read(&search->firings, search->one, search->of));
  return families_pick(&search->open, &search->firings.children, search->feature, search->count);
}

/* Candidates in the twin: by cosine, then those by activation that are not among them. */
static Status list_candidates(const Search *search, uint32_t *candidate) {
  const int64_t places = search->stored + search->suggested;
  uint32_t *suggestion = NULL;
  TRY(MEMORY_NEW(&suggestion, search->count * search->suggested, "suggested features"));
  const EvidenceSuggest suggest = {.children = &search->open.children,
                                   .source = &search->codes.source,
                                   .parent_fired = search->twin_fired,
                                   .lift_min = search->run->stage->settings.families.lift_min,
                                   .most = search->suggested,
                                   .bytes = 1 << 28};
  const Status status = search->suggested > 0 ? evidence_suggest(&suggest, suggestion) : OK;
  for (int64_t i = 0; status == OK && i < search->count; ++i) {
    uint32_t *own = candidate + i * places;
    for (int64_t j = 0; j < places; ++j) {
      const int64_t s = j - search->stored;
      own[j] = s < 0 ? search->id[search->feature[i] * search->stored + j]
                     : suggestion[i * search->suggested + s];
      for (int64_t other = 0; s >= 0 && other < search->stored; ++other) {
        own[j] = own[j] == own[other] ? LOOKUP_NONE : own[j];
      }
    }
  }
  MEMORY_FREE(suggestion);
  return status;
}

/* Sums of activations of the twin's features. */
typedef struct Sums {
  double sum, square;
} Sums;

static Status look_up_sums(const Search *search, const uint32_t *candidate, int64_t cells,
                           Sums *out) {
  const FamiliesDictionary *twin = search->twin->one;
  Sums *own = NULL;
  TRY_NEW(search->run->team, &own, shard_count(twin->own), "sums of activations");
  for (int64_t i = 0; i < shard_count(twin->own); ++i) {
    own[i] = (Sums){twin->sum[i], twin->sum_square[i]};
  }
  const Status status =
      lookup_items(search->run->team, twin->latents, own, sizeof *own, candidate, cells, out);
  MEMORY_FREE(own);
  return status;
}

/* Pearson correlation of two activations over all rows, from their sums. */
static double correlation(double product, double rows, Sums a, Sums b) {
  const double spread_a = a.square - a.sum * a.sum / rows;
  const double spread_b = b.square - b.sum * b.sum / rows;
  return spread_a > 0 && spread_b > 0
             ? (product - a.sum * b.sum / rows) / (sqrt(spread_a) * sqrt(spread_b))
             : NAN;
}

static void compare_activations(Search *search, const Evidence *evidence, const Sums *sums) {
  const int64_t first = search->of.first - search->one->own.first;
  for (int64_t i = 0; i < search->count; ++i) {
    const int64_t own = first + search->feature[i];
    const Sums mine = {search->one->sum[own], search->one->sum_square[own]};
    for (int64_t at = i * evidence->candidates; at < (i + 1) * evidence->candidates; ++at) {
      if (evidence->candidate[at] != LOOKUP_NONE &&
          correlation(evidence->product[at], (double)evidence->rows, mine, sums[at]) >=
              VERDICT_LIKE_CORRELATION) {
        search->has_like[own] = 1;
      }
    }
  }
}

static Status take_counts(const Search *search, uint32_t **candidate, Sums **sums) {
  const int64_t cells = search->count * (search->stored + search->suggested);
  TRY(MEMORY_NEW(candidate, cells, "features of the twin"));
  TRY(MEMORY_NEW(sums, cells, "features of the twin"));
  return list_candidates(search, *candidate);
}

static Status count_open(Search *search) {
  const int64_t places = search->stored + search->suggested;
  uint32_t *candidate = NULL;
  Sums *sums = NULL;
  Evidence evidence = {0};
  Status status = team_agree(search->run->team, take_counts(search, &candidate, &sums));
  if (status == OK) {
    status = look_up_sums(search, candidate, search->count * places, sums);
  }
  if (status == OK) {
    status =
        team_agree(search->run->team, evidence_count(&evidence, &search->open.children,
                                                     &search->codes.source, candidate, places));
  }
  if (status == OK) {
    compare_activations(search, &evidence, sums);
  }
  evidence_close(&evidence);
  MEMORY_FREE(candidate);
  MEMORY_FREE(sums);
  return status;
}

static Status search_tile(Search *search) {
  FamiliesRun *run = search->run;
  TRY_ALL(run->team, tile_take(search));
  TRY(archive_read(run->neighbours, search->twin->id, search->of.first, shard_count(search->of),
                   search->id));
  TRY(archive_read(run->neighbours, search->twin->cosine, search->of.first, shard_count(search->of),
                   search->cosine));
  TRY_ALL(run->team,
          families_check_ids(search->twin->id, "feature", search->id,
                             shard_count(search->of) * search->stored, search->twin->one->latents));
  look_at_cosines(search);
  TRY_ALL(run->team, pick_firings(search));
  return count_open(search);
}

static Status search_tiles(Search *search) {
  const Shard own = search->one->own;
  /* The same number of tiles on all ranks: rank 0 has the most features. */
  const int64_t most = shard_count(shard_of(
      search->one->latents, shard_latent_block(search->one->latents), 0, search->run->team->size));
  for (int64_t done = 0; done < most; done += TILE) {
    const int64_t first = own.first + done, past = first + TILE;
    search->of = (Shard){first < own.past ? first : own.past, past < own.past ? past : own.past};
    const Status status = search_tile(search);
    tile_close(search);
    TRY(status);
  }
  return OK;
}

static void mark_new(const FamiliesRun *run, const FamiliesDictionary *one, uint8_t *is_new) {
  for (int64_t p = 0; p < run->pair_count; ++p) {
    const FamiliesPair *pair = &run->pairs[p];
    for (int64_t i = 0; pair->child == one && i < pair->table.count; ++i) {
      is_new[i] = is_new[i] || pair->table.is_new[i];
    }
  }
}

static void settle(FamiliesRun *run, const FamiliesDictionary *one, const uint8_t *has_like) {
  for (int64_t p = 0; p < run->pair_count; ++p) {
    FamiliesPair *pair = &run->pairs[p];
    for (int64_t i = 0; pair->child == one && i < pair->table.count; ++i) {
      if (pair->table.is_new[i]) {
        verdict_set_new(&pair->table, i, has_like[i] != 0);
      }
    }
  }
}

static Status take_search(Search *search) {
  TRY(MEMORY_NEW(&search->is_new, shard_count(search->one->own), "new features"));
  return MEMORY_NEW(&search->twin_fired, search->twin->one->latents, "firings of the twin");
}

static Status open_search(Search *search) {
  int64_t shape[2];
  FamiliesRun *run = search->run;
  TRY(archive_shape(run->neighbours, search->twin->id, ARCHIVE_U32, 2, shape));
  search->stored = shape[1];
  search->suggested = run->stage->settings.families.suggested;
  TRY_ALL(run->team, take_search(search));
  TRY(families_gather_fired(run, search->twin->one, search->twin_fired));
  mark_new(run, search->one, search->is_new);
  return families_codes_open(&search->codes, run, search->twin->one);
}

static Status search_twin(FamiliesRun *run, const FamiliesDictionary *one, const Twin *twin,
                          uint8_t *has_like) {
  Search search = {.run = run, .one = one, .twin = twin, .has_like = has_like};
  Status status = open_search(&search);
  if (status == OK) {
    status = search_tiles(&search);
  }
  search_close(&search);
  return status;
}

/* A feature with several twins needs a like one in any of them. */
static Status match(FamiliesRun *run, int64_t index) {
  const FamiliesDictionary *one = &run->dictionaries[index];
  uint8_t *has_like = NULL;
  bool has_twin = false;
  TRY_NEW(run->team, &has_like, shard_count(one->own), "like features");
  Status status = OK;
  for (int64_t control = 0; status == OK && control < run->count; ++control) {
    const int64_t level = run->dictionaries[control].twin;
    if (level >= 0 && (level == index || control == index)) {
      Twin twin;
      name_twin(run, control, control == index, &twin);
      has_twin = true;
      status = search_twin(run, one, &twin, has_like);
    }
  }
  if (status == OK && has_twin) {
    settle(run, one, has_like);
  }
  MEMORY_FREE(has_like);
  return status;
}

Status families_match_twins(FamiliesRun *run) {
  for (int64_t i = 0; i < run->count; ++i) {
    TRY(match(run, i));
  }
  return OK;
}
