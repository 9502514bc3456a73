#include "lookup.h"

#include <string.h>

#include "exchange.h"
#include "memory.h"

/* Long lists go in rounds, so that memory does not grow with them: of so many items, or bytes. */
enum { LOOKUP_ROUND = 1 << 20, LOOKUP_BYTES = 1 << 27 };

/* One round of letters: how many go to and come from each rank, and in which order. */
typedef struct Post {
  int64_t *sent, *received;  /* [ranks] */
  int64_t *order;            /* [leaving] list positions, by owner */
  int64_t leaving, arriving; /* letters */
  uint32_t *ids_out;         /* [leaving] */
  uint32_t *ids_in;          /* [arriving] */
} Post;

Shard lookup_own(const Team *team, int64_t total) {
  return shard_of(total, shard_latent_block(total), team->rank, team->size);
}

static int owner_of(const Team *team, int64_t total, uint32_t id) {
  ASSERT(id < total);
  return shard_owner(total, shard_latent_block(total), id, team->size);
}

static void post_close(Post *post) {
  MEMORY_FREE(post->sent);
  MEMORY_FREE(post->received);
  MEMORY_FREE(post->order);
  MEMORY_FREE(post->ids_out);
  MEMORY_FREE(post->ids_in);
}

static Status take_outbox(Post *post, const Team *team, int64_t count) {
  TRY(MEMORY_NEW(&post->sent, team->size, "letters to each rank"));
  TRY(MEMORY_NEW(&post->received, team->size, "letters from each rank"));
  TRY(MEMORY_NEW(&post->order, count, "order of letters"));
  return MEMORY_NEW(&post->ids_out, count, "ids of letters");
}

/* Stable counting sort of the list by owner. */
static Status sort_by_owner(Post *post, const Team *team, int64_t total, const uint32_t *to,
                            int64_t count) {
  int64_t *place = NULL;
  TRY(take_outbox(post, team, count));
  TRY(MEMORY_NEW(&place, team->size, "places of letters"));
  for (int64_t i = 0; i < count; ++i) {
    if (to[i] != LOOKUP_NONE) {
      ++post->sent[owner_of(team, total, to[i])];
    }
  }
  for (int rank = 0; rank < team->size; ++rank) {
    place[rank] = post->leaving;
    post->leaving += post->sent[rank];
  }
  for (int64_t i = 0; i < count; ++i) {
    if (to[i] != LOOKUP_NONE) {
      const int64_t at = place[owner_of(team, total, to[i])]++;
      post->order[at] = i;
      post->ids_out[at] = to[i];
    }
  }
  MEMORY_FREE(place);
  return OK;
}

/* Sort the list, tell every owner which of its items are meant. */
static Status post_open(Post *post, Team *team, int64_t total, const uint32_t *to, int64_t count) {
  *post = (Post){0};
  TRY_ALL(team, sort_by_owner(post, team, total, to, count));
  exchange_counts(team, post->sent, post->received);
  for (int rank = 0; rank < team->size; ++rank) {
    post->arriving += post->received[rank];
  }
  TRY_NEW(team, &post->ids_in, post->arriving, "ids of letters");
  exchange_all_to_all(team, post->ids_out, post->sent, post->ids_in, post->received,
                      sizeof(uint32_t));
  return OK;
}

static int64_t round_length(size_t size) {
  const int64_t items = LOOKUP_BYTES / (int64_t)size;
  return items < 1 ? 1 : items < LOOKUP_ROUND ? items : LOOKUP_ROUND;
}

/* How many rounds all ranks make for the longest list. */
static int64_t rounds_of(Team *team, int64_t count, int64_t length) {
  int64_t rounds = (count + length - 1) / length;
  exchange_max_integer(team, &rounds, 1);
  return rounds;
}

static Shard round_of(int64_t round, int64_t count, int64_t length) {
  const int64_t first = round * length < count ? round * length : count;
  const int64_t past = first + length < count ? first + length : count;
  return (Shard){first, past};
}

static Status take_pair(char **a, int64_t count_a, char **b, int64_t count_b, size_t size) {
  TRY(memory_take((void **)a, count_a, size, "items sent"));
  return memory_take((void **)b, count_b, size, "items received");
}

static Status answer(Team *team, const Post *post, Shard own, const char *items, size_t size,
                     char **out, char **in) {
  TRY_ALL(team, take_pair(out, post->arriving, in, post->leaving, size));
  for (int64_t i = 0; i < post->arriving; ++i) {
    memcpy(*out + (size_t)i * size, items + (size_t)(post->ids_in[i] - own.first) * size, size);
  }
  exchange_all_to_all(team, *out, post->received, *in, post->sent, size);
  return OK;
}

static Status items_round(Team *team, int64_t total, const void *own, size_t size,
                          const uint32_t *wanted, int64_t count, char *out) {
  Post post;
  char *sent = NULL, *got = NULL;
  Status status = post_open(&post, team, total, wanted, count);
  if (status == OK) {
    status = answer(team, &post, lookup_own(team, total), own, size, &sent, &got);
  }
  ASSERT(status != OK || got != NULL);
  for (int64_t i = 0; status == OK && i < post.leaving; ++i) {
    memcpy(out + (size_t)post.order[i] * size, got + (size_t)i * size, size);
  }
  MEMORY_FREE(sent);
  MEMORY_FREE(got);
  post_close(&post);
  return status;
}

Status lookup_items(Team *team, int64_t total, const void *own, size_t size, const uint32_t *wanted,
                    int64_t count, void *out) {
  const int64_t length = round_length(size), rounds = rounds_of(team, count, length);
  for (int64_t round = 0; round < rounds; ++round) {
    const Shard part = round_of(round, count, length);
    TRY(items_round(team, total, own, size, wanted + part.first, shard_count(part),
                    (char *)out + (size_t)part.first * size));
  }
  return OK;
}

/* Carry the records along the way that post_open() has laid. */
static Status carry(Team *team, const Post *post, const char *records, size_t size, char **out,
                    char **in) {
  TRY_ALL(team, take_pair(out, post->leaving, in, post->arriving, size));
  for (int64_t i = 0; i < post->leaving; ++i) {
    memcpy(*out + (size_t)i * size, records + (size_t)post->order[i] * size, size);
  }
  exchange_all_to_all(team, *out, post->sent, *in, post->received, size);
  return OK;
}

/* What is done with the values that arrive. */
typedef struct Sink {
  size_t size;
  void (*take)(void *item, const void *value);
} Sink;

static void take_one(void *item, const void *value) {
  (void)value;
  ++*(int64_t *)item;
}

static void take_sum(void *item, const void *value) {
  *(int64_t *)item += *(const int64_t *)value;
}

static void take_largest(void *item, const void *value) {
  const float arrived = *(const float *)value, here = *(float *)item;
  *(float *)item = arrived > here ? arrived : here;
}

static Status sink_round(Team *team, int64_t total, const uint32_t *to, const char *values,
                         int64_t count, const Sink *sink, char *own) {
  Post post;
  char *sent = NULL, *got = NULL;
  const int64_t first = lookup_own(team, total).first;
  Status status = post_open(&post, team, total, to, count);
  if (status == OK && values != NULL) {
    status = carry(team, &post, values, sink->size, &sent, &got);
  }
  for (int64_t i = 0; status == OK && i < post.arriving; ++i) {
    sink->take(own + (size_t)(post.ids_in[i] - first) * sink->size,
               got != NULL ? got + (size_t)i * sink->size : NULL);
  }
  MEMORY_FREE(sent);
  MEMORY_FREE(got);
  post_close(&post);
  return status;
}

/* All ranks bring values or none does: an empty list has no pointer of its own. */
static Status sink_all(Team *team, int64_t total, const uint32_t *to, const void *values,
                       int64_t count, const Sink *sink, void *own) {
  static const int64_t nothing = 0;
  const int64_t length = round_length(sink->size), rounds = rounds_of(team, count, length);
  const bool has_values = team_any(team, values != NULL && count > 0);
  for (int64_t round = 0; round < rounds; ++round) {
    const Shard part = round_of(round, count, length);
    const char *of_round = (const char *)values + (size_t)part.first * sink->size;
    TRY(sink_round(team, total, to + part.first,
                   !has_values  ? NULL
                   : count == 0 ? (const char *)&nothing
                                : of_round,
                   shard_count(part), sink, own));
  }
  return OK;
}

Status lookup_add(Team *team, int64_t total, const uint32_t *to, const int64_t *values,
                  int64_t count, int64_t *own) {
  const bool has_values = team_any(team, values != NULL && count > 0);
  const Sink sink = {sizeof *values, has_values ? take_sum : take_one};
  return sink_all(team, total, to, values, count, &sink, own);
}

Status lookup_max(Team *team, int64_t total, const uint32_t *to, const float *values, int64_t count,
                  float *own) {
  const Sink sink = {sizeof *values, take_largest};
  return sink_all(team, total, to, values, count, &sink, own);
}

Status lookup_deliver(Team *team, int64_t total, const uint32_t *to, const void *records,
                      size_t size, int64_t count, void **out, int64_t *arrived) {
  Post post;
  char *sent = NULL, *got = NULL;
  *out = NULL;
  Status status = post_open(&post, team, total, to, count);
  if (status == OK) {
    status = carry(team, &post, records, size, &sent, &got);
  }
  *arrived = post.arriving;
  MEMORY_FREE(sent);
  post_close(&post);
  if (status != OK) {
    MEMORY_FREE(got);
  }
  *out = got;
  return status;
}
