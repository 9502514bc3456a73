#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "lookup.h"
#include "memory.h"
#include "random.h"
#include "ring.h"
#include "span.h"
#include "threads.h"

enum { CHILDREN = 150, PARENTS = 400, WIDTH = 96, MOST = 32 };

/* The team of all ranks, opened at first use. */
static Team *ranks(void) {
  static Team team;
  if (team.size == 0) {
    CU_ASSERT(team_open(&team, NULL, NULL) == OK);
  }
  return &team;
}

/* Unit rows of a whole dictionary. */
typedef struct Rows {
  int64_t count;
  float *row; /* [count, WIDTH] */
} Rows;

static void unit(float *row) {
  const double norm = sqrt(dense_square(row, WIDTH));
  for (int64_t j = 0; j < WIDTH; ++j) {
    row[j] = (float)(row[j] / norm);
  }
}

/* Direction e of a parent between two others. */
static float aside(int64_t parent, int64_t j) {
  return (float)(random_normal(4, (uint64_t)(parent * WIDTH + j)) / sqrt(WIDTH));
}

/* Parents in a cone, so that many are near each other; some twice, and some between the two before
   and a little aside: a + b + 0.3 e. */
static void draw_parents(Rows *rows) {
  rows->count = PARENTS;
  CU_ASSERT(MEMORY_NEW(&rows->row, PARENTS * WIDTH, "parents") == OK);
  for (int64_t p = 0; p < PARENTS; ++p) {
    float *row = rows->row + p * WIDTH;
    for (int64_t j = 0; j < WIDTH; ++j) {
      row[j] = (float)random_normal(1, (uint64_t)(p * WIDTH + j)) + (j < 8 ? 1.5F : 0);
    }
    unit(row);
    for (int64_t j = 0; p % 50 == 48 && j < WIDTH; ++j) {
      row[j] = row[j - WIDTH] + row[j - 2 * WIDTH] + 0.3F * aside(p, j);
    }
    unit(row);
    if (p % 50 == 49) {
      memcpy(row, row - 7 * WIDTH, WIDTH * sizeof *row);
    }
  }
}

/* a + b - 0.2 e: the parent between them joins first, and its weight falls to 0 when they come. */
static void draw_away(float *row, const Rows *parents, int64_t p) {
  for (int64_t j = 0; j < WIDTH; ++j) {
    row[j] =
        parents->row[(p - 1) * WIDTH + j] + parents->row[(p - 2) * WIDTH + j] - 0.2F * aside(p, j);
  }
  unit(row);
}

/* Children between one to five parents, with some noise. */
static void draw_children(Rows *rows, const Rows *parents) {
  rows->count = CHILDREN;
  CU_ASSERT(MEMORY_NEW(&rows->row, CHILDREN * WIDTH, "children") == OK);
  for (int64_t c = 0; c < CHILDREN; ++c) {
    float *row = rows->row + c * WIDTH;
    for (int64_t j = 0; j < WIDTH; ++j) {
      row[j] = 0.05F * (float)(c % 4) * (float)random_normal(2, (uint64_t)(c * WIDTH + j));
    }
    for (int64_t k = 0; k <= c % 5; ++k) {
      const int64_t p = random_below(3, (uint64_t)(c * 8 + k), PARENTS);
      dense_add(row, parents->row + p * WIDTH, WIDTH, 1.0F / (float)(k + 1));
    }
    unit(row);
    if (c % 7 == 3) {
      draw_away(row, parents, 48 + 50 * (c % 8));
    }
  }
}

/* This rank's part of rows that all have. */
static void deal(Directions *out, const Rows *rows) {
  CU_ASSERT(directions_open(out, ranks(), rows->count, WIDTH) == OK);
  memcpy(out->rows, rows->row + out->own.first * WIDTH,
         (size_t)(shard_count(out->own) * WIDTH) * sizeof *out->rows);
}

typedef struct World {
  Rows child_rows, parent_rows;
  Directions child, parent;
  Neighbours up;
} World;

static void world_open(World *world) {
  memset(world, 0, sizeof *world);
  draw_parents(&world->parent_rows);
  draw_children(&world->child_rows, &world->parent_rows);
  deal(&world->child, &world->child_rows);
  deal(&world->parent, &world->parent_rows);
  CU_ASSERT(neighbours_open(&world->up, shard_count(world->child.own), MOST) == OK);
  CU_ASSERT(neighbours_find(ranks(), &world->child, &world->parent, &world->up, NULL, NULL) == OK);
}

static void world_close(World *world) {
  MEMORY_FREE(world->child_rows.row);
  MEMORY_FREE(world->parent_rows.row);
  directions_clear(&world->child);
  directions_clear(&world->parent);
  neighbours_clear(&world->up);
}

/* The oracle: dense rows in double, and of all subsets of the parents that joined the one with
   nonnegative weights and the smallest residual. */
typedef struct Naive {
  int count;
  int64_t id[SPAN_MOST];
  double weight[SPAN_MOST];
  double residual[WIDTH], r2;
} Naive;

static double dot(const float *a, const double *b) {
  double sum = 0;
  for (int j = 0; j < WIDTH; ++j) {
    sum += (double)a[j] * b[j];
  }
  return sum;
}

/* Weights of a subset by Gauss-Jordan on the normal equations; false: singular. */
static bool subset_weights(const Rows *parents, const double *child, const int64_t *id, int count,
                           double *weight) {
  double m[SPAN_MOST][SPAN_MOST + 1], other[WIDTH];
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j < count; ++j) {
      for (int w = 0; w < WIDTH; ++w) {
        other[w] = (double)parents->row[id[j] * WIDTH + w];
      }
      m[i][j] = dot(parents->row + id[i] * WIDTH, other);
    }
    m[i][count] = dot(parents->row + id[i] * WIDTH, child);
  }
  for (int i = 0; i < count; ++i) {
    if (fabs(m[i][i]) < 1e-6) {
      return false;
    }
    for (int r = 0; r < count; ++r) {
      const double factor = r == i ? 0 : m[r][i] / m[i][i];
      for (int j = 0; j <= count; ++j) {
        m[r][j] -= factor * m[i][j];
      }
    }
  }
  for (int i = 0; i < count; ++i) {
    weight[i] = m[i][count] / m[i][i];
  }
  return true;
}

static double residual_of(const Rows *parents, const double *child, const int64_t *id,
                          const double *weight, int count, double *residual) {
  double square = 0;
  for (int j = 0; j < WIDTH; ++j) {
    residual[j] = child[j];
    for (int i = 0; i < count; ++i) {
      residual[j] -= weight[i] * (double)parents->row[id[i] * WIDTH + j];
    }
    square += residual[j] * residual[j];
  }
  return square;
}

static void refit(Naive *naive, const Rows *parents, const double *child) {
  double least = 2;
  for (unsigned subset = 0; subset < 1u << naive->count; ++subset) {
    int64_t id[SPAN_MOST];
    double weight[SPAN_MOST], residual[WIDTH] = {0};
    int at[SPAN_MOST], count = 0;
    for (int i = 0; i < naive->count; ++i) {
      if ((subset >> i & 1) != 0) {
        at[count] = i;
        id[count++] = naive->id[i];
      }
    }
    bool is_fine = subset_weights(parents, child, id, count, weight);
    for (int i = 0; i < count && is_fine; ++i) {
      is_fine = weight[i] >= 0;
    }
    const double square = is_fine ? residual_of(parents, child, id, weight, count, residual) : 2;
    if (square < least) {
      least = square;
      memcpy(naive->residual, residual, sizeof residual);
      memset(naive->weight, 0, sizeof naive->weight);
      for (int i = 0; i < count; ++i) {
        naive->weight[at[i]] = weight[i];
      }
    }
  }
  naive->r2 = 1 - least;
}

/* `gap`: how clear the least clear choice was. */
static void naive_fit(const World *world, int64_t own, int most, Naive *naive, double *gap) {
  double child[WIDTH];
  const int64_t c = world->child.own.first + own;
  memset(naive, 0, sizeof *naive);
  *gap = 1;
  for (int j = 0; j < WIDTH; ++j) {
    child[j] = naive->residual[j] = (double)world->child_rows.row[c * WIDTH + j];
  }
  for (int step = 0; step < most; ++step) {
    double best = SPAN_LEAST, second = SPAN_LEAST;
    int64_t chosen = -1;
    for (int64_t j = 0; j < world->up.counts[own]; ++j) {
      const int64_t id = select_id(world->up.keys[own * MOST + j]);
      const double value = dot(world->parent_rows.row + id * WIDTH, naive->residual);
      bool is_new = true;
      for (int i = 0; i < naive->count; ++i) {
        is_new = is_new && naive->id[i] != id;
      }
      if (is_new && value > best) {
        second = best;
        best = value;
        chosen = id;
      } else if (is_new && value > second) {
        second = value;
      }
    }
    if (chosen < 0) {
      break;
    }
    *gap = fmin(*gap, best - second);
    naive->id[naive->count++] = chosen;
    refit(naive, &world->parent_rows, child);
  }
}

static double weight_of(const SpanFit *fit, int64_t id) {
  for (int i = 0; i < SPAN_MOST; ++i) {
    if (fit->parent[i] == id) {
      return (double)fit->weight[i];
    }
  }
  return 0;
}

/* Products are rounded to float32, so 1e-5; a choice less clear than that may fall otherwise. */
static void compare(const World *world, const SpanFit *fits, int parents) {
  int64_t wrong = 0, clear = 0, zeros = 0;
  for (int64_t c = 0; c < world->up.count; ++c) {
    Naive naive;
    double gap;
    naive_fit(world, c, parents, &naive, &gap);
    if (gap < 1e-5) {
      continue;
    }
    ++clear;
    wrong += fabs((double)fits[c].r2 - naive.r2) > 1e-5;
    for (int i = 0; i < naive.count; ++i) {
      wrong += fabs(weight_of(&fits[c], naive.id[i]) - naive.weight[i]) > 1e-4;
      zeros += naive.weight[i] == 0;
    }
    for (int i = 1; i < SPAN_MOST; ++i) {
      wrong += fits[c].weight[i] > fits[c].weight[i - 1];
      wrong += (fits[c].weight[i] > 0) != (fits[c].parent[i] != LOOKUP_NONE);
    }
  }
  CU_ASSERT(wrong == 0);
  CU_ASSERT(clear >= world->up.count / 2);
  CU_ASSERT(parents < 4 || world->up.count < CHILDREN || zeros > 5); /* some weights fall to 0 */
}

static void test_fits_equal_a_naive_pursuit(void) {
  World world;
  SpanFit *fits = NULL;
  world_open(&world);
  CU_ASSERT(MEMORY_NEW(&fits, world.up.count, "fits") == OK);
  for (int parents = 1; parents <= 6; parents += parents < 4 ? 1 : 2) {
    CU_ASSERT(span_fit(ranks(), &world.child, &world.parent, &world.up, parents, fits) == OK);
    compare(&world, fits, parents);
  }
  MEMORY_FREE(fits);
  world_close(&world);
}

static void test_threads_and_blocks_do_not_matter(void) {
  World world;
  SpanFit *fits[2] = {NULL, NULL};
  world_open(&world);
  for (int i = 0; i < 2; ++i) {
    CU_ASSERT(MEMORY_NEW(&fits[i], world.up.count, "fits") == OK);
    threads_set(i == 0 ? 1 : 3);
    ring_set_rows(i == 0 ? 0 : 17);
    CU_ASSERT(span_fit(ranks(), &world.child, &world.parent, &world.up, 4, fits[i]) == OK);
  }
  threads_set(1);
  ring_set_rows(0);
  CU_ASSERT(memcmp(fits[0], fits[1], (size_t)world.up.count * sizeof *fits[0]) == 0);
  MEMORY_FREE(fits[0]);
  MEMORY_FREE(fits[1]);
  world_close(&world);
}

/* Axes as parents, so that every number is known. */
static void axes_open(World *world, int64_t children, const float *mix) {
  memset(world, 0, sizeof *world);
  world->parent_rows.count = WIDTH;
  world->child_rows.count = children;
  CU_ASSERT(MEMORY_NEW(&world->parent_rows.row, WIDTH * WIDTH, "parents") == OK);
  CU_ASSERT(MEMORY_NEW(&world->child_rows.row, children * WIDTH, "children") == OK);
  for (int64_t p = 0; p < WIDTH; ++p) {
    world->parent_rows.row[p * WIDTH + p] = 1;
  }
  for (int64_t c = 0; c < children; ++c) {
    memcpy(world->child_rows.row + c * WIDTH, mix + c * 4, 4 * sizeof *mix);
  }
  deal(&world->child, &world->child_rows);
  deal(&world->parent, &world->parent_rows);
  CU_ASSERT(neighbours_open(&world->up, shard_count(world->child.own), 6) == OK);
  CU_ASSERT(neighbours_find(ranks(), &world->child, &world->parent, &world->up, NULL, NULL) == OK);
}

static void test_axes_have_known_weights(void) {
  static const float MIX[4][4] = {{0.6F, 0.8F, 0, 0},
                                  {1, 0, 0, 0},
                                  {-0.6F, -0.8F, 0, 0}, /* nothing points that way */
                                  {0.5F, 0.5F, 0.5F, 0.5F}};
  World world;
  SpanFit fits[4];
  axes_open(&world, 4, &MIX[0][0]);
  CU_ASSERT(span_fit(ranks(), &world.child, &world.parent, &world.up, 3, fits) == OK);
  for (int64_t i = 0; i < world.up.count; ++i) {
    const SpanFit *fit = &fits[i];
    switch (world.child.own.first + i) {
      case 0:
        CU_ASSERT_DOUBLE_EQUAL(fit->r2, 1, 1e-6);
        CU_ASSERT(fit->parent[0] == 1 && fit->parent[1] == 0 && fit->parent[2] == LOOKUP_NONE);
        CU_ASSERT(fit->weight[0] == 0.8F && fit->weight[1] == 0.6F && fit->weight[2] == 0);
        CU_ASSERT(fit->mutual == 0);
        break;
      case 1:
        CU_ASSERT(fit->r2 == 1 && fit->parent[0] == 0 && fit->parent[1] == LOOKUP_NONE);
        CU_ASSERT(isnan(fit->mutual));
        break;
      case 2:
        CU_ASSERT(fit->r2 == 0 && fit->parent[0] == LOOKUP_NONE && isnan(fit->mutual));
        break;
      default: /* ties go to the lower ids */
        CU_ASSERT(fit->r2 == 0.75F && fit->parent[0] == 0 && fit->parent[1] == 1);
        CU_ASSERT(fit->parent[2] == 2 && fit->parent[3] == LOOKUP_NONE);
        break;
    }
  }
  world_close(&world);
}

static void test_children_without_candidates_have_no_fit(void) {
  static const float MIX[2][4] = {{1, 0, 0, 0}, {0, 1, 0, 0}};
  World world;
  SpanFit fits[2];
  axes_open(&world, 2, &MIX[0][0]);
  for (int64_t i = 0; i < world.up.count; ++i) {
    world.up.counts[i] = 0;
  }
  CU_ASSERT(span_fit(ranks(), &world.child, &world.parent, &world.up, 4, fits) == OK);
  for (int64_t i = 0; i < world.up.count; ++i) {
    CU_ASSERT(isnan(fits[i].r2) && fits[i].parent[0] == LOOKUP_NONE);
  }
  world_close(&world);
}

static const CheckFact FACTS[] = {
    {"fits equal a naive pursuit", test_fits_equal_a_naive_pursuit},
    {"threads and blocks do not matter", test_threads_and_blocks_do_not_matter},
    {"axes have known weights", test_axes_have_known_weights},
    {"children without candidates have no fit", test_children_without_candidates_have_no_fit},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "span", FACTS);
}
