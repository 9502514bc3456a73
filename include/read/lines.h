#ifndef LINES_H
#define LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "config.h"
#include "status.h"
#include "text.h"

/** Documents from text files, .jsonl files (by name: .jsonl, .jsonl.gz) with a text field,
 *  either of them gzipped (by content), and folders (all regular files below, in byte order of
 *  their paths; hidden ones left out, links to folders not followed). A text file is one
 *  document, a .jsonl line is one document. Streams: memory holds one document. ranks: all
 *  local. */
typedef struct Lines Lines;

/** ranks   local (every rank may read on its own)
 *  paths   in      files and folders, read in the order given
 *  field   in      name of the text field of .jsonl lines: "text"
 *  fails   ERR_MISSING names the path (absent, or a folder without files), ERR_FILE, ERR_MEMORY */
Status lines_open(Lines **out, const ConfigTexts *paths, const char *field) MUST_USE;
/** Next document into `document` (replaced); *is_end is true after the last. Empty documents are
 *  skipped. Bytes are kept as they are (a leading UTF-8 byte order mark is dropped); invalid UTF-8
 *  and NUL bytes are refused.
 *  fails   ERR_FORMAT with file:line (broken JSON, no such field, invalid UTF-8, damaged gzip, a
 *          document or .jsonl line above 64 MB), ERR_FILE, ERR_MEMORY */
Status lines_next(Lines *lines, Text *document, bool *is_end) MUST_USE;
/** Bytes of all input files (compressed size for .gz), known after lines_open: for progress and
 *  stamps; and the files themselves in reading order. */
int64_t lines_bytes(const Lines *lines);
int64_t lines_taken(const Lines *lines); /* of lines_bytes(), given out so far */
int64_t lines_files(const Lines *lines);
const char *lines_file(const Lines *lines, int64_t index);
void lines_close(Lines **lines);

#endif
