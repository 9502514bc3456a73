/* The second half of the toy run: neighbours.h5 and families.h5. Cosines and shares are made up;
 * who belongs to whom is the topics' tree. */

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "random.h"
#include "schema.h"
#include "toy_parts.h"
#include "verdict_table.h"

enum { NEIGHBOURS = 8, PAIRS = 5, BINS = 100, NAME = 96 };

static const int PAIR_OF[PAIRS][2] = {{1, 0}, {3, 0}, {3, 1}, {2, 1}, {2, 0}};

/* Everything of one dictionary and one pair; kept whole, for the tests' sake small. */
typedef struct ToyPair {
  int child, parent;
  uint32_t up[TOY_MOST * NEIGHBOURS], down[TOY_MOST * NEIGHBOURS];
  float up_cosine[TOY_MOST * NEIGHBOURS], down_cosine[TOY_MOST * NEIGHBOURS];
  int64_t histogram[BINS], null_histogram[BINS];
  int64_t statuses[VERDICT_STEPS * CHILD_STATUSES], linked[VERDICT_STEPS];
  double null[VERDICT_STEPS], false_share[VERDICT_STEPS];
  uint8_t status[TOY_MOST], flags[TOY_MOST], evidence[TOY_MOST];
  uint32_t pi[TOY_MOST];
  float cosine[TOY_MOST], centred[TOY_MOST], encoder[TOY_MOST];
  int64_t both[TOY_MOST], documents[TOY_MOST];
  float p[TOY_MOST], low[TOY_MOST], high[TOY_MOST], wide[TOY_MOST], p_child[TOY_MOST],
      lift[TOY_MOST];
} ToyPair;

typedef struct ToyLevel {
  uint8_t state[TOY_MOST], parent_status[TOY_MOST], in_forest[TOY_MOST], root_level[TOY_MOST],
      flags[TOY_MOST];
  uint32_t self[TOY_MOST * NEIGHBOURS], root[TOY_MOST];
  float self_cosine[TOY_MOST * NEIGHBOURS];
  int64_t forest_children[TOY_MOST];
  double coverage[TOY_MOST], hole_share[TOY_MOST];
} ToyLevel;

typedef struct ToyFamily {
  int64_t count;
  uint32_t root[TOY_MOST];
  int64_t size[TOY_MOST * 3];
  double mass[TOY_MOST], coverage[TOY_MOST], purity[TOY_MOST];
  uint8_t replicated[TOY_MOST];
} ToyFamily;

typedef struct ToyLinks {
  const ToyFacts *facts;
  ToyLevel level[TOY_DICTIONARIES];
  ToyPair pair[PAIRS];
  ToyFamily family;
  double threshold[VERDICT_STEPS];
  int64_t grown[VERDICT_STEPS];
  int64_t replication[TOY_MOST * 2];
} ToyLinks;

static double dice(const char *what, int64_t a, int64_t b) {
  return random_uniform(random_key(11, what, ""), (uint64_t)(a * 100003 + b));
}

/* The topic of a child in the dictionary of its parent, -1: none. */
static int topic_above(const ToyPair *pair, int64_t child) {
  const int topic = toy_topic(pair->child, child);
  return topic < 0 ? -1 : topic / (toy_topics(pair->child) / toy_topics(pair->parent));
}

static void fill_up(const ToyLinks *links, ToyPair *pair, int64_t child) {
  const int topic = topic_above(pair, child);
  const int64_t parents = TOY_DECLARED[pair->parent].latents;
  double cosine = topic >= 0 ? 0.42 + 0.45 * dice("cosine", pair->child, child)
                             : 0.12 + 0.3 * dice("cosine", pair->child, child);
  for (int i = 0; i < NEIGHBOURS; ++i) {
    const bool is_own = i == 0 && topic >= 0;
    pair->up[child * NEIGHBOURS + i] = is_own
                                           ? (uint32_t)toy_feature(pair->parent, topic)
                                           : (uint32_t)((double)parents * dice("parent", child, i));
    pair->up_cosine[child * NEIGHBOURS + i] = (float)cosine;
    cosine *= 0.7 + 0.2 * dice("step", child, i);
  }
  if (links->level[pair->child].state[child] == 2) {
    ++pair->histogram[(int)(pair->up_cosine[child * NEIGHBOURS] * BINS)];
  }
}

static void fill_down(ToyPair *pair, int64_t parent) {
  const int topic = toy_topic(pair->parent, parent);
  const int share = toy_topics(pair->child) / toy_topics(pair->parent);
  for (int i = 0; i < NEIGHBOURS; ++i) {
    const bool is_own = topic >= 0 && i < share;
    pair->down[parent * NEIGHBOURS + i] =
        is_own ? (uint32_t)toy_feature(pair->child, topic * share + i)
               : (uint32_t)((double)TOY_DECLARED[pair->child].latents * dice("child", parent, i));
    pair->down_cosine[parent * NEIGHBOURS + i] = 0.8F - 0.07F * (float)i;
  }
}

/* Statuses in about the shares of a real run. */
static ChildStatus status_of(int state, bool has_topic, double luck) {
  if (state < 2) {
    return state == 0 ? CHILD_DEAD : CHILD_UNSEEN;
  }
  if (has_topic) {
    return luck < 0.08   ? CHILD_KEPT
           : luck < 0.80 ? CHILD_SPLIT
           : luck < 0.86 ? CHILD_ABSORBED
           : luck < 0.94 ? CHILD_SPLIT_OPEN
                         : CHILD_AMBIGUOUS;
  }
  return luck < 0.5 ? CHILD_RELATED : luck < 0.6 ? CHILD_RELATED_OPEN : CHILD_UNMATCHED;
}

static void fill_child(const ToyLinks *links, ToyPair *pair, int64_t child) {
  const int state = links->level[pair->child].state[child];
  const bool has_topic = topic_above(pair, child) >= 0;
  const double luck = dice("status", pair->child * 10 + pair->parent, child);
  const int64_t firings = links->facts->firings[pair->child][child];
  const bool is_enough = firings >= 30;
  const float p = (float)(has_topic ? 0.72 + 0.25 * luck : 0.3 * luck);
  pair->status[child] = (uint8_t)status_of(state, has_topic, luck);
  pair->flags[child] = luck > 0.97 ? 1u << FLAG_HUB : (luck < 0.02 ? 1u << FLAG_LOW_TC : 0);
  pair->evidence[child] = is_enough ? (p > 0.6F ? 2 : 1) : 0;
  pair->pi[child] = state == 0 ? SCHEMA_NO_ID : pair->up[child * NEIGHBOURS];
  pair->cosine[child] = pair->up_cosine[child * NEIGHBOURS];
  pair->centred[child] = pair->cosine[child] - 0.03F;
  pair->encoder[child] = pair->cosine[child] * 0.8F;
  pair->both[child] = (int64_t)((double)firings * (double)p);
  pair->documents[child] = firings / 3;
  pair->p[child] = is_enough ? p : NAN;
  pair->low[child] = is_enough ? p - 0.6F / sqrtf((float)firings) : NAN;
  pair->high[child] = is_enough ? fminf(1.0F, p + 0.6F / sqrtf((float)firings)) : NAN;
  pair->wide[child] = is_enough ? fminf(1.0F, p + 0.05F) : NAN;
  pair->p_child[child] = is_enough ? p / 3 : NAN;
  pair->lift[child] = is_enough ? 9 * p : NAN;
}

/* Higher thresholds link fewer; chance links none above 0.50. */
static void fill_steps(ToyLinks *links, ToyPair *pair) {
  for (int bin = 0; bin < 50; ++bin) {
    pair->null_histogram[bin] = bin < 10 ? 0 : 100 - 2 * bin;
  }
  for (int step = 0; step < VERDICT_STEPS; ++step) {
    int64_t *statuses = pair->statuses + step * CHILD_STATUSES;
    links->threshold[step] = verdict_step(step);
    links->grown[step] = 12 - step / 5;
    pair->linked[step] = 30 - step / 2;
    pair->null[step] = step < 10 ? 10.0 - step : 0;
    pair->false_share[step] = pair->null[step] / (double)pair->linked[step];
    statuses[CHILD_SPLIT] = pair->linked[step];
    statuses[CHILD_UNMATCHED] = TOY_DECLARED[pair->child].latents - pair->linked[step];
  }
}

static void fill_pair(ToyLinks *links, int index) {
  ToyPair *pair = &links->pair[index];
  pair->child = PAIR_OF[index][0];
  pair->parent = PAIR_OF[index][1];
  for (int64_t c = 0; c < TOY_DECLARED[pair->child].latents; ++c) {
    fill_up(links, pair, c);
    fill_child(links, pair, c);
  }
  for (int64_t p = 0; p < TOY_DECLARED[pair->parent].latents; ++p) {
    fill_down(pair, p);
  }
  fill_steps(links, pair);
}

static void fill_states(ToyLinks *links, int dictionary) {
  const int64_t latents = TOY_DECLARED[dictionary].latents;
  ToyLevel *level = &links->level[dictionary];
  for (int64_t f = 0; f < latents; ++f) {
    level->state[f] = links->facts->firings[dictionary][f] > 0 ? 2 : 1;
    level->state[f] = f == latents - 1 ? 0 : level->state[f];
    for (int i = 0; i < NEIGHBOURS; ++i) {
      level->self[f * NEIGHBOURS + i] = (uint32_t)((f + 1 + 3 * i) % latents);
      level->self_cosine[f * NEIGHBOURS + i] = 0.6F - 0.05F * (float)i;
    }
    level->coverage[f] = NAN;
  }
}

/* Level l of the three levels is this dictionary. */
static int dictionary_of(int level) {
  return level == 2 ? 3 : level;
}

static void fill_forest(ToyLinks *links, int depth) {
  const int dictionary = dictionary_of(depth);
  ToyLevel *level = &links->level[dictionary];
  const ToyPair *pair = depth == 0 ? NULL : &links->pair[depth == 1 ? 0 : 2];
  for (int64_t f = 0; f < TOY_DECLARED[dictionary].latents; ++f) {
    level->root_level[f] = level->state[f] == 0 ? 255 : (uint8_t)depth;
    level->root[f] = level->state[f] == 0 ? SCHEMA_NO_ID : (uint32_t)f;
    if (pair == NULL || !verdict_in_forest((ChildStatus)pair->status[f])) {
      continue;
    }
    ToyLevel *above = &links->level[pair->parent];
    const uint32_t parent = pair->pi[f];
    level->in_forest[f] = 1;
    level->root_level[f] = above->root_level[parent];
    level->root[f] = above->root[parent];
    ++above->forest_children[parent];
    above->coverage[parent] = 0.5 + 0.4 * dice("coverage", pair->parent, parent);
    if (pair->status[f] == CHILD_ABSORBED) {
      above->hole_share[parent] = 0.1;
    }
  }
}

static void fill_parents(ToyLevel *level, int64_t latents) {
  for (int64_t f = 0; f < latents; ++f) {
    const int64_t children = level->forest_children[f];
    level->parent_status[f] = (uint8_t)(level->state[f] == 0   ? PARENT_DEAD
                                        : level->state[f] == 1 ? PARENT_UNSEEN
                                        : children > 1         ? PARENT_SPLIT_K
                                        : children == 1        ? PARENT_REFINED
                                        : f % 2 == 0           ? PARENT_LINKED
                                                               : PARENT_LOST);
  }
}

static void fill_family(ToyLinks *links) {
  ToyFamily *family = &links->family;
  int64_t place[TOY_MOST] = {0};
  for (int64_t f = 0; f < TOY_DECLARED[0].latents; ++f) {
    if (links->level[0].state[f] == 0) {
      continue;
    }
    const int64_t at = family->count++;
    place[f] = at;
    family->root[at] = (uint32_t)f;
    family->mass[at] = links->facts->sum[0][f];
    family->coverage[at] = links->level[0].coverage[f];
    family->purity[at] = 0.2 + 0.7 * dice("purity", 0, f);
    family->replicated[at] = links->level[0].forest_children[f] > 1 && f % 4 != 0;
  }
  for (int depth = 0; depth < 3; ++depth) {
    const ToyLevel *level = &links->level[dictionary_of(depth)];
    for (int64_t f = 0; f < TOY_DECLARED[dictionary_of(depth)].latents; ++f) {
      if (level->root_level[f] == 0) {
        ++family->size[place[level->root[f]] * 3 + depth];
      }
    }
  }
}

static char *name_of(char *out, const char *kind, const char *first, const char *second,
                     const char *dataset) {
  snprintf(out, NAME, "/%s/%s%s%s/%s", kind, first, second[0] != '\0' ? "/" : "", second, dataset);
  return out;
}

enum { LEVEL_ITEMS = 3, PAIR_ITEMS = 8, FOREST_ITEMS = 8, VERDICT_ITEMS = 19, FAMILY_ITEMS = 6 };
enum { NEIGHBOUR_ITEMS = TOY_DICTIONARIES * LEVEL_ITEMS + PAIRS * PAIR_ITEMS };
enum { FAMILIES_ITEMS = 3 * FOREST_ITEMS + PAIRS * VERDICT_ITEMS + FAMILY_ITEMS + 3 };

typedef struct Sheet {
  ToyItem items[NEIGHBOUR_ITEMS + FAMILIES_ITEMS];
  char names[NEIGHBOUR_ITEMS + FAMILIES_ITEMS][NAME];
  int count;
} Sheet;

static void list(Sheet *sheet, const char *kind, const char *first, const char *second,
                 const char *dataset, ArchiveType type, int64_t rows, int64_t columns,
                 const void *data) {
  const int at = sheet->count++;
  sheet->items[at] =
      toy_item(name_of(sheet->names[at], kind, first, second, dataset), type, rows, columns, data);
}

static void list_neighbours(Sheet *sheet, const ToyLinks *links) {
  for (int i = 0; i < TOY_DICTIONARIES; ++i) {
    const ToyLevel *level = &links->level[i];
    const char *name = TOY_DECLARED[i].name;
    const int64_t latents = TOY_DECLARED[i].latents;
    list(sheet, "dictionary", name, "", "state", ARCHIVE_U8, latents, 0, level->state);
    list(sheet, "self", name, "", "id", ARCHIVE_U32, latents, NEIGHBOURS, level->self);
    list(sheet, "self", name, "", "cosine", ARCHIVE_F32, latents, NEIGHBOURS, level->self_cosine);
  }
  for (int i = 0; i < PAIRS; ++i) {
    const ToyPair *pair = &links->pair[i];
    const char *c = TOY_DECLARED[pair->child].name, *p = TOY_DECLARED[pair->parent].name;
    const int64_t children = TOY_DECLARED[pair->child].latents;
    const int64_t parents = TOY_DECLARED[pair->parent].latents;
    list(sheet, "pair", c, p, "parent_id", ARCHIVE_U32, children, NEIGHBOURS, pair->up);
    list(sheet, "pair", c, p, "cosine", ARCHIVE_F32, children, NEIGHBOURS, pair->up_cosine);
    list(sheet, "pair", c, p, "cosine_centred", ARCHIVE_F32, children, NEIGHBOURS, pair->up_cosine);
    list(sheet, "pair", c, p, "encoder_cosine", ARCHIVE_F32, children, NEIGHBOURS, pair->up_cosine);
    list(sheet, "pair", c, p, "child_id", ARCHIVE_U32, parents, NEIGHBOURS, pair->down);
    list(sheet, "pair", c, p, "child_cosine", ARCHIVE_F32, parents, NEIGHBOURS, pair->down_cosine);
    list(sheet, "pair", c, p, "best_histogram", ARCHIVE_I64, BINS, 0, pair->histogram);
    list(sheet, "pair", c, p, "null_histogram", ARCHIVE_I64, BINS, 0, pair->null_histogram);
  }
}

static Status write_neighbours(Team *team, const char *folder, const ToyLinks *links,
                               Sheet *sheet) {
  Archive *out = NULL;
  char path[1024], object[NAME];
  snprintf(path, sizeof(path), "%s/neighbours.h5", folder);
  list_neighbours(sheet, links);
  TRY(archive_create(team, path, SCHEMA_NEIGHBOURS, &out));
  TRY(toy_add(out, sheet->items, sheet->count));
  for (int i = 0; i < TOY_DICTIONARIES; ++i) {
    snprintf(object, sizeof(object), "/dictionary/%s", TOY_DECLARED[i].name);
    TRY(archive_set_real(out, object, "effective_dimension", 90.0 + 40.0 * i));
  }
  for (int i = 0; i < PAIRS; ++i) {
    const ToyPair *pair = &links->pair[i];
    snprintf(object, sizeof(object), "/pair/%s/%s", TOY_DECLARED[pair->child].name,
             TOY_DECLARED[pair->parent].name);
    TRY(archive_set_real(out, object, "median_best", i == 2 ? 0.231 : 0.342));
    TRY(archive_set_real(out, object, "null_median", 0.204));
    TRY(archive_set_real(out, object, "null_999", 0.337));
    TRY(archive_set_real(out, object, "share_40", 0.41));
    TRY(archive_set_real(out, object, "share_50", 0.33));
    TRY(archive_set_real(out, object, "share_70", 0.12));
  }
  TRY(archive_begin(out));
  TRY(toy_put(team, out, sheet->items, sheet->count));
  return archive_finish(&out, NULL);
}

static void list_verdicts(Sheet *sheet, const ToyPair *pair) {
  const char *c = TOY_DECLARED[pair->child].name, *p = TOY_DECLARED[pair->parent].name;
  const int64_t n = TOY_DECLARED[pair->child].latents;
  list(sheet, "pair", c, p, "status", ARCHIVE_U8, n, 0, pair->status);
  list(sheet, "pair", c, p, "flags", ARCHIVE_U8, n, 0, pair->flags);
  list(sheet, "pair", c, p, "parent", ARCHIVE_U32, n, 0, pair->pi);
  list(sheet, "pair", c, p, "parent_cosine", ARCHIVE_F32, n, 0, pair->cosine);
  list(sheet, "pair", c, p, "parent_cosine_centred", ARCHIVE_F32, n, 0, pair->centred);
  list(sheet, "pair", c, p, "parent_encoder_cosine", ARCHIVE_F32, n, 0, pair->encoder);
  list(sheet, "pair", c, p, "both", ARCHIVE_I64, n, 0, pair->both);
  list(sheet, "pair", c, p, "documents", ARCHIVE_I64, n, 0, pair->documents);
  list(sheet, "pair", c, p, "p", ARCHIVE_F32, n, 0, pair->p);
  list(sheet, "pair", c, p, "p_low", ARCHIVE_F32, n, 0, pair->low);
  list(sheet, "pair", c, p, "p_high", ARCHIVE_F32, n, 0, pair->high);
  list(sheet, "pair", c, p, "p_wide", ARCHIVE_F32, n, 0, pair->wide);
  list(sheet, "pair", c, p, "p_child", ARCHIVE_F32, n, 0, pair->p_child);
  list(sheet, "pair", c, p, "lift", ARCHIVE_F32, n, 0, pair->lift);
  list(sheet, "pair", c, p, "evidence", ARCHIVE_U8, n, 0, pair->evidence);
  list(sheet, "pair", c, p, "sweep_status", ARCHIVE_I64, VERDICT_STEPS, CHILD_STATUSES,
       pair->statuses);
  list(sheet, "pair", c, p, "sweep_linked", ARCHIVE_I64, VERDICT_STEPS, 0, pair->linked);
  list(sheet, "pair", c, p, "sweep_null", ARCHIVE_F64, VERDICT_STEPS, 0, pair->null);
  list(sheet, "pair", c, p, "sweep_false_share", ARCHIVE_F64, VERDICT_STEPS, 0, pair->false_share);
}

static void list_families(Sheet *sheet, const ToyLinks *links) {
  const ToyFamily *family = &links->family;
  for (int i = 0; i < PAIRS; ++i) {
    list_verdicts(sheet, &links->pair[i]);
  }
  for (int depth = 0; depth < 3; ++depth) {
    const ToyLevel *level = &links->level[dictionary_of(depth)];
    const char *name = TOY_DECLARED[dictionary_of(depth)].name;
    const int64_t n = TOY_DECLARED[dictionary_of(depth)].latents;
    list(sheet, "dictionary", name, "", "parent_status", ARCHIVE_U8, n, 0, level->parent_status);
    list(sheet, "dictionary", name, "", "in_forest", ARCHIVE_U8, n, 0, level->in_forest);
    list(sheet, "dictionary", name, "", "root_level", ARCHIVE_U8, n, 0, level->root_level);
    list(sheet, "dictionary", name, "", "root", ARCHIVE_U32, n, 0, level->root);
    list(sheet, "dictionary", name, "", "forest_children", ARCHIVE_I64, n, 0,
         level->forest_children);
    list(sheet, "dictionary", name, "", "flags", ARCHIVE_U8, n, 0, level->flags);
    list(sheet, "dictionary", name, "", "coverage", ARCHIVE_F64, n, 0, level->coverage);
    list(sheet, "dictionary", name, "", "hole_share", ARCHIVE_F64, n, 0, level->hole_share);
  }
  list(sheet, "sweep", "threshold", "", "", ARCHIVE_F64, VERDICT_STEPS, 0, links->threshold);
  list(sheet, "sweep", "families", "", "", ARCHIVE_I64, VERDICT_STEPS, 0, links->grown);
  list(sheet, "family", "root", "", "", ARCHIVE_U32, family->count, 0, family->root);
  list(sheet, "family", "size", "", "", ARCHIVE_I64, family->count, 3, family->size);
  list(sheet, "family", "mass", "", "", ARCHIVE_F64, family->count, 0, family->mass);
  list(sheet, "family", "coverage", "", "", ARCHIVE_F64, family->count, 0, family->coverage);
  list(sheet, "family", "purity", "", "", ARCHIVE_F64, family->count, 0, family->purity);
  list(sheet, "family", "replicated", "", "", ARCHIVE_U8, family->count, 0, family->replicated);
  for (int i = sheet->count - FAMILY_ITEMS - 2; i < sheet->count; ++i) {
    sheet->names[i][strlen(sheet->names[i]) - 1] =
        '\0'; /* no dataset below a name: its slash goes */
  }
  list(sheet, "replication", "64-b", "16", "children", ARCHIVE_I64, TOY_DECLARED[0].latents, 2,
       links->replication);
}

static Status set_pair(Archive *out, const ToyPair *pair) {
  char object[NAME];
  snprintf(object, sizeof(object), "/pair/%s/%s", TOY_DECLARED[pair->child].name,
           TOY_DECLARED[pair->parent].name);
  TRY(archive_set_real(out, object, "link", 0.40));
  TRY(archive_set_integer(out, object, "children", TOY_DECLARED[pair->child].latents - 1));
  TRY(archive_set_integer(out, object, "linked", 30));
  TRY(archive_set_integer(out, object, "enough", 28));
  TRY(archive_set_real(out, object, "merge_rate", 0.041));
  TRY(archive_set_real(out, object, "skip_rate", (double)NAN));
  TRY(archive_set_real(out, object, "mean_p", 0.783));
  TRY(archive_set_real(out, object, "mean_p_all", 0.512));
  return archive_set_real(out, object, "mean_lift", 6.42);
}

static Status write_families(Team *team, const char *folder, const ToyLinks *links, Sheet *sheet) {
  Archive *out = NULL;
  char path[1024];
  snprintf(path, sizeof(path), "%s/families.h5", folder);
  list_families(sheet, links);
  TRY(archive_create(team, path, SCHEMA_FAMILIES, &out));
  TRY(toy_add(out, sheet->items, sheet->count));
  for (int i = 0; i < PAIRS; ++i) {
    TRY(set_pair(out, &links->pair[i]));
  }
  TRY(archive_set_text(out, "/replication/64-b/16", "level", "64"));
  TRY(archive_set_integer(out, "/replication/64-b/16", "parents", 15));
  TRY(archive_set_real(out, "/replication/64-b/16", "correlation", 0.66));
  TRY(archive_set_real(out, "/replication/64-b/16", "correlation_within", 0.65));
  TRY(archive_set_text(out, "/", "warnings", "other kind: 16 is topk, 256 is jumprelu\n"));
  TRY(archive_set_real(out, "/replication/64-b/16", "split_again", 0.56));
  TRY(archive_set_real(out, "/replication/64-b/16", "split_any", 0.23));
  TRY(archive_begin(out));
  TRY(toy_put(team, out, sheet->items, sheet->count));
  return archive_finish(&out, NULL);
}

/* Every feature of the largest level that is not dead becomes a part of one. */
static void make_hub(ToyPair *pair) {
  for (int64_t c = 0; c < TOY_DECLARED[pair->child].latents; ++c) {
    if (pair->status[c] != CHILD_DEAD) {
      pair->status[c] = CHILD_SPLIT;
      pair->pi[c] = 0;
    }
  }
}

static Status write_both(Team *team, const char *folder, ToyLinks *links, Sheet *sheet,
                         ToyShape shape) {
  for (int i = 0; i < TOY_DICTIONARIES; ++i) {
    fill_states(links, i);
  }
  for (int i = 0; i < PAIRS; ++i) {
    fill_pair(links, i);
  }
  if (shape == TOY_HUB) {
    make_hub(&links->pair[2]);
  }
  for (int depth = 0; depth < 3; ++depth) {
    fill_forest(links, depth);
  }
  for (int depth = 0; depth < 2; ++depth) { /* the largest has no parent statuses */
    fill_parents(&links->level[depth], TOY_DECLARED[depth].latents);
  }
  fill_family(links);
  TRY(write_neighbours(team, folder, links, sheet));
  sheet->count = 0;
  return write_families(team, folder, links, sheet);
}

Status toy_links_write(Team *team, const char *folder, const ToyFacts *facts, ToyShape shape) {
  ToyLinks *links = NULL;
  Sheet *sheet = NULL;
  TRY(MEMORY_NEW(&links, 1, "toy links"));
  links->facts = facts;
  Status status = MEMORY_NEW(&sheet, 1, "toy datasets");
  status = status == OK ? write_both(team, folder, links, sheet, shape) : status;
  MEMORY_FREE(sheet);
  MEMORY_FREE(links);
  return status;
}
