#include "search.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "schema.h"

/* CHUNK tokens are looked at at a time; words may begin in one chunk and end in the next, up to OVERLAP tokens on. */
enum { CHUNK = 1 << 16, OVERLAP = 64 };

typedef struct Search {
  const Atlas *atlas;
  const char *word;
  int64_t length; /* of the word */
  int64_t tokens; /* of the text */
  int64_t vocabulary;
  int64_t *first; /* [vocabulary + 1] byte of each token */
  char *bytes;    /* of all tokens */
  uint8_t *holds; /* [vocabulary] 1: the word is in the token */
  uint64_t *near; /* bitmap of the text's tokens that stand near the word */
  int64_t where;
  SearchHit *hits;
  int64_t found, room;
} Search;

static char lower(char c) {
  return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* The first place of the word in [from, length), -1 for none. */
static int64_t find(const Search *search, const char *text, int64_t from, int64_t length) {
  for (int64_t at = from; at + search->length <= length; ++at) {
    int64_t i = 0;
    while (i < search->length && lower(text[at + i]) == lower(search->word[i])) {
      ++i;
    }
    if (i == search->length) {
      return at;
    }
  }
  return -1;
}

static Status read_vocabulary(Search *search) {
  Shelf *start = search->atlas->text[ATLAS_VOCABULARY_START];
  Shelf *bytes = search->atlas->text[ATLAS_VOCABULARY_BYTE];
  const int64_t all = shelf_rows(bytes);
  search->vocabulary = shelf_rows(start) - 1;
  TRY(MEMORY_NEW(&search->first, search->vocabulary + 1, "the vocabulary"));
  TRY(MEMORY_NEW(&search->bytes, all, "the vocabulary"));
  TRY(MEMORY_NEW(&search->holds, search->vocabulary, "the vocabulary"));
  TRY(shelf_read(start, 0, search->vocabulary + 1, search->first));
  TRY(shelf_read(bytes, 0, all, search->bytes));
  for (int64_t t = 0; t < search->vocabulary; ++t) {
    const int64_t first = search->first[t], past = search->first[t + 1];
    if (first < 0 || past < first || past > all) {
      return RAISE(ERR_FORMAT, "%s: token %lld lies outside the vocabulary's bytes",
                   archive_path(search->atlas->activations), (long long)t);
    }
    search->holds[t] = find(search, search->bytes + first, 0, past - first) >= 0;
  }
  return OK;
}

/* Tokens of one chunk as text: which token each byte is of. */
typedef struct Chunk {
  uint32_t token[CHUNK + OVERLAP];
  Text text;
  int64_t *of; /* [of_room] */
  int64_t of_room;
} Chunk;

static Status spell(const Search *search, Chunk *chunk, int64_t count) {
  chunk->text.length = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t token = chunk->token[i];
    const int64_t at = chunk->text.length;
    if (token < search->vocabulary) {
      const int64_t first = search->first[token];
      TRY(text_append(&chunk->text, search->bytes + first, search->first[token + 1] - first));
    }
    if (chunk->text.length > chunk->of_room) {
      const int64_t room = 2 * chunk->text.length;
      TRY(MEMORY_RESIZE(&chunk->of, room, "bytes of a text"));
      chunk->of_room = room;
    }
    for (int64_t b = at; b < chunk->text.length; ++b) {
      chunk->of[b] = i;
    }
  }
  return OK;
}

static void mark(Search *search, int64_t from, int64_t to) {
  const int64_t first = from > SEARCH_SIDE ? from - SEARCH_SIDE : 0;
  for (int64_t t = first; t <= to + SEARCH_SIDE && t < search->tokens; ++t) {
    search->near[t / 64] |= (uint64_t)1 << (t % 64);
  }
}

/* Words that begin in the chunk's own tokens. */
static void mark_chunk(Search *search, const Chunk *chunk, int64_t first, int64_t own) {
  const char *text = text_chars(&chunk->text);
  for (int64_t at = find(search, text, 0, chunk->text.length); at >= 0;
       at = find(search, text, at + 1, chunk->text.length)) {
    if (chunk->of[at] >= own) {
      break;
    }
    mark(search, first + chunk->of[at], first + chunk->of[at + search->length - 1]);
    ++search->where;
  }
}

static Status look_at_text(Search *search, Chunk *chunk) {
  Shelf *shelf = search->atlas->text[ATLAS_TOKEN];
  for (int64_t first = 0; first < search->tokens; first += CHUNK) {
    const int64_t left = search->tokens - first;
    const int64_t count = left < CHUNK + OVERLAP ? left : CHUNK + OVERLAP;
    TRY(shelf_read(shelf, first, count, chunk->token));
    TRY(spell(search, chunk, count));
    mark_chunk(search, chunk, first, left < CHUNK ? left : CHUNK);
  }
  return OK;
}

static Status find_in_text(Search *search) {
  Chunk *chunk = NULL;
  search->tokens = shelf_rows(search->atlas->text[ATLAS_TOKEN]);
  TRY(MEMORY_NEW(&search->near, search->tokens / 64 + 1, "places of a word"));
  TRY(MEMORY_NEW(&chunk, 1, "a piece of the text"));
  const Status status = look_at_text(search, chunk);
  text_clear(&chunk->text);
  MEMORY_FREE(chunk->of);
  MEMORY_FREE(chunk);
  return status;
}

/* Does a row's token stand near the word? */
static Status look_at_row(const Search *search, int64_t row, bool *is_near) {
  const Atlas *atlas = search->atlas;
  uint32_t document = 0, position = 0;
  int64_t start = 0;
  TRY(shelf_read(atlas->text[ATLAS_ROW_DOCUMENT], row, 1, &document));
  TRY(shelf_read(atlas->text[ATLAS_ROW_POSITION], row, 1, &position));
  TRY(shelf_read(atlas->text[ATLAS_DOCUMENT_START], document, 1, &start));
  const int64_t token = start + position;
  *is_near =
      token >= 0 && token < search->tokens && (search->near[token / 64] >> (token % 64) & 1) != 0;
  return OK;
}

static Status add_hit(Search *search, const SearchHit *hit) {
  if (search->found == search->room) {
    const int64_t room = 2 * search->room + 64;
    TRY(MEMORY_RESIZE(&search->hits, room, "features found"));
    search->room = room;
  }
  search->hits[search->found++] = *hit;
  return OK;
}

static Status look_at_feature(Search *search, int dictionary, int64_t id, const uint32_t *label,
                              int64_t labels, const int64_t *row, int64_t rows) {
  SearchHit hit = {.dictionary = dictionary, .id = id};
  for (int64_t i = 0; i < labels; ++i) {
    hit.in_label = hit.in_label || (label[i] < search->vocabulary && search->holds[label[i]]);
  }
  for (int64_t i = 0; i < rows && search->where > 0; ++i) {
    bool is_near = false;
    if (row[i] >= 0) {
      TRY(look_at_row(search, row[i], &is_near));
      hit.near += is_near;
      ++hit.examples;
    }
  }
  return hit.in_label || hit.near >= SEARCH_LEAST ? add_hit(search, &hit) : OK;
}

static Status look_at_dictionary(Search *search, int dictionary) {
  const AtlasDictionary *own = &search->atlas->dictionaries[dictionary];
  Shelf *label = own->columns[ATLAS_LABEL_TOKEN], *top = own->columns[ATLAS_TOP_ROW];
  const int64_t labels = shelf_shape(label, 1), rows = shelf_shape(top, 1);
  uint32_t *token = NULL;
  int64_t *row = NULL;
  Status status = MEMORY_NEW(&token, labels, "label tokens");
  if (status == OK) {
    status = MEMORY_NEW(&row, rows, "rows of examples");
  }
  for (int64_t id = 0; status == OK && id < own->latents; ++id) {
    status = shelf_read(label, id, 1, token);
    if (status == OK) {
      status = shelf_read(top, id, 1, row);
    }
    if (status == OK) {
      status = look_at_feature(search, dictionary, id, token, labels, row, rows);
    }
  }
  MEMORY_FREE(token);
  MEMORY_FREE(row);
  return status;
}

/* By share of near examples; a / b > c / d without a division. */
static int compare_hits(const void *left, const void *right) {
  const SearchHit *a = left, *b = right;
  const int64_t x = a->near * (b->examples > 0 ? b->examples : 1);
  const int64_t y = b->near * (a->examples > 0 ? a->examples : 1);
  if (x != y) {
    return x > y ? -1 : 1;
  }
  if (a->in_label != b->in_label) {
    return a->in_label ? -1 : 1;
  }
  if (a->dictionary != b->dictionary) {
    return a->dictionary - b->dictionary;
  }
  return (a->id > b->id) - (a->id < b->id);
}

static Status look(Search *search) {
  TRY(read_vocabulary(search));
  TRY(find_in_text(search));
  for (int d = 0; d < search->atlas->count; ++d) {
    TRY(look_at_dictionary(search, d));
  }
  if (search->found > 0) {
    qsort(search->hits, (size_t)search->found, sizeof(*search->hits), compare_hits);
  }
  return OK;
}

Status search_word(const Atlas *atlas, const char *word, SearchHit **hits, int64_t *found,
                   int64_t *where) {
  Search search = {.atlas = atlas, .word = word, .length = (int64_t)strlen(word)};
  ASSERT(search.length > 0);
  const Status status = look(&search);
  MEMORY_FREE(search.first);
  MEMORY_FREE(search.bytes);
  MEMORY_FREE(search.holds);
  MEMORY_FREE(search.near);
  if (status != OK) {
    MEMORY_FREE(search.hits);
  }
  *hits = search.hits;
  *found = search.found;
  *where = search.where;
  return status;
}
