#include <stdio.h>
#include <string.h>

#include "bar.h"
#include "capture.h"
#include "check.h"
#include "log.h"
#include "progress.h"
#include "text.h"

static Team g_team;

static Team *team(void) {
  if (g_team.size == 0) {
    CU_ASSERT_EQUAL(team_open(&g_team, NULL, NULL), OK);
  }
  return &g_team;
}

static bool is_first(void) {
  return team()->rank == 0;
}

static void test_rank_0_alone_says_who_speaks(void) {
  log_open(team(), "harvest", LOG_INFO, NULL);
  capture_begin();
  log_info("%d rows", 12);
  log_warning("few");
  log_debug("not wanted");
  CU_ASSERT_STRING_EQUAL(capture_end(),
                         is_first() ? "harvest: 12 rows\nharvest: warning: few\n" : "");
  log_close();
}

static void test_a_message_from_here_names_the_rank(void) {
  char wanted[64];
  log_open(team(), "train", LOG_DEBUG, NULL);
  capture_begin();
  log_here(LOG_DEBUG, "x = %d", 3);
  snprintf(wanted, sizeof(wanted), "train [%d]: x = 3\n", team()->rank);
  CU_ASSERT_STRING_EQUAL(capture_end(), wanted);
  log_close();
}

static void test_the_file_gets_the_same_lines(void) {
  char path[600];
  snprintf(path, sizeof(path), "%s/log.txt", check_folder());
  for (int run = 0; run < 2; run++) {
    log_open(team(), "harvest", LOG_INFO, path);
    capture_begin();
    log_info("run %d", run);
    capture_end();
    log_close();
  }
  if (is_first()) {
    Text text = {0};
    CU_ASSERT_EQUAL(text_read_file(&text, path, 1000), OK);
    CU_ASSERT_STRING_EQUAL(text_chars(&text), "harvest: run 0\nharvest: run 1\n");
    text_clear(&text);
  }
  team_barrier(team());
}

static void test_a_log_file_that_cannot_be_made_is_a_warning(void) {
  capture_begin();
  log_open(team(), "harvest", LOG_INFO, "/proc/none/log.txt");
  const char *text = capture_end();
  CU_ASSERT_EQUAL(strstr(text, "harvest: warning: /proc/none/log.txt") != NULL, is_first());
  log_close();
}

static void test_a_message_pushes_the_bar_away(void) {
  log_open(team(), "harvest", LOG_INFO, NULL);
  capture_begin();
  if (is_first()) {
    bar_draw("[##..]");
  }
  log_info("done");
  log_info("more");
  CU_ASSERT_STRING_EQUAL(capture_end(),
                         is_first() ? "\r[##..]\033[K\r\033[Kharvest: done\nharvest: more\n" : "");
  log_close();
}

static int count_lines(const char *text) {
  int lines = 0;
  for (; *text != '\0'; text++) {
    lines += *text == '\n';
  }
  return lines;
}

/* Without a terminal: a line at the first step, none within the next 30 s, and one at the end. */
static void test_progress_shows_the_first_step_and_the_end(void) {
  log_open(team(), "harvest", LOG_INFO, NULL);
  capture_begin();
  Progress progress;
  progress_open(&progress, team(), "tokens read", "tokens", 4000);
  progress_note(&progress, "loss %.1f", 83.1);
  for (int64_t done = 1000; done <= 4000; done += 1000) {
    progress_step(&progress, done);
  }
  progress_close(&progress, 4000);
  const char *text = capture_end();
  CU_ASSERT_EQUAL(count_lines(text), is_first() ? 2 : 0);
  if (is_first()) {
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "harvest: tokens read: 1,000/4,000 tokens, "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "loss 83.1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "harvest: tokens read: 4,000 tokens in "));
  }
  log_close();
}

static void test_progress_of_nothing_is_fine(void) {
  log_open(team(), "harvest", LOG_INFO, NULL);
  capture_begin();
  Progress progress;
  progress_open(&progress, team(), "nothing", "rows", 0);
  progress_step(&progress, 0);
  progress_close(&progress, 0);
  const char *text = capture_end();
  CU_ASSERT_EQUAL(count_lines(text), is_first() ? 2 : 0);
  CU_ASSERT(!is_first() || strstr(text, "0.00 rows/s)") != NULL); /* slow work shows its digits */
  log_close();
}

static const CheckFact FACTS[] = {
    {"rank 0 alone says who speaks", test_rank_0_alone_says_who_speaks},
    {"a message from here names the rank", test_a_message_from_here_names_the_rank},
    {"the file gets the same lines", test_the_file_gets_the_same_lines},
    {"a log file that cannot be made is a warning",
     test_a_log_file_that_cannot_be_made_is_a_warning},
    {"a message pushes the bar away", test_a_message_pushes_the_bar_away},
    {"progress shows the first step and the end", test_progress_shows_the_first_step_and_the_end},
    {"progress of nothing is fine", test_progress_of_nothing_is_fine},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "log", FACTS);
}
