#ifndef CONTRAST_H
#define CONTRAST_H

#include <stdbool.h>
#include <stdint.h>

/** How well one feature tells sets of texts apart. A text counts once, by the feature's strongest
 *  activation on it (0: it never fires there). ranks: all local. */

enum { CONTRAST_SETS = 16, CONTRAST_BOTH = -1 };

typedef struct ContrastTexts {
  int64_t count;
  const uint8_t *set;  /* [count] below CONTRAST_SETS */
  const uint8_t *half; /* [count] 0: features are chosen on it, 1: measured on it */
} ContrastTexts;

/** Which texts are compared. */
typedef struct ContrastSides {
  uint32_t positive, negative; /* bits of sets; what is in neither takes no part */
  int half;                    /* 0, 1, or CONTRAST_BOTH */
} ContrastSides;

/** A text where the feature fires. */
typedef struct ContrastEntry {
  uint32_t text;
  float value; /* strongest activation, > 0 */
} ContrastEntry;

/** Texts of both sides; those where it fires; mean of the strongest activation, silent texts as 0;
 *  area under the ROC curve, P(positive > negative) + P(equal) / 2, with its 95 % interval (Newcombe
 *  2006, method 5: Hanley and McNeil's variance, of the score kind), nan where a side has no text. */
typedef struct ContrastScore {
  int64_t texts[2], fired[2]; /* 0: positive, 1: negative */
  double mean[2];
  double area, low, high;
} ContrastScore;

/** entries in/out [count] of the feature, each text at most once; sorted by value by the call */
void contrast_score(const ContrastTexts *texts, const ContrastSides *sides, ContrastEntry *entries,
                    int64_t count, ContrastScore *out);

/** Which side a text is on: 0 positive, 1 negative, -1 neither. */
int contrast_side(const ContrastTexts *texts, const ContrastSides *sides, int64_t text);

/** Texts of each side.
 *  out     out     [2] */
void contrast_count(const ContrastTexts *texts, const ContrastSides *sides, int64_t out[2]);

#endif
