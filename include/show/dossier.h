#ifndef DOSSIER_H
#define DOSSIER_H

#include <stdint.h>

#include "atlas.h"
#include "names.h"
#include "status.h"
#include "strip.h"
#include "text.h"

/** One feature for a terminal: what it is, where it comes from, what became of it, its examples.
 *  ranks: all local. */
typedef struct DossierView {
  const Atlas *atlas;
  const Names *names;
  StripStyle style;
  int64_t columns;  /* of the terminal: no line is longer */
  int64_t examples; /* strongest ones */
  int64_t side;     /* tokens of a strip on either side */
} DossierView;

/** Append the dossier. What neighbours.h5 and families.h5 would say is left out where they are not
 *  there.
 *  needs   id in [0, latents)
 *  fails   ERR_FORMAT, ERR_FILE, ERR_MEMORY */
Status dossier_write(const DossierView *view, int dictionary, int64_t id, Text *out) MUST_USE;

/** Append `line`, cut to the view's columns, and a line end.
 *  line    in      valid UTF-8 without control characters; emptied */
Status dossier_line(const DossierView *view, Text *line, Text *out) MUST_USE;

#endif
