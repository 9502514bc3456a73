#include "peaks.h"

int peaks_compare(const Peak *left, const Peak *right) {
  if (left->mass != right->mass) {
    return left->mass > right->mass ? -1 : 1;
  }
  return left->id < right->id ? -1 : (left->id > right->id ? 1 : 0);
}

/* The place of an id, -1 for none. */
static int64_t find(const Peak *peaks, int64_t count, uint32_t id) {
  int64_t first = 0, past = count;
  while (first < past) {
    const int64_t middle = first + (past - first) / 2;
    if (peaks[middle].id < id) {
      first = middle + 1;
    } else {
      past = middle;
    }
  }
  return first < count && peaks[first].id == id ? first : -1;
}

/* Follow the pointers from `at` to the head. */
static Status head_of(const Peak *peaks, int64_t count, int64_t at, int64_t *head) {
  while (peaks[at].next != peaks[at].id) {
    const int64_t next = find(peaks, count, peaks[at].next);
    if (next < 0 || peaks_compare(&peaks[next], &peaks[at]) >= 0) {
      return RAISE(ERR_FORMAT, "feature %u points to %u, which is not a heavier one of the group",
                   peaks[at].id, peaks[at].next);
    }
    at = next;
  }
  *head = at;
  return OK;
}

Status peaks_climb(Peak *peaks, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    int64_t head = i;
    TRY(head_of(peaks, count, i, &head));
    /* all on the way learn the head, so that no pointer is followed twice */
    for (int64_t at = i; peaks[at].next != peaks[head].id;) {
      const int64_t next = find(peaks, count, peaks[at].next);
      peaks[at].next = peaks[head].id;
      at = next;
    }
  }
  return OK;
}
