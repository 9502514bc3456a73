#ifndef SPLITTER_H
#define SPLITTER_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

/** Cuts text into the words inside which byte-level BPE merges, by the patterns that a model was
 *  trained with. Read-only after creation: threads may share it, each with a cutter of its own.
 *  Part of the tokenizer. ranks: all local. */
typedef struct Splitter Splitter;

/** `name` is tokenizer.ggml.pre of the file `path` ("smollm"; "" for a file without: GPT-2's).
 *  ranks   local
 *  fails   ERR_UNSUPPORTED (names file, pattern and those that are known), ERR_MEMORY */
Status splitter_create(Splitter **out, const char *path, const char *name) MUST_USE;
void splitter_destroy(Splitter **splitter);

/** Is a word that is a token as it stands kept whole, whatever the merges say; and does a text
 *  begin with the begin token unless the file says otherwise? (Llama 3's way.)
 *  ranks   local */
bool splitter_keeps_words(const Splitter *splitter);
bool splitter_adds_begin(const Splitter *splitter);

/** Scratch memory of one thread. */
typedef struct SplitterCutter SplitterCutter;
Status splitter_cutter_create(SplitterCutter **out, const Splitter *splitter) MUST_USE;
void splitter_cutter_destroy(SplitterCutter **cutter);

typedef Status (*SplitterWord)(void *context, const char *word, int64_t length);

/** Call `word` for each word of the text, in order; together they are the text.
 *  ranks   local
 *  text    in      valid UTF-8 (not checked here)
 *  fails   what `word` returns; ERR_DATA when the text is too long for the patterns */
Status splitter_run(SplitterCutter *cutter, const char *text, int64_t length, SplitterWord word,
                    void *context) MUST_USE;

#endif
