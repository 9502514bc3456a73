/* Any bytes as an .npz file. */
#include <stdio.h>

#include "memory.h"
#include "read/tensor_writer.h"
#include "read_tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed);

static void write_good(Text *file, unsigned seed) {
  static const char ZEROS[24];
  Text matrix = {0}, vector = {0};
  write_npy(&matrix, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", ZEROS, 24);
  write_npy(&vector, 1, "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", ZEROS, 24);
  const ZipMember members[] = {{.name = "w.npy",
                                .content = &matrix,
                                .method = seed % 2 == 0 ? 8 : 0,
                                .said_size = -1,
                                .said_packed = -1,
                                .is_zip64 = seed / 2 % 2 == 0},
                               {.name = "ids.npy",
                                .content = &vector,
                                .method = seed / 4 % 2 == 0 ? 8 : 0,
                                .said_size = -1,
                                .said_packed = -1}};
  write_zip(file, members, 2);
  text_clear(&matrix);
  text_clear(&vector);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  read_tensors(bytes, size);
  return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed) {
  return mutate_tensors(bytes, size, limit, seed, write_good);
}
