#ifndef TOY_RUN_H
#define TOY_RUN_H

#include "atlas.h"
#include "status.h"
#include "team.h"

/** A made-up run without model or training: sentences of topics, dictionaries whose features fire on topics, their
 *  parts and the parts of those, and the files of all stages up to families. For tests of what is shown, and for
 *  looking at the page. Hostile tokens (markup, half characters, a terminal's commands) are among the words. */

enum { TOY_DICTIONARIES = 4 };

/** The dictionaries of a toy run: three levels and a twin of the middle one. */
extern const AtlasDeclared TOY_DECLARED[TOY_DICTIONARIES];

/** Write the files into `folder`.
 *  ranks     collective
 *  documents in     of 90 tokens each */
Status toy_run_write(Team *team, const char *folder, int64_t documents) MUST_USE;

#endif
