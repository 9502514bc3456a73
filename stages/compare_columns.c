#include "compare_columns.h"

#include "distribution.h"
#include "sample.h"

const Column STATE_COLUMN = {"state", ARCHIVE_U8, 0, "0 dead, 1 unseen, 2 alive"};
const Column SELF_COLUMN[SELF_COLUMNS] = {
    {"id", ARCHIVE_U32, COLUMN_MOST,
     "nearest other features of the same dictionary, best first (4294967295: none)"},
    {"cosine", ARCHIVE_F32, COLUMN_MOST, "decoder cosine with each of them"},
};
const Column PAIR_COLUMN[PAIR_COLUMNS] = {
    {"parent_id", ARCHIVE_U32, COLUMN_MOST,
     "best parents of each child by decoder cosine, best first (4294967295: none)"},
    {"cosine", ARCHIVE_F32, COLUMN_MOST, "decoder cosine with each parent"},
    {"cosine_centred", ARCHIVE_F32, COLUMN_MOST,
     "the same after each dictionary's mean direction is subtracted"},
    {"encoder_cosine", ARCHIVE_F32, COLUMN_MOST, "encoder cosine with each parent"},
    {"span_parent", ARCHIVE_U32, COLUMN_SPAN,
     "the parents that together rebuild the child best, by descending weight (4294967295: none)"},
    {"span_weight", ARCHIVE_F32, COLUMN_SPAN, "weight of each of them (0: none)"},
    {"span_r2", ARCHIVE_F32, 0,
     "share of the child's direction that they rebuild: 1 - |d - sum w p|^2 (nan: no parent)"},
    {"span_mutual", ARCHIVE_F32, 0,
     "decoder cosine of the two heaviest of them (nan: fewer than two)"},
};
const Column PAIR_LIST_COLUMN[PAIR_LIST_COLUMNS] = {
    {"child_id", ARCHIVE_U32, COLUMN_MOST,
     "best children of each parent by decoder cosine, best first (4294967295: none)"},
    {"child_cosine", ARCHIVE_F32, COLUMN_MOST, "decoder cosine with each child"},
};
const PairHistogram PAIR_HISTOGRAM[PAIR_HISTOGRAMS] = {
    {{"best_histogram", ARCHIVE_I64, 0,
      "alive children by best cosine, bins of 0.01 over [0, 1]; below 0 in the first"},
     DISTRIBUTION_BINS},
    {{"null_histogram", ARCHIVE_I64, 0,
      "null children by best cosine, bins of 0.01 over [0, 1]; below 0 in the first"},
     DISTRIBUTION_BINS},
    {{"all_histogram", ARCHIVE_I64, 0,
      "all cosines, bins of 0.01 over [-1, 1], from a keyed sample of `sampled_pairs` pairs: 64 "
      "random parents for each of up to 65,536 random children, none of them dead"},
     SAMPLE_BINS},
};
const char *const PAIR_REAL[PAIR_REALS] = {
    "median_best",         "share_40",        "share_50",         "share_70",
    "null_median",         "null_median_low", "null_median_high", "null_999",
    "null_999_low",        "null_999_high",   "r2_null_median",   "r2_null_median_low",
    "r2_null_median_high", "r2_null_999",     "r2_null_999_low",  "r2_null_999_high",
    "isotropic_median",    "isotropic_999"};
const char *const PAIR_INTEGER[PAIR_INTEGERS] = {"null_dimension", "null_draws",      "null_rows",
                                                 "sampled_pairs",  "centred_differs", "certified"};
