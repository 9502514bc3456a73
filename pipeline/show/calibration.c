#include "calibration.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "verdict_table.h"

enum { NAME_SIZE = 600 };

static Status read_integers(Archive *file, const char *name, int64_t rows, int64_t *out) {
  TRY(archive_expect(file, name, ARCHIVE_I64, 1, &rows));
  return archive_read(file, name, 0, rows, out);
}

static Status read_reals(Archive *file, const char *name, int64_t rows, double *out) {
  TRY(archive_expect(file, name, ARCHIVE_F64, 1, &rows));
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

static Status put_statuses(Archive *file, const char *object, Pen *pen) {
  static const int64_t SHAPE[] = {VERDICT_STEPS, CHILD_STATUSES};
  int64_t statuses[VERDICT_STEPS][CHILD_STATUSES];
  char name[NAME_SIZE];
  TRY(archive_expect(file, name_of(name, object, "sweep_status"), ARCHIVE_I64, 2, SHAPE));
  TRY(archive_read(file, name, 0, VERDICT_STEPS, statuses));
  pen_key(pen, "statuses");
  pen_open(pen, "[");
  for (int step = 0; step < VERDICT_STEPS; ++step) {
    put_integers(pen, NULL, statuses[step], CHILD_STATUSES);
  }
  pen_close(pen, "]");
  return OK;
}

static Status put_sweep(Archive *file, const char *object, Pen *pen) {
  int64_t linked[VERDICT_STEPS];
  double values[VERDICT_STEPS];
  char name[NAME_SIZE];
  pen_key(pen, "sweep");
  pen_open(pen, "{");
  TRY(read_integers(file, name_of(name, object, "sweep_linked"), VERDICT_STEPS, linked));
  put_integers(pen, "linked", linked, VERDICT_STEPS);
  TRY(read_reals(file, name_of(name, object, "sweep_null"), VERDICT_STEPS, values));
  put_reals(pen, "null", values, VERDICT_STEPS);
  TRY(read_reals(file, name_of(name, object, "sweep_false_share"), VERDICT_STEPS, values));
  put_reals(pen, "false_share", values, VERDICT_STEPS);
  TRY(put_statuses(file, object, pen));
  pen_close(pen, "}");
  return OK;
}

Status calibration_write_pair(const Atlas *atlas, const char *object, Pen *pen) {
  int64_t histogram[VERDICT_BINS];
  char name[NAME_SIZE];
  TRY(read_integers(atlas->neighbours, name_of(name, object, "null_histogram"), VERDICT_BINS,
                    histogram));
  put_integers(pen, "null_histogram", histogram, VERDICT_BINS);
  return put_sweep(atlas->families, object, pen);
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
  TRY(read_reals(atlas->families, "/sweep/threshold", VERDICT_STEPS, thresholds));
  put_reals(pen, "thresholds", thresholds, VERDICT_STEPS);
  TRY(read_integers(atlas->families, "/sweep/families", VERDICT_STEPS, families));
  put_integers(pen, "sweep_families", families, VERDICT_STEPS);
  return OK;
}
