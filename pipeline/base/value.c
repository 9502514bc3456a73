#include "value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "memory.h"
#include "random.h"

enum { BOUND_SIZE = 40 };

static bool has_range(const ConfigRow *row) {
  return row->least != 0 || row->most != 0;
}

/* Limits from 2^63 on are none: tables write 9e18 or INFINITY for "no limit". */
static bool is_limit(double bound) {
  return fabs(bound) < 9e18;
}

/* As people write it: 4096, 1e9, 0.5. */
static const char *show_bound(double bound, char *out) {
  if (bound != floor(bound) || fabs(bound) >= 9e18) {
    snprintf(out, BOUND_SIZE, "%.15g", bound);
    return out;
  }
  long long whole = (long long)bound;
  int zeros = 0;
  for (; whole != 0 && whole % 10 == 0; whole /= 10) {
    ++zeros;
  }
  if (zeros >= 6) {
    snprintf(out, BOUND_SIZE, "%llde%d", whole, zeros);
  } else {
    snprintf(out, BOUND_SIZE, "%lld", (long long)bound);
  }
  return out;
}

static Status append_range(const ConfigRow *row, Text *out) {
  const bool low = has_range(row) && is_limit(row->least);
  const bool high = has_range(row) && is_limit(row->most);
  char least[BOUND_SIZE], most[BOUND_SIZE];
  show_bound(row->least, least);
  show_bound(row->most, most);
  if (low && high) {
    return text_printf(out, "%s .. %s", least, most);
  }
  if (low || high) {
    return text_printf(out, "%s %s", low ? ">=" : "<=", low ? least : most);
  }
  return text_printf(out, "any number");
}

Status value_print_allowed(const ConfigRow *row, Text *out) {
  switch (row->type) {
    case CONFIG_INTEGER:
    case CONFIG_REAL:
      TRY(append_range(row, out));
      return text_printf(out, "%s%s", *row->unit != '\0' ? " " : "", row->unit);
    case CONFIG_FLAG:
      return text_printf(out, "true|false");
    case CONFIG_CHOICE:
      return text_printf(out, "%s", row->unit);
    case CONFIG_TEXT:
      return text_printf(out, "%s", *row->unit != '\0' ? row->unit : "text");
    case CONFIG_TEXTS:
      return text_printf(out, "%s", *row->unit != '\0' ? row->unit : "texts");
  }
  return OK;
}

static Status raise_type(const TreeNode *node, const char *place, const char *wanted) {
  char found[TREE_SHOW];
  return RAISE(ERR_CONFIG, "%s: %s is wanted, found %s", place, wanted, tree_show(node, found));
}

static Status raise_range(const ConfigRow *row, const char *found, const char *place) {
  Text range = {0};
  TRY(append_range(row, &range));
  const Status status = RAISE(ERR_CONFIG, "%s: %.40s is out of range %s%s%s", place, found,
                              text_chars(&range), *row->unit != '\0' ? " " : "", row->unit);
  text_clear(&range);
  return status;
}

/* A number as it is written: [-+] whole [. fraction] [e exponent]. */
typedef struct Number {
  bool is_negative;
  const char *whole, *fraction;
  int whole_length, fraction_length;
  int exponent;
} Number;

static int digits_at(const char *text) {
  return (int)strspn(text, "0123456789");
}

static bool scan_exponent(const char **at, int *exponent) {
  *exponent = 0;
  if (**at != 'e' && **at != 'E') {
    return true;
  }
  ++*at;
  const bool is_negative = **at == '-';
  *at += **at == '-' || **at == '+' ? 1 : 0;
  const int length = digits_at(*at);
  for (int i = 0; i < length; ++i) {
    *exponent = *exponent < 10000 ? 10 * *exponent + ((*at)[i] - '0') : *exponent;
  }
  *at += length;
  *exponent = is_negative ? -*exponent : *exponent;
  return length > 0;
}

/* Own grammar, for YAML's 0o17, 1_000, 0x1f, .inf and leading zeros mean different things to
 * different readers. */
static bool scan_number(const char *at, Number *number) {
  *number = (Number){.is_negative = *at == '-'};
  at += *at == '-' || *at == '+' ? 1 : 0;
  number->whole = at;
  number->whole_length = digits_at(at);
  at += number->whole_length;
  if (*at == '.') {
    ++at;
    number->fraction = at;
    number->fraction_length = digits_at(at);
    at += number->fraction_length;
  }
  const bool leading_zero = number->whole_length > 1 && number->whole[0] == '0';
  return scan_exponent(&at, &number->exponent) && *at == '\0' && !leading_zero &&
         number->whole_length > 0;
}

typedef enum Exactness { EXACT, BROKEN, TOO_LARGE } Exactness;

static bool push_digit(uint64_t *value, int digit) {
  if (*value > ((uint64_t)INT64_MAX - (uint64_t)digit) / 10) {
    return false;
  }
  *value = 10 * *value + (uint64_t)digit;
  return true;
}

/* "1e6" and "2.5e3" are integers, "1.5" is none. */
static Exactness integer_of(const Number *number, int64_t *out) {
  uint64_t value = 0;
  int fraction = number->fraction_length;
  while (fraction > 0 && number->fraction[fraction - 1] == '0') {
    --fraction;
  }
  for (int i = 0; i < number->whole_length + fraction; ++i) {
    const char digit =
        i < number->whole_length ? number->whole[i] : number->fraction[i - number->whole_length];
    if (!push_digit(&value, digit - '0')) {
      return TOO_LARGE;
    }
  }
  int shift = number->exponent - fraction;
  for (; shift > 0 && value != 0; --shift) {
    if (!push_digit(&value, 0)) {
      return TOO_LARGE;
    }
  }
  for (; shift < 0 && value != 0; ++shift) {
    if (value % 10 != 0) {
      return BROKEN;
    }
    value /= 10;
  }
  *out = number->is_negative ? -(int64_t)value : (int64_t)value;
  return EXACT;
}

static bool is_inside(const ConfigRow *row, double value) {
  return !has_range(row) || (value >= row->least && value <= row->most);
}

static Status read_integer(const ConfigRow *row, const TreeNode *node, const char *place,
                           int64_t *field) {
  Number number;
  const bool is_number =
      node->kind == TREE_SCALAR && !node->is_quoted && scan_number(node->value, &number);
  int64_t value = 0;
  const Exactness exactness = is_number ? integer_of(&number, &value) : BROKEN;
  if (exactness == BROKEN) {
    return raise_type(node, place, "an integer");
  }
  if (exactness == TOO_LARGE || !is_inside(row, (double)value)) {
    return raise_range(row, node->value, place);
  }
  *field = value;
  return OK;
}

static Status read_real(const ConfigRow *row, const TreeNode *node, const char *place,
                        double *field) {
  Number number;
  if (node->kind != TREE_SCALAR || node->is_quoted || !scan_number(node->value, &number)) {
    return raise_type(node, place, "a number");
  }
  const double value = strtod(node->value, NULL);
  if (!isfinite(value) || !is_inside(row, value)) {
    return raise_range(row, node->value, place);
  }
  *field = value;
  return OK;
}

static Status read_flag(const TreeNode *node, const char *place, bool *field) {
  const bool is_plain = node->kind == TREE_SCALAR && !node->is_quoted;
  const bool is_true = is_plain && strcmp(node->value, "true") == 0;
  if (!is_true && !(is_plain && strcmp(node->value, "false") == 0)) {
    return raise_type(node, place, "true or false");
  }
  *field = is_true;
  return OK;
}

/* The word at `index` of "topk|relu": *length 0 behind the last one. */
static const char *choice_word(const ConfigRow *row, int64_t index, int *length) {
  const char *word = row->unit;
  for (; index > 0 && *word != '\0'; --index) {
    word += strcspn(word, "|");
    word += *word == '|' ? 1 : 0;
  }
  *length = (int)strcspn(word, "|");
  return word;
}

static Status read_choice(const ConfigRow *row, const TreeNode *node, const char *place,
                          int64_t *field) {
  int length = 0;
  const char *word = choice_word(row, 0, &length);
  for (int64_t i = 0; length > 0 && node->kind == TREE_SCALAR; ++i) {
    if (strlen(node->value) == (size_t)length && memcmp(word, node->value, (size_t)length) == 0) {
      *field = i;
      return OK;
    }
    word = choice_word(row, i + 1, &length);
  }
  char wanted[256];
  snprintf(wanted, sizeof(wanted), "one of %s", row->unit);
  return raise_type(node, place, wanted);
}

static Status read_text(const TreeNode *node, const char *place, char **field) {
  if (node->kind != TREE_SCALAR || tree_is_null(node)) {
    return raise_type(node, place, "a text");
  }
  return memory_copy_text(field, node->value);
}

static Status read_texts(const TreeNode *node, const char *place, ConfigTexts *field) {
  const bool is_one = node->kind == TREE_SCALAR && !tree_is_null(node);
  if (!is_one && node->kind != TREE_SEQUENCE) {
    return raise_type(node, place, "a text or a sequence of texts");
  }
  TRY(MEMORY_NEW(&field->items, is_one ? 1 : node->count, "texts of the configuration"));
  field->count = is_one ? 1 : node->count;
  for (int64_t i = 0; i < field->count; ++i) {
    TRY(read_text(is_one ? node : node->items[i], place, &field->items[i]));
  }
  return OK;
}

static Status read_field(const ConfigRow *row, const TreeNode *node, const char *place,
                         void *field) {
  switch (row->type) {
    case CONFIG_INTEGER:
      return read_integer(row, node, place, field);
    case CONFIG_REAL:
      return read_real(row, node, place, field);
    case CONFIG_FLAG:
      return read_flag(node, place, field);
    case CONFIG_TEXT:
      return read_text(node, place, field);
    case CONFIG_CHOICE:
      return read_choice(row, node, place, field);
    case CONFIG_TEXTS:
      return read_texts(node, place, field);
  }
  return OK;
}

void value_zero(const ConfigRow *row, void *field) {
  switch (row->type) {
    case CONFIG_INTEGER:
    case CONFIG_CHOICE:
      *(int64_t *)field = 0;
      break;
    case CONFIG_REAL:
      *(double *)field = 0;
      break;
    case CONFIG_FLAG:
      *(bool *)field = false;
      break;
    case CONFIG_TEXT:
      *(char **)field = NULL;
      break;
    case CONFIG_TEXTS:
      *(ConfigTexts *)field = (ConfigTexts){0};
      break;
  }
}

Status value_read(const ConfigRow *row, const TreeNode *node, const char *place, void *field) {
  value_zero(row, field);
  const Status status = read_field(row, node, place, field);
  if (status != OK) {
    value_clear(row, field);
  }
  return status;
}

Status value_read_fallback(const ConfigRow *row, const char *place, void *field) {
  const bool is_empty = *row->fallback == '\0';
  if (is_empty && row->type == CONFIG_TEXTS) {
    value_zero(row, field);
    return OK;
  }
  TreeNode *node = NULL;
  const char *yaml = is_empty ? "''" : row->fallback;
  TRY(tree_parse(&node, place, 0, yaml, (int64_t)strlen(yaml)));
  const Status status = value_read(row, node, place, field);
  tree_destroy(&node);
  return status;
}

void value_clear(const ConfigRow *row, void *field) {
  if (row->type == CONFIG_TEXT) {
    memory_release(*(char **)field);
  } else if (row->type == CONFIG_TEXTS) {
    ConfigTexts *texts = field;
    for (int64_t i = 0; texts->items != NULL && i < texts->count; ++i) {
      memory_release(texts->items[i]);
    }
    memory_release(texts->items);
  }
  value_zero(row, field);
}

/* May a text stand without quotes, for any reader of YAML? */
static bool is_plain(const char *text) {
  static const char *const WORDS[] = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"};
  static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ/";
  for (size_t i = 0; i < sizeof(WORDS) / sizeof(WORDS[0]); ++i) {
    if (strcasecmp(text, WORDS[i]) == 0) {
      return false;
    }
  }
  return *text != '\0' && strchr(LETTERS, *text) != NULL &&
         strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-") ==
             strlen(text);
}

/* Code point of the UTF-8 sequence of `length` bytes. */
static unsigned decode(const char *bytes, int length) {
  const unsigned first = (unsigned char)bytes[0];
  unsigned code = length == 1 ? first : first & (0x7fU >> length);
  for (int i = 1; i < length; ++i) {
    code = (code << 6) | ((unsigned char)bytes[i] & 0x3f);
  }
  return code;
}

/* YAML's double quotes: as JSON's, but characters that YAML counts as not printable are escaped
 * too. */
static Status append_quoted(const char *text, Text *out) {
  const int64_t whole = (int64_t)strlen(text);
  TRY(text_append(out, "\"", 1));
  for (int64_t at = 0; at < whole;) {
    const int found = text_utf8_length(text + at, whole - at);
    const int length = found > 0 ? found : 1;
    const unsigned code = decode(text + at, length);
    if (code == '"' || code == '\\') {
      TRY(text_printf(out, "\\%c", (int)code));
    } else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029 ||
               code == 0xfeff || code == 0xfffe || code == 0xffff) {
      TRY(text_printf(out, "\\u%04x", code));
    } else if (code > 0xffff) {
      TRY(text_printf(out, "\\U%08x", code));
    } else {
      TRY(text_append(out, text + at, length));
    }
    at += length;
  }
  return text_append(out, "\"", 1);
}

static Status print_text(const char *text, Text *out) {
  return is_plain(text) ? text_printf(out, "%s", text) : append_quoted(text, out);
}

static Status print_texts(const ConfigTexts *texts, Text *out) {
  TRY(text_append(out, "[", 1));
  for (int64_t i = 0; i < texts->count; ++i) {
    TRY(text_printf(out, "%s", i > 0 ? ", " : ""));
    TRY(print_text(texts->items[i], out));
  }
  return text_append(out, "]", 1);
}

/* The shortest digits that read back to the same number. */
static Status print_real(double value, Text *out) {
  char digits[40];
  for (int precision = 15; precision <= 17; ++precision) {
    snprintf(digits, sizeof(digits), "%.*g", precision, value);
    if (strtod(digits, NULL) == value) {
      break;
    }
  }
  const char *exponent = strchr(digits, 'e');
  if (exponent != NULL && strchr(digits, '.') == NULL) { /* 1e-05 is a text to YAML 1.1 */
    return text_printf(out, "%.*s.0%s", (int)(exponent - digits), digits, exponent);
  }
  return text_printf(out, "%s", digits);
}

Status value_print(const ConfigRow *row, const void *field, Text *out) {
  switch (row->type) {
    case CONFIG_INTEGER:
      return text_printf(out, "%lld", (long long)*(const int64_t *)field);
    case CONFIG_REAL:
      return print_real(*(const double *)field, out);
    case CONFIG_FLAG:
      return text_printf(out, "%s", *(const bool *)field ? "true" : "false");
    case CONFIG_TEXT:
      return print_text(*(char *const *)field, out);
    case CONFIG_CHOICE: {
      int length = 0;
      const char *word = choice_word(row, *(const int64_t *)field, &length);
      return text_append(out, word, length);
    }
    case CONFIG_TEXTS:
      return print_texts(field, out);
  }
  return OK;
}

static uint64_t hash_text(const char *text, uint64_t seed) {
  return random_hash(text, (int64_t)strlen(text), seed);
}

uint64_t value_hash(const ConfigRow *row, const void *field, uint64_t seed) {
  switch (row->type) {
    case CONFIG_INTEGER:
      return random_hash(field, sizeof(int64_t), seed);
    case CONFIG_REAL: {
      const double value = *(const double *)field + 0.0; /* -0 is 0 */
      return random_hash(&value, sizeof(value), seed);
    }
    case CONFIG_FLAG: {
      const char byte = *(const bool *)field ? 1 : 0;
      return random_hash(&byte, 1, seed);
    }
    case CONFIG_TEXT:
      return hash_text(*(char *const *)field, seed);
    case CONFIG_CHOICE: {
      int length = 0;
      const char *word = choice_word(row, *(const int64_t *)field, &length);
      return random_hash(word, length, seed);
    }
    case CONFIG_TEXTS: {
      const ConfigTexts *texts = field;
      seed = random_hash(&texts->count, sizeof(texts->count), seed);
      for (int64_t i = 0; i < texts->count; ++i) {
        seed = hash_text(texts->items[i], seed);
      }
      return seed;
    }
  }
  return seed;
}
