#include "compare_pair.h"

#include <stdio.h>

#include "memory.h"

static void pair_clear(Pair *pair) {
  directions_clear(&pair->parent_rows);
  directions_clear(&pair->parent_encoder);
  neighbours_clear(&pair->step.lists);
  MEMORY_FREE(pair->parent_terms);
}

static Status take_parents(const Compare *compare, Pair *pair) {
  const int64_t own = shard_count(pair->parent_rows.own);
  TRY(neighbours_open(&pair->step.lists, own, compare->most));
  TRY(MEMORY_NEW(&pair->parent_terms, own, "centred parents"));
  return centre_terms(&pair->parent_rows, pair->parent->mean, pair->child->mean,
                      pair->parent_terms);
}

/* The parents stay in memory, each rank's share: their encoder rows too, so that no panel reads them
 * again. */
static Status load_parents(Compare *compare, Pair *pair) {
  const Dictionary *parent = pair->parent;
  const Shard whole = {0, parent->latents};
  TRY(compare_load(compare, parent, whole, &pair->parent_rows));
  TRY_ALL(compare->team, take_parents(compare, pair));
  TRY_ALL(compare->team,
          directions_open(&pair->parent_encoder, compare->team, parent->latents, parent->width));
  return compare_load_encoder(compare, parent, &pair->parent_encoder);
}

static Status work(Compare *compare, Pair *pair) {
  Step *step = &pair->step;
  TRY(load_parents(compare, pair));
  TRY(compare_work_resume(compare, step));
  while (step->done < step->children) {
    const Shard part = compare_panel(compare, pair->child, step->done);
    TRY(compare_pair_panel(compare, pair, part));
    step->done = part.past;
    TRY(compare_work_save(compare, step));
  }
  return compare_pair_end(compare, pair);
}

Status compare_pair(Compare *compare, int64_t index) {
  const SettingsPair *names = &compare->pairs[index];
  Pair pair = {.child = &compare->dictionaries[names->child],
               .parent = &compare->dictionaries[names->parent]};
  bool is_done = false;
  pair.step = (Step){.children = pair.child->latents,
                     .total = pair.parent->latents,
                     .tally = (int64_t *)&pair.tally,
                     .tallies = sizeof(pair.tally) / sizeof(int64_t)};
  snprintf(pair.step.name, sizeof(pair.step.name), "pair-%lld", (long long)index);
  snprintf(pair.step.title, sizeof(pair.step.title), "%s -> %s", pair.child->settings->name,
           pair.parent->settings->name);
  TRY(compare_work_find(compare, &pair.step, &is_done));
  if (is_done) {
    return OK;
  }
  const Status status = work(compare, &pair);
  pair_clear(&pair);
  return status;
}
