#include "read/tensor_writer.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "memory.h"

static void put(Text *out, const void *bytes, int64_t length) {
  ASSERT(text_append(out, bytes, length) == OK);
}

/* Little-endian. */
static void put_number(Text *out, uint64_t number, int bytes) {
  put(out, &number, bytes);
}

void write_safetensors(Text *out, const char *header, int64_t length, const void *data,
                       int64_t bytes) {
  const int64_t truth = (int64_t)strlen(header);
  put_number(out, (uint64_t)(length < 0 ? truth : length), 8);
  put(out, header, truth);
  put(out, data, bytes);
}

void write_npy(Text *out, int version, const char *header, const void *data, int64_t bytes) {
  const int start = version == 1 ? 10 : 12;
  Text padded = {0};
  put(&padded, header, (int64_t)strlen(header));
  while ((start + padded.length + 1) % 64 != 0) {
    put(&padded, " ", 1);
  }
  put(&padded, "\n", 1);
  put(out, "\x93NUMPY", 6);
  put_number(out, (uint64_t)version, 2);
  put_number(out, (uint64_t)padded.length, version == 1 ? 2 : 4);
  put(out, padded.bytes, padded.length);
  put(out, data, bytes);
  text_clear(&padded);
}

static void deflate_content(const Text *content, Text *out) {
  z_stream stream = {0};
  ASSERT(deflateInit2(&stream, 9, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  uint8_t *bytes;
  const int64_t room = (int64_t)deflateBound(&stream, (uLong)content->length);
  ASSERT(MEMORY_NEW(&bytes, room, "deflated bytes") == OK);
  stream.next_in = (Bytef *)content->bytes;
  stream.avail_in = (uInt)content->length;
  stream.next_out = bytes;
  stream.avail_out = (uInt)room;
  ASSERT(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  put(out, bytes, (int64_t)stream.total_out);
  ASSERT(deflateEnd(&stream) == Z_OK);
  MEMORY_FREE(bytes);
}

/* What local header and directory have in common: from the version needed to the extra field's
 * length. */
static void put_common(Text *out, const ZipMember *member, int64_t packed) {
  const uint32_t crc =
      (uint32_t)crc32(0, (const Bytef *)member->content->bytes, (uInt)member->content->length);
  const int64_t size = member->said_size < 0 ? member->content->length : member->said_size;
  packed = member->said_packed < 0 ? packed : member->said_packed;
  put_number(out, 45, 2);
  put_number(out, 0, 2);
  put_number(out, (uint64_t)member->method, 2);
  put_number(out, 0x21u << 16, 4);
  put_number(out, member->is_crc_wrong ? crc ^ 1 : crc, 4);
  put_number(out, member->is_zip64 ? 0xffffffffu : (uint64_t)packed, 4);
  put_number(out, member->is_zip64 ? 0xffffffffu : (uint64_t)size, 4);
  put_number(out, strlen(member->name), 2);
  put_number(out, member->is_zip64 ? 20 : 0, 2);
}

static void put_extra(Text *out, const ZipMember *member, int64_t packed) {
  if (member->is_zip64) {
    put_number(out, 1, 2);
    put_number(out, 16, 2);
    put_number(out, (uint64_t)(member->said_size < 0 ? member->content->length : member->said_size),
               8);
    put_number(out, (uint64_t)(member->said_packed < 0 ? packed : member->said_packed), 8);
  }
}

static void put_member(Text *out, Text *directory, const ZipMember *member) {
  Text packed = {0};
  const uint64_t place = (uint64_t)out->length;
  if (member->method == 8) {
    deflate_content(member->content, &packed);
  } else {
    put(&packed, member->content->bytes, member->content->length);
  }
  const int64_t name = (int64_t)strlen(member->name);
  put(out, "PK\x03\x04", 4);
  put_common(out, member, packed.length);
  put(out, member->name, name);
  put_extra(out, member, packed.length);
  put(out, packed.bytes, packed.length);
  put(directory, "PK\x01\x02", 4);
  put_number(directory, 45, 2);
  put_common(directory, member, packed.length);
  put_number(directory, 0, 8); /* comment, disk, attributes */
  put_number(directory, 0, 2);
  put_number(directory, place, 4);
  put(directory, member->name, name);
  put_extra(directory, member, packed.length);
  text_clear(&packed);
}

void write_zip(Text *out, const ZipMember *members, int count) {
  Text directory = {0};
  for (int i = 0; i < count; i++) {
    put_member(out, &directory, &members[i]);
  }
  const uint64_t place = (uint64_t)out->length;
  put(out, text_chars(&directory), directory.length);
  put(out, "PK\x05\x06", 4);
  put_number(out, 0, 4);
  put_number(out, (uint64_t)count, 2);
  put_number(out, (uint64_t)count, 2);
  put_number(out, (uint64_t)directory.length, 4);
  put_number(out, place, 4);
  put_number(out, 0, 2);
  text_clear(&directory);
}
