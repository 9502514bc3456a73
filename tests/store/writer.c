#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "memory.h"
#include "shard.h"

/* writer PATH KILOBYTES [FILLER [NOTES]]: a file of so much data, written by all ranks and read
 * again. Between reservation and writing rank 0 fills the disk with FILLER; NOTES attributes of a
 * kilobyte are set after the rows. Exits with the status. For full_disk.sh and python_reads.py. */

enum { WIDTH = 128, ROW_BYTES = 2 * WIDTH, BLOCK = 256 };

static uint16_t value_at(int64_t row, int64_t column) {
  return (uint16_t)(0x3f80 + (row * WIDTH + column) % 128); /* bf16 in [1, 2) */
}

static void fill_disk(const char *path) {
  static char block[4096];
  const int descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  memset(block, 1, sizeof(block));
  while (write(descriptor, block, sizeof(block)) > 0) {
  }
  close(descriptor);
}

static Status write_all(Archive *archive, const Team *team, int64_t rows) {
  const Shard mine = shard_of(rows, 1, team->rank, team->size);
  uint16_t block[BLOCK * WIDTH];
  for (int64_t at = 0; at < rows / team->size + 1; at += BLOCK) {
    const int64_t first = mine.first + at < mine.past ? mine.first + at : mine.past;
    const int64_t count = mine.past - first < BLOCK ? mine.past - first : BLOCK;
    for (int64_t i = 0; i < count * WIDTH; i++) {
      block[i] = value_at(first + i / WIDTH, i % WIDTH);
    }
    TRY(archive_write(archive, "/x", first, count, block));
  }
  return OK;
}

static Status note_late(Archive *archive, int notes) {
  char key[32], text[1000];
  memset(text, 'x', sizeof(text));
  text[sizeof(text) - 1] = '\0';
  for (int i = 0; i < notes; i++) {
    snprintf(key, sizeof(key), "note %d", i);
    TRY(archive_note_text(archive, "/", key, text));
  }
  return OK;
}

typedef struct Order {
  const char *path;
  int64_t rows;
  const char *filler;
  int notes;
} Order;

static Status make_file(Archive *archive, const Team *team, const Order *order) {
  const int64_t rows = order->rows;
  const ArchiveDataset dataset = {"/x", ARCHIVE_BF16, 2, {rows, WIDTH}, "test rows", "1"};
  TRY(archive_add(archive, &dataset));
  TRY(archive_set_text(archive, "/", "name", "writer"));
  TRY(archive_begin(archive));
  if (order->filler != NULL && team->rank == 0) {
    fill_disk(order->filler);
  }
  TRY(write_all(archive, team, rows));
  return note_late(archive, order->notes);
}

static Status read_again(Team *team, const char *path, int64_t rows) {
  Archive *archive;
  TRY(archive_open(team, path, "writer 1", "writer", &archive));
  uint16_t row[WIDTH];
  Status status = OK;
  for (int64_t i = 0; i < rows && status == OK; i++) {
    status = archive_read_here(archive, "/x", i, 1, row);
    for (int64_t j = 0; j < WIDTH && status == OK; j++) {
      status = row[j] == value_at(i, j) ? OK : RAISE(ERR_DATA, "row %lld is wrong", (long long)i);
    }
  }
  archive_close(&archive);
  return team_agree(team, status);
}

static Status run(Team *team, const Order *order) {
  Archive *archive;
  TRY(archive_create(team, order->path, "writer 1", &archive));
  const Status status = make_file(archive, team, order);
  if (status != OK) {
    archive_abandon(&archive);
    return status;
  }
  TRY(archive_finish(&archive, NULL));
  return read_again(team, order->path, order->rows);
}

int main(int argc, char **argv) {
  Team team;
  if (argc < 3 || team_open(&team, &argc, &argv) != OK) {
    return ERR_USAGE;
  }
  const Order order = {.path = argv[1],
                       .rows = atoll(argv[2]) * 1024 / ROW_BYTES,
                       .filler = argc > 3 ? argv[3] : NULL,
                       .notes = argc > 4 ? atoi(argv[4]) : 0};
  const Status status = run(&team, &order);
  team_close(&team);
  return (int)status;
}
