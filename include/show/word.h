#ifndef WORD_H
#define WORD_H

#include <stdint.h>

#include "status.h"
#include "text.h"

/** Tokens as the words of a label. ranks: all local. */

enum { WORD_MOST = 8 };

/** Append a token as a word: without white space around it, bytes that are no text as <E4 B8>, white
 *  space alone as a sign. Nothing for an empty token. */
Status word_append(Text *out, const char *bytes, int64_t length) MUST_USE;

/** A label that is being made of words, each once: "twenty · forty · ninety". */
typedef struct WordList {
  Text *out;
  int count;
  int64_t start[WORD_MOST], length[WORD_MOST]; /* of the words in `out` */
} WordList;

/** Add a token to a label ({.out = text} at first); nothing when its word is empty or there already:
 *  " Query" and "query" are one word. At most WORD_MOST words. */
Status word_add(WordList *list, const char *bytes, int64_t length) MUST_USE;

#endif
