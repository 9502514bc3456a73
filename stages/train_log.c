#include "train_log.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "memory.h"
#include "text.h"

static const char HEADER[] =
    "step,rows,loss,explained_variance,l0,dead,gradient_norm,rate,aux_loss,penalty\n";

static Status write_failed(const TrainLog *log) {
  return RAISE(status_of_write(errno), "%s: %s", log->path, strerror(errno));
}

static Status add_text(TrainLog *log, const char *text) {
  if (fputs(text, log->file) < 0 || fflush(log->file) != 0) {
    return write_failed(log);
  }
  log->bytes += (int64_t)strlen(text);
  return OK;
}

static Status begin(TrainLog *log) {
  TRY(text_make_parent(log->path));
  log->file = fopen(log->path, "w");
  return log->file == NULL ? write_failed(log) : add_text(log, HEADER);
}

/* Bytes up to the end of the last whole line. */
static int64_t whole_lines(FILE *file) {
  int64_t at = 0, end = 0;
  for (int byte = getc(file); byte != EOF; byte = getc(file)) {
    ++at;
    end = byte == '\n' ? at : end;
  }
  return end;
}

/* What was written after the checkpoint is cut off: it comes again. Of a file that a crash left shorter than that the
 * whole lines stay. */
static Status go_on(TrainLog *log, int64_t bytes) {
  struct stat about;
  log->file = fopen(log->path, "r+");
  if (log->file == NULL && errno == ENOENT) {
    return begin(log);
  }
  if (log->file == NULL || fstat(fileno(log->file), &about) != 0) {
    return write_failed(log);
  }
  if (about.st_size < bytes) {
    log_warning("%s: lines before the checkpoint are missing", log->path);
    bytes = whole_lines(log->file);
  }
  if (ftruncate(fileno(log->file), (off_t)bytes) != 0 || fseek(log->file, 0, SEEK_END) != 0) {
    return write_failed(log);
  }
  log->bytes = bytes;
  return OK;
}

Status train_log_open(TrainLog *log, Team *team, int64_t bytes) {
  Status status = OK;
  if (team->rank == 0) {
    status = bytes > 0 ? go_on(log, bytes) : begin(log);
  }
  return team_agree(team, status);
}

Status train_log_add(TrainLog *log, int64_t step, int64_t rows, const TrainReport *report) {
  char line[256];
  if (log->file == NULL) {
    return OK;
  }
  snprintf(line, sizeof(line), "%lld,%lld,%.9g,%.9g,%.9g,%lld,%.9g,%.9g,%.9g,%.9g\n",
           (long long)step, (long long)rows, report->loss, report->explained, report->l0,
           (long long)report->dead, report->gradient_norm, report->rate, report->aux_loss,
           report->penalty);
  return add_text(log, line);
}

void train_log_close(TrainLog *log) {
  if (log->file != NULL) {
    fclose(log->file);
  }
  MEMORY_FREE(log->path);
  *log = (TrainLog){0};
}
