#include "toy_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "random.h"
#include "schema.h"
#include "toy_parts.h"

const AtlasDeclared TOY_DECLARED[TOY_DICTIONARIES] = {{"16", "", 16, "toy-model/1-toy-16"},
                                                      {"64", "", 64, NULL},
                                                      {"64-b", "64", 64, NULL},
                                                      {"256", "", 256, NULL}};

enum { FILLERS = 24, TOKENS_A_DOCUMENT = 90, TOP = 12, INTERVALS = 8, PER = 2 };
enum { VOCABULARY = LEAVES * WORDS + FILLERS };

/* Nine topics of three parts of three groups of three words. */
static const char *const TOPICS[ROOTS] = {
    "one two three|twenty forty ninety|million billion trillion;"
    "pound yard inch|litre gallon pint|ounce gram stone;first second third|last final latest|"
    "largest smallest most",
    "hoped wished desired|foretell predict forecast|idea notion thought;"
    "intent aim goal|plan scheme project|asked begged requested;doubt fear worry|belief faith "
    "trust|"
    "opinion view judgement",
    "Rosa Quercus Salix|Canis Felis Ursus|aceae idae inae;petal stem leaf|root bark seed|"
    "flower bud fruit;fur claw tail|wing beak feather|fin scale gill",
    "vowel consonant syllable|spoken said told|word phrase sentence;noun verb adverb|tense mood "
    "case|"
    "Latin Greek French;letter poem novel|page chapter verse|author poet writer",
    "if else while|for break continue|return yield raise;int float char|list dict tuple|True False "
    "None;def class import|self cls super|open read write",
    "red green blue|dark pale bright|grey white black;round square flat|sharp blunt thin|"
    "long short wide;hot cold warm|wet dry damp|hard soft smooth",
    "king queen prince|lord duke earl|court throne crown;law judge trial|crime guilt prison|"
    "oath vow pledge;army war battle|sword shield spear|siege truce peace",
    "river lake sea|hill mountain valley|coast island bay;rain snow storm|wind cloud fog|"
    "summer winter spring;city town village|road bridge street|house roof wall",
    "formerly once earlier|now today currently|soon later tomorrow;begin start open|end stop "
    "close|grow shrink change;always often never|before after during|day month year"};

/* White space, markup, script, two halves of a character, a bidirectional override, an escape sequence, words from
 * right to left (kitab) and without spaces (yuyan). */
static const char *const FILLER[FILLERS] = {" the",
                                            " of",
                                            " and",
                                            " to",
                                            " a",
                                            " in",
                                            ",",
                                            ".",
                                            "\n",
                                            " is",
                                            " <b>bold</b>",
                                            " <img src=x onerror=owned=1>",
                                            " \"x\"",
                                            "\xe4\xb8",
                                            "\xad",
                                            " with",
                                            " \xd9\x83\xd8\xaa\xd8\xa7\xd8\xa8",
                                            "\n\n",
                                            "\xe2\x80\xae!",
                                            "\xe8\xaa\x9e\xe8\xa8\x80",
                                            " \x1b[31m",
                                            " </script>",
                                            " &amp;",
                                            " by"};

typedef struct Toy {
  Team *team;
  const char *folder;
  char words[LEAVES * WORDS][16];
  int64_t documents, tokens, rows;
  uint32_t *token;                       /* [tokens] */
  uint32_t *row_document, *row_position; /* [rows] */
  int64_t *row_token;                    /* [rows] index of its token */
} Toy;

ToyItem toy_item(const char *name, ArchiveType type, int64_t rows, int64_t columns,
                 const void *data) {
  ToyItem out = {.dataset = {.name = name,
                             .type = type,
                             .dims = columns > 0 ? 2 : 1,
                             .shape = {rows, columns, 0},
                             .meaning = "toy",
                             .unit = "1"},
                 .data = data};
  return out;
}

Status toy_add(Archive *archive, const ToyItem *items, int count) {
  for (int i = 0; i < count; ++i) {
    TRY(archive_add(archive, &items[i].dataset));
  }
  return OK;
}

Status toy_put(Team *team, Archive *archive, const ToyItem *items, int count) {
  for (int i = 0; i < count; ++i) {
    const int64_t rows = team->rank == 0 ? items[i].dataset.shape[0] : 0;
    TRY(archive_write(archive, items[i].dataset.name, 0, rows, items[i].data));
  }
  return OK;
}

static void split_words(Toy *toy) {
  int at = 0;
  for (int root = 0; root < ROOTS; ++root) {
    int length = 0;
    for (const char *c = TOPICS[root]; *c != '\0'; ++c) {
      const bool is_break = *c == ' ' || *c == '|' || *c == ';';
      if (!is_break) {
        length = length == 0 ? 1 : length;
        toy->words[at][0] = ' ';
        toy->words[at][length++] = *c;
      }
      if (is_break || c[1] == '\0') {
        toy->words[at++][length] = '\0';
        length = 0;
      }
    }
  }
  ASSERT(at == LEAVES * WORDS);
}

/* Sentences keep to a topic, and within it to a part, more often than not. */
static uint32_t draw_token(uint64_t key, int64_t document, int64_t at) {
  const uint64_t dice = random_subkey(key, (uint64_t)(document * TOKENS_A_DOCUMENT + at));
  if (random_uniform(dice, 0) < 0.55) {
    return (uint32_t)(LEAVES * WORDS + random_below(dice, 1, FILLERS));
  }
  const uint64_t sentence = random_subkey(key, (uint64_t)(document * 1000 + at / 15));
  const int64_t root = random_uniform(dice, 2) < 0.8 ? random_below(sentence, 3, ROOTS)
                                                     : random_below(dice, 3, ROOTS);
  const int64_t part = random_uniform(dice, 4) < 0.7 ? random_below(sentence, 5, PARTS)
                                                     : random_below(dice, 5, PARTS);
  const int64_t leaf = (root * PARTS + part) * GROUPS + random_below(dice, 6, GROUPS);
  return (uint32_t)(leaf * WORDS + random_below(dice, 7, WORDS));
}

static Status take(Toy *toy) {
  toy->tokens = toy->documents * TOKENS_A_DOCUMENT;
  toy->rows = toy->documents * (TOKENS_A_DOCUMENT - 1);
  TRY(MEMORY_NEW(&toy->token, toy->tokens, "toy tokens"));
  TRY(MEMORY_NEW(&toy->row_document, toy->rows, "toy rows"));
  TRY(MEMORY_NEW(&toy->row_position, toy->rows, "toy rows"));
  return MEMORY_NEW(&toy->row_token, toy->rows, "toy rows");
}

static void clear(Toy *toy) {
  MEMORY_FREE(toy->token);
  MEMORY_FREE(toy->row_document);
  MEMORY_FREE(toy->row_position);
  MEMORY_FREE(toy->row_token);
}

static void write_text(Toy *toy) {
  const uint64_t key = random_key(7, "toy text", "");
  int64_t row = 0;
  for (int64_t d = 0; d < toy->documents; ++d) {
    for (int64_t t = 0; t < TOKENS_A_DOCUMENT; ++t) {
      const int64_t at = d * TOKENS_A_DOCUMENT + t;
      toy->token[at] = draw_token(key, d, t);
      if (toy->token[at] == (uint32_t)(LEAVES * WORDS + 14) ||
          (t > 0 && toy->token[at - 1] == (uint32_t)(LEAVES * WORDS + 13))) {
        toy->token[at] = (uint32_t)(LEAVES * WORDS + 14); /* the second half follows the first */
      }
      if (t > 0) { /* the first position has no row */
        toy->row_document[row] = (uint32_t)d;
        toy->row_position[row] = (uint32_t)t;
        toy->row_token[row++] = at;
      }
    }
  }
}

static Status write_activations(Toy *toy, char content[17]) {
  int64_t starts[VOCABULARY + 1] = {0}, *documents = NULL;
  Text bytes = {0};
  for (int i = 0; i < VOCABULARY; ++i) {
    const char *word = i < LEAVES * WORDS ? toy->words[i] : FILLER[i - LEAVES * WORDS];
    TRY(text_append(&bytes, word, (int64_t)strlen(word)));
    starts[i + 1] = bytes.length;
  }
  TRY(MEMORY_NEW(&documents, toy->documents + 1, "toy documents"));
  for (int64_t d = 0; d <= toy->documents; ++d) {
    documents[d] = d * TOKENS_A_DOCUMENT;
  }
  const double mean[8] = {0};
  const ToyItem items[] = {
      toy_item("/document", ARCHIVE_U32, toy->rows, 0, toy->row_document),
      toy_item("/position", ARCHIVE_U32, toy->rows, 0, toy->row_position),
      toy_item("/document_start", ARCHIVE_I64, toy->documents + 1, 0, documents),
      toy_item("/text_token", ARCHIVE_U32, toy->tokens, 0, toy->token),
      toy_item("/vocabulary_start", ARCHIVE_I64, VOCABULARY + 1, 0, starts),
      toy_item("/vocabulary_byte", ARCHIVE_U8, bytes.length, 0, bytes.bytes),
      toy_item("/mean", ARCHIVE_F64, 8, 0, mean)};
  Archive *out = NULL;
  char path[1024];
  snprintf(path, sizeof(path), "%s/activations.h5", toy->folder);
  TRY(archive_create(toy->team, path, SCHEMA_ACTIVATIONS, &out));
  TRY(toy_add(out, items, 7));
  TRY(archive_set_text(out, "/", "model", "toy-9-topics"));
  TRY(archive_set_text(out, "/", "model_hash", "0123456789abcdef"));
  TRY(archive_set_integer(out, "/", "layer", 14));
  TRY(archive_set_integer(out, "/", "context", 128));
  TRY(archive_set_integer(out, "/", "rows_held_out", toy->rows / 20));
  TRY(archive_set_integer(out, "/", "left_out_first", toy->documents));
  TRY(archive_set_integer(out, "/", "left_out_special", 0));
  TRY(archive_set_integer(out, "/", "left_out_norm", 0));
  TRY(archive_set_real(out, "/", "median_norm", 178.4));
  TRY(archive_begin(out));
  TRY(toy_put(toy->team, out, items, 7));
  TRY(archive_finish(&out, content));
  MEMORY_FREE(documents);
  text_clear(&bytes);
  return OK;
}

/* Topics of each level in a dictionary; the features behind them have none. */
int toy_topics(int dictionary) {
  static const int TOPICS_OF[TOY_DICTIONARIES] = {ROOTS, ROOTS * PARTS, ROOTS * PARTS, LEAVES};
  return TOPICS_OF[dictionary];
}

/* Topics do not stand in order, so that ids of different dictionaries are unlike. */
int toy_topic(int dictionary, int64_t feature) {
  const int64_t latents = TOY_DECLARED[dictionary].latents;
  const int64_t topic = (feature * 5 + 3) % latents;
  return topic < toy_topics(dictionary) ? (int)topic : -1;
}

int64_t toy_feature(int dictionary, int topic) {
  int64_t feature = 0;
  while (toy_topic(dictionary, feature) != topic) {
    ++feature;
  }
  return feature;
}

/* Activation of a feature at a row, 0: does not fire. */
static float fires(const Toy *toy, int dictionary, int64_t feature, int64_t row) {
  const int64_t latents = TOY_DECLARED[dictionary].latents;
  const uint32_t token = toy->token[toy->row_token[row]];
  const uint64_t dice =
      random_subkey(random_key(3, "toy activations", TOY_DECLARED[dictionary].name),
                    (uint64_t)(feature * toy->rows + row));
  const int topic = toy_topic(dictionary, feature);
  const int leaf = token < LEAVES * WORDS ? (int)token / WORDS : -1;
  const int share = LEAVES / toy_topics(dictionary);
  bool is_on = false;
  if (topic >= 0) {
    is_on = leaf >= 0 && leaf / share == topic && random_uniform(dice, 0) < 0.92;
  } else if (feature < latents - 2) {
    is_on = token == (uint32_t)(feature * 13 % VOCABULARY) && random_uniform(dice, 0) < 0.5;
  }
  return is_on ? (float)(0.4 + 7.0 * random_uniform(dice, 1) * random_uniform(dice, 2) +
                         (double)(token % WORDS))
               : 0.0F;
}

/* The codes of one dictionary, by feature. */
typedef struct ToyCodes {
  int64_t latents;
  int64_t *start, *firings, *held_out;
  uint32_t *row;
  float *value, *maximum, *density;
  double *sum;
  int64_t *top, *interval;
  uint32_t *label;
} ToyCodes;

static Status take_codes(ToyCodes *codes, int64_t firings) {
  TRY(MEMORY_NEW(&codes->start, codes->latents + 1, "toy codes"));
  TRY(MEMORY_NEW(&codes->firings, codes->latents, "toy codes"));
  TRY(MEMORY_NEW(&codes->held_out, codes->latents, "toy codes"));
  TRY(MEMORY_NEW(&codes->row, firings, "toy codes"));
  TRY(MEMORY_NEW(&codes->value, firings, "toy codes"));
  TRY(MEMORY_NEW(&codes->maximum, codes->latents, "toy codes"));
  TRY(MEMORY_NEW(&codes->density, codes->latents, "toy codes"));
  TRY(MEMORY_NEW(&codes->sum, codes->latents, "toy codes"));
  TRY(MEMORY_NEW(&codes->top, codes->latents * TOP, "toy codes"));
  TRY(MEMORY_NEW(&codes->interval, codes->latents * INTERVALS * PER, "toy codes"));
  return MEMORY_NEW(&codes->label, codes->latents * ATLAS_LABEL_TOKENS, "toy codes");
}

static void clear_codes(ToyCodes *codes) {
  MEMORY_FREE(codes->start);
  MEMORY_FREE(codes->firings);
  MEMORY_FREE(codes->held_out);
  MEMORY_FREE(codes->row);
  MEMORY_FREE(codes->value);
  MEMORY_FREE(codes->maximum);
  MEMORY_FREE(codes->density);
  MEMORY_FREE(codes->sum);
  MEMORY_FREE(codes->top);
  MEMORY_FREE(codes->interval);
  MEMORY_FREE(codes->label);
}

/* Strongest rows, rows of each interval, and the first tokens met, by naive scans. */
static void find_examples(const Toy *toy, ToyCodes *codes, int64_t feature) {
  const int64_t first = codes->start[feature], past = codes->start[feature + 1];
  int64_t *top = codes->top + feature * TOP,
          *interval = codes->interval + feature * INTERVALS * PER;
  uint32_t *label = codes->label + feature * ATLAS_LABEL_TOKENS;
  float below = 1e30F;
  for (int i = 0; i < TOP; ++i) {
    int64_t best = -1;
    for (int64_t at = first; at < past; ++at) {
      if (codes->value[at] < below && (best < 0 || codes->value[at] > codes->value[best])) {
        best = at;
      }
    }
    top[i] = best < 0 ? -1 : (int64_t)codes->row[best];
    below = best < 0 ? 0 : codes->value[best];
  }
  int64_t filled[INTERVALS] = {0};
  for (int i = 0; i < INTERVALS * PER; ++i) {
    interval[i] = -1;
  }
  for (int i = 0; i < ATLAS_LABEL_TOKENS; ++i) {
    label[i] = SCHEMA_NO_ID;
  }
  for (int64_t at = first, words = 0; at < past; ++at) {
    const int64_t from_top =
        (int64_t)((1.0F - codes->value[at] / codes->maximum[feature]) * INTERVALS);
    if (from_top < INTERVALS && filled[from_top] < PER) {
      interval[from_top * PER + filled[from_top]++] = codes->row[at];
    }
    const uint32_t token = toy->token[toy->row_token[codes->row[at]]];
    bool is_new = words < ATLAS_LABEL_TOKENS;
    for (int64_t i = 0; i < words && is_new; ++i) {
      is_new = label[i] != token;
    }
    if (is_new) {
      label[words++] = token;
    }
  }
}

static void fill_codes(const Toy *toy, int dictionary, ToyCodes *codes) {
  int64_t at = 0;
  for (int64_t f = 0; f < codes->latents; ++f) {
    codes->start[f] = at;
    for (int64_t row = 0; row < toy->rows; ++row) {
      const float value = fires(toy, dictionary, f, row);
      if (value > 0) {
        codes->row[at] = (uint32_t)row;
        codes->value[at++] = value;
        codes->sum[f] += (double)value;
        codes->maximum[f] = value > codes->maximum[f] ? value : codes->maximum[f];
        codes->held_out[f] += row % 20 == 0 ? 1 : 0;
      }
    }
    codes->start[f + 1] = at;
    codes->firings[f] = at - codes->start[f];
    codes->density[f] = log10f((float)codes->firings[f] / (float)toy->rows);
    find_examples(toy, codes, f);
  }
}

static Status write_codes(const Toy *toy, int dictionary, const ToyCodes *codes) {
  const int64_t latents = codes->latents, firings = codes->start[latents];
  ToyItem intervals = toy_item("/interval_row", ARCHIVE_I64, latents, INTERVALS, codes->interval);
  intervals.dataset.dims = 3;
  intervals.dataset.shape[2] = PER;
  const ToyItem items[] = {
      intervals,
      toy_item("/feature_start", ARCHIVE_I64, latents + 1, 0, codes->start),
      toy_item("/feature_row", ARCHIVE_U32, firings, 0, codes->row),
      toy_item("/feature_value", ARCHIVE_F32, firings, 0, codes->value),
      toy_item("/firings", ARCHIVE_I64, latents, 0, codes->firings),
      toy_item("/firings_held_out", ARCHIVE_I64, latents, 0, codes->held_out),
      toy_item("/sum", ARCHIVE_F64, latents, 0, codes->sum),
      toy_item("/maximum", ARCHIVE_F32, latents, 0, codes->maximum),
      toy_item("/log10_density", ARCHIVE_F32, latents, 0, codes->density),
      toy_item("/top_row", ARCHIVE_I64, latents, TOP, codes->top),
      toy_item("/label_token", ARCHIVE_U32, latents, ATLAS_LABEL_TOKENS, codes->label)};
  Archive *out = NULL;
  char path[1024];
  snprintf(path, sizeof(path), "%s/codes/%s.h5", toy->folder, TOY_DECLARED[dictionary].name);
  TRY(archive_create(toy->team, path, SCHEMA_CODES, &out));
  TRY(toy_add(out, items, 11));
  TRY(archive_set_integer(out, "/", "k", 32));
  TRY(archive_set_real(out, "/", "l0", 1.4 + dictionary));
  TRY(archive_set_real(out, "/", "explained_variance", 0.74 + 0.03 * dictionary));
  TRY(archive_set_real(out, "/", "dead_share", 1.0 / (double)latents));
  TRY(archive_set_real(out, "/", "unseen_share", 1.0 / (double)latents));
  TRY(archive_set_real(out, "/", "share_30", dictionary == 3 ? 0.61 : 0.98));
  TRY(archive_note_text(out, "/", "pca_explained_variance", dictionary == 0 ? "" : "0.4321"));
  TRY(archive_begin(out));
  TRY(toy_put(toy->team, out, items, 11));
  return archive_finish(&out, NULL);
}

enum { PROMOTED = 6 };

/* Tokens by number; latent 0 has none. */
static void fill_evaluation(int64_t latents, uint32_t *promoted, uint32_t *suppressed,
                            float *raised, float *lowered) {
  for (int64_t i = 0; i < latents * PROMOTED; ++i) {
    const int64_t latent = i / PROMOTED;
    promoted[i] = latent == 0 ? SCHEMA_NO_ID : (uint32_t)((latent * 7 + i) % VOCABULARY);
    suppressed[i] = latent == 0 ? SCHEMA_NO_ID : (uint32_t)((latent * 11 + 3 * i) % VOCABULARY);
    raised[i] = latent == 0 ? 0 : 2 - 0.1F * (float)(i % PROMOTED);
    lowered[i] = latent == 0 ? 0 : -1 + 0.1F * (float)(i % PROMOTED);
  }
}

/* A dictionary that gives back 90 % of what the model knows. */
static Status describe_evaluation(Archive *out) {
  static const struct {
    const char *key;
    double value;
  } FIGURES[] = {{"loss_plain", 3},       {"loss_itself", 3},      {"loss_mean", 8},
                 {"loss_zero", 13},       {"loss_rebuilt", 4},     {"recovered", 0.9},
                 {"recovered_low", 0.88}, {"recovered_high", 0.92}};
  for (size_t i = 0; i < sizeof(FIGURES) / sizeof(FIGURES[0]); ++i) {
    TRY(archive_set_real(out, "/", FIGURES[i].key, FIGURES[i].value));
  }
  TRY(archive_set_integer(out, "/", "tokens", 1000));
  return archive_set_integer(out, "/", "held_out", 1);
}

static Status write_evaluation(const Toy *toy, int dictionary) {
  enum { MOST = 256 };
  static uint32_t promoted[MOST * PROMOTED], suppressed[MOST * PROMOTED];
  static float raised[MOST * PROMOTED], lowered[MOST * PROMOTED];
  const int64_t latents = TOY_DECLARED[dictionary].latents;
  ASSERT(latents <= MOST);
  fill_evaluation(latents, promoted, suppressed, raised, lowered);
  const ToyItem items[] = {
      toy_item("/promoted_token", ARCHIVE_U32, latents, PROMOTED, promoted),
      toy_item("/promoted_effect", ARCHIVE_F32, latents, PROMOTED, raised),
      toy_item("/suppressed_token", ARCHIVE_U32, latents, PROMOTED, suppressed),
      toy_item("/suppressed_effect", ARCHIVE_F32, latents, PROMOTED, lowered)};
  Archive *out = NULL;
  char path[1024];
  snprintf(path, sizeof(path), "%s/evaluation/%s.h5", toy->folder, TOY_DECLARED[dictionary].name);
  TRY(archive_create(toy->team, path, SCHEMA_EVALUATION, &out));
  TRY(describe_evaluation(out));
  TRY(toy_add(out, items, 4));
  TRY(archive_begin(out));
  TRY(toy_put(toy->team, out, items, 4));
  return archive_finish(&out, NULL);
}

static Status write_dictionary(const Toy *toy, int dictionary, int64_t *firings, double *sum) {
  ToyCodes codes = {.latents = TOY_DECLARED[dictionary].latents};
  int64_t total = 0;
  for (int64_t f = 0; f < codes.latents; ++f) {
    for (int64_t row = 0; row < toy->rows; ++row) {
      total += fires(toy, dictionary, f, row) > 0 ? 1 : 0;
    }
  }
  Status status = take_codes(&codes, total);
  if (status == OK) {
    fill_codes(toy, dictionary, &codes);
    memcpy(firings, codes.firings, (size_t)codes.latents * sizeof(*firings));
    memcpy(sum, codes.sum, (size_t)codes.latents * sizeof(*sum));
    status = write_codes(toy, dictionary, &codes);
  }
  clear_codes(&codes);
  return status;
}

static Status write_files(Toy *toy, ToyShape shape) {
  ToyFacts facts;
  char content[17];
  TRY(write_activations(toy, content));
  for (int i = 0; i < TOY_DICTIONARIES; ++i) {
    TRY(write_dictionary(toy, i, facts.firings[i], facts.sum[i]));
    TRY(TOY_DECLARED[i].control_of[0] == '\0' ? write_evaluation(toy, i) : OK);
  }
  return toy_links_write(toy->team, toy->folder, &facts, shape);
}

Status toy_run_write(Team *team, const char *folder, int64_t documents, ToyShape shape) {
  Toy *toy = NULL;
  TRY(MEMORY_NEW(&toy, 1, "a toy run"));
  toy->team = team;
  toy->folder = folder;
  toy->documents = documents;
  split_words(toy);
  Status status = take(toy);
  if (status == OK) {
    write_text(toy);
    status = write_files(toy, shape);
  }
  clear(toy);
  MEMORY_FREE(toy);
  return status;
}
