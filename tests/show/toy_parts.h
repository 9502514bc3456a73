#ifndef TOY_PARTS_H
#define TOY_PARTS_H

#include <stdint.h>

#include "archive.h"
#include "status.h"
#include "team.h"
#include "toy_run.h"

/** What the two halves of the toy run share: topics, and datasets with their values. */

enum { ROOTS = 9, PARTS = 3, GROUPS = 3, WORDS = 3, LEAVES = ROOTS * PARTS * GROUPS };
enum { TOY_MOST = 256 }; /* latents of a dictionary */

/** Topics that a dictionary has features for; the topic of a feature (-1: none); the feature of a
 *  topic. Topic t of a level is part of topic t / 3 of the next smaller one.
 *  ranks   local */
int toy_topics(int dictionary);
int toy_topic(int dictionary, int64_t feature);
int64_t toy_feature(int dictionary, int topic);

typedef struct ToyItem {
  ArchiveDataset dataset;
  const void *data;
} ToyItem;

/** A dataset of `columns` columns, 0 for one dimension.
 *  ranks   local */
ToyItem toy_item(const char *name, ArchiveType type, int64_t rows, int64_t columns,
                 const void *data);
/** Declare and write datasets.
 *  ranks   collective */
Status toy_add(Archive *archive, const ToyItem *items, int count) MUST_USE;
Status toy_put(Team *team, Archive *archive, const ToyItem *items, int count) MUST_USE;

typedef struct ToyFacts {
  int64_t firings[TOY_DICTIONARIES][TOY_MOST];
  double sum[TOY_DICTIONARIES][TOY_MOST];
} ToyFacts;

/** Write neighbours.h5 and families.h5.
 *  ranks   collective */
Status toy_links_write(Team *team, const char *folder, const ToyFacts *facts,
                       ToyShape shape) MUST_USE;

#endif
