#ifndef VALUE_H
#define VALUE_H

#include <stdint.h>

#include "config.h"
#include "status.h"
#include "text.h"
#include "tree.h"

/** One value of the configuration: between a node of the file and a field of a stage's struct.
 *  Under config.h; no stage needs it. ranks: all local. */

/** Set the field from a node.
 *  place   in      what messages start with: "run.yaml:12: train.k"
 *  field   out     as row->type says; must hold no value before
 *  fails   ERR_CONFIG (wrong type, out of range: says what is allowed), ERR_MEMORY; the field is
 *          then zero */
Status value_read(const ConfigRow *row, const TreeNode *node, const char *place,
                  void *field) MUST_USE;
/** Set the field from the row's default, which must be there.
 *  fails   as value_read(): a default that is not allowed is a mistake in the table */
Status value_read_fallback(const ConfigRow *row, const char *place, void *field) MUST_USE;
/** Zero the field, whatever it held. */
void value_zero(const ConfigRow *row, void *field);
/** Give back what the field owns and zero it. */
void value_clear(const ConfigRow *row, void *field);

/** Append the value as YAML that reads back to the same value, in this project and in others. */
Status value_print(const ConfigRow *row, const void *field, Text *out) MUST_USE;
/** Append what is allowed, for people: "1 .. 4096 rows", "topk|relu", "true|false". */
Status value_print_allowed(const ConfigRow *row, Text *out) MUST_USE;
/** Hash of the value's meaning (of a choice the word, not its number), chained with `seed`. */
uint64_t value_hash(const ConfigRow *row, const void *field, uint64_t seed);

#endif
