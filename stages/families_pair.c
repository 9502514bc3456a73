#include <math.h>
#include <stdio.h>

#include "exchange.h"
#include "families_picked.h"
#include "families_tile.h"
#include "log.h"
#include "memory.h"
#include "random.h"

static Status read_quantile(const FamiliesRun *run, const FamiliesPair *pair, const char *key,
                            double *value, double *low, double *high) {
  char name[64];
  TRY(archive_get_real(run->neighbours, pair->group, key, value));
  snprintf(name, sizeof name, "%s_low", key);
  TRY(archive_get_real(run->neighbours, pair->group, name, low));
  snprintf(name, sizeof name, "%s_high", key);
  return archive_get_real(run->neighbours, pair->group, name, high);
}

static Status read_null(FamiliesRun *run, FamiliesPair *pair) {
  char name[FAMILIES_NAME + 32];
  FamiliesNull *null = &pair->null;
  int64_t bins = 0;
  TRY(read_quantile(run, pair, "null_median", &null->median, &null->median_low,
                    &null->median_high));
  TRY(read_quantile(run, pair, "null_999", &null->best_999, &null->best_999_low,
                    &null->best_999_high));
  TRY(read_quantile(run, pair, "r2_null_999", &null->r2_999, &null->r2_999_low,
                    &null->r2_999_high));
  TRY(archive_shape(run->neighbours, families_dataset(pair, "null_histogram", name), ARCHIVE_I64, 1,
                    &bins));
  const Status status = bins == VERDICT_BINS
                            ? OK
                            : RAISE(ERR_FORMAT, "%s: %s has %lld bins",
                                    archive_path(run->neighbours), name, (long long)bins);
  TRY_ALL(run->team, status);
  return archive_read(run->neighbours, name, 0, VERDICT_BINS, null->histogram);
}

static Status read_rules(FamiliesRun *run, FamiliesPair *pair) {
  const FamiliesSettings *settings = &run->stage->settings.families;
  TRY(read_null(run, pair));
  TRY(archive_get_real(run->neighbours, pair->group, "median_best", &pair->median_best));
  pair->link = verdict_cut(settings->link, pair->null.best_999);
  pair->rules = (VerdictRules){.strong = settings->strong,
                               .margin = settings->margin,
                               .r2_cut = verdict_cut(settings->r2_min, pair->null.r2_999),
                               .evidence = {.p_min = settings->p_min,
                                            .lift_min = settings->lift_min,
                                            .firings_min = settings->firings_min,
                                            .documents_min = settings->documents_min}};
  return OK;
}

static Status judge_tile(FamiliesPair *pair, const FamiliesTile *tile) {
  const VerdictInput input = {
      .evidence = &tile->evidence,
      .near = tile->tiles->stored,
      .cosine = tile->cosine,
      .cosine_centred = tile->cosine_centred,
      .encoder_cosine = tile->encoder_cosine,
      .is_suggested = tile->is_suggested,
      .parent_narrow = tile->parent_narrow,
      .parent_wide = tile->parent_wide,
      .last = tile->last,
      .span = tile->span,
      .state = pair->child->state + (tile->of.first - pair->child->own.first),
      .best_child = tile->best_child,
      .first = tile->of.first};
  return verdict_add(&pair->table, &input, &pair->rules);
}

/* How near the nearest child of each parent is: which thresholds leave it an edge. */
static Status raise_links(FamiliesRun *run, FamiliesPair *pair, const FamiliesTile *tile) {
  const double least = pair->link < verdict_step(0) ? pair->link : verdict_step(0);
  const int64_t cells = shard_count(tile->of) * tile->most;
  uint32_t *to = NULL;
  float *cosine = NULL;
  int64_t count = 0;
  Status status = MEMORY_NEW(&to, cells, "parents of links");
  if (status == OK) {
    status = MEMORY_NEW(&cosine, cells, "cosines of links");
  }
  status = team_agree(run->team, status);
  ASSERT(status != OK || (to != NULL && cosine != NULL));
  for (int64_t i = 0; status == OK && i < cells; ++i) {
    if ((double)tile->cosine[i] >= least) { /* never with nan: by activation alone, or none */
      to[count] = tile->candidate[i];
      cosine[count++] = tile->cosine[i];
    }
  }
  if (status == OK) {
    status =
        lookup_max(run->team, pair->parent->latents, to, cosine, count, pair->parent->best_link);
  }
  MEMORY_FREE(to);
  MEMORY_FREE(cosine);
  return status;
}

/* Children whose link has enough evidence, and other parents as frequent as theirs. */
typedef struct Matched {
  int64_t *feature; /* [count] places in the tile */
  int64_t count;
  uint32_t *chosen, *other; /* [children of the tile], [count, FAMILIES_MATCHED] */
  uint32_t *drawn;          /* [children of the tile, FAMILIES_MATCHED] */
  FamiliesPicked picked;
  Evidence evidence;
} Matched;

static void matched_close(Matched *matched) {
  MEMORY_FREE(matched->feature);
  MEMORY_FREE(matched->chosen);
  MEMORY_FREE(matched->other);
  MEMORY_FREE(matched->drawn);
  families_picked_close(&matched->picked);
  evidence_close(&matched->evidence);
}

static Status draw_others(const FamiliesRun *run, const FamiliesPair *pair,
                          const FamiliesTile *tile, Matched *matched) {
  const int64_t children = shard_count(tile->of), row = tile->of.first - pair->child->own.first;
  TRY(MEMORY_NEW(&matched->feature, children, "children with links"));
  TRY(MEMORY_NEW(&matched->chosen, children, "chosen parents"));
  TRY(MEMORY_NEW(&matched->drawn, children * FAMILIES_MATCHED, "other parents"));
  for (int64_t c = 0; c < children; ++c) {
    const bool is_linked = (double)pair->table.best[row + c] >= pair->link;
    const bool is_known = is_linked && !isnan(pair->table.p[row + c]);
    matched->chosen[c] = is_known ? pair->table.parent[row + c] : LOOKUP_NONE;
    if (is_known) {
      matched->feature[matched->count++] = c;
    }
  }
  const EvidenceMatched draw = {
      .children = children,
      .first = tile->of.first,
      .chosen = matched->chosen,
      .parents = pair->parent->latents,
      .parent_fired = tile->tiles->parent_fired,
      .key = random_key(run->stage->settings.run.seed, "matched parents", pair->group),
      .most = FAMILIES_MATCHED};
  TRY(evidence_matched(&draw, matched->drawn));
  TRY(MEMORY_NEW(&matched->other, matched->count * FAMILIES_MATCHED, "other parents"));
  for (int64_t i = 0; i < matched->count * FAMILIES_MATCHED; ++i) {
    matched->other[i] = matched->drawn[matched->feature[i / FAMILIES_MATCHED] * FAMILIES_MATCHED +
                                       i % FAMILIES_MATCHED];
  }
  return OK;
}

/* Mean P of the other parents, and the place of the chosen one among them. */
static void rank(FamiliesPair *pair, const Evidence *evidence, int64_t child, int64_t row) {
  int64_t others, both = 0;
  const int64_t place = evidence_rank(evidence, child, pair->table.both[row], &others);
  for (int64_t at = child * FAMILIES_MATCHED; at < (child + 1) * FAMILIES_MATCHED; ++at) {
    both += evidence->narrow[at].both; /* 0 where there is none */
  }
  if (others > 0 && evidence->fired[child] > 0) {
    pair->matched_rank[row] = (uint8_t)place;
    pair->matched_p[row] = (float)((double)both / (double)(others * evidence->fired[child]));
  }
}

static Status count_others(FamiliesPair *pair, const FamiliesTile *tile, Matched *matched) {
  const int64_t row = tile->of.first - pair->child->own.first;
  TRY(families_pick(&matched->picked, &tile->firings.children, matched->feature, matched->count));
  TRY(evidence_count(&matched->evidence, &matched->picked.children, &tile->tiles->codes.source,
                     matched->other, FAMILIES_MATCHED));
  for (int64_t i = 0; i < matched->count; ++i) {
    rank(pair, &matched->evidence, i, row + matched->feature[i]);
  }
  return OK;
}

static Status match(const FamiliesRun *run, FamiliesPair *pair, const FamiliesTile *tile) {
  Matched matched = {0};
  Status status = draw_others(run, pair, tile, &matched);
  if (status == OK) {
    status = count_others(pair, tile, &matched);
  }
  matched_close(&matched);
  return status;
}

static Status judge_tiles(FamiliesRun *run, FamiliesPair *pair, int64_t done,
                          const FamiliesTiles *tiles, FamiliesTile *tile) {
  const bool are_levels = pair->child->level >= 0 && pair->parent->level >= 0;
  TRY_ALL(run->team, families_tile_take(tile, tiles));
  for (int64_t index = 0; index < tiles->count; ++index) {
    progress_step(&run->bar, done + run->rows * index / tiles->count);
    TRY(families_tile_fill(tile, index));
    TRY_ALL(run->team, judge_tile(pair, tile));
    if (are_levels) {
      TRY(raise_links(run, pair, tile));
    }
    TRY_ALL(run->team, match(run, pair, tile));
  }
  return OK;
}

static Status take_pair(FamiliesPair *pair) {
  const int64_t own = shard_count(pair->child->own);
  TRY(verdict_open(&pair->table, own, pair->link));
  TRY(MEMORY_NEW(&pair->matched_rank, own, "ranks among other parents"));
  TRY(MEMORY_NEW(&pair->matched_p, own, "shares of other parents"));
  for (int64_t i = 0; i < own; ++i) {
    pair->matched_p[i] = NAN;
  }
  return OK;
}

static Status judge(FamiliesRun *run, FamiliesPair *pair, int64_t done) {
  FamiliesTiles tiles = {0};
  FamiliesTile tile = {0};
  TRY(read_rules(run, pair));
  TRY_ALL(run->team, take_pair(pair));
  Status status = families_tiles_open(&tiles, run, pair);
  if (status == OK) {
    status = judge_tiles(run, pair, done, &tiles, &tile);
  }
  families_tile_close(&tile);
  families_tiles_close(&tiles);
  return status == OK ? families_absorb(run, pair) : status;
}

Status families_judge_pairs(FamiliesRun *run) {
  progress_open(&run->bar, run->team, "evidence", "rows", run->rows * run->pair_count);
  for (int64_t i = 0; i < run->pair_count; ++i) {
    TRY(judge(run, &run->pairs[i], i * run->rows));
  }
  progress_close(&run->bar, run->rows * run->pair_count);
  return OK;
}
