#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exchange.h"
#include "families_codes.h"
#include "families_run.h"
#include "log.h"
#include "memory.h"
#include "schema.h"

static Status check_rows(const FamiliesRun *run, const FamiliesDictionary *one, int64_t rows,
                         const char *activations) {
  if (strcmp(activations, archive_content(run->activations)) != 0 || rows != run->rows) {
    return RAISE(ERR_STALE, "%s was made from another %s: run cleave-encode again",
                 archive_path(one->codes), archive_path(run->activations));
  }
  return OK;
}

static Status check_latents(const FamiliesDictionary *one, Archive *file, int64_t latents) {
  if (latents != one->latents) {
    return RAISE(ERR_DATA, "%s has %lld latents of %s, but run.yaml declares %lld",
                 archive_path(file), (long long)latents, one->settings->name,
                 (long long)one->latents);
  }
  return OK;
}

static Status check_codes(FamiliesRun *run, FamiliesDictionary *one) {
  char *activations = NULL;
  int64_t rows = 0, latents = 0;
  TRY(archive_shape(one->codes, "/firings", ARCHIVE_I64, 1, &latents));
  TRY_ALL(run->team, check_latents(one, one->codes, latents));
  TRY(archive_get_integer(one->codes, "/", "rows", &rows));
  TRY(archive_get_real(one->codes, "/", "share_30", &one->share_30));
  TRY(archive_get_real(one->codes, "/", "l0", &one->l0));
  TRY(archive_get_text(one->codes, "/", "activations", &activations));
  const Status status = team_agree(run->team, check_rows(run, one, rows, activations));
  MEMORY_FREE(activations);
  return status;
}

static Status open_file(FamiliesRun *run, const char *name, const char *schema, const char *maker,
                        Archive **out) {
  char *path = NULL;
  TRY_OWN(run->team, &path, stage_path(run->stage, &path, "%s", name));
  const Status status = archive_open(run->team, path, schema, maker, out);
  MEMORY_FREE(path);
  return status;
}

static Status open_one(FamiliesRun *run, const FamiliesDictionary *one, const char *folder,
                       const char *schema, const char *maker, Archive **out) {
  char name[FAMILIES_NAME];
  snprintf(name, sizeof name, "%s/%s.h5", folder, one->settings->name);
  return open_file(run, name, schema, maker, out);
}

static Status open_codes(FamiliesRun *run, FamiliesDictionary *one) {
  TRY(open_one(run, one, "codes", SCHEMA_CODES, "cleave-encode", &one->codes));
  return check_codes(run, one);
}

static Status open_dictionary(FamiliesRun *run, FamiliesDictionary *one) {
  int64_t shape[2];
  TRY(open_one(run, one, "dictionaries", SCHEMA_DICTIONARY, "cleave-train or cleave-import",
               &one->file));
  TRY(archive_shape(one->file, "/w_dec", ARCHIVE_F32, 2, shape));
  TRY(archive_expect(one->file, "/w_enc", ARCHIVE_F32, 2, shape));
  TRY_ALL(run->team, check_latents(one, one->file, shape[0]));
  one->width = shape[1];
  return archive_get_text(one->file, "/", "architecture", &one->architecture);
}

static Status open_activations(FamiliesRun *run) {
  TRY(open_file(run, "activations.h5", SCHEMA_ACTIVATIONS, "cleave-harvest", &run->activations));
  run->has_tokens = archive_has(run->activations, "/token");
  TRY(archive_shape(run->activations, "/document", ARCHIVE_U32, 1, &run->rows));
  TRY(archive_shape(run->activations, "/document_start", ARCHIVE_I64, 1, &run->documents));
  --run->documents;
  return archive_get_integer(run->activations, "/", "document_rows", &run->document_rows);
}

static Status open_all_codes(FamiliesRun *run) {
  for (int64_t i = 0; i < run->count; ++i) {
    TRY(open_codes(run, &run->dictionaries[i]));
    TRY(open_dictionary(run, &run->dictionaries[i]));
  }
  return OK;
}

/* Levels as declared are ascending; of_level lists them. */
static void order_levels(FamiliesRun *run) {
  const Settings *settings = &run->stage->settings;
  for (int64_t i = 0; i < run->count; ++i) {
    FamiliesDictionary *one = &run->dictionaries[i];
    one->settings = &settings->dictionaries[i];
    one->latents = one->settings->latents;
    one->own = lookup_own(run->team, one->latents);
    one->level = settings_is_level(settings, i) ? run->levels : -1;
    one->twin = one->level < 0 ? settings_find(settings, one->settings->control_of) : -1;
    if (one->level >= 0) {
      run->of_level[run->levels++] = i;
    }
  }
  for (int64_t i = 0; i < run->count; ++i) {
    FamiliesDictionary *one = &run->dictionaries[i];
    one->below = -1;
    for (int64_t l = 0; l < run->levels; ++l) {
      if (run->dictionaries[run->of_level[l]].latents < one->latents) {
        one->below = run->of_level[l];
      }
    }
  }
}

static Status order_pairs(FamiliesRun *run) {
  SettingsPair *pairs = NULL;
  TRY(MEMORY_NEW(&pairs, run->pair_count, "pairs"));
  settings_pairs(&run->stage->settings, pairs);
  for (int64_t i = 0; i < run->pair_count; ++i) {
    FamiliesPair *pair = &run->pairs[i];
    pair->child = &run->dictionaries[pairs[i].child];
    pair->parent = &run->dictionaries[pairs[i].parent];
    snprintf(pair->group, sizeof pair->group, "/pair/%.100s/%.100s", pair->child->settings->name,
             pair->parent->settings->name);
  }
  MEMORY_FREE(pairs);
  return OK;
}

static Status take_run(FamiliesRun *run) {
  run->count = run->stage->settings.count;
  run->pair_count = settings_pairs(&run->stage->settings, NULL);
  TRY(MEMORY_NEW(&run->dictionaries, run->count, "dictionaries"));
  TRY(MEMORY_NEW(&run->of_level, run->count, "levels"));
  TRY(MEMORY_NEW(&run->pairs, run->pair_count, "pairs"));
  order_levels(run);
  if (run->levels < 2) {
    return RAISE(ERR_CONFIG, "%s declares %lld level%s: families need two or more",
                 run->stage->yaml, (long long)run->levels, run->levels == 1 ? "" : "s");
  }
  return order_pairs(run);
}

static Status open_neighbours(FamiliesRun *run) {
  char name[FAMILIES_NAME + 32];
  TRY(open_file(run, "neighbours.h5", SCHEMA_NEIGHBOURS, "cleave-compare", &run->neighbours));
  for (int64_t i = 0; i < run->count; ++i) {
    const FamiliesDictionary *one = &run->dictionaries[i];
    int64_t latents = 0;
    snprintf(name, sizeof name, "/dictionary/%.200s/state", one->settings->name);
    TRY(archive_shape(run->neighbours, name, ARCHIVE_U8, 1, &latents));
    TRY_ALL(run->team, check_latents(one, run->neighbours, latents));
  }
  return OK;
}

Status families_open(FamiliesRun *run, Stage *stage) {
  run->stage = stage;
  run->team = &stage->team;
  TRY_ALL(run->team, take_run(run));
  TRY(open_activations(run));
  TRY(open_all_codes(run));
  return open_neighbours(run);
}

Status families_stamp(FamiliesRun *run, Stamp *stamp) {
  const char *labels = run->stage->settings.report.labels;
  stamp_open(stamp, "families 3");
  stamp_add_fingerprint(stamp,
                        config_fingerprint(&SETTINGS_FAMILIES, &run->stage->settings.families));
  stamp_add_text(stamp, archive_content(run->activations));
  stamp_add_text(stamp, archive_content(run->neighbours));
  for (int64_t i = 0; i < run->count; ++i) {
    const FamiliesDictionary *one = &run->dictionaries[i];
    stamp_add_text(stamp, one->settings->name);
    stamp_add_text(stamp, one->settings->control_of);
    stamp_add_text(stamp, archive_content(one->codes));
    stamp_add_text(stamp, archive_content(one->file));
  }
  return labels[0] == '\0' ? OK : stamp_add_file(stamp, run->team, labels);
}

FamiliesPair *families_pair(const FamiliesRun *run, int64_t child, int64_t parent) {
  for (int64_t i = 0; i < run->pair_count; ++i) {
    if (run->pairs[i].child == &run->dictionaries[child] &&
        run->pairs[i].parent == &run->dictionaries[parent]) {
      return &run->pairs[i];
    }
  }
  return NULL;
}

int64_t families_index(const FamiliesRun *run, const FamiliesDictionary *one) {
  return one - run->dictionaries;
}

FamiliesDictionary *families_level(const FamiliesRun *run, int64_t level) {
  return &run->dictionaries[run->of_level[level]];
}

const char *families_dataset(const FamiliesPair *pair, const char *column, char *name) {
  snprintf(name, FAMILIES_NAME + 32, "%s/%s", pair->group, column);
  return name;
}

Status families_check_ids(const char *place, const char *kind, const uint32_t *id, int64_t count,
                          int64_t latents) {
  for (int64_t i = 0; i < count; ++i) {
    if (id[i] != LOOKUP_NONE && (int64_t)id[i] >= latents) {
      return RAISE(ERR_FORMAT, "%s: %s %lld of %lld: run cleave-compare again", place, kind,
                   (long long)id[i], (long long)latents);
    }
  }
  return OK;
}

static Status take_features(FamiliesDictionary *one) {
  const int64_t own = shard_count(one->own);
  TRY(MEMORY_NEW(&one->state, own, "states"));
  TRY(MEMORY_NEW(&one->fired, own, "firings"));
  TRY(MEMORY_NEW(&one->sum, own, "sums of activations"));
  TRY(MEMORY_NEW(&one->sum_square, own, "sums of activations"));
  TRY(MEMORY_NEW(&one->representative, own, "representatives"));
  TRY(MEMORY_NEW(&one->counts, own, "features that count"));
  TRY(MEMORY_NEW(&one->flags, own, "flags"));
  TRY(MEMORY_NEW(&one->parent_status, own, "parent statuses"));
  TRY(MEMORY_NEW(&one->roots, own, "roots"));
  TRY(MEMORY_NEW(&one->in_degree, own, "in-degrees"));
  TRY(MEMORY_NEW(&one->forest_children, own, "forest children"));
  TRY(MEMORY_NEW(&one->best_link, own, "cosines of children"));
  TRY(MEMORY_NEW(&one->coverage, own, "coverage"));
  TRY(MEMORY_NEW(&one->hole_share, own, "shares of holes"));
  TRY(MEMORY_NEW(&one->rebuilt, own, "what children rebuild"));
  TRY(MEMORY_NEW(&one->hamming, own, "distances from children"));
  for (int64_t i = 0; i < own; ++i) {
    one->best_link[i] = -2;
  }
  return OK;
}

static Status check_states(const FamiliesDictionary *one) {
  for (int64_t i = 0; i < shard_count(one->own); ++i) {
    if (one->state[i] > DIRECTION_ALIVE) {
      return RAISE(ERR_FORMAT, "state %d of feature %s/%lld: run cleave-compare again",
                   one->state[i], one->settings->name, (long long)(one->own.first + i));
    }
  }
  return OK;
}

/* Rows where each own feature fires; TopK rows store the next k too. */
static Status count_fired(FamiliesRun *run, const FamiliesDictionary *one, int64_t *narrow,
                          int64_t *wide) {
  FamiliesCodes codes;
  Status status = families_codes_open(&codes, run, one);
  if (status == OK) {
    status = team_agree(run->team, evidence_fired(&codes.source, one->own, narrow, wide));
  }
  families_codes_close(&codes);
  for (int64_t i = 0; status == OK && i < shard_count(one->own); ++i) {
    one->fired[i] = (FamiliesFired){narrow[i], wide[i]};
  }
  return status;
}

static Status read_fired(FamiliesRun *run, const FamiliesDictionary *one) {
  const int64_t own = shard_count(one->own);
  int64_t *narrow = NULL, *wide = NULL;
  Status status = MEMORY_NEW(&narrow, own, "firings");
  if (status == OK) {
    status = MEMORY_NEW(&wide, own, "firings");
  }
  status = team_agree(run->team, status);
  if (status == OK) {
    status = count_fired(run, one, narrow, wide);
  }
  MEMORY_FREE(narrow);
  MEMORY_FREE(wide);
  return status;
}

Status families_read_features(FamiliesRun *run) {
  char name[FAMILIES_NAME + 32];
  for (int64_t i = 0; i < run->count; ++i) {
    FamiliesDictionary *one = &run->dictionaries[i];
    const int64_t first = one->own.first, own = shard_count(one->own);
    TRY_ALL(run->team, take_features(one));
    snprintf(name, sizeof name, "/dictionary/%.200s/state", one->settings->name);
    TRY(archive_read(run->neighbours, name, first, own, one->state));
    TRY(archive_read(one->codes, "/sum", first, own, one->sum));
    TRY(archive_read(one->codes, "/sum_square", first, own, one->sum_square));
    TRY_ALL(run->team, check_states(one));
    TRY(read_fired(run, one));
  }
  return OK;
}

Status families_gather_fired(FamiliesRun *run, const FamiliesDictionary *one, uint32_t *out) {
  Team *team = run->team;
  int64_t *counts = NULL;
  TRY_NEW(team, &counts, team->size, "features of each rank");
  for (int rank = 0; rank < team->size; ++rank) {
    counts[rank] =
        shard_count(shard_of(one->latents, shard_latent_block(one->latents), rank, team->size));
  }
  for (int64_t i = 0; i < shard_count(one->own); ++i) {
    const int64_t fired = one->fired[i].narrow;
    const bool is_out = one->state[i] == DIRECTION_DEAD || fired >= UINT32_MAX;
    out[one->own.first + i] = is_out ? UINT32_MAX : (uint32_t)fired;
  }
  exchange_gather(team, out + one->own.first, counts, sizeof *out, out);
  MEMORY_FREE(counts);
  return OK;
}

static void close_dictionary(FamiliesDictionary *one) {
  archive_close(&one->codes);
  archive_close(&one->file);
  MEMORY_FREE(one->architecture);
  MEMORY_FREE(one->state);
  MEMORY_FREE(one->fired);
  MEMORY_FREE(one->sum);
  MEMORY_FREE(one->sum_square);
  MEMORY_FREE(one->representative);
  MEMORY_FREE(one->counts);
  MEMORY_FREE(one->flags);
  MEMORY_FREE(one->parent_status);
  MEMORY_FREE(one->roots);
  MEMORY_FREE(one->in_degree);
  MEMORY_FREE(one->forest_children);
  MEMORY_FREE(one->commonest);
  MEMORY_FREE(one->token);
  MEMORY_FREE(one->coverage);
  MEMORY_FREE(one->best_link);
  MEMORY_FREE(one->hole_share);
  MEMORY_FREE(one->rebuilt);
  MEMORY_FREE(one->hamming);
  MEMORY_FREE(one->chain_jaccard);
  MEMORY_FREE(one->sweep);
  forest_clear(&one->children);
}

void families_close(FamiliesRun *run) {
  for (int64_t i = 0; run->dictionaries != NULL && i < run->count; ++i) {
    close_dictionary(&run->dictionaries[i]);
  }
  for (int64_t i = 0; run->pairs != NULL && i < run->pair_count; ++i) {
    verdict_clear(&run->pairs[i].table);
    MEMORY_FREE(run->pairs[i].matched_rank);
    MEMORY_FREE(run->pairs[i].matched_p);
    MEMORY_FREE(run->pairs[i].sweep);
  }
  for (int64_t i = 0; i < run->replication_count; ++i) {
    MEMORY_FREE(run->replications[i].children);
  }
  for (int kind = 0; kind < FAMILY_SUMS; ++kind) {
    MEMORY_FREE(run->sums[kind]);
  }
  MEMORY_FREE(run->leaf_firings);
  MEMORY_FREE(run->leaf_commonest);
  MEMORY_FREE(run->entropy);
  MEMORY_FREE(run->replicated);
  MEMORY_FREE(run->replications);
  MEMORY_FREE(run->pairs);
  MEMORY_FREE(run->of_level);
  MEMORY_FREE(run->dictionaries);
  text_clear(&run->warnings);
  archive_close(&run->activations);
  archive_close(&run->neighbours);
}
