#include <math.h>

#include "activations.h"
#include "loss.h"
#include "packer.h"
#include "plan.h"

/* harvest and evaluate, which put text through the model, and import. */

enum { UNITS_A_THREAD = 4 };       /* harvest.c: in a round */
static const double MIB = 1 << 20; /* bytes */

/* Ordinary code beside an operation of the products: attention and norms; of an evaluation the losses too. */
static const double FORWARD_WORK = 1.4e-4, JUDGED_WORK = 2.6e-4;

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
static double sheet_bytes(const PlanFacts *facts) {
  const double record = (double)sizeof(ActivationsRow);
  return 16.0 * MIB * (1.0 + (record + 12.0) / (double)facts->row_bytes) + 4.0 * 4.0 * MIB;
}

PlanCost plan_harvest(const Plan *plan) {
  const PlanFacts *facts = &plan->facts;
  const double threads = (double)plan->threads, rows = facts->context > 0 ? unit_rows(facts) : 0;
  const double record = (double)sizeof(ActivationsRow);
  PlanCost cost = {0};
  if (!settings_harvests(&plan->stage->settings)) {
    return cost;
  }
  cost.disk = file_bytes(facts);
  cost.scratch =
      (double)facts->rows * ((double)facts->row_bytes + record) + 4.0 * (double)facts->tokens;
  if (facts->context == 0) { /* the rows are known, the model is not */
    return cost;
  }
  const double unit = rows * ((double)facts->row_bytes + record + 28.0);
  cost.memory = facts->part.weights +
                threads * (facts->part.scratch + 4.0 * rows * (double)facts->width) +
                (UNITS_A_THREAD * threads + 1.0) * unit + sheet_bytes(facts) +
                TOKEN_BYTES * (double)facts->vocabulary;
  cost.dense = facts->part.operations * (double)facts->tokens;
  cost.work = FORWARD_WORK * cost.dense;
  cost.read = cost.scratch;
  return cost;
}

/* Rows in units, and the sheet that they are gathered on. */
static void add_rows(const Plan *plan, PlanCost *cost) {
  const PlanFacts *facts = &plan->facts;
  const double row = (double)facts->row_bytes, values = 1 << 21;
  const double unit = fmin(4096.0, values / (double)facts->width);
  const PlanCost one = {
      .memory = unit * (4.0 * (double)facts->width + row + 28.0) + sheet_bytes(facts),
      .disk = file_bytes(facts),
      .scratch = (double)facts->rows * row,
      .read = 2.0 * (double)facts->rows * row};
  plan_then(cost, &one);
}

/* Dictionaries go through in pieces, of encoder and decoder; their files are read once more, for what they hold. */
static const double PIECE = 32.0 * (1 << 20),
                    WORK = 1.4e6; /* bytes: import_dictionary.c; of the readers */
static void add_dictionary(const Plan *plan, int64_t index, PlanCost *cost) {
  const double latents = (double)plan->stage->settings.dictionaries[index].latents;
  const double matrix = 4.0 * latents * (double)plan->facts.width;
  const PlanCost one = {.memory = 2.0 * fmin(PIECE, matrix) + WORK,
                        .disk = 2.0 * matrix + 4.0 * (2.0 * latents + (double)plan->facts.width),
                        .read = 2.0 * 2.0 * matrix};
  plan_then(cost, &one);
}

PlanCost plan_import(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  PlanCost cost = {0};
  for (int64_t i = 0; i < settings->count; ++i) {
    if (!settings_is_trained(settings, i)) {
      add_dictionary(plan, i, &cost);
    }
    if (!settings_is_encoded(settings, i)) {
      const PlanCost codes = plan_codes(plan, i);
      plan_then(&cost, &codes);
    }
  }
  if (!settings_harvests(settings)) {
    add_rows(plan, &cost);
  }
  return cost;
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
PlanCost plan_evaluate(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  const PlanFacts *facts = &plan->facts;
  const double width = (double)facts->width, threads = (double)plan->threads;
  const double tokens = tokens_of(plan);
  PlanCost cost = {0};
  if (!settings_evaluates(settings) || facts->context == 0) {
    return cost;
  }
  int64_t most = 0;
  const double ranks = (double)plan->ranks;
  const double behind = facts->whole.operations - facts->part.operations;
  cost.dense = tokens * (facts->whole.operations + 3.0 * behind);
  cost.received = (ranks - 1.0) / ranks * 3.0 * tokens * 4.0 * width;
  for (int64_t i = 0; i < settings->count; ++i) {
    const int64_t latents = settings->dictionaries[i].latents;
    most = latents > most ? latents : most;
    cost.dense += tokens * (behind + 2.0 * (double)latents * width);
    promote(plan, (double)latents, &cost);
    cost.received += (ranks - 1.0) / ranks * tokens * 20.0 * width;
  }
  cost.work = JUDGED_WORK * cost.dense;
  const double own = (double)plan_share(plan, most), rows = unit_rows(facts);
  const double head = (double)facts->vocabulary * (width + 24.0);
  const double logits = 4.0 * LOSS_LOGITS;
  cost.memory = facts->whole.weights + TOKEN_BYTES * (double)facts->vocabulary + head +
                threads * (facts->whole.scratch + 4.0 * rows * width + logits + 20.0 * MIB) +
                own * (8.0 * width + 28.0) + 4096.0 * width * 5.0 +
                8.0 * width * tokens / (double)plan->ranks + 20.0 * rows * width;
  return cost;
}
