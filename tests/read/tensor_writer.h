#ifndef TENSOR_WRITER_H
#define TENSOR_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "text.h"

/** Small .safetensors, .npy and .npz files for tests, good and bad ones. Running out of memory ends
 *  the program. Use: add_check(STEM LINK tensor_writer ...) and `#include "read/tensor_writer.h"`.
 *  ranks: all local. */

/** A .safetensors file: the header's length as said, or that of `header` where it is negative. */
void write_safetensors(Text *out, const char *header, int64_t length, const void *data,
                       int64_t bytes);
/** An .npy array of version 1, 2 or 3, with this header text (padded and ended by a line break). */
void write_npy(Text *out, int version, const char *header, const void *data, int64_t bytes);

/** A member of a zip; what it says of itself may be a lie. */
typedef struct ZipMember {
  const char *name;
  const Text *content;
  int method;          /* 0 stored, 8 deflated; others are stored under that number */
  int64_t said_size;   /* unpacked; -1: the truth */
  int64_t said_packed; /* -1: the truth */
  bool is_zip64;       /* sizes in the zip64 field */
  bool is_crc_wrong;
} ZipMember;

void write_zip(Text *out, const ZipMember *members, int count);

#endif
