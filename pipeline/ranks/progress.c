#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "bar.h"
#include "clock.h"
#include "log.h"
#include "text.h"

enum { BAR_CELLS = 24, LINE_SIZE = 320 };
static const double LINE_EVERY = 30.0; /* seconds */
static const double BAR_EVERY = 0.2;

void progress_open(Progress *progress, const Team *team, const char *what, const char *unit,
                   int64_t total) {
  *progress = (Progress){.team = team,
                         .what = what,
                         .unit = unit,
                         .total = total,
                         .started = clock_seconds(),
                         .shown = -1.0,
                         .is_terminal = isatty(STDERR_FILENO) == 1};
}

static double rate_of(const Progress *progress, int64_t done) {
  const double took = clock_seconds() - progress->started;
  return took > 0 ? (double)(done - progress->first) / took : 0;
}

/* A slow one with two digits after the point. */
static const char *text_of_rate(double speed, char out[32]) {
  if (speed >= 10.0) {
    return text_of_count((int64_t)speed, out);
  }
  snprintf(out, 32, "%.2f", speed);
  return out;
}

/* "12,288/307,200 tokens, 2,345 tokens/s, 2 min 05 s left, loss 83.1" */
static void describe(const Progress *progress, int64_t done, char *line) {
  char count[32], total[32], rate[32], left[32], rest[64] = "";
  const double speed = rate_of(progress, done);
  if (speed > 0 && progress->total > done) {
    snprintf(rest, sizeof(rest), ", %s left",
             text_of_seconds((double)(progress->total - done) / speed, left));
  }
  snprintf(line, LINE_SIZE, "%s/%s %s, %s %s/s%s%s%s", text_of_count(done, count),
           text_of_count(progress->total, total), progress->unit, text_of_rate(speed, rate),
           progress->unit, rest, progress->note[0] != '\0' ? ", " : "", progress->note);
}

static void draw_bar(const Progress *progress, int64_t done) {
  char text[LINE_SIZE], cells[BAR_CELLS + 1], line[LINE_SIZE + BAR_CELLS + 64];
  const double share = progress->total > 0 ? (double)done / (double)progress->total : 1.0;
  for (int i = 0; i < BAR_CELLS; i++) {
    cells[i] = i < (int)(share * BAR_CELLS) ? '#' : '.';
  }
  cells[BAR_CELLS] = '\0';
  describe(progress, done, text);
  snprintf(line, sizeof(line), "%s [%s] %3.0f %%  %s", progress->what, cells, 100.0 * share, text);
  bar_draw(line);
}

void progress_step(Progress *progress, int64_t done) {
  if (progress->team->rank != 0) {
    return;
  }
  const double now = clock_seconds();
  const double wait = progress->is_terminal ? BAR_EVERY : LINE_EVERY;
  if (progress->shown >= 0 && now - progress->shown < wait) {
    return;
  }
  progress->shown = now;
  if (progress->is_terminal) {
    draw_bar(progress, done);
    return;
  }
  char line[LINE_SIZE];
  describe(progress, done, line);
  log_info("%s: %s", progress->what, line);
}

void progress_note(Progress *progress, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(progress->note, sizeof(progress->note), format, arguments);
  va_end(arguments);
}

void progress_close(Progress *progress, int64_t done) {
  if (progress->team->rank != 0) {
    return;
  }
  bar_draw(NULL);
  char count[32], took[32], rate[32];
  log_info("%s: %s %s in %s (%s %s/s)", progress->what, text_of_count(done, count), progress->unit,
           text_of_seconds(clock_seconds() - progress->started, took),
           text_of_rate(rate_of(progress, done), rate), progress->unit);
}
