#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_pair.h"
#include "distribution.h"
#include "exchange.h"
#include "memory.h"
#include "null.h"
#include "random.h"

/* The null's children are sums of rows of a sample, so that a dictionary need not be in memory. */
enum { NULL_ROWS = 131072 };

/* What is known of a pair at its end. */
typedef struct Ending {
  Distribution best;
  NullSimulated null;
  int64_t null_rows;
  int64_t null_dimension;
} Ending;

/* The best cosines of the panels. */

typedef struct Bests {
  float *values; /* [count] this rank's */
  int64_t count, room;
} Bests;

static Status make_room(Bests *bests, int64_t more) {
  if (bests->count + more > bests->room) {
    const int64_t room =
        2 * bests->room > bests->count + more ? 2 * bests->room : bests->count + more;
    TRY(MEMORY_RESIZE(&bests->values, room, "best cosines"));
    bests->room = room;
  }
  return OK;
}

/* This rank's share of a panel's file. */
static Status read_bests(Compare *compare, Archive *rows, int64_t *past, Bests *bests) {
  int64_t count = 0;
  TRY(archive_shape(rows, "/best", ARCHIVE_F32, 1, &count));
  TRY(compare_check_rows(compare, rows, count));
  const Shard own = shard_of(count, 1, compare->team->rank, compare->team->size);
  TRY_ALL(compare->team, make_room(bests, shard_count(own)));
  float *values = bests->values + bests->count;
  TRY(archive_read(rows, "/best", own.first, shard_count(own), values));
  for (int64_t i = 0; i < shard_count(own); i++) {
    if (!isnan(values[i])) {
      bests->values[bests->count++] = values[i];
    }
  }
  *past += count;
  return OK;
}

static Status collect_bests(Compare *compare, const Pair *pair, Bests *bests) {
  for (int64_t at = 0; at < pair->child->latents;) {
    Archive *rows = NULL;
    TRY(compare_work_read(compare, pair->step.name, "rows", at, &rows));
    const Status status = read_bests(compare, rows, &at, bests);
    archive_close(&rows);
    TRY(status);
  }
  return OK;
}

static Status find_distribution(Compare *compare, const Pair *pair, Distribution *out) {
  Bests bests = {0};
  const Status status = collect_bests(compare, pair, &bests);
  if (status == OK) {
    distribution_of(compare->team, bests.values, bests.count, out);
  }
  MEMORY_FREE(bests.values);
  return status;
}

/* The null. */

static int compare_ids(const void *a, const void *b) {
  const int64_t left = *(const int64_t *)a;
  const int64_t right = *(const int64_t *)b;
  return (left > right) - (left < right);
}

/* Keyed latents of the child, ascending. */
static Status draw_ids(const Compare *compare, const Dictionary *child, int64_t count,
                       int64_t **ids) {
  const uint64_t key =
      random_key(compare->stage->settings.run.seed, "rows of the null", child->settings->name);
  TRY(MEMORY_NEW(ids, count, "sampled latents"));
  for (int64_t i = 0; i < count; i++) {
    (*ids)[i] = random_permute(key, child->latents, i);
  }
  qsort(*ids, (size_t)count, sizeof(**ids), compare_ids);
  return OK;
}

/* Reads of this rank alone, in pieces: which rows lie in a piece differs between ranks. */
enum { PIECE_ROWS = 8192 };

typedef struct Pick {
  const Dictionary *child;
  const int64_t *ids; /* [count] ascending */
  int64_t count;
  float *rows;      /* [count, width] */
  int64_t *firings; /* [count]; NULL without codes */
  float *piece;     /* [PIECE_ROWS, width] */
  int64_t *piece_firings;
} Pick;

static Status read_piece(const Pick *pick, int64_t first, int64_t rows) {
  TRY(archive_read_here(pick->child->file, "/w_dec", first, rows, pick->piece));
  return pick->firings == NULL
             ? OK
             : archive_read_here(pick->child->codes, "/firings", first, rows, pick->piece_firings);
}

static Status pick_rows(const Pick *pick) {
  const int64_t width = pick->child->width;
  for (int64_t i = 0; i < pick->count;) {
    const int64_t first = pick->ids[i];
    const int64_t last = pick->ids[pick->count - 1];
    const int64_t past = first + PIECE_ROWS <= last ? first + PIECE_ROWS : last + 1;
    TRY(read_piece(pick, first, past - first));
    for (; i < pick->count && pick->ids[i] < past; i++) {
      const int64_t at = pick->ids[i] - first;
      memcpy(pick->rows + i * width, pick->piece + at * width, (size_t)width * sizeof(float));
      if (pick->firings != NULL) {
        pick->firings[i] = pick->piece_firings[at];
      }
    }
  }
  return OK;
}

static Status pick_states(Pick *pick, Directions *sample) {
  const bool has_codes = pick->child->codes != NULL;
  TRY(MEMORY_NEW(&pick->piece, PIECE_ROWS * pick->child->width, "rows of a sample"));
  if (has_codes) {
    TRY(MEMORY_NEW(&pick->firings, pick->count, "firings of a sample"));
    TRY(MEMORY_NEW(&pick->piece_firings, PIECE_ROWS, "firings of a sample"));
  }
  TRY(pick_rows(pick));
  directions_judge(sample, pick->firings, pick->child->seen);
  return directions_unit(sample, archive_path(pick->child->file));
}

static Status fill_sample(const Compare *compare, const Dictionary *child, Directions *sample) {
  int64_t *ids = NULL;
  TRY(draw_ids(compare, child, sample->latents, &ids));
  Pick pick = {.child = child,
               .ids = ids + sample->own.first,
               .count = shard_count(sample->own),
               .rows = sample->rows};
  const Status status = pick_states(&pick, sample);
  MEMORY_FREE(pick.piece);
  MEMORY_FREE(pick.piece_firings);
  MEMORY_FREE(pick.firings);
  MEMORY_FREE(ids);
  return status;
}

static Status simulate(Compare *compare, const Pair *pair, Directions *sample, Ending *ending) {
  const Dictionary *child = pair->child;
  const CompareSettings *settings = &compare->stage->settings.compare;
  ending->null_rows = child->latents < NULL_ROWS ? child->latents : NULL_ROWS;
  TRY_ALL(compare->team, directions_open(sample, compare->team, ending->null_rows, child->width));
  TRY_ALL(compare->team, fill_sample(compare, child, sample));
  const NullJob job = {.child = sample,
                       .parent = &pair->parent_rows,
                       .child_mean = child->mean,
                       .child_name = child->settings->name,
                       .parent_name = pair->parent->settings->name,
                       .seed = compare->stage->settings.run.seed,
                       .draws = settings->draws,
                       .most = compare->most,
                       .span = settings->span};
  TRY(null_simulate(compare->team, &job, &ending->null));
  compare->watch.done += settings->draws * pair->parent->latents;
  progress_step(&compare->bar, compare->watch.done);
  return OK;
}

/* The file. */

static Status set_reals(Archive *out, const Pair *pair, const Ending *ending) {
  const NullSimulated *null = &ending->null;
  const int64_t dimension = ending->null_dimension;
  const int64_t parents = pair->parent->not_dead;
  const double values[PAIR_REALS] = {ending->best.median,
                                     ending->best.share[0],
                                     ending->best.share[1],
                                     ending->best.share[2],
                                     null->best_median.value,
                                     null->best_median.low,
                                     null->best_median.high,
                                     null->best_999.value,
                                     null->best_999.low,
                                     null->best_999.high,
                                     null->r2_median.value,
                                     null->r2_median.low,
                                     null->r2_median.high,
                                     null->r2_999.value,
                                     null->r2_999.low,
                                     null->r2_999.high,
                                     null_quantile(dimension, parents, 0.5),
                                     null_quantile(dimension, parents, 0.999)};
  for (int i = 0; i < PAIR_REALS; i++) {
    TRY(archive_set_real(out, "/", PAIR_REAL[i], values[i]));
  }
  const bool is_low = ending->best.median - null->best_median.value < COMPARE_UNDERTRAINED;
  return archive_set_text(out, "/", "warning", is_low ? "undertrained" : "");
}

static Status set_integers(Archive *out, const Pair *pair, const Ending *ending) {
  const int64_t values[PAIR_INTEGERS] = {ending->null_dimension,      ending->null.draws,
                                         ending->null_rows,           pair->tally.sampled_pairs,
                                         pair->tally.centred_differs, pair->child->latents};
  for (int i = 0; i < PAIR_INTEGERS; i++) {
    TRY(archive_set_integer(out, "/", PAIR_INTEGER[i], values[i]));
  }
  return OK;
}

static Status write_histograms(const Compare *compare, Archive *out, const Pair *pair,
                               const Ending *ending) {
  const int64_t *values[PAIR_HISTOGRAMS] = {ending->best.histogram, ending->null.histogram,
                                            pair->tally.all_histogram};
  for (int i = 0; i < PAIR_HISTOGRAMS; i++) {
    char name[64];
    const PairHistogram *one = &PAIR_HISTOGRAM[i];
    snprintf(name, sizeof(name), "/%s", one->column.name);
    TRY(archive_write(out, name, 0, compare->team->rank == 0 ? one->bins : 0, values[i]));
  }
  return OK;
}

static Status unpack(const Neighbours *lists, uint32_t **ids, float **cosines) {
  TRY(MEMORY_NEW(ids, lists->count * lists->most, "ids to be written"));
  TRY(MEMORY_NEW(cosines, lists->count * lists->most, "cosines to be written"));
  neighbours_unpack(lists, *ids, *cosines);
  return OK;
}

static Status write_children(Compare *compare, Archive *out, Pair *pair) {
  uint32_t *ids = NULL;
  float *cosines = NULL;
  const Neighbours *lists = &pair->step.lists;
  const int64_t first = pair->parent_rows.own.first;
  neighbours_sort(&pair->step.lists);
  Status status = team_agree(compare->team, unpack(lists, &ids, &cosines));
  if (status == OK) {
    status = archive_write(out, "/child_id", first, lists->count, ids);
  }
  if (status == OK) {
    status = archive_write(out, "/child_cosine", first, lists->count, cosines);
  }
  MEMORY_FREE(ids);
  MEMORY_FREE(cosines);
  return status;
}

static Status fill_file(Compare *compare, Archive *out, Pair *pair, const Ending *ending) {
  for (int i = 0; i < PAIR_LIST_COLUMNS; i++) {
    TRY(compare_add(compare, out, "", &PAIR_LIST_COLUMN[i], pair->parent->latents));
  }
  for (int i = 0; i < PAIR_HISTOGRAMS; i++) {
    TRY(compare_add(compare, out, "", &PAIR_HISTOGRAM[i].column, PAIR_HISTOGRAM[i].bins));
  }
  TRY(set_reals(out, pair, ending));
  TRY(set_integers(out, pair, ending));
  TRY(archive_begin(out));
  TRY(write_histograms(compare, out, pair, ending));
  return write_children(compare, out, pair);
}

static Status write_end(Compare *compare, Pair *pair, const Ending *ending) {
  Archive *out = NULL;
  exchange_sum(compare->team, pair->step.tally, pair->step.tallies);
  TRY(compare_work_create(compare, pair->step.name, "done", -1, &out));
  Status status = fill_file(compare, out, pair, ending);
  if (status == OK) {
    status = archive_finish(&out, NULL);
  }
  archive_abandon(&out);
  return status;
}

Status compare_pair_end(Compare *compare, Pair *pair) {
  Ending ending = {.null_dimension =
                       null_dimension(pair->child->dimension, pair->parent->dimension)};
  Directions sample = {0};
  TRY(find_distribution(compare, pair, &ending.best));
  const Status status = simulate(compare, pair, &sample, &ending);
  directions_clear(&sample);
  TRY(status);
  return write_end(compare, pair, &ending);
}
