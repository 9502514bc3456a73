#include "families_tile.h"

#include <math.h>
#include <string.h>

#include "duplicates.h"
#include "memory.h"

/* As neighbours.h5 has them. */
typedef struct Stored {
  uint32_t *id, *stands;                    /* [children, stored]; what each stands for */
  float *cosine, *centred, *encoder;        /* [children, stored] */
  uint32_t *suggestion, *suggestion_stands; /* [children, suggested] */
  float *r2, *mutual, *weight;              /* [children], [children], [children, span] */
  uint32_t *span, *span_stands;             /* [children, span] */
  int64_t *kept;                            /* [stored] */
} Stored;

static void stored_close(Stored *stored) {
  MEMORY_FREE(stored->id);
  MEMORY_FREE(stored->stands);
  MEMORY_FREE(stored->cosine);
  MEMORY_FREE(stored->centred);
  MEMORY_FREE(stored->encoder);
  MEMORY_FREE(stored->suggestion);
  MEMORY_FREE(stored->suggestion_stands);
  MEMORY_FREE(stored->r2);
  MEMORY_FREE(stored->mutual);
  MEMORY_FREE(stored->weight);
  MEMORY_FREE(stored->span);
  MEMORY_FREE(stored->span_stands);
  MEMORY_FREE(stored->kept);
}

static Status stored_take(Stored *stored, const FamiliesTiles *tiles, int64_t children) {
  const int64_t cells = children * tiles->stored, suggested = children * tiles->suggested;
  TRY(MEMORY_NEW(&stored->id, cells, "stored parents"));
  TRY(MEMORY_NEW(&stored->stands, cells, "stored parents"));
  TRY(MEMORY_NEW(&stored->cosine, cells, "stored cosines"));
  TRY(MEMORY_NEW(&stored->centred, cells, "stored cosines"));
  TRY(MEMORY_NEW(&stored->encoder, cells, "stored cosines"));
  TRY(MEMORY_NEW(&stored->suggestion, suggested, "suggested parents"));
  TRY(MEMORY_NEW(&stored->suggestion_stands, suggested, "suggested parents"));
  TRY(MEMORY_NEW(&stored->r2, children, "span fits"));
  TRY(MEMORY_NEW(&stored->mutual, children, "span fits"));
  TRY(MEMORY_NEW(&stored->weight, children * tiles->span, "span fits"));
  TRY(MEMORY_NEW(&stored->span, children * tiles->span, "span fits"));
  TRY(MEMORY_NEW(&stored->span_stands, children * tiles->span, "span fits"));
  return MEMORY_NEW(&stored->kept, tiles->stored, "parents that stay");
}

static Status read_column(const FamiliesTile *tile, const char *column, void *data) {
  char name[FAMILIES_NAME + 32];
  return archive_read(tile->tiles->run->neighbours,
                      families_dataset(tile->tiles->pair, column, name), tile->of.first,
                      shard_count(tile->of), data);
}

static Status read_stored(const FamiliesTile *tile, Stored *stored) {
  TRY(read_column(tile, "parent_id", stored->id));
  TRY(read_column(tile, "cosine", stored->cosine));
  TRY(read_column(tile, "cosine_centred", stored->centred));
  TRY(read_column(tile, "encoder_cosine", stored->encoder));
  TRY(read_column(tile, "span_r2", stored->r2));
  TRY(read_column(tile, "span_mutual", stored->mutual));
  TRY(read_column(tile, "span_weight", stored->weight));
  return read_column(tile, "span_parent", stored->span);
}

/* Parents by activation, and whether the file's ids can be. */
static Status suggest(FamiliesTile *tile, Stored *stored) {
  const FamiliesTiles *tiles = tile->tiles;
  const int64_t children = shard_count(tile->of);
  const FamiliesPair *pair = tiles->pair;
  const int64_t latents = pair->parent->latents;
  TRY(families_check_ids(pair->group, "parent", stored->id, children * tiles->stored, latents));
  TRY(families_check_ids(pair->group, "parent", stored->span, children * tiles->span, latents));
  TRY(families_firings_read(&tile->firings, tiles->pair->child, tile->of));
  const EvidenceSuggest suggest = {
      .children = &tile->firings.children,
      .source = &tiles->codes.source,
      .parent_fired = tiles->parent_fired,
      .lift_min = tiles->pair->rules.evidence.lift_min,
      .most = tiles->suggested,
      .bytes = 8 * tiles->codes.source.room}; /* about as much as the codes take */
  return tiles->suggested > 0 ? evidence_suggest(&suggest, stored->suggestion) : OK;
}

static Status stand(const FamiliesTile *tile, const uint32_t *id, int64_t count, uint32_t *out) {
  const FamiliesDictionary *parent = tile->tiles->pair->parent;
  for (int64_t i = 0; i < count; ++i) {
    out[i] = LOOKUP_NONE;
  }
  return lookup_items(tile->tiles->run->team, parent->latents, parent->representative,
                      sizeof *parent->representative, id, count, out);
}

/* Every entry as what it stands for. */
static Status stand_all(const FamiliesTile *tile, Stored *stored) {
  const FamiliesTiles *tiles = tile->tiles;
  const int64_t children = shard_count(tile->of);
  TRY(stand(tile, stored->id, children * tiles->stored, stored->stands));
  TRY(stand(tile, stored->span, children * tiles->span, stored->span_stands));
  return stand(tile, stored->suggestion, children * tiles->suggested, stored->suggestion_stands);
}

static void list_near(FamiliesTile *tile, const Stored *stored, int64_t child) {
  const int64_t places = tile->tiles->stored, from = child * places, to = child * tile->most;
  const int64_t kept = duplicates_keep(stored->stands + from, places, stored->kept);
  for (int64_t j = 0; j < kept; ++j) {
    const int64_t at = from + stored->kept[j];
    tile->candidate[to + j] = stored->stands[at];
    tile->cosine[to + j] = stored->cosine[at];
    tile->cosine_centred[to + j] = stored->centred[at];
    tile->encoder_cosine[to + j] = stored->encoder[at];
  }
  for (int64_t j = 0; j < places && stored->id[from + j] != LOOKUP_NONE; ++j) {
    tile->last[child] = stored->cosine[from + j];
  }
}

/* Mark the candidates that are suggested; those that are none yet stand behind. */
static void list_suggested(FamiliesTile *tile, const Stored *stored, int64_t child) {
  const int64_t suggested = tile->tiles->suggested, to = child * tile->most;
  int64_t next = tile->tiles->stored;
  for (int64_t s = 0; s < suggested; ++s) {
    const uint32_t id = stored->suggestion_stands[child * suggested + s];
    int64_t j = 0;
    while (j < next && tile->candidate[to + j] != id) {
      ++j;
    }
    if (id != LOOKUP_NONE && j == next) {
      tile->candidate[to + next++] = id;
    }
    if (id != LOOKUP_NONE) {
      tile->is_suggested[to + j] = 1;
    }
  }
}

static void list_candidates(FamiliesTile *tile, const Stored *stored) {
  const FamiliesDictionary *one = tile->tiles->pair->child;
  const int64_t span = tile->tiles->span;
  for (int64_t i = 0; i < shard_count(tile->of) * tile->most; ++i) {
    tile->candidate[i] = LOOKUP_NONE;
    tile->cosine[i] = tile->cosine_centred[i] = tile->encoder_cosine[i] = NAN;
    tile->is_suggested[i] = 0;
    tile->parent_narrow[i] = tile->parent_wide[i] = 0;
  }
  for (int64_t c = 0; c < shard_count(tile->of); ++c) {
    tile->last[c] = NAN;
    tile->span[c] = verdict_span(stored->r2[c], stored->span_stands + c * span,
                                 stored->weight + c * span, span, stored->mutual[c]);
    if (one->counts[tile->of.first - one->own.first + c]) {
      list_near(tile, stored, c);
      list_suggested(tile, stored, c);
    }
  }
}

static Status look_up_best(FamiliesTile *tile) {
  const FamiliesTiles *tiles = tile->tiles;
  const int64_t children = shard_count(tile->of);
  uint32_t *wanted = NULL;
  TRY_NEW(tiles->run->team, &wanted, children, "best parents");
  for (int64_t c = 0; c < children; ++c) {
    wanted[c] = tile->candidate[c * tile->most];
    tile->best_child[c] = LOOKUP_NONE;
  }
  const Status status =
      lookup_items(tiles->run->team, tiles->pair->parent->latents, tiles->best_child,
                   sizeof(uint32_t), wanted, children, tile->best_child);
  MEMORY_FREE(wanted);
  return status;
}

static Status look_up_fired(FamiliesTile *tile) {
  const FamiliesTiles *tiles = tile->tiles;
  const FamiliesDictionary *parent = tiles->pair->parent;
  const int64_t cells = shard_count(tile->of) * tile->most;
  FamiliesFired *fired = NULL;
  TRY_NEW(tiles->run->team, &fired, cells, "firings of candidates");
  const Status status = lookup_items(tiles->run->team, parent->latents, parent->fired,
                                     sizeof *fired, tile->candidate, cells, fired);
  for (int64_t i = 0; status == OK && i < cells; ++i) {
    tile->parent_narrow[i] = fired[i].narrow;
    tile->parent_wide[i] = fired[i].wide;
  }
  MEMORY_FREE(fired);
  return status;
}

static Status fill(FamiliesTile *tile, Stored *stored) {
  Team *team = tile->tiles->run->team;
  TRY_ALL(team, stored_take(stored, tile->tiles, shard_count(tile->of)));
  TRY(read_stored(tile, stored));
  TRY_ALL(team, suggest(tile, stored));
  TRY(stand_all(tile, stored));
  list_candidates(tile, stored);
  return look_up_best(tile);
}

Status families_tile_fill(FamiliesTile *tile, int64_t index) {
  const FamiliesTiles *tiles = tile->tiles;
  const Shard own = tiles->pair->child->own;
  const int64_t first = own.first + index * tiles->room, past = first + tiles->room;
  Stored stored = {0};
  tile->of = (Shard){first < own.past ? first : own.past, past < own.past ? past : own.past};
  evidence_close(&tile->evidence);
  Status status = fill(tile, &stored);
  stored_close(&stored);
  TRY(status);
  TRY(look_up_fired(tile));
  return team_agree(tiles->run->team,
                    evidence_count(&tile->evidence, &tile->firings.children, &tiles->codes.source,
                                   tile->candidate, tile->most));
}

Status families_tile_take(FamiliesTile *tile, const FamiliesTiles *tiles) {
  const int64_t room = tiles->room;
  *tile = (FamiliesTile){.tiles = tiles, .most = tiles->stored + tiles->suggested};
  const int64_t cells = room * tile->most;
  TRY(MEMORY_NEW(&tile->candidate, cells, "candidate parents"));
  TRY(MEMORY_NEW(&tile->cosine, cells, "cosines of candidates"));
  TRY(MEMORY_NEW(&tile->cosine_centred, cells, "cosines of candidates"));
  TRY(MEMORY_NEW(&tile->encoder_cosine, cells, "cosines of candidates"));
  TRY(MEMORY_NEW(&tile->is_suggested, cells, "candidates by activation"));
  TRY(MEMORY_NEW(&tile->parent_narrow, cells, "firings of candidates"));
  TRY(MEMORY_NEW(&tile->parent_wide, cells, "firings of candidates"));
  TRY(MEMORY_NEW(&tile->last, room, "last cosines"));
  TRY(MEMORY_NEW(&tile->span, room, "span fits"));
  return MEMORY_NEW(&tile->best_child, room, "best children");
}

void families_tile_close(FamiliesTile *tile) {
  evidence_close(&tile->evidence);
  families_firings_close(&tile->firings);
  MEMORY_FREE(tile->candidate);
  MEMORY_FREE(tile->cosine);
  MEMORY_FREE(tile->cosine_centred);
  MEMORY_FREE(tile->encoder_cosine);
  MEMORY_FREE(tile->is_suggested);
  MEMORY_FREE(tile->parent_narrow);
  MEMORY_FREE(tile->parent_wide);
  MEMORY_FREE(tile->last);
  MEMORY_FREE(tile->span);
  MEMORY_FREE(tile->best_child);
}
