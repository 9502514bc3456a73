#include <math.h>

#include "plan.h"

/* What report leaves on disk: pages of words, whose lengths were taken from the pages of the quickstart (256, 1,024 and
 * 8,192 features) and of another layer (1,024, 6,144 and 24,576), and of the flagship where there is no text. */

/* Bytes of the page itself; of what it says of a dictionary and of a pair, of which it lists so many features. */
static const double ASSETS = 380e3, OF_DICTIONARY = 3e3, OF_PAIR = 5e3, LISTED = 1000, LINE = 55;
/* A label, where there is text; a token, of which a dot stands for one unknown; what is said of an example beside. */
static const double LABEL = 31.5, TOKEN = 6.55, NO_TOKEN = 4.7, EXAMPLE = 54;
/* A feature's figures, its promoted tokens, a parent; words to be found by. */
static const double FIGURES = 240, WORDLESS_FIGURES = 195, PROMOTED = 290, PARENT = 135, WORD = 18;
static const double WORDS = 3.9; /* a feature */
/* A child of the forest beside its example, on its parent's page and in those of families; a feature of a level. */
static const double CHILD = 540, WORDLESS_CHILD = 155, OF_FAMILY = 5;
/* A feature's own values in an example are the more the more often it fires: by the cube root of its share of rows. A
 * parent and children show less, where they fire at all. */
static const double VALUES = 93, OF_PARENT = 0.65, OF_CHILD = 1.1;
/* Without text it is alone in rows that do not belong together, and more of them count as shown already. */
static const double WORDLESS_VALUES = 10, WORDLESS_SHOWN = 0.86;
/* Firings of features in shares of the mean one's: of eight equal parts of real dictionaries' features. */
static const double SPREAD[] = {0.02, 0.05, 0.1, 0.18, 0.3, 0.54, 1.0, 3.7};
enum { PARTS = sizeof(SPREAD) / sizeof(SPREAD[0]) };

/* The strongest firings, then one of each interval of activation: of most intervals, since strong ones are rare, and
 * what stands beside an example that is shown adds nothing. */
double plan_examples(const Settings *settings, double firings) {
  const double strips = (double)settings->report.strips;
  const double intervals = (double)settings->encode.intervals, rest = fmax(firings - strips, 0.0);
  return fmin(firings, strips) +
         0.95 * intervals * (1.0 - 1.0 / sqrt(1.0 + rest / (0.9 * intervals)));
}

static double label_of(const Plan *plan) {
  return plan_has_text(plan) ? LABEL : 0;
}

static double latents_of(const Plan *plan, int64_t index) {
  return (double)plan->stage->settings.dictionaries[index].latents;
}

static double firings_of(const Plan *plan, int64_t index) {
  return (double)plan->facts.rows * plan_l0(plan, index) / latents_of(plan, index);
}

static double examples_of(const Plan *plan, int64_t index) {
  double sum = 0;
  for (int i = 0; i < PARTS; ++i) {
    sum += plan_examples(&plan->stage->settings, SPREAD[i] * firings_of(plan, index));
  }
  return (plan->found[index].l0 > 0 ? plan->found[index].examples : sum / PARTS) *
         (plan_has_text(plan) ? 1.0 : WORDLESS_SHOWN);
}

double plan_supported(const Plan *plan, int64_t index) {
  const double least = (double)plan->stage->settings.families.firings_min;
  double supported = 0;
  for (int i = 0; i < PARTS; ++i) {
    supported += SPREAD[i] * firings_of(plan, index) >= least ? 1.0 / PARTS : 0.0;
  }
  return plan->found[index].l0 > 0 ? plan->found[index].supported : supported;
}

/* Of linked children those that have a parent's evidence, or fire too seldom to have any and are given the benefit of
 * the doubt: all of those that were planted, half of real ones, of which fewer link. */
double plan_forest(const Plan *plan, const PlanPair *pair) {
  return pair->linked * (0.5 + 0.5 * pair->linked * pair->linked) *
         (0.4 + 0.6 * plan_supported(plan, pair->of.child));
}

static double values_of(const Plan *plan, int64_t index) {
  return plan_has_text(plan) ? VALUES * cbrt(plan_l0(plan, index) / latents_of(plan, index))
                             : WORDLESS_VALUES;
}

/* The dictionary whose features are a feature's parents; -1: none. */
static int64_t below(const Plan *plan, int64_t index) {
  int64_t found = -1;
  for (int64_t i = 0; i < plan->pair_count; ++i) {
    const SettingsPair *pair = &plan->pairs[i].of;
    const bool is_smaller = latents_of(plan, pair->parent) < latents_of(plan, index);
    if (pair->child == index && is_smaller &&
        (found < 0 || latents_of(plan, pair->parent) > latents_of(plan, found))) {
      found = pair->parent;
    }
  }
  return found;
}

/* A row's tokens, and the values of a feature in it. */
static double example_bytes(const Plan *plan, int64_t index) {
  const double tokens = 2.0 * (double)plan->stage->settings.report.strip_side + 1.0;
  return EXAMPLE + tokens * (plan_has_text(plan) ? TOKEN : NO_TOKEN) + values_of(plan, index);
}

/* Values of its relatives there. */
static double relatives_bytes(const Plan *plan, int64_t index) {
  const int64_t parent = below(plan, index);
  double values = parent >= 0 ? OF_PARENT * values_of(plan, parent) : 0.0;
  for (int64_t i = 0; i < plan->pair_count; ++i) {
    const PlanPair *pair = &plan->pairs[i];
    if (pair->of.parent == index && settings_is_next(&plan->stage->settings, &pair->of)) {
      values += OF_CHILD * values_of(plan, pair->of.child) * plan_forest(plan, pair) *
                latents_of(plan, pair->of.child) / latents_of(plan, index);
    }
  }
  return values;
}

/* Figures, words to be found by, examples, parents, lists of neighbours. */
static double feature_bytes(const Plan *plan, int64_t index) {
  const Settings *settings = &plan->stage->settings;
  const double label = label_of(plan);
  const double listed =
      fmin((double)settings->report.neighbours, (double)settings->compare.neighbours);
  const double list = 15.0 + listed * (22.5 + label);
  double bytes =
      (plan_has_text(plan) ? FIGURES + 2.0 * label + WORDS * (WORD + label) : WORDLESS_FIGURES) +
      examples_of(plan, index) * (example_bytes(plan, index) + relatives_bytes(plan, index)) +
      (settings_evaluates(settings) ? PROMOTED : 0) +
      (settings_has_self(settings, settings->dictionaries[index].latents) ? list : 0);
  for (int64_t i = 0; i < plan->pair_count; ++i) {
    const SettingsPair *pair = &plan->pairs[i].of;
    bytes += pair->child == index ? PARENT + label : 0;
    bytes += pair->child == index || pair->parent == index ? list : 0;
  }
  return bytes;
}

double plan_pages(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  const double label = label_of(plan);
  double bytes = ASSETS;
  for (int64_t i = 0; i < settings->count; ++i) {
    bytes += OF_DICTIONARY +
             latents_of(plan, i) *
                 (feature_bytes(plan, i) + (settings_is_level(settings, i) ? OF_FAMILY : 0));
  }
  for (int64_t i = 0; i < plan->pair_count; ++i) {
    const PlanPair *pair = &plan->pairs[i];
    const double children = latents_of(plan, pair->of.child);
    const double strip =
        example_bytes(plan, pair->of.child) + (plan_has_text(plan) ? CHILD : WORDLESS_CHILD);
    bytes += OF_PAIR + fmin(children, LISTED) * (LINE + 2.0 * label);
    bytes += settings_is_next(settings, &pair->of) ? children * plan_forest(plan, pair) * strip : 0;
  }
  return bytes;
}
