/* cleave-compare --of: the nearest features of a few, from the dictionaries themselves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_run.h"
#include "dense.h"
#include "exchange.h"
#include "memory.h"
#include "screen.h"

enum { OF_TOP = 10, OF_TOP_MOST = 1000 };

/* A feature that was asked for. */
typedef struct Asked {
  const Dictionary *one;
  int64_t id;
  DirectionState state;
  int64_t firings;
} Asked;

typedef struct Of {
  Compare *compare;
  Asked *asked; /* [count] */
  int64_t count, top;
  float *decoder, *encoder; /* [count, width] unit rows, on all ranks */
  double *norm;             /* [count] of decoder */
  SelectKey *found;         /* [dictionaries, count, top + 1]: one may be the feature itself */
  SelectKey *keys;          /* [count, top + 1] those of the dictionary that streams by */
  int64_t *counts;          /* [count] */
  SelectKey *all;           /* [ranks, count, top + 1] */
  float *row;               /* [width] */
} Of;

static void of_clear(Of *of) {
  MEMORY_FREE(of->asked);
  MEMORY_FREE(of->decoder);
  MEMORY_FREE(of->encoder);
  MEMORY_FREE(of->norm);
  MEMORY_FREE(of->found);
  MEMORY_FREE(of->counts);
  MEMORY_FREE(of->all);
  MEMORY_FREE(of->row);
}

/* What is asked. */

static Status find_feature(const Compare *compare, const char *text, int64_t length, Asked *out) {
  const char *slash = memchr(text, '/', (size_t)length);
  const int shown = (int)length;
  for (int64_t i = 0; slash != NULL && i < compare->count; i++) {
    const Dictionary *one = &compare->dictionaries[i];
    const size_t name = (size_t)(slash - text);
    if (strlen(one->settings->name) == name && memcmp(one->settings->name, text, name) == 0) {
      char *end = NULL;
      const long long id = strtoll(slash + 1, &end, 10);
      const bool is_number = end == text + length && slash[1] >= '0' && slash[1] <= '9';
      if (!is_number || id >= one->latents) {
        return RAISE(ERR_USAGE, "--of %.*s: the features of %s are 0 to %lld", shown, text,
                     one->settings->name, (long long)(one->latents - 1));
      }
      *out = (Asked){.one = one, .id = id};
      return OK;
    }
  }
  return RAISE(ERR_USAGE, "--of %.*s: not DICTIONARY/NUMBER of a dictionary in run.yaml", shown,
               text);
}

static Status parse(Of *of, const char *features) {
  of->top = OF_TOP;
  TRY(stage_integer(of->compare->stage, "--top", 1, OF_TOP_MOST, &of->top));
  for (const char *at = features; at != NULL; at = strchr(at, ',')) {
    at += *at == ',';
    TRY(MEMORY_RESIZE(&of->asked, of->count + 1, "features asked for"));
    TRY(find_feature(of->compare, at, (int64_t)strcspn(at, ","), &of->asked[of->count]));
    of->count++;
  }
  return OK;
}

static Status take(Of *of) {
  const int64_t width = of->compare->dictionaries[0].width;
  const int64_t keys = of->count * (of->top + 1);
  TRY(MEMORY_NEW(&of->decoder, of->count * width, "features asked for"));
  TRY(MEMORY_NEW(&of->encoder, of->count * width, "features asked for"));
  TRY(MEMORY_NEW(&of->norm, of->count, "features asked for"));
  TRY(MEMORY_NEW(&of->found, keys * of->compare->count, "nearest features"));
  TRY(MEMORY_NEW(&of->counts, of->count, "nearest features"));
  TRY(MEMORY_NEW(&of->all, keys * of->compare->team->size, "nearest features of all ranks"));
  return MEMORY_NEW(&of->row, width, "a row");
}

/* One row of a matrix, scaled to norm 1; its sum of squares before. */
static Status read_unit(const Dictionary *one, const char *matrix, int64_t id, float *row,
                        double *square) {
  TRY(archive_read_here(one->file, matrix, id, 1, row));
  *square = dense_square(row, one->width);
  const double norm = sqrt(*square);
  for (int64_t j = 0; j < one->width && norm > 0; j++) {
    row[j] = (float)(row[j] / norm);
  }
  return OK;
}

/* Alive, unseen or dead, by the codes where there are any. */
static Status read_state(const Dictionary *one, int64_t id, double square, DirectionState *state,
                         int64_t *firings) {
  *firings = 1;
  if (one->codes != NULL) {
    TRY(archive_read_here(one->codes, "/firings", id, 1, firings));
  }
  *state = directions_state(square, *firings, one->seen);
  return OK;
}

static Status read_asked(Of *of) {
  for (int64_t i = 0; i < of->count; i++) {
    Asked *asked = &of->asked[i];
    const int64_t width = asked->one->width;
    double square;
    TRY(read_unit(asked->one, "/w_enc", asked->id, of->encoder + i * width, &square));
    TRY(read_unit(asked->one, "/w_dec", asked->id, of->decoder + i * width, &square));
    TRY(read_state(asked->one, asked->id, square, &asked->state, &asked->firings));
  }
  screen_norms(of->decoder, of->count, of->compare->dictionaries[0].width, of->norm);
  return OK;
}

/* One dictionary streams by. */

static Status screen_panel(const Of *of, const Directions *rows) {
  double *norm = NULL;
  const int64_t count = shard_count(rows->own);
  TRY(MEMORY_NEW(&norm, count, "norms of a panel"));
  screen_norms(rows->rows, count, rows->width, norm);
  const ScreenJob job = {.query = {.rows = of->decoder, .norm = of->norm, .count = of->count},
                         .base = {.rows = rows->rows,
                                  .norm = norm,
                                  .count = count,
                                  .first_id = rows->own.first,
                                  .is_left_out = rows->is_left_out},
                         .width = rows->width,
                         .k = of->top + 1,
                         .floor = -2,
                         .keys = of->keys,
                         .counts = of->counts};
  const Status status = screen_run(&job);
  MEMORY_FREE(norm);
  return status;
}

/* The best of all ranks, on all ranks, best first. */
static Status merge(Of *of) {
  const Team *team = of->compare->team;
  const int64_t k = of->top + 1;
  const int64_t keys = of->count * k;
  int64_t *counts = NULL;
  TRY_NEW(of->compare->team, &counts, team->size, "counts of ranks");
  for (int rank = 0; rank < team->size; rank++) {
    counts[rank] = keys;
  }
  exchange_gather(of->compare->team, of->keys, counts, sizeof(*of->keys), of->all);
  MEMORY_FREE(counts);
  memset(of->counts, 0, (size_t)of->count * sizeof(*of->counts));
  for (int64_t i = 0; i < keys * team->size; i++) {
    const int64_t asked = i % keys / k;
    if (of->all[i] != 0) {
      select_offer(of->keys + asked * k, &of->counts[asked], k, of->all[i]);
    }
  }
  for (int64_t i = 0; i < of->count; i++) {
    select_sort(of->keys + i * k, of->counts[i]);
  }
  return OK;
}

static Status search(Of *of, const Dictionary *one) {
  of->keys = of->found + one->index * of->count * (of->top + 1);
  memset(of->counts, 0, (size_t)of->count * sizeof(*of->counts));
  for (int64_t first = 0; first < one->latents;) {
    const Shard part = compare_panel(of->compare, one, first);
    Directions rows = {0};
    Status status = compare_load(of->compare, one, part, &rows);
    if (status == OK) {
      status = team_agree(of->compare->team, screen_panel(of, &rows));
    }
    directions_clear(&rows);
    TRY(status);
    first = part.past;
  }
  return merge(of);
}

/* The table. */

static const char *word_of(const Dictionary *one, DirectionState state) {
  static const char *const WORDS[] = {"dead", "unseen", "alive"};
  return one->codes == NULL && state != DIRECTION_DEAD ? "not encoded" : WORDS[state];
}

static Status print_feature(Of *of, int64_t index, const Dictionary *one, SelectKey key) {
  const int64_t id = select_id(key);
  DirectionState state = DIRECTION_ALIVE;
  int64_t firings = 0;
  double square = 0;
  char name[96];
  TRY(read_state(one, id, 1.0, &state, &firings));
  TRY(read_unit(one, "/w_enc", id, of->row, &square));
  snprintf(name, sizeof(name), "%s/%lld", one->settings->name, (long long)id);
  printf("  %-32s %8.3f %8.3f  %s\n", name, (double)select_score(key),
         (double)dense_dot(of->encoder + index * one->width, of->row, one->width),
         word_of(one, state));
  return OK;
}

static Status print_nearest(Of *of, int64_t index, const Dictionary *one) {
  const Asked *asked = &of->asked[index];
  const SelectKey *keys = of->found + (one->index * of->count + index) * (of->top + 1);
  int64_t printed = 0;
  for (int64_t i = 0; i <= of->top && keys[i] != 0 && printed < of->top; i++) {
    if (one != asked->one || select_id(keys[i]) != asked->id) {
      TRY(print_feature(of, index, one, keys[i]));
      printed++;
    }
  }
  return OK;
}

static Status print_asked(Of *of) {
  for (int64_t i = 0; i < of->count; i++) {
    const Asked *asked = &of->asked[i];
    printf("%s%s/%lld  %s\n", i == 0 ? "" : "\n", asked->one->settings->name, (long long)asked->id,
           word_of(asked->one, asked->state));
    if (asked->state == DIRECTION_DEAD) {
      printf("  dead features take no part in a comparison\n");
      continue;
    }
    printf("  %-32s %8s %8s  %s\n", "nearest", "cosine", "encoder", "state");
    for (int64_t d = 0; d < of->compare->count; d++) {
      TRY(print_nearest(of, i, &of->compare->dictionaries[d]));
    }
  }
  fflush(stdout);
  return OK;
}

static Status answer(Of *of) {
  Team *team = of->compare->team;
  for (int64_t i = 0; i < of->compare->count; i++) {
    TRY(search(of, &of->compare->dictionaries[i]));
  }
  return team_agree(team, team->rank == 0 ? print_asked(of) : OK);
}

Status compare_of(Compare *compare, const char *features) {
  Of of = {.compare = compare};
  Status status = team_agree(compare->team, parse(&of, features));
  if (status == OK) {
    status = team_agree(compare->team, take(&of));
  }
  if (status == OK) {
    status = team_agree(compare->team, read_asked(&of));
  }
  if (status == OK) {
    status = answer(&of);
  }
  of_clear(&of);
  return status;
}
