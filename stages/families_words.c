#include <math.h>
#include <stdio.h>

#include "families_run.h"

static const char *grouped(int64_t count) {
  static char text[4][32];
  static int next;
  next = (next + 1) % 4;
  return text_of_count(count, text[next]);
}

static void say_run(const FamiliesRun *run) {
  for (int64_t l = 0; l < run->levels; ++l) {
    printf("%s%s", l > 0 ? " -> " : "families ", families_level(run, l)->settings->name);
  }
  printf(": %s rows of %s documents\n", grouped(run->rows), grouped(run->documents));
}

/* What the data cannot support is said first. */
static void say_limits(const FamiliesRun *run) {
  for (int64_t i = 0; i < run->count; ++i) {
    const FamiliesDictionary *one = &run->dictionaries[i];
    if (one->is_too_little) {
      printf("too little text: only %.0f %% of the alive features of %s fire 30 times\n",
             100 * one->share_30, one->settings->name);
    }
  }
  for (int64_t i = 0; i < run->count; ++i) {
    const FamiliesDictionary *one = &run->dictionaries[i];
    if (one->is_undertrained) {
      printf("undertrained: the median best cosine of %s is %.3f, of chance %.3f\n",
             one->settings->name, one->median_best, one->null_median);
    }
  }
  fputs(text_chars(&run->warnings), stdout);
}

/* Statuses that occur, three in a line: the share is of the alive features. */
static void say_statuses(const FamiliesPair *pair) {
  const int64_t *count = pair->sweep->status[VERDICT_MAIN];
  int cells = 0;
  for (int s = CHILD_NONE + 1; s < CHILD_STATUSES; ++s) {
    const bool is_alive = s != CHILD_DEAD && s != CHILD_UNSEEN;
    if (count[s] == 0) {
      continue;
    }
    printf(cells % 3 == 0 ? "\n  %-9s%9s " : "  %-9s%9s ", verdict_child_name(s),
           grouped(count[s]));
    if (is_alive) {
      printf("%4.1f%%", 100.0 * (double)count[s] / (double)pair->sweep->alive);
    } else {
      printf("%5s", "");
    }
    ++cells;
  }
  printf("\n");
}

static void say_evidence(const FamiliesPair *pair) {
  const int64_t linked = pair->sweep->linked[VERDICT_MAIN];
  if (pair->enough == 0) {
    printf("  %s linked, none with enough evidence\n", grouped(linked));
    return;
  }
  printf("  %s linked, %.0f %% of them with enough evidence:\n", grouped(linked),
         100.0 * (double)pair->enough / (double)linked);
  printf("    mean P(parent | child) %.3f, lift %.1f; of other parents as frequent %.3f\n",
         pair->mean_p, pair->mean_lift, pair->mean_matched_p);
  printf("    mean P over all children, linked or not, %.3f\n", pair->mean_p_all);
}

static void say_chain(const FamiliesPair *pair) {
  if (pair->has_chain) {
    printf(
        "  the best parent's best parent is the direct one: %.0f %% (chance %.0f %%);\n"
        "    one of the best five's: %.0f %%\n",
        100 * pair->tc_1, 100 * pair->tc_chance, 100 * pair->tc_5);
  }
}

static const char *share_of(double share, char *text) {
  snprintf(text, 16, isnan(share) ? "-" : share < 0.0005 ? "<.001" : "%.3f", share);
  return text;
}

/* What would come of other thresholds, and how many of the links are chance. */
static void say_thresholds(const FamiliesPair *pair) {
  const SweepChildren *sweep = pair->sweep;
  char text[16];
  printf("  at link    linked    chance   false      kept     split  absorbed\n");
  for (int step = 0; step < VERDICT_STEPS; step += 10) {
    const int64_t *count = sweep->status[step];
    printf("  %.1f    %10s %9.0f  %6s %9s %9s %9s\n", verdict_step(step),
           grouped(sweep->linked[step]), pair->null_hits[step],
           share_of(pair->false_share[step], text),
           grouped(count[CHILD_KEPT] + count[CHILD_KEPT_OPEN]),
           grouped(count[CHILD_SPLIT] + count[CHILD_SPLIT_OPEN]), grouped(count[CHILD_ABSORBED]));
  }
}

static void say_pair(const FamiliesPair *pair) {
  const bool is_twin = pair->child->twin >= 0 && pair->child->latents == pair->parent->latents;
  printf("\n%s -> %s%s: link %.3f, median best cosine %.3f (chance %.3f)",
         pair->child->settings->name, pair->parent->settings->name, is_twin ? " (twin)" : "",
         pair->link, pair->median_best, pair->null.median);
  say_statuses(pair);
  say_evidence(pair);
  say_chain(pair);
  say_thresholds(pair);
}

/* Do the forest children explain what their parents do, on the text and in the stream? */
static void say_children(const FamiliesRun *run) {
  for (int64_t l = 0; l + 1 < run->levels; ++l) {
    const FamiliesDictionary *level = families_level(run, l);
    if (level->spread.parents > 0) {
      printf(
          "%s%s: forest children fire on %.0f %% of its activation; they put back %.0f %%\n"
          "  of what their parents write (dR; above 0 for %.0f %% of the parents)\n",
          l == 0 ? "\n" : "", level->settings->name, 100 * level->covered_mass,
          100 * level->rebuilt_whole, 100 * level->rebuilt_better);
    }
  }
}

/* Headline: which parents split is a property of the parents if another seed splits the same ones. */
static void say_replication(const FamiliesReplication *one) {
  const MetricsReplication *found = &one->found[VERDICT_MAIN];
  printf("\n%s in its twin %s: children of the same %s parents correlate %.2f\n",
         one->level->settings->name, one->twin->settings->name, one->parent->settings->name,
         found->correlation);
  printf("  (%.2f among parents as frequent);\n", found->within);
  if (found->split_level > 0) {
    printf("  a parent that splits splits again: %.0f %%, any parent: %.0f %%\n",
           100 * found->split_again, 100 * found->split_any);
  } else {
    printf("  no parent has two children in %s\n", one->level->settings->name);
  }
  printf("  %.0f %% of the children link, of the twin's %.0f %%\n", 100 * one->level_rate,
         100 * one->twin_rate);
}

static void say_families(const FamiliesRun *run) {
  const int64_t *grown = families_level(run, 0)->sweep->grown;
  printf("\n%s families of more than one feature;\n  at link", grouped(grown[VERDICT_MAIN]));
  for (int step = 0; step < VERDICT_STEPS; step += 10) {
    printf("%s %.1f: %s", step > 0 ? "," : "", verdict_step(step), grouped(grown[step]));
  }
  printf("\n");
}

void families_say(const FamiliesRun *run) {
  if (run->team->rank != 0) {
    return;
  }
  say_run(run);
  say_limits(run);
  for (int64_t p = 0; p < run->pair_count; ++p) {
    say_pair(&run->pairs[p]);
  }
  say_children(run);
  for (int64_t r = 0; r < run->replication_count; ++r) {
    say_replication(&run->replications[r]);
  }
  say_families(run);
}
