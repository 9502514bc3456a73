#include "read_tensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "tensor.h"

size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t limit);

enum { LIMIT = 1 << 16 }; /* elements read at once */

static char g_folder[256], g_path[512], g_unpacked[512];
static volatile double g_sum; /* so that no read is left out */

static void remove_folder(void) {
  unlink(g_path);
  unlink(g_unpacked);
  rmdir(g_folder);
}

static void make_folder(void) {
  const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  snprintf(g_folder, sizeof(g_folder), "%s/fuzz-tensor-XXXXXX", base);
  ASSERT(mkdtemp(g_folder) != NULL);
  snprintf(g_path, sizeof(g_path), "%s/bytes", g_folder);
  snprintf(g_unpacked, sizeof(g_unpacked), "%s/unpacked", g_folder);
  atexit(remove_folder);
}

static void read_reals(TensorFile *file, const Tensor *tensor, int64_t first, int64_t count) {
  float *values;
  ASSERT(MEMORY_NEW(&values, count, "values") == OK);
  if (tensor_read_real(file, tensor, first, count, values) == OK) {
    for (int64_t i = 0; i < count; i++) {
      ASSERT(values[i] - values[i] == 0);
      g_sum += (double)values[i];
    }
  }
  MEMORY_FREE(values);
}

static void read_integers(TensorFile *file, const Tensor *tensor, int64_t first, int64_t count) {
  int64_t *values;
  ASSERT(MEMORY_NEW(&values, count, "values") == OK);
  if (tensor_read_integer(file, tensor, first, count, values) == OK && count > 0) {
    g_sum += (double)values[count - 1];
  }
  MEMORY_FREE(values);
}

static void read_columns(TensorFile *file, const Tensor *tensor) {
  float *values;
  if (tensor->dims != 2 || tensor->count > LIMIT || tensor->type > TENSOR_BF16) {
    return;
  }
  ASSERT(MEMORY_NEW(&values, tensor->count, "columns") == OK);
  if (tensor_read_columns(file, tensor, 0, tensor->shape[1], values) == OK && tensor->count > 0) {
    g_sum += (double)values[tensor->count - 1];
  }
  MEMORY_FREE(values);
}

static void read_tensor(TensorFile *file, const Tensor *tensor) {
  char text[64];
  int64_t product = 1;
  for (int i = 0; i < tensor->dims; i++) {
    ASSERT(tensor->shape[i] >= 0);
    product *= tensor->shape[i];
  }
  ASSERT(product == tensor->count && strlen(tensor_describe(tensor, text)) < sizeof(text));
  const int64_t count = tensor->count < LIMIT ? tensor->count : LIMIT;
  read_reals(file, tensor, 0, count);
  read_integers(file, tensor, tensor->count - count, count);
  read_columns(file, tensor);
}

/* No more is written than the header says: the file's size is that of its array. */
static void unpack_tensor(TensorFile *file, const Tensor *tensor) {
  TensorFile *unpacked;
  if (tensor_unpack(file, tensor, g_unpacked) != OK) {
    ASSERT(access(g_unpacked, F_OK) != 0);
    return;
  }
  ASSERT(tensor_open(&unpacked, g_unpacked) == OK);
  ASSERT(tensor_count(unpacked) == 1 && tensor_at(unpacked, 0)->count == tensor->count);
  read_tensor(unpacked, tensor_at(unpacked, 0));
  tensor_close(&unpacked);
  unlink(g_unpacked);
}

static void read_file(TensorFile *file) {
  for (int64_t i = 0; i < tensor_count(file); i++) {
    const Tensor *tensor = tensor_at(file, i);
    ASSERT(tensor_find(file, tensor->name) == tensor);
    read_tensor(file, tensor);
    if (tensor->is_packed) {
      unpack_tensor(file, tensor);
    }
  }
}

void read_tensors(const uint8_t *bytes, size_t size) {
  TensorFile *file;
  if (g_folder[0] == '\0') {
    make_folder();
  }
  FILE *out = fopen(g_path, "wb");
  ASSERT(out != NULL && fwrite(bytes, 1, size, out) == size && fclose(out) == 0);
  if (tensor_open(&file, g_path) == OK) {
    read_file(file);
    tensor_close(&file);
  }
  ASSERT(memory_blocks() == 0);
}

size_t mutate_tensors(uint8_t *bytes, size_t size, size_t limit, unsigned seed,
                      void (*write_good)(Text *file, unsigned seed)) {
  if (size < 10 || seed % 128 == 0) {
    Text file = {0};
    write_good(&file, seed / 128);
    if ((size_t)file.length <= limit) {
      size = (size_t)file.length;
      memcpy(bytes, file.bytes, size);
    }
    text_clear(&file);
  }
  return LLVMFuzzerMutate(bytes, size, limit);
}
