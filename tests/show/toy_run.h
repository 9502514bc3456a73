#ifndef TOY_RUN_H
#define TOY_RUN_H

#include "atlas.h"
#include "status.h"
#include "team.h"

/** A made-up run without model or training: sentences of topics, dictionaries whose features fire
 *  on topics, their parts and the parts of those, and the files of all stages up to families. For
 *  tests of what is shown, and for looking at the page. Hostile tokens (markup, half characters, a
 *  terminal's commands) are among the words. */

enum { TOY_DICTIONARIES = 4 };

/** The dictionaries of a toy run: three levels and a twin of the middle one. */
extern const AtlasDeclared TOY_DECLARED[TOY_DICTIONARIES];

/** Write the files into `folder`.
 *  ranks     collective
 *  documents in     of 90 tokens each
 *  shape     in     TOY_TREES: a child belongs to the parent that has its topic; TOY_HUB: all of
 *                   "256" to 64/0 */
typedef enum ToyShape { TOY_TREES, TOY_HUB } ToyShape;
Status toy_run_write(Team *team, const char *folder, int64_t documents, ToyShape shape) MUST_USE;

#endif
