#include "tokenizer.h"

#include <math.h>
#include <string.h>

#include "memory.h"
#include "merger.h"
#include "merges.h"
#include "splitter.h"
#include "trie.h"
#include "vocabulary.h"

/* Both kinds of tokenizer work on the bytes that tokens stand for, not on their names: GPT-2's
 * alphabet and SentencePiece's U+2581 are undone when the vocabulary is read. A text is cut at
 * user-defined tokens, then into words, and the bytes or characters of a word are merged. */

struct Tokenizer {
  Vocabulary vocabulary;
  Trie fixed; /* user-defined tokens */
  bool is_byte_level;
  /* byte-level BPE */
  Splitter *splitter;
  Merges merges;
  /* SentencePiece */
  uint32_t *orders;     /* [vocabulary.size] smaller for a higher score */
  bool is_crossed[256]; /* some token has this byte before a space */
  bool adds_space;
  int32_t unknown;

  int32_t begin, end;
  bool adds_begin;
};

static Status read_flag(const Gguf *gguf, const char *key, bool fallback, bool *value) {
  int64_t number = fallback;
  if (gguf_has(gguf, key)) {
    TRY(gguf_integer(gguf, key, &number));
  }
  *value = number != 0;
  return OK;
}

/* Writers that lack a token leave the key out or write -1, as 64 or 32 bits. */
static Status read_id(const Tokenizer *tokenizer, const Gguf *gguf, const char *key, int32_t *id) {
  int64_t value = NO_TOKEN;
  if (gguf_has(gguf, key)) {
    TRY(gguf_integer(gguf, key, &value));
  }
  value = value == UINT32_MAX ? NO_TOKEN : value;
  if (value < NO_TOKEN || value >= tokenizer->vocabulary.size) {
    return RAISE(ERR_FORMAT, "%s: %s is %lld, but there are %lld tokens", gguf_path(gguf), key,
                 (long long)value, (long long)tokenizer->vocabulary.size);
  }
  *id = (int32_t)value;
  return OK;
}

static Status read_ids(Tokenizer *tokenizer, const Gguf *gguf, bool adds_begin) {
  TRY(read_id(tokenizer, gguf, "tokenizer.ggml.bos_token_id", &tokenizer->begin));
  TRY(read_id(tokenizer, gguf, "tokenizer.ggml.eos_token_id", &tokenizer->end));
  TRY(read_id(tokenizer, gguf, "tokenizer.ggml.unknown_token_id", &tokenizer->unknown));
  TRY(read_flag(gguf, "tokenizer.ggml.add_bos_token", adds_begin, &tokenizer->adds_begin));
  tokenizer->adds_begin = tokenizer->adds_begin && tokenizer->begin != NO_TOKEN;
  return OK;
}

static bool is_utf8(const char *bytes, int64_t length, int64_t *place) {
  for (*place = 0; *place < length;) {
    const int size = text_utf8_length(bytes + *place, length - *place);
    if (size == 0) {
      return false;
    }
    *place += size;
  }
  return true;
}

/* Valid UTF-8, so that a text is never cut inside a character. */
static Status read_fixed(Tokenizer *tokenizer, const Gguf *gguf) {
  const Vocabulary *vocabulary = &tokenizer->vocabulary;
  for (int64_t id = 0; id < vocabulary->size; id++) {
    const char *bytes = vocabulary->bytes + vocabulary->starts[id];
    const int64_t length = vocabulary->starts[id + 1] - vocabulary->starts[id];
    int64_t place;
    if (vocabulary->kinds[id] != TOKEN_USER_DEFINED || length == 0) {
      continue;
    }
    if (!is_utf8(bytes, length, &place)) {
      return RAISE(ERR_FORMAT, "%s: the user-defined token %lld is not UTF-8", gguf_path(gguf),
                   (long long)id);
    }
    TRY(trie_add(&tokenizer->fixed, bytes, length, (int32_t)id));
  }
  return OK;
}

static Status create_byte_level(Tokenizer *tokenizer, const Gguf *gguf) {
  const char *bytes = "";
  int64_t length = 0;
  Text pre = {0};
  if (gguf_has(gguf, "tokenizer.ggml.pre")) {
    TRY(gguf_text(gguf, "tokenizer.ggml.pre", &bytes, &length));
  }
  TRY(text_append(&pre, bytes, length));
  const Status status = splitter_create(&tokenizer->splitter, gguf_path(gguf), text_chars(&pre));
  text_clear(&pre);
  TRY(status);
  TRY(merges_read(&tokenizer->merges, gguf, &tokenizer->vocabulary));
  return read_ids(tokenizer, gguf, splitter_adds_begin(tokenizer->splitter));
}

/* Floats in descending order as unsigned integers in ascending order. */
static uint32_t order_of_score(float score) {
  uint32_t bits;
  score += 0.0f; /* -0 is 0 */
  memcpy(&bits, &score, sizeof(bits));
  return ~(bits & 0x80000000u ? ~bits : bits | 0x80000000u);
}

static Status read_scores(Tokenizer *tokenizer, const Gguf *gguf) {
  static const char KEY[] = "tokenizer.ggml.scores";
  const int64_t size = tokenizer->vocabulary.size;
  if (gguf_array_length(gguf, KEY) != size) {
    return RAISE(ERR_FORMAT, "%s: %s must have a score for each of the %lld tokens",
                 gguf_path(gguf), KEY, (long long)size);
  }
  TRY(MEMORY_NEW(&tokenizer->orders, size, "scores of tokens"));
  for (int64_t id = 0; id < size; id++) {
    double score;
    TRY(gguf_array_real(gguf, KEY, id, &score));
    if (!isfinite(score)) {
      return RAISE(ERR_FORMAT, "%s: %s: the score of token %lld is no number", gguf_path(gguf), KEY,
                   (long long)id);
    }
    tokenizer->orders[id] = order_of_score((float)score);
  }
  return OK;
}

static void mark_crossed(Tokenizer *tokenizer) {
  const Vocabulary *vocabulary = &tokenizer->vocabulary;
  for (int64_t id = 0; id < vocabulary->size; id++) {
    if (vocabulary->kinds[id] != TOKEN_NORMAL) {
      continue;
    }
    for (int64_t i = vocabulary->starts[id] + 1; i < vocabulary->starts[id + 1]; i++) {
      if (vocabulary->bytes[i] == ' ') {
        tokenizer->is_crossed[(unsigned char)vocabulary->bytes[i - 1]] = true;
      }
    }
  }
}

static Status check_fallback(const Tokenizer *tokenizer, const Gguf *gguf) {
  for (int byte = 0; byte < 256 && tokenizer->unknown == NO_TOKEN; byte++) {
    if (tokenizer->vocabulary.byte_ids[byte] == NO_TOKEN) {
      return RAISE(ERR_FORMAT, "%s: neither a token <0x%02X> nor one for what is unknown",
                   gguf_path(gguf), (unsigned)byte);
    }
  }
  return OK;
}

static Status create_sentencepiece(Tokenizer *tokenizer, const Gguf *gguf) {
  TRY(read_scores(tokenizer, gguf));
  mark_crossed(tokenizer);
  TRY(read_flag(gguf, "tokenizer.ggml.add_space_prefix", true, &tokenizer->adds_space));
  TRY(read_ids(tokenizer, gguf, true));
  return check_fallback(tokenizer, gguf);
}

static Status fill(Tokenizer *tokenizer, const Gguf *gguf) {
  const char *model;
  int64_t length;
  TRY(gguf_text(gguf, "tokenizer.ggml.model", &model, &length));
  tokenizer->is_byte_level = length == 4 && memcmp(model, "gpt2", 4) == 0;
  if (!tokenizer->is_byte_level && !(length == 5 && memcmp(model, "llama", 5) == 0)) {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: tokenizer.ggml.model \"%.*s\" is not supported: it must be gpt2 or llama",
                 gguf_path(gguf), (int)(length < 100 ? length : 100), model);
  }
  trie_init(&tokenizer->fixed);
  TRY(vocabulary_read(&tokenizer->vocabulary, gguf, tokenizer->is_byte_level));
  TRY(read_fixed(tokenizer, gguf));
  return tokenizer->is_byte_level ? create_byte_level(tokenizer, gguf)
                                  : create_sentencepiece(tokenizer, gguf);
}

Status tokenizer_create(Tokenizer **out, const Gguf *gguf) {
  *out = NULL;
  Tokenizer *tokenizer;
  TRY(MEMORY_NEW(&tokenizer, 1, "a tokenizer"));
  const Status status = fill(tokenizer, gguf);
  if (status != OK) {
    tokenizer_destroy(&tokenizer);
  }
  *out = tokenizer;
  return status;
}

void tokenizer_destroy(Tokenizer **handle) {
  Tokenizer *tokenizer = *handle;
  if (!tokenizer) {
    return;
  }
  vocabulary_clear(&tokenizer->vocabulary);
  trie_clear(&tokenizer->fixed);
  splitter_destroy(&tokenizer->splitter);
  merges_clear(&tokenizer->merges);
  MEMORY_FREE(tokenizer->orders);
  MEMORY_FREE(tokenizer);
  *handle = NULL;
}

/* One call of tokenizer_encode: the scratch memory that threads do not share. */
typedef struct Encoder {
  const Tokenizer *tokenizer;
  TokenizerIds *out;
  Merger merger;
  SplitterCutter *cutter;
  Text normal; /* SentencePiece: the text with plain spaces */
} Encoder;

static Status put_id(TokenizerIds *out, int32_t id) {
  if (out->count == out->capacity) {
    const int64_t capacity = out->capacity ? 2 * out->capacity : 256;
    TRY(MEMORY_RESIZE(&out->ids, capacity, "token ids"));
    out->capacity = capacity;
  }
  out->ids[out->count++] = id;
  return OK;
}

static bool merge_by_rank(const void *context, const char *word, const MergerSymbol *left,
                          const MergerSymbol *right, uint32_t *priority, int32_t *id) {
  (void)word;
  const Tokenizer *tokenizer = context;
  return merges_find(&tokenizer->merges, left->id, right->id, priority, id);
}

static bool merge_by_score(const void *context, const char *word, const MergerSymbol *left,
                           const MergerSymbol *right, uint32_t *priority, int32_t *id) {
  const Tokenizer *tokenizer = context;
  *id = vocabulary_find(&tokenizer->vocabulary, word + left->start, left->length + right->length);
  *priority = *id == NO_TOKEN ? 0 : tokenizer->orders[*id];
  return *id != NO_TOKEN;
}

static Status merge_word(Encoder *encoder, const char *word) {
  return merger_run(&encoder->merger, word,
                    encoder->tokenizer->is_byte_level ? merge_by_rank : merge_by_score,
                    encoder->tokenizer);
}

/* A byte that the vocabulary lacks (SmolLM2: 21 of them, all but absent from text) is dropped before
 * the merges, as Hugging Face's tokenizers do; llama.cpp drops it after them. */
static Status encode_bytes(void *context, const char *word, int64_t length) {
  Encoder *encoder = context;
  const Tokenizer *tokenizer = encoder->tokenizer;
  if (splitter_keeps_words(tokenizer->splitter)) {
    const int32_t id = vocabulary_find(&tokenizer->vocabulary, word, length);
    if (id != NO_TOKEN) {
      return put_id(encoder->out, id);
    }
  }
  merger_begin(&encoder->merger);
  for (int64_t i = 0; i < length; i++) {
    const int32_t id = tokenizer->vocabulary.byte_ids[(unsigned char)word[i]];
    if (id != NO_TOKEN) {
      TRY(merger_add(&encoder->merger, 1, id));
    }
  }
  TRY(merge_word(encoder, word));
  const MergerSymbol *symbols = encoder->merger.symbols;
  for (int32_t at = encoder->merger.count > 0 ? 0 : -1; at >= 0; at = symbols[at].next) {
    TRY(put_id(encoder->out, symbols[at].id));
  }
  return OK;
}

/* A character that is no token: its bytes, or, without a token for each of them, the unknown
 * token. */
static Status put_character(const Encoder *encoder, const char *bytes, int64_t length) {
  const int32_t *byte_ids = encoder->tokenizer->vocabulary.byte_ids;
  for (int64_t i = 0; i < length; i++) {
    if (byte_ids[(unsigned char)bytes[i]] == NO_TOKEN) {
      return put_id(encoder->out, encoder->tokenizer->unknown);
    }
  }
  for (int64_t i = 0; i < length; i++) {
    TRY(put_id(encoder->out, byte_ids[(unsigned char)bytes[i]]));
  }
  return OK;
}

static Status encode_characters(Encoder *encoder, const char *word, int64_t length) {
  merger_begin(&encoder->merger);
  for (int64_t i = 0; i < length;) {
    const int size = text_utf8_length(word + i, length - i);
    const int32_t id = vocabulary_find(&encoder->tokenizer->vocabulary, word + i, size);
    TRY(merger_add(&encoder->merger, size, id));
    i += size;
  }
  TRY(merge_word(encoder, word));
  const MergerSymbol *symbols = encoder->merger.symbols;
  for (int32_t at = 0; at >= 0; at = symbols[at].next) {
    if (symbols[at].id != NO_TOKEN) {
      TRY(put_id(encoder->out, symbols[at].id));
    } else {
      TRY(put_character(encoder, word + symbols[at].start, symbols[at].length));
    }
  }
  return OK;
}

/* SentencePiece merges over a whole text. Between a byte and a space that no token has in this
 * order nothing can merge, so the text is cut there: words instead of documents in the queue,
 * and the same ids. */
static Status encode_spaced(Encoder *encoder, const char *text, int64_t length) {
  const bool *is_crossed = encoder->tokenizer->is_crossed;
  int64_t start = 0;
  for (int64_t i = 1; i < length; i++) {
    if (text[i] == ' ' && !is_crossed[(unsigned char)text[i - 1]]) {
      TRY(encode_characters(encoder, text + start, i - start));
      start = i;
    }
  }
  return encode_characters(encoder, text + start, length - start);
}

static Status encode_fragment(Encoder *encoder, const char *text, int64_t length) {
  if (length == 0) {
    return OK;
  }
  return encoder->tokenizer->is_byte_level
             ? splitter_run(encoder->cutter, text, length, encode_bytes, encoder)
             : encode_spaced(encoder, text, length);
}

/* User-defined tokens come first: from the left, the longest. */
static Status encode_text(Encoder *encoder, const char *text, int64_t length) {
  const Trie *fixed = &encoder->tokenizer->fixed;
  int64_t start = 0;
  for (int64_t i = 0; i < length && fixed->count > 0;) {
    int32_t id;
    const int64_t size = trie_longest(fixed, text + i, length - i, &id);
    if (size == 0) {
      i++;
      continue;
    }
    TRY(encode_fragment(encoder, text + start, i - start));
    TRY(put_id(encoder->out, id));
    i += size;
    start = i;
  }
  return encode_fragment(encoder, text + start, length - start);
}

/* A space in front where the model wants it; U+2581 in the text is a space to SentencePiece. */
static Status normalise(const Tokenizer *tokenizer, const char *text, int64_t length, Text *out) {
  TRY(text_append(out, " ", tokenizer->adds_space ? 1 : 0));
  int64_t start = 0;
  for (int64_t i = 0; i + 3 <= length; i++) {
    if (memcmp(text + i, "\xe2\x96\x81", 3) == 0) {
      TRY(text_append(out, text + start, i - start));
      TRY(text_append(out, " ", 1));
      start = i + 3;
    }
  }
  return text_append(out, text + start, length - start);
}

static Status encode(Encoder *encoder, const char *text, int64_t length) {
  const Tokenizer *tokenizer = encoder->tokenizer;
  int64_t place;
  if (length > INT32_MAX - 1) {
    return RAISE(ERR_DATA, "a text of more than 2 GB cannot be tokenised: split it");
  }
  if (!is_utf8(text, length, &place)) {
    return RAISE(ERR_DATA, "byte %lld of a text is not UTF-8: convert it (iconv -t UTF-8)",
                 (long long)place);
  }
  if (tokenizer->is_byte_level) {
    TRY(splitter_cutter_create(&encoder->cutter, tokenizer->splitter));
    return encode_text(encoder, text, length);
  }
  TRY(normalise(tokenizer, text, length, &encoder->normal));
  return encode_text(encoder, text_chars(&encoder->normal), encoder->normal.length);
}

Status tokenizer_encode(const Tokenizer *tokenizer, const char *text, int64_t length,
                        TokenizerIds *out) {
  const int64_t before = out->count;
  Encoder encoder = {.tokenizer = tokenizer, .out = out};
  const Status status = length > 0 ? encode(&encoder, text, length) : OK;
  merger_clear(&encoder.merger);
  splitter_cutter_destroy(&encoder.cutter);
  text_clear(&encoder.normal);
  out->count = status == OK ? out->count : before;
  return status;
}

Status tokenizer_piece(const Tokenizer *tokenizer, int32_t id, Text *out) {
  const Vocabulary *vocabulary = &tokenizer->vocabulary;
  if (id < 0 || id >= vocabulary->size) {
    return RAISE(ERR_DATA, "there is no token %d: the vocabulary has %lld", id,
                 (long long)vocabulary->size);
  }
  const int64_t start = vocabulary->starts[id];
  return text_append(out, vocabulary->bytes + start, vocabulary->starts[id + 1] - start);
}

bool tokenizer_adds_space(const Tokenizer *tokenizer) {
  return tokenizer->adds_space;
}

int64_t tokenizer_size(const Tokenizer *tokenizer) {
  return tokenizer->vocabulary.size;
}

bool tokenizer_is_special(const Tokenizer *tokenizer, int32_t id) {
  ASSERT(id >= 0 && id < tokenizer->vocabulary.size);
  const int kind = tokenizer->vocabulary.kinds[id];
  return kind == TOKEN_CONTROL || kind == TOKEN_UNKNOWN || kind == TOKEN_UNUSED;
}

int32_t tokenizer_begin(const Tokenizer *tokenizer) {
  return tokenizer->begin;
}

int32_t tokenizer_end(const Tokenizer *tokenizer) {
  return tokenizer->end;
}

bool tokenizer_adds_begin(const Tokenizer *tokenizer) {
  return tokenizer->adds_begin;
}
