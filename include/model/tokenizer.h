#ifndef TOKENIZER_H
#define TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "gguf.h"
#include "status.h"
#include "text.h"

/** Text <-> token ids, as the model's GGUF file defines it: byte-level BPE ("gpt2", with the file's `pre` pattern
 *  through PCRE2) and SentencePiece-style merges by score with byte fallback ("llama"). Special tokens written in
 *  the text are text. Read-only after creation: threads may share it. ranks: all local. */
typedef struct Tokenizer Tokenizer;

/** fails   ERR_UNSUPPORTED (names the tokenizer model or `pre`), ERR_FORMAT (inconsistent vocabulary), ERR_MEMORY */
Status tokenizer_create(Tokenizer **out, const Gguf *gguf) MUST_USE;
void tokenizer_destroy(Tokenizer **tokenizer);

/** Ids of `text` (UTF-8), without begin or end tokens, into a growing array.
 *  ids     in/out  grown as needed (memory_resize); the caller's to MEMORY_FREE
 *  count   in/out  ids are appended behind *count */
typedef struct TokenizerIds {
  int32_t *ids;
  int64_t count, capacity;
} TokenizerIds;
Status tokenizer_encode(const Tokenizer *tokenizer, const char *text, int64_t length,
                        TokenizerIds *out) MUST_USE;

/** The bytes a token stands for in running text (appended): " the" for a word with a space, the byte itself for byte
 *  tokens, the name for special tokens. Joining the pieces of an encoded text gives the text back, except that
 *  SentencePiece may put one space in front (see tokenizer_adds_space).
 *  fails   ERR_DATA when id is outside the vocabulary */
Status tokenizer_piece(const Tokenizer *tokenizer, int32_t id, Text *out) MUST_USE;
bool tokenizer_adds_space(const Tokenizer *tokenizer);

int64_t tokenizer_size(const Tokenizer *tokenizer);
/** Control, unknown and user-defined-control tokens: not ordinary text. */
bool tokenizer_is_special(const Tokenizer *tokenizer, int32_t id);
/** Begin and end of text, -1 for none. `begin` is put in front of a context only when the file says add_bos_token (for
 *  the default see tokenizer.c). */
int32_t tokenizer_begin(const Tokenizer *tokenizer);
int32_t tokenizer_end(const Tokenizer *tokenizer);
bool tokenizer_adds_begin(const Tokenizer *tokenizer);

#endif
