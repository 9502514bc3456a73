#include <math.h>
#include <string.h>

#include "compare_pair.h"
#include "lookup.h"
#include "memory.h"
#include "random.h"

static const Column PAIR_BEST = {"best", ARCHIVE_F32, 0,
                                 "best cosine of alive children (nan: none, or not alive)"};

/* One panel of children. */
typedef struct Panel {
  Shard part;
  Directions rows; /* decoder rows, later encoder rows */
  Neighbours up;   /* parents of each child */
  CentreTerm *terms;
  SpanFit *span;
  uint32_t *ids; /* [own children, most] */
  float *values; /* [own children, most] */
  Archive *out;
} Panel;

static void panel_clear(Panel *panel) {
  directions_clear(&panel->rows);
  neighbours_clear(&panel->up);
  MEMORY_FREE(panel->terms);
  MEMORY_FREE(panel->span);
  MEMORY_FREE(panel->ids);
  MEMORY_FREE(panel->values);
  archive_abandon(&panel->out);
}

static Status panel_take(const Compare *compare, Panel *panel) {
  const int64_t own = shard_count(panel->rows.own);
  TRY(neighbours_open(&panel->up, own, compare->most));
  TRY(MEMORY_NEW(&panel->terms, own, "centred children"));
  TRY(MEMORY_NEW(&panel->span, own, "span fits"));
  TRY(MEMORY_NEW(&panel->ids, own * compare->most, "ids to be written"));
  return MEMORY_NEW(&panel->values, own * compare->most, "cosines to be written");
}

/* The same pairs whatever the panels are. */
static uint64_t sample_key(const Compare *compare, const Pair *pair) {
  const uint64_t key = random_key(compare->stage->settings.run.seed, "sample of all cosines",
                                  pair->child->settings->name);
  const char *parent = pair->parent->settings->name;
  return random_subkey(key, random_hash(parent, (int64_t)strlen(parent), 0));
}

static Status find_parents(Compare *compare, Pair *pair, Panel *panel) {
  Sample sample = {.key = sample_key(compare, pair)};
  const NeighboursJob job = {.child = &panel->rows,
                             .parent = &pair->parent_rows,
                             .parents = &panel->up,
                             .children = &pair->step.lists,
                             .sample = &sample,
                             .watch = &compare->watch};
  TRY(neighbours_meet(compare->team, &job));
  neighbours_sort(&panel->up);
  pair->tally.sampled_pairs += sample.pairs;
  for (int bin = 0; bin < SAMPLE_BINS; bin++) {
    pair->tally.all_histogram[bin] += sample.histogram[bin];
  }
  return OK;
}

static Status begin_file(Compare *compare, const Pair *pair, Panel *panel) {
  const int64_t rows = shard_count(panel->part);
  TRY(compare_work_create(compare, pair->step.name, "rows", panel->part.first, &panel->out));
  for (int i = 0; i < PAIR_COLUMNS; i++) {
    TRY(compare_add(compare, panel->out, "", &PAIR_COLUMN[i], rows));
  }
  TRY(compare_add(compare, panel->out, "", &PAIR_BEST, rows));
  return archive_begin(panel->out);
}

static Status write(const Panel *panel, const char *name, const void *data) {
  const Shard own = panel->rows.own;
  return archive_write(panel->out, name, own.first - panel->part.first, shard_count(own), data);
}

static Status write_parents(const Compare *compare, Panel *panel) {
  neighbours_unpack(&panel->up, panel->ids, panel->values);
  TRY(write(panel, "/parent_id", panel->ids));
  TRY(write(panel, "/cosine", panel->values));
  for (int64_t i = 0; i < panel->up.count; i++) {
    const bool is_alive = panel->rows.state[i] == DIRECTION_ALIVE && panel->up.counts[i] > 0;
    panel->values[i] = is_alive ? panel->values[i * compare->most] : NAN;
  }
  return write(panel, "/best", panel->values);
}

/* The best centred cosine stands in another place than the first; equal ones do not count. */
static int64_t count_differing(const Panel *panel) {
  const int64_t most = panel->up.most;
  int64_t differing = 0;
  for (int64_t i = 0; i < panel->up.count; i++) {
    const float *row = panel->values + i * most;
    bool differs = false;
    for (int64_t j = 1; j < panel->up.counts[i]; j++) {
      differs |= row[j] > row[0];
    }
    differing += differs && panel->rows.state[i] == DIRECTION_ALIVE;
  }
  return differing;
}

static Status score_centred(Compare *compare, Pair *pair, Panel *panel) {
  const float *mean = pair->child->mean;
  const float *other = pair->parent->mean;
  TRY_ALL(compare->team, centre_terms(&panel->rows, mean, other, panel->terms));
  const CentreJob job = {.lists = &panel->up,
                         .child = panel->terms,
                         .parent = pair->parent_terms,
                         .parents = pair->parent->latents,
                         .mean = mean,
                         .other = other,
                         .width = pair->child->width};
  TRY(centre_score(compare->team, &job, panel->values));
  pair->tally.centred_differs += count_differing(panel);
  return write(panel, "/cosine_centred", panel->values);
}

static Status write_span(Panel *panel, int64_t parents) {
  for (int64_t i = 0; i < panel->up.count * parents; i++) {
    panel->ids[i] = panel->span[i / parents].parent[i % parents];
    panel->values[i] = panel->span[i / parents].weight[i % parents];
  }
  TRY(write(panel, "/span_parent", panel->ids));
  TRY(write(panel, "/span_weight", panel->values));
  for (int64_t i = 0; i < panel->up.count; i++) {
    panel->values[i] = panel->span[i].r2;
  }
  TRY(write(panel, "/span_r2", panel->values));
  for (int64_t i = 0; i < panel->up.count; i++) {
    panel->values[i] = panel->span[i].mutual;
  }
  return write(panel, "/span_mutual", panel->values);
}

static Status fit_spans(Compare *compare, const Pair *pair, Panel *panel) {
  const int64_t parents = compare->stage->settings.compare.span;
  TRY(span_fit(compare->team, &panel->rows, &pair->parent_rows, &panel->up, parents, panel->span));
  return write_span(panel, parents);
}

static Status score_encoders(Compare *compare, const Pair *pair, Panel *panel) {
  TRY(compare_load_encoder(compare, pair->child, &panel->rows));
  TRY(neighbours_score(compare->team, &panel->rows, &pair->parent_encoder, &panel->up,
                       panel->values));
  return write(panel, "/encoder_cosine", panel->values);
}

static Status compare_rows(Compare *compare, Pair *pair, Panel *panel) {
  TRY(compare_load(compare, pair->child, panel->part, &panel->rows));
  TRY_ALL(compare->team, panel_take(compare, panel));
  TRY(find_parents(compare, pair, panel));
  TRY(begin_file(compare, pair, panel));
  TRY(write_parents(compare, panel));
  TRY(score_centred(compare, pair, panel));
  TRY(fit_spans(compare, pair, panel));
  TRY(score_encoders(compare, pair, panel));
  return archive_finish(&panel->out, NULL);
}

Status compare_pair_panel(Compare *compare, Pair *pair, Shard part) {
  Panel panel = {.part = part};
  const Status status = compare_rows(compare, pair, &panel);
  panel_clear(&panel);
  return status;
}
