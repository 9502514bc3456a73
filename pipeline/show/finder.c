/* Search by label: for every word, the features of most firings whose label has it. Words are dealt
 * into buckets by their first two characters, so that the page finds all words with a beginning in
 * one file. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "desk.h"
#include "exchange.h"
#include "memory.h"
#include "shard.h"

enum { WORD_SIZE = 24, WORDS_A_FEATURE = 16, LISTED = 100 };

typedef struct Posting {
  int64_t firings;
  uint32_t id;
  int32_t bucket;
  int32_t dictionary;
  char word[WORD_SIZE + 4]; /* ends with 0 */
} Posting;

typedef struct Postings {
  Posting *items;
  int64_t count, room;
} Postings;

static bool is_separator(const char *at) {
  return *at == ' ' || *at == '\t' || *at == '\n' || memcmp(at, "\xc2\xb7", 2) == 0;
}

static bool is_punctuation(char byte) {
  const unsigned char b = (unsigned char)byte;
  return b < 0x80 && !(b >= '0' && b <= '9') && !(b >= 'A' && b <= 'Z') && !(b >= 'a' && b <= 'z');
}

/* A word as it is searched: without punctuation around it (unless it is nothing else), ASCII
 * letters small, at most WORD_SIZE bytes of whole characters. */
static void fold(const char *bytes, int64_t length, char *word) {
  int64_t first = 0, past = length, used = 0;
  while (first < past && is_punctuation(bytes[first])) {
    ++first;
  }
  while (past > first && is_punctuation(bytes[past - 1])) {
    --past;
  }
  if (first == past) {
    first = 0;
    past = length;
  }
  for (int64_t at = first; at < past;) {
    int size = text_utf8_length(bytes + at, past - at);
    size = size > 0 ? size : 1;
    if (used + size > WORD_SIZE) {
      break;
    }
    memcpy(word + used, bytes + at, (size_t)size);
    if (word[used] >= 'A' && word[used] <= 'Z') {
      word[used] = (char)(word[used] - 'A' + 'a');
    }
    used += size;
    at += size;
  }
  word[used] = '\0';
}

/* Bucket of a word: FNV-1a of the bytes of its first two characters; cleave.js does the same. */
static int32_t bucket_of(const char *word, int64_t buckets) {
  uint32_t hash = 2166136261u;
  const int64_t length = (int64_t)strlen(word);
  int64_t past = 0;
  for (int i = 0; i < 2 && past < length; ++i) {
    const int size = text_utf8_length(word + past, length - past);
    past += size > 0 ? size : 1;
  }
  for (int64_t i = 0; i < past; ++i) {
    hash = (hash ^ (unsigned char)word[i]) * 16777619u;
  }
  return (int32_t)(hash % (uint32_t)buckets);
}

/* About 256 features a bucket, and at most 4,096 buckets. */
int64_t finder_buckets(const Atlas *atlas) {
  int64_t features = 0, buckets = 16;
  for (int i = 0; i < atlas->count; ++i) {
    features += atlas->dictionaries[i].latents;
  }
  while (buckets < 4096 && buckets * 256 < features) {
    buckets *= 2;
  }
  return buckets;
}

static Status add(Postings *postings, const Posting *posting) {
  if (postings->count == postings->room) {
    postings->room = 2 * postings->room + 1024;
    TRY(MEMORY_RESIZE(&postings->items, postings->room, "words of labels"));
  }
  postings->items[postings->count++] = *posting;
  return OK;
}

/* Is the word among those that this feature added already? */
static bool is_repeated(const Postings *postings, int64_t first, const char *word) {
  for (int64_t i = first; i < postings->count; ++i) {
    if (strcmp(postings->items[i].word, word) == 0) {
      return true;
    }
  }
  return false;
}

static Status add_words(Postings *postings, const Text *label, Posting posting, int64_t buckets) {
  const char *bytes = text_chars(label);
  const int64_t first = postings->count;
  for (int64_t at = 0; at < label->length;) {
    if (is_separator(bytes + at)) {
      at += bytes[at] == '\xc2' ? 2 : 1;
      continue;
    }
    int64_t past = at;
    while (past < label->length && !is_separator(bytes + past)) {
      ++past;
    }
    fold(bytes + at, past - at, posting.word);
    posting.bucket = bucket_of(posting.word, buckets);
    at = past;
    if (!is_repeated(postings, first, posting.word) && postings->count - first < WORDS_A_FEATURE) {
      TRY(add(postings, &posting));
    }
  }
  return OK;
}

static Status gather_dictionary(const Desk *desk, int dictionary, int64_t buckets,
                                Postings *postings, Text *label) {
  const Atlas *atlas = desk->atlas;
  const AtlasDictionary *own = &atlas->dictionaries[dictionary];
  const Shard mine = shard_of(own->latents, 1, atlas->team->rank, atlas->team->size);
  for (int64_t id = mine.first; id < mine.past; ++id) {
    Posting posting = {.id = (uint32_t)id, .dictionary = dictionary};
    label->length = 0;
    TRY(shelf_read(own->columns[ATLAS_FIRINGS], id, 1, &posting.firings));
    TRY(names_of(desk->names, atlas, dictionary, id, label, NULL));
    TRY(add_words(postings, label, posting, buckets));
  }
  return OK;
}

static int by_word(const void *left, const void *right) {
  const Posting *a = left;
  const Posting *b = right;
  if (a->bucket != b->bucket) {
    return a->bucket < b->bucket ? -1 : 1;
  }
  const int words = strcmp(a->word, b->word);
  if (words != 0) {
    return words;
  }
  if (a->firings != b->firings) {
    return a->firings > b->firings ? -1 : 1;
  }
  if (a->dictionary != b->dictionary) {
    return a->dictionary < b->dictionary ? -1 : 1;
  }
  return a->id < b->id ? -1 : (a->id > b->id ? 1 : 0);
}

/* Sort, and of each word keep the LISTED of most firings: no more can reach the page. */
static void settle(Postings *postings) {
  int64_t kept = 0, run = 0;
  if (postings->count == 0) {
    return;
  }
  qsort(postings->items, (size_t)postings->count, sizeof(*postings->items), by_word);
  for (int64_t i = 0; i < postings->count; ++i) {
    const bool is_same = kept > 0 &&
                         postings->items[kept - 1].bucket == postings->items[i].bucket &&
                         strcmp(postings->items[kept - 1].word, postings->items[i].word) == 0;
    run = is_same ? run + 1 : 0;
    if (run < LISTED) {
      postings->items[kept++] = postings->items[i];
    }
  }
  postings->count = kept;
}

static Status gather(const Desk *desk, int64_t buckets, Postings *postings) {
  Text label = {0};
  Status status = OK;
  for (int i = 0; status == OK && i < desk->atlas->count; ++i) {
    status = gather_dictionary(desk, i, buckets, postings, &label);
    settle(postings);
  }
  text_clear(&label);
  return status;
}

/* Send every posting to the rank that writes its bucket. */
static Status deal(Team *team, int64_t buckets, const Postings *mine, Postings *received) {
  int64_t *counts = NULL;
  TRY_NEW(team, &counts, 2 * (int64_t)team->size, "counts of ranks");
  for (int64_t i = 0; i < mine->count; ++i) {
    ++counts[shard_owner(buckets, 1, mine->items[i].bucket, team->size)];
  }
  exchange_counts(team, counts, counts + team->size);
  for (int rank = 0; rank < team->size; ++rank) {
    received->count += counts[team->size + rank];
  }
  const Status status =
      team_agree(team, MEMORY_NEW(&received->items, received->count, "words of labels"));
  if (status == OK) {
    exchange_all_to_all(team, mine->items, counts, received->items, counts + team->size,
                        sizeof(Posting));
    settle(received);
  }
  MEMORY_FREE(counts);
  return status;
}

typedef struct Context {
  const Postings *postings; /* of this rank's buckets */
  int64_t at;               /* first posting that is not written; buckets come in order */
} Context;

/* [[word, [[dictionary, id, firings, label] ...]] ...] */
static Status write_words(const Desk *desk, Context *context, int64_t bucket, Pen *pen) {
  const Postings *all = context->postings;
  const char *word = NULL;
  for (; context->at < all->count && all->items[context->at].bucket == bucket; ++context->at) {
    const Posting *posting = &all->items[context->at];
    if (word == NULL || strcmp(word, posting->word) != 0) {
      if (word != NULL) {
        pen_close(pen, "]");
        pen_close(pen, "]");
      }
      word = posting->word;
      pen_open(pen, "[");
      pen_chars(pen, word);
      pen_open(pen, "[");
    }
    pen_open(pen, "[");
    pen_integer(pen, posting->dictionary);
    pen_integer(pen, posting->id);
    pen_integer(pen, posting->firings);
    TRY(desk_label(desk, posting->dictionary, posting->id, pen));
    pen_close(pen, "]");
  }
  if (word != NULL) {
    pen_close(pen, "]");
    pen_close(pen, "]");
  }
  return OK;
}

static Status write_bucket(Desk *desk, int64_t bucket, void *context) {
  Text json = {0};
  Pen pen = pen_on(&json);
  char key[64];
  pen_open(&pen, "[");
  Status status = write_words(desk, context, bucket, &pen);
  pen_close(&pen, "]");
  snprintf(key, sizeof(key), "search/%lld", (long long)bucket);
  status = status == OK ? pen_status(&pen) : status;
  status = status == OK ? desk_write(desk, key, &json) : status;
  text_clear(&json);
  return status;
}

Status finder_write(Desk *desk) {
  Team *team = desk->atlas->team;
  const int64_t buckets = finder_buckets(desk->atlas);
  Postings mine = {0}, received = {0};
  Status status = team_agree(team, gather(desk, buckets, &mine));
  status = status == OK ? deal(team, buckets, &mine, &received) : status;
  MEMORY_FREE(mine.items);
  if (status == OK) {
    Context context = {.postings = &received};
    status = desk_deal(desk, buckets, write_bucket, &context);
  }
  MEMORY_FREE(received.items);
  return status;
}
