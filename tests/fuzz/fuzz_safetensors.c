/* Any bytes as a .safetensors file. */
#include <stdio.h>

#include "memory.h"
#include "read/tensor_writer.h"
#include "read_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed);

static void write_good(Text *file, unsigned seed) {
  static const char *const TYPES[] = {"F64", "F32", "F16", "BF16", "I64", "U32", "U8", "BOOL"};
  static const int BYTES[] = {8, 4, 2, 2, 8, 4, 1, 1};
  static const char ZEROS[256];
  char header[512];
  const int bytes = 6 * BYTES[seed % 8], past = bytes + 4 * BYTES[seed / 8 % 8];
  snprintf(
      header, sizeof(header),
      "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"%s\",\"shape\":[2,3],"
      "\"data_offsets\":[0,%d]},\"b\":{\"dtype\":\"%s\",\"shape\":[4],\"data_offsets\":[%d,%d]}}",
      TYPES[seed % 8], bytes, TYPES[seed / 8 % 8], bytes, past);
  write_safetensors(file, header, -1, ZEROS, past);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  read_tensors(bytes, size);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed) {
  return mutate_tensors(bytes, size, limit, seed, write_good);
}
