#include "tree.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "memory.h"

enum { DEEPEST = 16 };

/* One parse: libyaml's parser, and what messages start with. */
typedef struct Reader {
  yaml_parser_t parser;
  const char *name;
  int argument;
} Reader;

static Status raise_at(const Reader *reader, size_t line, const char *why) {
  if (reader->name == NULL) {
    return RAISE(ERR_CONFIG, "argument %d: %s", reader->argument, why);
  }
  return RAISE(ERR_CONFIG, "%s:%zu: %s", reader->name, line + 1, why);
}

/* For a node: 0 when it is not from a file. */
static int line_of(const Reader *reader, const yaml_event_t *event) {
  return reader->name != NULL ? (int)event->start_mark.line + 1 : 0;
}

static Status next_event(Reader *reader, yaml_event_t *event) {
  if (yaml_parser_parse(&reader->parser, event) != 0) {
    return OK;
  }
  if (reader->parser.error == YAML_MEMORY_ERROR) {
    return RAISE(ERR_MEMORY, "parsing the configuration");
  }
  const char *problem = reader->parser.problem != NULL ? reader->parser.problem : "damaged text";
  const char *context = reader->parser.context;
  char why[256];
  snprintf(why, sizeof(why), "this is no YAML: %s%s%s", problem, context != NULL ? " " : "",
           context != NULL ? context : "");
  return raise_at(reader, reader->parser.problem_mark.line, why);
}

static Status check_plain(const Reader *reader, const yaml_event_t *event) {
  const yaml_char_t *anchor = NULL, *tag = NULL;
  switch (event->type) {
    case YAML_SCALAR_EVENT:
      anchor = event->data.scalar.anchor;
      tag = event->data.scalar.tag;
      break;
    case YAML_SEQUENCE_START_EVENT:
      anchor = event->data.sequence_start.anchor;
      tag = event->data.sequence_start.tag;
      break;
    case YAML_MAPPING_START_EVENT:
      anchor = event->data.mapping_start.anchor;
      tag = event->data.mapping_start.tag;
      break;
    default:
      return raise_at(reader, event->start_mark.line, "an alias (*name): write the value itself");
  }
  if (anchor != NULL || tag != NULL) {
    return raise_at(reader, event->start_mark.line,
                    anchor != NULL ? "an anchor (&name): write each value where it is used"
                                   : "a tag (!name): write the value alone");
  }
  return OK;
}

static Status add_item(TreeNode *node, TreeNode *item) {
  if (node->count == node->capacity) {
    const int64_t capacity = node->capacity > 0 ? 2 * node->capacity : 8;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): an array of pointers is meant */
    TRY(MEMORY_RESIZE(&node->items, capacity, "the configuration"));
    node->capacity = capacity;
  }
  node->items[node->count++] = item;
  return OK;
}

static Status copy_scalar(const Reader *reader, const yaml_event_t *event, char **out) {
  const char *value = (const char *)event->data.scalar.value;
  if (strlen(value) != event->data.scalar.length) {
    return raise_at(reader, event->start_mark.line, "a text holds a NUL byte");
  }
  return memory_copy_text(out, value);
}

static Status read_node(Reader *reader, const yaml_event_t *start, int depth, TreeNode *node);

/* Reads the node that starts with `event` and adds it to `parent`, which owns it from then on, as
 * it does `key`. */
static Status read_item(Reader *reader, const yaml_event_t *event, int depth, TreeNode *parent,
                        char *key, int line) {
  TreeNode *item = NULL;
  Status status = MEMORY_NEW(&item, 1, "the configuration");
  if (status != OK) {
    MEMORY_FREE(key);
    return status;
  }
  item->key = key;
  item->line = line;
  status = add_item(parent, item);
  if (status != OK) {
    tree_destroy(&item);
    return status;
  }
  return read_node(reader, event, depth, item);
}

static Status read_sequence(Reader *reader, int depth, TreeNode *node) {
  for (;;) {
    yaml_event_t event;
    TRY(next_event(reader, &event));
    if (event.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&event);
      return OK;
    }
    const Status status = read_item(reader, &event, depth + 1, node, NULL, line_of(reader, &event));
    yaml_event_delete(&event);
    TRY(status);
  }
}

static Status read_key(const Reader *reader, const yaml_event_t *event, const TreeNode *map,
                       char **key) {
  TRY(check_plain(reader, event));
  if (event->type != YAML_SCALAR_EVENT) {
    return raise_at(reader, event->start_mark.line, "a key must be a word");
  }
  TRY(copy_scalar(reader, event, key));
  const TreeNode *twin = tree_find(map, *key);
  if (twin == NULL) {
    return OK;
  }
  char why[256];
  snprintf(why, sizeof(why), "%.100s: the key is there already, on line %d", *key, twin->line);
  MEMORY_FREE(*key);
  return raise_at(reader, event->start_mark.line, why);
}

static Status read_pair(Reader *reader, const yaml_event_t *event, int depth, TreeNode *map) {
  char *key = NULL;
  TRY(read_key(reader, event, map, &key));
  yaml_event_t value;
  Status status = next_event(reader, &value);
  if (status != OK) {
    MEMORY_FREE(key);
    return status;
  }
  status = read_item(reader, &value, depth + 1, map, key, line_of(reader, event));
  yaml_event_delete(&value);
  return status;
}

static Status read_map(Reader *reader, int depth, TreeNode *node) {
  for (;;) {
    yaml_event_t event;
    TRY(next_event(reader, &event));
    if (event.type == YAML_MAPPING_END_EVENT) {
      yaml_event_delete(&event);
      return OK;
    }
    const Status status = read_pair(reader, &event, depth, node);
    yaml_event_delete(&event);
    TRY(status);
  }
}

static Status read_node(Reader *reader, const yaml_event_t *start, int depth, TreeNode *node) {
  TRY(check_plain(reader, start));
  if (depth > DEEPEST) {
    return raise_at(reader, start->start_mark.line, "nested too deep");
  }
  node->argument = reader->argument;
  switch (start->type) {
    case YAML_SEQUENCE_START_EVENT:
      node->kind = TREE_SEQUENCE;
      return read_sequence(reader, depth, node);
    case YAML_MAPPING_START_EVENT:
      node->kind = TREE_MAP;
      return read_map(reader, depth, node);
    default:
      node->kind = TREE_SCALAR;
      node->is_quoted = start->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
      return copy_scalar(reader, start, &node->value);
  }
}

/* Reads on to an event of the wanted type, past the one that may stand before it. */
static Status expect(Reader *reader, yaml_event_type_t wanted, yaml_event_t *event) {
  TRY(next_event(reader, event));
  if (event->type == wanted) {
    return OK;
  }
  const Status status = raise_at(reader, event->start_mark.line, "a second document");
  yaml_event_delete(event);
  return status;
}

static Status read_document(Reader *reader, TreeNode *root) {
  yaml_event_t event;
  TRY(next_event(reader, &event));
  root->line = line_of(reader, &event);
  const Status status = read_node(reader, &event, 0, root);
  yaml_event_delete(&event);
  TRY(status);
  TRY(expect(reader, YAML_DOCUMENT_END_EVENT, &event));
  yaml_event_delete(&event);
  TRY(expect(reader, YAML_STREAM_END_EVENT, &event));
  yaml_event_delete(&event);
  return OK;
}

static Status read_stream(Reader *reader, TreeNode *root) {
  yaml_event_t event;
  TRY(expect(reader, YAML_STREAM_START_EVENT, &event));
  yaml_event_delete(&event);
  TRY(next_event(reader, &event));
  const bool is_empty = event.type == YAML_STREAM_END_EVENT;
  yaml_event_delete(&event);
  root->kind = TREE_MAP;
  return is_empty ? OK : read_document(reader, root);
}

Status tree_parse(TreeNode **out, const char *name, int argument, const char *bytes,
                  int64_t length) {
  Reader reader = {.name = name, .argument = argument};
  *out = NULL;
  if (yaml_parser_initialize(&reader.parser) == 0) {
    return RAISE(ERR_MEMORY, "parsing the configuration");
  }
  yaml_parser_set_encoding(&reader.parser, YAML_UTF8_ENCODING);
  yaml_parser_set_input_string(&reader.parser, (const unsigned char *)bytes, (size_t)length);
  TreeNode *root = NULL;
  Status status = MEMORY_NEW(&root, 1, "the configuration");
  if (status == OK) {
    status = read_stream(&reader, root);
  }
  yaml_parser_delete(&reader.parser);
  if (status != OK) {
    tree_destroy(&root);
  }
  *out = root;
  return status;
}

void tree_destroy(TreeNode **node) {
  if (*node == NULL) {
    return;
  }
  for (int64_t i = 0; i < (*node)->count; ++i) {
    tree_destroy(&(*node)->items[i]);
  }
  MEMORY_FREE((*node)->items);
  MEMORY_FREE((*node)->key);
  MEMORY_FREE((*node)->value);
  MEMORY_FREE(*node);
}

TreeNode *tree_find(const TreeNode *map, const char *key) {
  for (int64_t i = 0; map != NULL && map->kind == TREE_MAP && i < map->count; ++i) {
    if (strcmp(map->items[i]->key, key) == 0) {
      return map->items[i];
    }
  }
  return NULL;
}

Status tree_create_map(TreeNode **out, int argument) {
  TRY(MEMORY_NEW(out, 1, "the configuration"));
  (*out)->kind = TREE_MAP;
  (*out)->argument = argument;
  return OK;
}

static Status put_new(TreeNode *map, const char *key, TreeNode *item) {
  MEMORY_FREE(item->key);
  TRY(memory_copy_text(&item->key, key));
  for (int64_t i = 0; i < map->count; ++i) {
    if (strcmp(map->items[i]->key, key) == 0) {
      tree_destroy(&map->items[i]);
      map->items[i] = item;
      return OK;
    }
  }
  return add_item(map, item);
}

Status tree_put(TreeNode *map, const char *key, TreeNode *item) {
  ASSERT(map->kind == TREE_MAP);
  const Status status = put_new(map, key, item);
  if (status != OK) {
    tree_destroy(&item);
  }
  return status;
}

bool tree_is_null(const TreeNode *node) {
  if (node->kind != TREE_SCALAR || node->is_quoted) {
    return false;
  }
  const char *value = node->value;
  return *value == '\0' || strcmp(value, "~") == 0 || strcmp(value, "null") == 0;
}

const char *tree_show(const TreeNode *node, char *out) {
  if (node->kind != TREE_SCALAR) {
    snprintf(out, TREE_SHOW, "%s", node->kind == TREE_MAP ? "a map" : "a sequence");
  } else if (tree_is_null(node)) {
    snprintf(out, TREE_SHOW, "nothing");
  } else {
    const int64_t whole = (int64_t)strlen(node->value);
    int64_t length = whole < 40 ? whole : 40;
    while (length < whole && ((unsigned char)node->value[length] & 0xc0) == 0x80) {
      --length; /* not inside a character */
    }
    snprintf(out, TREE_SHOW, "%s%.*s%s%s", node->is_quoted ? "the text '" : "", (int)length,
             node->value, length < whole ? "..." : "", node->is_quoted ? "'" : "");
  }
  return out;
}
