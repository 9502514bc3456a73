#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "gguf.h"
#include "memory.h"
#include "read/gguf_writer.h"

/* A file in memory and the reader over it. */
typedef struct Case {
  GgufWriter writer;
  Text file;
  Gguf *gguf;
} Case;

static Status reopen(Case *c) {
  gguf_close(&c->gguf);
  return gguf_open_bytes(&c->gguf, "test.gguf", (const uint8_t *)text_chars(&c->file),
                         c->file.length);
}

static Status open_case(Case *c) {
  text_clear(&c->file);
  gguf_writer_bytes(&c->writer, &c->file);
  return reopen(c);
}

static void clear_case(Case *c) {
  gguf_close(&c->gguf);
  gguf_writer_clear(&c->writer);
  text_clear(&c->file);
}

static bool why_names(const char *words) {
  return strstr(status_why(), words) != NULL;
}

static void add_some_of_everything(GgufWriter *writer) {
  static const char *const WORDS[] = {"one", "", "three"};
  static const int32_t NUMBERS[] = {-1, 0, 7};
  static const float REALS[] = {0.5f, -2.0f};
  static const float MATRIX[] = {1, 2, 3, 4, 5, 6};
  gguf_writer_text(writer, "text", "hello");
  gguf_writer_integer(writer, "integer", 42);
  gguf_writer_integer(writer, "negative", -5);
  gguf_writer_real(writer, "real", 0.25);
  gguf_writer_flag(writer, "flag", true);
  gguf_writer_texts(writer, "texts", WORDS, 3);
  gguf_writer_integers(writer, "integers", NUMBERS, 3);
  gguf_writer_reals(writer, "reals", REALS, 2);
  gguf_writer_floats(writer, "matrix", 3, 2, MATRIX);
  gguf_writer_floats(writer, "vector", 0, 3, MATRIX);
}

static void test_single_values_are_read_back(void) {
  Case c = {0};
  int64_t integer = 0, length = 0;
  double real = 0;
  const char *bytes = NULL;
  add_some_of_everything(&c.writer);
  CU_ASSERT_EQUAL_FATAL(open_case(&c), OK);
  CU_ASSERT_EQUAL(gguf_integer(c.gguf, "integer", &integer), OK);
  CU_ASSERT_EQUAL(integer, 42);
  CU_ASSERT_EQUAL(gguf_integer(c.gguf, "negative", &integer), OK);
  CU_ASSERT_EQUAL(integer, -5);
  CU_ASSERT_EQUAL(gguf_integer(c.gguf, "flag", &integer), OK);
  CU_ASSERT_EQUAL(integer, 1);
  CU_ASSERT_EQUAL(gguf_real(c.gguf, "real", &real), OK);
  CU_ASSERT_EQUAL(real, 0.25);
  CU_ASSERT_EQUAL(gguf_text(c.gguf, "text", &bytes, &length), OK);
  CU_ASSERT(length == 5 && memcmp(bytes, "hello", 5) == 0);
  CU_ASSERT(gguf_has(c.gguf, "text") && !gguf_has(c.gguf, "tex") && !gguf_has(c.gguf, "texty"));
  CU_ASSERT_STRING_EQUAL(gguf_path(c.gguf), "test.gguf");
  clear_case(&c);
}

static void test_arrays_are_read_back(void) {
  Case c = {0};
  int64_t integer = 0, length = 0;
  double real = 0;
  const char *bytes = NULL;
  add_some_of_everything(&c.writer);
  CU_ASSERT_EQUAL_FATAL(open_case(&c), OK);
  CU_ASSERT_EQUAL(gguf_array_length(c.gguf, "texts"), 3);
  CU_ASSERT_EQUAL(gguf_array_length(c.gguf, "text"), -1);
  CU_ASSERT_EQUAL(gguf_array_length(c.gguf, "absent"), -1);
  CU_ASSERT_EQUAL(gguf_array_text(c.gguf, "texts", 2, &bytes, &length), OK);
  CU_ASSERT(length == 5 && memcmp(bytes, "three", 5) == 0);
  CU_ASSERT_EQUAL(gguf_array_text(c.gguf, "texts", 1, &bytes, &length), OK);
  CU_ASSERT_EQUAL(length, 0);
  CU_ASSERT_EQUAL(gguf_array_integer(c.gguf, "integers", 0, &integer), OK);
  CU_ASSERT_EQUAL(integer, -1);
  CU_ASSERT_EQUAL(gguf_array_real(c.gguf, "reals", 1, &real), OK);
  CU_ASSERT_EQUAL(real, -2.0);
  clear_case(&c);
}

typedef struct Wide {
  uint32_t type;
  int64_t length, value; /* bytes; what they must read as */
  const char *bytes;
} Wide;

static void test_integers_of_every_width_are_read(void) {
  static const Wide WIDE[] = {
      {0, 1, 200, "\xc8"},
      {1, 1, -56, "\xc8"},
      {2, 2, 65535, "\xff\xff"},
      {3, 2, -1, "\xff\xff"},
      {4, 4, 4294967295, "\xff\xff\xff\xff"},
      {5, 4, -1, "\xff\xff\xff\xff"},
      {7, 1, 1, "\x01"},
      {10, 8, INT64_MAX, "\xff\xff\xff\xff\xff\xff\xff\x7f"},
      {11, 8, -1, "\xff\xff\xff\xff\xff\xff\xff\xff"},
  };
  for (size_t i = 0; i < sizeof(WIDE) / sizeof(WIDE[0]); i++) {
    Case c = {0};
    int64_t value = 0;
    gguf_writer_pair(&c.writer, "key", WIDE[i].type, WIDE[i].bytes, WIDE[i].length);
    CU_ASSERT_EQUAL_FATAL(open_case(&c), OK);
    CU_ASSERT_EQUAL(gguf_integer(c.gguf, "key", &value), OK);
    CU_ASSERT_EQUAL(value, WIDE[i].value);
    clear_case(&c);
  }
}

static void test_integer_beyond_63_bits_is_refused(void) {
  Case c = {0};
  int64_t value;
  gguf_writer_pair(&c.writer, "key", 10, "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
  CU_ASSERT_EQUAL_FATAL(open_case(&c), OK);
  CU_ASSERT_EQUAL(gguf_integer(c.gguf, "key", &value), ERR_FORMAT);
  clear_case(&c);
}

static void test_wrong_look_ups_name_key_and_file(void) {
  Case c = {0};
  int64_t integer, length;
  double real;
  const char *bytes;
  add_some_of_everything(&c.writer);
  CU_ASSERT_EQUAL_FATAL(open_case(&c), OK);
  CU_ASSERT_EQUAL(gguf_integer(c.gguf, "absent", &integer), ERR_FORMAT);
  CU_ASSERT(why_names("absent") && why_names("test.gguf"));
  CU_ASSERT_EQUAL(gguf_integer(c.gguf, "text", &integer), ERR_FORMAT);
  CU_ASSERT(why_names("text"));
  CU_ASSERT_EQUAL(gguf_integer(c.gguf, "integers", &integer), ERR_FORMAT);
  CU_ASSERT_EQUAL(gguf_real(c.gguf, "integer", &real), ERR_FORMAT);
  CU_ASSERT_EQUAL(gguf_text(c.gguf, "texts", &bytes, &length), ERR_FORMAT);
  CU_ASSERT_EQUAL(gguf_array_integer(c.gguf, "integer", 0, &integer), ERR_FORMAT);
  CU_ASSERT_EQUAL(gguf_array_integer(c.gguf, "integers", 3, &integer), ERR_FORMAT);
  CU_ASSERT(why_names("3"));
  CU_ASSERT_EQUAL(gguf_array_text(c.gguf, "integers", 0, &bytes, &length), ERR_FORMAT);
  clear_case(&c);
}

static void test_tensors_are_found_and_read_by_rows(void) {
  Case c = {0};
  float rows[4] = {0};
  add_some_of_everything(&c.writer);
  CU_ASSERT_EQUAL_FATAL(open_case(&c), OK);
  const GgufTensor *matrix = gguf_tensor(c.gguf, "matrix");
  CU_ASSERT_PTR_NOT_NULL_FATAL(matrix);
  CU_ASSERT_PTR_NULL(gguf_tensor(c.gguf, "matri"));
  CU_ASSERT_EQUAL(gguf_tensors(c.gguf), 2);
  CU_ASSERT_STRING_EQUAL(gguf_tensor_at(c.gguf, 1)->name, "vector");
  CU_ASSERT(matrix->dims == 2 && matrix->shape[0] == 2 && matrix->shape[1] == 3);
  CU_ASSERT_EQUAL(matrix->bytes, 24);
  CU_ASSERT_EQUAL(gguf_dequantise(c.gguf, matrix, 2, 4, rows), OK);
  CU_ASSERT(rows[0] == 3 && rows[1] == 4 && rows[2] == 5 && rows[3] == 6);
  CU_ASSERT_EQUAL(gguf_dequantise(c.gguf, matrix, 6, 0, rows), OK);
  clear_case(&c);
}

static void test_files_are_mapped(void) {
  Case c = {0};
  char path[1024];
  float values[3] = {0};
  add_some_of_everything(&c.writer);
  snprintf(path, sizeof(path), "%s/good.gguf", check_folder());
  gguf_writer_save(&c.writer, path);
  CU_ASSERT_EQUAL_FATAL(gguf_open(&c.gguf, path), OK);
  CU_ASSERT_EQUAL(gguf_dequantise(c.gguf, gguf_tensor(c.gguf, "vector"), 0, 3, values), OK);
  CU_ASSERT(values[0] == 1 && values[2] == 3);
  clear_case(&c);
}

static void test_unreadable_files_say_why(void) {
  Gguf *gguf;
  char path[1024];
  Text nothing = {0};
  snprintf(path, sizeof(path), "%s/absent.gguf", check_folder());
  CU_ASSERT_EQUAL(gguf_open(&gguf, path), ERR_MISSING);
  CU_ASSERT(why_names("absent.gguf"));
  CU_ASSERT_PTR_NULL(gguf);
  CU_ASSERT_EQUAL(gguf_open(&gguf, check_folder()), ERR_FILE);
  snprintf(path, sizeof(path), "%s/empty.gguf", check_folder());
  CU_ASSERT_EQUAL(text_write_file(&nothing, path), OK);
  CU_ASSERT_EQUAL(gguf_open(&gguf, path), ERR_FORMAT);
  CU_ASSERT(why_names("cut short"));
}

static void test_every_truncation_is_refused(void) {
  Case c = {0};
  add_some_of_everything(&c.writer);
  gguf_writer_bytes(&c.writer, &c.file);
  const int64_t whole = c.file.length, blocks = memory_blocks();
  for (c.file.length = 0; c.file.length < whole; c.file.length++) {
    CU_ASSERT_EQUAL(reopen(&c), ERR_FORMAT);
    CU_ASSERT_PTR_NULL(c.gguf);
    CU_ASSERT_EQUAL(memory_blocks(), blocks);
  }
  CU_ASSERT_EQUAL(reopen(&c), OK);
  clear_case(&c);
}

static void read_everything(const Gguf *gguf) {
  static const char *const KEYS[] = {"text", "integer", "real", "texts", "integers", "reals"};
  float values[6];
  for (size_t i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++) {
    int64_t integer, length;
    double real;
    const char *bytes;
    const int64_t last = gguf_array_length(gguf, KEYS[i]) - 1;
    (void)!gguf_integer(gguf, KEYS[i], &integer);
    (void)!gguf_real(gguf, KEYS[i], &real);
    (void)!gguf_array_text(gguf, KEYS[i], last > 0 ? last : 0, &bytes, &length);
  }
  for (int64_t i = 0; i < gguf_tensors(gguf); i++) {
    const GgufTensor *tensor = gguf_tensor_at(gguf, i);
    if (tensor->shape[0] <= 6) {
      (void)!gguf_dequantise(gguf, tensor, 0, tensor->shape[0], values);
    }
  }
}

/* What is read must lie in the file: AddressSanitizer watches, the block ends where the file ends. */
static void test_every_changed_byte_is_refused_or_harmless(void) {
  static const char CHANGES[] = {1, 64, (char)128, (char)255};
  Case c = {0};
  add_some_of_everything(&c.writer);
  gguf_writer_bytes(&c.writer, &c.file);
  for (int64_t i = 0; i < c.file.length; i++) {
    for (size_t k = 0; k < sizeof(CHANGES); k++) {
      c.file.bytes[i] = (char)(c.file.bytes[i] ^ CHANGES[k]);
      const Status status = reopen(&c);
      CU_ASSERT(status == OK || status == ERR_FORMAT);
      if (status == OK) {
        read_everything(c.gguf);
      }
      c.file.bytes[i] = (char)(c.file.bytes[i] ^ CHANGES[k]);
    }
  }
  clear_case(&c);
}

static void test_wrong_magic_and_version_are_named(void) {
  Case c = {0};
  gguf_writer_bytes(&c.writer, &c.file);
  c.file.bytes[4] = 1;
  CU_ASSERT_EQUAL(reopen(&c), ERR_FORMAT);
  CU_ASSERT(why_names("version 1"));
  c.file.bytes[4] = 2;
  CU_ASSERT_EQUAL(reopen(&c), OK);
  c.file.bytes[0] = 'g';
  CU_ASSERT_EQUAL(reopen(&c), ERR_FORMAT);
  CU_ASSERT(why_names("not a GGUF file"));
  clear_case(&c);
}

static void test_huge_counts_are_refused_without_memory(void) {
  Case c = {0};
  gguf_writer_bytes(&c.writer, &c.file);
  for (int64_t place = 8; place <= 16; place += 8) { /* tensors, metadata pairs */
    memset(c.file.bytes + place, 0x7f, 8);
    CU_ASSERT_EQUAL(reopen(&c), ERR_FORMAT);
    memset(c.file.bytes + place, 0, 8);
  }
  gguf_writer_pair(&c.writer, "key", 9, "\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\x1f", 12);
  CU_ASSERT_EQUAL(open_case(&c), ERR_FORMAT);
  CU_ASSERT(why_names("length of an array"));
  clear_case(&c);
}

static void test_names_given_twice_are_refused(void) {
  Case c = {0};
  const float one = 1;
  gguf_writer_integer(&c.writer, "key", 1);
  gguf_writer_integer(&c.writer, "key", 2);
  CU_ASSERT_EQUAL(open_case(&c), ERR_FORMAT);
  CU_ASSERT(why_names("key key is there twice"));
  gguf_writer_clear(&c.writer);
  gguf_writer_floats(&c.writer, "a", 0, 1, &one);
  gguf_writer_floats(&c.writer, "a", 0, 1, &one);
  CU_ASSERT_EQUAL(open_case(&c), ERR_FORMAT);
  CU_ASSERT(why_names("tensor a is there twice"));
  clear_case(&c);
}

static Status open_tensor(int type, int dims, const int64_t *shape, int64_t bytes) {
  Case c = {0};
  static const char ZEROS[512];
  gguf_writer_tensor(&c.writer, "weights", type, dims, shape, ZEROS, bytes);
  const Status status = open_case(&c);
  clear_case(&c);
  return status;
}

static void test_impossible_shapes_are_refused(void) {
  static const int64_t SHAPE[] = {4, 1, 1, 1, 1}, ODD[] = {33}, NONE[] = {0};
  static const int64_t HUGE_SHAPE[] = {INT64_MAX / 16, 1024}, NEGATIVE[] = {-4};
  CU_ASSERT_EQUAL(open_tensor(QUANT_F32, 4, SHAPE, 16), OK);
  CU_ASSERT_EQUAL(open_tensor(QUANT_F32, 5, SHAPE, 16), ERR_FORMAT);
  CU_ASSERT(why_names("weights"));
  CU_ASSERT_EQUAL(open_tensor(QUANT_F32, 0, SHAPE, 16), ERR_FORMAT);
  CU_ASSERT_EQUAL(open_tensor(QUANT_F32, 1, SHAPE, 15), ERR_FORMAT);
  CU_ASSERT_EQUAL(open_tensor(QUANT_Q8_0, 1, ODD, 68), ERR_FORMAT);
  CU_ASSERT(why_names("Q8_0"));
  CU_ASSERT_EQUAL(open_tensor(QUANT_F32, 1, NONE, 16), ERR_FORMAT);
  CU_ASSERT_EQUAL(open_tensor(QUANT_F32, 2, HUGE_SHAPE, 16), ERR_FORMAT);
  CU_ASSERT_EQUAL(open_tensor(QUANT_F32, 1, NEGATIVE, 16), ERR_FORMAT);
}

static void test_unreadable_type_is_named_at_its_first_use(void) {
  static const int64_t SHAPE[] = {32};
  Case c = {0};
  float values[32];
  gguf_writer_tensor(&c.writer, "weights", 20, 1, SHAPE, "", 0);
  CU_ASSERT_EQUAL_FATAL(open_case(&c), OK);
  const GgufTensor *tensor = gguf_tensor(c.gguf, "weights");
  CU_ASSERT_EQUAL(gguf_dequantise(c.gguf, tensor, 0, 32, values), ERR_UNSUPPORTED);
  CU_ASSERT(why_names("weights") && why_names("IQ4_NL"));
  clear_case(&c);
}

static void test_alignment_key_places_the_data(void) {
  Case c = {0};
  const float values[] = {1, 2, 3};
  float back[3] = {0};
  c.writer.alignment = 256;
  gguf_writer_integer(&c.writer, "general.alignment", 256);
  gguf_writer_floats(&c.writer, "a", 0, 3, values);
  gguf_writer_floats(&c.writer, "b", 0, 3, values);
  CU_ASSERT_EQUAL_FATAL(open_case(&c), OK);
  CU_ASSERT_EQUAL(gguf_tensor(c.gguf, "b")->data - gguf_tensor(c.gguf, "a")->data, 256);
  CU_ASSERT_EQUAL(gguf_dequantise(c.gguf, gguf_tensor(c.gguf, "b"), 0, 3, back), OK);
  CU_ASSERT(back[0] == 1 && back[2] == 3);
  gguf_writer_clear(&c.writer);
  gguf_writer_integer(&c.writer, "general.alignment", 24);
  CU_ASSERT_EQUAL(open_case(&c), ERR_FORMAT);
  CU_ASSERT(why_names("alignment"));
  clear_case(&c);
}

static const CheckFact FACTS[] = {
    {"single values are read back", test_single_values_are_read_back},
    {"arrays are read back", test_arrays_are_read_back},
    {"integers of every width are read", test_integers_of_every_width_are_read},
    {"an integer beyond 63 bits is refused", test_integer_beyond_63_bits_is_refused},
    {"wrong look-ups name key and file", test_wrong_look_ups_name_key_and_file},
    {"tensors are found and read by rows", test_tensors_are_found_and_read_by_rows},
    {"files are mapped", test_files_are_mapped},
    {"unreadable files say why", test_unreadable_files_say_why},
    {"every truncation is refused", test_every_truncation_is_refused},
    {"every changed byte is refused or harmless", test_every_changed_byte_is_refused_or_harmless},
    {"wrong magic and version are named", test_wrong_magic_and_version_are_named},
    {"huge counts are refused without memory", test_huge_counts_are_refused_without_memory},
    {"names given twice are refused", test_names_given_twice_are_refused},
    {"impossible shapes are refused", test_impossible_shapes_are_refused},
    {"an unreadable type is named at its first use",
     test_unreadable_type_is_named_at_its_first_use},
    {"the alignment key places the data", test_alignment_key_places_the_data},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "gguf", FACTS);
}
