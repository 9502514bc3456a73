#include <string.h>

#include "archive.h"
#include "check.h"
#include "sample.h"

/* One small file in variants: each change must show in the checksum, or must not. */
typedef struct Variant {
  const char *schema, *name, *unit;
  ArchiveType type;
  int64_t shape[2];
  uint32_t values[8];
  const char *set_object, *set_key, *set_text; /* NULL: no attribute */
  const char *note;
} Variant;

static const Variant BASE = {.schema = "x 1",
                             .name = "/x",
                             .unit = "1",
                             .type = ARCHIVE_U32,
                             .shape = {4, 2},
                             .values = {1, 2, 3, 4, 5, 6, 7, 8},
                             .set_object = "/",
                             .set_key = "key",
                             .set_text = "text",
                             .note = "note"};

static Status fill_variant(Archive *archive, const Variant *variant) {
  const ArchiveDataset dataset = {variant->name,
                                  variant->type,
                                  variant->shape[1] > 0 ? 2 : 1,
                                  {variant->shape[0], variant->shape[1]},
                                  "a variant",
                                  variant->unit};
  TRY(archive_add(archive, &dataset));
  if (variant->set_text != NULL) {
    TRY(archive_set_text(archive, variant->set_object, variant->set_key, variant->set_text));
  }
  TRY(archive_note_text(archive, "/", "note", variant->note));
  TRY(archive_begin(archive));
  const int64_t rows = sample_team()->rank == 0 ? variant->shape[0] : 0;
  return archive_write(archive, variant->name, 0, rows, variant->values);
}

static const char *content_of(const Variant *variant) {
  static char contents[2][17];
  static int next;
  char *content = contents[next++ % 2];
  content[0] = '\0';
  Archive *archive;
  CU_ASSERT_EQUAL(
      archive_create(sample_team(), sample_path("variant.h5"), variant->schema, &archive), OK);
  CU_ASSERT_EQUAL(fill_variant(archive, variant), OK);
  CU_ASSERT_EQUAL(archive_finish(&archive, content), OK);
  CU_ASSERT_EQUAL(strlen(content), 16);
  return content;
}

static void expect_other(const Variant *variant) {
  CU_ASSERT_STRING_NOT_EQUAL(content_of(variant), content_of(&BASE));
}

static void test_values_and_their_places_count(void) {
  Variant variant = BASE;
  variant.values[5] ^= 1;
  expect_other(&variant);
  variant = BASE;
  variant.values[0] = 3, variant.values[1] = 4; /* rows 0 and 1 change places */
  variant.values[2] = 1, variant.values[3] = 2;
  expect_other(&variant);
}

/* Rows of 4 bytes are hashed otherwise than longer ones. */
static void test_places_count_in_one_dimension(void) {
  Variant line = BASE, swapped;
  line.shape[0] = 8, line.shape[1] = 0;
  swapped = line;
  swapped.values[2] = line.values[6], swapped.values[6] = line.values[2];
  CU_ASSERT_STRING_NOT_EQUAL(content_of(&line), content_of(&swapped));
  swapped = line;
  swapped.values[0]++, swapped.values[1]--; /* the plain sum stays */
  CU_ASSERT_STRING_NOT_EQUAL(content_of(&line), content_of(&swapped));
}

static void test_names_types_shapes_and_schema_count(void) {
  Variant variant = BASE;
  variant.name = "/y";
  expect_other(&variant);
  variant = BASE;
  variant.type = ARCHIVE_F32;
  expect_other(&variant);
  variant = BASE;
  variant.shape[0] = 2, variant.shape[1] = 4;
  expect_other(&variant);
  variant = BASE;
  variant.shape[0] = 8, variant.shape[1] = 0;
  expect_other(&variant);
  variant = BASE;
  variant.schema = "x 2";
  expect_other(&variant);
}

static void test_set_attributes_count(void) {
  Variant variant = BASE;
  variant.set_text = "other";
  expect_other(&variant);
  variant.set_text = NULL;
  expect_other(&variant);
  variant = BASE;
  variant.set_key = "kez";
  expect_other(&variant);
  variant = BASE;
  variant.set_object = "/x";
  expect_other(&variant);
}

static void test_notes_do_not_count(void) {
  Variant variant = BASE;
  variant.note = "another";
  CU_ASSERT_STRING_EQUAL(content_of(&variant), content_of(&BASE));
}

static const CheckFact FACTS[] = {
    {"values and their places count", test_values_and_their_places_count},
    {"places count in one dimension", test_places_count_in_one_dimension},
    {"names, types, shapes and the schema count", test_names_types_shapes_and_schema_count},
    {"set attributes count", test_set_attributes_count},
    {"notes do not count", test_notes_do_not_count},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "content", FACTS);
}
