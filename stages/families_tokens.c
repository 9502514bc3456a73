#include "exchange.h"
#include "families_run.h"
#include "memory.h"

/* Features are taken in blocks of at most BLOCK firings (or one feature, if it alone has more); for each block the
   tokens of all rows are streamed once, so that neither is ever held whole. */
enum { BLOCK = 1 << 22, CHUNK = 1 << 18 };

typedef struct Block {
  int64_t first, past; /* own features, counted from the first own one */
  int64_t *start;      /* [own + 1] first firing of each own feature */
  uint32_t *row;       /* [room] rows of the block's firings, then their tokens */
  int64_t *next; /* [room of features] next firing of each feature whose row was not reached yet */
  uint32_t *token;        /* [CHUNK] of the rows streamed */
  int64_t room, features; /* sizes */
} Block;

static void block_close(Block *block) {
  MEMORY_FREE(block->start);
  MEMORY_FREE(block->row);
  MEMORY_FREE(block->next);
  MEMORY_FREE(block->token);
}

static Status check_start(const FamiliesDictionary *one, const int64_t *start) {
  for (int64_t i = 0; i < shard_count(one->own); ++i) {
    if (start[i + 1] < start[i]) {
      return RAISE(ERR_FORMAT, "%s: /feature_start descends: run cleave-encode again",
                   archive_path(one->codes));
    }
  }
  return OK;
}

/* The next block begins where the last one ended. */
static Status next_block(Block *block, int64_t own) {
  block->first = block->past;
  while (block->past < own &&
         (block->past == block->first ||
          block->start[block->past + 1] - block->start[block->first] <= BLOCK)) {
    ++block->past;
  }
  const int64_t firings = block->start[block->past] - block->start[block->first];
  if (firings > block->room) {
    TRY(MEMORY_RESIZE(&block->row, firings, "rows of features"));
    block->room = firings;
  }
  if (block->past - block->first > block->features) {
    block->features = block->past - block->first;
    TRY(MEMORY_RESIZE(&block->next, block->features, "features of a block"));
  }
  return OK;
}

static Status read_rows(const FamiliesDictionary *one, Block *block) {
  const int64_t from = block->start[block->first], to = block->start[block->past];
  for (int64_t i = block->first; i < block->past; ++i) {
    block->next[i - block->first] = block->start[i];
  }
  return to > from ? archive_read_here(one->codes, "/feature_row", from, to - from, block->row)
                   : OK;
}

/* Replace rows below `past` by their tokens: rows of a feature ascend, or it ends at the first that does not. */
static void put_tokens(Block *block, int64_t first, int64_t past) {
  const int64_t from = block->start[block->first];
  for (int64_t i = block->first; i < block->past; ++i) {
    int64_t *next = &block->next[i - block->first];
    for (; *next < block->start[i + 1] && block->row[*next - from] < past &&
           block->row[*next - from] >= first;
         ++*next) {
      block->row[*next - from] = block->token[block->row[*next - from] - first];
    }
  }
}

static Status stream_tokens(const FamiliesRun *run, Block *block) {
  for (int64_t first = 0; first < run->rows && block->past > block->first; first += CHUNK) {
    const int64_t past = first + CHUNK < run->rows ? first + CHUNK : run->rows;
    TRY(archive_read_here(run->activations, "/token", first, past - first, block->token));
    put_tokens(block, first, past);
  }
  return OK;
}

static Status count_block(const FamiliesDictionary *one, Block *block) {
  const int64_t from = block->start[block->first];
  for (int64_t i = block->first; i < block->past; ++i) {
    const int64_t firings = block->start[i + 1] - block->start[i];
    if (block->next[i - block->first] != block->start[i + 1]) {
      return RAISE(ERR_FORMAT, "%s: feature %lld fires outside the rows, or they descend",
                   archive_path(one->codes), (long long)(one->own.first + i));
    }
    one->token[i] = LOOKUP_NONE;
    one->commonest[i] =
        metrics_commonest(block->row + (block->start[i] - from), firings, &one->token[i]);
  }
  return OK;
}

static Status count_features(const FamiliesRun *run, FamiliesDictionary *one, Block *block) {
  const int64_t own = shard_count(one->own);
  TRY(MEMORY_NEW(&one->commonest, own, "firings on a token"));
  TRY(MEMORY_NEW(&one->token, own, "most frequent tokens"));
  TRY(MEMORY_NEW(&block->start, own + 1, "first firings"));
  TRY(MEMORY_NEW(&block->token, CHUNK, "tokens of rows"));
  if (own == 0) {
    return OK;
  }
  TRY(archive_read_here(one->codes, "/feature_start", one->own.first, own + 1, block->start));
  TRY(check_start(one, block->start));
  while (block->past < own) {
    TRY(next_block(block, own));
    TRY(read_rows(one, block));
    TRY(stream_tokens(run, block));
    TRY(count_block(one, block));
  }
  return OK;
}

Status families_count_tokens(FamiliesRun *run) {
  for (int64_t l = 0; run->has_tokens && l < run->levels; ++l) {
    Block block = {0};
    FamiliesDictionary *one = &run->dictionaries[run->of_level[l]];
    const Status status = team_agree(run->team, count_features(run, one, &block));
    block_close(&block);
    TRY(status);
  }
  return OK;
}
