#include "check.h"
#include "shard.h"

static const int64_t TOTALS[] = {0, 1, 5, 16, 17, 1000, 4097};
static const int64_t BLOCKS[] = {1, 3, 16, 1024};
enum { TOTAL_COUNT = 7, BLOCK_COUNT = 4, SIZE_MOST = 9 };

static void check_partition(int64_t total, int64_t block, int size) {
  int64_t at = 0, blocks_before = INT64_MAX;
  for (int rank = 0; rank < size; rank++) {
    const Shard shard = shard_of(total, block, rank, size);
    CU_ASSERT_EQUAL(shard.first, at);
    CU_ASSERT_TRUE(shard.first % block == 0 || shard_count(shard) == 0);
    const int64_t blocks = (shard_count(shard) + block - 1) / block;
    CU_ASSERT_TRUE(blocks <= blocks_before);
    CU_ASSERT_TRUE(rank == 0 || blocks_before - blocks <= 1);
    blocks_before = blocks;
    at = shard.past;
  }
  CU_ASSERT_EQUAL(at, total);
}

static void test_parts_make_the_whole_in_even_blocks(void) {
  for (int i = 0; i < TOTAL_COUNT * BLOCK_COUNT; i++) {
    for (int size = 1; size <= SIZE_MOST; size++) {
      check_partition(TOTALS[i % TOTAL_COUNT], BLOCKS[i / TOTAL_COUNT], size);
    }
  }
}

static void test_the_owner_of_an_item_has_it(void) {
  for (int i = 0; i < TOTAL_COUNT * BLOCK_COUNT; i++) {
    const int64_t total = TOTALS[i % TOTAL_COUNT], block = BLOCKS[i / TOTAL_COUNT];
    for (int64_t index = 0; index < total; index++) {
      const int size = 1 + (int)(index % SIZE_MOST);
      const Shard shard = shard_of(total, block, shard_owner(total, block, index, size), size);
      CU_ASSERT_TRUE(shard.first <= index && index < shard.past);
    }
  }
}

static void test_more_ranks_than_blocks_leaves_some_empty(void) {
  CU_ASSERT_EQUAL(shard_count(shard_of(10, 8, 0, 4)), 8);
  CU_ASSERT_EQUAL(shard_count(shard_of(10, 8, 1, 4)), 2);
  CU_ASSERT_EQUAL(shard_count(shard_of(10, 8, 2, 4)), 0);
  CU_ASSERT_EQUAL(shard_count(shard_of(10, 8, 3, 4)), 0);
}

static void test_huge_totals_do_not_overflow(void) {
  const int64_t total = INT64_MAX - 5;
  check_partition(total, 1024, 7);
  CU_ASSERT_EQUAL(shard_owner(total, 1024, total - 1, 7), 6);
}

static void test_a_latent_block_is_a_sixteenth_at_most_1024(void) {
  const int64_t cases[][2] = {{1, 1},        {15, 1},         {16, 1},       {256, 16},
                              {1024, 64},    {8192, 512},     {16383, 1023}, {16384, 1024},
                              {17000, 1024}, {34000000, 1024}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    CU_ASSERT_EQUAL(shard_latent_block(cases[i][0]), cases[i][1]);
  }
}

static const CheckFact FACTS[] = {
    {"parts make the whole in even blocks", test_parts_make_the_whole_in_even_blocks},
    {"the owner of an item has it", test_the_owner_of_an_item_has_it},
    {"more ranks than blocks leaves some empty", test_more_ranks_than_blocks_leaves_some_empty},
    {"huge totals do not overflow", test_huge_totals_do_not_overflow},
    {"a latent block is a sixteenth, at most 1,024",
     test_a_latent_block_is_a_sixteenth_at_most_1024},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "shard", FACTS);
}
