#ifndef COMPARE_COLUMNS_H
#define COMPARE_COLUMNS_H

#include <stdint.h>

#include "archive.h"

/** What is stored of a comparison: in the work files, and in neighbours.h5 under the group of the
 *  dictionary or pair. */
typedef struct Column {
  const char *name;
  ArchiveType type;
  int width; /* 0: one value a row; COLUMN_MOST, COLUMN_SPAN: as many as the settings say */
  const char *meaning;
} Column;
enum { COLUMN_MOST = -1, COLUMN_SPAN = -2 };

/** By latent of a dictionary. */
extern const Column STATE_COLUMN;
enum { SELF_COLUMNS = 2 };
extern const Column SELF_COLUMN[SELF_COLUMNS];

/** By child of a pair. */
enum { PAIR_COLUMNS = 8 };
extern const Column PAIR_COLUMN[PAIR_COLUMNS];
/** By parent. */
enum { PAIR_LIST_COLUMNS = 2 };
extern const Column PAIR_LIST_COLUMN[PAIR_LIST_COLUMNS];
/** By bin. */
typedef struct PairHistogram {
  Column column;
  int64_t bins;
} PairHistogram;
enum { PAIR_HISTOGRAMS = 3 };
extern const PairHistogram PAIR_HISTOGRAM[PAIR_HISTOGRAMS];

/** Attributes of a pair. */
enum { PAIR_REALS = 18, PAIR_INTEGERS = 6 };
extern const char *const PAIR_REAL[PAIR_REALS];
extern const char *const PAIR_INTEGER[PAIR_INTEGERS];

#endif
