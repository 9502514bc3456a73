#ifndef SCREEN_PARTS_H
#define SCREEN_PARTS_H

#include "screen.h"

/* What screen.c and screen_above.c share: tiles, bounds, exact scores, scratch memory. */
enum { QUERIES = 512, BASES = 512, LEAST_QUERIES = 32 };

typedef struct Candidate {
  float low, upper; /* the exact score is between */
  int32_t index;    /* base row */
} Candidate;

/* The candidates of a query. */
typedef struct Pool {
  float bar;      /* a lower bound of the k-th best score */
  int64_t count;  /* in the query's list */
  int64_t recent; /* of them since the bar was raised */
} Pool;

/* What one thread needs for one tile. */
typedef struct ScreenScratch {
  float *score;     /* [QUERIES, BASES] */
  int32_t *hits;    /* [BASES] */
  Pool *pools;      /* [QUERIES] */
  Candidate *lists; /* [QUERIES, list] */
  SelectKey *keys;  /* [list] to find the k-th best */
  int64_t *picks;   /* [list] to be scored exactly */
  float *exact;     /* [list] their scores */
  /* for back_keys only */
  SelectKey *columns;     /* [BASES, QUERIES] (screened score, query within the tile) */
  int64_t *column_counts; /* [BASES] */
  double *back_bounds;    /* [BASES] */
  float *back_limits;     /* [BASES] */
  SelectKey *back_keys;   /* [base count, k] this thread's heaps; the job's if it is alone */
  int64_t *back_counts;   /* [base count] */
} ScreenScratch;

/* A lower bound of a score as a float32. */
float screen_round_down(double value);
/* |screened - exact score| at most, of rows with these norms and this |bias|; `error` per unit of
 * product. */
double screen_bound(double error, int64_t width, double product, double bias);
/* Exact scores of one row with others, those of `picks`. */
void screen_exact(const float *row, const float *others, int64_t width, const int64_t *picks,
                  int64_t count, float *out);
/* Queries a unit of work, so that every thread gets one. */
int64_t screen_share(int64_t queries);
/* Scratch memory for units of `queries` and lists of `list`, at least. */
Status screen_room_fit(ScreenRoom *room, int64_t queries, int64_t list) MUST_USE;

#endif
