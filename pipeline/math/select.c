#include "select.h"

#include <string.h>

/* Floats in order as unsigned integers: flip all bits of a negative one, the sign bit of the
 *           others. */
SelectKey select_key(float score, int64_t id) {
  const float positive_zero = score + 0.0F;
  uint32_t bits;
  memcpy(&bits, &positive_zero, sizeof(bits));
  bits ^= (bits >> 31) ? 0xffffffffU : 0x80000000U;
  return ((uint64_t)bits << 32) | (uint32_t) ~(uint32_t)id;
}

float select_score(SelectKey key) {
  uint32_t bits = (uint32_t)(key >> 32);
  bits ^= (bits >> 31) ? 0x80000000U : 0xffffffffU;
  float score;
  memcpy(&score, &bits, sizeof(score));
  return score;
}

int64_t select_id(SelectKey key) {
  return (int64_t)(uint32_t) ~(uint32_t)key;
}

/* Put `key` at the root of a min-heap whose root is vacant. */
static void sift_down(SelectKey *keys, int64_t count, SelectKey key) {
  int64_t at = 0;
  for (int64_t child = 1; child < count; child = 2 * at + 1) {
    child += child + 1 < count && keys[child + 1] < keys[child];
    if (keys[child] >= key) {
      break;
    }
    keys[at] = keys[child];
    at = child;
  }
  keys[at] = key;
}

void select_offer(SelectKey *keys, int64_t *count, int64_t capacity, SelectKey key) {
  if (*count < capacity) {
    int64_t at = (*count)++;
    while (at > 0 && keys[(at - 1) / 2] > key) {
      keys[at] = keys[(at - 1) / 2];
      at = (at - 1) / 2;
    }
    keys[at] = key;
  } else if (capacity > 0 && key > keys[0]) {
    sift_down(keys, *count, key);
  }
}

SelectKey select_worst(const SelectKey *keys, int64_t count, int64_t capacity) {
  return count < capacity || capacity == 0 ? 0 : keys[0];
}

/* Heapsort; the keys need not be a heap. */
void select_sort(SelectKey *keys, int64_t count) {
  int64_t built = 0;
  for (int64_t i = 0; i < count; i++) {
    select_offer(keys, &built, count, keys[i]);
  }
  for (int64_t left = count - 1; left > 0; left--) {
    const SelectKey worst = keys[0];
    sift_down(keys, left, keys[left]);
    keys[left] = worst;
  }
}

static SelectKey median_of(SelectKey a, SelectKey b, SelectKey c) {
  const SelectKey low = a < b ? a : b;
  const SelectKey high = a < b ? b : a;
  return c < low ? low : (c > high ? high : c);
}

/* Hoare's selection: after a pass keys[0 .. j] >= pivot >= keys[i ..]. */
SelectKey select_nth(SelectKey *keys, int64_t count, int64_t n) {
  if (n < 1 || n > count) {
    return 0;
  }
  int64_t low = 0;
  int64_t high = count - 1;
  while (low < high) {
    const SelectKey pivot = median_of(keys[low], keys[low + (high - low) / 2], keys[high]);
    int64_t i = low;
    int64_t j = high;
    while (i <= j) {
      for (; keys[i] > pivot; i++) {
      }
      for (; keys[j] < pivot; j--) {
      }
      if (i <= j) {
        const SelectKey key = keys[i];
        keys[i++] = keys[j];
        keys[j--] = key;
      }
    }
    if (n - 1 <= j) {
      high = j;
    } else if (n - 1 >= i) {
      low = i;
    } else {
      break;
    }
  }
  return keys[n - 1];
}
