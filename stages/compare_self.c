#include <stdio.h>

#include "compare_run.h"
#include "compare_work.h"
#include "memory.h"

/* A dictionary with itself: panel after panel meets its own and all later rows. */
typedef struct Self {
  const Dictionary *one;
  Step step;
  Directions all;
  /* of a panel */
  Directions rows;
  Neighbours nearest;
  uint32_t *ids;  /* [own rows, most] */
  float *cosines; /* [own rows, most] */
  Archive *out;
} Self;

static void clear_panel(Self *self) {
  directions_clear(&self->rows);
  neighbours_clear(&self->nearest);
  MEMORY_FREE(self->ids);
  MEMORY_FREE(self->cosines);
  archive_abandon(&self->out);
}

static Status take_panel(const Compare *compare, Self *self) {
  const int64_t own = shard_count(self->rows.own);
  TRY(neighbours_open(&self->nearest, own, compare->most));
  TRY(MEMORY_NEW(&self->ids, own * compare->most, "ids to be written"));
  return MEMORY_NEW(&self->cosines, own * compare->most, "cosines to be written");
}

static Status find_nearest(Compare *compare, Self *self, Shard part) {
  TRY(compare_load(compare, self->one, part, &self->rows));
  TRY_ALL(compare->team, take_panel(compare, self));
  TRY(neighbours_take(compare->team, &self->rows, &self->step.lists, &self->nearest));
  const NeighboursJob job = {.child = &self->rows,
                             .parent = &self->all,
                             .parents = &self->nearest,
                             .children = &self->step.lists,
                             .watch = &compare->watch};
  TRY(neighbours_meet_own(compare->team, &job));
  neighbours_sort(&self->nearest);
  neighbours_unpack(&self->nearest, self->ids, self->cosines);
  return OK;
}

static Status write_nearest(Compare *compare, Self *self, Shard part) {
  const Shard own = self->rows.own;
  const int64_t at = own.first - part.first;
  TRY(compare_work_create(compare, self->step.name, "rows", part.first, &self->out));
  TRY(compare_add(compare, self->out, "", &SELF_COLUMN[0], shard_count(part)));
  TRY(compare_add(compare, self->out, "", &SELF_COLUMN[1], shard_count(part)));
  TRY(archive_begin(self->out));
  TRY(archive_write(self->out, "/id", at, shard_count(own), self->ids));
  TRY(archive_write(self->out, "/cosine", at, shard_count(own), self->cosines));
  return archive_finish(&self->out, NULL);
}

static Status go_on(Compare *compare, Self *self) {
  Step *step = &self->step;
  while (step->done < step->children) {
    const Shard part = compare_panel(compare, self->one, step->done);
    Status status = find_nearest(compare, self, part);
    if (status == OK) {
      status = write_nearest(compare, self, part);
    }
    clear_panel(self);
    TRY(status);
    step->done = part.past;
    TRY(compare_work_save(compare, step));
  }
  return OK;
}

/* Nothing but the fact that it is done. */
static Status end(Compare *compare, const Step *step) {
  Archive *out = NULL;
  TRY(compare_work_create(compare, step->name, "done", -1, &out));
  Status status = archive_begin(out);
  if (status == OK) {
    status = archive_finish(&out, NULL);
  }
  archive_abandon(&out);
  return status;
}

static Status work(Compare *compare, Self *self) {
  const Shard whole = {0, self->one->latents};
  Step *step = &self->step;
  TRY(compare_load(compare, self->one, whole, &self->all));
  TRY_ALL(compare->team, neighbours_open(&step->lists, shard_count(self->all.own), compare->most));
  TRY(compare_work_resume(compare, step));
  TRY(go_on(compare, self));
  return end(compare, step);
}

Status compare_self(Compare *compare, const Dictionary *one) {
  Self self = {.one = one, .step = {.children = one->latents, .total = one->latents}};
  bool is_done = false;
  snprintf(self.step.name, sizeof(self.step.name), "self-%lld", (long long)one->index);
  snprintf(self.step.title, sizeof(self.step.title), "%s with itself", one->settings->name);
  TRY(compare_work_find(compare, &self.step, &is_done));
  if (is_done) {
    return OK;
  }
  const Status status = work(compare, &self);
  directions_clear(&self.all);
  neighbours_clear(&self.step.lists);
  return status;
}
