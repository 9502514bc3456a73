#include <math.h>

#include "activations.h"
#include "packer.h"
#include "plan.h"

/* harvest and evaluate, which put text through the model, and import. */

enum { UNITS_A_THREAD = 4 };       /* harvest.c: in a round */
static const double MIB = 1 << 20; /* bytes */

/* Token tables of a tokenizer, with their hash tables: bytes a token, measured at 49,152 and 262,144 tokens. */
static const double TOKEN_BYTES = 105;

static double unit_rows(const PlanFacts *facts) {
  return (double)(packer_contexts(facts->context) * facts->context);
}

static double rows_on_disk(const PlanFacts *facts) {
  return (double)facts->rows * (double)(facts->row_bytes + 3 * 4);
}

/* activations.h5 with its text. */
static double file_bytes(const PlanFacts *facts) {
  return rows_on_disk(facts) + 4.0 * (double)facts->tokens + 9.0 * (double)facts->documents +
         15.0 * (double)facts->vocabulary;
}

/* All is held until the file is written: 16 MiB of rows with their records, and 4 MiB for each of three spools and
 * for the text. */
Status plan_harvest(const Plan *plan, PlanCost *cost) {
  const PlanFacts *facts = &plan->facts;
  const double threads = (double)plan->threads, rows = facts->context > 0 ? unit_rows(facts) : 0;
  const double record = (double)sizeof(ActivationsRow);
  *cost = (PlanCost){0};
  if (!settings_harvests(&plan->stage->settings)) {
    return OK;
  }
  cost->disk = file_bytes(facts);
  cost->scratch =
      (double)facts->rows * ((double)facts->row_bytes + record) + 4.0 * (double)facts->tokens;
  if (facts->context == 0) { /* the rows are known, the model is not */
    return OK;
  }
  const double unit = rows * ((double)facts->row_bytes + record + 28.0);
  const double sheet = 16.0 * MIB * (1.0 + (record + 12.0) / (double)facts->row_bytes);
  cost->memory = facts->part.weights +
                 threads * (facts->part.scratch + 4.0 * rows * (double)facts->width) +
                 (UNITS_A_THREAD * threads + 1.0) * unit + sheet + 4.0 * 4.0 * MIB +
                 TOKEN_BYTES * (double)facts->vocabulary;
  cost->dense = facts->part.operations * (double)facts->tokens;
  cost->read = cost->scratch;
  return OK;
}

/* Dictionaries go through in pieces of 32 MiB: a matrix read, and turned where its columns are the latents. */
Status plan_import(const Plan *plan, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  const double width = (double)plan->facts.width;
  *cost = (PlanCost){0};
  for (int64_t i = 0; i < settings->count; ++i) {
    if (!settings_is_trained(settings, i)) {
      const double latents = (double)settings->dictionaries[i].latents;
      cost->disk += 4.0 * (2.0 * latents * width + 2.0 * latents + width);
      cost->read += 8.0 * latents * width;
    }
    if (!settings_is_encoded(settings, i)) {
      PlanCost codes;
      plan_codes(plan, i, &codes);
      plan_then(cost, &codes);
    }
  }
  if (settings_has_work(settings, "import")) {
    cost->memory = fmax(cost->memory, 3.0 * 32.0 * MIB);
  }
  if (!settings_harvests(settings)) {
    cost->disk += file_bytes(&plan->facts);
    cost->scratch += (double)plan->facts.rows * (double)plan->facts.row_bytes;
    cost->read += 2.0 * (double)plan->facts.rows * (double)plan->facts.row_bytes;
  }
  return OK;
}

/* The promoted tokens of a dictionary: all its directions, twice (down too), with the whole head in 8 bits. */
static void promote(const Plan *plan, double latents, PlanCost *cost) {
  const double width = (double)plan->facts.width, vocabulary = (double)plan->facts.vocabulary;
  cost->screened += 2.0 * 2.0 * latents * vocabulary * width;
  cost->disk += latents * 16.0 * (double)plan->stage->settings.evaluate.promoted;
}

/* No more than are held out; where none is, training text serves. */
static double tokens_of(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  const double share = settings->harvest.held_out > 0 ? settings->harvest.held_out : 1.0;
  const double there = share * (double)plan->facts.tokens;
  const double wanted = (double)settings->evaluate.tokens;
  return wanted < there ? wanted : there;
}

/* The text passes whole once, and once more behind the layer for each exchange: for itself, the mean, zero and each
 * dictionary. */
Status plan_evaluate(const Plan *plan, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  const PlanFacts *facts = &plan->facts;
  const double width = (double)facts->width, threads = (double)plan->threads;
  const double tokens = tokens_of(plan);
  *cost = (PlanCost){0};
  if (!settings_evaluates(settings) || facts->context == 0) {
    return OK;
  }
  int64_t most = 0;
  const double ranks = (double)plan->ranks;
  const double behind = facts->whole.operations - facts->part.operations;
  cost->dense = tokens * (facts->whole.operations + 3.0 * behind);
  cost->received = (ranks - 1.0) / ranks * 3.0 * tokens * 4.0 * width;
  for (int64_t i = 0; i < settings->count; ++i) {
    const int64_t latents = settings->dictionaries[i].latents;
    most = latents > most ? latents : most;
    cost->dense += tokens * behind;
    cost->dense += 2.0 * tokens * (double)latents * width;
    promote(plan, (double)latents, cost);
    cost->received += (ranks - 1.0) / ranks * tokens * 20.0 * width;
  }
  const double own = (double)plan_share(plan, most), rows = unit_rows(facts);
  const double head = (double)facts->vocabulary * (width + 24.0);
  const double logits = 4.0 * (double)(1 << 22);
  cost->memory = facts->whole.weights + TOKEN_BYTES * (double)facts->vocabulary + head +
                 threads * (facts->whole.scratch + 4.0 * rows * width + logits + 20.0 * MIB) +
                 own * (8.0 * width + 28.0) + 4096.0 * width * 5.0 +
                 8.0 * width * tokens / (double)plan->ranks + 20.0 * rows * width;
  return OK;
}
