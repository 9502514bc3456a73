#include "sample.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "shard.h"

enum { ROWS = SAMPLE_ROWS, WIDTH = SAMPLE_WIDTH };

const char *const SAMPLE_CONTENT = "e88f532c27a489a8";

Team *sample_team(void) {
  static Team team;
  if (team.size == 0 && team_open(&team, NULL, NULL) != OK) {
    team_report(&team, ERR_UNSUPPORTED);
  }
  return &team;
}

bool sample_subteam(int size, Team *team) {
  Team *all = sample_team();
  *team = *all;
  const bool is_in = all->rank < size;
  MPI_Comm_split(all->comm, is_in ? 0 : MPI_UNDEFINED, all->rank, &team->comm);
  team->size = size;
  return is_in;
}

void sample_leave(Team *team) {
  MPI_Comm_free(&team->comm);
}

const char *sample_path(const char *name) {
  static char paths[4][600];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, sizeof(paths[0]), "%s/%s", check_folder(), name);
  return path;
}

bool sample_is_there(const char *name) {
  Team *team = sample_team();
  char part[640];
  snprintf(part, sizeof(part), "%s.part", sample_path(name));
  bool is_there = access(sample_path(name), F_OK) == 0 || access(part, F_OK) == 0;
  team_broadcast(team, &is_there, (int64_t)sizeof(is_there), 0);
  return is_there;
}

Status sample_add(Archive *archive) {
  const ArchiveDataset datasets[] = {
      {"/activation", ARCHIVE_BF16, 2, {ROWS, WIDTH}, "rows of numbers", "1"},
      {"/pair/8k/1k/cosine", ARCHIVE_F32, 2, {ROWS, 3}, "cosine", "1"},
      {"/token", ARCHIVE_U32, 1, {ROWS}, "token id", "id"},
      {"/deep", ARCHIVE_I64, 3, {ROWS, 2, 3}, "cubes", "rows"},
      {"/flag", ARCHIVE_U8, 1, {ROWS}, "flags", "1"},
      {"/mean", ARCHIVE_F64, 1, {WIDTH}, "mean", "1"},
      {"/none", ARCHIVE_F32, 2, {0, WIDTH}, "no rows", "1"},
      {"/thin", ARCHIVE_F32, 2, {ROWS, 0}, "no columns", "1"},
  };
  for (size_t i = 0; i < sizeof(datasets) / sizeof(datasets[0]); i++) {
    TRY(archive_add(archive, &datasets[i]));
  }
  return OK;
}

/* [first, first + rows) of the datasets that have ROWS rows. */
typedef struct Rows {
  uint16_t activation[ROWS * WIDTH];
  float cosine[ROWS * 3];
  uint32_t token[ROWS];
  int64_t deep[ROWS * 6];
  uint8_t flag[ROWS];
} Rows;

static void make_rows(Rows *out, int64_t first, int64_t rows) {
  memset(out, 0, sizeof(*out));
  for (int64_t i = 0; i < rows; i++) {
    const int64_t row = first + i;
    for (int64_t j = 0; j < WIDTH; j++) {
      out->activation[i * WIDTH + j] = (uint16_t)(row * 331 + j * 7);
    }
    for (int64_t j = 0; j < 3; j++) {
      out->cosine[i * 3 + j] = (float)(row * 3 + j) / 128.0f;
    }
    for (int64_t j = 0; j < 6; j++) {
      out->deep[i * 6 + j] = row * 1000000007 - j;
    }
    out->token[i] = (uint32_t)(row * 65537);
    out->flag[i] = row % 3 == 0;
  }
}

static Status write_rows(Archive *archive, int64_t first, int64_t rows) {
  Rows data;
  make_rows(&data, first, rows);
  TRY(archive_write(archive, "/activation", first, rows, data.activation));
  TRY(archive_write(archive, "/pair/8k/1k/cosine", first, rows, data.cosine));
  TRY(archive_write(archive, "/token", first, rows, data.token));
  TRY(archive_write(archive, "/deep", first, rows, data.deep));
  return archive_write(archive, "/flag", first, rows, data.flag);
}

static void make_mean(double *mean) {
  for (int i = 0; i < WIDTH; i++) {
    mean[i] = 0.1 * i;
  }
}

Status sample_fill(Archive *archive, Team *team, SampleOrder order) {
  const bool is_last = team->rank == team->size - 1;
  double mean[WIDTH];
  make_mean(mean);
  TRY(archive_write(archive, "/mean", 0, is_last ? WIDTH : 0, mean));
  if (order == SAMPLE_BY_SHARD) {
    const Shard mine = shard_of(ROWS, 16, team->rank, team->size);
    return write_rows(archive, mine.first, shard_count(mine));
  }
  if (order == SAMPLE_BY_LAST_RANK) {
    return write_rows(archive, 0, is_last ? ROWS : 0);
  }
  for (int64_t first = ROWS / 3 * 3; first >= 0; first -= 3) {
    const int64_t rows = ROWS - first < 3 ? ROWS - first : 3;
    TRY(write_rows(archive, first, first % team->size == team->rank ? rows : 0));
  }
  return OK;
}

static Status make_content(Archive *archive, Team *team, SampleOrder order) {
  TRY(sample_add(archive));
  TRY(archive_set_text(archive, "/", "name", "8k"));
  TRY(archive_set_integer(archive, "/pair/8k/1k", "k", -32));
  TRY(archive_set_real(archive, "/activation", "scale", 0.1));
  TRY(archive_begin(archive));
  TRY(sample_fill(archive, team, order));
  TRY(archive_set_text(archive, "/", "name", "1k"));
  TRY(archive_set_text(archive, "/replication", "empty", ""));
  return archive_note_text(archive, "/", "stamp", "0123456789abcdef");
}

Status sample_write(Team *team, const char *name, SampleOrder order, char content[17]) {
  Archive *archive;
  TRY(archive_create(team, sample_path(name), SAMPLE_SCHEMA, &archive));
  const Status status = make_content(archive, team, order);
  if (status != OK) {
    archive_abandon(&archive);
    return status;
  }
  return archive_finish(&archive, content);
}

/* Every rank reads from its own row to the end; the last reads nothing when there are several. */
static Status read_rows(Archive *archive, const Team *team, bool *same) {
  const bool is_idle = team->size > 1 && team->rank == team->size - 1;
  const int64_t first = team->rank < ROWS ? team->rank : ROWS, rows = is_idle ? 0 : ROWS - first;
  Rows wanted, found;
  make_rows(&wanted, first, rows);
  memset(&found, 0, sizeof(found));
  TRY(archive_read(archive, "/activation", first, rows, found.activation));
  TRY(archive_read(archive, "/pair/8k/1k/cosine", first, rows, found.cosine));
  TRY(archive_read(archive, "/token", first, rows, found.token));
  TRY(archive_read(archive, "/deep", first, rows, found.deep));
  TRY(archive_read(archive, "/flag", first, rows, found.flag));
  TRY(archive_read(archive, "/none", 0, 0, NULL));
  *same = *same && memcmp(&wanted, &found, sizeof(wanted)) == 0;
  return OK;
}

static Status read_mean(Archive *archive, bool *same) {
  double wanted[WIDTH], found[WIDTH] = {0};
  make_mean(wanted);
  TRY(archive_read(archive, "/mean", 0, WIDTH, found));
  *same = *same && memcmp(wanted, found, sizeof(wanted)) == 0;
  return OK;
}

static Status read_text(Archive *archive, const char *object, const char *key, const char *wanted,
                        bool *same) {
  char *found;
  TRY(archive_get_text(archive, object, key, &found));
  *same = *same && strcmp(wanted, found) == 0;
  MEMORY_FREE(found);
  return OK;
}

static Status read_attributes(Archive *archive, bool *same) {
  int64_t k;
  double scale;
  TRY(archive_get_integer(archive, "/pair/8k/1k", "k", &k));
  TRY(archive_get_real(archive, "/activation", "scale", &scale));
  *same = *same && k == -32 && scale == 0.1;
  TRY(read_text(archive, "/", "name", "1k", same));
  TRY(read_text(archive, "/replication", "empty", "", same));
  TRY(read_text(archive, "/", "stamp", "0123456789abcdef", same));
  TRY(read_text(archive, "/", "content", archive_content(archive), same));
  TRY(read_text(archive, "/token", "meaning", "token id", same));
  return read_text(archive, "/token", "unit", "id", same);
}

static Status read_shapes(Archive *archive, bool *same) {
  int64_t deep[3], thin[2], none[2];
  TRY(archive_shape(archive, "/deep", ARCHIVE_I64, 3, deep));
  TRY(archive_shape(archive, "/thin", ARCHIVE_F32, 2, thin));
  TRY(archive_shape(archive, "/none", ARCHIVE_F32, 2, none));
  *same = *same && deep[0] == ROWS && deep[1] == 2 && deep[2] == 3 && thin[0] == ROWS &&
          thin[1] == 0 && none[0] == 0 && none[1] == WIDTH;
  return OK;
}

Status sample_read(Team *team, const char *name, bool *same) {
  Archive *archive;
  TRY(archive_open(team, sample_path(name), SAMPLE_SCHEMA, "cleave-sample", &archive));
  *same = strcmp(archive_content(archive), SAMPLE_CONTENT) == 0;
  Status status = read_rows(archive, team, same);
  status = status != OK ? status : read_mean(archive, same);
  status = status != OK ? status : read_attributes(archive, same);
  status = status != OK ? status : read_shapes(archive, same);
  archive_close(&archive);
  return status;
}
