#include "config.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "random.h"
#include "tree.h"
#include "value.h"

struct Config {
  char *name;
  TreeNode *root; /* a map */
};

Status config_parse(Config **out, const char *name, const char *bytes, int64_t length) {
  *out = NULL;
  Config *config = NULL;
  TRY(MEMORY_NEW(&config, 1, "the configuration"));
  Status status = memory_copy_text(&config->name, name);
  if (status == OK) {
    status = tree_parse(&config->root, name, 0, bytes, length);
  }
  if (status == OK && config->root->kind != TREE_MAP && !tree_is_null(config->root)) {
    char found[TREE_SHOW];
    status = RAISE(ERR_CONFIG, "%s:%d: keys and values (\"key: value\") are wanted, found %s", name,
                   config->root->line, tree_show(config->root, found));
  }
  if (status == OK && config->root->kind != TREE_MAP) {
    tree_destroy(&config->root);
    status = tree_create_map(&config->root, 0);
  }
  if (status != OK) {
    config_destroy(&config);
  }
  *out = config;
  return status;
}

void config_destroy(Config **config) {
  if (*config == NULL) {
    return;
  }
  MEMORY_FREE((*config)->name);
  tree_destroy(&(*config)->root);
  MEMORY_FREE(*config);
}

/* "run.yaml:12", "argument 3" or, for what stands nowhere, "run.yaml". */
static int print_origin(const Config *config, const TreeNode *node, char *out) {
  if (node != NULL && node->argument > 0) {
    return snprintf(out, CONFIG_PLACE, "argument %d", node->argument);
  }
  if (node != NULL && node->line > 0) {
    return snprintf(out, CONFIG_PLACE, "%.120s:%d", config->name, node->line);
  }
  return snprintf(out, CONFIG_PLACE, "%.120s", config->name);
}

static const char *item_name(const TreeNode *item) {
  const TreeNode *name = tree_find(item, "name");
  return name != NULL && name->kind == TREE_SCALAR ? name->value : NULL;
}

/* "k" at the top level, "train.k", "dictionaries.8k.rate", "dictionaries[1].rate" for an item
 * without name. */
static void print_path(const char *section, const TreeNode *map, int64_t item, const char *key,
                       char *out, int size) {
  const char *name = map != NULL ? item_name(map) : NULL;
  if (*section == '\0') {
    snprintf(out, (size_t)size, "%.60s", key);
  } else if (item < 0) {
    snprintf(out, (size_t)size, "%.40s.%.60s", section, key);
  } else if (name != NULL) {
    snprintf(out, (size_t)size, "%.40s.%.40s.%.60s", section, name, key);
  } else {
    snprintf(out, (size_t)size, "%.40s[%d].%.60s", section, (int)item, key);
  }
}

/* `item` is -1 unless the section is a list. */
static const char *print_place(const Config *config, const char *section, const TreeNode *map,
                               int64_t item, const char *key, char *out) {
  const TreeNode *node = tree_find(map, key);
  const int used = print_origin(config, node != NULL ? node : map, out);
  const int colon = snprintf(out + used, (size_t)(CONFIG_PLACE - used), ": ");
  print_path(section, map, item, key, out + used + colon, CONFIG_PLACE - used - colon);
  return out;
}

static bool has_items(const TreeNode *node) {
  return node != NULL && node->kind == TREE_SEQUENCE;
}

static const TreeNode *section_node(const Config *config, const char *section) {
  return *section == '\0' ? config->root : tree_find(config->root, section);
}

/* The map that holds a section's (or item's) keys; NULL when it is not there. */
static const TreeNode *keys_of(const Config *config, const char *section, int64_t item) {
  const TreeNode *node = section_node(config, section);
  if (has_items(node)) {
    node = item >= 0 && item < node->count ? node->items[item] : NULL;
  }
  return node != NULL && node->kind == TREE_MAP ? node : NULL;
}

/* ---- overrides ---- */

typedef struct Override {
  const char *whole, *rest; /* "train.k=3", and what of its path is still to go */
  int64_t left;             /* bytes of rest before the "=" */
  int position;
} Override;

static Status raise_override(const Override *override, const char *why) {
  return RAISE(ERR_CONFIG, "argument %d: %.100s: %s", override->position, override->whole, why);
}

static Status parse_value(const char *value, int position, TreeNode **out) {
  const char *yaml = *value == '\0' ? "''" : value;
  return tree_parse(out, NULL, position, yaml, (int64_t)strlen(yaml));
}

/* Item whose name, then a dot, begins the rest of the path. Names may hold dots: the longest one
 * wins. */
static TreeNode *match_item(const TreeNode *list, Override *override) {
  TreeNode *best = NULL;
  int64_t longest = 0;
  for (int64_t i = 0; i < list->count; ++i) {
    const char *name = item_name(list->items[i]);
    const int64_t length = name != NULL ? (int64_t)strlen(name) : 0;
    if (length > longest && length + 1 < override->left && override->rest[length] == '.' &&
        memcmp(override->rest, name, (size_t)length) == 0) {
      best = list->items[i];
      longest = length;
    }
  }
  override->rest += longest + 1;
  override->left -= longest + 1;
  return best;
}

/* The node under the next word of the path; a map is made where there is none. The word must not
 * be the last. */
static Status descend(TreeNode *map, const char *word, int position, TreeNode **out) {
  *out = tree_find(map, word);
  if (*out != NULL && !tree_is_null(*out)) {
    return OK;
  }
  TreeNode *made = NULL;
  TRY(tree_create_map(&made, position));
  TRY(tree_put(map, word, made));
  *out = made;
  return OK;
}

/* Cuts the next word off the path into `word`; is it the last one? */
static Status next_word(Override *override, char *word, int size, bool *is_last) {
  const int64_t length = (int64_t)strcspn(override->rest, ".=");
  if (length == 0 || length >= size) {
    return raise_override(override, "a path of keys is wanted: train.k=32");
  }
  memcpy(word, override->rest, (size_t)length);
  word[length] = '\0';
  *is_last = length >= override->left;
  override->rest += length + 1;
  override->left -= length + 1;
  return OK;
}

/* Walks to the map that is to hold the last word of the path. */
static Status walk(Config *config, Override *override, TreeNode **map, char *word, int size) {
  TreeNode *node = config->root;
  for (bool is_last = false;;) {
    if (node->kind == TREE_SEQUENCE) {
      node = match_item(node, override);
      if (node == NULL) {
        return raise_override(override, "no item of the list has that name");
      }
    }
    if (node->kind != TREE_MAP) {
      return raise_override(override, "the path goes on behind a value that has no keys");
    }
    TRY(next_word(override, word, size, &is_last));
    if (is_last) {
      *map = node;
      return OK;
    }
    TRY(descend(node, word, override->position, &node));
  }
}

Status config_override(Config *config, const char *argument, int position) {
  const char *equals = strchr(argument, '=');
  Override override = {.whole = argument, .rest = argument, .position = position};
  if (equals == NULL) {
    return raise_override(&override, "key.path=value is wanted");
  }
  override.left = equals - argument;
  TreeNode *map = NULL, *value = NULL;
  char word[128];
  TRY(parse_value(equals + 1, position, &value));
  const Status status = walk(config, &override, &map, word, sizeof(word));
  if (status != OK) {
    tree_destroy(&value);
    return status;
  }
  return tree_put(map, word, value);
}

/* ---- unknown keys ---- */

enum { WORD_MOST = 48 };

static int least_of(int a, int b) {
  return a < b ? a : b;
}

/* Edits (insert, delete, replace, swap of neighbours) that make `b` of `a`. */
static int distance(const char *a, const char *b) {
  const int m = (int)strnlen(a, WORD_MOST), n = (int)strnlen(b, WORD_MOST);
  int rows[3][WORD_MOST + 1]; /* of i - 2, i - 1 and i, in turn */
  for (int j = 0; j <= n; ++j) {
    rows[0][j] = j;
  }
  for (int i = 1; i <= m; ++i) {
    const int *two = rows[(i + 1) % 3], *one = rows[(i + 2) % 3];
    int *now = rows[i % 3];
    now[0] = i;
    for (int j = 1; j <= n; ++j) {
      now[j] = least_of(one[j - 1] + (a[i - 1] != b[j - 1]), least_of(one[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = least_of(now[j], two[j - 2] + 1);
      }
    }
  }
  return rows[m % 3][n];
}

/* The known key nearest to an unknown one so far. */
typedef struct Nearest {
  const char *key; /* the unknown one */
  int distance;    /* only what is nearer may replace it */
  char path[128];
} Nearest;

static void consider(Nearest *nearest, int most, const char *prefix, const char *key) {
  const int found = distance(nearest->key, key);
  if (found <= most && found < nearest->distance) {
    nearest->distance = found;
    snprintf(nearest->path, sizeof(nearest->path), "%.60s%s%.60s", prefix,
             *prefix != '\0' ? "." : "", key);
  }
}

static void consider_rows(Nearest *nearest, int most, const ConfigSection *section) {
  for (int64_t i = 0; i < section->count; ++i) {
    consider(nearest, most, section->name, section->rows[i].key);
  }
}

/* `home` is the section in which the unknown key stands; NULL at the top level. Keys of other
 * sections count only when they are spelt right: a key that slipped out of its section. */
static Status raise_unknown(const char *place, const char *key, const ConfigSection *home,
                            const ConfigSection *sections, int64_t count) {
  Nearest nearest = {.key = key, .distance = WORD_MOST};
  const int most = 1 + (int)strnlen(key, WORD_MOST) / 4;
  for (int64_t i = 0; i < count; ++i) {
    const bool is_top = *sections[i].name == '\0';
    const bool is_home = home != NULL ? strcmp(sections[i].name, home->name) == 0 : is_top;
    consider_rows(&nearest, is_home ? most : 0, &sections[i]);
    if (home == NULL && !is_top) {
      consider(&nearest, most, "", sections[i].name);
    }
  }
  if (nearest.path[0] == '\0') {
    return RAISE(ERR_CONFIG, "%s: no such key; --help lists them", place);
  }
  return RAISE(ERR_CONFIG, "%s: no such key; did you mean %s?", place, nearest.path);
}

static const ConfigRow *find_row(const ConfigSection *section, const char *key) {
  for (int64_t i = 0; section != NULL && i < section->count; ++i) {
    if (strcmp(section->rows[i].key, key) == 0) {
      return &section->rows[i];
    }
  }
  return NULL;
}

static const ConfigSection *find_section(const ConfigSection *sections, int64_t count,
                                         const char *name) {
  for (int64_t i = 0; i < count; ++i) {
    if (strcmp(sections[i].name, name) == 0) {
      return &sections[i];
    }
  }
  return NULL;
}

static Status check_kind(const Config *config, const TreeNode *node, TreeKind wanted,
                         const char *path) {
  if (node->kind == wanted || (tree_is_null(node) && node->key != NULL)) {
    return OK;
  }
  char origin[CONFIG_PLACE], found[TREE_SHOW];
  print_origin(config, node, origin);
  return RAISE(ERR_CONFIG, "%s: %.40s: %s is wanted, found %s", origin, path,
               wanted == TREE_MAP ? "a map of keys" : "a list of maps (- {key: value})",
               tree_show(node, found));
}

/* All sections, and the one that is being checked. */
typedef struct Scope {
  const Config *config;
  const ConfigSection *sections;
  int64_t count;
} Scope;

static Status check_map(const Scope *scope, const ConfigSection *section, const TreeNode *map,
                        int64_t item) {
  TRY(check_kind(scope->config, map, TREE_MAP, section->name));
  for (int64_t i = 0; i < map->count; ++i) {
    const char *key = map->items[i]->key;
    if (find_row(section, key) == NULL) {
      char place[CONFIG_PLACE];
      print_place(scope->config, section->name, map, item, key, place);
      return raise_unknown(place, key, section, scope->sections, scope->count);
    }
  }
  return OK;
}

static Status check_section(const Scope *scope, const ConfigSection *section,
                            const TreeNode *node) {
  if (!section->is_list) {
    return check_map(scope, section, node, -1);
  }
  TRY(check_kind(scope->config, node, TREE_SEQUENCE, section->name));
  for (int64_t i = 0; i < node->count; ++i) {
    TRY(check_map(scope, section, node->items[i], i));
  }
  return OK;
}

Status config_check(const Config *config, const ConfigSection *sections, int64_t count) {
  const Scope scope = {.config = config, .sections = sections, .count = count};
  const ConfigSection *top = find_section(sections, count, "");
  for (int64_t i = 0; i < config->root->count; ++i) {
    const TreeNode *node = config->root->items[i];
    const ConfigSection *section = find_section(sections, count, node->key);
    if (section != NULL && section != top) {
      TRY(check_section(&scope, section, node));
    } else if (find_row(top, node->key) == NULL) {
      char place[CONFIG_PLACE];
      print_place(config, "", config->root, -1, node->key, place);
      return raise_unknown(place, node->key, NULL, sections, count);
    }
  }
  return OK;
}

/* ---- values ---- */

int64_t config_items(const Config *config, const char *section) {
  const TreeNode *node = section_node(config, section);
  return has_items(node) ? node->count : 0;
}

static void *field_of(const ConfigRow *row, void *values) {
  return (char *)values + row->offset;
}

static const void *constant_field_of(const ConfigRow *row, const void *values) {
  return (const char *)values + row->offset;
}

static Status fill_row(const Config *config, const ConfigSection *section, const TreeNode *map,
                       int64_t item, const ConfigRow *row, void *values) {
  char place[CONFIG_PLACE];
  print_place(config, section->name, map, item, row->key, place);
  const TreeNode *node = tree_find(map, row->key);
  if (node != NULL) {
    return value_read(row, node, place, field_of(row, values));
  }
  if (row->fallback == NULL) {
    return RAISE(ERR_CONFIG, "%s: must be given: %s", place, row->help);
  }
  return value_read_fallback(row, place, field_of(row, values));
}

Status config_fill(const Config *config, const ConfigSection *section, int64_t item, void *values) {
  const TreeNode *node = section_node(config, section->name);
  const TreeKind wanted = section->is_list ? TREE_SEQUENCE : TREE_MAP;
  ASSERT(!section->is_list || (item >= 0 && item < config_items(config, section->name)));
  for (int64_t i = 0; i < section->count; ++i) {
    value_zero(&section->rows[i], field_of(&section->rows[i], values));
  }
  if (node != NULL) {
    TRY(check_kind(config, node, wanted, section->name));
    if (section->is_list) {
      TRY(check_kind(config, node->items[item], TREE_MAP, section->name));
    }
  }
  const int64_t index = section->is_list ? item : -1;
  const TreeNode *map = keys_of(config, section->name, index);
  for (int64_t i = 0; i < section->count; ++i) {
    const Status status = fill_row(config, section, map, index, &section->rows[i], values);
    if (status != OK) {
      config_clear(section, values);
      return status;
    }
  }
  return OK;
}

void config_clear(const ConfigSection *section, void *values) {
  for (int64_t i = 0; i < section->count; ++i) {
    value_clear(&section->rows[i], field_of(&section->rows[i], values));
  }
}

bool config_is_given(const Config *config, const char *section, int64_t item, const char *key) {
  return tree_find(keys_of(config, section, item), key) != NULL;
}

const char *config_place(const Config *config, const char *section, int64_t item, const char *key,
                         char *out) {
  const int64_t index = has_items(section_node(config, section)) ? item : -1;
  return print_place(config, section, keys_of(config, section, index), index, key, out);
}

uint64_t config_fingerprint(const ConfigSection *section, const void *values) {
  uint64_t hash = random_hash(section->name, (int64_t)strlen(section->name), 0);
  for (int64_t i = 0; i < section->count; ++i) {
    const ConfigRow *row = &section->rows[i];
    if (row->is_result) {
      hash = random_hash(row->key, (int64_t)strlen(row->key), hash);
      hash = value_hash(row, constant_field_of(row, values), hash);
    }
  }
  return hash;
}
