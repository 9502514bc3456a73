/* BatchTopK's selection over ranks against naive loops over the whole dictionary and the whole batch,
 * which every rank makes for itself. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batchwise.h"
#include "check.h"
#include "dense.h"
#include "memory.h"
#include "random.h"
#include "threads.h"

typedef struct Case {
  int64_t latents, width, rows, k;
  bool on_grid; /* weights and rows are multiples of 1/4: many ties */
  float size;   /* of the rows of the second batch, against the first */
} Case;

static Team g_team;
static Mesh g_mesh;

static void fill(const Case *c, uint64_t key, int64_t first, int64_t count, float *out) {
  for (int64_t i = 0; i < count; i++) {
    const double normal = random_normal(key, (uint64_t)(first + i));
    out[i] = (float)(c->on_grid ? nearbyint(2.0 * normal) / 4.0 : normal);
  }
}

static Sae *make_sae(const Case *c) {
  Sae *sae = NULL;
  CU_ASSERT_EQUAL(sae_create(&sae, &g_team, c->latents, c->width), OK);
  const int64_t own = shard_count(sae->own);
  fill(c, 1, sae->own.first * c->width, own * c->width, sae->w_enc);
  fill(c, 2, sae->own.first, own, sae->b_enc);
  sae_measure(sae);
  return sae;
}

static int by_rank(const void *a, const void *b) {
  const PoolHit *p = a, *q = b;
  if (p->score != q->score) {
    return p->score > q->score ? -1 : 1;
  }
  if (p->row != q->row) {
    return p->row < q->row ? -1 : 1;
  }
  return p->id < q->id ? -1 : 1;
}

/* All positive scores, best first; how many there are. */
static int64_t list_all(const Case *c, const float *rows, PoolHit *out) {
  float row[64];
  float bias;
  int64_t count = 0;
  for (int64_t i = 0; i < c->latents; i++) {
    fill(c, 1, i * c->width, c->width, row);
    fill(c, 2, i, 1, &bias);
    for (int64_t b = 0; b < c->rows; b++) {
      const float score = dense_dot(rows + b * c->width, row, c->width) + bias;
      if (score > 0.0F) {
        out[count++] = (PoolHit){score, (int32_t)b, i};
      }
    }
  }
  qsort(out, (size_t)count, sizeof(*out), by_rank);
  return count;
}

/* Is every own one of the first `wanted` among the hits, and nothing else? */
static bool is_right(const Sae *sae, const Hits *hits, const PoolHit *all, int64_t wanted) {
  int64_t mine = 0;
  bool right = true;
  for (int64_t i = 0; i < wanted; i++) {
    if (all[i].id < sae->own.first || all[i].id >= sae->own.past) {
      continue;
    }
    bool found = false;
    for (int64_t h = hits->row_start[all[i].row]; h < hits->row_start[all[i].row + 1]; h++) {
      const SaeHit *hit = &hits->by_row[h];
      found = found || (hit->latent + sae->own.first == all[i].id && hit->value == all[i].score &&
                        hit->active && hit->row == all[i].row);
    }
    mine++;
    right = right && found;
  }
  return right && mine == hits->row_start[hits->rows] && mine == hits->latent_start[hits->latents];
}

static bool are_bounds(const Case *c, const PoolHit *all, int64_t wanted, const double *bounds) {
  bool right = true;
  for (int64_t row = 0; row < c->rows; row++) {
    double sum = 0.0;
    for (int64_t i = 0; i < wanted; i++) {
      sum += all[i].row == row ? (double)all[i].score : 0.0;
    }
    right = right && sum <= bounds[row] && bounds[row] <= 1.01 * sum + 0.01;
  }
  return right;
}

typedef struct Room {
  Sae *sae;
  float *rows;
  PoolHit *all;
  double *bounds;
  Hits hits;
} Room;

static void check_batch(const Case *c, Batchwise *batchwise, Room *room) {
  const int64_t count = list_all(c, room->rows, room->all);
  const int64_t wanted = c->rows * c->k < count ? c->rows * c->k : count;
  CU_ASSERT_EQUAL(batchwise_select(batchwise, &g_mesh, room->sae, room->rows, c->rows, c->rows,
                                   &room->hits, room->bounds),
                  OK);
  CU_ASSERT(is_right(room->sae, &room->hits, room->all, wanted));
  CU_ASSERT(are_bounds(c, room->all, wanted, room->bounds));
  CU_ASSERT_EQUAL(batchwise->cut.score,
                  count < c->rows * c->k ? 0.0F : room->all[wanted - 1].score);
}

static void check_case(const Case *c, int64_t certain) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  mesh_open(&g_mesh, &g_team, 1);
  for (int threads = 1; threads <= 2; threads++) {
    Room room = {.sae = make_sae(c)};
    Batchwise batchwise;
    threads_set(threads);
    CU_ASSERT_EQUAL(MEMORY_NEW(&room.rows, c->rows * c->width, "test"), OK);
    CU_ASSERT_EQUAL(MEMORY_NEW(&room.all, c->rows * c->latents, "test"), OK);
    CU_ASSERT_EQUAL(MEMORY_NEW(&room.bounds, c->rows, "test"), OK);
    CU_ASSERT_EQUAL(batchwise_create(&batchwise, room.sae, c->rows, c->k), OK);
    CU_ASSERT_EQUAL(hits_create(&room.hits, shard_count(room.sae->own), c->rows, c->k), OK);
    for (uint64_t step = 0; step < 3; step++) {
      fill(c, 10 + step, 0, c->rows * c->width, room.rows);
      for (int64_t i = 0; step == 1 && i < c->rows * c->width; i++) {
        room.rows[i] *= c->size;
      }
      check_batch(c, &batchwise, &room);
    }
    CU_ASSERT(certain < 0 || batchwise.tries == certain);
    batchwise_clear(&batchwise);
    hits_clear(&room.hits);
    MEMORY_FREE(room.rows);
    MEMORY_FREE(room.all);
    MEMORY_FREE(room.bounds);
    sae_destroy(&room.sae);
  }
  threads_set(1);
  mesh_close(&g_mesh);
  team_close(&g_team);
}

static void test_the_best_of_the_batch(void) {
  check_case(&(Case){.latents = 200, .width = 24, .rows = 37, .k = 6, .size = 1.0F}, 1);
  check_case(&(Case){.latents = 2100, .width = 60, .rows = 20, .k = 8, .size = 1.0F}, 1);
}

/* The second batch does not reach the first one's floor, the third has more than enough above. */
static void test_a_floor_that_is_too_high(void) {
  check_case(&(Case){.latents = 200, .width = 24, .rows = 37, .k = 6, .size = 0.3F}, 2);
}

static void test_ties_go_to_low_rows_then_low_ids(void) {
  check_case(&(Case){300, 5, 41, 7, .on_grid = true, .size = 1.0F}, -1);
  check_case(&(Case){40, 3, 41, 2, .on_grid = true, .size = 2.0F}, -1);
}

static void test_fewer_than_are_wanted(void) {
  check_case(&(Case){.latents = 3, .width = 9, .rows = 10, .k = 3, .size = 1.0F}, -1);
  check_case(&(Case){.latents = 20, .width = 9, .rows = 1, .k = 1, .size = 1.0F}, -1);
  check_case(&(Case){.latents = 6, .width = 9, .rows = 5, .k = 2, .size = 0.0F}, -1);
}

static const CheckFact FACTS[] = {
    {"the rows x k best of the batch, over all ranks", test_the_best_of_the_batch},
    {"too few above the floor: a certain one is found", test_a_floor_that_is_too_high},
    {"ties go to low rows, then to low ids", test_ties_go_to_low_rows_then_low_ids},
    {"fewer positive scores than are wanted", test_fewer_than_are_wanted},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "batchwise", FACTS);
}
