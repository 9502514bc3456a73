/* cleave-evaluate: what a dictionary loses of the model, and which tokens its features speak for. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "evaluate_file.h"
#include "log.h"
#include "lowp.h"
#include "memory.h"
#include "schema.h"
#include "stage.h"
#include "surgery.h"
#include "workbench.h"

/* What all dictionaries share; opened for the first one that is not up to date. */
typedef struct Evaluate {
  Stage *stage;
  Team *team;
  Workbench bench;
  char *model_hash;
  int64_t context, width;
  bool is_open;
  double *mean_row; /* [width] raw */
  Promote *promote;
  EvaluateText text;
  Surgery *surgery;
  EvaluateFigures figures; /* but for the dictionary's */
  double *zero, *rebuilt;  /* [contexts] losses */
} Evaluate;

static Status read_mean(Evaluate *evaluate) {
  int64_t width = 0;
  TRY(archive_shape(evaluate->bench.activations, "/mean", ARCHIVE_F64, 1, &width));
  TRY_ALL(evaluate->team,
          width == evaluate->width
              ? OK
              : RAISE(ERR_FORMAT, "%s: /mean has %lld values, the model's stream %lld",
                      archive_path(evaluate->bench.activations), (long long)width,
                      (long long)evaluate->width));
  TRY_NEW(evaluate->team, &evaluate->mean_row, width, "the mean row");
  return archive_read(evaluate->bench.activations, "/mean", 0, width, evaluate->mean_row);
}

/* What rows are exchanged for, without a dictionary. */

static Status change_nothing(void *context, float *rows, int64_t count) {
  (void)context;
  (void)rows;
  (void)count;
  return OK;
}

static Status change_to_zero(void *context, float *rows, int64_t count) {
  const Evaluate *evaluate = context;
  memset(rows, 0, (size_t)(count * evaluate->width) * sizeof(*rows));
  return OK;
}

static Status change_to_mean(void *context, float *rows, int64_t count) {
  const Evaluate *evaluate = context;
  for (int64_t i = 0; i < count * evaluate->width; ++i) {
    rows[i] = (float)evaluate->mean_row[i % evaluate->width];
  }
  return OK;
}

static Status change_to_rebuilt(void *context, float *rows, int64_t count) {
  Codec *codec = context;
  TRY(codec_encode(codec, rows, count));
  return codec_decode(codec, rows);
}

static double mean_of(const Evaluate *evaluate, const double *losses) {
  double sum = 0;
  for (int64_t c = 0; c < evaluate->text.contexts; ++c) {
    sum += losses[c];
  }
  return sum / (double)surgery_predictions(evaluate->surgery);
}

static Status run_with(Evaluate *evaluate, Status (*call)(void *, float *, int64_t), Progress *bar,
                       int64_t passes, double *losses, double *mean) {
  const SurgeryChange change = {call, evaluate};
  TRY(surgery_run(evaluate->surgery, &change, bar, passes * evaluate->text.tokens, losses));
  *mean = mean_of(evaluate, losses);
  return OK;
}

static Status measure_baselines(Evaluate *evaluate) {
  EvaluateFigures *figures = &evaluate->figures;
  Progress bar;
  progress_open(&bar, evaluate->team, "plain, itself, zero, mean", "tokens",
                4 * evaluate->text.tokens);
  TRY(surgery_create(&evaluate->surgery, &evaluate->bench, &evaluate->text, &bar));
  figures->plain = mean_of(evaluate, surgery_plain(evaluate->surgery));
  TRY(run_with(evaluate, change_nothing, &bar, 1, evaluate->rebuilt, &figures->itself));
  TRY(run_with(evaluate, change_to_mean, &bar, 2, evaluate->rebuilt, &figures->mean));
  TRY(run_with(evaluate, change_to_zero, &bar, 3, evaluate->zero, &figures->zero));
  progress_close(&bar, 4 * evaluate->text.tokens);
  figures->contexts = evaluate->text.contexts;
  figures->tokens = surgery_predictions(evaluate->surgery);
  figures->rows = surgery_rows(evaluate->surgery);
  figures->is_held_out = evaluate->text.is_held_out;
  return OK;
}

static Status open_all(Evaluate *evaluate) {
  const EvaluateSettings *settings = &evaluate->stage->settings.evaluate;
  TRY(workbench_load(&evaluate->bench, true, evaluate->context));
  evaluate->width = evaluate->bench.width;
  TRY_ALL(evaluate->team, promote_create(&evaluate->promote, evaluate->bench.transformer));
  TRY(read_mean(evaluate));
  TRY(evaluate_text_open(&evaluate->text, evaluate->team, evaluate->bench.activations,
                         evaluate->bench.tokenizer, evaluate->context, settings->tokens));
  if (!evaluate->text.is_held_out) {
    log_warning(
        "no document is held out (harvest.held_out): the dictionaries were trained on this text");
  }
  log_info("%lld tokens of %s text in %lld contexts, the stream exchanged behind layer %lld",
           (long long)evaluate->text.tokens, evaluate->text.is_held_out ? "held-out" : "training",
           (long long)evaluate->text.contexts, (long long)evaluate->bench.layer);
  TRY_NEW(evaluate->team, &evaluate->zero, evaluate->text.contexts, "losses of contexts");
  TRY_NEW(evaluate->team, &evaluate->rebuilt, evaluate->text.contexts, "losses of contexts");
  TRY(measure_baselines(evaluate));
  evaluate->is_open = true;
  return OK;
}

static void close_all(Evaluate *evaluate) {
  surgery_destroy(&evaluate->surgery);
  evaluate_text_close(&evaluate->text);
  promote_destroy(&evaluate->promote);
  MEMORY_FREE(evaluate->mean_row);
  MEMORY_FREE(evaluate->zero);
  MEMORY_FREE(evaluate->rebuilt);
  MEMORY_FREE(evaluate->model_hash);
  workbench_close(&evaluate->bench);
}

/* One dictionary. */
typedef struct Subject {
  Evaluate *evaluate;
  const DictionarySettings *settings;
  int64_t index;
  char *path;
  WorkbenchDictionary own;
  char stamp[17];
} Subject;

static Status rebuild_text(Subject *subject, EvaluateFigures *figures) {
  Evaluate *evaluate = subject->evaluate;
  const SurgeryChange change = {change_to_rebuilt, subject->own.codec};
  Progress bar;
  progress_open(&bar, evaluate->team, subject->settings->name, "tokens", evaluate->text.tokens);
  TRY(surgery_run(evaluate->surgery, &change, &bar, 0, evaluate->rebuilt));
  progress_close(&bar, evaluate->text.tokens);
  *figures = evaluate->figures;
  evaluate_recovered(figures, surgery_plain(evaluate->surgery), evaluate->zero, evaluate->rebuilt);
  return OK;
}

static Status make(Subject *subject) {
  Evaluate *evaluate = subject->evaluate;
  EvaluateFigures figures;
  if (!evaluate->is_open) {
    TRY(open_all(evaluate));
  }
  TRY(workbench_dictionary_load(&subject->own, &evaluate->bench,
                                surgery_rows_most(&evaluate->text)));
  TRY(rebuild_text(subject, &figures));
  const EvaluateFile out = {.team = evaluate->team,
                            .path = subject->path,
                            .name = subject->settings->name,
                            .stamp = subject->stamp,
                            .dictionary = archive_content(subject->own.file),
                            .activations = archive_content(evaluate->bench.activations),
                            .model_hash = evaluate->model_hash,
                            .promoted = evaluate->stage->settings.evaluate.promoted};
  TRY(evaluate_file_write(&out, &figures, subject->own.sae, evaluate->promote));
  stage_wrote(evaluate->stage, subject->path);
  return OK;
}

static Status work(Subject *subject) {
  Evaluate *evaluate = subject->evaluate;
  Stage *stage = evaluate->stage;
  const char *name = subject->settings->name;
  Stamp stamp;
  bool go = false;
  TRY_OWN(evaluate->team, &subject->path,
          stage_path(stage, &subject->path, "evaluation/%s.h5", name));
  TRY(workbench_dictionary_open(&subject->own, &evaluate->bench, subject->index));
  stamp_open(&stamp, "evaluate 1");
  stamp_add_fingerprint(&stamp, config_fingerprint(&SETTINGS_EVALUATE, &stage->settings.evaluate));
  stamp_add_fingerprint(&stamp, config_fingerprint(&SETTINGS_HARVEST, &stage->settings.harvest));
  stamp_add_text(&stamp, name);
  stamp_add_text(&stamp, archive_content(subject->own.file));
  stamp_add_text(&stamp, archive_content(evaluate->bench.activations));
  stamp_text(&stamp, subject->stamp);
  TRY(stage_claim(stage, &stamp, subject->path, &go));
  return go ? make(subject) : OK;
}

static Status evaluate_one(Evaluate *evaluate, int64_t index) {
  Subject subject = {.evaluate = evaluate,
                     .settings = &evaluate->stage->settings.dictionaries[index],
                     .index = index};
  const Status status = work(&subject);
  workbench_dictionary_close(&subject.own);
  MEMORY_FREE(subject.path);
  return status;
}

/* The table at the end. */

static Status print_file(Stage *stage, Archive *file, const char *name, bool is_first) {
  static const char *const KEYS[] = {"loss_plain",    "loss_itself",   "loss_mean",
                                     "loss_zero",     "loss_rebuilt",  "recovered",
                                     "recovered_low", "recovered_high"};
  double value[8];
  for (int i = 0; i < 8; ++i) {
    TRY(archive_get_real(file, "/", KEYS[i], &value[i]));
  }
  if (stage->team.rank == 0 && is_first) {
    printf(
        "loss, nats a token: plain %.4f, rows exchanged for themselves %.4f,\n"
        "  for their mean %.4f, for zero %.4f\n",
        value[0], value[1], value[2], value[3]);
    printf("%-24s %9s %10s   %s\n", "dictionary", "loss", "recovered", "95 %");
  }
  if (stage->team.rank == 0) {
    printf("%-24s %9.4f %9.2f%%   %.2f to %.2f\n", name, value[4], 100 * value[5], 100 * value[6],
           100 * value[7]);
  }
  return OK;
}

static Status print_row(Stage *stage, int64_t index, bool is_first) {
  const char *name = stage->settings.dictionaries[index].name;
  char *path = NULL;
  Archive *file = NULL;
  Status status = team_agree(&stage->team, stage_path(stage, &path, "evaluation/%s.h5", name));
  if (status == OK) {
    status = archive_open(&stage->team, path, SCHEMA_EVALUATION, "cleave-evaluate", &file);
  }
  MEMORY_FREE(path);
  if (status == OK) {
    status = print_file(stage, file, name, is_first);
  }
  archive_close(&file);
  return status;
}

static Status print_table(Stage *stage) {
  bool is_first = true;
  for (int64_t i = 0; i < stage->settings.count; ++i) {
    if (stage_is_wanted(stage, i)) {
      TRY(print_row(stage, i, is_first));
      is_first = false;
    }
  }
  fflush(stdout);
  return OK;
}

static Status evaluate_each(Evaluate *evaluate) {
  TRY(workbench_open(&evaluate->bench, evaluate->stage));
  TRY(archive_get_text(evaluate->bench.activations, "/", "model_hash", &evaluate->model_hash));
  TRY(archive_get_integer(evaluate->bench.activations, "/", "context", &evaluate->context));
  TRY_ALL(
      evaluate->team,
      evaluate->context > 0
          ? OK
          : RAISE(
                ERR_DATA,
                "%s: imported rows say nothing of their contexts: there is nothing to evaluate on",
                archive_path(evaluate->bench.activations)));
  for (int64_t i = 0; i < evaluate->stage->settings.count; ++i) {
    if (stage_is_wanted(evaluate->stage, i)) {
      TRY(evaluate_one(evaluate, i));
    }
  }
  return OK;
}

static Status run(Stage *stage) {
  const char *screen = NULL;
  TRY_ALL(&stage->team, stage_check_only(stage));
  if (!settings_evaluates(&stage->settings)) {
    stage_skip(stage, "evaluation/",
               "not evaluated: the rows are imported, and their model is not known");
    return OK;
  }
  lowp_open(&screen);
  Evaluate evaluate = {.stage = stage, .team = &stage->team};
  const Status status = evaluate_each(&evaluate);
  close_all(&evaluate);
  TRY(status);
  return stage->is_check ? OK : print_table(stage);
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_HARVEST,
                                                  &SETTINGS_DICTIONARY, &SETTINGS_EVALUATE, NULL};
  static const StageFlag FLAGS[] = {{"--only", "NAME", "evaluate this dictionary alone"},
                                    {NULL, NULL, NULL}};
  static const StageSpec SPEC = {
      .name = "evaluate",
      .purpose = "what a dictionary loses of the model, and the tokens that its features promote",
      .reads = "model, activations.h5 (text), dictionaries/*.h5",
      .writes = "evaluation/*.h5",
      .next = "compare",
      .sections = SECTIONS,
      .flags = FLAGS,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
