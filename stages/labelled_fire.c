#include "labelled_fire.h"

#include <string.h>

#include "memory.h"
#include "progress.h"
#include "threads.h"

/* Texts go through the model in rounds: in each a rank runs some of them, one a thread. Then all ranks look at them in
 * order. */

typedef struct Worker {
  TransformerScratch *scratch;
} Worker;

/* One latent on one text. */
typedef struct Found {
  uint32_t latent; /* from own.first */
  ContrastEntry entry;
} Found;

typedef struct Firing {
  Workbench *bench;
  const WorkbenchDictionary *dictionary;
  const LabelledTexts *corpus;
  Team *team;
  Worker *workers; /* [threads] */
  int64_t share;   /* texts of a rank in a round */
  int64_t first;   /* text of the round */
  float *streams;  /* [share, longest, width] of this rank's */
  float *rows;     /* [longest, width] on their way to all */
  float *best;     /* [own] strongest on the text in hand, 0: silent */
  uint32_t *fired; /* [own] latents that fired on it */
  Found *found;
  int64_t count, room;
} Firing;

static int64_t stride(const Firing *firing) {
  return firing->corpus->longest * firing->bench->width;
}

/* Own text `index` of the round. */
static Status run_text(int64_t index, int thread, void *context) {
  const Firing *firing = context;
  const int64_t text = firing->first + firing->team->rank * firing->share + index;
  const TokenizerIds *ids = &firing->corpus->ids[text];
  const TransformerUnit unit = {ids->ids, &ids->count, 1};
  return transformer_run(firing->workers[thread].scratch, &unit, NULL,
                         firing->streams + index * stride(firing));
}

static Status keep(Firing *firing, uint32_t latent, uint32_t text, float value) {
  if (firing->count == firing->room) {
    const int64_t room = 2 * firing->room + 4096;
    TRY(MEMORY_RESIZE(&firing->found, room, "firings on texts"));
    firing->room = room;
  }
  firing->found[firing->count++] = (Found){latent, {text, value}};
  return OK;
}

/* Strongest activation of each own latent on rows [first, first + count) of the text in hand. */
static int64_t take_rows(Firing *firing, int64_t first, int64_t count, int64_t fired) {
  const Fire *fire = firing->dictionary->codec->fire;
  const int64_t own = firing->dictionary->sae->own.first;
  for (int64_t r = 0; r < count; ++r) {
    const float *row = firing->rows + (first + r) * firing->bench->width;
    if (workbench_is_left_out(firing->bench, first + r, row)) {
      continue;
    }
    for (int64_t i = fire->start[r]; i < fire->start[r + 1]; ++i) {
      const int64_t latent = select_id(fire->keys[i]) - own;
      if (!fire_is_active(fire, r, i)) {
        continue;
      }
      if (firing->best[latent] == 0) {
        firing->fired[fired++] = (uint32_t)latent;
      }
      firing->best[latent] =
          fire->values[i] > firing->best[latent] ? fire->values[i] : firing->best[latent];
    }
  }
  return fired;
}

static Status keep_all(Firing *firing, int64_t text, int64_t fired) {
  for (int64_t i = 0; i < fired; ++i) {
    const uint32_t latent = firing->fired[i];
    TRY(keep(firing, latent, (uint32_t)text, firing->best[latent]));
    firing->best[latent] = 0;
  }
  return OK;
}

/* A text's rows go from its rank to all, and through the dictionary. */
static Status look_at_text(Firing *firing, int64_t text) {
  const int64_t rows = firing->corpus->ids[text].count, width = firing->bench->width;
  const int64_t place = text - firing->first, most = firing->dictionary->codec->most;
  const int rank = (int)(place / firing->share);
  int64_t fired = 0;
  if (rank == firing->team->rank) {
    memcpy(firing->rows, firing->streams + place % firing->share * stride(firing),
           (size_t)(rows * width) * sizeof(float));
  }
  team_broadcast(firing->team, firing->rows, rows * width * (int64_t)sizeof(float), rank);
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t count = rows - first < most ? rows - first : most;
    TRY(codec_encode(firing->dictionary->codec, firing->rows + first * width, count));
    fired = take_rows(firing, first, count, fired);
  }
  TRY_ALL(firing->team, keep_all(firing, text, fired));
  return OK;
}

static Status look_at_round(Firing *firing) {
  const int64_t texts = firing->corpus->texts;
  const int64_t mine = firing->first + firing->team->rank * firing->share;
  const int64_t left = texts - mine, own = left < firing->share ? left : firing->share;
  TRY_ALL(firing->team, threads_run(own > 0 ? own : 0, run_text, firing));
  const int64_t past = firing->first + firing->share * firing->team->size;
  for (int64_t text = firing->first; text < past && text < texts; ++text) {
    TRY(look_at_text(firing, text));
  }
  return OK;
}

static Status look_at_all(Firing *firing) {
  Progress bar;
  const int64_t texts = firing->corpus->texts, round = firing->share * firing->team->size;
  progress_open(&bar, firing->team, "texts", "texts", texts);
  for (firing->first = 0; firing->first < texts; firing->first += round) {
    TRY(look_at_round(firing));
    progress_step(&bar, firing->first + round < texts ? firing->first + round : texts);
  }
  progress_close(&bar, texts);
  return OK;
}

static Status take(Firing *firing) {
  const Workbench *bench = firing->bench;
  const int64_t own = shard_count(firing->dictionary->sae->own);
  TRY(MEMORY_NEW(&firing->workers, threads_count(), "threads' working memory"));
  for (int t = 0; t < threads_count(); ++t) {
    TRY(transformer_scratch_create(&firing->workers[t].scratch, bench->transformer,
                                   firing->corpus->longest));
  }
  TRY(MEMORY_NEW(&firing->streams, firing->share * stride(firing), "streams of texts"));
  TRY(MEMORY_NEW(&firing->rows, stride(firing), "the stream of a text"));
  TRY(MEMORY_NEW(&firing->best, own, "strongest activations"));
  return MEMORY_NEW(&firing->fired, own, "latents that fire");
}

/* A counting sort: a latent's texts keep their order. */
static Status sort_found(const Firing *firing, LabelledFirings *out) {
  const int64_t own = shard_count(out->own);
  TRY(MEMORY_NEW(&out->start, own + 1, "firings of latents"));
  TRY(MEMORY_NEW(&out->entries, firing->count, "firings of latents"));
  for (int64_t i = 0; i < firing->count; ++i) {
    ++out->start[firing->found[i].latent + 1];
  }
  for (int64_t l = 0; l < own; ++l) {
    out->start[l + 1] += out->start[l];
  }
  for (int64_t i = firing->count - 1; i >= 0; --i) { /* from behind: start ends as it should */
    out->entries[--out->start[firing->found[i].latent + 1]] = firing->found[i].entry;
  }
  for (int64_t l = 0; l < own; ++l) {
    out->start[l] = out->start[l + 1];
  }
  out->start[own] = firing->count;
  return OK;
}

Status labelled_firings_open(LabelledFirings *firings, Workbench *bench,
                             const WorkbenchDictionary *dictionary, const LabelledTexts *corpus) {
  int64_t threads = threads_count();
  Firing firing = {.bench = bench, .dictionary = dictionary, .corpus = corpus, .team = bench->team};
  *firings = (LabelledFirings){.own = dictionary->sae->own};
  team_broadcast(bench->team, &threads, sizeof(threads), 0); /* the same share on all ranks */
  firing.share = 2 * threads;
  Status status = team_agree(bench->team, take(&firing));
  if (status == OK) {
    status = look_at_all(&firing);
  }
  if (status == OK) {
    status = team_agree(bench->team, sort_found(&firing, firings));
  }
  for (int t = 0; firing.workers != NULL && t < threads_count(); ++t) {
    transformer_scratch_destroy(&firing.workers[t].scratch);
  }
  MEMORY_FREE(firing.workers);
  MEMORY_FREE(firing.streams);
  MEMORY_FREE(firing.rows);
  MEMORY_FREE(firing.best);
  MEMORY_FREE(firing.fired);
  MEMORY_FREE(firing.found);
  return status;
}

void labelled_firings_close(LabelledFirings *firings) {
  MEMORY_FREE(firings->start);
  MEMORY_FREE(firings->entries);
}
