#include <stdio.h>

#include "families_run.h"

/* A dataset that every rank knows and rank 0 writes. */
typedef struct Figure {
  char name[FAMILIES_NAME + 64];
  ArchiveType type;
  int64_t rows, columns; /* columns 0: one-dimensional */
  const void *data;
  const char *meaning, *unit;
} Figure;

typedef Status (*FigureAct)(FamiliesRun *run, Archive *out, const Figure *figure);

static Status add(FamiliesRun *run, Archive *out, const Figure *figure) {
  const ArchiveDataset dataset = {.name = figure->name,
                                  .type = figure->type,
                                  .dims = figure->columns > 0 ? 2 : 1,
                                  .shape = {figure->rows, figure->columns},
                                  .meaning = figure->meaning,
                                  .unit = figure->unit};
  (void)run;
  return archive_add(out, &dataset);
}

static Status write(FamiliesRun *run, Archive *out, const Figure *figure) {
  return archive_write(out, figure->name, 0, run->team->rank == 0 ? figure->rows : 0, figure->data);
}

/* What is done with each dataset of a group. */
typedef struct Figures {
  FamiliesRun *run;
  Archive *out;
  FigureAct act;
  const char *group;
} Figures;

static Status act_on(const Figures *figures, const char *name, Figure figure) {
  snprintf(figure.name, sizeof figure.name, "%s/%s", figures->group, name);
  return figures->act(figures->run, figures->out, &figure);
}

static Status each_of_pair(const Figures *figures, const FamiliesPair *pair) {
  const SweepChildren *sweep = pair->sweep;
  TRY(act_on(figures, "sweep_status",
             (Figure){.type = ARCHIVE_I64,
                      .rows = VERDICT_STEPS,
                      .columns = CHILD_STATUSES,
                      .data = sweep->status,
                      .meaning = "children of each status at each threshold of /sweep/threshold",
                      .unit = "latents"}));
  TRY(act_on(figures, "sweep_linked",
             (Figure){.type = ARCHIVE_I64,
                      .rows = VERDICT_STEPS,
                      .data = sweep->linked,
                      .meaning = "children with a link at each threshold",
                      .unit = "latents"}));
  TRY(act_on(figures, "sweep_merged",
             (Figure){.type = ARCHIVE_I64,
                      .rows = VERDICT_STEPS,
                      .data = sweep->merged,
                      .meaning = "children with two or more links at each threshold",
                      .unit = "latents"}));
  TRY(act_on(figures, "sweep_null",
             (Figure){.type = ARCHIVE_F64,
                      .rows = VERDICT_STEPS,
                      .data = pair->null_hits,
                      .meaning = "null children with a link, of as many as there are children",
                      .unit = "latents"}));
  TRY(act_on(figures, "sweep_false_share",
             (Figure){.type = ARCHIVE_F64,
                      .rows = VERDICT_STEPS,
                      .data = pair->false_share,
                      .meaning = "the latter / children with a link: expected share of false links",
                      .unit = "share"}));
  TRY(act_on(
      figures, "margin_histogram",
      (Figure){.type = ARCHIVE_I64,
               .rows = VERDICT_BINS,
               .data = pair->margin,
               .meaning = "children by the cosine of the best parent less the second's, bins "
                          "of 0.01",
               .unit = "latents"}));
  return act_on(
      figures, "novelty",
      (Figure){.type = ARCHIVE_I64,
               .rows = 3,
               .columns = FAMILIES_OCTAVES,
               .data = pair->octave,
               .meaning = "alive, novel and unreplicated children by log2 of their firings",
               .unit = "latents"});
}

static Status each_of_level(const Figures *figures, const FamiliesDictionary *level) {
  return act_on(figures, "sweep_status",
                (Figure){.type = ARCHIVE_I64,
                         .rows = VERDICT_STEPS,
                         .columns = PARENT_STATUSES,
                         .data = level->sweep->status,
                         .meaning = "features of each status as a parent at each threshold",
                         .unit = "latents"});
}

static Status each_of_run(const Figures *figures) {
  static double threshold[VERDICT_STEPS];
  for (int step = 0; step < VERDICT_STEPS; ++step) {
    threshold[step] = verdict_step(step);
  }
  TRY(act_on(
      figures, "threshold",
      (Figure){.type = ARCHIVE_F64,
               .rows = VERDICT_STEPS,
               .data = threshold,
               .meaning = "link thresholds at which everything is counted; the other cuts stay",
               .unit = "cosine"}));
  return act_on(figures, "families",
                (Figure){.type = ARCHIVE_I64,
                         .rows = VERDICT_STEPS,
                         .data = families_level(figures->run, 0)->sweep->grown,
                         .meaning = "families of more than one feature at each threshold",
                         .unit = "families"});
}

static Status each_of_replication(const Figures *figures, const FamiliesReplication *one) {
  return act_on(figures, "sweep",
                (Figure){.type = ARCHIVE_F64,
                         .rows = VERDICT_STEPS,
                         .columns = 4,
                         .data = one->steps,
                         .meaning = "at each threshold: correlation, the same inside bins of the "
                                    "firing rate, split_again, split_any",
                         .unit = "1"});
}

static Status each_figure(FamiliesRun *run, Archive *out, FigureAct act) {
  char group[FAMILIES_NAME];
  Figures figures = {.run = run, .out = out, .act = act, .group = group};
  for (int64_t p = 0; p < run->pair_count; ++p) {
    snprintf(group, sizeof group, "%s", run->pairs[p].group);
    TRY(each_of_pair(&figures, &run->pairs[p]));
  }
  for (int64_t l = 0; l + 1 < run->levels; ++l) {
    snprintf(group, sizeof group, "/dictionary/%.200s", families_level(run, l)->settings->name);
    TRY(each_of_level(&figures, families_level(run, l)));
  }
  for (int64_t r = 0; r < run->replication_count; ++r) {
    snprintf(group, sizeof group, "%s", run->replications[r].name);
    TRY(each_of_replication(&figures, &run->replications[r]));
  }
  snprintf(group, sizeof group, "/sweep");
  return each_of_run(&figures);
}

Status families_add_figures(FamiliesRun *run, Archive *out) {
  return each_figure(run, out, add);
}

Status families_write_figures(FamiliesRun *run, Archive *out) {
  return each_figure(run, out, write);
}
