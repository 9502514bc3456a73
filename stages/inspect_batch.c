/* The strongest features of each of many texts. */

#include <stdlib.h>

#include "exchange.h"
#include "inspect.h"
#include "labelled_fire.h"
#include "memory.h"
#include "pen.h"

enum { ROWS = 256 }; /* of a codec call */

/* A feature on a text. */
typedef struct Spot {
  int64_t text, latent;
  float value;
} Spot;

typedef struct Batch {
  Team *team;
  const DossierView *view;
  int dictionary;
  int64_t most;
  Workbench bench;
  WorkbenchDictionary own;
  LabelledTexts texts;
  LabelledFirings firings;
  Spot *mine, *all;
  int64_t mine_count, count;
} Batch;

static int by_text(const void *left, const void *right) {
  const Spot *a = left;
  const Spot *b = right;
  if (a->text != b->text) {
    return a->text < b->text ? -1 : 1;
  }
  if (a->value != b->value) {
    return a->value > b->value ? -1 : 1;
  }
  return a->latent < b->latent ? -1 : (a->latent > b->latent ? 1 : 0);
}

/* Of sorted spots only the first `most` of each text stay. */
static int64_t cut(Spot *spots, int64_t count, int64_t most) {
  int64_t kept = 0, of_text = 0;
  for (int64_t i = 0; i < count; ++i) {
    of_text = kept > 0 && spots[kept - 1].text == spots[i].text ? of_text : 0;
    if (of_text < most) {
      spots[kept++] = spots[i];
      ++of_text;
    }
  }
  return kept;
}

/* No rank can have more than `most` of a text's strongest. */
static Status gather_own(Batch *batch) {
  const LabelledFirings *firings = &batch->firings;
  const int64_t latents = shard_count(firings->own);
  TRY(MEMORY_NEW(&batch->mine, firings->start[latents], "features of texts"));
  for (int64_t l = 0; l < latents; ++l) {
    for (int64_t i = firings->start[l]; i < firings->start[l + 1]; ++i) {
      batch->mine[batch->mine_count++] =
          (Spot){firings->entries[i].text, firings->own.first + l, firings->entries[i].value};
    }
  }
  qsort(batch->mine, (size_t)batch->mine_count, sizeof(Spot), by_text);
  batch->mine_count = cut(batch->mine, batch->mine_count, batch->most);
  return OK;
}

static Status write_spot(const Batch *batch, const Spot *spot, Text *scratch, Pen *pen) {
  const Atlas *atlas = batch->view->atlas;
  pen_open(pen, "{");
  pen_key(pen, "feature");
  scratch->length = 0;
  TRY(text_printf(scratch, "%s/%lld", atlas->dictionaries[batch->dictionary].name,
                  (long long)spot->latent));
  pen_text(pen, text_chars(scratch), scratch->length);
  pen_key(pen, "activation");
  pen_real(pen, (double)spot->value, 6);
  pen_key(pen, "label");
  scratch->length = 0;
  TRY(names_of(batch->view->names, atlas, batch->dictionary, spot->latent, scratch, NULL));
  pen_text(pen, text_chars(scratch), scratch->length);
  pen_close(pen, "}");
  return OK;
}

/* A text's line; `at` moves past its spots. */
static Status write_line(const Batch *batch, int64_t text, int64_t *at, Text *scratch, Text *out) {
  Pen pen = pen_on(out);
  pen_open(&pen, "{");
  pen_key(&pen, "text");
  pen_integer(&pen, text);
  pen_key(&pen, "tokens");
  pen_integer(&pen, batch->texts.ids[text].count - batch->texts.front);
  pen_key(&pen, "features");
  pen_open(&pen, "[");
  for (; *at < batch->count && batch->all[*at].text == text; ++*at) {
    TRY(write_spot(batch, &batch->all[*at], scratch, &pen));
  }
  pen_close(&pen, "]");
  pen_close(&pen, "}");
  TRY(pen_status(&pen));
  return text_append(out, "\n", 1);
}

static Status write_lines(Batch *batch, Text *out) {
  Text scratch = {0};
  Status status = OK;
  qsort(batch->all, (size_t)batch->count, sizeof(Spot), by_text);
  batch->count = cut(batch->all, batch->count, batch->most);
  for (int64_t text = 0, at = 0; status == OK && text < batch->texts.texts; ++text) {
    status = write_line(batch, text, &at, &scratch, out);
  }
  text_clear(&scratch);
  return status;
}

static Status work(Batch *batch, const char *path, Text *out) {
  TRY_ALL(batch->team, labelled_read(&batch->texts, &batch->bench, path));
  TRY(workbench_load(&batch->bench, false, batch->texts.longest));
  TRY(workbench_dictionary_open(&batch->own, &batch->bench, batch->dictionary));
  TRY(workbench_dictionary_load(&batch->own, &batch->bench, ROWS));
  TRY(labelled_firings_open(&batch->firings, &batch->bench, &batch->own, &batch->texts));
  TRY_ALL(batch->team, gather_own(batch));
  TRY(exchange_collect(batch->team, batch->mine, batch->mine_count, sizeof(Spot),
                       (void **)&batch->all, &batch->count, "features of texts"));
  TRY_ALL(batch->team, write_lines(batch, out));
  return OK;
}

Status inspect_batch(Stage *stage, const DossierView *view, int dictionary, const char *path,
                     int64_t most, Text *out) {
  Batch batch = {.team = &stage->team, .view = view, .dictionary = dictionary, .most = most};
  Status status = workbench_open(&batch.bench, stage);
  status = status == OK ? work(&batch, path, out) : status;
  MEMORY_FREE(batch.mine);
  MEMORY_FREE(batch.all);
  labelled_firings_close(&batch.firings);
  labelled_close(&batch.texts);
  workbench_dictionary_close(&batch.own);
  workbench_close(&batch.bench);
  return status;
}
