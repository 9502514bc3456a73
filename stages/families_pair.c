#include <math.h>
#include <stdio.h>

#include "exchange.h"
#include "families_codes.h"
#include "families_run.h"
#include "memory.h"

enum { BLOCK = 1 << 14 }; /* parents read at once */

/* What one pair needs while it is judged. */
typedef struct Work {
  int64_t most;        /* candidates a child */
  uint32_t *candidate; /* [own, most] */
  float *cosine, *cosine_centred, *encoder_cosine;
  uint32_t *best_child;                 /* [own] of each child's best parent */
  int64_t *parent_narrow, *parent_wide; /* [own, most] */
  FamiliesFirings firings;              /* of the own children */
  FamiliesCodes codes;                  /* of the parents */
  Evidence evidence;
} Work;

static void work_close(Work *work) {
  evidence_close(&work->evidence);
  families_firings_close(&work->firings);
  families_codes_close(&work->codes);
  MEMORY_FREE(work->candidate);
  MEMORY_FREE(work->cosine);
  MEMORY_FREE(work->cosine_centred);
  MEMORY_FREE(work->encoder_cosine);
  MEMORY_FREE(work->best_child);
  MEMORY_FREE(work->parent_narrow);
  MEMORY_FREE(work->parent_wide);
}

static Status take_work(Work *work, const FamiliesPair *pair) {
  const int64_t own = shard_count(pair->child->own), cells = own * work->most;
  TRY(MEMORY_NEW(&work->candidate, cells, "candidate parents"));
  TRY(MEMORY_NEW(&work->cosine, cells, "cosines of candidates"));
  TRY(MEMORY_NEW(&work->cosine_centred, cells, "cosines of candidates"));
  TRY(MEMORY_NEW(&work->encoder_cosine, cells, "cosines of candidates"));
  TRY(MEMORY_NEW(&work->best_child, own, "best children"));
  TRY(MEMORY_NEW(&work->parent_narrow, cells, "firings of candidates"));
  return MEMORY_NEW(&work->parent_wide, cells, "firings of candidates");
}

static const char *dataset(const FamiliesPair *pair, const char *column, char *name) {
  snprintf(name, FAMILIES_NAME + 32, "%s/%s", pair->group, column);
  return name;
}

static Status check_width(const FamiliesRun *run, const FamiliesPair *pair, const int64_t *shape,
                          int64_t latents) {
  if (shape[0] != latents || shape[1] < 1) {
    return RAISE(ERR_FORMAT, "%s: %s is not made for %lld features: run cleave-compare again",
                 archive_path(run->neighbours), pair->group, (long long)latents);
  }
  return OK;
}

static Status read_candidates(FamiliesRun *run, const FamiliesPair *pair, Work *work) {
  char name[FAMILIES_NAME + 32];
  const int64_t first = pair->child->own.first, own = shard_count(pair->child->own);
  TRY(archive_read(run->neighbours, dataset(pair, "parent_id", name), first, own, work->candidate));
  TRY(archive_read(run->neighbours, dataset(pair, "cosine", name), first, own, work->cosine));
  TRY(archive_read(run->neighbours, dataset(pair, "cosine_centred", name), first, own,
                   work->cosine_centred));
  return archive_read(run->neighbours, dataset(pair, "encoder_cosine", name), first, own,
                      work->encoder_cosine);
}

/* The first column of child_id for this rank's parents, block by block. */
static Status read_first_children(FamiliesRun *run, const FamiliesPair *pair, int64_t most,
                                  uint32_t *first_child) {
  char name[FAMILIES_NAME + 32];
  const Shard own = pair->parent->own;
  uint32_t *block = NULL;
  TRY(MEMORY_NEW(&block, BLOCK * most, "children of parents"));
  Status status = OK;
  for (int64_t first = own.first; status == OK && first < own.past; first += BLOCK) {
    const int64_t rows = own.past - first < BLOCK ? own.past - first : BLOCK;
    status =
        archive_read_here(run->neighbours, dataset(pair, "child_id", name), first, rows, block);
    for (int64_t i = 0; status == OK && i < rows; ++i) {
      first_child[first - own.first + i] = block[i * most];
    }
  }
  MEMORY_FREE(block);
  return status;
}

static Status check_parents(const FamiliesPair *pair, const uint32_t *wanted, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    if (wanted[i] != LOOKUP_NONE && wanted[i] >= pair->parent->latents) {
      return RAISE(ERR_FORMAT, "%s: parent %lld of %lld: run cleave-compare again", pair->group,
                   (long long)wanted[i], (long long)pair->parent->latents);
    }
  }
  return OK;
}

static Status find_best_children(FamiliesRun *run, const FamiliesPair *pair, Work *work) {
  const int64_t own = shard_count(pair->child->own);
  uint32_t *first_child = NULL, *wanted = NULL;
  Status status = MEMORY_NEW(&first_child, shard_count(pair->parent->own), "best children");
  if (status == OK) {
    status = MEMORY_NEW(&wanted, own, "best parents");
  }
  if (status == OK) {
    status = read_first_children(run, pair, work->most, first_child);
  }
  for (int64_t i = 0; status == OK && i < own; ++i) {
    wanted[i] = work->candidate[i * work->most];
    work->best_child[i] = LOOKUP_NONE;
  }
  if (status == OK) {
    status = check_parents(pair, wanted, own);
  }
  status = team_agree(run->team, status);
  if (status == OK) {
    status = lookup_items(run->team, pair->parent->latents, first_child, sizeof *first_child,
                          wanted, own, work->best_child);
  }
  MEMORY_FREE(first_child);
  MEMORY_FREE(wanted);
  return status;
}

/* How often the candidates fire, from the ranks that own them. */
static Status look_up_parents(FamiliesRun *run, const FamiliesPair *pair, const int64_t *narrow,
                              const int64_t *wide, Work *work) {
  const int64_t cells = shard_count(pair->child->own) * work->most;
  TRY(lookup_items(run->team, pair->parent->latents, narrow, sizeof *narrow, work->candidate, cells,
                   work->parent_narrow));
  return lookup_items(run->team, pair->parent->latents, wide, sizeof *wide, work->candidate, cells,
                      work->parent_wide);
}

static Status count_parents(FamiliesRun *run, const FamiliesPair *pair, Work *work) {
  const int64_t own = shard_count(pair->parent->own);
  int64_t *narrow = NULL, *wide = NULL;
  Status status = MEMORY_NEW(&narrow, own, "firings of parents");
  if (status == OK) {
    status = MEMORY_NEW(&wide, own, "firings of parents");
  }
  if (status == OK) {
    status = evidence_fired(&work->codes.source, pair->parent->own, narrow, wide);
  }
  status = team_agree(run->team, status);
  if (status == OK) {
    status = look_up_parents(run, pair, narrow, wide, work);
  }
  MEMORY_FREE(narrow);
  MEMORY_FREE(wide);
  return status;
}

static Status count_children(const FamiliesPair *pair, Work *work) {
  TRY(families_firings_read(&work->firings, pair->child, pair->child->own));
  return evidence_count(&work->evidence, &work->firings.children, &work->codes.source,
                        work->candidate, work->most);
}

static Status count_rows(FamiliesRun *run, const FamiliesPair *pair, Work *work) {
  TRY(families_codes_open(&work->codes, run, pair->parent));
  TRY_ALL(run->team, count_children(pair, work));
  return count_parents(run, pair, work);
}

static Status read_rules(FamiliesRun *run, FamiliesPair *pair) {
  const FamiliesSettings *settings = &run->stage->settings.families;
  TRY(archive_get_real(run->neighbours, pair->group, "null_median", &pair->null_median));
  TRY(archive_get_real(run->neighbours, pair->group, "null_999", &pair->null_999));
  TRY(archive_get_real(run->neighbours, pair->group, "median_best", &pair->median_best));
  pair->rules = (VerdictRules){.link = verdict_link(settings->link, pair->null_999),
                               .strong = settings->strong,
                               .margin = settings->margin,
                               .evidence = {.p_min = settings->p_min,
                                            .lift_min = settings->lift_min,
                                            .firings_min = settings->firings_min,
                                            .documents_min = settings->documents_min}};
  return OK;
}

static Status judge(FamiliesRun *run, FamiliesPair *pair, Work *work) {
  char name[FAMILIES_NAME + 32];
  int64_t shape[2], back[2];
  TRY(read_rules(run, pair));
  TRY(archive_shape(run->neighbours, dataset(pair, "parent_id", name), ARCHIVE_U32, 2, shape));
  TRY(archive_shape(run->neighbours, dataset(pair, "child_id", name), ARCHIVE_U32, 2, back));
  TRY_ALL(run->team, check_width(run, pair, shape, pair->child->latents));
  TRY_ALL(run->team, check_width(run, pair, back, pair->parent->latents));
  work->most = shape[1];
  TRY_ALL(run->team, take_work(work, pair));
  TRY(read_candidates(run, pair, work));
  TRY(find_best_children(run, pair, work));
  TRY(count_rows(run, pair, work));
  const VerdictInput input = {.evidence = &work->evidence,
                              .cosine = work->cosine,
                              .cosine_centred = work->cosine_centred,
                              .encoder_cosine = work->encoder_cosine,
                              .parent_narrow = work->parent_narrow,
                              .parent_wide = work->parent_wide,
                              .state = pair->child->state,
                              .best_child = work->best_child,
                              .first = pair->child->own.first};
  TRY_ALL(run->team, verdict_table(&pair->table, &input, &pair->rules));
  return OK;
}

Status families_judge_pairs(FamiliesRun *run) {
  progress_open(&run->bar, run->team, "evidence", "rows", run->rows * run->pair_count);
  for (int64_t i = 0; i < run->pair_count; ++i) {
    Work work = {0};
    progress_step(&run->bar, i * run->rows);
    const Status status = judge(run, &run->pairs[i], &work);
    work_close(&work);
    TRY(status);
  }
  progress_close(&run->bar, run->rows * run->pair_count);
  return OK;
}
