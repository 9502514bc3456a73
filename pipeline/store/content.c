#include "content.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exchange.h"
#include "memory.h"
#include "random.h"

/* A row's hash is keyed by its index and the rows' hashes are summed mod 2^64, so any rank may write
 * any rows in any order. Rows of at most 8 bytes (all one-dimensional datasets) are too many for a
 * general hash: two rounds of multiply and shift over (index, value) do. */
static uint64_t hash_small_row(uint64_t index, uint64_t value) {
  uint64_t hash = (value ^ (value >> 32)) * UINT64_C(0xd6e8feb86659fd93);
  hash ^= (index + 1) * UINT64_C(0x9e3779b97f4a7c15);
  hash = (hash ^ (hash >> 32)) * UINT64_C(0xd6e8feb86659fd93);
  return hash ^ (hash >> 29);
}

/* `width` is a constant where it is called: the copy becomes one load, ten times as fast. */
static inline uint64_t hash_rows_of(int64_t first, int64_t rows, size_t width, const char *data) {
  uint64_t sum = 0;
  for (int64_t row = 0; row < rows; row++) {
    uint64_t value = 0;
    memcpy(&value, data + (size_t)row * width, width);
    sum += hash_small_row((uint64_t)(first + row), value);
  }
  return sum;
}

static uint64_t hash_small_rows(int64_t first, int64_t rows, int64_t row_bytes, const char *data) {
  switch (row_bytes) {
    case 1:
      return hash_rows_of(first, rows, 1, data);
    case 2:
      return hash_rows_of(first, rows, 2, data);
    case 4:
      return hash_rows_of(first, rows, 4, data);
    case 8:
      return hash_rows_of(first, rows, 8, data);
    default:
      return hash_rows_of(first, rows, (size_t)row_bytes, data);
  }
}

static uint64_t hash_rows(int64_t first, int64_t rows, int64_t row_bytes, const char *data) {
  uint64_t sum = 0;
  for (int64_t row = 0; row < rows; row++) {
    sum += random_hash(data + row * row_bytes, row_bytes, (uint64_t)(first + row));
  }
  return sum;
}

/* Sum of the integers [first, first + rows), mod 2^64: the even factor is halved before. */
static uint64_t sum_of_range(int64_t first, int64_t rows) {
  const uint64_t count = (uint64_t)rows, ends = 2 * (uint64_t)first + count - 1;
  return count % 2 == 0 ? count / 2 * ends : count * (ends / 2);
}

void content_add_rows(ArchiveEntry *entry, int64_t first, int64_t rows, const void *data) {
  const int64_t row_bytes = entry->slab.row_bytes;
  if (rows == 0 || row_bytes == 0) {
    return;
  }
  const uint64_t hash = row_bytes <= 8 ? hash_small_rows(first, rows, row_bytes, data)
                                       : hash_rows(first, rows, row_bytes, data);
  entry->sum.rows += rows;
  entry->sum.places = (int64_t)((uint64_t)entry->sum.places + sum_of_range(first, rows));
  entry->sum.hash = (int64_t)((uint64_t)entry->sum.hash + hash);
}

static Status check_complete(const Archive *archive, const ArchiveEntry *entry) {
  const int64_t rows = entry->slab.row_bytes > 0 ? entry->slab.shape[0] : 0;
  if (entry->sum.rows != rows) {
    return RAISE(ERR_DATA, "%s: %s: %" PRId64 " of %" PRId64 " rows were written (a bug of cleave)",
                 archive->path, entry->name, entry->sum.rows, rows);
  }
  if (rows > 0 && (uint64_t)entry->sum.places != sum_of_range(0, rows)) {
    return RAISE(ERR_DATA, "%s: %s: some rows were written twice (a bug of cleave)", archive->path,
                 entry->name);
  }
  return OK;
}

Status content_sum(Archive *archive) {
  for (int64_t i = 0; i < archive->count; i++) {
    ArchiveEntry *entry = &archive->entries[i];
    int64_t sums[3] = {entry->sum.rows, entry->sum.places, entry->sum.hash};
    exchange_sum(archive->team, sums, 3);
    entry->sum = (ArchiveSum){.rows = sums[0], .places = sums[1], .hash = sums[2]};
  }
  for (int64_t i = 0; i < archive->count; i++) {
    TRY(check_complete(archive, &archive->entries[i]));
  }
  return OK;
}

void content_print_sum(const ArchiveEntry *entry, char out[17]) {
  snprintf(out, 17, "%016" PRIx64, (uint64_t)entry->sum.hash);
}

static uint64_t chain_text(const char *text, uint64_t hash) {
  return random_hash(text, (int64_t)strlen(text) + 1, hash);
}

static uint64_t chain_entry(const ArchiveEntry *entry, uint64_t hash) {
  const Slab *slab = &entry->slab;
  int64_t facts[3 + ARCHIVE_DIMS] = {entry->type, slab->dims, entry->sum.hash};
  for (int i = 0; i < slab->dims; i++) {
    facts[3 + i] = slab->shape[i];
  }
  return random_hash(facts, (int64_t)sizeof(facts), chain_text(entry->name, hash));
}

static uint64_t chain_attribute(const Attribute *attribute, uint64_t hash) {
  hash = chain_text(attribute->key, chain_text(attribute->object, hash));
  const int64_t kind = attribute->kind;
  hash = random_hash(&kind, 8, hash);
  switch (attribute->kind) {
    case ATTRIBUTE_TEXT:
      return chain_text(attribute->text, hash);
    case ATTRIBUTE_INTEGER:
      return random_hash(&attribute->integer, 8, hash);
    case ATTRIBUTE_REAL:
      return random_hash(&attribute->real, 8, hash);
  }
  return hash;
}

static int compare_entries(const void *left, const void *right) {
  const ArchiveEntry *a = left, *b = right;
  return strcmp(a->name, b->name);
}

void content_name(Archive *archive) {
  uint64_t hash = chain_text(archive->schema, 0);
  if (archive->count > 0) {
    qsort(archive->entries, (size_t)archive->count, sizeof(ArchiveEntry), compare_entries);
  }
  for (int64_t i = 0; i < archive->count; i++) {
    hash = chain_entry(&archive->entries[i], hash);
  }
  attribute_sort(&archive->attributes);
  for (int64_t i = 0; i < archive->attributes.count; i++) {
    if (archive->attributes.items[i].is_content) {
      hash = chain_attribute(&archive->attributes.items[i], hash);
    }
  }
  snprintf(archive->content, sizeof(archive->content), "%016" PRIx64, hash);
}
