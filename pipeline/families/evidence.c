#include "evidence.h"

#include <math.h>

/* The two-sided 95 % point of the normal distribution. */
static const double Z95 = 1.959963984540054;

void evidence_wilson(double p, double n, double *low, double *high) {
  const double z2 = Z95 * Z95;
  const double centre = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = Z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  *low = p > 0 ? centre - half : 0; /* exact at the ends, whatever the rounding */
  *high = p < 1 ? centre + half : 1;
}

/* Tokens of one document are not independent: as many trials as would give the variance that the
   documents show (ratio estimator). A share of 0 or 1 shows none: a document counts once. */
double evidence_trials(const Evidence *evidence, const EvidenceSums *sums, int64_t child) {
  const double n = (double)evidence->fired[child];
  const double documents = (double)evidence->documents[child];
  const double p = (double)sums->both / n;
  if (sums->both == 0 || sums->both == evidence->fired[child]) {
    return documents;
  }
  const double spread = (double)sums->square - 2 * p * (double)sums->cross +
                        p * p * (double)evidence->fired_square[child];
  const double variance = documents / (documents - 1) * spread / (n * n);
  return variance * n > p * (1 - p) ? p * (1 - p) / variance : n;
}

EvidenceShare evidence_share(const Evidence *evidence, const EvidenceSums *sums, int64_t child,
                             int64_t parent_fired, const EvidenceRules *rules) {
  EvidenceShare share = {NAN, NAN, NAN, NAN};
  const int64_t fired = evidence->fired[child];
  if (fired < 1 || fired < rules->firings_min || evidence->documents[child] < 2 ||
      evidence->documents[child] < rules->documents_min) {
    return share;
  }
  share.p = (double)sums->both / (double)fired;
  evidence_wilson(share.p, evidence_trials(evidence, sums, child), &share.low, &share.high);
  share.lift = parent_fired > 0 ? share.p * (double)evidence->rows / (double)parent_fired : 0;
  return share;
}

EvidenceVerdict evidence_judge(const EvidenceShare *share, const EvidenceRules *rules) {
  if (isnan(share->p)) {
    return EVIDENCE_OPEN;
  }
  if (share->low >= rules->p_min && share->lift >= rules->lift_min) {
    return EVIDENCE_YES;
  }
  const bool is_no = share->high < rules->p_min || share->lift < rules->lift_min;
  return is_no ? EVIDENCE_NO : EVIDENCE_OPEN;
}

EvidenceVerdict evidence_judge_both(const EvidenceShare *narrow, const EvidenceShare *wide,
                                    const EvidenceRules *rules) {
  const EvidenceVerdict verdict = evidence_judge(narrow, rules);
  return verdict == evidence_judge(wide, rules) ? verdict : EVIDENCE_OPEN;
}

double evidence_masked_cosine(const Evidence *evidence, int64_t at) {
  const double child = evidence->value_square[at / evidence->candidates];
  const double parent = evidence->square[at];
  return child > 0 && parent > 0 ? evidence->product[at] / (sqrt(child) * sqrt(parent)) : NAN;
}
