#ifndef PACK_H
#define PACK_H

#include <stdint.h>

/** The report's own files (page, style, scripts, d3), built into the program.
 *  ranks: constants, the same on all. */
typedef struct PackFile {
  const char *name; /* within the report: "index.html", "assets/cleave.css" */
  const unsigned char *bytes;
  int64_t length;
} PackFile;

extern const PackFile PACK_FILES[];
extern const int PACK_COUNT;

#endif
