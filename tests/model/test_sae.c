#include <math.h>
#include <string.h>

#include "check.h"
#include "dense.h"
#include "fixed.h"
#include "memory.h"
#include "picks.h"
#include "random.h"
#include "sae.h"
#include "team.h"
#include "threads.h"

/* The exact selection and decoding over ranks against naive loops over the whole dictionary, which
 * every rank makes for itself. */

typedef struct Case {
  int64_t latents, width, rows, k;
  bool on_grid; /* weights and rows are multiples of 1/4: many ties */
} Case;

static Team g_team;
static Mesh g_mesh;

static Team *begin(void) {
  CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  mesh_open(&g_mesh, &g_team, 1);
  return &g_team;
}

static void end(Team *team) {
  mesh_close(&g_mesh);
  team_close(team);
}

static float element(const Case *c, uint64_t key, int64_t index) {
  const double normal = random_normal(key, (uint64_t)index);
  return (float)(c->on_grid ? nearbyint(2.0 * normal) / 4.0 : normal);
}

static void fill(const Case *c, uint64_t key, int64_t first, int64_t count, float *out) {
  for (int64_t i = 0; i < count; i++) {
    out[i] = element(c, key, first + i);
  }
}

/* The rows [first, first + count) of the dictionary; decoder rows of unit norm. */
static void fill_weights(const Case *c, Shard part, float *w_enc, float *w_dec, float *b_enc) {
  const int64_t count = shard_count(part);
  fill(c, 1, part.first * c->width, count * c->width, w_enc);
  fill(c, 2, part.first * c->width, count * c->width, w_dec);
  fill(c, 3, part.first, count, b_enc);
  for (int64_t i = 0; i < count; i++) {
    const double norm = sqrt(dense_square(w_dec + i * c->width, c->width)) + 1e-30;
    for (int64_t j = 0; j < c->width; j++) {
      w_dec[i * c->width + j] = (float)((double)w_dec[i * c->width + j] / norm);
    }
  }
}

static Sae *make_sae(const Case *c, const Team *team) {
  Sae *sae = NULL;
  CU_ASSERT_EQUAL(sae_create(&sae, team, c->latents, c->width), OK);
  fill_weights(c, sae->own, sae->w_enc, sae->w_dec, sae->b_enc);
  fill(c, 4, 0, c->width, sae->b_dec);
  sae_measure(sae);
  return sae;
}

typedef struct Whole {
  float *w_enc, *w_dec, *b_enc, *rows, *centred, *out;
  SelectKey *keys; /* [rows, k] sorted */
  int64_t *counts;
} Whole;

static Whole make_whole(const Case *c, const Sae *sae) {
  Whole w = {0};
  CU_ASSERT_EQUAL(MEMORY_NEW(&w.w_enc, c->latents * c->width, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&w.w_dec, c->latents * c->width, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&w.b_enc, c->latents, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&w.rows, c->rows * c->width, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&w.centred, c->rows * c->width, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&w.out, 3 * c->rows * c->width, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&w.keys, c->rows * c->k, "test"), OK);
  CU_ASSERT_EQUAL(MEMORY_NEW(&w.counts, c->rows, "test"), OK);
  fill_weights(c, (Shard){0, c->latents}, w.w_enc, w.w_dec, w.b_enc);
  fill(c, 5, 0, c->rows * c->width, w.rows);
  sae_centre(sae, w.rows, c->rows, w.centred);
  for (int64_t row = 0; row < c->rows; row++) {
    SelectKey *keys = w.keys + row * c->k;
    for (int64_t i = 0; i < c->latents; i++) {
      const float score =
          dense_dot(w.centred + row * c->width, w.w_enc + i * c->width, c->width) + w.b_enc[i];
      if (score > 0.0F) {
        select_offer(keys, &w.counts[row], c->k, select_key(score, i));
      }
    }
    select_sort(keys, w.counts[row]);
  }
  return w;
}

static void free_whole(Whole *w) {
  MEMORY_FREE(w->w_enc);
  MEMORY_FREE(w->w_dec);
  MEMORY_FREE(w->b_enc);
  MEMORY_FREE(w->rows);
  MEMORY_FREE(w->centred);
  MEMORY_FREE(w->out);
  MEMORY_FREE(w->keys);
  MEMORY_FREE(w->counts);
}

/* Every hit of this rank is one of the row's k best, and none is missing. */
static void check_hits(const Case *c, const Sae *sae, const SaePicks *picks, const Whole *whole) {
  bool right = true;
  for (int64_t row = 0; row < c->rows; row++) {
    int64_t mine = 0;
    for (int64_t i = 0; i < whole->counts[row]; i++) {
      const SelectKey key = whole->keys[row * c->k + i];
      const int64_t id = select_id(key);
      bool found = false;
      for (int64_t h = picks->hits.row_start[row]; h < picks->hits.row_start[row + 1]; h++) {
        const SaeHit *hit = &picks->hits.by_row[h];
        found = found || (hit->latent + sae->own.first == id && hit->value == select_score(key) &&
                          hit->row == row && hit->active);
      }
      const bool is_own = id >= sae->own.first && id < sae->own.past;
      mine += is_own;
      right = right && found == is_own;
    }
    right = right && mine == picks->hits.row_start[row + 1] - picks->hits.row_start[row];
  }
  CU_ASSERT(right);
}

static void check_latents(const Case *c, const Sae *sae, const SaePicks *picks) {
  bool right = picks->hits.latent_start[shard_count(sae->own)] == picks->hits.row_start[c->rows];
  for (int64_t latent = 0; latent < shard_count(sae->own); latent++) {
    for (int64_t h = picks->hits.latent_start[latent]; h < picks->hits.latent_start[latent + 1];
         h++) {
      right = right && picks->hits.by_latent[h].latent == latent &&
              (h == picks->hits.latent_start[latent] ||
               picks->hits.by_latent[h - 1].row < picks->hits.by_latent[h].row);
    }
  }
  CU_ASSERT(right);
}

static void check_slice(const Case *c, const SaePicks *picks, const Whole *whole) {
  const Cut *cut = picks->fire->cut;
  for (int64_t i = 0; i < shard_count(cut->slice); i++) {
    const int64_t row = cut->slice.first + i;
    CU_ASSERT_EQUAL(cut->counts[i], whole->counts[row]);
    CU_ASSERT_EQUAL(memcmp(cut->keys + i * c->k, whole->keys + row * c->k,
                           (size_t)whole->counts[row] * sizeof(SelectKey)),
                    0);
  }
}

/* The worst difference of a nested part's reconstruction from a naive one. */
static double worst_of(const Case *c, const Sae *sae, const Whole *whole, int64_t past,
                       const float *out) {
  double worst = 0.0;
  for (int64_t row = 0; row < c->rows; row++) {
    for (int64_t j = 0; j < c->width; j++) {
      double want = (double)sae->b_dec[j];
      for (int64_t i = 0; i < whole->counts[row]; i++) {
        const SelectKey key = whole->keys[row * c->k + i];
        const int64_t id = select_id(key);
        want +=
            id < past ? (double)select_score(key) * (double)whole->w_dec[id * c->width + j] : 0.0;
      }
      worst = fmax(worst, fabs(want - (double)out[row * c->width + j]));
    }
  }
  return worst;
}

static void check_decode(const Case *c, Team *team, const Sae *sae, SaePicks *picks, Whole *whole) {
  const int64_t past[3] = {c->latents / 5, c->latents / 2, c->latents};
  const int64_t values = c->rows * c->width;
  CU_ASSERT_EQUAL(sae_decode(team, sae, picks, past, 3, whole->out, values), OK);
  for (int g = 0; g < 3; g++) { /* one rounding to float32 of values of about 10 */
    CU_ASSERT(worst_of(c, sae, whole, past[g], whole->out + g * values) < 1e-5);
  }
  CU_ASSERT_EQUAL(sae_decode(team, sae, picks, past + 2, 1, whole->out, values), OK);
  CU_ASSERT_EQUAL(memcmp(whole->out, whole->out + 2 * values, (size_t)values * sizeof(float)), 0);
}

static void check_case(const Case *c) {
  Team *team = begin();
  Sae *sae = make_sae(c, team);
  Whole whole = make_whole(c, sae);
  for (int threads = 1; threads <= 2; threads++) {
    SaePicks *picks = NULL;
    threads_set(threads);
    CU_ASSERT_EQUAL(sae_picks_create(&picks, sae, &g_mesh, c->rows + 3, c->rows + 3, c->k, false),
                    OK);
    CU_ASSERT_EQUAL(sae_select(&g_mesh, sae, whole.centred, c->rows, c->rows, picks), OK);
    check_hits(c, sae, picks, &whole);
    check_latents(c, sae, picks);
    check_slice(c, picks, &whole);
    check_decode(c, team, sae, picks, &whole);
    sae_picks_destroy(&picks);
  }
  threads_set(1);
  free_whole(&whole);
  sae_destroy(&sae);
  CU_ASSERT_PTR_NULL(sae);
  end(team);
}

static void test_selection_is_global_and_exact(void) {
  check_case(&(Case){.latents = 200, .width = 24, .rows = 37, .k = 6});
  check_case(&(Case){.latents = 2100, .width = 70, .rows = 20, .k = 8});
}

static void test_ties_go_to_low_ids(void) {
  check_case(&(Case){300, 5, 41, 7, .on_grid = true});
}

static void test_few_latents(void) {
  check_case(&(Case){.latents = 3, .width = 9, .rows = 10, .k = 2});
  check_case(&(Case){.latents = 20, .width = 9, .rows = 2, .k = 2});
  check_case(&(Case){.latents = 20, .width = 9, .rows = 0, .k = 2});
}

static void test_sum_bounds_the_decode(void) {
  const Case c = {.latents = 64, .width = 8, .rows = 5, .k = 4};
  Team *team = begin();
  Sae *sae = make_sae(&c, team);
  Whole whole = make_whole(&c, sae);
  SaePicks *picks = NULL;
  CU_ASSERT_EQUAL(sae_picks_create(&picks, sae, &g_mesh, c.rows, c.rows, c.k, false), OK);
  CU_ASSERT_EQUAL(sae_select(&g_mesh, sae, whole.centred, c.rows, c.rows, picks), OK);
  for (int64_t row = 0; row < c.rows; row++) {
    double sum = 0.0;
    for (int64_t i = 0; i < c.k && i < whole.counts[row]; i++) {
      sum += (double)select_score(whole.keys[row * c.k + i]);
    }
    CU_ASSERT_EQUAL(picks->fire->cut->lines[row].sum, sum);
  }
  sae_picks_destroy(&picks);
  free_whole(&whole);
  sae_destroy(&sae);
  end(team);
}

static void test_rows_without_bias_stay(void) {
  const Case c = {.latents = 4, .width = 3, .rows = 1, .k = 1};
  Team *team = begin();
  Sae *sae = make_sae(&c, team);
  const float row[3] = {1.0F, 2.0F, 3.0F};
  float out[3];
  sae->subtract_b_dec = false;
  sae_centre(sae, row, 1, out);
  CU_ASSERT_EQUAL(memcmp(row, out, sizeof(row)), 0);
  sae_destroy(&sae);
  end(team);
}

static const CheckFact FACTS[] = {
    {"the selection is global and exact, at any rank and thread count",
     test_selection_is_global_and_exact},
    {"ties go to the lower id, across ranks too", test_ties_go_to_low_ids},
    {"fewer latents than ranks or than k, fewer rows than ranks", test_few_latents},
    {"the sum of a row's activations comes with its cut", test_sum_bounds_the_decode},
    {"without subtract_b_dec rows stay as they are", test_rows_without_bias_stay},
};

int main(int argc, char **argv) {
  dense_open();
  return CHECK_MAIN_RANKS(argc, argv, "sae", FACTS);
}
