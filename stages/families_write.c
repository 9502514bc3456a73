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
  Column columns[32];
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

static void describe_evidence(const FamiliesPair *pair, Group *group) {
  const VerdictTable *t = &pair->table;
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
  group_column(group, "jaccard", ARCHIVE_F32, 0, t->jaccard,
               "rows where both fire / rows where either does", "share");
  group_column(group, "masked_cosine", ARCHIVE_F32, 0, t->masked_cosine,
               "cosine of the activations over the rows where the child fires", "cosine");
  group_column(group, "matched_rank", ARCHIVE_U8, 0, pair->matched_rank,
               "place of P among 16 parents of the same frequency: 1 best, 0: not asked", "rank");
  group_column(group, "matched_p", ARCHIVE_F32, 0, pair->matched_p,
               "mean P(parent | child) of those others; nan: not asked", "probability");
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
  group_column(group, "best_cosine", ARCHIVE_F32, 0, t->best,
               "decoder cosine with the best parent, near duplicates as one (nan: none)", "cosine");
  group_column(group, "second_cosine", ARCHIVE_F32, 0, t->second, "with the second (nan: none)",
               "cosine");
  group_column(group, "parent_cosine", ARCHIVE_F32, 0, t->cosine, "decoder cosine with it",
               "cosine");
  group_column(group, "parent_cosine_centred", ARCHIVE_F32, 0, t->cosine_centred,
               "the same after each dictionary's mean direction is subtracted", "cosine");
  group_column(group, "parent_encoder_cosine", ARCHIVE_F32, 0, t->encoder_cosine,
               "encoder cosine with it", "cosine");
  describe_evidence(pair, group);
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
  group_column(group, "edge_cosine_centred", ARCHIVE_F32, 0, t->edge_cosine_centred,
               "the same after each dictionary's mean direction is subtracted", "cosine");
  group_column(group, "edge_encoder_cosine", ARCHIVE_F32, 0, t->edge_encoder_cosine,
               "encoder cosine", "cosine");
  group_column(group, "edge_both", ARCHIVE_I64, 0, t->edge_both, "rows where both fire", "rows");
  group_column(group, "edge_both_wide", ARCHIVE_I64, 0, t->edge_both_wide,
               "the same where the parent counts among the top 2k of a row", "rows");
  group_column(group, "edge_trials", ARCHIVE_F32, 0, t->edge_trials,
               "effective trials behind edge_p: firings of one document are not independent",
               "trials");
  group_column(group, "edge_product", ARCHIVE_F64, 0, t->edge_product,
               "sum of the products of both activations", "activation^2");
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
  double *mass, *coverage, *rebuilt, *purity, *entropy;
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
  MEMORY_FREE(copies->rebuilt);
  MEMORY_FREE(copies->purity);
  MEMORY_FREE(copies->entropy);
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
    const bool fires = level->commonest != NULL && level->fired[i].narrow > 0;
    copies->in_forest[l][i] =
        table != NULL && level->counts[i] && verdict_in_forest((ChildStatus)table->status[i]);
    copies->root_level[l][i] = (uint8_t)level->roots[i].level; /* none: 255 */
    copies->root[l][i] = level->roots[i].id;
    copies->token_share[l][i] =
        fires ? (double)level->commonest[i] / (double)level->fired[i].narrow : NAN;
  }
  return OK;
}

static Status take_families(const FamiliesRun *run, int64_t own, Copies *copies) {
  TRY(MEMORY_NEW(&copies->family_root, own, "roots of families"));
  TRY(MEMORY_NEW(&copies->mass, own, "masses of families"));
  TRY(MEMORY_NEW(&copies->coverage, own, "coverage of families"));
  TRY(MEMORY_NEW(&copies->rebuilt, own, "what children rebuild"));
  TRY(MEMORY_NEW(&copies->purity, own, "purity of families"));
  TRY(MEMORY_NEW(&copies->entropy, own, "entropy of families"));
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
    if (!smallest->counts[i]) {
      continue;
    }
    const int64_t f = copies->count++;
    copies->family_root[f] = (uint32_t)(smallest->own.first + i);
    copies->mass[f] = smallest->sum[i];
    copies->coverage[f] = smallest->coverage[i];
    copies->rebuilt[f] = smallest->rebuilt[i];
    copies->purity[f] = families_purity(run, i);
    copies->entropy[f] = run->entropy[i];
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
  group_column(group, "representative", ARCHIVE_U32, 0, level->representative,
               "what stands for it: itself, or the near duplicate of lower id that it joins",
               "latent");
  group_column(group, "hole_share", ARCHIVE_F64, 0, level->hole_share,
               "share of its activation on rows where an absorbed child fires; nan: no child",
               "share");
  group_column(group, "rebuilt", ARCHIVE_F64, 0, level->rebuilt,
               "reconstruction test: share of its squared part that forest children put back; nan: "
               "no child, or more than 4096",
               "share");
  group_column(group, "hamming", ARCHIVE_I64, 0, level->hamming,
               "rows where either it or some forest child fires, not both; -1: no child", "rows");
  if (level->chain_jaccard != NULL) {
    group_column(group, "chain_jaccard", ARCHIVE_F64, 0, level->chain_jaccard,
                 "overlap of its descendants two levels up, by way of the middle and directly",
                 "share");
  }
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
  group_column(group, "absorbed", ARCHIVE_I64, levels, copies->sums[FAMILY_ABSORBED],
               "of them absorbed", "latents");
  group_column(group, "open", ARCHIVE_I64, levels, copies->sums[FAMILY_OPEN],
               "of them with ?: too little evidence", "latents");
  group_column(group, "attached", ARCHIVE_I64, levels, copies->sums[FAMILY_ATTACHED],
               "ambiguous, composed and related features whose parent is in the family", "latents");
  group_column(group, "mass", ARCHIVE_F64, 0, copies->mass, "activation of the root, summed",
               "activation");
  group_column(group, "coverage", ARCHIVE_F64, 0, copies->coverage,
               "share of the root's activation on rows where a child fires too; nan: no child",
               "share");
  group_column(group, "rebuilt", ARCHIVE_F64, 0, copies->rebuilt,
               "reconstruction test: share of the root's squared part that children put back; nan: "
               "no child, or more than 4096",
               "share");
  group_column(group, "purity", ARCHIVE_F64, 0, copies->purity,
               "share of the leaves' firings on each leaf's most frequent token", "share");
  group_column(group, "entropy", ARCHIVE_F64, 0, copies->entropy,
               "entropy of the leaves' most frequent tokens, each weighed by its leaf's firings",
               "bits");
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
static Status each_group(FamiliesRun *run, const Copies *copies, bool is_write, Archive *out) {
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
  TRY(act(&group, out));
  return is_write ? families_write_figures(run, out) : families_add_figures(run, out);
}

static Status fill(FamiliesRun *run, const Copies *copies, const Stamp *stamp, Archive *out) {
  TRY(each_group(run, copies, false, out));
  TRY(families_set_attributes(run, out, stamp));
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
