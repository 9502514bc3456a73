#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "read/tensor_writer.h"
#include "tensor.h"

enum { ROWS = 3000, COLUMNS = 50, VALUES = ROWS * COLUMNS };
#define MATRIX "{'descr': '<f4', 'fortran_order': False, 'shape': (3000, 50), }"
#define VECTOR "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }"

static char g_path[1024], g_unpacked[1024];
static Text g_matrix, g_vector; /* .npy */

static void set_up(void) {
  static float values[VALUES];
  static const int64_t IDS[] = {7, 8, 9};
  for (int i = 0; i < VALUES; i++) {
    values[i] = (float)(i % 97);
  }
  snprintf(g_path, sizeof(g_path), "%s/under-test.npz", check_folder());
  snprintf(g_unpacked, sizeof(g_unpacked), "%s/unpacked.npy", check_folder());
  write_npy(&g_matrix, 1, MATRIX, values, sizeof(values));
  write_npy(&g_vector, 1, VECTOR, IDS, sizeof(IDS));
}

static Status open_zip(TensorFile **file, const ZipMember *members, int count) {
  Text text = {0};
  write_zip(&text, members, count);
  CU_ASSERT_EQUAL(text_write_file(&text, g_path), OK);
  text_clear(&text);
  return tensor_open(file, g_path);
}

/* A member that tells the truth. */
static ZipMember honest(const char *name, const Text *content, int method) {
  return (ZipMember){
      .name = name, .content = content, .method = method, .said_size = -1, .said_packed = -1};
}

static bool why_names(const char *words) {
  if (strstr(status_why(), words) == NULL) {
    fprintf(stderr, "\nnot in the reason: %s\nreason: %s\n", words, status_why());
    return false;
  }
  return true;
}

static bool is_there(const char *path) {
  return access(path, F_OK) == 0;
}

/* Ranges in an order that jumps about, between members too. */
static void check_matrix(TensorFile *file, const Tensor *tensor, const Tensor *vector) {
  static const int RANGES[][2] = {{VALUES - 1, 1}, {0, 10}, {5000, 7000}, {0, VALUES}, {3, 1}};
  static float values[VALUES];
  int wrong = 0;
  for (size_t r = 0; r < sizeof(RANGES) / sizeof(RANGES[0]); r++) {
    const int first = RANGES[r][0], count = RANGES[r][1];
    int64_t ids[2] = {0, 0};
    CU_ASSERT_EQUAL(tensor_read_real(file, tensor, first, count, values), OK);
    for (int i = 0; i < count; i++) {
      wrong += values[i] != (float)((first + i) % 97);
    }
    if (vector != NULL) {
      CU_ASSERT_EQUAL(tensor_read_integer(file, vector, 1, 2, ids), OK);
      CU_ASSERT(ids[0] == 8 && ids[1] == 9);
    }
  }
  CU_ASSERT_EQUAL(wrong, 0);
}

static void test_stored_members_are_read_in_place(void) {
  for (int is_zip64 = 0; is_zip64 < 2; is_zip64++) {
    ZipMember members[] = {honest("w.npy", &g_matrix, 0), honest("ids.npy", &g_vector, 0)};
    TensorFile *file;
    members[0].is_zip64 = is_zip64;
    CU_ASSERT_EQUAL_FATAL(open_zip(&file, members, 2), OK);
    const Tensor *matrix = tensor_find(file, "w"), *vector = tensor_find(file, "ids");
    CU_ASSERT_PTR_NOT_NULL_FATAL(matrix);
    CU_ASSERT_PTR_NOT_NULL_FATAL(vector);
    CU_ASSERT(!matrix->is_packed && matrix->shape[0] == ROWS && matrix->shape[1] == COLUMNS);
    check_matrix(file, matrix, vector);
    tensor_close(&file);
  }
}

static void test_deflated_members_are_unpacked(void) {
  for (int is_zip64 = 0; is_zip64 < 2; is_zip64++) {
    ZipMember members[] = {honest("w.npy", &g_matrix, 8), honest("ids.npy", &g_vector, 0)};
    TensorFile *file, *unpacked;
    float value;
    members[0].is_zip64 = is_zip64;
    CU_ASSERT_EQUAL_FATAL(open_zip(&file, members, 2), OK);
    const Tensor *matrix = tensor_find(file, "w");
    CU_ASSERT(matrix->is_packed && matrix->shape[0] == ROWS);
    CU_ASSERT_EQUAL(tensor_read_real(file, matrix, 0, 1, &value), ERR_UNSUPPORTED);
    CU_ASSERT(why_names("compressed"));
    CU_ASSERT_EQUAL(tensor_unpack(file, matrix, g_unpacked), OK);
    CU_ASSERT_EQUAL_FATAL(tensor_open(&unpacked, g_unpacked), OK);
    check_matrix(unpacked, tensor_at(unpacked, 0), NULL);
    tensor_close(&unpacked);
    tensor_close(&file);
    unlink(g_unpacked);
  }
}

typedef struct Bad {
  const char *name;
  int method;
  int64_t said_size, said_packed;
  const char *why;
} Bad;

static void test_bad_members_are_refused(void) {
  static const Bad BAD[] = {
      {"../w.npy", 0, -1, -1, "no folders"},
      {"a/w.npy", 0, -1, -1, "no folders"},
      {"a\\w.npy", 0, -1, -1, "no folders"},
      {"..npy", 0, -1, -1, "no folders"},
      {"/etc/w.npy", 8, -1, -1, "no folders"},
      {"w.pkl", 0, -1, -1, ".npy"},
      {".npy", 0, -1, -1, ".npy"},
      {"w.npy", 12, -1, -1, "neither stored"},
      {"w.npy", 0, 1000, -1, "cannot come of"},
      {"w.npy", 0, 600129, 600129, "F32 [3000, 50]"},
      {"w.npy", 0, -1, 10000000, "cannot come of"},
      {"w.npy", 8, 600127, -1, "F32 [3000, 50]"},
      {"w.npy", 8, 600129, -1, "F32 [3000, 50]"},
      {"w.npy", 8, 1000000000, -1, "cannot come of"},
      {"w.npy", 8, 100, -1, "longer than the file"},
      {"w.npy", 8, 11, -1, "no .npy"},
  };
  for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
    ZipMember member = honest(BAD[i].name, &g_matrix, BAD[i].method);
    TensorFile *file;
    member.said_size = BAD[i].said_size;
    member.said_packed = BAD[i].said_packed;
    const Status status = open_zip(&file, &member, 1);
    CU_ASSERT(status == ERR_FORMAT || status == ERR_UNSUPPORTED);
    CU_ASSERT(why_names("under-test.npz"));
    CU_ASSERT(why_names(BAD[i].why));
    CU_ASSERT_PTR_NULL(file);
  }
}

static void test_member_given_twice_is_refused(void) {
  const ZipMember members[] = {honest("w.npy", &g_matrix, 0), honest("w.npy", &g_vector, 0)};
  TensorFile *file;
  CU_ASSERT_EQUAL(open_zip(&file, members, 2), ERR_FORMAT);
  CU_ASSERT(why_names("twice"));
}

/* The header and the zip agree on a small array, but the deflated stream goes on for 64 MiB. */
static void test_zip_bomb_stops_at_the_size_of_its_shape(void) {
  Text bomb = {0};
  TensorFile *file;
  char *zeros;
  CU_ASSERT_EQUAL_FATAL(MEMORY_NEW(&zeros, 1 << 26, "zeros"), OK);
  CU_ASSERT_EQUAL(text_append(&bomb, g_matrix.bytes, g_matrix.length), OK);
  CU_ASSERT_EQUAL(text_append(&bomb, zeros, 1 << 26), OK);
  ZipMember member = honest("w.npy", &bomb, 8);
  member.said_size = g_matrix.length;
  CU_ASSERT_EQUAL_FATAL(open_zip(&file, &member, 1), OK);
  CU_ASSERT_EQUAL(tensor_unpack(file, tensor_at(file, 0), g_unpacked), ERR_FORMAT);
  CU_ASSERT(why_names("w"));
  CU_ASSERT(!is_there(g_unpacked));
  tensor_close(&file);
  text_clear(&bomb);
  MEMORY_FREE(zeros);
}

static void test_stream_that_ends_early_leaves_no_file(void) {
  Text half = {0};
  TensorFile *file;
  CU_ASSERT_EQUAL(text_append(&half, g_matrix.bytes, 300000), OK);
  ZipMember member = honest("w.npy", &half, 8);
  member.said_size = g_matrix.length;
  CU_ASSERT_EQUAL_FATAL(open_zip(&file, &member, 1), OK);
  CU_ASSERT_EQUAL(tensor_unpack(file, tensor_at(file, 0), g_unpacked), ERR_FORMAT);
  CU_ASSERT(!is_there(g_unpacked));
  tensor_close(&file);
  text_clear(&half);
}

static void test_wrong_checksum_leaves_no_file(void) {
  ZipMember member = honest("w.npy", &g_matrix, 8);
  TensorFile *file;
  char part[1100];
  member.is_crc_wrong = true;
  snprintf(part, sizeof(part), "%s.part", g_unpacked);
  CU_ASSERT_EQUAL_FATAL(open_zip(&file, &member, 1), OK);
  CU_ASSERT_EQUAL(tensor_unpack(file, tensor_at(file, 0), g_unpacked), ERR_FORMAT);
  CU_ASSERT(!is_there(g_unpacked) && !is_there(part));
  tensor_close(&file);
}

static void test_zip_cut_anywhere_is_no_crash(void) {
  const ZipMember members[] = {honest("w.npy", &g_vector, 8), honest("v.npy", &g_vector, 0)};
  Text whole = {0};
  write_zip(&whole, members, 2);
  for (int64_t length = 0; length <= whole.length; length++) {
    Text cut = {0};
    TensorFile *file;
    CU_ASSERT_EQUAL(text_append(&cut, whole.bytes, length), OK);
    CU_ASSERT_EQUAL(text_write_file(&cut, g_path), OK);
    CU_ASSERT_EQUAL(tensor_open(&file, g_path) == OK, length == whole.length);
    tensor_close(&file);
    text_clear(&cut);
  }
  text_clear(&whole);
}

static void test_nothing_is_left_in_memory(void) {
  text_clear(&g_matrix);
  text_clear(&g_vector);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

static void test_files_can_be_written(void) {
  set_up();
  CU_ASSERT_EQUAL(g_matrix.length, 128 + VALUES * 4);
}

static const CheckFact FACTS[] = {
    {"files can be written", test_files_can_be_written},
    {"stored members are read in place", test_stored_members_are_read_in_place},
    {"deflated members are unpacked", test_deflated_members_are_unpacked},
    {"bad members are refused", test_bad_members_are_refused},
    {"a member given twice is refused", test_member_given_twice_is_refused},
    {"a zip bomb stops at the size of its shape", test_zip_bomb_stops_at_the_size_of_its_shape},
    {"a stream that ends early leaves no file", test_stream_that_ends_early_leaves_no_file},
    {"a wrong checksum leaves no file", test_wrong_checksum_leaves_no_file},
    {"a zip cut anywhere is no crash", test_zip_cut_anywhere_is_no_crash},
    {"nothing is left in memory", test_nothing_is_left_in_memory},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "tensor_zip", FACTS);
}
