#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "families_run.h"
#include "memory.h"
#include "word.h"

static Status check_vocabulary(const FamiliesMembers *members, int64_t bytes) {
  const int64_t *start = members->vocabulary;
  for (int64_t t = 0; t < members->tokens; ++t) {
    if (start[t] < 0 || start[t + 1] < start[t] || start[t + 1] > bytes) {
      return RAISE(ERR_FORMAT, "%s: token %lld of /vocabulary_start lies outside the bytes",
                   archive_path(members->run->activations), (long long)t);
    }
  }
  return OK;
}

/* Without a vocabulary there are no labels. */
static Status read_vocabulary(FamiliesMembers *members, Archive *activations) {
  int64_t starts = 0, bytes = 0;
  if (!archive_has(activations, "/vocabulary_start")) {
    return OK;
  }
  TRY(archive_shape(activations, "/vocabulary_start", ARCHIVE_I64, 1, &starts));
  TRY(archive_shape(activations, "/vocabulary_byte", ARCHIVE_U8, 1, &bytes));
  TRY_NEW(members->run->team, &members->vocabulary, starts, "vocabulary");
  TRY_NEW(members->run->team, &members->bytes, bytes, "vocabulary");
  TRY(archive_read(activations, "/vocabulary_start", 0, starts, members->vocabulary));
  TRY(archive_read(activations, "/vocabulary_byte", 0, bytes, members->bytes));
  members->tokens = starts - 1;
  TRY_ALL(members->run->team, check_vocabulary(members, bytes));
  return OK;
}

/* The label tokens of a level's own features; none where encode stored none. */
static Status read_labels(const FamiliesMembers *members, const FamiliesDictionary *level,
                          uint32_t **labels) {
  const int64_t own = shard_count(level->own);
  int64_t shape[2];
  TRY_NEW(members->run->team, labels, own * FAMILIES_LABEL, "labels");
  for (int64_t i = 0; i < own * FAMILIES_LABEL; ++i) {
    (*labels)[i] = LOOKUP_NONE;
  }
  if (!archive_has(level->codes, "/label_token")) {
    return OK;
  }
  TRY(archive_shape(level->codes, "/label_token", ARCHIVE_U32, 2, shape));
  return shape[1] == FAMILIES_LABEL
             ? archive_read(level->codes, "/label_token", level->own.first, own, *labels)
             : OK;
}

static FamiliesMember member_of(const FamiliesRun *run, const FamiliesDictionary *level, int64_t i,
                                const uint32_t *labels) {
  FamiliesMember member = {.root = level->roots[i].id,
                           .level = (uint32_t)level->level,
                           .id = (uint32_t)(level->own.first + i),
                           .parent = LOOKUP_NONE,
                           .parent_status = level->parent_status[i],
                           .cosine = NAN,
                           .p = NAN,
                           .firings = level->fired[i].narrow,
                           .token = level->token != NULL ? level->token[i] : LOOKUP_NONE};
  if (level->level > 0) {
    const VerdictTable *table = &families_pair(run, level - run->dictionaries, level->below)->table;
    member.parent = table->parent[i];
    member.status = table->status[i];
    member.cosine = table->cosine[i];
    member.p = table->p[i];
  }
  memcpy(member.label, labels + i * FAMILIES_LABEL, sizeof member.label);
  return member;
}

static Status list_members(const FamiliesRun *run, const FamiliesDictionary *level,
                           const uint32_t *labels, FamiliesMember **list, uint32_t **to) {
  const int64_t own = shard_count(level->own);
  TRY(MEMORY_NEW(list, own, "features of families"));
  TRY(MEMORY_NEW(to, own, "roots of features"));
  for (int64_t i = 0; i < own; ++i) {
    const bool is_in = level->counts[i] && level->roots[i].level == 0;
    (*to)[i] = is_in ? level->roots[i].id : LOOKUP_NONE;
    (*list)[i] = member_of(run, level, i, labels);
  }
  return OK;
}

static Status append(FamiliesMembers *members, const FamiliesMember *arrived, int64_t count) {
  TRY(MEMORY_RESIZE(&members->items, members->count + count, "features of families"));
  if (count > 0) {
    memcpy(members->items + members->count, arrived, (size_t)count * sizeof *arrived);
  }
  members->count += count;
  return OK;
}

/* Send a level's features to the ranks that own their roots. */
static Status send_level(FamiliesMembers *members, FamiliesRun *run, int64_t l) {
  const FamiliesDictionary *level = &run->dictionaries[run->of_level[l]];
  const int64_t roots = run->dictionaries[run->of_level[0]].latents;
  FamiliesMember *list = NULL;
  uint32_t *labels = NULL, *to = NULL;
  void *arrived = NULL;
  int64_t count = 0;
  Status status = read_labels(members, level, &labels);
  if (status == OK) {
    status = team_agree(run->team, list_members(run, level, labels, &list, &to));
  }
  if (status == OK) {
    status = lookup_deliver(run->team, roots, to, list, sizeof *list, shard_count(level->own),
                            &arrived, &count);
  }
  if (status == OK) {
    status = team_agree(run->team, append(members, arrived, count));
  }
  MEMORY_FREE(labels);
  MEMORY_FREE(list);
  MEMORY_FREE(to);
  MEMORY_FREE(arrived);
  return status;
}

static int compare_ids(uint32_t a, uint32_t b) {
  return (a > b) - (a < b);
}

static int compare_members(const void *left, const void *right) {
  const FamiliesMember *a = left, *b = right;
  int order = compare_ids(a->root, b->root);
  order = order != 0 ? order : compare_ids(a->level, b->level);
  order = order != 0 ? order : compare_ids(a->parent, b->parent);
  return order != 0 ? order : compare_ids(a->id, b->id);
}

static Status sort_members(FamiliesMembers *members, Shard roots) {
  TRY(MEMORY_NEW(&members->start, shard_count(roots) + 1, "first features of families"));
  if (members->count > 0) {
    qsort(members->items, (size_t)members->count, sizeof *members->items, compare_members);
  }
  for (int64_t i = 0; i < members->count; ++i) {
    ++members->start[members->items[i].root - roots.first + 1];
  }
  for (int64_t r = 0; r < shard_count(roots); ++r) {
    members->start[r + 1] += members->start[r];
  }
  return OK;
}

typedef struct Leaf {
  uint32_t token;
  int64_t firings;
} Leaf;

static int compare_leaves(const void *left, const void *right) {
  return compare_ids(((const Leaf *)left)->token, ((const Leaf *)right)->token);
}

/* The leaves of a family; `counts` gets the firings of each token that is some leaf's most frequent. */
static double entropy_of(const FamiliesMembers *members, int64_t first, int64_t past, Leaf *leaves,
                         int64_t *counts) {
  int64_t found = 0, tokens = 0;
  for (int64_t i = first; i < past; ++i) {
    const FamiliesMember *member = &members->items[i];
    int64_t children;
    (void)families_children(members, member, &children);
    if (children == 0 && member->token != LOOKUP_NONE) {
      leaves[found++] = (Leaf){member->token, member->firings};
    }
  }
  if (found > 0) {
    qsort(leaves, (size_t)found, sizeof *leaves, compare_leaves);
  }
  for (int64_t i = 0; i < found; ++i) {
    if (i == 0 || leaves[i].token != leaves[i - 1].token) {
      counts[tokens++] = 0;
    }
    counts[tokens - 1] += leaves[i].firings;
  }
  return metrics_entropy(counts, tokens);
}

static Status measure_entropy(const FamiliesMembers *members, int64_t roots, double *entropy) {
  int64_t most = 0;
  for (int64_t r = 0; r < roots; ++r) {
    const int64_t size = members->start[r + 1] - members->start[r];
    most = size > most ? size : most;
  }
  Leaf *leaves = NULL;
  int64_t *counts = NULL;
  Status status = MEMORY_NEW(&leaves, most, "leaves of a family");
  if (status == OK) {
    status = MEMORY_NEW(&counts, most, "leaves of a family");
  }
  for (int64_t r = 0; status == OK && r < roots; ++r) {
    entropy[r] = entropy_of(members, members->start[r], members->start[r + 1], leaves, counts);
  }
  MEMORY_FREE(leaves);
  MEMORY_FREE(counts);
  return status;
}

/* All that names.h looks at: the files that an atlas opens are being made. */
static Status open_names(FamiliesMembers *members, FamiliesRun *run) {
  Atlas atlas = {.team = run->team, .count = (int)run->count};
  TRY_NEW(run->team, &atlas.dictionaries, run->count, "names of dictionaries");
  for (int64_t i = 0; i < run->count; ++i) {
    atlas.dictionaries[i].name = run->dictionaries[i].settings->name;
    atlas.dictionaries[i].latents = run->dictionaries[i].latents;
  }
  const Status status = names_open(&members->names, &atlas, run->stage->settings.report.labels);
  MEMORY_FREE(atlas.dictionaries);
  return status;
}

Status families_members_open(FamiliesMembers *members, FamiliesRun *run) {
  *members = (FamiliesMembers){.run = run};
  TRY(open_names(members, run));
  TRY(read_vocabulary(members, run->activations));
  for (int64_t l = 0; l < run->levels; ++l) {
    TRY(send_level(members, run, l));
  }
  const Shard roots = run->dictionaries[run->of_level[0]].own;
  TRY_ALL(run->team, sort_members(members, roots));
  return team_agree(run->team, measure_entropy(members, shard_count(roots), run->entropy));
}

void families_members_close(FamiliesMembers *members) {
  MEMORY_FREE(members->items);
  MEMORY_FREE(members->start);
  MEMORY_FREE(members->vocabulary);
  MEMORY_FREE(members->bytes);
  names_close(&members->names);
}

/* The first item from `first` on that is not below (level, parent); items of one root are sorted so. */
static int64_t lower_bound(const FamiliesMember *items, int64_t first, int64_t past, uint32_t level,
                           uint64_t parent) {
  while (first < past) {
    const int64_t middle = first + (past - first) / 2;
    const FamiliesMember *item = &items[middle];
    if (item->level < level || (item->level == level && item->parent < parent)) {
      first = middle + 1;
    } else {
      past = middle;
    }
  }
  return first;
}

const FamiliesMember *families_children(const FamiliesMembers *members,
                                        const FamiliesMember *member, int64_t *count) {
  const FamiliesRun *run = members->run;
  const int64_t root = member->root - run->dictionaries[run->of_level[0]].own.first;
  const int64_t past = members->start[root + 1];
  const uint32_t level = member->level + 1;
  const int64_t from = lower_bound(members->items, members->start[root], past, level, member->id);
  *count = lower_bound(members->items, from, past, level, (uint64_t)member->id + 1) - from;
  return members->items + from;
}

Status families_label(const FamiliesMembers *members, const FamiliesMember *member, Text *out) {
  const int64_t dictionary = members->run->of_level[member->level];
  WordList words = {.out = out};
  bool is_given;
  TRY(names_given(members->names, (int)dictionary, member->id, out, &is_given));
  for (int j = 0; !is_given && j < FAMILIES_LABEL; ++j) {
    const uint32_t token = member->label[j];
    if (token < members->tokens) { /* LOOKUP_NONE is not */
      const int64_t first = members->vocabulary[token];
      TRY(word_add(&words, (const char *)members->bytes + first,
                   members->vocabulary[token + 1] - first));
    }
  }
  return OK;
}
