#ifndef SCREEN_PARTS_H
#define SCREEN_PARTS_H

#include <pthread.h>

#include "lanes.h"
#include "screen.h"

/* What the files of the screen share. A unit of work is a range of queries, which meets all base
 * rows, a tile at a time; a block is a part of the unit that is multiplied with a tile at once.
 *
 *   screen_bound.c  what bounds a pair's score, of base rows (columns) and of queries (rows)
 *   screen_tile.c   a tile's screened scores, and exact scores of its picks
 *   screen_pool.c   a query's candidates
 *   screen_back.c   the base rows' own best
 *   screen_room.c   scratch memory
 *   screen.c, screen_above.c   the two searches */
enum {
  TILE = LOWP_TILE,
  UNIT = 2048,
  LEAST_UNIT = 32,
  WIDE = 8,
  PICKS = 1 << 14,
  BACK_GROUPS = 128
};

/* A pair to be scored exactly. */
typedef struct Pick {
  int32_t query;            /* in the unit */
  uint16_t base;            /* in the tile, or in several */
  bool for_query, for_base; /* whose best it may be among */
  float exact;              /* without bias */
} Pick;

/* The pairs of a tile that are scored at once, those of a query in a row. */
typedef struct Picks {
  Pick *items; /* [PICKS] */
  int64_t count;
} Picks;

/* A pair that may be among the query's best, but hardly is. */
typedef struct Candidate {
  float upper; /* its exact score is not above */
  int32_t index;
} Candidate;

/* The candidates of a query. */
typedef struct Pool {
  float bar;     /* its k-th best score is not below */
  float first;   /* screened scores of its first tiles from here on were scored at once */
  int64_t count; /* in the query's list */
  int64_t next;  /* those before are settled, at the end */
} Pool;

/* What one thread needs. */
typedef struct ScreenScratch {
  void *score;       /* [WIDE, block, TILE] int32 or float32 */
  int32_t *hits;     /* [TILE] */
  LanesRow *rows;    /* [unit] */
  Pool *pools;       /* [unit] */
  Candidate *lists;  /* [unit, list] */
  float *best;       /* [WIDE * TILE] maxima of groups of columns */
  SelectKey *keys;   /* [WIDE * TILE] the same as keys */
  float *back;       /* [TILE] what a score must reach for the base row's sake */
  float *back_first; /* [TILE] screened scores from here on were scored at once */
  float *groups;     /* [BACK_GROUPS, TILE] maxima of groups of queries */
  Picks picks;
  float passed; /* of pass_over() */
  ScreenCost cost;
} ScreenScratch;

/* What bounds base rows; scale, or size if there is none, is nan where a row takes no part. */
typedef struct Columns {
  float *scale, *size, *error, *bias; /* [base count], or NULL */
  float *most_size, *most_error;      /* [tiles] of scores in 8 bits */
  bool has_infinite;                  /* a bound that overflows */
} Columns;

typedef struct Screen {
  const ScreenJob *job;
  ScreenRoom *room;
  Columns columns;
  int64_t unit, block, units; /* queries of each, units of all */
  int64_t tiles;
  double tiny; /* what underflow may cost a score */
  /* for back_keys alone */
  pthread_mutex_t *locks; /* [tiles] of the base rows' heaps and of what follows */
  float *back_least;      /* [base count] what a score must reach */
} Screen;

/* Queries [first, past) of a unit and base rows [base, base + count). */
typedef struct Tile {
  int64_t unit_first, first, past;
  int64_t base, count;
  void *scores; /* [past - first, count] int32 less the shifts, or float32 */
} Tile;

/* screen_bound.c */
Status screen_columns_create(Screen *screen) MUST_USE;
void screen_columns_clear(Columns *columns);
LanesRow screen_row_of(const Screen *screen, int64_t query); /* least: the caller's */
/* What a scan of a tile is told. Of scores in 8 bits the largest error in the tile stands for that of
 * each column, which is faster; what is found is then held to its own. */
LanesColumns screen_columns_of(const Screen *screen, int64_t base);
LanesRow screen_scan_row(const Screen *screen, const LanesRow *row, int64_t base);
/* What screened scores need for bias. */
double screen_bias(const ScreenSide *base, int64_t index);
/* What the upper bound of a pair with this exact score reaches. */
float screen_least(const Screen *screen, double score);

/* screen_tile.c */
Status screen_open(Screen *screen, int64_t list) MUST_USE; /* sizes, columns, memory */
void screen_close(Screen *screen);
Tile screen_tile(const Screen *screen, int64_t unit, int64_t tile);
/* The tile's scores with the block of its unit that begins at `first`, in a slot of s->score. */
Status screen_multiply(const Screen *screen, Tile *tile, int64_t first, int64_t slot,
                       ScreenScratch *s) MUST_USE;
const void *screen_scores(const Tile *tile, int64_t query);
/* Score the picks. */
void screen_settle(const Screen *screen, const Tile *tile, ScreenScratch *s);

/* screen_pool.c */
void screen_pool_open(const Screen *screen, ScreenScratch *s, int64_t query, int64_t at);
/* A query without a bar: find what screened score the k best of its first tiles reach. */
void screen_pool_look(const Screen *screen, const Tile *tiles, int64_t count, ScreenScratch *s,
                      int64_t query);
/* Places in a query's list, of which some are free now. */
int64_t screen_pool_room(const Screen *screen, ScreenScratch *s, int64_t query, int64_t at);
/* Offer what was picked for queries. */
void screen_pool_offer(const Screen *screen, const Tile *tile, ScreenScratch *s);
/* Settle the lists of a unit. */
void screen_pool_finish(const Screen *screen, int64_t unit, ScreenScratch *s);

/* screen_back.c */
Status screen_back_create(Screen *screen) MUST_USE;
void screen_back_clear(Screen *screen);
/* What scores of this tile must reach, as far as it is known now. Is there a base row that has no
 * bar yet? */
bool screen_back_look(const Screen *screen, const Tile *tile, ScreenScratch *s);
/* Base rows without a bar: find what screened score the k best of a unit's queries reach. parts
 * [count]: the tile with all blocks of the unit. */
void screen_back_first(const Screen *screen, const Tile *parts, int64_t count, ScreenScratch *s);
/* Offer what was picked for base rows. */
void screen_back_offer(const Screen *screen, const Tile *tile, const ScreenScratch *s);

/* The screened score, without bias, of base row base + n, and how far below the exact one it may be. */
static inline float screen_mid(const Screen *screen, const LanesRow *row, const void *scores,
                               int64_t base, int64_t n) {
  const float *scale = screen->columns.scale;
  if (scale == NULL) {
    return ((const float *)scores)[n];
  }
  const int32_t product = ((const int32_t *)scores)[n] + screen->job->base.lowp->shift[base + n];
  return row->scale * ((float)product * scale[base + n]);
}

static inline float screen_margin(const Screen *screen, const LanesRow *row, int64_t index) {
  const Columns *c = &screen->columns;
  const float margin = row->size * c->size[index];
  return c->error == NULL ? margin : margin + row->error * c->error[index];
}

static inline bool screen_takes_part(const ScreenSide *side, int64_t row) {
  return side->is_left_out == NULL || !side->is_left_out[row];
}

/* The global id of a row. */
static inline int64_t screen_id(const ScreenSide *side, int64_t row) {
  return side->ids != NULL ? (int64_t)side->ids[row] : side->first_id + row;
}

/* screen_room.c */
Status screen_room_fit(const Screen *screen, int64_t list) MUST_USE;

#endif
