#ifndef ATTRIBUTE_H
#define ATTRIBUTE_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** Attributes, kept in memory until a file is finished, and read from a file. Private to store. */

typedef enum AttributeKind { /* hashed: never renumber */
                             ATTRIBUTE_TEXT = 0,
                             ATTRIBUTE_INTEGER = 1,
                             ATTRIBUTE_REAL = 2
} AttributeKind;

typedef struct Attribute {
  char *object; /* "/", or a dataset's or group's name */
  char *key;
  AttributeKind kind;
  bool is_content; /* part of the content, not provenance */
  char *text;      /* NULL for numbers */
  int64_t integer;
  double real;
} Attribute;

typedef struct AttributeList {
  Attribute *items; /* [count] */
  int64_t count;
} AttributeList;

/** Copy `value` (its strings are borrowed) into the list, in place of one of the same object and
 *  key.
 *  ranks   local */
Status attribute_put(AttributeList *list, const Attribute *value) MUST_USE;
/** Order by object, then key.
 *  ranks   local */
void attribute_sort(AttributeList *list);
void attribute_clear(AttributeList *list);

/** Write one; a group that is not there is made.
 *  ranks   collective (HDF5), with the same value; agree afterwards
 *  fails   ERR_FILE */
Status attribute_write(hid_t file, const Attribute *value) MUST_USE;
/** Bytes that the attribute may take in a file, rounded up.
 *  ranks   local */
int64_t attribute_room(const Attribute *value);

/** Read one. text is owned by the caller.
 *  ranks   local
 *  fails   ERR_FORMAT: absent, or of another kind */
Status attribute_read_text(hid_t file, const char *object, const char *key, char **text) MUST_USE;
Status attribute_read_integer(hid_t file, const char *object, const char *key,
                              int64_t *value) MUST_USE;
Status attribute_read_real(hid_t file, const char *object, const char *key, double *value) MUST_USE;

#endif
