#ifndef VOCABULARY_H
#define VOCABULARY_H

#include <stdbool.h>
#include <stdint.h>

#include "gguf.h"
#include "status.h"

/** The tokens of a GGUF file as the bytes they stand for. Read-only after vocabulary_read():
 *  threads may share it. Part of the tokenizer; tokenizer.h is the interface for everybody else.
 *  ranks: all local. */

/** What a token is: the file's numbers (tokenizer.ggml.token_type). */
typedef enum TokenKind {
  TOKEN_NORMAL = 1,
  TOKEN_UNKNOWN = 2,
  TOKEN_CONTROL = 3,
  TOKEN_USER_DEFINED = 4, /* found in the text before anything else */
  TOKEN_UNUSED = 5,
  TOKEN_BYTE = 6
} TokenKind;

enum { NO_TOKEN = -1 };

typedef struct Vocabulary {
  int64_t size;
  char *bytes;           /* of all tokens, one behind the other */
  int64_t *starts;       /* [size + 1] first byte of each token */
  uint8_t *kinds;        /* [size] TokenKind */
  int32_t *slots;        /* [slots_mask + 1] hash table of the normal tokens; NO_TOKEN: free */
  uint64_t slots_mask;   /* a power of two less one */
  int64_t longest;       /* bytes of the longest normal token */
  int32_t byte_ids[256]; /* token of each single byte, NO_TOKEN: none */
} Vocabulary;

/** `is_byte_level`: names are in GPT-2's alphabet of bytes; otherwise SentencePiece's, U+2581 for a
 *  space. vocabulary_clear() is needed after a failure too.
 *  ranks   local
 *  fails   ERR_FORMAT (names the token), ERR_MEMORY */
Status vocabulary_read(Vocabulary *vocabulary, const Gguf *gguf, bool is_byte_level) MUST_USE;
void vocabulary_clear(Vocabulary *vocabulary);

/** The normal token of exactly these bytes, NO_TOKEN for none; the lowest id of equals.
 *  ranks   local */
int32_t vocabulary_find(const Vocabulary *vocabulary, const char *bytes, int64_t length);

/** A name in GPT-2's alphabet as bytes: at most `length` of them into `out`.
 *  ranks   local
 *  returns the number of bytes, -1 when a character is not of the alphabet */
int64_t vocabulary_decode(const char *name, int64_t length, char *out);

#endif
