#include <string.h>

#include "families_run.h"
#include "log.h"
#include "memory.h"

/* An imported dictionary that does not do here what its maker says is not judged. */
static Status check_gate(FamiliesRun *run, const FamiliesDictionary *one) {
  char *gate = NULL;
  TRY(archive_get_text(one->codes, "/", "gate", &gate));
  Status status = OK;
  if (gate[0] != '\0' && !run->stage->force && !run->stage->is_check) {
    status = RAISE(ERR_DATA, "%s (--force judges it all the same)", gate);
  } else if (gate[0] != '\0') {
    status = text_printf(&run->warnings, "%s\n", gate);
  }
  MEMORY_FREE(gate);
  return team_agree(run->team, status);
}

static Status warn_of_classes(FamiliesRun *run, const FamiliesDictionary *first,
                              const FamiliesDictionary *one, const char *first_class,
                              const char *class) {
  if (strcmp(first_class, class) != 0) {
    TRY(text_printf(
        &run->warnings, "other sparsity: %.1f features of %s fire in a row (%s), of %s %.1f (%s)\n",
        first->l0, first->settings->name, first_class, one->settings->name, one->l0, class));
  }
  if (strcmp(first->architecture, one->architecture) != 0) {
    TRY(text_printf(&run->warnings, "other kind: %s is %s, %s is %s\n", first->settings->name,
                    first->architecture, one->settings->name, one->architecture));
  }
  return OK;
}

/* Dictionaries of other sparsity or kind than the smallest level. */
static Status check_class(FamiliesRun *run, const FamiliesDictionary *one) {
  const FamiliesDictionary *first = families_level(run, 0);
  char *class = NULL, *first_class = NULL;
  Status status = archive_get_text(one->codes, "/", "l0_class", &class);
  if (status == OK) {
    status = archive_get_text(first->codes, "/", "l0_class", &first_class);
  }
  if (status == OK) {
    status = team_agree(run->team, warn_of_classes(run, first, one, first_class, class));
  }
  MEMORY_FREE(class);
  MEMORY_FREE(first_class);
  return status;
}

static Status warn_of_twins(FamiliesRun *run) {
  bool has_twin = false;
  for (int64_t i = 0; i < run->count; ++i) {
    has_twin = has_twin || run->dictionaries[i].twin >= 0;
  }
  return has_twin ? OK
                  : text_printf(
                        &run->warnings,
                        "no level has a twin of another seed: whether splits replicate, and what "
                        "is novel, cannot be said\n");
}

static Status warn_of_documents(FamiliesRun *run) {
  return run->document_rows == 0
             ? OK
             : text_printf(&run->warnings,
                           "no document numbers: runs of %lld rows count as documents, and "
                           "intervals are too narrow where texts are longer\n",
                           (long long)run->document_rows);
}

Status families_check(FamiliesRun *run) {
  for (int64_t i = 0; i < run->count; ++i) {
    TRY(check_gate(run, &run->dictionaries[i]));
  }
  for (int64_t i = 0; i < run->count; ++i) {
    TRY(check_class(run, &run->dictionaries[i]));
  }
  TRY_ALL(run->team, warn_of_twins(run));
  TRY_ALL(run->team, warn_of_documents(run));
  return OK;
}
