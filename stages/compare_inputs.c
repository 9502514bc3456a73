#include <string.h>
#include <unistd.h>

#include "compare_run.h"
#include "log.h"
#include "memory.h"
#include "schema.h"

static Status check_shape(const Compare *compare, const Dictionary *one) {
  if (one->latents != one->settings->latents) {
    return RAISE(ERR_DATA, "%s has %lld latents, but run.yaml declares %lld",
                 archive_path(one->file), (long long)one->latents,
                 (long long)one->settings->latents);
  }
  if (one->width != compare->dictionaries[0].width) {
    return RAISE(ERR_DATA, "%s is %lld wide, but %s %lld: compare dictionaries of one site",
                 archive_path(one->file), (long long)one->width,
                 archive_path(compare->dictionaries[0].file),
                 (long long)compare->dictionaries[0].width);
  }
  return OK;
}

static Status check_codes(const Dictionary *one, const char *dictionary) {
  if (strcmp(dictionary, archive_content(one->file)) != 0) {
    return RAISE(ERR_STALE, "%s was made from another %s: run cleave-encode again",
                 archive_path(one->codes), archive_path(one->file));
  }
  return OK;
}

static Status agree_on_codes(Compare *compare, Dictionary *one) {
  char *dictionary = NULL;
  TRY(archive_expect(one->codes, "/firings", ARCHIVE_I64, 1, &one->latents));
  TRY(archive_get_text(one->codes, "/", "dictionary", &dictionary));
  const Status status = team_agree(compare->team, check_codes(one, dictionary));
  MEMORY_FREE(dictionary);
  return status;
}

/* Without codes the comparison is of geometry alone, which is legal: say so. */
static Status open_codes(Compare *compare, Dictionary *one, const char *path) {
  const bool is_there = compare->team->rank == 0 && access(path, F_OK) == 0;
  if (!team_any(compare->team, is_there)) {
    log_info("%s: not encoded, so only rows of zero norm count as dead", one->settings->name);
    return OK;
  }
  TRY(archive_open(compare->team, path, SCHEMA_CODES, "cleave-encode", &one->codes));
  TRY(archive_get_integer(one->codes, "/", "rows", &one->seen));
  return agree_on_codes(compare, one);
}

static Status open_file(Compare *compare, Dictionary *one, const char *path) {
  TRY(archive_open(compare->team, path, SCHEMA_DICTIONARY, "cleave-train", &one->file));
  int64_t shape[2];
  TRY(archive_shape(one->file, "/w_dec", ARCHIVE_F32, 2, shape));
  TRY(archive_expect(one->file, "/w_enc", ARCHIVE_F32, 2, shape));
  one->latents = shape[0];
  one->width = shape[1];
  return team_agree(compare->team, check_shape(compare, one));
}

static Status open_dictionary(Compare *compare, int64_t index) {
  Dictionary *one = &compare->dictionaries[index];
  one->settings = &compare->stage->settings.dictionaries[index];
  one->index = index;
  char *file = NULL;
  char *codes = NULL;
  Status status = stage_path(compare->stage, &file, "dictionaries/%s.h5", one->settings->name);
  if (status == OK) {
    status = stage_path(compare->stage, &codes, "codes/%s.h5", one->settings->name);
  }
  status = team_agree(compare->team, status);
  if (status == OK) {
    status = open_file(compare, one, file);
  }
  if (status == OK) {
    status = open_codes(compare, one, codes);
  }
  MEMORY_FREE(file);
  MEMORY_FREE(codes);
  return status;
}

Status compare_open(Compare *compare) {
  const Settings *settings = &compare->stage->settings;
  compare->count = settings->count;
  compare->pair_count = settings_pairs(settings, NULL);
  compare->most = settings->compare.neighbours;
  TRY_OWN(compare->team, &compare->folder,
          stage_path(compare->stage, &compare->folder, "comparing"));
  Status status = MEMORY_NEW(&compare->dictionaries, compare->count, "dictionaries");
  if (status == OK) {
    status = MEMORY_NEW(&compare->pairs, compare->pair_count, "pairs");
  }
  TRY_ALL(compare->team, status);
  settings_pairs(settings, compare->pairs);
  for (int64_t i = 0; i < compare->count; i++) {
    TRY(open_dictionary(compare, i));
  }
  return OK;
}

void compare_close(Compare *compare) {
  for (int64_t i = 0; compare->dictionaries != NULL && i < compare->count; i++) {
    Dictionary *one = &compare->dictionaries[i];
    archive_close(&one->file);
    archive_close(&one->codes);
    MEMORY_FREE(one->mean);
  }
  MEMORY_FREE(compare->dictionaries);
  MEMORY_FREE(compare->pairs);
  MEMORY_FREE(compare->folder);
}
