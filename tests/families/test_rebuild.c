#include <math.h>
#include <stdlib.h>

#include "check.h"
#include "memory.h"
#include "random.h"
#include "rebuild.h"

enum { WIDTH = 40, FIRINGS = 60, CHILDREN = 25 };

/* A parent and its children, dense: rows where a child is silent hold 0. */
typedef struct Scene {
  float parent[WIDTH], value[FIRINGS];
  float child[CHILDREN][WIDTH], activation[CHILDREN][FIRINGS];
} Scene;

static void draw_unit(float *row, uint64_t stream) {
  double square = 0;
  for (uint64_t j = 0; j < WIDTH; ++j) {
    row[j] = (float)random_normal(random_key(5, "direction", ""), stream * WIDTH + j);
    square += (double)row[j] * (double)row[j];
  }
  for (int64_t j = 0; j < WIDTH; ++j) {
    row[j] = (float)(row[j] / sqrt(square));
  }
}

/* Child c is silent on most rows, and child 3 on all. */
static void draw(Scene *scene) {
  const uint64_t key = random_key(6, "activation", "");
  draw_unit(scene->parent, 0);
  for (uint64_t t = 0; t < FIRINGS; ++t) {
    scene->value[t] = (float)(1 + random_uniform(key, t));
  }
  for (uint64_t c = 0; c < CHILDREN; ++c) {
    draw_unit(scene->child[c], c + 1);
    for (uint64_t t = 0; t < FIRINGS; ++t) {
      const double chance = random_uniform(key, (c + 1) * 1000 + t);
      scene->activation[c][t] =
          c != 3 && t % 5 != 0 && chance < 0.2 ? (float)(5 * chance + 0.1) : 0;
    }
  }
}

/* By definition, in double. */
static double naive(const Scene *scene, int64_t children) {
  double left = 0, all = 0;
  for (int64_t t = 0; t < FIRINGS; ++t) {
    all += (double)scene->value[t] * (double)scene->value[t];
    for (int64_t j = 0; j < WIDTH; ++j) {
      double rest = (double)scene->value[t] * (double)scene->parent[j];
      for (int64_t c = 0; c < children; ++c) {
        rest -= (double)scene->activation[c][t] * (double)scene->child[c][j];
      }
      left += rest * rest;
    }
  }
  return 1 - left / all;
}

static void add_child(Rebuild *rebuild, const Scene *scene, int64_t c) {
  uint32_t at[FIRINGS];
  float value[FIRINGS], *direction = NULL;
  int64_t count = 0;
  for (uint32_t t = 0; t < FIRINGS; ++t) {
    if (scene->activation[c][t] > 0) {
      at[count] = t;
      value[count++] = scene->activation[c][t];
    }
  }
  CU_ASSERT_FATAL(rebuild_add(rebuild, at, value, count, &direction) == OK);
  for (int64_t j = 0; j < WIDTH; ++j) {
    direction[j] = scene->child[c][j];
  }
}

static double found(Rebuild *rebuild, const Scene *scene, int64_t children) {
  double out = 0;
  rebuild_begin(rebuild, WIDTH);
  for (int64_t c = 0; c < children; ++c) {
    add_child(rebuild, scene, c);
  }
  CU_ASSERT(rebuild_end(rebuild, scene->parent, scene->value, FIRINGS, &out) == OK);
  return out;
}

static void test_it_is_the_naive_sum(void) {
  static Scene scene;
  Rebuild rebuild = {0};
  draw(&scene);
  CU_ASSERT_DOUBLE_EQUAL(found(&rebuild, &scene, CHILDREN), naive(&scene, CHILDREN), 1e-6);
  CU_ASSERT_DOUBLE_EQUAL(found(&rebuild, &scene, 1), naive(&scene, 1), 1e-6);
  CU_ASSERT_DOUBLE_EQUAL(found(&rebuild, &scene, 7), naive(&scene, 7), 1e-6);
  rebuild_close(&rebuild);
}

static void test_what_it_means(void) {
  static Scene scene;
  Rebuild rebuild = {0};
  double out = 0;
  draw(&scene);
  for (int64_t t = 0; t < FIRINGS; ++t) { /* two children that take turns, and say the same */
    scene.activation[0][t] = t % 2 == 0 ? scene.value[t] : 0;
    scene.activation[1][t] = t % 2 == 1 ? scene.value[t] : 0;
    scene.activation[2][t] = 2 * scene.value[t];
  }
  for (int64_t j = 0; j < WIDTH; ++j) {
    scene.child[0][j] = scene.child[1][j] = scene.parent[j];
    scene.child[2][j] = scene.parent[j];
  }
  CU_ASSERT_DOUBLE_EQUAL(found(&rebuild, &scene, 2), 1, 1e-6);
  CU_ASSERT_DOUBLE_EQUAL(found(&rebuild, &scene, 3), -3,
                         1e-5); /* three times the parent: (1 - 3)^2 */
  CU_ASSERT(isnan(found(&rebuild, &scene, 0)));
  rebuild_begin(&rebuild, WIDTH);
  add_child(&rebuild, &scene, 3); /* silent */
  CU_ASSERT(rebuild_end(&rebuild, scene.parent, scene.value, FIRINGS, &out) == OK && out == 0);
  rebuild_begin(&rebuild, WIDTH);
  add_child(&rebuild, &scene, 3);
  CU_ASSERT(rebuild_end(&rebuild, scene.parent, scene.value, 0, &out) == OK && isnan(out));
  rebuild_close(&rebuild);
}

static const CheckFact FACTS[] = {
    {"it is the naive sum", test_it_is_the_naive_sum},
    {"1: said again; below 0: said too often; 0: silent; nan: nobody", test_what_it_means},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "rebuild", FACTS);
}
