/* Any bytes as a GGUF file: an error or a result, never a crash, and all that is found lies in
 * the file. */
#include <string.h>

#include "gguf.h"
#include "memory.h"
#include "read/gguf_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t size, size_t limit);

static const char *const KEYS[] = {"a", "b", "c", "d", "e", "f", "g", "general.alignment"};
enum { KEY_COUNT = sizeof(KEYS) / sizeof(KEYS[0]), DEQUANTISED_LIMIT = 1 << 16 };

static volatile uint64_t g_sum; /* so that no read is left out */

static uint64_t sum_bytes(const void *bytes, int64_t length) {
  const uint8_t *at = bytes;
  uint64_t sum = 0;
  for (int64_t i = 0; i < length; i++) {
    sum += at[i];
  }
  return sum;
}

static uint64_t read_item(const Gguf *gguf, const char *key, int64_t index) {
  const char *text;
  int64_t integer = 0, length;
  double real = 0;
  uint64_t sum = 0;
  if (gguf_array_text(gguf, key, index, &text, &length) == OK) {
    sum += sum_bytes(text, length);
  }
  if (gguf_array_integer(gguf, key, index, &integer) == OK ||
      gguf_array_real(gguf, key, index, &real) == OK) {
    sum++;
  }
  return sum;
}

static uint64_t read_key(const Gguf *gguf, const char *key) {
  const char *text;
  int64_t integer, length;
  double real;
  uint64_t sum = 0;
  if (gguf_text(gguf, key, &text, &length) == OK) {
    sum += sum_bytes(text, length);
  }
  if (gguf_integer(gguf, key, &integer) == OK || gguf_real(gguf, key, &real) == OK) {
    sum++;
  }
  const int64_t count = gguf_array_length(gguf, key);
  for (int64_t i = 0; i <= count; i++) { /* also one too many */
    sum += read_item(gguf, key, i);
  }
  return sum;
}

static uint64_t read_tensor(const Gguf *gguf, const GgufTensor *tensor) {
  ASSERT(gguf_tensor(gguf, tensor->name) == tensor);
  const int64_t columns = tensor->shape[0];
  float *values;
  uint64_t sum = sum_bytes(tensor->data, tensor->bytes);
  if (columns > DEQUANTISED_LIMIT) {
    return sum;
  }
  ASSERT(MEMORY_NEW(&values, columns, "a row") == OK);
  if (gguf_dequantise(gguf, tensor, 0, columns, values) == OK) {
    sum += sum_bytes(values, columns * (int64_t)sizeof(*values));
    const int64_t last = (tensor->shape[1] * tensor->shape[2] * tensor->shape[3] - 1) * columns;
    ASSERT(gguf_dequantise(gguf, tensor, last, columns, values) == OK);
  }
  MEMORY_FREE(values);
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  Gguf *gguf;
  if (gguf_open_bytes(&gguf, "fuzz.gguf", bytes, (int64_t)size) == OK) {
    for (int i = 0; i < KEY_COUNT; i++) {
      g_sum += read_key(gguf, KEYS[i]);
    }
    for (int64_t i = 0; i < gguf_tensors(gguf); i++) {
      g_sum += read_tensor(gguf, gguf_tensor_at(gguf, i));
    }
    gguf_close(&gguf);
  }
  ASSERT(memory_blocks() == 0);
  return 0;
}

static void write_good_file(Text *file, unsigned seed) {
  static const int TYPES[] = {QUANT_F32,  QUANT_F16,  QUANT_BF16, QUANT_Q4_0, QUANT_Q4_1,
                              QUANT_Q5_0, QUANT_Q5_1, QUANT_Q8_0, QUANT_Q2_K, QUANT_Q3_K,
                              QUANT_Q4_K, QUANT_Q5_K, QUANT_Q6_K};
  static const char *const TEXTS[] = {"x", "", "long enough"};
  static const int32_t INTEGERS[] = {1, -2};
  static const float REALS[] = {0.5f};
  static const int64_t SHAPE[] = {256, 2};
  static const char ZEROS[4 * 512];
  GgufWriter writer = {0};
  int64_t elements, bytes;
  gguf_writer_text(&writer, "a", "text");
  gguf_writer_integer(&writer, "b", 3);
  gguf_writer_real(&writer, "c", 0.25);
  gguf_writer_flag(&writer, "d", true);
  gguf_writer_texts(&writer, "e", TEXTS, 3);
  gguf_writer_integers(&writer, "f", INTEGERS, 2);
  gguf_writer_reals(&writer, "g", REALS, 1);
  const int type = TYPES[seed % (sizeof(TYPES) / sizeof(TYPES[0]))];
  ASSERT(quant_block(type, &elements, &bytes));
  gguf_writer_tensor(&writer, "weights", type, 2, SHAPE, ZEROS, 512 / elements * bytes);
  gguf_writer_floats(&writer, "norm", 0, 1, REALS);
  gguf_writer_bytes(&writer, file);
  gguf_writer_clear(&writer);
}

/* Begins, and now and then begins again, with a good file: no corpus is needed. */
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t size, size_t limit, unsigned seed) {
  if (size < 24 || seed % 128 == 0) {
    Text file = {0};
    write_good_file(&file, seed / 128);
    if ((size_t)file.length <= limit) {
      size = (size_t)file.length;
      memcpy(bytes, file.bytes, size);
    }
    text_clear(&file);
  }
  return LLVMFuzzerMutate(bytes, size, limit);
}
