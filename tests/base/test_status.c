#include <string.h>

#include "check.h"
#include "status.h"

static Status fail_with(const char *what) {
  return RAISE(ERR_FORMAT, "%s: byte %d is wrong", what, 7);
}

static Status fail_through(const char *what) {
  TRY(fail_with(what));
  return OK;
}

static void test_raise_names_place_and_reason(void) {
  CU_ASSERT_EQUAL(fail_with("a.gguf"), ERR_FORMAT);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "test_status.c:7: a.gguf: byte 7 is wrong"));
  CU_ASSERT_EQUAL(strncmp(status_why(), "test_status.c", 13), 0);
}

static void test_try_hands_the_status_up(void) {
  CU_ASSERT_EQUAL(fail_through("b"), ERR_FORMAT);
}

static void test_a_reason_may_wrap_the_last_one(void) {
  CU_ASSERT_EQUAL(fail_with("inner"), ERR_FORMAT);
  CU_ASSERT_EQUAL(RAISE(ERR_FILE, "outer (%s)", status_why()), ERR_FILE);
  CU_ASSERT_PTR_NOT_NULL(strstr(status_why(), "outer (test_status.c:7: inner: byte 7 is wrong)"));
}

static void test_a_long_reason_is_cut_not_overrun(void) {
  char longer[2 * STATUS_WHY_SIZE];
  memset(longer, 'x', sizeof(longer) - 1);
  longer[sizeof(longer) - 1] = '\0';
  CU_ASSERT_EQUAL(fail_with(longer), ERR_FORMAT);
  CU_ASSERT_EQUAL(strlen(status_why()), STATUS_WHY_SIZE - 1);
  status_set_why(longer);
  CU_ASSERT_EQUAL(strlen(status_why()), STATUS_WHY_SIZE - 1);
  status_set_why(status_why());
  CU_ASSERT_EQUAL(strlen(status_why()), STATUS_WHY_SIZE - 1);
  status_set_why("short");
  CU_ASSERT_STRING_EQUAL(status_why(), "short");
}

static void test_each_code_has_name_and_sentence(void) {
  CU_ASSERT_STRING_EQUAL(status_name(OK), "OK");
  CU_ASSERT_STRING_EQUAL(status_name(ERR_SPACE), "ERR_SPACE");
  CU_ASSERT_STRING_EQUAL(status_sentence(ERR_SPACE), "the file system is full");
  CU_ASSERT_STRING_EQUAL(status_sentence((Status)999), "unknown status");
  CU_ASSERT_STRING_EQUAL(status_name((Status)999), "UNKNOWN");
}

/* Job scripts read them. */
static void test_exit_codes_never_change(void) {
  CU_ASSERT_EQUAL(ERR_USAGE, 2);
  CU_ASSERT_EQUAL(ERR_STALE, 8);
  CU_ASSERT_EQUAL(ERR_FAULT, 13);
  CU_ASSERT_EQUAL(ERR_INTERRUPTED, 85);
}

static const CheckFact FACTS[] = {
    {"a raise names place and reason", test_raise_names_place_and_reason},
    {"TRY hands the status up", test_try_hands_the_status_up},
    {"a reason may wrap the last one", test_a_reason_may_wrap_the_last_one},
    {"a long reason is cut, not overrun", test_a_long_reason_is_cut_not_overrun},
    {"each code has a name and a sentence", test_each_code_has_name_and_sentence},
    {"exit codes never change", test_exit_codes_never_change},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "status", FACTS);
}
