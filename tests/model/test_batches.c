#include <string.h>

#include "batches.h"
#include "check.h"
#include "dense.h"
#include "memory.h"

enum { WIDTH = 3, ROWS_MOST = 3000 };

static Team g_team;
static int64_t g_reads;

static float value_of(int64_t row, int64_t column) {
  return (float)(row % 256) + (float)(row / 256) * 256.0F + (float)column * 0.25F;
}

static Status read_rows(void *context, int64_t first, int64_t rows, void *out) {
  const int64_t *failing = context;
  float *values = out;
  if (failing != NULL && *failing >= first && *failing < first + rows) {
    return RAISE(ERR_FILE, "row %lld cannot be read", (long long)*failing);
  }
  for (int64_t i = 0; i < rows * WIDTH; i++) {
    values[i] = value_of(first + i / WIDTH, i % WIDTH);
  }
  g_reads += rows;
  return OK;
}

static Status read_bf16(void *context, int64_t first, int64_t rows, void *out) {
  (void)context;
  for (int64_t i = 0; i < rows * WIDTH; i++) {
    const float value = (float)((first + i / WIDTH) % 128);
    dense_to_bf16(&value, 1, (uint16_t *)out + i);
  }
  return OK;
}

static BatchesSpec spec_of(int64_t rows, int64_t batch, int64_t window) {
  return (BatchesSpec){.rows = rows,
                       .width = WIDTH,
                       .batch = batch,
                       .window = window,
                       .scale = 2.0,
                       .seed = 7,
                       .name = "1k",
                       .read = read_rows};
}

static Batches *open_batches(const BatchesSpec *spec) {
  Batches *batches = NULL;
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  CU_ASSERT_EQUAL(batches_create(&batches, &g_team, spec), OK);
  g_reads = 0;
  return batches;
}

static void close_batches(Batches *batches) {
  batches_destroy(&batches);
  CU_ASSERT_PTR_NULL(batches);
  team_close(&g_team);
}

/* What a rank gets is what batches_row says, which knows no ranks. */
static void check_batch(Batches *batches, const BatchesSpec *spec, int64_t step) {
  float out[400 * WIDTH];
  bool right = true;
  CU_ASSERT_EQUAL(batches_take(batches, &g_team, step, out), OK);
  for (int64_t i = 0; i < spec->batch * WIDTH; i++) {
    const int64_t row = batches_row(batches, step, i / WIDTH);
    right = right && row >= 0 && row < spec->rows && out[i] == 2.0F * value_of(row, i % WIDTH);
  }
  CU_ASSERT(right);
}

static void test_batches_are_a_function_of_the_step(void) {
  const BatchesSpec spec = spec_of(2500, 100, 600);
  Batches *batches = open_batches(&spec);
  CU_ASSERT_EQUAL(batches_steps(batches, 3.0), 75);
  for (int64_t step = 0; step < 75; step += 1 + step % 3) {
    check_batch(batches, &spec, step);
  }
  check_batch(batches, &spec, 4); /* going back is fine */
  close_batches(batches);
}

/* Windows of 512 rows under batches of 400: all but the first batch span two. */
static void test_a_batch_may_span_windows(void) {
  const BatchesSpec spec = spec_of(2500, 400, 512);
  Batches *batches = open_batches(&spec);
  for (int64_t step = 0; step < batches_steps(batches, 1.0); step++) {
    check_batch(batches, &spec, step);
  }
  close_batches(batches);
}

static void check_epochs(int64_t rows, int64_t batch, int64_t window) {
  const BatchesSpec spec = spec_of(rows, batch, window);
  Batches *batches = open_batches(&spec);
  const int64_t steps = rows / batch;
  int64_t differing = 0;
  for (int64_t epoch = 0; epoch < 2; epoch++) {
    int seen[ROWS_MOST] = {0};
    int64_t most = 0;
    for (int64_t i = 0; i < steps * batch; i++) {
      const int64_t row = batches_row(batches, epoch * steps + i / batch, i % batch);
      most = ++seen[row] > most ? seen[row] : most;
      differing += row != batches_row(batches, i / batch, i % batch);
    }
    CU_ASSERT_EQUAL(most, 1);
  }
  CU_ASSERT(differing > steps * batch * 9 / 10);
  close_batches(batches);
}

static void test_an_epoch_has_each_row_once(void) {
  check_epochs(2500, 100, 600);
  check_epochs(2560, 256, 512);
  check_epochs(2561, 50, 256);
  check_epochs(300, 300, 100000);
}

static void test_another_name_is_another_order(void) {
  BatchesSpec spec = spec_of(2000, 100, 600);
  Batches *one = open_batches(&spec);
  Batches *two = NULL;
  int64_t equal = 0;
  spec.name = "4k";
  CU_ASSERT_EQUAL(batches_create(&two, &g_team, &spec), OK);
  for (int64_t i = 0; i < 2000; i++) {
    equal += batches_row(one, i / 100, i % 100) == batches_row(two, i / 100, i % 100);
  }
  CU_ASSERT(equal < 40);
  batches_destroy(&two);
  close_batches(one);
}

static void test_passes_may_be_a_fraction(void) {
  const double passes[] = {0.5, 1.25, 1e-9};
  const int64_t steps[] = {12, 31, 1};
  for (int i = 0; i < 3; i++) {
    const BatchesSpec spec = spec_of(2500, 100, 600);
    Batches *batches = open_batches(&spec);
    CU_ASSERT_EQUAL(batches_steps(batches, passes[i]), steps[i]);
    close_batches(batches);
  }
}

static void test_each_row_is_read_by_one_rank(void) {
  const BatchesSpec spec = spec_of(2560, 128, 1024);
  Batches *batches = open_batches(&spec);
  for (int64_t step = 0; step < batches_steps(batches, 1.0); step++) {
    check_batch(batches, &spec, step);
  }
  MPI_Allreduce(MPI_IN_PLACE, &g_reads, 1, MPI_INT64_T, MPI_SUM, g_team.comm);
  CU_ASSERT_EQUAL(g_reads, 2560);
  close_batches(batches);
}

static void test_bf16_is_widened(void) {
  BatchesSpec spec = spec_of(700, 350, 512);
  spec.is_bf16 = true;
  spec.read = read_bf16;
  Batches *batches = open_batches(&spec);
  float out[350 * WIDTH];
  CU_ASSERT_EQUAL(batches_take(batches, &g_team, 1, out), OK);
  for (int64_t i = 0; i < 350 * WIDTH; i++) {
    CU_ASSERT_EQUAL(out[i], 2.0F * (float)(batches_row(batches, 1, i / WIDTH) % 128));
  }
  close_batches(batches);
}

static void test_a_failing_read_fails_on_all(void) {
  BatchesSpec spec = spec_of(2500, 400, 512);
  int64_t failing = 1700;
  spec.context = &failing;
  Batches *batches = open_batches(&spec);
  float out[400 * WIDTH];
  int64_t failed = 0;
  for (int64_t step = 0; step < batches_steps(batches, 1.0); step++) {
    failed += batches_take(batches, &g_team, step, out) == ERR_FILE;
  }
  CU_ASSERT(failed > 0);
  close_batches(batches);
}

static const CheckFact FACTS[] = {
    {"a batch is a function of the step, at any rank count",
     test_batches_are_a_function_of_the_step},
    {"a batch may span windows", test_a_batch_may_span_windows},
    {"an epoch has each row at most once, in an order of its own", test_an_epoch_has_each_row_once},
    {"another name is another order", test_another_name_is_another_order},
    {"passes may be a fraction", test_passes_may_be_a_fraction},
    {"each row is read by one rank", test_each_row_is_read_by_one_rank},
    {"bfloat16 rows are widened and scaled", test_bf16_is_widened},
    {"a row that cannot be read is an error on all ranks", test_a_failing_read_fails_on_all},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "batches", FACTS);
}
