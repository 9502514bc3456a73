#include <math.h>
#include <stdio.h>

#include "families_run.h"
#include "memory.h"

static Status set_counts(Archive *out, const char *group, const int64_t *count, int statuses,
                         bool is_child) {
  char key[64];
  for (int s = 1; s < statuses; ++s) {
    snprintf(key, sizeof key, "count_%s",
             is_child ? verdict_child_name(s) : verdict_parent_name((ParentStatus)s));
    TRY(archive_set_integer(out, group, key, count[s]));
  }
  return OK;
}

static double share(int64_t part, int64_t whole) {
  return whole > 0 ? (double)part / (double)whole : NAN;
}

/* One attribute. */
typedef struct Real {
  const char *key;
  double value;
} Real;

typedef struct Integer {
  const char *key;
  int64_t value;
} Integer;

static Status set_reals(Archive *out, const char *group, const Real *reals, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    TRY(archive_set_real(out, group, reals[i].key, reals[i].value));
  }
  return OK;
}

static Status set_integers(Archive *out, const char *group, const Integer *integers, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    TRY(archive_set_integer(out, group, integers[i].key, integers[i].value));
  }
  return OK;
}

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static Status set_thresholds(const FamiliesPair *pair, Archive *out) {
  const FamiliesNull *null = &pair->null;
  const Real reals[] = {{"link", pair->link},
                        {"strong", pair->rules.strong},
                        {"margin", pair->rules.margin},
                        {"r2_cut", pair->rules.r2_cut},
                        {"p_min", pair->rules.evidence.p_min},
                        {"lift_min", pair->rules.evidence.lift_min},
                        {"null_median", null->median},
                        {"null_median_low", null->median_low},
                        {"null_median_high", null->median_high},
                        {"null_999", null->best_999},
                        {"null_999_low", null->best_999_low},
                        {"null_999_high", null->best_999_high},
                        {"r2_null_999", null->r2_999},
                        {"r2_null_999_low", null->r2_999_low},
                        {"r2_null_999_high", null->r2_999_high},
                        {"median_best", pair->median_best}};
  const Integer integers[] = {{"firings_min", pair->rules.evidence.firings_min},
                              {"documents_min", pair->rules.evidence.documents_min}};
  TRY(set_reals(out, pair->group, reals, COUNT(reals)));
  return set_integers(out, pair->group, integers, COUNT(integers));
}

static Status set_chain(const FamiliesPair *pair, Archive *out) {
  const Real reals[] = {{"tc_1", pair->tc_1},
                        {"tc_5", pair->tc_5},
                        {"tc_chance", pair->tc_chance},
                        {"chain_jaccard", pair->chain_jaccard}};
  return pair->has_chain ? set_reals(out, pair->group, reals, COUNT(reals)) : OK;
}

/* How sure the ranking is, as compare left it. */
static Status copy_counts(const FamiliesRun *run, const FamiliesPair *pair, Archive *out) {
  static const char *const KEYS[] = {"certified", "centred_differs"};
  for (size_t i = 0; i < COUNT(KEYS); ++i) {
    int64_t value = 0;
    TRY(archive_get_integer(run->neighbours, pair->group, KEYS[i], &value));
    TRY(archive_set_integer(out, pair->group, KEYS[i], value));
  }
  return OK;
}

static Status set_pair(const FamiliesRun *run, const FamiliesPair *pair, Archive *out) {
  const SweepChildren *sweep = pair->sweep;
  const int64_t linked = sweep->linked[VERDICT_MAIN];
  const Integer integers[] = {{"children", sweep->children},
                              {"alive", sweep->alive},
                              {"duplicates", pair->child->duplicates},
                              {"linked", linked},
                              {"enough", pair->enough},
                              {"forest_edges", pair->forest_edges},
                              {"crowded_parents", pair->crowded}};
  const Real reals[] = {{"merge_rate", share(sweep->merged[VERDICT_MAIN], sweep->children)},
                        {"skip_rate", share(pair->skipped, sweep->children)},
                        {"link_rate", share(linked, sweep->children)},
                        {"mean_p", pair->mean_p},
                        {"mean_p_all", pair->mean_p_all},
                        {"mean_lift", pair->mean_lift},
                        {"mean_p_child", pair->mean_p_child},
                        {"mean_jaccard", pair->mean_jaccard},
                        {"mean_masked_cosine", pair->mean_masked},
                        {"matched_own_p", pair->mean_matched_own},
                        {"matched_other_p", pair->mean_matched_p},
                        {"matched_first", pair->first_of_matched}};
  TRY(set_counts(out, pair->group, sweep->status[VERDICT_MAIN], CHILD_STATUSES, true));
  TRY(set_thresholds(pair, out));
  TRY(copy_counts(run, pair, out));
  TRY(set_integers(out, pair->group, integers, COUNT(integers)));
  TRY(set_reals(out, pair->group, reals, COUNT(reals)));
  return set_chain(pair, out);
}

static Status set_spread(const FamiliesDictionary *level, const char *group, Archive *out) {
  const MetricsChildren *spread = &level->spread;
  const Integer integers[] = {{"parents_with_children", spread->parents},
                              {"children_most", spread->most},
                              {"holes", level->holes}};
  const Real reals[] = {{"children_mean", spread->mean},
                        {"children_median", spread->median},
                        {"children_p90", spread->p90},
                        {"children_p99", spread->p99},
                        {"children_dispersion", spread->dispersion},
                        {"children_top_share", spread->top_share},
                        {"children_expected", level->children_expected},
                        {"covered_mass", level->covered_mass},
                        {"hole_mass", level->hole_mass},
                        {"rebuilt", level->rebuilt_whole},
                        {"rebuilt_better", level->rebuilt_better},
                        {"mean_hamming", level->mean_hamming}};
  TRY(set_counts(out, group, level->sweep->status[VERDICT_MAIN], PARENT_STATUSES, false));
  TRY(set_integers(out, group, integers, COUNT(integers)));
  return set_reals(out, group, reals, COUNT(reals));
}

static Status set_level(const FamiliesDictionary *level, Archive *out) {
  char group[FAMILIES_NAME];
  snprintf(group, sizeof group, "/dictionary/%.200s", level->settings->name);
  const Integer integers[] = {{"duplicates", level->duplicates},
                              {"too_little_text", level->is_too_little},
                              {"undertrained", level->is_undertrained},
                              {"novel_groups", level->novel_groups}};
  const Real reals[] = {{"share_30", level->share_30},
                        {"l0", level->l0},
                        {"median_best", level->median_best},
                        {"null_median", level->null_median},
                        {"mass_in_families", level->mass_in_families}};
  TRY(set_integers(out, group, integers, COUNT(integers)));
  TRY(set_reals(out, group, reals, COUNT(reals)));
  TRY(archive_set_text(out, group, "architecture", level->architecture));
  TRY(archive_set_text(out, group, "codes", archive_content(level->codes)));
  TRY(archive_set_text(out, group, "dictionary", archive_content(level->file)));
  return level->sweep != NULL ? set_spread(level, group, out) : OK;
}

static Status set_replication(const FamiliesReplication *one, Archive *out) {
  const MetricsReplication *found = &one->found[VERDICT_MAIN];
  const Real reals[] = {{"correlation", found->correlation}, {"correlation_within", found->within},
                        {"split_again", found->split_again}, {"split_any", found->split_any},
                        {"link_rate", one->level_rate},      {"twin_link_rate", one->twin_rate}};
  TRY(archive_set_text(out, one->name, "level", one->level->settings->name));
  TRY(archive_set_integer(out, one->name, "parents", found->parents));
  return set_reals(out, one->name, reals, COUNT(reals));
}

/* The names of a list of codes, separated by spaces; "-" for no name. */
static Status set_names(Archive *out, Team *team, const char *key, int count,
                        const char *(*name)(int)) {
  Text text = {0};
  Status status = OK;
  for (int i = 0; status == OK && i < count; ++i) {
    const char *word = name(i)[0] != '\0' ? name(i) : "-";
    status = text_printf(&text, i > 0 ? " %s" : "%s", word);
  }
  status = team_agree(team, status);
  if (status == OK) {
    status = archive_set_text(out, "/", key, text_chars(&text));
  }
  text_clear(&text);
  return status;
}

static const char *evidence_name(int code) {
  static const char *const NAMES[] = {"open", "no", "yes"};
  return NAMES[code];
}

static Status set_levels(const FamiliesRun *run, Archive *out) {
  Text text = {0};
  Status status = OK;
  for (int64_t l = 0; status == OK && l < run->levels; ++l) {
    status = text_printf(&text, l > 0 ? " %s" : "%s",
                         run->dictionaries[run->of_level[l]].settings->name);
  }
  status = team_agree(run->team, status);
  if (status == OK) {
    status = archive_set_text(out, "/", "levels", text_chars(&text));
  }
  text_clear(&text);
  return status;
}

Status families_set_attributes(FamiliesRun *run, Archive *out, const Stamp *stamp) {
  char text[17];
  TRY(archive_note_text(out, "/", "stamp", stamp_text(stamp, text)));
  TRY(set_levels(run, out));
  TRY(set_names(out, run->team, "child_statuses", CHILD_STATUSES, verdict_child_name));
  TRY(set_names(out, run->team, "parent_statuses", PARENT_STATUSES, verdict_parent_name));
  TRY(set_names(out, run->team, "flags", VERDICT_FLAGS, verdict_flag_name));
  TRY(set_names(out, run->team, "evidence", 3, evidence_name));
  TRY(archive_set_text(out, "/", "warnings", text_chars(&run->warnings)));
  TRY(archive_set_text(out, "/", "activations", archive_content(run->activations)));
  TRY(archive_set_text(out, "/", "neighbours", archive_content(run->neighbours)));
  TRY(archive_set_integer(out, "/", "seed", run->stage->settings.run.seed));
  TRY(archive_set_integer(out, "/", "rows", run->rows));
  TRY(archive_set_integer(out, "/", "documents", run->documents));
  TRY(archive_set_integer(out, "/", "families",
                          families_level(run, 0)->sweep->grown[VERDICT_MAIN]));
  for (int64_t p = 0; p < run->pair_count; ++p) {
    TRY(set_pair(run, &run->pairs[p], out));
  }
  for (int64_t l = 0; l < run->levels; ++l) {
    TRY(set_level(families_level(run, l), out));
  }
  for (int64_t r = 0; r < run->replication_count; ++r) {
    TRY(set_replication(&run->replications[r], out));
  }
  return OK;
}
