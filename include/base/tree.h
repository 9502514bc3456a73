#ifndef TREE_H
#define TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "text.h"

/** A YAML document as a tree of maps, sequences and scalars that remember where they stand. Under
 *  config.h; no stage needs it. ranks: all local. */

typedef enum TreeKind { TREE_SCALAR, TREE_SEQUENCE, TREE_MAP } TreeKind;

typedef struct TreeNode TreeNode;
struct TreeNode {
  TreeKind kind;
  bool is_quoted;   /* a scalar in quotes (or a block scalar) */
  int line;         /* of the file, from 1 (of a map's item: its key's); 0: not from the file */
  int argument;     /* position on the command line, 0: from the file */
  char *key;        /* in a map: the item's key, else NULL */
  char *value;      /* of a scalar, UTF-8 without NUL; else NULL */
  TreeNode **items; /* [count] of a map or a sequence */
  int64_t count, capacity;
};

/** Parse one document; an empty one gives an empty map. Anchors, aliases, tags, duplicate keys,
 *  keys that are no scalars, several documents and nesting beyond 16 are refused.
 *  name      in    the file's name for messages, or NULL: an argument of the command line
 *  argument  in    its position
 *  fails     ERR_CONFIG ("run.yaml:12: ..." or "argument 3: ..."), ERR_MEMORY */
Status tree_parse(TreeNode **out, const char *name, int argument, const char *bytes,
                  int64_t length) MUST_USE;
void tree_destroy(TreeNode **node);

/** The item of a map with that key, NULL for none (or when `map` is NULL or no map). */
TreeNode *tree_find(const TreeNode *map, const char *key);
/** A new empty map that stands where the command line's argument stands.
 *  fails   ERR_MEMORY */
Status tree_create_map(TreeNode **out, int argument) MUST_USE;
/** Put `item` (given) under `key`, in place of the one that was there.
 *  fails   ERR_MEMORY; `item` is then destroyed */
Status tree_put(TreeNode *map, const char *key, TreeNode *item) MUST_USE;

/** Is it a plain scalar without content: "key:", "~", "null"? */
bool tree_is_null(const TreeNode *node);
/** "a map", "a sequence", "nothing", or the scalar itself, cut to 40 bytes. `out`: TREE_SHOW
 *  bytes. */
enum { TREE_SHOW = 64 };
const char *tree_show(const TreeNode *node, char *out);

#endif
