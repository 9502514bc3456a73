#include "codes.h"

#include <stdbool.h>
#include <string.h>

#include "exchange.h"
#include "memory.h"
#include "shard.h"
#include "spool.h"

/* A firing on its way to the owner of the latent, and as it waits there in the temporary file. */
typedef struct Firing {
  uint32_t latent;
  uint32_t row;
  uint32_t token; /* and HELD_OUT */
  float value;
} Firing;

#define HELD_OUT 0x80000000U

/* What this rank keeps of a batch, and where: counts of the rows, then ids, values, active. */
typedef struct Kept {
  int64_t offset;
  int64_t first_row, rows;
  int64_t first_entry, entries;
} Kept;

enum { CHUNK = 65536 }; /* firings read back at a time */

struct Codes {
  Team *team;
  int64_t latents, block;
  Shard own;
  int32_t *owners; /* [blocks] ranks that own them */
  Spool *rows, *firings;
  Kept *kept; /* [parts] */
  int64_t parts, kept_most;
  int64_t all_rows, entries; /* of all ranks so far */
  int64_t *start, *held_out; /* [own + 1], [own] */
  /* Of the exchange. */
  int64_t *sent_counts, *received_counts, *places; /* [team size] */
  Firing *sent, *received;
  int64_t sent_most, received_most;
  /* Of the part in work: written or read back. */
  int64_t *row_start; /* [rows_most] */
  int32_t *counts;    /* [rows_most] */
  uint32_t *id;       /* [entries_most] */
  float *value;       /* [entries_most] */
  uint8_t *active;    /* [entries_most] */
  int64_t rows_most, entries_most;
  /* Of codes_firings. */
  uint32_t *row, *token;
  float *activation;
};

static Status take(Codes *codes, const char *folder) {
  const int size = codes->team->size;
  const int64_t own = shard_count(codes->own);
  const int64_t blocks = (codes->latents + codes->block - 1) / codes->block;
  TRY(MEMORY_NEW(&codes->owners, blocks, "owners of latents"));
  for (int64_t i = 0; i < blocks; i++) {
    codes->owners[i] = shard_owner(codes->latents, codes->block, i * codes->block, size);
  }
  TRY(MEMORY_NEW(&codes->start, own + 1, "counts of firings"));
  TRY(MEMORY_NEW(&codes->held_out, own, "counts of held-out firings"));
  TRY(MEMORY_NEW(&codes->sent_counts, size, "counts of an exchange"));
  TRY(MEMORY_NEW(&codes->received_counts, size, "counts of an exchange"));
  TRY(MEMORY_NEW(&codes->places, size, "places of an exchange"));
  TRY(spool_open(&codes->rows, folder));
  return spool_open(&codes->firings, folder);
}

Status codes_create(Codes **out, Team *team, int64_t latents, const char *folder) {
  Codes *codes = NULL;
  *out = NULL;
  Status status = MEMORY_NEW(&codes, 1, "codes");
  if (status == OK) {
    const int64_t block = shard_latent_block(latents);
    *codes = (Codes){.team = team,
                     .latents = latents,
                     .block = block,
                     .own = shard_of(latents, block, team->rank, team->size)};
    status = take(codes, folder);
  }
  status = team_agree(team, status);
  if (status != OK) {
    codes_destroy(&codes);
    return status;
  }
  *out = codes;
  return OK;
}

void codes_destroy(Codes **codes_at) {
  Codes *codes = *codes_at;
  if (codes == NULL) {
    return;
  }
  spool_close(&codes->rows);
  spool_close(&codes->firings);
  MEMORY_FREE(codes->owners);
  MEMORY_FREE(codes->kept);
  MEMORY_FREE(codes->start);
  MEMORY_FREE(codes->held_out);
  MEMORY_FREE(codes->sent_counts);
  MEMORY_FREE(codes->received_counts);
  MEMORY_FREE(codes->places);
  MEMORY_FREE(codes->sent);
  MEMORY_FREE(codes->received);
  MEMORY_FREE(codes->row_start);
  MEMORY_FREE(codes->counts);
  MEMORY_FREE(codes->id);
  MEMORY_FREE(codes->value);
  MEMORY_FREE(codes->active);
  MEMORY_FREE(codes->row);
  MEMORY_FREE(codes->token);
  MEMORY_FREE(codes->activation);
  MEMORY_FREE(*codes_at);
}

/* Codes by row. */

static Status fit_part(Codes *codes, int64_t rows, int64_t entries) {
  if (rows > codes->rows_most) {
    TRY(MEMORY_RESIZE(&codes->row_start, rows, "places of rows"));
    TRY(MEMORY_RESIZE(&codes->counts, rows, "counts of codes"));
    codes->rows_most = rows;
  }
  if (entries > codes->entries_most) {
    const int64_t most = entries + entries / 4;
    TRY(MEMORY_RESIZE(&codes->id, most, "ids of codes"));
    TRY(MEMORY_RESIZE(&codes->value, most, "values of codes"));
    TRY(MEMORY_RESIZE(&codes->active, most, "activity of codes"));
    codes->entries_most = most;
  }
  return OK;
}

static Status spool_rows(Codes *codes, const CodesBatch *batch) {
  const int64_t entries = batch->rows > 0 ? batch->start[batch->rows] : 0;
  const uint8_t *active = batch->active;
  for (int64_t r = 0; r < batch->rows; r++) {
    codes->counts[r] = (int32_t)(batch->start[r + 1] - batch->start[r]);
  }
  if (active == NULL && entries > 0) {
    memset(codes->active, 1, (size_t)entries);
    active = codes->active;
  }
  TRY(spool_append(codes->rows, codes->counts, batch->rows * (int64_t)sizeof(*codes->counts)));
  TRY(spool_append(codes->rows, batch->id, entries * (int64_t)sizeof(*batch->id)));
  TRY(spool_append(codes->rows, batch->value, entries * (int64_t)sizeof(*batch->value)));
  return spool_append(codes->rows, active, entries);
}

static Status keep_rows(Codes *codes, const CodesBatch *batch) {
  if (codes->parts == codes->kept_most) {
    const int64_t most = 2 * codes->kept_most + 16;
    TRY(MEMORY_RESIZE(&codes->kept, most, "places of codes"));
    codes->kept_most = most;
  }
  codes->kept[codes->parts] = (Kept){.offset = spool_length(codes->rows),
                                     .first_row = batch->first,
                                     .rows = batch->rows,
                                     .entries = batch->rows > 0 ? batch->start[batch->rows] : 0};
  TRY(fit_part(codes, batch->rows, codes->kept[codes->parts].entries));
  return spool_rows(codes, batch);
}

/* Codes by feature: firings go to the owners of their latents. */

static int owner_of(const Codes *codes, uint32_t id) {
  ASSERT(id < codes->latents);
  return codes->owners[id / (uint32_t)codes->block];
}

static Status fit_firings(Firing **firings, int64_t *most, int64_t count) {
  if (count > *most) {
    TRY(MEMORY_RESIZE(firings, count + count / 4, "firings of a batch"));
    *most = count + count / 4;
  }
  return OK;
}

static bool is_active(const CodesBatch *batch, int64_t entry) {
  return batch->active == NULL || batch->active[entry] != 0;
}

static Status count_firings(Codes *codes, const CodesBatch *batch) {
  const int size = codes->team->size;
  const int64_t entries = batch->rows > 0 ? batch->start[batch->rows] : 0;
  int64_t before = 0;
  memset(codes->sent_counts, 0, (size_t)size * sizeof(*codes->sent_counts));
  for (int64_t i = 0; i < entries; i++) {
    codes->sent_counts[owner_of(codes, batch->id[i])] += is_active(batch, i);
  }
  for (int r = 0; r < size; r++) {
    codes->places[r] = before;
    before += codes->sent_counts[r];
  }
  return fit_firings(&codes->sent, &codes->sent_most, before);
}

static Status pack_firings(Codes *codes, const CodesBatch *batch) {
  TRY(count_firings(codes, batch));
  for (int64_t r = 0; r < batch->rows; r++) {
    const uint32_t token = batch->token == NULL ? 0 : batch->token[r];
    const bool is_held_out = batch->is_held_out != NULL && batch->is_held_out[r] != 0;
    ASSERT(token < HELD_OUT);
    for (int64_t i = batch->start[r]; i < batch->start[r + 1]; i++) {
      if (is_active(batch, i)) {
        codes->sent[codes->places[owner_of(codes, batch->id[i])]++] =
            (Firing){.latent = batch->id[i],
                     .row = (uint32_t)(batch->first + r),
                     .token = token | (is_held_out ? HELD_OUT : 0),
                     .value = batch->value[i]};
      }
    }
  }
  return OK;
}

/* Ranks bring ascending rows, so what they sent is in the order of rows. */
static Status keep_firings(Codes *codes, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    Firing *firing = &codes->received[i];
    const int64_t latent = firing->latent - codes->own.first;
    codes->start[latent + 1]++;
    codes->held_out[latent] += (firing->token & HELD_OUT) != 0;
    firing->token &= ~HELD_OUT;
  }
  return spool_append(codes->firings, codes->received, count * (int64_t)sizeof(Firing));
}

static Status send_firings(Codes *codes) {
  Team *team = codes->team;
  int64_t count = 0;
  exchange_counts(team, codes->sent_counts, codes->received_counts);
  for (int r = 0; r < team->size; r++) {
    count += codes->received_counts[r];
  }
  TRY_ALL(team, fit_firings(&codes->received, &codes->received_most, count));
  exchange_all_to_all(team, codes->sent, codes->sent_counts, codes->received,
                      codes->received_counts, sizeof(Firing));
  return team_agree(team, keep_firings(codes, count));
}

static Status keep(Codes *codes, const CodesBatch *batch) {
  TRY(keep_rows(codes, batch));
  return pack_firings(codes, batch);
}

Status codes_add(Codes *codes, const CodesBatch *batch) {
  Team *team = codes->team;
  TRY_ALL(team, keep(codes, batch));
  Kept *kept = &codes->kept[codes->parts++];
  int64_t sums[2] = {kept->rows, 0};
  kept->first_entry = codes->entries + exchange_offset(team, kept->entries, &sums[1]);
  exchange_sum(team, sums, 1);
  codes->all_rows += sums[0];
  codes->entries += sums[1];
  return send_firings(codes);
}

/* What was kept. */

int64_t codes_rows(const Codes *codes) {
  return codes->all_rows;
}

int64_t codes_entries(const Codes *codes) {
  return codes->entries;
}

int64_t codes_parts(const Codes *codes) {
  return codes->parts;
}

static Status read_next(Spool *spool, int64_t *offset, void *bytes, int64_t length) {
  TRY(spool_read(spool, *offset, bytes, length));
  *offset += length;
  return OK;
}

Status codes_part(Codes *codes, int64_t index, CodesPart *part) {
  ASSERT(index >= 0 && index < codes->parts);
  const Kept *kept = &codes->kept[index];
  const int64_t entries = kept->entries;
  int64_t offset = kept->offset;
  TRY(fit_part(codes, kept->rows, entries));
  TRY(read_next(codes->rows, &offset, codes->counts, kept->rows * (int64_t)sizeof(*codes->counts)));
  TRY(read_next(codes->rows, &offset, codes->id, entries * (int64_t)sizeof(*codes->id)));
  TRY(read_next(codes->rows, &offset, codes->value, entries * (int64_t)sizeof(*codes->value)));
  TRY(read_next(codes->rows, &offset, codes->active, entries));
  int64_t place = kept->first_entry;
  for (int64_t r = 0; r < kept->rows; r++) {
    codes->row_start[r] = place;
    place += codes->counts[r];
  }
  *part = (CodesPart){.first_row = kept->first_row,
                      .rows = kept->rows,
                      .first_entry = kept->first_entry,
                      .entries = entries,
                      .row_start = codes->row_start,
                      .id = codes->id,
                      .value = codes->value,
                      .active = codes->active};
  return OK;
}

static int64_t firing_count(const Codes *codes) {
  return spool_length(codes->firings) / (int64_t)sizeof(Firing);
}

/* Each firing to its place. start[i + 1] is where latent i's next firing goes, and in the end where
 * latent i + 1 begins. */
static Status place_firings(Codes *codes, Firing *chunk) {
  const int64_t total = firing_count(codes);
  for (int64_t first = 0; first < total; first += CHUNK) {
    const int64_t count = total - first < CHUNK ? total - first : CHUNK;
    TRY(spool_read(codes->firings, first * (int64_t)sizeof(*chunk), chunk,
                   count * (int64_t)sizeof(*chunk)));
    for (int64_t i = 0; i < count; i++) {
      const int64_t place = codes->start[chunk[i].latent - codes->own.first + 1]++;
      codes->row[place] = chunk[i].row;
      codes->token[place] = chunk[i].token;
      codes->activation[place] = chunk[i].value;
    }
  }
  return OK;
}

static Status sort_firings(Codes *codes) {
  const int64_t own = shard_count(codes->own);
  const int64_t total = firing_count(codes);
  Firing *chunk = NULL;
  TRY(MEMORY_NEW(&codes->row, total, "rows of firings"));
  TRY(MEMORY_NEW(&codes->token, total, "tokens of firings"));
  TRY(MEMORY_NEW(&codes->activation, total, "activations of firings"));
  TRY(MEMORY_NEW(&chunk, CHUNK, "firings"));
  int64_t before = 0;
  for (int64_t i = 1; i <= own; i++) {
    const int64_t count = codes->start[i];
    codes->start[i] = before;
    before += count;
  }
  const Status status = place_firings(codes, chunk);
  MEMORY_FREE(chunk);
  return status;
}

Status codes_firings(Codes *codes, CodesFirings *out) {
  ASSERT(codes->row == NULL);
  TRY_ALL(codes->team, sort_firings(codes));
  *out = (CodesFirings){.count = firing_count(codes),
                        .start = codes->start,
                        .held_out = codes->held_out,
                        .row = codes->row,
                        .value = codes->activation,
                        .token = codes->token};
  out->before = exchange_offset(codes->team, out->count, &out->total);
  return OK;
}
