#ifndef NAMES_H
#define NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "atlas.h"
#include "status.h"
#include "text.h"

/** What features are called: the user's own label where labels.csv has one, else an automatic label
 *  of the tokens most over-represented where the feature fires. */
typedef struct Names Names;

/** Read labels.csv: dictionary, feature, label; a heading line is optional, the last of several
 *  labels of one feature counts, dictionaries that the run does not have are passed over.
 *  ranks   collective
 *  atlas   in      looked at: team, and the dictionaries' names and latents
 *  path    in      "" for none
 *  fails   ERR_MISSING, ERR_FORMAT (with file:line), ERR_MEMORY */
Status names_open(Names **out, const Atlas *atlas, const char *path) MUST_USE;
/** Labels of this run's features in the file.
 *  ranks   local */
int64_t names_count(const Names *names);
void names_close(Names **names);

/** Append a feature's label; nothing for a feature without label (one that never fires).
 *  ranks   local
 *  label_token  in   of atlas_feature()
 *  is_automatic out  may be NULL */
Status names_label(const Names *names, const Atlas *atlas, int dictionary, int64_t id,
                   const uint32_t *label_token, Text *out, bool *is_automatic) MUST_USE;
/** The same of a feature that was not looked up yet. */
Status names_of(const Names *names, const Atlas *atlas, int dictionary, int64_t id, Text *out,
                bool *is_automatic) MUST_USE;
/** Append the label that the user gave a feature, if there is one.
 *  ranks   local
 *  is_there out */
Status names_given(const Names *names, int dictionary, int64_t id, Text *out,
                   bool *is_there) MUST_USE;
/** Append a token as a word of a label: without white space around it, bytes that are no text as
 *  <E4 B8>, white space alone as a sign. */
Status names_word(const Atlas *atlas, uint32_t token, Text *out) MUST_USE;

#endif
