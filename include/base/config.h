#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "text.h"

/** One YAML file configures all stages. A stage declares a struct and a table of rows; the table
 *  fills the struct, checks every key of the section, makes --help and writes effective.yaml. */

typedef enum ConfigType {
  CONFIG_INTEGER, /* int64_t */
  CONFIG_REAL,    /* double */
  CONFIG_FLAG,    /* bool */
  CONFIG_TEXT,    /* char *, owned by the struct */
  CONFIG_CHOICE,  /* int64_t: index into `choices`, words split by '|' */
  CONFIG_TEXTS    /* ConfigTexts: a sequence of strings, or one string */
} ConfigType;

typedef struct ConfigTexts {
  char **items; /* [count] */
  int64_t count;
} ConfigTexts;

typedef struct ConfigRow {
  const char *key; /* within the section: "rows" */
  ConfigType type;
  size_t offset;        /* of the field in the struct */
  const char *fallback; /* the default as YAML text ("": empty); NULL: the key must be given */
  double least, most; /* range of numbers, inclusive; 0, 0: none; 9e18 and beyond: no limit there */
  const char *unit;   /* "rows"; "" for none; of texts e.g. "file"; of CONFIG_CHOICE "topk|relu" */
  const char *help;   /* one sentence */
  bool is_result;     /* does it change the result? then it is part of the stamp */
} ConfigRow;

/** A section of the file: a map ("harvest"), the top level (name ""), or a sequence of maps
 *  ("dictionaries", is_list). */
typedef struct ConfigSection {
  const char *name;
  const ConfigRow *rows;
  int64_t count;
  bool is_list;
} ConfigSection;

typedef struct Config Config;

/** Parse YAML text. `name` is the file's name for messages. Anchors, aliases, tags and duplicate
 *  keys are refused. Numbers are decimal (1000, 1e6, 2.5e-3), flags true or false.
 *  ranks   local   (rank 0 reads the bytes and broadcasts; all ranks parse alike)
 *  fails   ERR_CONFIG with file:line, ERR_MEMORY */
Status config_parse(Config **out, const char *name, const char *bytes, int64_t length) MUST_USE;

/** Apply an override "key.path=value" (value is YAML: scalar or flow sequence; an item of a list
 *  section is named by its `name` key: dictionaries.8k.rate=1e-3). Missing maps on the way are
 *  created; nothing behind the "=" is the empty text.
 *  ranks   local
 *  fails   ERR_CONFIG "argument 3: ..." */
Status config_override(Config *config, const char *argument, int position) MUST_USE;

/** Refuse every key that is in none of the sections; names file, line, key and the nearest key.
 *  ranks   local */
Status config_check(const Config *config, const ConfigSection *sections, int64_t count) MUST_USE;

/** Number of items of a list section (0 when absent).
 *  ranks   local */
int64_t config_items(const Config *config, const char *section);

/** Fill `values` (the stage's struct) from a section, or from item `item` of a list section. Every
 *  field that the rows name is set (whatever was there before); strings are owned by the struct
 *  until config_clear().
 *  ranks   local
 *  needs   0 <= item < config_items() for a list section, item ignored for others
 *  fails   ERR_CONFIG with file:line, key, and what is allowed; the fields are then zero and own
 *          nothing */
Status config_fill(const Config *config, const ConfigSection *section, int64_t item,
                   void *values) MUST_USE;
/** Give back the strings and zero all fields; a zeroed struct is fine.
 *  ranks   local */
void config_clear(const ConfigSection *section, void *values);

/** Was the key given in the file or as an override (and not left to its default)?
 *  ranks   local */
bool config_is_given(const Config *config, const char *section, int64_t item, const char *key);

/** Where a key (or its section, or the file) stands, for checks of a stage's own:
 *  "run.yaml:12: train.k".
 *  ranks   local
 *  out     out     CONFIG_PLACE bytes; returned */
enum { CONFIG_PLACE = 256 };
const char *config_place(const Config *config, const char *section, int64_t item, const char *key,
                         char *out);

/** Hash of all values whose row has is_result, and of the section's name: part of a stamp.
 *  ranks   local */
uint64_t config_fingerprint(const ConfigSection *section, const void *values);

/** Append the section as YAML (all keys, defaults filled in): "train:" and a line a key. Of a list
 *  section one item, "  - {...}", without the line "dictionaries:" before the first one.
 *  ranks   local */
Status config_print(const ConfigSection *section, const void *values, Text *out) MUST_USE;

/** Append the table of keys for --help: key, default, range, unit, sentence; at most 96 columns.
 *  A blank line parts it from what stands before.
 *  ranks   local */
Status config_help(const ConfigSection *section, Text *out) MUST_USE;

/** ranks   local */
void config_destroy(Config **config);

#endif
