#include "exchange.h"
#include "import_rows_run.h"
#include "memory.h"

/* Documents are numbered anew from 0, in the order of the rows: a rank counts the changes of number
 * in its own range, and learns of the lower ranks how many there were before. */

enum { VOCABULARY_MOST = 1 << 24 }; /* tokens without a tokenizer: each gets a name */

Status places_read(ImportRows *import, int64_t first, int64_t count) {
  if (import->tensors[IMPORT_TOKENS] != NULL) {
    TRY(tensor_read_integer(import->files[IMPORT_TOKENS], import->tensors[IMPORT_TOKENS], first,
                            count, import->token));
  }
  if (import->tensors[IMPORT_DOCUMENTS] != NULL) {
    return tensor_read_integer(import->files[IMPORT_DOCUMENTS], import->tensors[IMPORT_DOCUMENTS],
                               first, count, import->number);
  }
  for (int64_t i = 0; i < count; i++) {
    import->number[i] = (first + i) / PLACES_MADE;
  }
  return OK;
}

/* The number of the row before, for the first row of a range. */
static Status read_number_before(ImportRows *import, int64_t first) {
  if (first > 0 && first < import->rows) {
    TRY(places_read(import, first - 1, 1));
    import->last_number = import->number[0];
  }
  return OK;
}

static Status check_tokens(const ImportRows *import, int64_t first, int64_t count) {
  const bool is_named = import->tokenizer != NULL;
  const int64_t most = is_named ? tokenizer_size(import->tokenizer) : VOCABULARY_MOST;
  for (int64_t i = 0; import->tensors[IMPORT_TOKENS] != NULL && i < count; i++) {
    if (import->token[i] < 0 || import->token[i] >= most) {
      return RAISE(ERR_DATA, "%s: row %lld: token %lld, but %s %lld tokens (0 to %lld)",
                   import_rows_path(import, IMPORT_TOKENS), (long long)(first + i),
                   (long long)import->token[i],
                   is_named ? import->settings->vocabulary : "without a tokenizer there may be",
                   (long long)most, (long long)(most - 1));
    }
  }
  return OK;
}

/* The document of the next row, which is row `row` of the file. */
Status places_step(ImportRows *import, int64_t row, int64_t number) {
  if (row > 0 && number < import->last_number) {
    return RAISE(ERR_DATA,
                 "%s: row %lld is of document %lld, the row before of %lld: the numbers must "
                 "ascend, the rows of a document lie together",
                 import_rows_path(import, IMPORT_DOCUMENTS), (long long)row, (long long)number,
                 (long long)import->last_number);
  }
  if (row > 0 && number != import->last_number) {
    import->document++;
    import->document_row = row;
  }
  import->last_number = number;
  return OK;
}

/* All own rows: in document and document_row, how many documents begin and where the last one does
 * (-1: nowhere). */
static Status survey_own(ImportRows *import) {
  const Shard own = import->own;
  TRY(read_number_before(import, own.first));
  import->document = 0;
  import->document_row = -1;
  for (int64_t at = own.first; at < own.past; at += import->unit_rows) {
    const int64_t left = own.past - at;
    const int64_t count = left < import->unit_rows ? left : import->unit_rows;
    TRY(places_read(import, at, count));
    TRY(check_tokens(import, at, count));
    for (int64_t i = 0; i < count; i++) {
      TRY(places_step(import, at + i, import->number[i]));
      if (import->tensors[IMPORT_TOKENS] != NULL && import->token[i] >= import->vocabulary) {
        import->vocabulary = import->token[i] + 1;
      }
    }
  }
  return OK;
}

/* What this rank must know of the rows before its own. collective */
Status places_survey(ImportRows *import) {
  Team *team = import->team;
  int64_t *begun, *ones, total;
  TRY_ALL(team, survey_own(import));
  exchange_max_integer(team, &import->vocabulary, 1);
  const int64_t before = exchange_offset(team, import->document, &total);
  TRY_NEW(team, &begun, 2 * team->size, "beginnings of documents");
  ones = begun + team->size;
  for (int r = 0; r < team->size; r++) {
    ones[r] = 1;
  }
  exchange_gather(team, &import->document_row, ones, sizeof(*begun), begun);
  import->document_row = 0;
  for (int r = 0; r < team->rank; r++) {
    import->document_row = begun[r] > import->document_row ? begun[r] : import->document_row;
  }
  MEMORY_FREE(begun);
  import->document = (uint32_t)before;
  return team_agree(team, read_number_before(import, import->own.first));
}

/* The documents that end within the unit in hand, and what there is of the last. */
static Status add_unit(ImportRows *import, int64_t first, int64_t count, int32_t *ids) {
  const bool has_tokens = import->tensors[IMPORT_TOKENS] != NULL;
  int64_t from = 0;
  TRY(places_read(import, first, count));
  for (int64_t i = 0; i < count; i++) {
    if (first + i > 0 && import->number[i] != import->last_number) {
      TRY(activations_add_document(import->activations, ids + from, has_tokens ? i - from : 0));
      from = i;
    }
    import->last_number = import->number[i];
    ids[i] = (int32_t)import->token[i];
  }
  return activations_add_tokens(import->activations, ids + from, has_tokens ? count - from : 0);
}

Status places_add_documents(ImportRows *import) {
  int32_t *ids;
  Status status = OK;
  TRY(MEMORY_NEW(&ids, import->unit_rows, "tokens of documents"));
  for (int64_t at = 0; at < import->rows && status == OK; at += import->unit_rows) {
    const int64_t left = import->rows - at;
    status = add_unit(import, at, left < import->unit_rows ? left : import->unit_rows, ids);
  }
  if (status == OK) {
    status = activations_add_document(import->activations, NULL, 0);
  }
  MEMORY_FREE(ids);
  return status;
}
