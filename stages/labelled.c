#include "labelled.h"

#include <string.h>

#include "lines.h"
#include "memory.h"
#include "random.h"

static int find_set(const LabelledTexts *corpus, const char *name) {
  for (int s = 0; s < corpus->sets; ++s) {
    if (strcmp(corpus->names[s], name) == 0) {
      return s;
    }
  }
  return -1;
}

static Status make_room(LabelledTexts *corpus) {
  if (corpus->texts == corpus->room) {
    const int64_t room = 2 * corpus->room + 64;
    TRY(MEMORY_RESIZE(&corpus->ids, room, "texts"));
    TRY(MEMORY_RESIZE(&corpus->set, room, "texts"));
    corpus->room = room;
  }
  return OK;
}

/* The longer part of a text is left out: dictionaries saw contexts of that length. */
static Status add_text(LabelledTexts *corpus, const Workbench *bench, const char *text, int set) {
  const int64_t context = bench->stage->settings.harvest.context;
  TRY(make_room(corpus));
  TokenizerIds *ids = &corpus->ids[corpus->texts];
  *ids = (TokenizerIds){0};
  corpus->set[corpus->texts++] = (uint8_t)set;
  TRY(workbench_tokens(bench, text, ids, &corpus->front));
  if (ids->count > context) {
    ids->count = context;
    ++corpus->cut;
  }
  corpus->longest = ids->count > corpus->longest ? ids->count : corpus->longest;
  ++corpus->texts_of[set];
  return OK;
}

static Status read_texts(LabelledTexts *corpus, const Workbench *bench, Lines *lines, int set) {
  Text text = {0};
  bool is_end = false;
  Status status = lines_next(lines, &text, &is_end);
  while (status == OK && !is_end) {
    status = add_text(corpus, bench, text_chars(&text), set);
    if (status == OK) {
      status = lines_next(lines, &text, &is_end);
    }
  }
  text_clear(&text);
  return status;
}

static Status read_set(LabelledTexts *corpus, const Workbench *bench, char *path, int set) {
  Lines *lines = NULL;
  const ConfigTexts paths = {.items = &path, .count = 1};
  TRY(lines_open(&lines, &paths, bench->stage->settings.harvest.text_field));
  const Status status = read_texts(corpus, bench, lines, set);
  lines_close(&lines);
  TRY(status);
  return corpus->texts_of[set] > 0 ? OK : RAISE(ERR_DATA, "%s holds no text", path);
}

static Status add_set(LabelledTexts *corpus, const Workbench *bench, char *part) {
  char *equals = strchr(part, '=');
  if (equals == NULL || equals == part || equals[1] == '\0') {
    return RAISE(ERR_USAGE, "--sets \"%s\": expected NAME=PATH", part);
  }
  *equals = '\0';
  if (find_set(corpus, part) >= 0) {
    return RAISE(ERR_USAGE, "--sets: %s is named twice", part);
  }
  if (corpus->sets == CONTRAST_SETS) {
    return RAISE(ERR_USAGE, "--sets: at most %d sets", CONTRAST_SETS);
  }
  TRY(memory_copy_text(&corpus->names[corpus->sets], part));
  return read_set(corpus, bench, equals + 1, corpus->sets++);
}

static Status add_sets(LabelledTexts *corpus, const Workbench *bench, char *sets) {
  for (char *rest = NULL, *part = strtok_r(sets, ",", &rest); part != NULL;
       part = strtok_r(NULL, ",", &rest)) {
    TRY(add_set(corpus, bench, part));
  }
  return corpus->sets >= 2 ? OK
                           : RAISE(ERR_USAGE, "--sets: at least two, as good=a.jsonl,bad=b.jsonl");
}

/* Every second text of each set in an order of chance. */
static Status deal_halves(LabelledTexts *corpus, int64_t seed) {
  TRY(MEMORY_NEW(&corpus->half, corpus->texts, "halves of texts"));
  for (int set = 0; set < corpus->sets; ++set) {
    const uint64_t key = random_key(seed, "halves", corpus->names[set]);
    for (int64_t t = 0, at = 0; t < corpus->texts; ++t) {
      if (corpus->set[t] == set) {
        corpus->half[t] = random_permute(key, corpus->texts_of[set], at++) % 2 == 1;
      }
    }
  }
  return OK;
}

Status labelled_open(LabelledTexts *corpus, const Workbench *bench, const char *sets) {
  char *copy = NULL;
  *corpus = (LabelledTexts){0};
  TRY(memory_copy_text(&copy, sets));
  const Status status = add_sets(corpus, bench, copy);
  MEMORY_FREE(copy);
  TRY(status);
  return deal_halves(corpus, bench->stage->settings.run.seed);
}

Status labelled_read(LabelledTexts *corpus, const Workbench *bench, const char *path) {
  char *copy = NULL;
  *corpus = (LabelledTexts){0};
  TRY(memory_copy_text(&copy, path));
  Status status = memory_copy_text(&corpus->names[0], "");
  if (status == OK) {
    corpus->sets = 1;
    status = read_set(corpus, bench, copy, 0);
  }
  MEMORY_FREE(copy);
  return status;
}

void labelled_close(LabelledTexts *corpus) {
  for (int set = 0; set < corpus->sets; ++set) {
    MEMORY_FREE(corpus->names[set]);
  }
  for (int64_t t = 0; t < corpus->texts; ++t) {
    MEMORY_FREE(corpus->ids[t].ids);
  }
  MEMORY_FREE(corpus->ids);
  MEMORY_FREE(corpus->set);
  MEMORY_FREE(corpus->half);
}

static Status add_bit(const LabelledTexts *corpus, const char *flag, const char *name,
                      uint32_t *out) {
  const int set = find_set(corpus, name);
  *out |= set >= 0 ? (uint32_t)1 << set : 0;
  return set >= 0 ? OK : RAISE(ERR_USAGE, "%s: there is no set \"%s\"", flag, name);
}

Status labelled_sets(const LabelledTexts *corpus, const char *flag, const char *names,
                     uint32_t *out) {
  char *copy = NULL;
  Status status = memory_copy_text(&copy, names);
  *out = 0;
  for (char *rest = NULL, *part = status == OK ? strtok_r(copy, ",", &rest) : NULL;
       status == OK && part != NULL; part = strtok_r(NULL, ",", &rest)) {
    status = add_bit(corpus, flag, part, out);
  }
  MEMORY_FREE(copy);
  TRY(status);
  return *out != 0 ? OK : RAISE(ERR_USAGE, "%s: expected names of sets", flag);
}
