/* cleave-contrast: features that tell sets of texts apart. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evidence.h"
#include "exchange.h"
#include "glyph.h"
#include "labelled_fire.h"
#include "memory.h"
#include "names.h"
#include "run_atlas.h"

enum {
  TOP = 20,
  TOP_MOST = 1000000,
  INTERVALS = 8,
  HALVED = 20 /* texts of a side from which on there are two halves */
};

/* A feature's standing: in the half where features are chosen, and in the other. */
typedef struct Standing {
  int64_t latent;
  ContrastScore chosen, measured;
} Standing;

typedef struct Contrast {
  Stage *stage;
  Team *team;
  Atlas atlas;
  Names *names;
  Workbench bench;
  WorkbenchDictionary own;
  LabelledTexts corpus;
  LabelledFirings firings;
  ContrastTexts texts;
  uint32_t positive, negative;
  bool is_halved, is_all;
  int64_t columns; /* of a line */
  int64_t top;
  int64_t latent;      /* -1: not one feature but a ranking */
  Standing *standings; /* [count] of all ranks, best first */
  int64_t count;
  Text out;
} Contrast;

/* Flags. */

static Status parse_sides(Contrast *contrast) {
  const char *positive = stage_flag(contrast->stage, "--for");
  const char *negative = stage_flag(contrast->stage, "--against");
  const uint32_t all = ((uint32_t)1 << contrast->corpus.sets) - 1;
  contrast->positive = 1;
  if (positive != NULL) {
    TRY(labelled_sets(&contrast->corpus, "--for", positive, &contrast->positive));
  }
  contrast->negative = all & ~contrast->positive;
  if (negative != NULL) {
    TRY(labelled_sets(&contrast->corpus, "--against", negative, &contrast->negative));
  }
  if ((contrast->positive & contrast->negative) != 0) {
    return RAISE(ERR_USAGE, "--for and --against: a set cannot stand on both sides");
  }
  return contrast->negative != 0 ? OK : RAISE(ERR_USAGE, "--for: no set is left to compare with");
}

static Status read_texts(Contrast *contrast) {
  const char *sets = stage_flag(contrast->stage, "--sets");
  if (sets == NULL) {
    return RAISE(ERR_USAGE, "say what to compare: --sets NAME=PATH,NAME=PATH");
  }
  contrast->top = TOP;
  TRY(stage_integer(contrast->stage, "--top", 1, TOP_MOST, &contrast->top));
  TRY(labelled_open(&contrast->corpus, &contrast->bench, sets));
  contrast->is_all = stage_flag(contrast->stage, "--all") != NULL;
  contrast->texts =
      (ContrastTexts){contrast->corpus.texts, contrast->corpus.set, contrast->corpus.half};
  return parse_sides(contrast);
}

/* Ranking. */

/* A feature on one half of the texts: the sets of a side together, or, with --all, the pair of sets
 * that it tells apart worst. */
static void score_half(const Contrast *contrast, ContrastEntry *entries, int64_t count, int half,
                       ContrastScore *out) {
  const int sets = contrast->corpus.sets;
  contrast_score(&contrast->texts, &(ContrastSides){contrast->positive, contrast->negative, half},
                 entries, count, out);
  for (int pair = 0; contrast->is_all && pair < sets * sets; ++pair) {
    const ContrastSides sides = {(uint32_t)1 << (pair / sets), (uint32_t)1 << (pair % sets), half};
    ContrastScore score;
    if ((sides.positive & contrast->positive) != 0 && (sides.negative & contrast->negative) != 0) {
      contrast_score(&contrast->texts, &sides, entries, count, &score);
      *out = score.area <= out->area ? score : *out;
    }
  }
}

static void judge(const Contrast *contrast, int64_t own, Standing *out) {
  const LabelledFirings *firings = &contrast->firings;
  ContrastEntry *entries = firings->entries + firings->start[own];
  const int64_t count = firings->start[own + 1] - firings->start[own];
  out->latent = firings->own.first + own;
  score_half(contrast, entries, count, contrast->is_halved ? 0 : CONTRAST_BOTH, &out->chosen);
  score_half(contrast, entries, count, contrast->is_halved ? 1 : CONTRAST_BOTH, &out->measured);
}

static int compare_standings(const void *left, const void *right) {
  const Standing *a = left, *b = right;
  if (a->chosen.area != b->chosen.area) {
    return a->chosen.area > b->chosen.area ? -1 : 1;
  }
  return (a->latent > b->latent) - (a->latent < b->latent);
}

static Status judge_own(const Contrast *contrast, Standing **out, int64_t *count) {
  const int64_t own = shard_count(contrast->firings.own);
  TRY(MEMORY_NEW(out, own, "standings of features"));
  for (int64_t i = 0; i < own; ++i) {
    judge(contrast, i, &(*out)[i]);
  }
  if (own > 0) {
    qsort(*out, (size_t)own, sizeof(**out), compare_standings);
  }
  *count = own < contrast->top ? own : contrast->top;
  return OK;
}

/* The best of all ranks. */
static Status rank_features(Contrast *contrast) {
  Standing *own = NULL;
  int64_t mine = 0;
  Status status = team_agree(contrast->team, judge_own(contrast, &own, &mine));
  if (status == OK) {
    status =
        exchange_collect(contrast->team, own, mine, sizeof(*own), (void **)&contrast->standings,
                         &contrast->count, "standings of features");
  }
  MEMORY_FREE(own);
  TRY(status);
  qsort(contrast->standings, (size_t)contrast->count, sizeof(*own), compare_standings);
  contrast->count = contrast->count < contrast->top ? contrast->count : contrast->top;
  return OK;
}

/* Two halves only where both sides have texts enough. */
static void decide_halves(Contrast *contrast) {
  int64_t count[2];
  const ContrastSides sides = {contrast->positive, contrast->negative, CONTRAST_BOTH};
  contrast_count(&contrast->texts, &sides, count);
  contrast->is_halved = count[0] >= HALVED && count[1] >= HALVED;
}

/* Showing. */

static Status write_sets(Contrast *contrast) {
  Text *out = &contrast->out;
  const LabelledTexts *corpus = &contrast->corpus;
  for (int set = 0; set < corpus->sets; ++set) {
    const uint32_t bit = (uint32_t)1 << set;
    const char *side = (contrast->positive & bit) != 0   ? "for"
                       : (contrast->negative & bit) != 0 ? "against"
                                                         : "left out";
    TRY(text_printf(out, "%-8s %s: %lld texts\n", side, corpus->names[set],
                    (long long)corpus->texts_of[set]));
  }
  if (corpus->cut > 0) {
    TRY(text_printf(out, "%lld texts were cut to %lld tokens\n", (long long)corpus->cut,
                    (long long)contrast->stage->settings.harvest.context));
  }
  return OK;
}

static Status write_heading(Contrast *contrast) {
  TRY(write_sets(contrast));
  TRY(text_printf(&contrast->out,
                  contrast->is_halved
                      ? "features are chosen on half of the texts and measured on the other half\n"
                      : "too few texts for two halves: what is best by chance looks good here\n"));
  TRY(contrast->is_all ? text_printf(&contrast->out,
                                     "figures are of the pair of sets that it tells apart worst\n")
                       : OK);
  return text_printf(&contrast->out,
                     "                              fires, %%   mean strength\n"
                     " chosen area  95 %%          for against     for against  feature\n");
}

static Status write_standing(Contrast *contrast, const Standing *standing) {
  const ContrastScore *score = &standing->measured;
  double rate[2];
  for (int side = 0; side < 2; ++side) {
    rate[side] = 100.0 * (double)score->fired[side] / (double)score->texts[side];
  }
  Text line = {0};
  Status status = text_printf(
      &line, "  %.3f %.3f %.3f-%.3f %5.1f %7.1f %7.3g %7.3g  %s/%lld ", standing->chosen.area,
      score->area, score->low, score->high, rate[0], rate[1], score->mean[0], score->mean[1],
      contrast->atlas.dictionaries[contrast->own.index].name, (long long)standing->latent);
  if (status == OK) {
    status = names_of(contrast->names, &contrast->atlas, (int)contrast->own.index, standing->latent,
                      &line, NULL);
  }
  if (status == OK) {
    status = glyph_append_cut(&contrast->out, text_chars(&line), line.length, contrast->columns);
  }
  text_clear(&line);
  TRY(status);
  return text_append(&contrast->out, "\n", 1);
}

static Status write_ranking(Contrast *contrast) {
  TRY(write_heading(contrast));
  for (int64_t i = 0; i < contrast->count; ++i) {
    TRY(write_standing(contrast, &contrast->standings[i]));
  }
  return OK;
}

/* One feature, by strength. */

/* Where a feature of this rank fires; nothing of other ranks' features. */
static const ContrastEntry *entries_of(const Contrast *contrast, int64_t latent, int64_t *count) {
  const LabelledFirings *firings = &contrast->firings;
  const int64_t own = latent - firings->own.first;
  const bool is_mine = latent >= firings->own.first && latent < firings->own.past;
  *count = is_mine ? firings->start[own + 1] - firings->start[own] : 0;
  return is_mine ? firings->entries + firings->start[own] : NULL;
}

/* Texts of both sides by interval of the feature's strongest activation; the last for silent ones. */
static void count_intervals(const Contrast *contrast, const ContrastEntry *entries, int64_t count,
                            double maximum, int64_t counts[INTERVALS + 1][2]) {
  const ContrastSides sides = {contrast->positive, contrast->negative, CONTRAST_BOTH};
  int64_t *silent = counts[INTERVALS];
  memset(counts, 0, (size_t)INTERVALS * sizeof(counts[0]));
  for (int64_t i = 0; i < count; ++i) {
    const int side = contrast_side(&contrast->texts, &sides, entries[i].text);
    const double place = (double)entries[i].value / maximum * INTERVALS;
    if (side >= 0) {
      ++counts[place < INTERVALS ? (int)place : INTERVALS - 1][side];
    }
  }
  exchange_sum(contrast->team, &counts[0][0], (int64_t)INTERVALS * 2);
  contrast_count(&contrast->texts, &sides, silent);
  for (int i = 0; i < INTERVALS; ++i) {
    silent[0] -= counts[i][0];
    silent[1] -= counts[i][1];
  }
}

/* P(for | this strong) with its interval; the share of the texts for that are at least so strong; that of the others
 * that are weaker. */
static Status write_intervals(Contrast *contrast, double maximum,
                              int64_t counts[INTERVALS + 1][2]) {
  int64_t above[2] = {0, 0}, all[2] = {0, 0};
  for (int i = 0; i <= INTERVALS; ++i) {
    all[0] += counts[i][0];
    all[1] += counts[i][1];
  }
  TRY(text_printf(
      &contrast->out,
      "  activation     for  against  P(for)  95 %%          sensitivity  specificity\n"));
  for (int i = INTERVALS - 1; i >= -1; --i) {
    const int64_t *count = counts[i >= 0 ? i : INTERVALS];
    const double n = (double)(count[0] + count[1]);
    double low = NAN, high = NAN;
    above[0] += count[0];
    above[1] += count[1];
    if (n > 0) {
      evidence_wilson((double)count[0] / n, n, &low, &high);
    }
    TRY(i >= 0 ? text_printf(&contrast->out, "  from %6.3g", maximum * i / INTERVALS)
               : text_printf(&contrast->out, "  silent     "));
    TRY(text_printf(&contrast->out, " %7lld  %7lld", (long long)count[0], (long long)count[1]));
    TRY(n > 0
            ? text_printf(&contrast->out, "   %.3f  %.3f to %.3f", (double)count[0] / n, low, high)
            : text_printf(&contrast->out, "       -               "));
    TRY(text_printf(&contrast->out, "  %11.3f  %11.3f\n", (double)above[0] / (double)all[0],
                    (double)(all[1] - above[1]) / (double)all[1]));
  }
  return OK;
}

static Status show_feature(Contrast *contrast) {
  AtlasFeature feature;
  const int64_t latent = contrast->latent;
  int64_t counts[INTERVALS + 1][2];
  TRY_ALL(contrast->team,
          atlas_feature(&contrast->atlas, (int)contrast->own.index, latent, &feature));
  int64_t count;
  const ContrastEntry *entries = entries_of(contrast, latent, &count);
  double maximum = (double)feature.maximum;
  for (int64_t i = 0; i < count; ++i) {
    maximum = fmax(maximum, (double)entries[i].value);
  }
  exchange_max(contrast->team, &maximum, 1);
  count_intervals(contrast, entries, count, maximum > 0 ? maximum : 1, counts);
  TRY_ALL(contrast->team, write_sets(contrast));
  TRY_ALL(contrast->team,
          text_printf(&contrast->out, "%s/%lld  ",
                      contrast->atlas.dictionaries[contrast->own.index].name, (long long)latent));
  TRY_ALL(contrast->team, names_of(contrast->names, &contrast->atlas, (int)contrast->own.index,
                                   latent, &contrast->out, NULL));
  TRY_ALL(contrast->team, text_append(&contrast->out, "\n", 1));
  TRY_ALL(contrast->team, write_intervals(contrast, maximum, counts));
  return OK;
}

static Status work(Contrast *contrast) {
  int index = -1;
  enum { ROWS = 256 };
  TRY(run_atlas_open(contrast->stage, false, &contrast->atlas));
  TRY(names_open(&contrast->names, &contrast->atlas, contrast->stage->settings.report.labels));
  TRY_ALL(contrast->team,
          contrast->latent >= 0
              ? run_atlas_feature(contrast->stage, &contrast->atlas, &index, &contrast->latent)
              : run_atlas_dictionary(contrast->stage, &contrast->atlas, &index));
  TRY(workbench_open(&contrast->bench, contrast->stage));
  TRY_ALL(contrast->team, read_texts(contrast));
  TRY(workbench_load(&contrast->bench, false, contrast->corpus.longest));
  TRY(workbench_dictionary_open(&contrast->own, &contrast->bench, index));
  TRY(workbench_dictionary_load(&contrast->own, &contrast->bench, ROWS));
  TRY(labelled_firings_open(&contrast->firings, &contrast->bench, &contrast->own,
                            &contrast->corpus));
  decide_halves(contrast);
  if (contrast->latent >= 0) {
    TRY(show_feature(contrast));
  } else {
    TRY(rank_features(contrast));
    TRY_ALL(contrast->team, write_ranking(contrast));
  }
  return stage_answer(contrast->stage, &contrast->out);
}

static Status run(Stage *stage) {
  const bool is_one = stage_flag(stage, "--feature") != NULL;
  Contrast contrast = {
      .stage = stage, .team = &stage->team, .latent = is_one ? 0 : -1, .columns = stage_columns()};
  const Status status = work(&contrast);
  labelled_firings_close(&contrast.firings);
  labelled_close(&contrast.corpus);
  workbench_dictionary_close(&contrast.own);
  workbench_close(&contrast.bench);
  MEMORY_FREE(contrast.standings);
  text_clear(&contrast.out);
  names_close(&contrast.names);
  atlas_close(&contrast.atlas);
  return status;
}

int main(int argc, char **argv) {
  static const ConfigSection *const SECTIONS[] = {&SETTINGS_RUN, &SETTINGS_DICTIONARY, NULL};
  static const StageFlag FLAGS[] = {
      {"--sets", "LIST",
       "labelled texts: error=errors.jsonl,clean=clean.jsonl (.jsonl lines, text files, folders)"},
      {"--for", "NAMES", "sets whose features are looked for (default: the first)"},
      {"--against", "NAMES", "sets that they must not fire on (default: all others)"},
      {"--all", NULL,
       "a feature must tell each set --for from each set --against: its worst pair counts"},
      {"--dictionary", "NAME", "the largest level when not given"},
      {"--top", "N", "features shown (default 20)"},
      {"--out", "FILE", "the answer goes there"},
      {"--feature", "NAME/ID", "instead: this feature's sensitivity and specificity by strength"},
      {NULL, NULL, NULL}};
  static const StageSpec SPEC = {
      .name = "contrast",
      .purpose = "features that tell sets of texts apart",
      .reads = "model, labelled texts, activations.h5, dictionaries/*.h5, codes/*.h5",
      .writes = "nothing, or the file of --out",
      .next = "",
      .sections = SECTIONS,
      .flags = FLAGS,
      .run = run};
  return stage_main(argc, argv, &SPEC);
}
