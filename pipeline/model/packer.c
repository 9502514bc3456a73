#include "packer.h"

#include <stddef.h>

#include "memory.h"

struct Packer {
  Lines *lines;
  const Tokenizer *tokenizer;
  PackerListener listener; /* document NULL: none */
  int64_t context;         /* tokens of a context */
  int64_t contexts;        /* of a unit */
  bool is_begun;           /* the first unit is out */
  Text text;               /* of the document in hand */
  TokenizerIds ids;        /* of the document in hand */
  int64_t taken;           /* of them already in units */
  int64_t document;        /* its number; -1 before the first */
  bool is_end;             /* no document left */
};

int64_t packer_contexts(int64_t context) {
  return context < PACKER_ROWS ? PACKER_ROWS / context : 1;
}

Status packer_create(Packer **out, Lines *lines, const Tokenizer *tokenizer, int64_t context,
                     const PackerListener *listener) {
  ASSERT(context >= 2);
  Packer *packer;
  *out = NULL;
  TRY(MEMORY_NEW(&packer, 1, "a packer"));
  *packer = (Packer){.lines = lines,
                     .tokenizer = tokenizer,
                     .context = context,
                     .contexts = packer_contexts(context),
                     .document = -1};
  if (listener != NULL) {
    packer->listener = *listener;
  }
  *out = packer;
  return OK;
}

void packer_destroy(Packer **packer) {
  if (*packer != NULL) {
    text_clear(&(*packer)->text);
    MEMORY_FREE((*packer)->ids.ids);
    MEMORY_FREE(*packer);
  }
}

int64_t packer_unit_rows(const Packer *packer) {
  return packer->contexts * packer->context;
}

Status packer_unit_init(PackerUnit *unit, const Packer *packer) {
  const int64_t rows = packer_unit_rows(packer);
  *unit = (PackerUnit){0};
  TRY(MEMORY_NEW(&unit->documents, 2 * rows + packer->contexts, "a unit of contexts"));
  unit->positions = unit->documents + rows;
  unit->lengths = unit->positions + rows;
  const Status status = MEMORY_NEW(&unit->ids, rows, "tokens of a unit");
  if (status != OK) {
    packer_unit_clear(unit);
  }
  return status;
}

void packer_unit_clear(PackerUnit *unit) {
  MEMORY_FREE(unit->documents);
  MEMORY_FREE(unit->ids);
  *unit = (PackerUnit){0};
}

static Status append_end(Packer *packer) {
  const int32_t end = tokenizer_end(packer->tokenizer);
  TokenizerIds *ids = &packer->ids;
  if (end < 0) {
    return OK;
  }
  if (ids->count == ids->capacity) {
    const int64_t capacity = ids->capacity + 64;
    TRY(MEMORY_RESIZE(&ids->ids, capacity, "token ids of a document"));
    ids->capacity = capacity;
  }
  ids->ids[ids->count++] = end;
  return OK;
}

/* The next document that has tokens, tokenised; or is_end. */
static Status next_document(Packer *packer) {
  packer->taken = 0;
  packer->ids.count = 0;
  while (packer->ids.count == 0) {
    TRY(lines_next(packer->lines, &packer->text, &packer->is_end));
    if (packer->is_end) {
      return OK;
    }
    TRY(tokenizer_encode(packer->tokenizer, text_chars(&packer->text), packer->text.length,
                         &packer->ids));
  }
  TRY(append_end(packer));
  ++packer->document;
  if (packer->listener.document == NULL) {
    return OK;
  }
  return packer->listener.document(packer->listener.context, packer->document, packer->ids.ids,
                                   packer->ids.count);
}

static void put_row(PackerUnit *unit, int32_t id, int64_t document, int64_t position) {
  unit->ids[unit->rows] = id;
  unit->documents[unit->rows] = document;
  unit->positions[unit->rows++] = position;
}

/* One context behind the unit's last; nothing at the end of the text. */
static Status fill_context(Packer *packer, PackerUnit *unit) {
  const int64_t first = unit->rows;
  while (unit->rows - first < packer->context) {
    if (packer->taken == packer->ids.count && !packer->is_end) {
      TRY(next_document(packer));
    }
    if (packer->is_end) {
      break;
    }
    if (unit->rows == first && tokenizer_adds_begin(packer->tokenizer)) {
      put_row(unit, tokenizer_begin(packer->tokenizer), packer->document, -1);
    }
    put_row(unit, packer->ids.ids[packer->taken], packer->document, packer->taken);
    ++packer->taken;
  }
  if (unit->rows > first) {
    unit->lengths[unit->contexts++] = unit->rows - first;
  }
  return OK;
}

Status packer_next(Packer *packer, PackerUnit *unit) {
  const int64_t contexts = packer->is_begun ? packer->contexts : 1;
  unit->rows = unit->contexts = 0;
  for (int64_t i = 0; i < contexts && !packer->is_end; ++i) {
    TRY(fill_context(packer, unit));
  }
  packer->is_begun = true;
  return OK;
}

int64_t packer_waiting(const Packer *packer) {
  return packer->ids.count - packer->taken;
}
