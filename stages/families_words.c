#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exchange.h"
#include "families_run.h"
#include "glyph.h"
#include "memory.h"

enum { COLUMNS = 80, LARGEST = 5, CHILDREN = 8 };

static const FamiliesDictionary *level_of(const FamiliesRun *run, int64_t level) {
  return &run->dictionaries[run->of_level[level]];
}

static const char *grouped(int64_t count) {
  static char text[4][32];
  static int next;
  next = (next + 1) % 4;
  return text_of_count(count, text[next]);
}

/* Trees of more than one feature, and the numbers that head the page. */
static void say_run(const FamiliesRun *run) {
  for (int64_t l = 0; l < run->levels; ++l) {
    printf("%s%s", l > 0 ? " -> " : "families ", level_of(run, l)->settings->name);
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
}

/* Statuses that occur, three in a line: the share is of the alive features. */
static void say_statuses(const FamiliesPair *pair) {
  int cells = 0;
  for (int s = CHILD_NONE + 1; s < CHILD_STATUSES; ++s) {
    const bool is_alive = s != CHILD_DEAD && s != CHILD_UNSEEN;
    if (pair->count[s] == 0) {
      continue;
    }
    printf(cells % 3 == 0 ? "\n  %-9s%9s " : "  %-9s%9s ", verdict_child_name((ChildStatus)s),
           grouped(pair->count[s]));
    if (is_alive) {
      printf("%4.1f%%", 100.0 * (double)pair->count[s] / (double)pair->alive);
    } else {
      printf("%5s", "");
    }
    ++cells;
  }
  printf("\n");
}

static void say_pair(const FamiliesPair *pair) {
  const bool is_twin = pair->child->twin >= 0 && pair->child->latents == pair->parent->latents;
  printf("\n%s -> %s%s: link %.3f, median best cosine %.3f (chance %.3f)",
         pair->child->settings->name, pair->parent->settings->name, is_twin ? " (twin)" : "",
         pair->rules.link, pair->median_best, pair->null_median);
  say_statuses(pair);
  printf("  %s linked", grouped(pair->linked));
  if (pair->enough > 0) {
    printf(
        ", %.0f %% of them with enough evidence:\n"
        "  mean P(parent | child) %.3f, lift %.1f; P over all children %.3f\n",
        100.0 * (double)pair->enough / (double)pair->linked, pair->mean_p, pair->mean_lift,
        pair->mean_p_all);
  } else {
    printf(", none with enough evidence\n");
  }
  if (pair->has_chain) {
    printf(
        "  the best parent's best parent is the direct one: %.0f %%; of the best five: %.0f %%\n",
        100 * pair->tc_1, 100 * pair->tc_5);
  }
}

/* Headline: which parents split is a property of the parents if another seed splits the same ones. */
static void say_replication(const FamiliesReplication *one) {
  printf("\n%s in its twin %s: children of the same %s parents correlate %.2f;\n",
         one->level->settings->name, one->twin->settings->name, one->parent->settings->name,
         one->found.correlation);
  if (one->found.split_level > 0) {
    printf("  a parent that splits splits again: %.0f %%, any parent: %.0f %%\n",
           100 * one->found.split_again, 100 * one->found.split_any);
  } else {
    printf("  no parent has two children in %s\n", one->level->settings->name);
  }
}

/* A family's place in the order by (features, lower root first); 0: a single feature. */
static uint64_t key_of(const FamiliesRun *run, int64_t own) {
  const FamiliesDictionary *smallest = level_of(run, 0);
  const int64_t roots = shard_count(smallest->own);
  int64_t size = 0;
  for (int64_t l = 0; l < run->levels; ++l) {
    size += run->sums[FAMILY_SIZE][l * roots + own];
  }
  const uint64_t id = (uint64_t)(smallest->own.first + own);
  return size > 1 ? (uint64_t)size << 32 | (UINT32_MAX - id) : 0;
}

static void keep_largest(uint64_t *keys, uint64_t key) {
  for (int i = 0; i < LARGEST; ++i) {
    if (key > keys[i]) {
      const uint64_t pushed = keys[i];
      keys[i] = key;
      key = pushed;
    }
  }
}

/* The largest families over all ranks, best first; 0: no more. */
static Status find_largest(FamiliesRun *run, uint64_t *keys) {
  int64_t *counts = NULL;
  uint64_t *all = NULL;
  for (int64_t i = 0; i < shard_count(level_of(run, 0)->own); ++i) {
    keep_largest(keys, key_of(run, i));
  }
  Status status = MEMORY_NEW(&counts, run->team->size, "largest families");
  if (status == OK) {
    status = MEMORY_NEW(&all, (int64_t)run->team->size * LARGEST, "largest families");
  }
  status = team_agree(run->team, status);
  ASSERT(status != OK || (counts != NULL && all != NULL));
  if (status == OK) {
    for (int rank = 0; rank < run->team->size; ++rank) {
      counts[rank] = LARGEST;
    }
    exchange_gather(run->team, keys, counts, sizeof *keys, all);
    memset(keys, 0, LARGEST * sizeof *keys);
    for (int64_t i = 0; i < (int64_t)run->team->size * LARGEST; ++i) {
      keep_largest(keys, all[i]);
    }
  }
  MEMORY_FREE(counts);
  MEMORY_FREE(all);
  return status;
}

/* The label, cut to what is left of the line that began at `start`; ends the line. */
static Status append_label(const FamiliesMembers *members, const FamiliesMember *member,
                           int64_t start, Text *out) {
  Text label = {0};
  Status status = families_label(members, member, &label);
  int64_t left = COLUMNS - glyph_columns(out->bytes + start, out->length - start);
  for (int64_t at = 0; status == OK && at < label.length;) {
    int columns;
    const int bytes = glyph_first(label.bytes + at, label.length - at, &columns);
    left -= columns;
    if (left < 0) {
      break;
    }
    status = text_append(out, label.bytes + at, bytes);
    at += bytes;
  }
  text_clear(&label);
  return status == OK ? text_append(out, "\n", 1) : status;
}

/* The child with most firings that is not yet listed. */
static const FamiliesMember *next_child(const FamiliesMember *children, int64_t count,
                                        const FamiliesMember *last) {
  const FamiliesMember *best = NULL;
  for (int64_t i = 0; i < count; ++i) {
    const FamiliesMember *child = &children[i];
    const bool is_after = last == NULL || child->firings < last->firings ||
                          (child->firings == last->firings && child->id > last->id);
    if (is_after && (best == NULL || child->firings > best->firings)) {
      best = child;
    }
  }
  return best;
}

static Status append_child(const FamiliesMembers *members, const FamiliesMember *child, Text *out) {
  const int64_t start = out->length;
  int64_t grandchildren;
  families_children(members, child, &grandchildren);
  TRY(text_printf(out, "    %s/%lld %s %.2f", level_of(members->run, child->level)->settings->name,
                  (long long)child->id, verdict_child_name((ChildStatus)child->status),
                  (double)child->cosine));
  if (grandchildren > 0) {
    TRY(text_printf(out, " -> %lld", (long long)grandchildren));
  }
  TRY(text_append(out, ": ", 2));
  return append_label(members, child, start, out);
}

static Status append_family(const FamiliesMembers *members, uint64_t key, Text *out) {
  const FamiliesRun *run = members->run;
  const FamiliesDictionary *smallest = level_of(run, 0);
  const int64_t own = (int64_t)(UINT32_MAX - (uint32_t)key) - smallest->own.first;
  const FamiliesMember *root = &members->items[members->start[own]];
  int64_t count;
  const FamiliesMember *children = families_children(members, root, &count), *child = NULL;
  TRY(text_printf(out, "  %s/%lld, 1", smallest->settings->name, (long long)root->id));
  for (int64_t l = 1; l < run->levels; ++l) {
    TRY(text_printf(out, " -> %lld",
                    (long long)run->sums[FAMILY_SIZE][l * shard_count(smallest->own) + own]));
  }
  const bool is_hub = (smallest->flags[own] & verdict_bit(FLAG_HUB)) != 0;
  TRY(text_printf(out, is_hub ? " (hub): " : ": "));
  TRY(append_label(members, root, 0, out));
  for (int64_t i = 0; i < count && i < CHILDREN; ++i) {
    child = next_child(children, count, child);
    TRY(append_child(members, child, out));
  }
  return count > CHILDREN ? text_printf(out, "    and %lld more\n", (long long)(count - CHILDREN))
                          : OK;
}

/* The rank that owns a family makes its lines, rank 0 prints them. */
static Status say_family(FamiliesRun *run, const FamiliesMembers *members, uint64_t key) {
  const int64_t roots = level_of(run, 0)->latents;
  const int owner = shard_owner(roots, shard_latent_block(roots),
                                (int64_t)(UINT32_MAX - (uint32_t)key), run->team->size);
  Text text = {0};
  char *lines = NULL;
  Status status = run->team->rank == owner ? append_family(members, key, &text) : OK;
  status = team_agree(run->team, status);
  if (status == OK) {
    int64_t length = text.length;
    team_broadcast(run->team, &length, (int64_t)sizeof length, owner);
    status = team_agree(run->team, MEMORY_NEW(&lines, length + 1, "lines of a family"));
    if (status == OK) {
      memcpy(lines, text_chars(&text), (size_t)text.length);
      team_broadcast(run->team, lines, length, owner);
      if (run->team->rank == 0) {
        fputs(lines, stdout);
      }
    }
  }
  MEMORY_FREE(lines);
  text_clear(&text);
  return status;
}

static void say_figures(const FamiliesRun *run) {
  say_run(run);
  say_limits(run);
  for (int64_t p = 0; p < run->pair_count; ++p) {
    say_pair(&run->pairs[p]);
  }
  for (int64_t r = 0; r < run->replication_count; ++r) {
    say_replication(&run->replications[r]);
  }
}

Status families_say(FamiliesRun *run, const FamiliesMembers *members) {
  uint64_t keys[LARGEST] = {0};
  if (run->team->rank == 0) {
    say_figures(run);
  }
  TRY(find_largest(run, keys));
  if (run->team->rank == 0) {
    fputs(keys[0] != 0 ? "\nThe largest families:\n" : "\nNo feature has a child.\n", stdout);
  }
  for (int i = 0; i < LARGEST && keys[i] != 0; ++i) {
    TRY(say_family(run, members, keys[i]));
  }
  return OK;
}
