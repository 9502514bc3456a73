#define PCRE2_CODE_UNIT_WIDTH 8
#include "splitter.h"

#include <pcre2.h>
#include <string.h>

#include "memory.h"

/* Unicode's white space. PCRE2's own \s has U+180E in addition, which the tokenizers' regular
 * expressions lack. */
#define SPACES \
  "\\t-\\r "   \
  "\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_BEFORE_WORD "(?![^" SPACES "])"

#define GPT_2                                               \
  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^" SPACES \
  "\\p{L}\\p{N}]+"                                          \
  "|[" SPACES "]+" NOT_BEFORE_WORD "|[" SPACES "]+"
#define DIGIT "\\p{N}"
/* The later patterns differ in how many digits go together. */
#define LATER(digits)                                                                           \
  "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits \
  "| ?[^" SPACES "\\p{L}\\p{N}]+[\\r\\n]*|[" SPACES                                             \
  "]*[\\r\\n]+"                                                                                 \
  "|[" SPACES "]+" NOT_BEFORE_WORD "|[" SPACES "]+"
#define LLAMA_3 LATER("\\p{N}{1,3}")
#define QWEN_2 LATER("\\p{N}")

enum { PATTERNS = 2 };

typedef struct Recipe {
  const char *name; /* tokenizer.ggml.pre */
  bool keeps_words, adds_begin;
  const char *patterns[PATTERNS]; /* each cuts the pieces of the one before */
} Recipe;

static const Recipe RECIPES[] = {
    {"", false, false, {GPT_2}},
    {"default", false, false, {GPT_2}},
    {"gpt-2", false, false, {GPT_2}},
    {"gpt2", false, false, {GPT_2}},
    {"phi-2", false, false, {GPT_2}},
    {"olmo", false, false, {GPT_2}},
    {"mpt", false, false, {GPT_2}},
    {"smollm", false, false, {DIGIT, GPT_2}},
    {"starcoder", false, false, {DIGIT, GPT_2}},
    {"refact", false, false, {DIGIT, GPT_2}},
    {"command-r", false, false, {DIGIT, GPT_2}},
    {"codeshell", false, false, {DIGIT, GPT_2}},
    {"exaone", false, false, {DIGIT, GPT_2}},
    {"minerva-7b", false, false, {DIGIT, GPT_2}},
    {"llama-bpe", true, true, {LLAMA_3}},
    {"llama3", true, true, {LLAMA_3}},
    {"llama-v3", true, true, {LLAMA_3}},
    {"falcon3", true, true, {LLAMA_3}},
    {"pixtral", true, true, {LLAMA_3}},
    {"dbrx", false, false, {LLAMA_3}},
    {"smaug-bpe", false, false, {LLAMA_3}},
    {"qwen2", false, false, {QWEN_2}},
    {"deepseek-r1-qwen", false, false, {QWEN_2}},
    {"stablelm2", false, false, {QWEN_2}},
    {"hunyuan", false, false, {QWEN_2}},
};

struct Splitter {
  const Recipe *recipe;
  pcre2_code *codes[PATTERNS];
  int count;
};

struct SplitterCutter {
  const Splitter *splitter;
  pcre2_match_context *limits;
  pcre2_match_data *matches[PATTERNS];
};

static const Recipe *find_recipe(const char *name) {
  for (size_t i = 0; i < sizeof(RECIPES) / sizeof(RECIPES[0]); i++) {
    if (strcmp(RECIPES[i].name, name) == 0) {
      return &RECIPES[i];
    }
  }
  return NULL;
}

static Status compile(Splitter *splitter, const char *pattern) {
  int error;
  PCRE2_SIZE place;
  pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED,
                                   PCRE2_UTF | PCRE2_UCP, &error, &place, NULL);
  if (!code) {
    return RAISE(ERR_MEMORY, "tokenizer pattern %s: PCRE2 error %d", splitter->recipe->name, error);
  }
  splitter->codes[splitter->count++] = code;
  (void)pcre2_jit_compile(code,
                          PCRE2_JIT_COMPLETE); /* without it the matches are slower, not others */
  return OK;
}

static Status compile_all(Splitter *splitter) {
  for (int i = 0; i < PATTERNS && splitter->recipe->patterns[i]; i++) {
    TRY(compile(splitter, splitter->recipe->patterns[i]));
  }
  return OK;
}

Status splitter_create(Splitter **out, const char *path, const char *name) {
  *out = NULL;
  const Recipe *recipe = find_recipe(name);
  if (!recipe) {
    return RAISE(ERR_UNSUPPORTED,
                 "%s: tokenizer.ggml.pre \"%s\" is not supported: it must be gpt-2, smollm, "
                 "llama-bpe, qwen2 or one of the same pattern",
                 path, name);
  }
  Splitter *splitter;
  TRY(MEMORY_NEW(&splitter, 1, "a splitter"));
  splitter->recipe = recipe;
  const Status status = compile_all(splitter);
  if (status != OK) {
    splitter_destroy(&splitter);
  }
  *out = splitter;
  return status;
}

void splitter_destroy(Splitter **handle) {
  Splitter *splitter = *handle;
  if (!splitter) {
    return;
  }
  for (int i = 0; i < splitter->count; i++) {
    pcre2_code_free(splitter->codes[i]);
  }
  MEMORY_FREE(splitter);
  *handle = NULL;
}

bool splitter_keeps_words(const Splitter *splitter) {
  return splitter->recipe->keeps_words;
}

bool splitter_adds_begin(const Splitter *splitter) {
  return splitter->recipe->adds_begin;
}

/* The patterns are linear in the text: PCRE2's guard against others would stop at long runs of
 * spaces. */
static bool fill_cutter(SplitterCutter *cutter, const Splitter *splitter) {
  cutter->splitter = splitter;
  cutter->limits = pcre2_match_context_create(NULL);
  bool is_complete = cutter->limits != NULL;
  if (is_complete) {
    pcre2_set_match_limit(cutter->limits, UINT32_MAX);
  }
  for (int i = 0; i < splitter->count; i++) {
    cutter->matches[i] = pcre2_match_data_create(1, NULL);
    is_complete = is_complete && cutter->matches[i];
  }
  return is_complete;
}

Status splitter_cutter_create(SplitterCutter **out, const Splitter *splitter) {
  TRY(MEMORY_NEW(out, 1, "a cutter"));
  if (!fill_cutter(*out, splitter)) {
    splitter_cutter_destroy(out);
    return RAISE(ERR_MEMORY, "no memory for matching the tokenizer's pattern");
  }
  return OK;
}

void splitter_cutter_destroy(SplitterCutter **handle) {
  SplitterCutter *cutter = *handle;
  if (!cutter) {
    return;
  }
  for (int i = 0; i < PATTERNS; i++) {
    pcre2_match_data_free(cutter->matches[i]);
  }
  pcre2_match_context_free(cutter->limits);
  MEMORY_FREE(cutter);
  *handle = NULL;
}

/* The next match at or behind `from`; [*first, *past) is empty at the end of the text. */
static Status next_match(SplitterCutter *cutter, int level, const char *text, int64_t length,
                         int64_t from, int64_t *first, int64_t *past) {
  pcre2_match_data *match = cutter->matches[level];
  const int found =
      pcre2_match(cutter->splitter->codes[level], (PCRE2_SPTR)text, (PCRE2_SIZE)length,
                  (PCRE2_SIZE)from, PCRE2_NO_UTF_CHECK, match, cutter->limits);
  if (found == PCRE2_ERROR_NOMATCH) {
    *first = *past = length;
    return OK;
  }
  if (found < 0) {
    return RAISE(ERR_DATA, "byte %lld of a text: the tokenizer's pattern fails (PCRE2 error %d)",
                 (long long)from, found);
  }
  const PCRE2_SIZE *place = pcre2_get_ovector_pointer(match);
  *first = (int64_t)place[0];
  *past = (int64_t)place[1];
  return OK;
}

/* What a pattern matches and what lies between its matches are pieces for the next one, which
 * sees nothing around them. */
static Status cut(SplitterCutter *cutter, int level, const char *text, int64_t length,
                  SplitterWord word, void *context) {
  if (level == cutter->splitter->count) {
    return length > 0 ? word(context, text, length) : OK;
  }
  ASSERT(level < PATTERNS);
  int64_t from = 0;
  while (from < length) {
    int64_t first = length, past = length;
    TRY(next_match(cutter, level, text, length, from, &first, &past));
    TRY(cut(cutter, level + 1, text + from, first - from, word, context));
    TRY(cut(cutter, level + 1, text + first, past - first, word, context));
    from = past;
  }
  return OK;
}

Status splitter_run(SplitterCutter *cutter, const char *text, int64_t length, SplitterWord word,
                    void *context) {
  return cut(cutter, 0, text, length, word, context);
}
