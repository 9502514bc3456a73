#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "codes.h"
#include "codes_source.h"
#include "memory.h"
#include "read/tensor_writer.h"
#include "shard.h"

/* 5 rows of 6 latents. */
enum { ROWS = 5, LATENTS = 6, ENTRIES = 7 };
static const int64_t START[ROWS + 1] = {0, 3, 3, 4, 7, 7};
static const int64_t ROW[ENTRIES] = {0, 0, 0, 2, 3, 3, 3};
static const int32_t ID[ENTRIES] = {5, 0, 2, 1, 4, 3, 5};
static const float VALUE[ENTRIES] = {1, 3, 2, 0.5f, 1, 1, 1};
static const int64_t SHAPE[2] = {ROWS, LATENTS};

static char g_path[1024];

static Team *the_team(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

/* A file to make, good until something is changed. */
typedef struct Plan {
  int64_t start[ROWS + 1], row[ENTRIES], shape[2];
  int32_t id[ENTRIES];
  float value[ENTRIES];
  const char *format, *first; /* "csr"; the first array's name */
  int64_t values;             /* of them in the file */
  int method;                 /* 0 stored, 8 deflated */
} Plan;

static Plan good(void) {
  Plan plan = {.format = "csr", .values = ENTRIES};
  memcpy(plan.start, START, sizeof(START));
  memcpy(plan.row, ROW, sizeof(ROW));
  memcpy(plan.shape, SHAPE, sizeof(SHAPE));
  memcpy(plan.id, ID, sizeof(ID));
  memcpy(plan.value, VALUE, sizeof(VALUE));
  return plan;
}

static void add_array(ZipMember *member, Text *content, const char *name, const char *descr,
                      const char *shape, const void *data, int64_t bytes) {
  char header[128];
  snprintf(header, sizeof(header), "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr,
           shape);
  write_npy(content, 1, header, data, bytes);
  *member = (ZipMember){.name = name, .content = content, .said_size = -1, .said_packed = -1};
}

static void write_csr(const Plan *plan, Text *file) {
  Text contents[5] = {{0}};
  ZipMember members[5];
  char shape[32];
  snprintf(shape, sizeof(shape), "(%lld,)", (long long)plan->values);
  add_array(&members[0], &contents[0], "indptr.npy", "<i8", "(6,)", plan->start, 48);
  add_array(&members[1], &contents[1], "indices.npy", "<i4", "(7,)", plan->id, 28);
  add_array(&members[2], &contents[2], "data.npy", "<f4", shape, plan->value, 4 * plan->values);
  add_array(&members[3], &contents[3], "shape.npy", "<i8", "(2,)", plan->shape, 16);
  add_array(&members[4], &contents[4], "format.npy", "|S3", "()", plan->format, 3);
  for (int i = 0; i < 5; i++) {
    members[i].method = plan->method;
  }
  write_zip(file, members, 5);
  for (int i = 0; i < 5; i++) {
    text_clear(&contents[i]);
  }
}

static void write_entries(const Plan *plan, Text *file) {
  uint8_t data[56 + 28 + 28];
  char header[512];
  memcpy(data, plan->row, 56);
  memcpy(data + 56, plan->id, 28);
  memcpy(data + 84, plan->value, 28);
  snprintf(header, sizeof(header),
           "{\"%s\":{\"dtype\":\"I64\",\"shape\":[7],\"data_offsets\":[0,56]},"
           "\"feature\":{\"dtype\":\"I32\",\"shape\":[7],\"data_offsets\":[56,84]},"
           "\"value\":{\"dtype\":\"F32\",\"shape\":[%lld],\"data_offsets\":[84,%lld]}}",
           plan->first != NULL ? plan->first : "row", (long long)plan->values,
           (long long)(84 + 4 * plan->values));
  write_safetensors(file, header, -1, data, 84 + 4 * plan->values);
}

/* Rank 0 writes; all open and check. */
static Status open_plan(const Plan *plan, bool is_csr, CodesSource **source) {
  Text file = {0};
  snprintf(g_path, sizeof(g_path), "%s/under-test", check_folder());
  if (the_team()->rank == 0) {
    (is_csr ? write_csr : write_entries)(plan, &file);
    CU_ASSERT_EQUAL(text_write_file(&file, g_path), OK);
    text_clear(&file);
  }
  team_barrier(the_team());
  TRY(codes_source_open(source, the_team(), g_path, check_folder()));
  return codes_source_check(*source, ROWS, LATENTS);
}

/* This rank's slice of all rows, as import reads it. */
static Status read_slice(CodesSource *source, Shard own, CodesSlice *slice) {
  TRY(codes_source_read(source, own.first, shard_count(own), slice));
  return codes_order("codes", own.first, shard_count(own), slice->start, LATENTS, slice->id,
                     slice->value);
}

static Status read_plan(const Plan *plan, bool is_csr) {
  const Shard own = shard_of(ROWS, 1, the_team()->rank, the_team()->size);
  CodesSource *source = NULL;
  CodesSlice slice;
  Status status = open_plan(plan, is_csr, &source);
  if (status == OK) {
    status = team_agree(the_team(), read_slice(source, own, &slice));
  }
  codes_source_close(&source);
  return status;
}

/* Row by row against the plan, whichever rows a rank reads. */
static void check_slice(const CodesSlice *slice, int64_t first, int64_t rows) {
  for (int64_t r = 0; r < rows; r++) {
    const int64_t from = START[first + r], count = START[first + r + 1] - from;
    CU_ASSERT_EQUAL(slice->start[r], from - START[first]);
    CU_ASSERT_EQUAL(slice->start[r + 1] - slice->start[r], count);
    for (int64_t i = 0; i < count; i++) {
      CU_ASSERT_EQUAL(slice->id[slice->start[r] + i], (uint32_t)ID[from + i]);
      CU_ASSERT_EQUAL(slice->value[slice->start[r] + i], VALUE[from + i]);
    }
  }
}

static void test_any_rows_are_read(void) {
  for (int kind = 0; kind < 3; kind++) { /* stored, deflated, by entries */
    Plan plan = good();
    CodesSource *source = NULL;
    plan.method = kind == 1 ? 8 : 0;
    CU_ASSERT_EQUAL(open_plan(&plan, kind < 2, &source), OK);
    for (int64_t first = 0; source != NULL && first <= ROWS; first++) {
      for (int64_t rows = 0; first + rows <= ROWS; rows++) {
        CodesSlice slice;
        CU_ASSERT_EQUAL(codes_source_read(source, first, rows, &slice), OK);
        check_slice(&slice, first, rows);
      }
    }
    codes_source_close(&source);
  }
  char unpacked[1100];
  snprintf(unpacked, sizeof(unpacked), "%s.indptr.unpacked", g_path);
  CU_ASSERT_NOT_EQUAL(access(unpacked, F_OK), 0);
}

typedef struct Bad {
  const char *why;
  Status status;
  bool is_csr;
  void (*change)(Plan *plan);
} Bad;

static void id_too_large(Plan *plan) {
  plan->id[6] = LATENTS;
}
static void id_negative(Plan *plan) {
  plan->id[0] = -1;
}
static void value_zero(Plan *plan) {
  plan->value[3] = 0;
}
static void value_infinite(Plan *plan) {
  plan->value[3] = 1.0f / plan->value[3] * 1e38f * 1e38f;
}
static void value_missing(Plan *plan) {
  plan->values = ENTRIES - 1;
}
static void id_twice(Plan *plan) {
  plan->id[5] = plan->id[4];
}
static void more_rows(Plan *plan) {
  plan->shape[0] = ROWS + 1;
}
static void more_latents(Plan *plan) {
  plan->shape[1] = LATENTS + 1;
}
static void start_descends(Plan *plan) {
  plan->start[2] = 2;
}
static void start_beyond(Plan *plan) {
  plan->start[3] = INT64_MAX;
}
static void start_late(Plan *plan) {
  plan->start[0] = 1;
}
static void end_early(Plan *plan) {
  plan->start[ROWS] = ENTRIES - 1;
}
static void row_long(Plan *plan) {
  plan->start[1] = plan->start[2] = plan->start[3] = 7;
}
static void by_columns(Plan *plan) {
  plan->format = "csc";
}
static void row_descends(Plan *plan) {
  plan->row[5] = 1;
}
static void row_beyond(Plan *plan) {
  plan->row[6] = ROWS;
}
static void row_negative(Plan *plan) {
  plan->row[0] = -1;
}
static void other_names(Plan *plan) {
  plan->first = "column";
}

static const Bad BAD[] = {
    {"entry 6: latent 6 of 6", ERR_DATA, true, id_too_large},
    {"entry 6: latent 6 of 6", ERR_DATA, false, id_too_large},
    {"entry 0: latent -1", ERR_DATA, true, id_negative},
    {"row 2: latent 1 has value 0", ERR_DATA, true, value_zero},
    {"element 3", ERR_FORMAT, false, value_infinite},
    {"'data' and the others", ERR_FORMAT, true, value_missing},
    {"'value' and the others", ERR_FORMAT, false, value_missing},
    {"row 3: latent 4 stands there twice", ERR_DATA, true, id_twice},
    {"[6, 6], but there are 5 rows", ERR_DATA, true, more_rows},
    {"[5, 7], but there are 5 rows", ERR_DATA, true, more_latents},
    {"row 1 goes from entry 3 to 2", ERR_DATA, true, start_descends},
    {"indptr does not ascend", ERR_DATA, true, start_beyond},
    {"indptr goes from 1", ERR_DATA, true, start_late},
    {"indptr", ERR_DATA, true, end_early},
    {"row 0 has 7 entries", ERR_DATA, true, row_long},
    {"tocsr", ERR_UNSUPPORTED, true, by_columns},
    {"entry 5 is of row 1, the one before of 3", ERR_DATA, false, row_descends},
    {"entry 6 is of row 5", ERR_DATA, false, row_beyond},
    {"entry 0 is of row -1", ERR_DATA, false, row_negative},
    {"has no array 'row'", ERR_FORMAT, false, other_names},
};

/* team_agree brings the failing rank's reason to all. */
static void test_bad_codes_are_refused_with_their_place(void) {
  for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++) {
    Plan plan = good();
    BAD[i].change(&plan);
    CU_ASSERT_EQUAL(read_plan(&plan, BAD[i].is_csr), BAD[i].status);
    const bool is_named = strstr(status_why(), BAD[i].why) != NULL;
    CU_ASSERT(is_named);
    if (!is_named) {
      fprintf(stderr, "\nwanted: %s\nreason: %s\n", BAD[i].why, status_why());
    }
  }
}

static const CheckFact FACTS[] = {
    {"any rows are read", test_any_rows_are_read},
    {"bad codes are refused with their place", test_bad_codes_are_refused_with_their_place},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "codes_source", FACTS);
}
