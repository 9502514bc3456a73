/* Any bytes as an .npy file. */
#include <stdio.h>

#include "memory.h"
#include "read/tensor_writer.h"
#include "read_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed);

static void write_good(Text *file, unsigned seed) {
  static const char *const TYPES[] = {"<f8", "<f4", "<f2", "<i8", "<u4",
                                      "|i1", "|b1", "<U2", "|S2"};
  static const int BYTES[] = {8, 4, 2, 8, 4, 1, 1, 8, 2};
  static const char ZEROS[64];
  char header[128];
  snprintf(header, sizeof(header), "{'descr': '%s', 'fortran_order': False, 'shape': (2, 3), }",
           TYPES[seed % 9]);
  write_npy(file, 1 + (int)(seed / 9 % 3), header, ZEROS, 6 * BYTES[seed % 9]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  read_tensors(bytes, size);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed) {
  return mutate_tensors(bytes, size, limit, seed, write_good);
}
