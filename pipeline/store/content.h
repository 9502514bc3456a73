#ifndef CONTENT_H
#define CONTENT_H

#include "archive_file.h"

/** The content checksum: a hash of names, shapes, types, values and `set` attributes that depends
 *  neither on ranks nor on the order of writes. Private to store. */

/** Add rows of the entry's dataset to its sum.
 *  ranks   local */
void content_add_rows(ArchiveEntry *entry, int64_t first, int64_t rows, const void *data);

/** Add up the sums of all ranks, and check that every row was written once.
 *  ranks   collective; the same on all ranks
 *  fails   ERR_DATA: not agreed upon, but alike on all ranks */
Status content_sum(Archive *archive) MUST_USE;

/** A dataset's own sum as 16 hex digits + 0, after content_sum(); it stands in this attribute.
 *  ranks   local */
#define CONTENT_SUM "checksum"
void content_print_sum(const ArchiveEntry *entry, char out[17]);

/** The checksum as 16 hex digits into archive->content; after content_sum(). Sorts entries and
 *  attributes.
 *  ranks   local */
void content_name(Archive *archive);

#endif
