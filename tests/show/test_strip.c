#include <stdio.h>
#include <string.h>

#include "check.h"
#include "glyph.h"
#include "memory.h"
#include "strip.h"
#include "toy_run.h"
#include "toy_team.h"

static Team team;

static bool open_toy(Atlas *atlas) {
  static bool is_written;
  team = toy_team(MPI_COMM_WORLD);
  is_written = is_written || toy_run_write(&team, check_folder(), 12, TOY_TREES) == OK;
  return is_written &&
         atlas_open(atlas, &team, check_folder(), TOY_DECLARED, TOY_DICTIONARIES, true) == OK;
}

/* The naive list of a feature's firings: what strip_values() searches. */
static float value_at(const AtlasDictionary *own, int64_t id, int64_t row) {
  int64_t range[2];
  CU_ASSERT(shelf_read(own->columns[ATLAS_FEATURE_START], id, 2, range) == OK);
  for (int64_t at = range[0]; at < range[1]; ++at) {
    uint32_t fired = 0;
    float value = 0;
    CU_ASSERT(shelf_read(own->columns[ATLAS_FEATURE_ROW], at, 1, &fired) == OK);
    CU_ASSERT(shelf_read(own->columns[ATLAS_FEATURE_VALUE], at, 1, &value) == OK);
    if (fired == row) {
      return value;
    }
  }
  return 0;
}

/* One row: the strip's text is that of the tokens around it, in its document alone. */
static void check_text(const Atlas *atlas, const Strip *strip, int64_t side) {
  Text raw = {0}, expected = {0};
  int64_t range[2];
  CU_ASSERT(shelf_read(atlas->text[ATLAS_DOCUMENT_START], strip->document, 2, range) == OK);
  for (int64_t t = range[0] + strip->position - side; t <= range[0] + strip->position + side; ++t) {
    uint32_t token = 0;
    if (t >= range[0] && t < range[1]) {
      CU_ASSERT(shelf_read(atlas->text[ATLAS_TOKEN], t, 1, &token) == OK);
      CU_ASSERT(atlas_piece(atlas, token, &raw) == OK);
    }
  }
  CU_ASSERT(glyph_append_valid(&expected, text_chars(&raw), raw.length) == OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&strip->text), text_chars(&expected));
  text_clear(&raw);
  text_clear(&expected);
}

static void test_strips_are_the_text_around_a_row(void) {
  Atlas atlas = {0};
  Strip strip = {0};
  if (!open_toy(&atlas)) { /* on all ranks alike */
    CU_FAIL("the toy run does not open");
    return;
  }
  const int64_t rows = shelf_rows(atlas.text[ATLAS_ROW_DOCUMENT]);
  for (int64_t row = 0; row < rows; row += 7) {
    CU_ASSERT(strip_read(&strip, &atlas, row, 5) == OK);
    check_text(&atlas, &strip, 5);
    CU_ASSERT(strip.cells[strip.centre].has_row);
  }
  CU_ASSERT(strip_read(&strip, &atlas, 0, 5) == OK); /* the second token: the first has no row */
  CU_ASSERT(!strip.cells[0].has_row);
  CU_ASSERT(strip.position == 1 && strip.document == 0);
  strip_clear(&strip);
  atlas_close(&atlas);
}

static void test_values_are_those_of_the_codes(void) {
  Atlas atlas = {0};
  Strip strip = {0};
  if (!open_toy(&atlas)) { /* on all ranks alike */
    CU_FAIL("the toy run does not open");
    return;
  }
  const AtlasDictionary *own = &atlas.dictionaries[1];
  const int64_t rows = shelf_rows(atlas.text[ATLAS_ROW_DOCUMENT]);
  for (int64_t row = 3; row < rows; row += 97) {
    CU_ASSERT(strip_read(&strip, &atlas, row, 6) == OK);
    float values[64], expected[64] = {0}, most = 0, largest = 0;
    for (int64_t id = 0; id < own->latents; id += 5) {
      CU_ASSERT(strip_values(&strip, own, id, values, &most) == OK);
      memset(expected, 0, sizeof(expected));
      largest = 0;
      for (int64_t r = strip.first_row; r < strip.past_row; ++r) {
        const int64_t cell = strip.cell_of_row[r - strip.first_row];
        const float value = value_at(own, id, r);
        if (cell >= 0 && value > expected[cell]) {
          expected[cell] = value;
          largest = value > largest ? value : largest;
        }
      }
      CU_ASSERT(memcmp(values, expected, (size_t)strip.count * sizeof(float)) == 0);
      CU_ASSERT(most == largest);
    }
  }
  strip_clear(&strip);
  atlas_close(&atlas);
}

static void test_tokens_that_share_a_character_are_one_cell(void) {
  Atlas atlas = {0};
  Strip strip = {0};
  int joined = 0;
  if (!open_toy(&atlas)) { /* on all ranks alike */
    CU_FAIL("the toy run does not open");
    return;
  }
  const int64_t rows = shelf_rows(atlas.text[ATLAS_ROW_DOCUMENT]);
  for (int64_t row = 0; row < rows; ++row) {
    CU_ASSERT(strip_read(&strip, &atlas, row, 3) == OK);
    for (int64_t i = 0; i < strip.count; ++i) {
      joined += strip.cells[i].length == 3 &&
                memcmp(strip.text.bytes + strip.cells[i].start, "\xe4\xb8\xad", 3) == 0;
    }
  }
  CU_ASSERT(joined > 0);
  strip_clear(&strip);
  atlas_close(&atlas);
}

/* Columns of a drawn line: without the terminal's commands. */
static int64_t drawn_columns(const Text *out) {
  Text shown = {0};
  for (int64_t i = 0; i < out->length; ++i) {
    if (out->bytes[i] == '\x1b') {
      while (out->bytes[i] != 'm') {
        ++i;
      }
    } else {
      CU_ASSERT(text_append(&shown, out->bytes + i, 1) == OK);
    }
  }
  const int64_t columns = glyph_columns(text_chars(&shown), shown.length);
  text_clear(&shown);
  return columns;
}

static void test_drawn_lines_fit_the_terminal(void) {
  Atlas atlas = {0};
  Strip strip = {0};
  if (!open_toy(&atlas)) { /* on all ranks alike */
    CU_FAIL("the toy run does not open");
    return;
  }
  for (int64_t row = 0; row < 600; row += 13) {
    float values[128];
    CU_ASSERT(strip_read(&strip, &atlas, row, 40) == OK);
    CU_ASSERT(strip_values(&strip, &atlas.dictionaries[0], 10, values, NULL) == OK);
    for (int64_t columns = 12; columns < 120; columns += 9) {
      for (int style = STRIP_PLAIN; style <= STRIP_COLOUR; ++style) {
        Text out = {0};
        CU_ASSERT(strip_draw(&strip, values, 8, (StripStyle)style, columns, &out) == OK);
        CU_ASSERT(drawn_columns(&out) <= columns);
        CU_ASSERT(memchr(text_chars(&out), '\n', (size_t)out.length) == NULL);
        text_clear(&out);
      }
    }
  }
  strip_clear(&strip);
  atlas_close(&atlas);
}

static void test_strength_is_marked(void) {
  Strip strip = {0};
  Text out = {0};
  StripCell cells[3] = {{.start = 0, .length = 1, .has_row = true},
                        {.start = 1, .length = 2, .has_row = true},
                        {.start = 3, .length = 1, .has_row = false}};
  const float values[3] = {0.01F, 8, 0};
  CU_ASSERT(text_printf(&strip.text, "a bc") == OK);
  strip.cells = cells;
  strip.count = 3;
  strip.centre = 1;
  CU_ASSERT(strip_draw(&strip, values, 8, STRIP_PLAIN, 80, &out) == OK);
  CU_ASSERT_STRING_EQUAL(text_chars(&out), "[[a|1]][[ b|9]]c");
  out.length = 0;
  CU_ASSERT(strip_draw(&strip, values, 8, STRIP_COLOUR, 80, &out) == OK);
  CU_ASSERT(strstr(text_chars(&out), "\x1b[48;2;255;137;7m\x1b[38;2;0;0;0m b\x1b[0m") != NULL);
  text_clear(&out);
  text_clear(&strip.text);
}

static const CheckFact FACTS[] = {
    {"a strip is the text around a row, within its document",
     test_strips_are_the_text_around_a_row},
    {"a strip's values are those of the codes", test_values_are_those_of_the_codes},
    {"tokens that share a character are one cell", test_tokens_that_share_a_character_are_one_cell},
    {"drawn lines fit the terminal", test_drawn_lines_fit_the_terminal},
    {"strength is marked, in colour and plainly", test_strength_is_marked},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "strip", FACTS);
}
