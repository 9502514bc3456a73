#ifndef SEARCH_H
#define SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "atlas.h"
#include "status.h"

/** Features that have to do with a word: it is in their label's tokens, or their strongest examples
 *  stand near it in the text. Upper and lower case of ASCII letters are the same. ranks: all
 *  local. */
typedef struct SearchHit {
  int dictionary;
  int64_t id;
  int64_t near;     /* of its stored strongest rows, those within SEARCH_SIDE tokens of the word */
  int64_t examples; /* stored ones */
  bool in_label;    /* the word is in one of the tokens of the automatic label */
} SearchHit;

enum { SEARCH_SIDE = 8, SEARCH_LEAST = 2 /* near examples that make a hit, without the label */ };

/** word    in      any bytes, at least one
 *  hits    out     [*found] by share of near examples, most first (then label, dictionary, id); the
 *                  caller's to MEMORY_FREE; NULL after a failure
 *  where   out     how often the word occurs in the text
 *  fails   ERR_FORMAT (files that contradict themselves), ERR_FILE, ERR_MEMORY */
Status search_word(const Atlas *atlas, const char *word, SearchHit **hits, int64_t *found,
                   int64_t *where) MUST_USE;

#endif
