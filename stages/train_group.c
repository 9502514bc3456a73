#include "train_group.h"

#include <stdio.h>

#include "clock.h"
#include "memory.h"
#include "progress.h"

/* Of one dictionary alone the order of the data has a key of its own: so it always was, and trainings
 * of different size see different batches. */
BatchesSpec train_group_spec(const TrainGroup *group) {
  const Training *first = &group->members[0];
  const TrainSettings *settings = &group->stage->settings.train;
  const TrainRows *rows = first->rows;
  return (BatchesSpec){.rows = rows->rows,
                       .width = rows->width,
                       .batch = settings->batch,
                       .window = settings->window,
                       .scale = rows->scale,
                       .is_bf16 = rows->is_bf16,
                       .seed = first->seed,
                       .name = settings->together ? "" : first->settings->name,
                       .read = train_rows_read,
                       .ahead = train_rows_ahead,
                       .context = first->rows};
}

static Status check_rows(const TrainGroup *group) {
  const BatchesSpec spec = train_group_spec(group);
  if (spec.rows < spec.batch) {
    return RAISE(ERR_DATA, "train.batch = %lld, but %s has %lld training rows",
                 (long long)spec.batch, archive_path(group->members[0].rows->file),
                 (long long)spec.rows);
  }
  return OK;
}

static Status take(TrainGroup *group) {
  const BatchesSpec spec = train_group_spec(group);
  TRY(check_rows(group));
  TRY(batches_create(&group->batches, &group->stage->team, &spec));
  return MEMORY_NEW(&group->batch, spec.batch * spec.width, "rows of a batch");
}

static Status open_members(TrainGroup *group) {
  for (int64_t i = 0; i < group->count; i++) {
    Training *member = &group->members[i];
    TRY(training_open(member, batches_steps(group->batches, training_passes(member))));
  }
  group->saved = clock_seconds();
  return OK;
}

/* The member that stands furthest behind; NULL when all are done. */
static Training *find_last(const TrainGroup *group) {
  Training *last = NULL;
  for (int64_t i = 0; i < group->count; i++) {
    Training *member = &group->members[i];
    if (member->train != NULL && (last == NULL || member->train->step < last->train->step)) {
      last = member;
    }
  }
  return last;
}

static int request_of(const TrainGroup *group) {
  const double minutes = group->stage->settings.train.checkpoint;
  if (stage_is_signalled()) {
    return REQUEST_STOP;
  }
  return minutes > 0 && clock_seconds() - group->saved > 60.0 * minutes ? REQUEST_SAVE
                                                                        : REQUEST_NONE;
}

static Status save_all(TrainGroup *group) {
  for (int64_t i = 0; i < group->count; i++) {
    TRY(group->members[i].train != NULL ? training_save(&group->members[i]) : OK);
  }
  group->saved = clock_seconds();
  return OK;
}

static Status stop(const TrainGroup *group) {
  const Training *last = find_last(group);
  return team_agree(&group->stage->team,
                    RAISE(ERR_INTERRUPTED, "%s stands at step %lld of %lld", last->settings->name,
                          (long long)last->train->step, (long long)last->train->spec.steps));
}

/* After a step: checkpoints if it is time for them, and the end if a signal asked for it. What is done is
 * written and given back at once. */
static Status settle(TrainGroup *group, int64_t step, int request) {
  const int64_t every = group->stage->settings.train.checkpoint_steps;
  for (int64_t i = 0; i < group->count; i++) {
    Training *member = &group->members[i];
    if (member->train != NULL && training_is_done(member)) {
      TRY(training_finish(member));
      training_close(member);
    }
  }
  const bool is_due = every > 0 && step > 0 && step % every == 0;
  if ((is_due || request != REQUEST_NONE) && find_last(group) != NULL) {
    TRY(save_all(group));
    return request == REQUEST_STOP ? stop(group) : OK;
  }
  return OK;
}

/* All members that stand at `step`. */
static Status step_all(TrainGroup *group, int64_t step, int *request) {
  phases_start(&find_last(group)->train->times);
  TRY(batches_take(group->batches, &group->stage->team, step, group->batch));
  phases_lap(&find_last(group)->train->times, PHASE_INPUT);
  for (int64_t i = 0; i < group->count; i++) {
    Training *member = &group->members[i];
    if (member->train != NULL && member->train->step == step) {
      TRY(training_step(member, group->batch, request));
    }
  }
  return OK;
}

static void open_progress(const TrainGroup *group, Progress *bar, char *what, size_t size) {
  int64_t steps = 0;
  for (int64_t i = 0; i < group->count; i++) {
    const int64_t own = group->members[i].train->spec.steps;
    steps = own > steps ? own : steps;
  }
  if (group->count == 1) {
    snprintf(what, size, "train %s", group->members[0].settings->name);
  } else {
    snprintf(what, size, "train %lld dictionaries", (long long)group->count);
  }
  progress_open(bar, &group->stage->team, what, "steps", steps);
  bar->first = find_last(group)->train->step;
}

Status train_group_run(TrainGroup *group) {
  Progress bar;
  char what[96];
  TRY_ALL(&group->stage->team, take(group));
  TRY(open_members(group));
  open_progress(group, &bar, what, sizeof(what));
  TRY(settle(group, 0, REQUEST_NONE)); /* some may have been done but for their file */
  int64_t step = 0;
  for (const Training *last = find_last(group); last != NULL; last = find_last(group)) {
    int request = request_of(group);
    step = last->train->step;
    TRY(step_all(group, step, &request));
    progress_note(&bar, "explained %.3f, dead %lld", last->report.explained,
                  (long long)last->report.dead);
    progress_step(&bar, step + 1);
    TRY(settle(group, step + 1, request));
  }
  progress_close(&bar, step + 1);
  return OK;
}

void train_group_close(TrainGroup *group) {
  for (int64_t i = 0; i < group->count; i++) {
    training_close(&group->members[i]);
  }
  batches_destroy(&group->batches);
  MEMORY_FREE(group->members);
  MEMORY_FREE(group->batch);
}
