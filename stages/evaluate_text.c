#include "evaluate_text.h"

#include <string.h>

#include "memory.h"
#include "packer.h"

enum { DOCUMENTS = 65536 }; /* looked at at a time */

/* Documents are copied into one growing stream; a begin token goes in front of each context. */
typedef struct Filling {
  EvaluateText *text;
  Archive *file;
  const Tokenizer *tokenizer;
  int64_t context, most;
  int64_t documents;
  bool held_out; /* wanted, else all */
  int64_t begin; /* token, -1: none */
  int64_t left;  /* places in the context in hand */
  int64_t token_room, context_room;
  int64_t *start;     /* [DOCUMENTS + 1] */
  uint8_t *is_held;   /* [DOCUMENTS] */
  uint32_t *document; /* [document_room] */
  int64_t document_room;
} Filling;

static bool is_full(const Filling *filling) {
  return filling->left == 0 && filling->text->tokens >= filling->most;
}

static Status push(Filling *filling, int32_t id) {
  EvaluateText *text = filling->text;
  if (text->tokens == filling->token_room) {
    filling->token_room = 2 * filling->token_room + 4096;
    TRY(MEMORY_RESIZE(&text->ids, filling->token_room, "tokens of held-out text"));
  }
  text->ids[text->tokens++] = id;
  ++text->lengths[text->contexts - 1];
  --filling->left;
  return OK;
}

static Status begin_context(Filling *filling) {
  EvaluateText *text = filling->text;
  if (text->contexts == filling->context_room) {
    filling->context_room = 2 * filling->context_room + 64;
    TRY(MEMORY_RESIZE(&text->lengths, filling->context_room, "contexts of held-out text"));
  }
  text->lengths[text->contexts++] = 0;
  filling->left = filling->context;
  return filling->begin >= 0 ? push(filling, (int32_t)filling->begin) : OK;
}

static Status add_document(Filling *filling, int64_t first, int64_t count) {
  const int64_t vocabulary = tokenizer_size(filling->tokenizer);
  if (count > filling->document_room) {
    TRY(MEMORY_RESIZE(&filling->document, count, "tokens of a document"));
    filling->document_room = count;
  }
  TRY(archive_read_here(filling->file, "/text_token", first, count, filling->document));
  for (int64_t i = 0; i < count && !is_full(filling); ++i) {
    if (filling->document[i] >= vocabulary) {
      return RAISE(ERR_FORMAT, "%s: token %u is outside the model's vocabulary of %lld",
                   archive_path(filling->file), filling->document[i], (long long)vocabulary);
    }
    if (filling->left == 0) {
      TRY(begin_context(filling));
    }
    TRY(push(filling, (int32_t)filling->document[i]));
  }
  return OK;
}

static Status add_documents(Filling *filling, int64_t first, int64_t count) {
  TRY(archive_read_here(filling->file, "/document_start", first, count + 1, filling->start));
  TRY(archive_read_here(filling->file, "/document_held_out", first, count, filling->is_held));
  for (int64_t i = 0; i < count && !is_full(filling); ++i) {
    if (filling->start[i] < 0 || filling->start[i + 1] < filling->start[i]) {
      return RAISE(ERR_FORMAT, "%s: /document_start descends: run cleave-harvest again",
                   archive_path(filling->file));
    }
    if (!filling->held_out || filling->is_held[i]) {
      TRY(add_document(filling, filling->start[i], filling->start[i + 1] - filling->start[i]));
    }
  }
  return OK;
}

/* A context of one token foretells nothing. */
static void drop_stump(EvaluateText *text) {
  if (text->contexts > 0 && text->lengths[text->contexts - 1] < 2) {
    text->tokens -= text->lengths[--text->contexts];
  }
}

static Status fill(Filling *filling) {
  for (int64_t first = 0; first < filling->documents && !is_full(filling); first += DOCUMENTS) {
    const int64_t left = filling->documents - first;
    TRY(add_documents(filling, first, left < DOCUMENTS ? left : DOCUMENTS));
  }
  drop_stump(filling->text);
  return OK;
}

/* Held-out documents; where there are none, all. */
static Status fill_some(Filling *filling) {
  EvaluateText *text = filling->text;
  TRY(MEMORY_NEW(&filling->start, DOCUMENTS + 1, "documents"));
  TRY(MEMORY_NEW(&filling->is_held, DOCUMENTS, "documents"));
  filling->held_out = true;
  TRY(fill(filling));
  text->is_held_out = text->contexts > 0;
  if (!text->is_held_out) {
    filling->held_out = false;
    filling->left = 0;
    TRY(fill(filling));
  }
  if (text->contexts == 0) {
    return RAISE(ERR_DATA, "%s holds no text of two tokens or more", archive_path(filling->file));
  }
  TRY(MEMORY_NEW(&text->first, text->contexts + 1, "contexts of held-out text"));
  for (int64_t c = 0; c < text->contexts; ++c) {
    text->first[c + 1] = text->first[c] + text->lengths[c];
  }
  return OK;
}

Status evaluate_text_open(EvaluateText *text, Team *team, Archive *activations,
                          const Tokenizer *tokenizer, int64_t context, int64_t most) {
  Filling filling = {.text = text,
                     .file = activations,
                     .tokenizer = tokenizer,
                     .context = context,
                     .most = most,
                     .begin = tokenizer_adds_begin(tokenizer) ? tokenizer_begin(tokenizer) : -1};
  *text = (EvaluateText){.per_unit = PACKER_ROWS > context ? PACKER_ROWS / context : 1};
  TRY(archive_shape(activations, "/document_held_out", ARCHIVE_U8, 1, &filling.documents));
  const Status status = fill_some(&filling);
  MEMORY_FREE(filling.start);
  MEMORY_FREE(filling.is_held);
  MEMORY_FREE(filling.document);
  TRY_ALL(team, status);
  text->units = (text->contexts + text->per_unit - 1) / text->per_unit;
  return OK;
}

void evaluate_text_close(EvaluateText *text) {
  MEMORY_FREE(text->ids);
  MEMORY_FREE(text->lengths);
  MEMORY_FREE(text->first);
}

int64_t evaluate_text_unit(const EvaluateText *text, int64_t unit, int64_t *first_context) {
  const int64_t left = text->contexts - unit * text->per_unit;
  *first_context = unit * text->per_unit;
  return left < text->per_unit ? left : text->per_unit;
}
