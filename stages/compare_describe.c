#include <stdio.h>

#include "compare_run.h"
#include "compare_work.h"
#include "memory.h"
#include "spectrum.h"
#include "spread.h"
#include "text.h"

static const Column MEAN = {"mean", ARCHIVE_F32, 0, "mean of the alive unit rows"};

/* All panels into a sum; the first time their states are written too. */
static Status add_panels(Compare *compare, Dictionary *one, Archive *out, Spread *spread) {
  Status status = OK;
  for (int64_t first = 0; first < one->latents && status == OK;) {
    const Shard part = compare_panel(compare, one, first);
    Directions rows = {0};
    status = compare_load(compare, one, part, &rows);
    if (status == OK) {
      status = team_agree(compare->team, spread_add(spread, &rows));
    }
    if (status == OK && spread->mean == NULL) {
      one->not_dead += shard_count(part) - directions_count(compare->team, &rows, DIRECTION_DEAD);
      status = archive_write(out, "/state", rows.own.first, shard_count(rows.own), rows.state);
    }
    directions_clear(&rows);
    first = part.past;
  }
  spread_join(spread, compare->team);
  return status;
}

/* At most 128 ranks of eigenvalues, ever farther apart. */
static Status print_spectrum(const double *values, int64_t width, Text *text) {
  for (int64_t rank = 1; rank <= width; rank += 1 + rank / 12) {
    TRY(text_printf(text, "%lld:%.6g ", (long long)rank, values[rank - 1]));
  }
  return text_printf(text, "%lld:%.6g", (long long)width, values[width - 1]);
}

static Status note_spectrum(Compare *compare, const Spread *spread, double *covariance,
                            double *values, Archive *out) {
  Text text = {0};
  spread_covariance_of(spread, covariance);
  TRY(spectrum_of(compare->team, covariance, spread->width, values));
  Status status = team_agree(compare->team, print_spectrum(values, spread->width, &text));
  if (status == OK) {
    status = archive_note_text(out, "/", "spectrum", text_chars(&text));
  }
  text_clear(&text);
  return status;
}

static Status take_spectrum(int64_t width, double **covariance, double **values) {
  TRY(MEMORY_NEW(covariance, width * width, "covariance of a dictionary"));
  return MEMORY_NEW(values, width, "spectrum of a dictionary");
}

static Status add_spectrum(Compare *compare, const Spread *spread, Archive *out) {
  double *covariance = NULL;
  double *values = NULL;
  Status status = team_agree(compare->team, take_spectrum(spread->width, &covariance, &values));
  if (status == OK) {
    status = note_spectrum(compare, spread, covariance, values, out);
  }
  MEMORY_FREE(covariance);
  MEMORY_FREE(values);
  return status;
}

static Status find_mean(Compare *compare, Dictionary *one, Archive *out) {
  Spread spread = {0};
  Status status = team_agree(compare->team, spread_open(&spread, one->latents, one->width, NULL));
  if (status == OK) {
    status = add_panels(compare, one, out, &spread);
  }
  if (status == OK) {
    spread_mean_of(&spread, one->mean);
    status = archive_write(out, "/mean", 0, compare->team->rank == 0 ? one->width : 0, one->mean);
  }
  spread_clear(&spread);
  return status;
}

static Status find_spread(Compare *compare, Dictionary *one, Archive *out) {
  Spread spread = {0};
  Status status =
      team_agree(compare->team, spread_open(&spread, one->latents, one->width, one->mean));
  if (status == OK) {
    status = add_panels(compare, one, out, &spread);
  }
  if (status == OK) {
    one->dimension = spread_dimension_of(&spread);
    status = add_spectrum(compare, &spread, out);
  }
  spread_clear(&spread);
  return status;
}

static Status make(Compare *compare, Dictionary *one, Archive *out) {
  TRY(compare_add(compare, out, "", &STATE_COLUMN, one->latents));
  TRY(compare_add(compare, out, "", &MEAN, one->width));
  TRY(archive_begin(out));
  TRY(find_mean(compare, one, out));
  TRY(find_spread(compare, one, out));
  TRY(archive_set_integer(out, "/", "not_dead", one->not_dead));
  return archive_set_real(out, "/", "effective_dimension", one->dimension);
}

static Status adopt(Dictionary *one, Archive *done) {
  TRY(archive_get_integer(done, "/", "not_dead", &one->not_dead));
  TRY(archive_get_real(done, "/", "effective_dimension", &one->dimension));
  return archive_read(done, "/mean", 0, one->width, one->mean);
}

static Status take_up(Compare *compare, const Step *step, Dictionary *one) {
  Archive *done = NULL;
  TRY(compare_work_read(compare, step->name, "done", -1, &done));
  const Status status = adopt(one, done);
  archive_close(&done);
  return status;
}

/* States, mean, effective dimension and spectrum. */
Status compare_describe(Compare *compare, Dictionary *one) {
  Step step = {.children = one->latents};
  bool is_done = false;
  snprintf(step.name, sizeof(step.name), "dictionary-%lld", (long long)one->index);
  TRY_NEW(compare->team, &one->mean, one->width, "mean of a dictionary");
  TRY(compare_work_find(compare, &step, &is_done));
  if (is_done) {
    return take_up(compare, &step, one);
  }
  Archive *out = NULL;
  Status status = compare_work_create(compare, step.name, "done", -1, &out);
  if (status == OK) {
    status = make(compare, one, out);
  }
  if (status == OK) {
    status = archive_finish(&out, NULL);
  }
  archive_abandon(&out);
  return status;
}
