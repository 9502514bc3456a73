#ifndef LABEL_H
#define LABEL_H

#include <stdint.h>

#include "status.h"

enum { LABEL_TOKENS = 5 };

/** "No token" in a label. */
#define LABEL_NONE UINT32_MAX

/** Automatic labels: the tokens that are most over-represented where a feature fires. A token
 *  counts by activation: a firing of activation f counts f / (mean activation of the feature),
 *  so that all firings together count as their number n. With w the sum of these counts over the
 *  firings on a token, and n p the number expected from the token's share p of all rows, the
 *  token's score is (w - n p) / sqrt(n p + 1): its surplus in standard deviations of chance,
 *  with 1 added so that a rare token seen once does not win. Only tokens with a surplus are
 *  taken. */
typedef struct Label Label;

/** ranks   local
 *  token_rows in   [vocabulary] rows that carry each token; kept until label_destroy()
 *  fails   ERR_MEMORY */
Status label_create(Label **out, const int64_t *token_rows, int64_t vocabulary) MUST_USE;
/** ranks local */
void label_destroy(Label **label);

/** The label of one feature, best token first; ties go to the lower token id.
 *  ranks   local
 *  tokens  in      [firings] the token at each firing
 *  values  in      [firings] activations, > 0, in row order: the sums are made in this order
 *  best    out     [LABEL_TOKENS] filled up with LABEL_NONE
 *  fails   ERR_DATA when a token is outside the vocabulary */
Status label_find(Label *label, const uint32_t *tokens, const float *values, int64_t firings,
                  uint32_t best[LABEL_TOKENS]) MUST_USE;

#endif
