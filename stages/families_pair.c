#include <math.h>
#include <stdio.h>

#include "exchange.h"
#include "families_run.h"
#include "memory.h"

enum { CHUNK = 1 << 14, BLOCK = 1 << 14 }; /* rows streamed at once; parents read at once */

/* Sparse codes of a chunk of rows. */
typedef struct Codes {
  int64_t *start; /* [CHUNK + 1] */
  uint32_t *id;   /* [room] */
  uint8_t *active;
  int64_t room;
} Codes;

/* What one pair needs while it is judged. */
typedef struct Work {
  int64_t most;        /* candidates a child */
  uint32_t *candidate; /* [own, most] */
  float *cosine, *cosine_centred, *encoder_cosine;
  uint32_t *best_child;                 /* [own] of each child's best parent */
  int64_t *parent_narrow, *parent_wide; /* [own, most] */
  uint32_t *document;                   /* [CHUNK] as in the file */
  int64_t *document_of;                 /* [CHUNK] */
  Codes child, parent;
  Evidence evidence;
} Work;

static void codes_close(Codes *codes) {
  MEMORY_FREE(codes->start);
  MEMORY_FREE(codes->id);
  MEMORY_FREE(codes->active);
}

static void work_close(Work *work) {
  evidence_close(&work->evidence);
  codes_close(&work->child);
  codes_close(&work->parent);
  MEMORY_FREE(work->candidate);
  MEMORY_FREE(work->cosine);
  MEMORY_FREE(work->cosine_centred);
  MEMORY_FREE(work->encoder_cosine);
  MEMORY_FREE(work->best_child);
  MEMORY_FREE(work->parent_narrow);
  MEMORY_FREE(work->parent_wide);
  MEMORY_FREE(work->document);
  MEMORY_FREE(work->document_of);
}

static Status take_work(Work *work, const FamiliesPair *pair) {
  const int64_t own = shard_count(pair->child->own), cells = own * work->most;
  TRY(MEMORY_NEW(&work->candidate, cells, "candidate parents"));
  TRY(MEMORY_NEW(&work->cosine, cells, "cosines of candidates"));
  TRY(MEMORY_NEW(&work->cosine_centred, cells, "cosines of candidates"));
  TRY(MEMORY_NEW(&work->encoder_cosine, cells, "cosines of candidates"));
  TRY(MEMORY_NEW(&work->best_child, own, "best children"));
  TRY(MEMORY_NEW(&work->parent_narrow, cells, "firings of candidates"));
  TRY(MEMORY_NEW(&work->parent_wide, cells, "firings of candidates"));
  TRY(MEMORY_NEW(&work->document, CHUNK, "documents of rows"));
  TRY(MEMORY_NEW(&work->document_of, CHUNK, "documents of rows"));
  TRY(MEMORY_NEW(&work->child.start, CHUNK + 1, "first codes of rows"));
  return MEMORY_NEW(&work->parent.start, CHUNK + 1, "first codes of rows");
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

static Status make_room(Codes *codes, int64_t rows, const char *path) {
  for (int64_t row = 0; row < rows; ++row) {
    if (codes->start[row + 1] < codes->start[row]) {
      return RAISE(ERR_FORMAT, "%s: /row_start descends: run cleave-encode again", path);
    }
  }
  const int64_t entries = codes->start[rows] - codes->start[0];
  if (entries > codes->room) {
    TRY(MEMORY_RESIZE(&codes->id, entries, "codes of rows"));
    TRY(MEMORY_RESIZE(&codes->active, entries, "codes of rows"));
    codes->room = entries;
  }
  return OK;
}

static Status read_codes(FamiliesRun *run, Archive *file, int64_t first, int64_t rows,
                         Codes *codes) {
  TRY(archive_read(file, "/row_start", first, rows + 1, codes->start));
  TRY_ALL(run->team, make_room(codes, rows, archive_path(file)));
  const int64_t entries = codes->start[rows] - codes->start[0];
  TRY(archive_read(file, "/id", codes->start[0], entries, codes->id));
  return archive_read(file, "/active", codes->start[0], entries, codes->active);
}

static Status read_documents(FamiliesRun *run, int64_t first, int64_t rows, Work *work) {
  if (run->has_documents) {
    TRY(archive_read(run->activations, "/document", first, rows, work->document));
  }
  for (int64_t row = 0; row < rows; ++row) {
    work->document_of[row] =
        run->has_documents ? (int64_t)work->document[row] : (first + row) / FAMILIES_DOCUMENT;
  }
  return OK;
}

static Status count_chunk(FamiliesRun *run, const FamiliesPair *pair, int64_t first, int64_t rows,
                          Work *work) {
  TRY(read_documents(run, first, rows, work));
  TRY(read_codes(run, pair->child->codes, first, rows, &work->child));
  TRY(read_codes(run, pair->parent->codes, first, rows, &work->parent));
  const EvidenceRows chunk = {.rows = rows,
                              .document = work->document_of,
                              .child = {work->child.start, work->child.id, work->child.active},
                              .parent = {work->parent.start, work->parent.id, work->parent.active}};
  TRY_ALL(run->team, evidence_count(&work->evidence, &chunk));
  return OK;
}

static Status count_rows(FamiliesRun *run, const FamiliesPair *pair, int64_t done, Work *work) {
  TRY_ALL(run->team, evidence_open(&work->evidence, run->team, pair->child->latents,
                                   pair->parent->latents, work->candidate, work->most));
  for (int64_t first = 0; first < run->rows; first += CHUNK) {
    const int64_t rows = run->rows - first < CHUNK ? run->rows - first : CHUNK;
    progress_step(&run->bar, done + first);
    TRY(count_chunk(run, pair, first, rows, work));
  }
  evidence_end(&work->evidence);
  return evidence_of_parents(run->team, &work->evidence, work->parent_narrow, work->parent_wide);
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

static Status judge(FamiliesRun *run, FamiliesPair *pair, int64_t done, Work *work) {
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
  TRY(count_rows(run, pair, done, work));
  const VerdictInput input = {.evidence = &work->evidence,
                              .cosine = work->cosine,
                              .cosine_centred = work->cosine_centred,
                              .encoder_cosine = work->encoder_cosine,
                              .parent_narrow = work->parent_narrow,
                              .parent_wide = work->parent_wide,
                              .state = pair->child->state,
                              .best_child = work->best_child};
  TRY_ALL(run->team, verdict_table(&pair->table, &input, &pair->rules));
  return OK;
}

Status families_judge_pairs(FamiliesRun *run) {
  progress_open(&run->bar, run->team, "evidence", "rows", run->rows * run->pair_count);
  for (int64_t i = 0; i < run->pair_count; ++i) {
    Work work = {0};
    const Status status = judge(run, &run->pairs[i], i * run->rows, &work);
    work_close(&work);
    TRY(status);
  }
  progress_close(&run->bar, run->rows * run->pair_count);
  return OK;
}
