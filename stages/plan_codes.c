#include <math.h>
#include <string.h>

#include "encode_file.h"
#include "encode_rows.h"
#include "label.h"
#include "plan.h"
#include "training.h"

/* encode. */

enum { DESCRIBED = 16384 };             /* encode_file.c: latents described at a time */
enum { PIECE_HITS = 4 << 20 };          /* encode.c: hits of rows with thresholds held at once */
static const double UNKNOWN_L0 = 100.0; /* where neither k nor its maker says */
static const double OF_BATCH = 0.86; /* of k, what a threshold leaves that was learned on batches */

/* Are its k best latents of a row what fires? */
static bool is_topk(const Plan *plan, int64_t index) {
  return settings_is_trained(&plan->stage->settings, index)
             ? strcmp(training_architecture(plan->stage)->encoded_as, "topk") == 0
             : plan->sources[index].is_topk;
}

double plan_l0(const Plan *plan, int64_t index) {
  const Settings *settings = &plan->stage->settings;
  const double given = settings->dictionaries[index].l0, stated = plan->sources[index].l0;
  if (plan->found[index].l0 > 0) {
    return plan->found[index].l0;
  }
  if (settings_is_trained(settings, index) && training_architecture(plan->stage)->has_k) {
    return (is_topk(plan, index) ? 1.0 : OF_BATCH) * (double)settings->train.k;
  }
  return given > 0 ? given : stated > 0 ? stated : UNKNOWN_L0;
}

double plan_entries(const Plan *plan, int64_t index) {
  const double found = plan->found[index].entries;
  return found > 0 ? found : (is_topk(plan, index) ? 2.0 : 1.0) * plan_l0(plan, index);
}

static double described_bytes(const EncodeSettings *settings) {
  const int64_t examples = settings->examples + settings->intervals * settings->per_interval;
  return 8.0 * (double)examples + 4.0 * LABEL_TOKENS;
}

static double codes_bytes(const Plan *plan, int64_t index) {
  const double rows = (double)plan->facts.rows, l0 = plan_l0(plan, index);
  const double latents = (double)plan->stage->settings.dictionaries[index].latents;
  return rows * (8.0 + 9.0 * plan_entries(plan, index) + 8.0 * l0) +
         latents * (48.0 + described_bytes(&plan->stage->settings.encode));
}

/* At the end: the firings of this rank's latents by latent, and what is said of some of them. */
static double firings_bytes(const Plan *plan, int64_t index) {
  const double rows = (double)plan->facts.rows, spools = 2.0 * (double)(4 << 20);
  return spools + 12.0 * rows * plan_l0(plan, index) / (double)plan->ranks +
         DESCRIBED * described_bytes(&plan->stage->settings.encode);
}

/* The dictionary with its encoder in 8 bits; a batch, as read, scaled, centred and once more for the covariance; what
 * fires in it. At the end the firings of this rank's latents, by latent. */
static double memory_of(const Plan *plan, int64_t index) {
  const PlanFacts *facts = &plan->facts;
  const Settings *settings = &plan->stage->settings;
  const double width = (double)facts->width, batch = ENCODE_ROWS_BATCH;
  const double own = (double)plan_share(plan, settings->dictionaries[index].latents);
  const double entries = plan_entries(plan, index);
  const double hits = is_topk(plan, index)
                          ? batch * entries * 24.0
                          : 36.0 * fmin(batch * entries / (double)plan->ranks, PIECE_HITS);
  const double dictionary = own * (9.0 * width + 60.0);
  const double rows =
      batch * ((double)facts->row_bytes + 13.0 * width + 64.0) + 512.0 * 8.0 * width;
  const double codes = batch / (double)plan->ranks * entries * 1.25 * (30.0 + 2.0 * 16.0 + 9.0);
  return dictionary + rows + hits + codes + plan_screen(plan, batch, entries) +
         16.0 * width * width + firings_bytes(plan, index);
}

/* Beside the rows: keys of every rank to the one that cuts the row, codes from there to their rows, firings to their
 * latents, and the sums of held-out rows in 64 bits. */
static double traffic_of(const Plan *plan, int64_t index) {
  const PlanFacts *facts = &plan->facts;
  const double rows = (double)facts->rows, ranks = (double)plan->ranks;
  const double entries = plan_entries(plan, index), held_out = rows - (double)facts->training;
  const double keys = is_topk(plan, index) ? 8.0 * entries + 24.0 : 0.0;
  return (ranks - 1.0) / ranks *
         (rows * (keys + (12.0 * entries + 16.0 * plan_l0(plan, index)) / ranks + 16.0) +
          held_out * 16.0 * (double)facts->width);
}

/* Of a code: bringing it to its place in the file, by row and by latent; and to other ranks, which select, store and
 * describe it. */
static const double CODE_WORK = 25, SENT_WORK = 50, CODE_BYTES = 60;

/* Codes in their file, wherever they come from. */
static PlanCost stored(const Plan *plan, int64_t index) {
  const double rows = (double)plan->facts.rows, entries = plan_entries(plan, index);
  return (PlanCost){.disk = codes_bytes(plan, index),
                    .scratch = rows * (9.0 * entries + 16.0 * plan_l0(plan, index)),
                    .streamed = CODE_BYTES * rows * entries,
                    .work = CODE_WORK * rows * entries};
}

PlanCost plan_codes(const Plan *plan, int64_t index) {
  const double rows = (double)plan->facts.rows, ranks = (double)plan->ranks;
  const double entries = plan_entries(plan, index), l0 = plan_l0(plan, index);
  PlanCost cost = stored(plan, index);
  cost.memory = firings_bytes(plan, index);
  cost.read = rows * (17.0 * entries + 16.0 * l0);
  cost.received = (ranks - 1.0) / ranks * rows * 16.0 * l0 / ranks;
  return cost;
}

PlanCost plan_encode(const Plan *plan, int64_t index) {
  const Settings *settings = &plan->stage->settings;
  const PlanFacts *facts = &plan->facts;
  if (!settings_is_encoded(settings, index)) {
    return (PlanCost){0};
  }
  const double rows = (double)facts->rows, width = (double)facts->width;
  const double latents = (double)settings->dictionaries[index].latents;
  const double others = (double)(plan->ranks - 1) / (double)plan->ranks;
  const double entries = plan_entries(plan, index);
  PlanCost cost = stored(plan, index);
  cost.memory = memory_of(plan, index);
  cost.screened = 2.0 * rows * latents * width;
  cost.streamed += rows * plan_cached(1.0, 5.0, 8.0 * latents * width) * entries * 4.0 * width;
  cost.work += others * SENT_WORK * rows * entries;
  cost.read = rows * (double)facts->row_bytes + 8.0 * latents * width + cost.scratch;
  cost.received = others * rows * (double)facts->row_bytes + traffic_of(plan, index);
  return cost;
}
