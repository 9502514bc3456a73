#include "calibration.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "verdict_table.h"

enum { NAME_SIZE = 600 };

static Status check_size(Team *team, Archive *file, const char *name, int64_t found,
                         int64_t wanted) {
  TRY_ALL(team, found == wanted
                    ? OK
                    : RAISE(ERR_FORMAT, "%s: %s has %lld values instead of %lld",
                            archive_path(file), name, (long long)found, (long long)wanted));
  return OK;
}

static Status read_integers(Team *team, Archive *file, const char *name, int64_t rows,
                            int64_t *out) {
  int64_t found = 0;
  TRY(archive_shape(file, name, ARCHIVE_I64, 1, &found));
  TRY(check_size(team, file, name, found, rows));
  return archive_read(file, name, 0, rows, out);
}

static Status read_reals(Team *team, Archive *file, const char *name, int64_t rows, double *out) {
  int64_t found = 0;
  TRY(archive_shape(file, name, ARCHIVE_F64, 1, &found));
  TRY(check_size(team, file, name, found, rows));
  return archive_read(file, name, 0, rows, out);
}

static void put_integers(Pen *pen, const char *key, const int64_t *values, int count) {
  if (key != NULL) {
    pen_key(pen, key);
  }
  pen_open(pen, "[");
  for (int i = 0; i < count; ++i) {
    pen_integer(pen, values[i]);
  }
  pen_close(pen, "]");
}

static void put_reals(Pen *pen, const char *key, const double *values, int count) {
  pen_key(pen, key);
  pen_open(pen, "[");
  for (int i = 0; i < count; ++i) {
    pen_real(pen, values[i], 4);
  }
  pen_close(pen, "]");
}

static const char *name_of(char *out, const char *object, const char *dataset) {
  snprintf(out, NAME_SIZE, "%s/%s", object, dataset);
  return out;
}

static Status put_statuses(Team *team, Archive *file, const char *object, Pen *pen) {
  int64_t statuses[VERDICT_STEPS][CHILD_STATUSES], shape[2];
  char name[NAME_SIZE];
  TRY(archive_shape(file, name_of(name, object, "sweep_status"), ARCHIVE_I64, 2, shape));
  TRY(check_size(team, file, name, shape[0] * shape[1], (int64_t)VERDICT_STEPS * CHILD_STATUSES));
  TRY(archive_read(file, name, 0, VERDICT_STEPS, statuses));
  pen_key(pen, "statuses");
  pen_open(pen, "[");
  for (int step = 0; step < VERDICT_STEPS; ++step) {
    put_integers(pen, NULL, statuses[step], CHILD_STATUSES);
  }
  pen_close(pen, "]");
  return OK;
}

static Status put_sweep(Team *team, Archive *file, const char *object, Pen *pen) {
  int64_t linked[VERDICT_STEPS];
  double values[VERDICT_STEPS];
  char name[NAME_SIZE];
  pen_key(pen, "sweep");
  pen_open(pen, "{");
  TRY(read_integers(team, file, name_of(name, object, "sweep_linked"), VERDICT_STEPS, linked));
  put_integers(pen, "linked", linked, VERDICT_STEPS);
  TRY(read_reals(team, file, name_of(name, object, "sweep_null"), VERDICT_STEPS, values));
  put_reals(pen, "null", values, VERDICT_STEPS);
  TRY(read_reals(team, file, name_of(name, object, "sweep_false_share"), VERDICT_STEPS, values));
  put_reals(pen, "false_share", values, VERDICT_STEPS);
  TRY(put_statuses(team, file, object, pen));
  pen_close(pen, "}");
  return OK;
}

Status calibration_write_pair(const Atlas *atlas, const char *object, Pen *pen) {
  int64_t histogram[VERDICT_BINS];
  char name[NAME_SIZE];
  TRY(read_integers(atlas->team, atlas->neighbours, name_of(name, object, "null_histogram"),
                    VERDICT_BINS, histogram));
  put_integers(pen, "null_histogram", histogram, VERDICT_BINS);
  return put_sweep(atlas->team, atlas->families, object, pen);
}

static Status put_warnings(Archive *file, Pen *pen) {
  char *warnings = NULL;
  TRY(archive_get_text(file, "/", "warnings", &warnings));
  pen_key(pen, "warnings");
  pen_open(pen, "[");
  for (const char *line = warnings; *line != '\0';) {
    const size_t length = strcspn(line, "\n");
    pen_text(pen, line, (int64_t)length);
    line += length + (line[length] == '\n');
  }
  pen_close(pen, "]");
  MEMORY_FREE(warnings);
  return OK;
}

Status calibration_write_run(const Atlas *atlas, Pen *pen) {
  double thresholds[VERDICT_STEPS];
  int64_t families[VERDICT_STEPS];
  TRY(put_warnings(atlas->families, pen));
  TRY(read_reals(atlas->team, atlas->families, "/sweep/threshold", VERDICT_STEPS, thresholds));
  put_reals(pen, "thresholds", thresholds, VERDICT_STEPS);
  TRY(read_integers(atlas->team, atlas->families, "/sweep/families", VERDICT_STEPS, families));
  put_integers(pen, "sweep_families", families, VERDICT_STEPS);
  return OK;
}
