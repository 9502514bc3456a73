#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "read/tensor_writer.h"
#include "tensor.h"

static const char *path(void) {
  static char text[1024];
  snprintf(text, sizeof(text), "%s/under-test", check_folder());
  return text;
}

static Status open_bytes(TensorFile **file, Text *bytes) {
  CU_ASSERT_EQUAL(text_write_file(bytes, path()), OK);
  text_clear(bytes);
  return tensor_open(file, path());
}

static Status open_safetensors(TensorFile **file, const char *header, int64_t length,
                               const void *data, int64_t bytes) {
  Text text = {0};
  write_safetensors(&text, header, length, data, bytes);
  return open_bytes(file, &text);
}

static Status open_npy(TensorFile **file, int version, const char *header, const void *data,
                       int64_t bytes) {
  Text text = {0};
  write_npy(&text, version, header, data, bytes);
  return open_bytes(file, &text);
}

static bool why_names(const char *words) {
  if (strstr(status_why(), words) == NULL) {
    fprintf(stderr, "\nnot in the reason: %s\nreason: %s\n", words, status_why());
    return false;
  }
  return true;
}

static void test_all_floating_types_are_widened(void) {
  static const char HEADER[] =
      "{\"a\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[0,16]},"
      "\"b\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[16,24]},"
      "\"c\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[24,28]},"
      "\"__metadata__\":{\"format\":\"pt\"},"
      "\"d\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[28,32]}}  ";
  static const char NAMES[] = "abcd";
  uint8_t data[32];
  const double doubles[] = {1.5, -0.25};
  const float floats[] = {1.5f, -0.25f};
  memcpy(data, doubles, 16);
  memcpy(data + 16, floats, 8);
  memcpy(data + 24, "\x00\x3e\x00\xb4\xc0\x3f\x80\xbe", 8);
  TensorFile *file;
  CU_ASSERT_EQUAL_FATAL(open_safetensors(&file, HEADER, -1, data, 32), OK);
  CU_ASSERT_EQUAL(tensor_count(file), 4);
  for (int i = 0; i < 4; i++) {
    const char name[] = {NAMES[i], 0};
    const Tensor *tensor = tensor_find(file, name);
    float values[2] = {0};
    CU_ASSERT_PTR_NOT_NULL_FATAL(tensor);
    CU_ASSERT_EQUAL(tensor_read_real(file, tensor, 0, 2, values), OK);
    CU_ASSERT(values[0] == 1.5f && values[1] == -0.25f);
    CU_ASSERT_EQUAL(tensor_read_real(file, tensor, 1, 1, values), OK);
    CU_ASSERT(values[0] == -0.25f);
  }
  CU_ASSERT_PTR_NULL(tensor_find(file, "__metadata__"));
  const char several[] = {NAMES[1], 's', 0};
  CU_ASSERT_PTR_EQUAL(tensor_find_some(file, several), tensor_at(file, 1));
  CU_ASSERT_PTR_NULL(tensor_find_some(file, "activations")); /* of four */
  tensor_close(&file);
  CU_ASSERT_PTR_NULL(file);
}

typedef struct Width {
  const char *descr, *bytes;
  int64_t size, value;
} Width;

static void test_all_integer_types_are_widened(void) {
  static const Width WIDTHS[] = {
      {"<i8", "\xfe\xff\xff\xff\xff\xff\xff\xff", 8, -2},
      {"<i4", "\xfe\xff\xff\xff", 4, -2},
      {"<i2", "\xfe\xff", 2, -2},
      {"|i1", "\xfe", 1, -2},
      {"<u8", "\xff\xff\xff\xff\xff\xff\xff\x7f", 8, INT64_MAX},
      {"<u4", "\xfe\xff\xff\xff", 4, 4294967294},
      {"<u2", "\xfe\xff", 2, 65534},
      {"|u1", "\xfe", 1, 254},
      {"|b1", "\x01", 1, 1},
      {"|S1", "c", 1, 'c'},
      {"<U1", "c\0\0\0", 4, 'c'},
  };
  for (size_t i = 0; i < sizeof(WIDTHS) / sizeof(WIDTHS[0]); i++) {
    char header[128];
    TensorFile *file;
    int64_t value = 0;
    float real;
    snprintf(header, sizeof(header), "{'descr': '%s', 'fortran_order': False, 'shape': (1,), }",
             WIDTHS[i].descr);
    CU_ASSERT_EQUAL_FATAL(open_npy(&file, 1 + (int)i % 3, header, WIDTHS[i].bytes, WIDTHS[i].size),
                          OK);
    const Tensor *tensor = tensor_at(file, 0);
    CU_ASSERT(tensor->name[0] == '\0' && tensor->count == 1);
    CU_ASSERT_EQUAL(tensor_read_integer(file, tensor, 0, 1, &value), OK);
    CU_ASSERT_EQUAL(value, WIDTHS[i].value);
    CU_ASSERT_EQUAL(tensor_read_real(file, tensor, 0, 1, &real), ERR_UNSUPPORTED);
    CU_ASSERT(why_names("floating-point"));
    tensor_close(&file);
  }
}

static void test_integer_beyond_63_bits_is_refused(void) {
  TensorFile *file;
  int64_t values[2];
  CU_ASSERT_EQUAL_FATAL(
      open_npy(&file, 1, "{'descr': '<u8', 'fortran_order': False, 'shape': (2,), }",
               "\1\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16),
      OK);
  CU_ASSERT_EQUAL(tensor_read_integer(file, tensor_at(file, 0), 0, 2, values), ERR_FORMAT);
  CU_ASSERT(why_names("element 1"));
  tensor_close(&file);
}

static void test_value_not_finite_is_named_with_its_place(void) {
  TensorFile *file;
  float values[6] = {1, 2, 3, 4, NAN, 6};
  const double huge[] = {1, 1e300};
  CU_ASSERT_EQUAL_FATAL(
      open_npy(&file, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", values, 24),
      OK);
  CU_ASSERT_EQUAL(tensor_read_real(file, tensor_at(file, 0), 0, 6, values), ERR_FORMAT);
  CU_ASSERT(why_names("row 1, column 1"));
  CU_ASSERT_EQUAL(tensor_read_columns(file, tensor_at(file, 0), 1, 2, values), ERR_FORMAT);
  CU_ASSERT(why_names("row 1, column 1"));
  CU_ASSERT_EQUAL(tensor_read_real(file, tensor_at(file, 0), 0, 4, values), OK);
  tensor_close(&file);
  CU_ASSERT_EQUAL_FATAL(
      open_npy(&file, 1, "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", huge, 16),
      OK);
  CU_ASSERT_EQUAL(tensor_read_real(file, tensor_at(file, 0), 0, 2, values), ERR_FORMAT);
  CU_ASSERT(why_names("element 1"));
  tensor_close(&file);
}

/* 100 x 20,000: more than one piece of columns and of rows. */
enum { ROWS = 100, COLUMNS = 20000 };

static float planted(int64_t row, int64_t column) {
  return (float)(row * COLUMNS + column);
}

static void test_columns_come_transposed(void) {
  static const int64_t RANGES[][2] = {{0, 1}, {19999, 1}, {5, 9000}, {0, COLUMNS}, {7, 0}};
  TensorFile *file;
  float *values, *out;
  int64_t wrong = 0;
  CU_ASSERT_EQUAL_FATAL(MEMORY_NEW(&values, ROWS * COLUMNS, "a matrix"), OK);
  CU_ASSERT_EQUAL_FATAL(MEMORY_NEW(&out, ROWS * COLUMNS, "columns"), OK);
  for (int64_t i = 0; i < ROWS * COLUMNS; i++) {
    values[i] = (float)i;
  }
  CU_ASSERT_EQUAL_FATAL(
      open_npy(&file, 2, "{'descr': '<f4', 'fortran_order': False, 'shape': (100, 20000), }",
               values, ROWS * COLUMNS * 4),
      OK);
  for (size_t r = 0; r < sizeof(RANGES) / sizeof(RANGES[0]); r++) {
    const int64_t first = RANGES[r][0], count = RANGES[r][1];
    CU_ASSERT_EQUAL(tensor_read_columns(file, tensor_at(file, 0), first, count, out), OK);
    for (int64_t j = 0; j < count; j++) {
      for (int64_t i = 0; i < ROWS; i++) {
        wrong += out[j * ROWS + i] != planted(i, first + j);
      }
    }
  }
  CU_ASSERT_EQUAL(wrong, 0);
  tensor_close(&file);
  MEMORY_FREE(values);
  MEMORY_FREE(out);
}

typedef struct Bad {
  const char *header;
  int64_t length, bytes;
  Status status;
  const char *why;
} Bad;

#define FLOATS(name, shape, from, past) \
  "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" from "," past "]}"

static void test_bad_safetensors_are_refused(void) {
  static const Bad BAD[] = {
      {"{" FLOATS("a", "[2]", "0", "8") "}", 1000, 8, ERR_FORMAT, "cut short"},
      {"{" FLOATS("a", "[2]", "0", "8") "}", 100000001, 8, ERR_FORMAT, "has at most"},
      {"{" FLOATS("a", "[2]", "0", "8") "}", INT64_MIN / 2 - 1, 8, ERR_FORMAT, "the format"},
      {"x" FLOATS("a", "[2]", "0", "8") "}", -1, 8, ERR_FORMAT, "no .safetensors"},
      {"{" FLOATS("a", "[2]", "0", "8") "}", -1, 7, ERR_FORMAT, "tensor a"},
      {"{" FLOATS("a", "[2]", "0", "8") "}", -1, 9, ERR_FORMAT, "the file at byte"},
      {"{" FLOATS("a", "[2]", "0", "8") "," FLOATS("b", "[1]", "4", "8") "}", -1, 8, ERR_FORMAT,
       "overlap"},
      {"{" FLOATS("a", "[2]", "0", "8") "," FLOATS("b", "[1]", "12", "16") "}", -1, 16, ERR_FORMAT,
       "a hole"},
      {"{" FLOATS("a", "[1]", "4", "8") "}", -1, 8, ERR_FORMAT, "a hole"},
      {"{" FLOATS("a", "[3]", "0", "8") "}", -1, 8, ERR_FORMAT, "takes 12 bytes"},
      {"{" FLOATS("a", "[1]", "8", "4") "}", -1, 8, ERR_FORMAT, "tensor a"},
      {"{" FLOATS("a", "[1]", "-4", "0") "}", -1, 8, ERR_FORMAT, "tensor a"},
      {"{" FLOATS("a", "[-1]", "0", "4") "}", -1, 4, ERR_FORMAT, "impossible"},
      {"{" FLOATS("a", "[4294967296,4294967296,2]", "0", "0") "}", -1, 0, ERR_FORMAT, "impossible"},
      {"{" FLOATS("a", "[0,4611686018427387904]", "0", "0") "}", -1, 0, ERR_FORMAT, "impossible"},
      {"{" FLOATS("a", "[1.5]", "0", "4") "}", -1, 4, ERR_FORMAT, "impossible"},
      {"{" FLOATS("a", "2", "0", "8") "}", -1, 8, ERR_FORMAT, "no list"},
      {"{" FLOATS("a", "[1,1,1,1,1]", "0", "4") "}", -1, 4, ERR_UNSUPPORTED, "5 dimensions"},
      {"{" FLOATS("a", "[1]", "0", "4") "," FLOATS("a", "[1]", "4", "8") "}", -1, 8, ERR_FORMAT,
       "duplicate"},
      {"{\"a\":{\"dtype\":\"F8_E4M3\",\"shape\":[1],\"data_offsets\":[0,1]}}", -1, 1,
       ERR_UNSUPPORTED, "F8_E4M3"},
      {"{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", -1, 4, ERR_FORMAT, "no text"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", -1, 4, ERR_FORMAT,
       "tensor a"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", -1, 4, ERR_FORMAT, "must have"},
      {"{\"a\":3}", -1, 4, ERR_FORMAT, "must have"},
      {"{\"a\":", -1, 4, ERR_FORMAT, "of its header"},
      {"{} x", -1, 0, ERR_FORMAT, "of its header"},
  };
  static const uint8_t ZEROS[64];
  for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
    TensorFile *file;
    const int64_t length = BAD[i].length < -1 ? INT64_MAX : BAD[i].length;
    CU_ASSERT_EQUAL(open_safetensors(&file, BAD[i].header, length, ZEROS, BAD[i].bytes),
                    BAD[i].status);
    CU_ASSERT(why_names(BAD[i].why) && why_names("under-test"));
    CU_ASSERT_PTR_NULL(file);
  }
}

#define NPY(descr, order, shape) \
  "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape ", }"

static void test_bad_npy_files_are_refused(void) {
  static const Bad BAD[] = {
      {NPY("'>f4'", "False", "(2,)"), 1, 8, ERR_UNSUPPORTED, "big-endian"},
      {NPY("'|O'", "False", "(2,)"), 1, 8, ERR_UNSUPPORTED, "pickle"},
      {NPY("'<c8'", "False", "(1,)"), 1, 8, ERR_UNSUPPORTED, "<c8"},
      {NPY("'|V2'", "False", "(4,)"), 1, 8, ERR_UNSUPPORTED, "|V2"},
      {NPY("'<i1'", "False", "(8,)"), 1, 8, ERR_UNSUPPORTED, "<i1"},
      {NPY("[('a', '<f4')]", "False", "(2,)"), 1, 8, ERR_UNSUPPORTED, "fields"},
      {NPY("'<f4'", "True", "(1, 2)"), 1, 8, ERR_UNSUPPORTED, "Fortran"},
      {NPY("'<f4'", "False", "(3,)"), 1, 8, ERR_FORMAT, "F32 [3], but 8 bytes"},
      {NPY("'<f4'", "False", "(1,)"), 1, 8, ERR_FORMAT, "F32 [1], but 8 bytes"},
      {NPY("'<f4'", "False", "(4294967296, 4294967296, 2)"), 1, 8, ERR_FORMAT, "F32"},
      {NPY("'<f4'", "False", "(99999999999999999999,)"), 1, 8, ERR_FORMAT, "smaller number"},
      {NPY("'<f4'", "False", "(2)"), 1, 8, ERR_FORMAT, "comma"},
      {NPY("'<f4'", "False", "(2,,)"), 1, 8, ERR_FORMAT, "a number"},
      {NPY("'<f4'", "False", "(-2,)"), 1, 8, ERR_FORMAT, "a number"},
      {NPY("'<f4'", "False", "(2 1)"), 1, 8, ERR_FORMAT, "a comma"},
      {NPY("'<f4'", "False", "(1,1,1,1,2)"), 1, 8, ERR_UNSUPPORTED, "dimensions"},
      {NPY("'|S2'", "False", "(1,1,1,4)"), 1, 8, ERR_UNSUPPORTED, "texts"},
      {NPY("'|S0'", "False", "(1,)"), 1, 8, ERR_UNSUPPORTED, "|S0"},
      {NPY("'<f4'", "Maybe", "(2,)"), 1, 8, ERR_FORMAT, "True or False"},
      {NPY("'<f4", "False", "(2,)"), 1, 8, ERR_UNSUPPORTED, "cannot be read"},
      {NPY("'<f\\x34'", "False", "(2,)"), 1, 8, ERR_FORMAT, "short text"},
      {"{'descr': '<f4', 'fortran_order': False, }", 1, 8, ERR_FORMAT, "all of"},
      {"{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", 1, 8,
       ERR_FORMAT, "each once"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'more': 1}", 1, 8, ERR_FORMAT,
       "each once"},
      {"{'descr': '<f4', 'fortran_order': False, 'shape': (2,), } or 1", 1, 8, ERR_FORMAT,
       "the end"},
      {NPY("'<f4'", "False", "(2,)"), 4, 8, ERR_UNSUPPORTED, "version 4"},
      {"", 1, 0, ERR_FORMAT, "expected {"},
  };
  static const uint8_t ZEROS[64];
  for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
    TensorFile *file;
    CU_ASSERT_EQUAL(open_npy(&file, (int)BAD[i].length, BAD[i].header, ZEROS, BAD[i].bytes),
                    BAD[i].status);
    CU_ASSERT(why_names(BAD[i].why) && why_names("under-test"));
    CU_ASSERT_PTR_NULL(file);
  }
}

/* A good file of each kind, cut after every byte: never a crash, never accepted. */
static void test_file_cut_anywhere_is_refused(void) {
  static const float VALUES[] = {1, 2, 3, 4, 5, 6};
  for (int kind = 0; kind < 2; kind++) {
    Text whole = {0};
    if (kind == 0) {
      write_safetensors(&whole, "{" FLOATS("a", "[2,3]", "0", "24") "}", -1, VALUES, 24);
    } else {
      write_npy(&whole, 1, NPY("'<f4'", "False", "(2, 3)"), VALUES, 24);
    }
    for (int64_t length = 0; length <= whole.length; length++) {
      Text cut = {0};
      TensorFile *file;
      CU_ASSERT_EQUAL(text_append(&cut, whole.bytes, length), OK);
      CU_ASSERT_EQUAL(open_bytes(&file, &cut) == OK, length == whole.length);
      tensor_close(&file);
    }
    text_clear(&whole);
  }
}

static void test_scalars_and_empty_arrays_are_read(void) {
  TensorFile *file;
  const float value = 2.5f;
  float got = 0;
  char text[64];
  CU_ASSERT_EQUAL_FATAL(open_npy(&file, 1, NPY("'<f4'", "False", "()"), &value, 4), OK);
  CU_ASSERT(tensor_at(file, 0)->dims == 0 && tensor_at(file, 0)->count == 1);
  CU_ASSERT_EQUAL(tensor_read_real(file, tensor_at(file, 0), 0, 1, &got), OK);
  CU_ASSERT_EQUAL(got, 2.5f);
  tensor_close(&file);
  CU_ASSERT_EQUAL_FATAL(open_npy(&file, 1, NPY("\"<f4\"", "True", "(0,)"), NULL, 0), OK);
  CU_ASSERT_EQUAL(tensor_at(file, 0)->count, 0);
  CU_ASSERT_EQUAL(tensor_read_real(file, tensor_at(file, 0), 0, 0, &got), OK);
  tensor_close(&file);
  CU_ASSERT_EQUAL_FATAL(
      open_safetensors(&file, "{" FLOATS("a", "[640,0]", "0", "0") "}", -1, NULL, 0), OK);
  CU_ASSERT_STRING_EQUAL(tensor_describe(tensor_at(file, 0), text), "F32 [640, 0]");
  tensor_close(&file);
}

static void test_absent_files_and_folders_are_named(void) {
  TensorFile *file;
  CU_ASSERT_EQUAL(tensor_open(&file, "/nowhere/rows.npy"), ERR_MISSING);
  CU_ASSERT(why_names("/nowhere/rows.npy"));
  CU_ASSERT_EQUAL(tensor_open(&file, check_folder()), ERR_FILE);
  CU_ASSERT_PTR_NULL(file);
  tensor_close(&file);
}

static void test_file_that_shrinks_is_an_error(void) {
  static const float VALUES[6];
  TensorFile *file;
  float values[6];
  CU_ASSERT_EQUAL_FATAL(open_npy(&file, 1, NPY("'<f4'", "False", "(6,)"), VALUES, 24), OK);
  CU_ASSERT_EQUAL(truncate(path(), 140), 0);
  CU_ASSERT_EQUAL(tensor_read_real(file, tensor_at(file, 0), 0, 6, values), ERR_FILE);
  CU_ASSERT(why_names("meanwhile"));
  tensor_close(&file);
}

static const CheckFact FACTS[] = {
    {"all floating types are widened", test_all_floating_types_are_widened},
    {"all integer types are widened", test_all_integer_types_are_widened},
    {"an integer beyond 63 bits is refused", test_integer_beyond_63_bits_is_refused},
    {"a value that is not finite is named with its place",
     test_value_not_finite_is_named_with_its_place},
    {"columns come transposed", test_columns_come_transposed},
    {"bad .safetensors files are refused", test_bad_safetensors_are_refused},
    {"bad .npy files are refused", test_bad_npy_files_are_refused},
    {"a file cut anywhere is refused", test_file_cut_anywhere_is_refused},
    {"scalars and empty arrays are read", test_scalars_and_empty_arrays_are_read},
    {"absent files and folders are named", test_absent_files_and_folders_are_named},
    {"a file that shrinks is an error", test_file_that_shrinks_is_an_error},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "tensor", FACTS);
}
