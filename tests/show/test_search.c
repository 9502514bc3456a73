#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "check.h"
#include "memory.h"
#include "schema.h"
#include "search.h"
#include "toy_run.h"
#include "toy_team.h"

static Team team;
static Atlas atlas;

/* The whole text, and the token of each byte. */
static Text g_text;
static int64_t *g_token_of;
static int64_t g_tokens;

static void spell(void) {
  Shelf *shelf = atlas.text[ATLAS_TOKEN];
  g_tokens = shelf_rows(shelf);
  CU_ASSERT_FATAL(MEMORY_NEW(&g_token_of, g_tokens * 64, "bytes") == OK);
  for (int64_t t = 0; t < g_tokens; ++t) {
    uint32_t token;
    const int64_t before = g_text.length;
    CU_ASSERT(shelf_read(shelf, t, 1, &token) == OK && atlas_piece(&atlas, token, &g_text) == OK);
    CU_ASSERT_FATAL(g_text.length < g_tokens * 64);
    for (int64_t at = before; at < g_text.length; ++at) {
      g_token_of[at] = t;
    }
  }
}

static void open_toy(void) {
  team = toy_team(MPI_COMM_WORLD);
  CU_ASSERT(toy_run_write(&team, check_folder(), 8, TOY_TREES) == OK);
  CU_ASSERT_FATAL(
      atlas_open(&atlas, &team, check_folder(), TOY_DECLARED, TOY_DICTIONARIES, false) == OK);
  spell();
}

static void close_toy(void) {
  text_clear(&g_text);
  MEMORY_FREE(g_token_of);
  atlas_close(&atlas);
}

static bool stands_at(const char *word, int64_t at) {
  const int64_t length = (int64_t)strlen(word);
  return at + length <= g_text.length && strncasecmp(g_text.bytes + at, word, (size_t)length) == 0;
}

static bool is_near(const char *word, int64_t token) {
  for (int64_t at = 0; at < g_text.length; ++at) {
    if (stands_at(word, at)) {
      const int64_t last = g_token_of[at + (int64_t)strlen(word) - 1];
      if (g_token_of[at] - SEARCH_SIDE <= token && token <= last + SEARCH_SIDE) {
        return true;
      }
    }
  }
  return false;
}

static int64_t token_of_row(int64_t row) {
  uint32_t document, position;
  int64_t start;
  CU_ASSERT(shelf_read(atlas.text[ATLAS_ROW_DOCUMENT], row, 1, &document) == OK);
  CU_ASSERT(shelf_read(atlas.text[ATLAS_ROW_POSITION], row, 1, &position) == OK);
  CU_ASSERT(shelf_read(atlas.text[ATLAS_DOCUMENT_START], document, 1, &start) == OK);
  return start + position;
}

static bool is_in_label(const char *word, int dictionary, int64_t id) {
  uint32_t tokens[ATLAS_LABEL_TOKENS];
  CU_ASSERT(atlas_labels(&atlas, dictionary, id, tokens) == OK);
  for (int i = 0; i < ATLAS_LABEL_TOKENS; ++i) {
    Text piece = {0};
    bool holds = false;
    CU_ASSERT(tokens[i] == SCHEMA_NO_ID || atlas_piece(&atlas, tokens[i], &piece) == OK);
    for (int64_t at = 0; at < piece.length; ++at) {
      holds = holds || strncasecmp(piece.bytes + at, word, strlen(word)) == 0;
    }
    text_clear(&piece);
    if (holds) {
      return true;
    }
  }
  return false;
}

/* What the search must say of a feature; near is -1 where it must say nothing. */
static SearchHit naive(const char *word, int dictionary, int64_t id) {
  Shelf *top = atlas.dictionaries[dictionary].columns[ATLAS_TOP_ROW];
  int64_t rows[64];
  SearchHit hit = {.dictionary = dictionary, .id = id};
  CU_ASSERT_FATAL(shelf_shape(top, 1) <= 64 && shelf_read(top, id, 1, rows) == OK);
  for (int64_t i = 0; i < shelf_shape(top, 1); ++i) {
    hit.examples += rows[i] >= 0;
    hit.near += rows[i] >= 0 && is_near(word, token_of_row(rows[i]));
  }
  hit.in_label = is_in_label(word, dictionary, id);
  return hit;
}

static const SearchHit *hit_of(const SearchHit *hits, int64_t found, int dictionary, int64_t id) {
  for (int64_t i = 0; i < found; ++i) {
    if (hits[i].dictionary == dictionary && hits[i].id == id) {
      return &hits[i];
    }
  }
  return NULL;
}

static void check_word(const char *word, bool is_there) {
  SearchHit *hits = NULL;
  int64_t found = 0, where = 0, expected = 0, wrong = 0;
  CU_ASSERT(search_word(&atlas, word, &hits, &found, &where) == OK);
  for (int64_t at = 0; at < g_text.length; ++at) {
    expected += stands_at(word, at);
  }
  CU_ASSERT(where == expected && (where > 0) == is_there);
  for (int d = 0; d < TOY_DICTIONARIES; ++d) {
    for (int64_t id = 0; id < TOY_DECLARED[d].latents; ++id) {
      const SearchHit want = naive(word, d, id), *hit = hit_of(hits, found, d, id);
      const bool is_wanted = want.in_label || want.near >= SEARCH_LEAST;
      wrong += is_wanted != (hit != NULL);
      wrong += hit != NULL && is_there &&
               (hit->near != want.near || hit->examples != want.examples ||
                hit->in_label != want.in_label);
    }
  }
  CU_ASSERT(wrong == 0);
  for (int64_t i = 1; i < found; ++i) { /* shares descend */
    wrong += hits[i].near * hits[i - 1].examples > hits[i - 1].near * hits[i].examples;
  }
  CU_ASSERT(wrong == 0);
  MEMORY_FREE(hits);
}

/* A word of the text, part of one, two with what stands between them, one that is nowhere. */
static void test_hits_are_those_of_naive_loops(void) {
  char word[4][32] = {"", "", "", "no such word"};
  open_toy();
  int64_t at = g_text.length / 3;
  while (!isalpha((unsigned char)g_text.bytes[at]) ||
         isalpha((unsigned char)g_text.bytes[at - 1])) {
    ++at;
  }
  for (int64_t i = 0; i < 31 && isalpha((unsigned char)g_text.bytes[at + i]); ++i) {
    word[0][i] = (char)toupper((unsigned char)g_text.bytes[at + i]);
  }
  memcpy(word[1], word[0], 2);
  memcpy(word[2], g_text.bytes + at, 14);
  for (int i = 0; i < 4; ++i) {
    check_word(word[i], i < 3);
  }
  close_toy();
}

static const CheckFact FACTS[] = {
    {"hits are those of naive loops", test_hits_are_those_of_naive_loops},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "search", FACTS);
}
