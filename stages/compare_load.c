#include <stdio.h>

#include "compare_run.h"
#include "memory.h"

Shard compare_panel(const Compare *compare, const Dictionary *one, int64_t first) {
  const int64_t block = shard_latent_block(one->latents);
  const int64_t blocks = compare->stage->settings.compare.panel / block;
  const int64_t rows = block * (blocks < 1 ? 1 : blocks) * compare->team->size;
  return (Shard){first, first + rows < one->latents ? first + rows : one->latents};
}

static Status read_rows(const Dictionary *one, const char *matrix, Directions *rows) {
  return archive_read(one->file, matrix, rows->own.first, shard_count(rows->own), rows->rows);
}

static Status unit_rows(Compare *compare, const Dictionary *one, const char *matrix,
                        Directions *rows) {
  char place[2 * COMPARE_NAME];
  snprintf(place, sizeof(place), "%s %s", archive_path(one->file), matrix);
  return team_agree(compare->team, directions_unit(rows, place));
}

/* Who is dead, unseen, alive: from the rows as they are in the file, and from the firings. */
static Status judge(Compare *compare, const Dictionary *one, Directions *rows) {
  const int64_t own = shard_count(rows->own);
  int64_t *firings = NULL;
  if (one->codes == NULL) {
    directions_judge(rows, NULL, 0);
    return OK;
  }
  TRY_NEW(compare->team, &firings, own, "firings");
  const Status status = archive_read(one->codes, "/firings", rows->own.first, own, firings);
  if (status == OK) {
    directions_judge(rows, firings, one->seen);
  }
  MEMORY_FREE(firings);
  return status;
}

Status compare_load(Compare *compare, const Dictionary *one, Shard part, Directions *rows) {
  TRY_ALL(compare->team, directions_open_part(rows, compare->team, one->latents, one->width, part));
  TRY(read_rows(one, "/w_dec", rows));
  TRY(judge(compare, one, rows));
  return unit_rows(compare, one, "/w_dec", rows);
}

Status compare_load_encoder(Compare *compare, const Dictionary *one, Directions *rows) {
  TRY(read_rows(one, "/w_enc", rows));
  return unit_rows(compare, one, "/w_enc", rows);
}
