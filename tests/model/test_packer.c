#include <stdio.h>
#include <string.h>

#include "check.h"
#include "memory.h"
#include "packer.h"
#include "read/gguf_writer.h"
#include "text.h"

/* Documents of a tokenizer whose tokens are bytes (and an end token), packed and unpacked. */
enum { DOCUMENTS = 40, END = 256 };

typedef struct Case {
  GgufWriter writer;
  Text file, path;
  Gguf *gguf;
  Tokenizer *tokenizer;
  Lines *lines;
  Packer *packer;
  PackerUnit unit;
  int64_t heard, heard_tokens;
  TokenizerIds all; /* of all documents, as the listener heard them */
  int64_t start[DOCUMENTS + 1];
} Case;

static Status listen(void *context, int64_t number, const int32_t *ids, int64_t count) {
  Case *c = context;
  CU_ASSERT_EQUAL(number, c->heard++);
  TRY(MEMORY_RESIZE(&c->all.ids, c->all.count + count, "tokens"));
  memcpy(c->all.ids + c->all.count, ids, (size_t)count * sizeof(*ids));
  c->all.count += count;
  c->start[c->heard] = c->all.count;
  return OK;
}

static int64_t length_of(int document) {
  return 1 + (document * 37) % 211;
}

static Status write_documents(Case *c) {
  Text text = {0};
  for (int d = 0; d < DOCUMENTS; ++d) {
    TRY(text_printf(&text, "{\"text\": \""));
    for (int64_t i = 0; i < length_of(d); ++i) {
      TRY(text_printf(&text, "%c", (char)('a' + (i + d) % 26)));
    }
    TRY(text_printf(&text, "\"}\n"));
  }
  TRY(text_printf(&c->path, "%s/documents.jsonl", check_folder()));
  TRY(text_write_file(&text, text_chars(&c->path)));
  text_clear(&text);
  return OK;
}

static Status open_case(Case *c, int64_t context, bool adds_begin) {
  *c = (Case){0};
  const PackerListener listener = {listen, c};
  gguf_writer_text(&c->writer, "general.architecture", "llama");
  gguf_writer_vocabulary(&c->writer, NULL, 0, "smollm");
  gguf_writer_flag(&c->writer, "tokenizer.ggml.add_bos_token", adds_begin);
  gguf_writer_bytes(&c->writer, &c->file);
  TRY(gguf_open_bytes(&c->gguf, "tiny", (const uint8_t *)text_chars(&c->file), c->file.length));
  TRY(tokenizer_create(&c->tokenizer, c->gguf));
  TRY(write_documents(c));
  char *path = c->path.bytes;
  const ConfigTexts paths = {&path, 1};
  TRY(lines_open(&c->lines, &paths, "text"));
  TRY(packer_create(&c->packer, c->lines, c->tokenizer, context, &listener));
  return packer_unit_init(&c->unit, c->packer);
}

static void close_case(Case *c) {
  packer_unit_clear(&c->unit);
  packer_destroy(&c->packer);
  lines_close(&c->lines);
  tokenizer_destroy(&c->tokenizer);
  gguf_close(&c->gguf);
  gguf_writer_clear(&c->writer);
  text_clear(&c->file);
  text_clear(&c->path);
  MEMORY_FREE(c->all.ids);
  CU_ASSERT_EQUAL(memory_blocks(), 0);
}

/* Tokens of all units are those of all documents, in order, and stand where documents and positions
 * say. */
static void pack_all(int64_t context, bool adds_begin) {
  Case c;
  int64_t seen = 0, short_contexts = 0;
  CU_ASSERT_EQUAL(open_case(&c, context, adds_begin), OK);
  const int64_t contexts = context < PACKER_ROWS ? PACKER_ROWS / context : 1;
  CU_ASSERT_EQUAL(packer_unit_rows(c.packer), contexts * context);
  for (;;) {
    CU_ASSERT_EQUAL(packer_next(c.packer, &c.unit), OK);
    if (c.unit.rows == 0) {
      break;
    }
    int64_t row = 0;
    CU_ASSERT_EQUAL(short_contexts, 0); /* only the last may be short */
    for (int64_t i = 0; i < c.unit.contexts; ++i) {
      short_contexts += c.unit.lengths[i] < context ? 1 : 0;
      CU_ASSERT(c.unit.lengths[i] > (adds_begin ? 1 : 0));
      for (int64_t j = 0; j < c.unit.lengths[i]; ++j, ++row) {
        if (adds_begin && j == 0) {
          CU_ASSERT_EQUAL(c.unit.ids[row], END); /* the tiny file's begin and end are one */
          CU_ASSERT_EQUAL(c.unit.positions[row], -1);
          continue;
        }
        CU_ASSERT_EQUAL(c.start[c.unit.documents[row]] + c.unit.positions[row], seen);
        CU_ASSERT_EQUAL(c.unit.ids[row], c.all.ids[seen]);
        ++seen;
      }
    }
    CU_ASSERT_EQUAL(row, c.unit.rows);
  }
  CU_ASSERT_EQUAL(seen, c.all.count);
  CU_ASSERT_EQUAL(c.heard, DOCUMENTS);
  CU_ASSERT(short_contexts <= 1);
  for (int d = 0; d < DOCUMENTS; ++d) {
    CU_ASSERT_EQUAL(c.start[d + 1] - c.start[d], length_of(d) + 1);
    CU_ASSERT_EQUAL(c.all.ids[c.start[d]], 'a' + d % 26);
    CU_ASSERT_EQUAL(c.all.ids[c.start[d + 1] - 1], END);
  }
  CU_ASSERT_EQUAL(packer_next(c.packer, &c.unit), OK); /* the end stays the end */
  CU_ASSERT_EQUAL(c.unit.rows, 0);
  close_case(&c);
}

static void every_token_comes_once_and_in_order(void) {
  pack_all(2, false);
  pack_all(64, false);
  pack_all(100, false);
  pack_all(1500, false);
}

static void a_begin_token_stands_before_each_context(void) {
  pack_all(2, true);
  pack_all(64, true);
}

static const CheckFact FACTS[] = {
    {"every token comes once and in order", every_token_comes_once_and_in_order},
    {"a begin token stands before each context", a_begin_token_stands_before_each_context},
};

int main(int argc, char **argv) {
  return CHECK_MAIN(argc, argv, "packer", FACTS);
}
