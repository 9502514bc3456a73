#ifndef TOKENIZER_H
#define TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "gguf.h"
#include "status.h"
#include "text.h"

/** Text <-> token ids, as the model's GGUF file defines it: byte-level BPE ("gpt2", with the
 *  file's `pre` pattern through PCRE2) and SentencePiece-style merges by score with byte
 *  fallback ("llama"). Special tokens written in the text are text; user-defined ones (Gemma's
 *  newlines and HTML tags) are found before anything else. Read-only after creation: threads may
 *  share it. ranks: all local. */
typedef struct Tokenizer Tokenizer;

/** gguf    in      borrowed for the call
 *  fails   ERR_UNSUPPORTED (names the tokenizer model or `pre`), ERR_FORMAT (inconsistent
 *          vocabulary), ERR_MEMORY */
Status tokenizer_create(Tokenizer **out, const Gguf *gguf) MUST_USE;
void tokenizer_destroy(Tokenizer **tokenizer);

/** Ids of `text`, without begin or end tokens, appended to a growing array. O(n log n) in the
 *  length.
 *  text    in      [length] UTF-8
 *  out     in/out  `TokenizerIds ids = {0};` is empty; ids are appended behind `count`
 *                  (unchanged on failure); the caller's to MEMORY_FREE(ids.ids)
 *  fails   ERR_DATA (not UTF-8; names the byte), ERR_MEMORY */
typedef struct TokenizerIds {
  int32_t *ids; /* [count] */
  int64_t count, capacity;
} TokenizerIds;
Status tokenizer_encode(const Tokenizer *tokenizer, const char *text, int64_t length,
                        TokenizerIds *out) MUST_USE;

/** The bytes a token stands for in running text (appended): " the" for a word with a space, the
 *  byte itself for byte tokens, the name for special tokens. Joining the pieces of an encoded
 *  text gives the text back, except that SentencePiece puts one space in front
 *  (tokenizer_adds_space) and takes U+2581 for a space, and that bytes which the vocabulary
 *  lacks leave nothing (SmolLM2: U+40000 and up, six control characters).
 *  fails   ERR_DATA when id is outside the vocabulary */
Status tokenizer_piece(const Tokenizer *tokenizer, int32_t id, Text *out) MUST_USE;
bool tokenizer_adds_space(const Tokenizer *tokenizer);

int64_t tokenizer_size(const Tokenizer *tokenizer);
/** Control, unknown and unused tokens: not ordinary text. */
bool tokenizer_is_special(const Tokenizer *tokenizer, int32_t id);
/** Begin and end of text, -1 for none. Does a context begin with the former? As the file's
 *  add_bos_token says; without that key: yes for SentencePiece and Llama 3, else no. */
int32_t tokenizer_begin(const Tokenizer *tokenizer);
int32_t tokenizer_end(const Tokenizer *tokenizer);
bool tokenizer_adds_begin(const Tokenizer *tokenizer);

#endif
