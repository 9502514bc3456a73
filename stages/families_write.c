#include <math.h>
#include <stdio.h>

#include "exchange.h"
#include "families_run.h"
#include "memory.h"
#include "schema.h"

/* One dataset and this rank's rows of it. */
typedef struct Column {
  const char *name; /* below the group */
  ArchiveType type;
  int64_t columns; /* 0: one-dimensional */
  const void *data;
  const char *meaning, *unit;
} Column;

/* Datasets of one group that are dealt over ranks alike. */
typedef struct Group {
  char name[FAMILIES_NAME];
  int64_t total, first, rows; /* rows over all ranks; this rank's */
  Column columns[24];
  int count;
} Group;

static void group_open(Group *group, const char *name, int64_t total, int64_t first, int64_t rows) {
  *group = (Group){.total = total, .first = first, .rows = rows};
  snprintf(group->name, sizeof group->name, "%s", name);
}

static void group_column(Group *group, const char *name, ArchiveType type, int64_t columns,
                         const void *data, const char *meaning, const char *unit) {
  ASSERT(group->count < (int)(sizeof group->columns / sizeof group->columns[0]));
  group->columns[group->count++] = (Column){name, type, columns, data, meaning, unit};
}

static const char *path_of(const Group *group, int column, char *path) {
  snprintf(path, FAMILIES_NAME + 64, "%s/%s", group->name, group->columns[column].name);
  return path;
}

static Status group_add(const Group *group, Archive *out) {
  char path[FAMILIES_NAME + 64];
  for (int c = 0; c < group->count; ++c) {
    const Column *column = &group->columns[c];
    const ArchiveDataset dataset = {.name = path_of(group, c, path),
                                    .type = column->type,
                                    .dims = column->columns > 0 ? 2 : 1,
                                    .shape = {group->total, column->columns},
                                    .meaning = column->meaning,
                                    .unit = column->unit};
    TRY(archive_add(out, &dataset));
  }
  return OK;
}

static Status group_write(const Group *group, Archive *out) {
  char path[FAMILIES_NAME + 64];
  for (int c = 0; c < group->count; ++c) {
    TRY(archive_write(out, path_of(group, c, path), group->first, group->rows,
                      group->columns[c].data));
  }
  return OK;
}

static void describe_pair(const FamiliesPair *pair, Group *group) {
  const VerdictTable *t = &pair->table;
  group_open(group, pair->group, pair->child->latents, pair->child->own.first, t->count);
  group_column(group, "status", ARCHIVE_U8, 0, t->status,
               "status of each child: index into child_statuses of /", "code");
  group_column(group, "flags", ARCHIVE_U8, 0, t->flags, "bits named by flags of /", "bits");
  group_column(group, "evidence", ARCHIVE_U8, 0, t->evidence,
               "evidence for the parent: index into evidence of /", "code");
  group_column(group, "parent", ARCHIVE_U32, 0, t->parent,
               "parent pi(c) of each child (4294967295: none)", "latent");
  group_column(group, "parent_cosine", ARCHIVE_F32, 0, t->cosine, "decoder cosine with it",
               "cosine");
  group_column(group, "parent_cosine_centred", ARCHIVE_F32, 0, t->cosine_centred,
               "the same after each dictionary's mean direction is subtracted", "cosine");
  group_column(group, "parent_encoder_cosine", ARCHIVE_F32, 0, t->encoder_cosine,
               "encoder cosine with it", "cosine");
  group_column(group, "both", ARCHIVE_I64, 0, t->both, "rows where child and parent fire", "rows");
  group_column(group, "documents", ARCHIVE_I64, 0, t->documents, "documents where the child fires",
               "documents");
  group_column(group, "p", ARCHIVE_F32, 0, t->p,
               "P(parent fires | child fires); nan: insufficient evidence", "probability");
  group_column(group, "p_low", ARCHIVE_F32, 0, t->p_low, "lower end of its 95 % interval",
               "probability");
  group_column(group, "p_high", ARCHIVE_F32, 0, t->p_high, "upper end of its 95 % interval",
               "probability");
  group_column(group, "p_wide", ARCHIVE_F32, 0, t->p_wide,
               "the same where the parent counts among the top 2k of a row", "probability");
  group_column(group, "p_child", ARCHIVE_F32, 0, t->p_child, "P(child fires | parent fires)",
               "probability");
  group_column(group, "lift", ARCHIVE_F32, 0, t->lift,
               "P(parent fires | child fires) / P(parent fires)", "ratio");
}

/* first edges of the own children, counted over all ranks; one more row on the last rank */
static void describe_starts(const FamiliesPair *pair, const int64_t *starts, int64_t rows,
                            Group *group) {
  group_open(group, pair->group, pair->child->latents + 1, pair->child->own.first, rows);
  group_column(group, "edge_start", ARCHIVE_I64, 0, starts,
               "first edge of each child: the graph of all links", "edge");
}

static void describe_edges(const FamiliesPair *pair, int64_t first, Group *group) {
  const VerdictTable *t = &pair->table;
  group_open(group, pair->group, pair->edges, first, t->edges);
  group_column(group, "edge_parent", ARCHIVE_U32, 0, t->edge_parent,
               "parent of each edge, best first for each child", "latent");
  group_column(group, "edge_cosine", ARCHIVE_F32, 0, t->edge_cosine, "decoder cosine", "cosine");
  group_column(group, "edge_p", ARCHIVE_F32, 0, t->edge_p,
               "P(parent fires | child fires); nan: insufficient evidence", "probability");
}

/* Datasets that are not columns of the run as they stand. */
typedef struct Copies {
  int64_t **starts;     /* [pairs] edge_start over all ranks */
  int64_t *start_rows;  /* [pairs] */
  int64_t *edge_first;  /* [pairs] */
  uint8_t **in_forest;  /* [levels] */
  uint8_t **root_level; /* [levels] */
  uint32_t **root;      /* [levels] */
  double **token_share; /* [levels] */
  /* families of this rank */
  int64_t count;
  uint32_t *family_root;
  int64_t *sums[FAMILY_SUMS]; /* [count, levels] */
  double *mass, *coverage, *purity;
  uint8_t *replicated;
} Copies;

static void free_all(void **blocks, int64_t count) {
  for (int64_t i = 0; blocks != NULL && i < count; ++i) {
    MEMORY_FREE(blocks[i]);
  }
}

static void copies_close(Copies *copies, const FamiliesRun *run) {
  free_all((void **)copies->starts, run->pair_count);
  free_all((void **)copies->in_forest, run->levels);
  free_all((void **)copies->root_level, run->levels);
  free_all((void **)copies->root, run->levels);
  free_all((void **)copies->token_share, run->levels);
  free_all((void **)copies->sums, FAMILY_SUMS);
  MEMORY_FREE(copies->starts);
  MEMORY_FREE(copies->start_rows);
  MEMORY_FREE(copies->edge_first);
  MEMORY_FREE(copies->in_forest);
  MEMORY_FREE(copies->root_level);
  MEMORY_FREE(copies->root);
  MEMORY_FREE(copies->token_share);
  MEMORY_FREE(copies->family_root);
  MEMORY_FREE(copies->mass);
  MEMORY_FREE(copies->coverage);
  MEMORY_FREE(copies->purity);
  MEMORY_FREE(copies->replicated);
}

static Status copy_starts(const FamiliesRun *run, int64_t p, int64_t first, Copies *copies) {
  const FamiliesPair *pair = &run->pairs[p];
  const int64_t count = pair->table.count;
  const bool is_last = count > 0 && pair->child->own.past == pair->child->latents;
  TRY(MEMORY_NEW(&copies->starts[p], count + 1, "first edges"));
  for (int64_t i = 0; i <= count; ++i) {
    copies->starts[p][i] = first + pair->table.edge_start[i];
  }
  copies->start_rows[p] = count + (is_last ? 1 : 0);
  copies->edge_first[p] = first;
  return OK;
}

static Status copy_level(const FamiliesRun *run, int64_t l, Copies *copies) {
  const FamiliesDictionary *level = &run->dictionaries[run->of_level[l]];
  const int64_t own = shard_count(level->own);
  TRY(MEMORY_NEW(&copies->in_forest[l], own, "places in the forest"));
  TRY(MEMORY_NEW(&copies->root_level[l], own, "levels of roots"));
  TRY(MEMORY_NEW(&copies->root[l], own, "roots"));
  TRY(MEMORY_NEW(&copies->token_share[l], own, "shares of tokens"));
  const VerdictTable *table =
      l > 0 ? &families_pair(run, run->of_level[l], level->below)->table : NULL;
  for (int64_t i = 0; i < own; ++i) {
    const bool fires = level->commonest != NULL && level->firings[i] > 0;
    copies->in_forest[l][i] = table != NULL && verdict_in_forest((ChildStatus)table->status[i]);
    copies->root_level[l][i] = (uint8_t)level->roots[i].level; /* none: 255 */
    copies->root[l][i] = level->roots[i].id;
    copies->token_share[l][i] =
        fires ? (double)level->commonest[i] / (double)level->firings[i] : NAN;
  }
  return OK;
}

static Status take_families(const FamiliesRun *run, int64_t own, Copies *copies) {
  TRY(MEMORY_NEW(&copies->family_root, own, "roots of families"));
  TRY(MEMORY_NEW(&copies->mass, own, "masses of families"));
  TRY(MEMORY_NEW(&copies->coverage, own, "coverage of families"));
  TRY(MEMORY_NEW(&copies->purity, own, "purity of families"));
  TRY(MEMORY_NEW(&copies->replicated, own, "replication of families"));
  for (int kind = 0; kind < FAMILY_SUMS; ++kind) {
    TRY(MEMORY_NEW(&copies->sums[kind], own * run->levels, "sizes of families"));
  }
  return OK;
}

static Status copy_families(const FamiliesRun *run, Copies *copies) {
  const FamiliesDictionary *smallest = &run->dictionaries[run->of_level[0]];
  const int64_t own = shard_count(smallest->own);
  TRY(take_families(run, own, copies));
  for (int64_t i = 0; i < own; ++i) {
    if (smallest->state[i] == DIRECTION_DEAD) {
      continue;
    }
    const int64_t f = copies->count++;
    copies->family_root[f] = (uint32_t)(smallest->own.first + i);
    copies->mass[f] = smallest->sum[i];
    copies->coverage[f] = smallest->coverage[i];
    copies->purity[f] = families_purity(run, i);
    copies->replicated[f] = run->replicated[i];
    for (int64_t l = 0; l < run->levels; ++l) {
      for (int kind = 0; kind < FAMILY_SUMS; ++kind) {
        copies->sums[kind][f * run->levels + l] = run->sums[kind][l * own + i];
      }
    }
  }
  return OK;
}

static Status take_copies(const FamiliesRun *run, Copies *copies) {
  TRY(MEMORY_NEW(&copies->starts, run->pair_count, "first edges"));
  TRY(MEMORY_NEW(&copies->start_rows, run->pair_count, "first edges"));
  TRY(MEMORY_NEW(&copies->edge_first, run->pair_count, "first edges"));
  TRY(MEMORY_NEW(&copies->in_forest, run->levels, "places in the forest"));
  TRY(MEMORY_NEW(&copies->root_level, run->levels, "levels of roots"));
  TRY(MEMORY_NEW(&copies->root, run->levels, "roots"));
  TRY(MEMORY_NEW(&copies->token_share, run->levels, "shares of tokens"));
  for (int64_t l = 0; l < run->levels; ++l) {
    TRY(copy_level(run, l, copies));
  }
  return copy_families(run, copies);
}

static Status copies_open(FamiliesRun *run, Copies *copies) {
  TRY_ALL(run->team, take_copies(run, copies));
  for (int64_t p = 0; p < run->pair_count; ++p) {
    int64_t total;
    const int64_t first = exchange_offset(run->team, run->pairs[p].table.edges, &total);
    TRY_ALL(run->team, copy_starts(run, p, first, copies));
  }
  return OK;
}

static void describe_level(const FamiliesRun *run, const Copies *copies, int64_t l, Group *group) {
  const FamiliesDictionary *level = &run->dictionaries[run->of_level[l]];
  char name[FAMILIES_NAME];
  snprintf(name, sizeof name, "/dictionary/%.200s", level->settings->name);
  group_open(group, name, level->latents, level->own.first, shard_count(level->own));
  group_column(group, "parent_status", ARCHIVE_U8, 0, level->parent_status,
               "status as a parent: index into parent_statuses of /", "code");
  group_column(group, "flags", ARCHIVE_U8, 0, level->flags, "bits named by flags of /", "bits");
  group_column(group, "in_forest", ARCHIVE_U8, 0, copies->in_forest[l],
               "1: the edge to its parent is in the primary forest", "1");
  group_column(group, "root_level", ARCHIVE_U8, 0, copies->root_level[l],
               "level of the root of its tree: index into levels of / (255: dead)", "level");
  group_column(group, "root", ARCHIVE_U32, 0, copies->root[l],
               "root of its tree (4294967295: dead)", "latent");
  group_column(group, "forest_children", ARCHIVE_I64, 0, level->forest_children,
               "children in the primary forest", "latents");
  group_column(group, "in_degree", ARCHIVE_I64, 0, level->in_degree,
               "links from the next larger level", "edges");
  group_column(group, "coverage", ARCHIVE_F64, 0, level->coverage,
               "share of its activation on rows where a forest child fires too; nan: no child",
               "share");
  group_column(group, "token_share", ARCHIVE_F64, 0, copies->token_share[l],
               "share of its firings on its most frequent token", "share");
}

static void describe_families(const FamiliesRun *run, const Copies *copies, Group *group) {
  const int64_t levels = run->levels;
  group_open(group, "/family", run->families, run->family_offset, copies->count);
  group_column(group, "root", ARCHIVE_U32, 0, copies->family_root,
               "root, a feature of the smallest level", "latent");
  group_column(group, "size", ARCHIVE_I64, levels, copies->sums[FAMILY_SIZE],
               "features of each level", "latents");
  group_column(group, "kept", ARCHIVE_I64, levels, copies->sums[FAMILY_KEPT],
               "of them kept, with or without ?", "latents");
  group_column(group, "split", ARCHIVE_I64, levels, copies->sums[FAMILY_SPLIT],
               "of them split, with or without ?", "latents");
  group_column(group, "open", ARCHIVE_I64, levels, copies->sums[FAMILY_OPEN],
               "of them with ?: too little evidence", "latents");
  group_column(group, "mass", ARCHIVE_F64, 0, copies->mass, "activation of the root, summed",
               "activation");
  group_column(group, "coverage", ARCHIVE_F64, 0, copies->coverage,
               "share of the root's activation on rows where a child fires too; nan: no child",
               "share");
  group_column(group, "purity", ARCHIVE_F64, 0, copies->purity,
               "share of the leaves' firings on each leaf's most frequent token", "share");
  group_column(group, "replicated", ARCHIVE_U8, 0, copies->replicated,
               "1: one of its features splits in a twin too; 0: none; 2: no twin", "code");
}

static void describe_replication(const FamiliesReplication *one, Group *group) {
  group_open(group, one->name, one->parent->latents, one->parent->own.first,
             shard_count(one->parent->own));
  group_column(group, "children", ARCHIVE_I64, 2, one->children,
               "forest children of each parent in the twinned level, and in the twin", "latents");
}

/* Walk all groups, declaring (is_write false) or writing. */
static Status each_group(const FamiliesRun *run, const Copies *copies, bool is_write,
                         Archive *out) {
  Status (*const act)(const Group *, Archive *) = is_write ? group_write : group_add;
  Group group;
  for (int64_t p = 0; p < run->pair_count; ++p) {
    describe_pair(&run->pairs[p], &group);
    TRY(act(&group, out));
    describe_starts(&run->pairs[p], copies->starts[p], copies->start_rows[p], &group);
    TRY(act(&group, out));
    describe_edges(&run->pairs[p], copies->edge_first[p], &group);
    TRY(act(&group, out));
  }
  for (int64_t l = 0; l < run->levels; ++l) {
    describe_level(run, copies, l, &group);
    TRY(act(&group, out));
  }
  for (int64_t r = 0; r < run->replication_count; ++r) {
    describe_replication(&run->replications[r], &group);
    TRY(act(&group, out));
  }
  describe_families(run, copies, &group);
  return act(&group, out);
}

static Status set_counts(Archive *out, const char *group, const int64_t *count, int statuses,
                         bool is_child) {
  char key[64];
  for (int s = 1; s < statuses; ++s) {
    snprintf(key, sizeof key, "count_%s",
             is_child ? verdict_child_name((ChildStatus)s) : verdict_parent_name((ParentStatus)s));
    TRY(archive_set_integer(out, group, key, count[s]));
  }
  return OK;
}

static double share(int64_t part, int64_t whole) {
  return whole > 0 ? (double)part / (double)whole : NAN;
}

static Status set_pair(const FamiliesPair *pair, Archive *out) {
  const char *group = pair->group;
  TRY(set_counts(out, group, pair->count, CHILD_STATUSES, true));
  TRY(archive_set_real(out, group, "link", pair->rules.link));
  TRY(archive_set_real(out, group, "null_median", pair->null_median));
  TRY(archive_set_real(out, group, "null_999", pair->null_999));
  TRY(archive_set_real(out, group, "median_best", pair->median_best));
  TRY(archive_set_integer(out, group, "children", pair->children));
  TRY(archive_set_integer(out, group, "alive", pair->alive));
  TRY(archive_set_integer(out, group, "linked", pair->linked));
  TRY(archive_set_integer(out, group, "enough", pair->enough));
  TRY(archive_set_integer(out, group, "forest_edges", pair->forest_edges));
  TRY(archive_set_real(out, group, "merge_rate", share(pair->merged, pair->children)));
  TRY(archive_set_real(out, group, "skip_rate", share(pair->skipped, pair->children)));
  TRY(archive_set_real(out, group, "mean_p", pair->mean_p));
  TRY(archive_set_real(out, group, "mean_p_all", pair->mean_p_all));
  TRY(archive_set_real(out, group, "mean_lift", pair->mean_lift));
  if (pair->has_chain) {
    TRY(archive_set_real(out, group, "tc_1", pair->tc_1));
    TRY(archive_set_real(out, group, "tc_5", pair->tc_5));
  }
  return OK;
}

static Status set_level(const FamiliesDictionary *level, Archive *out) {
  char group[FAMILIES_NAME];
  snprintf(group, sizeof group, "/dictionary/%.200s", level->settings->name);
  TRY(set_counts(out, group, level->count, PARENT_STATUSES, false));
  TRY(archive_set_real(out, group, "share_30", level->share_30));
  TRY(archive_set_real(out, group, "median_best", level->median_best));
  TRY(archive_set_real(out, group, "null_median", level->null_median));
  TRY(archive_set_integer(out, group, "too_little_text", level->is_too_little));
  return archive_set_integer(out, group, "undertrained", level->is_undertrained);
}

static Status set_replication(const FamiliesReplication *one, Archive *out) {
  TRY(archive_set_text(out, one->name, "level", one->level->settings->name));
  TRY(archive_set_integer(out, one->name, "parents", one->found.parents));
  TRY(archive_set_real(out, one->name, "correlation", one->found.correlation));
  TRY(archive_set_real(out, one->name, "split_again", one->found.split_again));
  return archive_set_real(out, one->name, "split_any", one->found.split_any);
}

/* The names of a list of codes, separated by spaces; "-" for no name. */
static Status set_names(Archive *out, Team *team, const char *key, int count,
                        const char *(*name)(int)) {
  Text text = {0};
  Status status = OK;
  for (int i = 0; status == OK && i < count; ++i) {
    const char *word = name(i)[0] != '\0' ? name(i) : "-";
    status = text_printf(&text, i > 0 ? " %s" : "%s", word);
  }
  status = team_agree(team, status);
  if (status == OK) {
    status = archive_set_text(out, "/", key, text_chars(&text));
  }
  text_clear(&text);
  return status;
}

static const char *child_name(int code) {
  return verdict_child_name((ChildStatus)code);
}

static const char *parent_name(int code) {
  return verdict_parent_name((ParentStatus)code);
}

static const char *flag_name(int code) {
  return verdict_flag_name((VerdictFlag)code);
}

static const char *evidence_name(int code) {
  static const char *const NAMES[] = {"open", "no", "yes"};
  return NAMES[code];
}

static Status set_levels(const FamiliesRun *run, Archive *out) {
  Text text = {0};
  Status status = OK;
  for (int64_t l = 0; status == OK && l < run->levels; ++l) {
    status = text_printf(&text, l > 0 ? " %s" : "%s",
                         run->dictionaries[run->of_level[l]].settings->name);
  }
  status = team_agree(run->team, status);
  if (status == OK) {
    status = archive_set_text(out, "/", "levels", text_chars(&text));
  }
  text_clear(&text);
  return status;
}

/* Trees of more than one feature. */
static int64_t count_families(FamiliesRun *run) {
  const int64_t own = shard_count(run->dictionaries[run->of_level[0]].own);
  int64_t grown = 0;
  for (int64_t i = 0; i < own; ++i) {
    grown += run->sums[FAMILY_SIZE][own + i] > 0;
  }
  exchange_sum(run->team, &grown, 1);
  return grown;
}

static Status set_attributes(FamiliesRun *run, Archive *out, const Stamp *stamp) {
  char text[17];
  TRY(archive_note_text(out, "/", "stamp", stamp_text(stamp, text)));
  TRY(set_levels(run, out));
  TRY(set_names(out, run->team, "child_statuses", CHILD_STATUSES, child_name));
  TRY(set_names(out, run->team, "parent_statuses", PARENT_STATUSES, parent_name));
  TRY(set_names(out, run->team, "flags", VERDICT_FLAGS, flag_name));
  TRY(set_names(out, run->team, "evidence", 3, evidence_name));
  TRY(archive_set_integer(out, "/", "rows", run->rows));
  TRY(archive_set_integer(out, "/", "documents", run->documents));
  TRY(archive_set_integer(out, "/", "families", count_families(run)));
  for (int64_t p = 0; p < run->pair_count; ++p) {
    TRY(set_pair(&run->pairs[p], out));
  }
  for (int64_t l = 0; l < run->levels; ++l) {
    TRY(set_level(&run->dictionaries[run->of_level[l]], out));
  }
  for (int64_t r = 0; r < run->replication_count; ++r) {
    TRY(set_replication(&run->replications[r], out));
  }
  return OK;
}

static Status fill(FamiliesRun *run, const Copies *copies, const Stamp *stamp, Archive *out) {
  TRY(each_group(run, copies, false, out));
  TRY(set_attributes(run, out, stamp));
  TRY(archive_begin(out));
  return each_group(run, copies, true, out);
}

Status families_write(FamiliesRun *run, const char *path, const Stamp *stamp) {
  Archive *out = NULL;
  Copies copies = {0};
  Status status = copies_open(run, &copies);
  if (status == OK) {
    status = archive_create(run->team, path, SCHEMA_FAMILIES, &out);
  }
  if (status == OK) {
    status = fill(run, &copies, stamp, out);
  }
  if (status == OK) {
    status = archive_finish(&out, NULL);
  }
  archive_abandon(&out);
  copies_close(&copies, run);
  return status;
}
