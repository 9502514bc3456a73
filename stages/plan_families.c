#include <math.h>

#include "plan.h"

/* families. */

static const double TILE_BYTES = 1 << 30, CHUNK_ENTRIES = 1 << 26, CHUNK_LEAST = 1 << 22,
                    CHUNK_ROWS = 1 << 20; /* families_codes.c */
/* families_tile.h, evidence.h: bytes of a child's candidate parent in a tile; of one that is stored, while the tile is
 * filled; of its counts, and of those of the document in hand. Of a child, and of one whose parent is held against
 * others of its frequency. */
static const double CELL = 33, STORED = 20, COUNTS = 64, NOW = 8, JUDGED = 156, MATCHED = 1264;
static const double FEATURE = 135; /* bytes of a feature, of families_read.c and families_write.c */
static const double CHILD = 170;   /* bytes of a child of a pair: a verdict with 42 statuses */
static const double EDGE = 48;     /* bytes of an edge, in memory and on disk */
/* Bytes of families.h5: of a child of a pair, of a feature of a level, of a root and of each level of it; figures and
 * names of a pair, of a level. */
static const double CHILD_COLUMNS = 88, FEATURE_COLUMNS = 68, ROOT_COLUMNS = 45, ROOT_LEVEL = 48,
                    PAIR_FIGURES = 32e3, LEVEL_FIGURES = 12e3;
/* Of features.csv a line without a parent, one with, and what evidence adds; of families.csv and families.jsonl a
 * root's, and of the latter another member's: with text and without. */
static const double SMALLEST_LINE = 44, CHILD_LINE = 67, EVIDENCE = 54, ROOT_LINES = 350,
                    MEMBER = 138, WORDLESS_ROOT_LINES = 270, WORDLESS_MEMBER = 100;
/* A firing, and holding it against one code of the parents, three times over; judging a child. */
static const double FIRING_WORK = 14, HELD_WORK = 2.3, CHILD_WORK = 5300;
/* evidence_suggest.c: bytes of an entry of the lists of parents that children fire with; a row read alone, in rows. */
static const double LISTED = 8, APART = 20;

static double smallest_of(const Settings *settings) {
  double least = (double)settings->dictionaries[0].latents;
  for (int64_t i = 1; i < settings->count; ++i) {
    least = fmin(least, (double)settings->dictionaries[i].latents);
  }
  return least;
}

/* A level in families.h5 and features.csv; the smallest with its families. */
static double level_bytes(const Plan *plan, int64_t index) {
  const Settings *settings = &plan->stage->settings;
  const double latents = (double)settings->dictionaries[index].latents;
  const double roots = smallest_of(settings);
  const double lines = plan_has_text(plan) ? ROOT_LINES : WORDLESS_ROOT_LINES;
  if (!settings_is_level(settings, index)) {
    return 0;
  }
  return LEVEL_FIGURES + latents * FEATURE_COLUMNS + roots * ROOT_LEVEL +
         (latents > roots ? latents * (CHILD_LINE + plan_supported(plan, index) * EVIDENCE)
                          : roots * (SMALLEST_LINE + ROOT_COLUMNS + lines));
}

/* Members of the smallest level's families: of linked children those with evidence, which are the more the more link,
 * whose parents are members. Pairs of levels stand in ascending order. */
static double members_of(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  double members = 0, above = 1;
  for (int64_t i = 0; i < plan->pair_count; ++i) {
    const PlanPair *pair = &plan->pairs[i];
    if (settings_is_next(settings, &pair->of)) {
      members +=
          (double)settings->dictionaries[pair->of.child].latents * above * plan_forest(plan, pair);
      above *= pair->linked;
    }
  }
  return members;
}

static double cells_of(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  return (double)(settings->compare.neighbours + settings->families.suggested);
}

/* Codes that a rank holds at once. */
static double chunk_of(const Plan *plan) {
  return fmax(CHUNK_ENTRIES * (double)plan->nodes / (double)plan->ranks, CHUNK_LEAST);
}

/* Children of a tile. */
static double room_of(const Plan *plan, const PlanPair *pair) {
  const int64_t children = plan->stage->settings.dictionaries[pair->of.child].latents;
  return fmax(1.0, fmin((double)plan_share(plan, children), TILE_BYTES / (cells_of(plan) * 160.0)));
}

/* evidence_suggest.c: what may be listed for a child, whose firings meet a parent each time they can. */
static double list_bytes(const Plan *plan, const PlanPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const double parents = (double)settings->dictionaries[pair->of.parent].latents;
  const double met = (double)plan->facts.rows * plan_l0(plan, pair->of.child) *
                     plan_entries(plan, pair->of.parent) /
                     (double)settings->dictionaries[pair->of.child].latents;
  return settings->families.suggested > 0 ? LISTED * fmin(parents, met) : 0;
}

/* Children meet their candidates in the parent's codes, chunk by chunk: first candidates by activation are looked for,
 * of which few stay from one chunk to the next; then all are counted; then what is linked meets other parents. */
static double tile_bytes(const Plan *plan, const PlanPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const double rows = (double)plan->facts.rows;
  const double own = (double)plan_share(plan, settings->dictionaries[pair->of.child].latents);
  const double parents = (double)settings->dictionaries[pair->of.parent].latents;
  const double cells = cells_of(plan), room = room_of(plan, pair);
  const double chunk = fmin(rows * plan_entries(plan, pair->of.parent), chunk_of(plan));
  const double firings =
      8.0 * rows * plan_l0(plan, pair->of.child) / (double)plan->ranks * room / (own + 1.0);
  const double lists = fmin(LISTED * chunk_of(plan), 0.01 * room * list_bytes(plan, pair));
  const double suggesting = room * (STORED * cells + 12.0 * (double)settings->compare.span) +
                            parents * 8.0 * (double)plan->threads + lists;
  const double counting = room * cells * (COUNTS + NOW);
  const double matching =
      room * (cells * COUNTS + JUDGED) + pair->linked * (room * MATCHED + firings);
  return room * cells * CELL + chunk * 9.0 + fmin(rows, CHUNK_ROWS) * 12.0 + firings +
         parents * 4.0 + rows / 8.0 + fmax(suggesting, fmax(counting, matching));
}

/* Of a child: what its candidates stand for, which of them fired, the best one's links; what every parent fired; and
 * where the child has two smaller dictionaries, the way from the middle one to the smallest. An id that is looked up
 * goes there and its answer comes back. */
static double looked_up(const Plan *plan, const PlanPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const double ranks = (double)plan->ranks, suggested = (double)settings->families.suggested;
  const double children = (double)settings->dictionaries[pair->of.child].latents;
  const double parents = (double)settings->dictionaries[pair->of.parent].latents;
  const double stored = fmin((double)settings->compare.neighbours, parents);
  const double span = fmin((double)settings->compare.span, parents);
  const double chain = settings_is_next(settings, &pair->of) && parents > smallest_of(settings)
                           ? 8.0 * stored + 76.0
                           : 0;
  return (ranks - 1.0) / ranks *
         (children / ranks * (28.0 * stored + 8.0 * span + 8.0 + 20.0 * suggested + chain) +
          parents * (4.0 + 8.0 / ranks));
}

/* Children of a dictionary that is not compared with itself meet their siblings: rows of those that share one of a few
 * best parents. */
enum { SHARED = 4 };
static double siblings(const Plan *plan, const PlanPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const double ranks = (double)plan->ranks, row = 4.0 * (double)plan->facts.width;
  const double children = (double)settings->dictionaries[pair->of.child].latents;
  if (settings_has_self(settings, settings->dictionaries[pair->of.child].latents) ||
      !settings_is_next(settings, &pair->of)) {
    return 0;
  }
  return (ranks - 1.0) / ranks * children / ranks *
         (8.0 * (double)settings->compare.neighbours + 64.0 + SHARED * (row + 4.0));
}

/* Every rank walks all codes of the parents for its own children: for a tile of them twice, and for candidates by
 * activation as often as their lists are full, or in the rows of each child alone. What is one chunk is read once. */
static double walks_of(const Plan *plan, const PlanPair *pair) {
  const Settings *settings = &plan->stage->settings;
  const double rows = (double)plan->facts.rows, l0 = plan_l0(plan, pair->of.child);
  const double own = (double)plan_share(plan, settings->dictionaries[pair->of.child].latents);
  const double lists = ceil(own * list_bytes(plan, pair) / (LISTED * chunk_of(plan)));
  const double alone = APART * l0 / (double)plan->ranks;
  const bool is_one = rows * plan_entries(plan, pair->of.parent) <= chunk_of(plan);
  return is_one ? 1.0 : 2.0 * ceil(own / room_of(plan, pair)) + fmin(lists, alone);
}

static void add_pair(const Plan *plan, const PlanPair *pair, double *kept, PlanCost *cost) {
  const Settings *settings = &plan->stage->settings;
  const double children = (double)settings->dictionaries[pair->of.child].latents;
  const double rows = (double)plan->facts.rows, ranks = (double)plan->ranks;
  const double firings = rows * plan_l0(plan, pair->of.child);
  const double read =
      rows * 9.0 * plan_entries(plan, pair->of.parent) * ranks * walks_of(plan, pair) +
      8.0 * firings + children * 24.0 * (double)settings->compare.neighbours;
  const PlanCost one = {
      .memory = tile_bytes(plan, pair),
      .disk = PAIR_FIGURES + children * (CHILD_COLUMNS + pair->edges * EDGE),
      .streamed = 2.0 * read,
      .work = firings * (FIRING_WORK + plan_l0(plan, pair->of.parent) * HELD_WORK) +
              children * CHILD_WORK,
      .read = read,
      .received = looked_up(plan, pair) + siblings(plan, pair)};
  *kept += (double)plan_share(plan, settings->dictionaries[pair->of.child].latents) *
           (CHILD + pair->edges * EDGE);
  plan_then(cost, &one);
}

PlanCost plan_families(const Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  PlanCost cost = {0};
  double kept = 0;
  if (settings->count == 0) {
    return cost;
  }
  for (int64_t i = 0; i < settings->count; ++i) {
    kept += (double)plan_share(plan, settings->dictionaries[i].latents) * FEATURE;
    cost.disk += level_bytes(plan, i);
  }
  for (int64_t i = 0; i < plan->pair_count; ++i) {
    add_pair(plan, &plan->pairs[i], &kept, &cost);
  }
  cost.memory += kept;
  cost.disk += members_of(plan) * (plan_has_text(plan) ? MEMBER : WORDLESS_MEMBER);
  return cost;
}
