#include <math.h>
#include <stdio.h>

#include "exchange.h"
#include "memory.h"
#include "plan.h"
#include "schema.h"
#include "shard.h"
#include "verdict.h"

/* What earlier stages left in the run's folder. A file of other rows or latents than are planned for tells nothing; its
 * stage will say that it is stale. */

enum {
  PIECE = 1 << 16, /* latents whose firings are read at a time */
  BLOCKS = 64,     /* of a pair so many blocks of children are looked at, */
  CHILDREN = 1024, /* of so many each */
  NAME = 256
};

/* Links of pairs of real dictionaries, where nobody has compared them yet. */
static const double USUAL_EDGES = 0.25, USUAL_LINKED = 0.25;

Status plan_open(Plan *plan, const char *name, const char *schema, const char *maker,
                 Archive **out) {
  Team *team = &plan->stage->team;
  char *path = NULL;
  *out = NULL;
  TRY_OWN(team, &path, stage_path(plan->stage, &path, "%s", name));
  const bool is_whole = team->rank == 0 && archive_is_whole(path, schema);
  const Status status =
      team_any(team, is_whole) ? archive_open(team, path, schema, maker, out) : OK;
  MEMORY_FREE(path);
  return status;
}

/* Codes. */

/* Of this rank's latents. */
static Status add_firings(Archive *file, const Settings *settings, Shard own, double *examples,
                          int64_t *supported) {
  int64_t *firings = NULL;
  TRY(MEMORY_NEW(&firings, PIECE, "firings"));
  Status status = OK;
  for (int64_t first = own.first; status == OK && first < own.past; first += PIECE) {
    const int64_t left = own.past - first, count = left < PIECE ? left : PIECE;
    status = archive_read_here(file, "/firings", first, count, firings);
    for (int64_t i = 0; status == OK && i < count; ++i) {
      *examples += plan_examples(settings, (double)firings[i]);
      *supported += firings[i] >= settings->families.firings_min;
    }
  }
  MEMORY_FREE(firings);
  return status;
}

static Status read_codes(Plan *plan, Archive *file, int64_t index) {
  const Settings *settings = &plan->stage->settings;
  Team *team = &plan->stage->team;
  const int64_t declared = settings->dictionaries[index].latents;
  PlanFound *found = &plan->found[index];
  int64_t latents = 0, entries = 0, rows = 0, k = 0;
  double examples = 0;
  TRY(archive_shape(file, "/firings", ARCHIVE_I64, 1, &latents));
  TRY(archive_shape(file, "/id", ARCHIVE_U32, 1, &entries));
  TRY(archive_get_integer(file, "/", "rows", &rows));
  TRY(archive_get_integer(file, "/", "k", &k));
  const bool is_trained = settings_is_trained(settings, index);
  if (latents != declared || rows != plan->facts.rows ||
      (is_trained && k > 0 && k != settings->train.k)) {
    return OK;
  }
  const Shard own = shard_of(latents, shard_latent_block(latents), team->rank, team->size);
  int64_t sums[2] = {0};
  TRY_ALL(team, add_firings(file, settings, own, &examples, &sums[1]));
  sums[0] = llround(examples);
  exchange_sum(team, sums, 2);
  TRY(archive_get_real(file, "/", "l0", &found->l0));
  found->entries = (double)entries / (double)rows;
  found->examples = (double)sums[0] / (double)latents;
  found->supported = (double)sums[1] / (double)latents;
  return OK;
}

static Status find_codes(Plan *plan, int64_t index) {
  Archive *file = NULL;
  char name[NAME];
  snprintf(name, sizeof(name), "codes/%.100s.h5", plan->stage->settings.dictionaries[index].name);
  TRY(plan_open(plan, name, SCHEMA_CODES, "cleave-encode", &file));
  const Status status = file != NULL ? read_codes(plan, file, index) : OK;
  archive_close(&file);
  return status;
}

/* Neighbours. */

typedef struct Links {
  const char *group;
  int64_t children, most; /* stored parents of a child */
  double link;            /* cosine of a link */
  int64_t seen, edges, linked;
} Links;

static void count_links(const float *cosine, int64_t children, Links *links) {
  for (int64_t i = 0; i < children; ++i) {
    const float *own = cosine + i * links->most;
    int64_t edges = 0;
    while (edges < links->most && (double)own[edges] >= links->link) {
      ++edges;
    }
    links->edges += edges;
    links->linked += edges > 0;
  }
  links->seen += children;
}

/* Blocks of children, evenly over all of them; every rank takes some. */
static Status read_links(Archive *file, const Team *team, Links *links) {
  char name[NAME + 16];
  float *cosine = NULL;
  const int64_t blocks = (links->children + CHILDREN - 1) / CHILDREN;
  const int64_t taken = blocks < BLOCKS ? blocks : BLOCKS;
  snprintf(name, sizeof(name), "%s/cosine", links->group);
  TRY(MEMORY_NEW(&cosine, CHILDREN * links->most, "cosines of children"));
  Status status = OK;
  for (int64_t i = team->rank; status == OK && i < taken; i += team->size) {
    const int64_t first = i * blocks / taken * CHILDREN, left = links->children - first;
    const int64_t count = left < CHILDREN ? left : CHILDREN;
    status = archive_read_here(file, name, first, count, cosine);
    if (status == OK) {
      count_links(cosine, count, links);
    }
  }
  MEMORY_FREE(cosine);
  return status;
}

static Status find_links(Plan *plan, Archive *file, PlanPair *pair) {
  const Settings *settings = &plan->stage->settings;
  Team *team = &plan->stage->team;
  char group[NAME], name[NAME + 16];
  int64_t shape[2];
  double null_999 = NAN;
  snprintf(group, sizeof(group), "/pair/%.100s/%.100s", settings->dictionaries[pair->of.child].name,
           settings->dictionaries[pair->of.parent].name);
  snprintf(name, sizeof(name), "%s/cosine", group);
  if (!archive_has(file, name)) {
    return OK;
  }
  TRY(archive_shape(file, name, ARCHIVE_F32, 2, shape));
  TRY(archive_get_real(file, group, "null_999", &null_999));
  if (shape[0] != settings->dictionaries[pair->of.child].latents) {
    return OK;
  }
  Links links = {.group = group,
                 .children = shape[0],
                 .most = shape[1],
                 .link = verdict_cut(settings->families.link, null_999)};
  TRY_ALL(team, read_links(file, team, &links));
  int64_t sums[] = {links.seen, links.edges, links.linked};
  exchange_sum(team, sums, 3);
  pair->edges = (double)sums[1] / (double)sums[0];
  pair->linked = (double)sums[2] / (double)sums[0];
  pair->is_known = true;
  return OK;
}

static Status find_all_links(Plan *plan) {
  Archive *file = NULL;
  TRY(plan_open(plan, "neighbours.h5", SCHEMA_NEIGHBOURS, "cleave-compare", &file));
  Status status = OK;
  for (int64_t i = 0; status == OK && file != NULL && i < plan->pair_count; ++i) {
    status = find_links(plan, file, &plan->pairs[i]);
  }
  archive_close(&file);
  return status;
}

static Status take(Plan *plan) {
  const Settings *settings = &plan->stage->settings;
  const int64_t count = settings_pairs(settings, NULL);
  SettingsPair *names = NULL;
  TRY(MEMORY_NEW(&plan->found, settings->count, "codes that are there"));
  TRY(MEMORY_NEW(&plan->pairs, count, "pairs"));
  TRY(MEMORY_NEW(&names, count, "pairs"));
  settings_pairs(settings, names);
  plan->pair_count = count;
  for (int64_t i = 0; i < count; ++i) {
    plan->pairs[i] = (PlanPair){.of = names[i], .edges = USUAL_EDGES, .linked = USUAL_LINKED};
  }
  MEMORY_FREE(names);
  return OK;
}

Status plan_find(Plan *plan) {
  TRY_ALL(&plan->stage->team, take(plan));
  for (int64_t i = 0; i < plan->stage->settings.count; ++i) {
    TRY(find_codes(plan, i));
  }
  return find_all_links(plan);
}
