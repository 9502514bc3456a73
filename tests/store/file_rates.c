/* Archives against plain files on the same disk: every rank writes, and reads back from the disk, its share of the
 * rows, in turns. For tests/bench/files.sh.
 * usage: mpirun -n RANKS file_rates FOLDER MEGABYTES TURNS
 * Prints for each kind: raw and archive, GB/s, and their ratio, of the fastest turns (what else uses a disk, or keeps
 * what lies on it in memory, makes others slow); which is written and read first changes from turn to turn. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "archive.h"
#include "clock.h"
#include "exchange.h"
#include "memory.h"
#include "shard.h"
#include "text.h"

enum { PIECE = 16 << 20 };

typedef struct Kind {
  const char *name, *what;
  ArchiveType type;
  int64_t width, size; /* columns, bytes of a value */
  int datasets;
} Kind;

/* activations.h5; a dictionary's two matrices; a checkpoint's weights and moments. */
static const Kind KINDS[] = {{"activations", "bf16, width 640", ARCHIVE_BF16, 640, 2, 1},
                             {"dictionary", "2 x float32, width 640", ARCHIVE_F32, 640, 4, 2},
                             {"checkpoint", "6 x float32, width 640", ARCHIVE_F32, 640, 4, 6}};
enum { KIND_COUNT = 3 };
static const char *const NAMES[] = {"/a", "/b", "/c", "/d", "/e", "/f"};

typedef struct Rates {
  Team team;
  const Kind *kind;
  char *raw, *archive; /* paths */
  int64_t rows;        /* of each dataset */
  Shard own;
  char *data; /* [own, width] */
} Rates;

static int64_t row_bytes(const Rates *r) {
  return r->kind->width * r->kind->size;
}

static double all_bytes(const Rates *r) {
  return (double)r->kind->datasets * (double)r->rows * (double)row_bytes(r);
}

/* What is written lies on the disk, and nothing of it in memory. */
static void settle(Rates *r, const char *path) {
  team_barrier(&r->team);
  const int file = open(path, O_RDWR);
  if (file >= 0) {
    fsync(file);
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
  }
  team_barrier(&r->team);
}

static Status raw_pass(Rates *r, bool writes) {
  const int64_t bytes = shard_count(r->own) * row_bytes(r);
  const int file = open(r->raw, writes ? O_RDWR | O_CREAT : O_RDONLY, 0600);
  if (file < 0) {
    return RAISE(ERR_FILE, "%s cannot be opened", r->raw);
  }
  for (int d = 0; d < r->kind->datasets; d++) {
    const int64_t start = (d * r->rows + r->own.first) * row_bytes(r);
    for (int64_t at = 0; at < bytes;) {
      const size_t piece = (size_t)(bytes - at < PIECE ? bytes - at : PIECE);
      const ssize_t done = writes ? pwrite(file, r->data + at, piece, start + at)
                                  : pread(file, r->data + at, piece, start + at);
      if (done <= 0) {
        close(file);
        return RAISE(ERR_FILE, "%s: input or output failed", r->raw);
      }
      at += done;
    }
  }
  close(file);
  return OK;
}

/* As archives do, rank 0 takes the room first. */
static Status write_raw(Rates *r) {
  Status status = OK;
  if (r->team.rank == 0) {
    unlink(r->raw);
    const int file = open(r->raw, O_RDWR | O_CREAT, 0600);
    status = file >= 0 && posix_fallocate(file, 0, (off_t)all_bytes(r)) == 0
                 ? OK
                 : RAISE(ERR_SPACE, "%s", r->raw);
    close(file);
  }
  TRY_ALL(&r->team, status);
  return team_agree(&r->team, raw_pass(r, true));
}

static Status read_raw(Rates *r) {
  return team_agree(&r->team, raw_pass(r, false));
}

static Status write_all(Rates *r, Archive *out) {
  for (int d = 0; d < r->kind->datasets; d++) {
    const ArchiveDataset set = {NAMES[d], r->kind->type, 2, {r->rows, r->kind->width}, "values",
                                "1"};
    TRY(archive_add(out, &set));
  }
  TRY(archive_begin(out));
  for (int d = 0; d < r->kind->datasets; d++) {
    TRY(archive_write(out, NAMES[d], r->own.first, shard_count(r->own), r->data));
  }
  return OK;
}

static Status write_archive(Rates *r) {
  Archive *out = NULL;
  TRY(archive_create(&r->team, r->archive, "rates 1", &out));
  const Status status = write_all(r, out);
  if (status != OK) {
    archive_abandon(&out);
    return status;
  }
  return archive_finish(&out, NULL);
}

static Status read_archive(Rates *r) {
  Archive *in = NULL;
  TRY(archive_open(&r->team, r->archive, "rates 1", "nobody", &in));
  Status status = OK;
  for (int d = 0; status == OK && d < r->kind->datasets; d++) {
    status = archive_read(in, NAMES[d], r->own.first, shard_count(r->own), r->data);
  }
  archive_close(&in);
  return status;
}

/* GB/s; writing counts until the bytes are on the disk. */
static Status time_pass(Rates *r, Status (*pass)(Rates *), const char *path, bool writes,
                        double *rate) {
  team_barrier(&r->team);
  const double began = clock_seconds();
  TRY(pass(r));
  if (writes) {
    settle(r, path);
  }
  team_barrier(&r->team);
  *rate = all_bytes(r) * 1e-9 / (clock_seconds() - began);
  settle(r, path);
  return OK;
}

/* A way to write and to read: plain files or archives. */
typedef struct Way {
  Status (*write)(Rates *r);
  Status (*read)(Rates *r);
  const char *path;
  double fastest[2]; /* GB/s, written and read */
} Way;

static Status take_turn(Rates *r, Way *first, Way *second) {
  Way *const ways[2] = {first, second};
  for (int reads = 0; reads < 2; reads++) {
    for (int w = 0; w < 2; w++) {
      double rate = 0.0;
      TRY(time_pass(r, reads ? ways[w]->read : ways[w]->write, ways[w]->path, !reads, &rate));
      ways[w]->fastest[reads] = rate > ways[w]->fastest[reads] ? rate : ways[w]->fastest[reads];
    }
  }
  return OK;
}

static Status measure(Rates *r, int turns, double *worst) {
  Way plain = {write_raw, read_raw, r->raw, {0}};
  Way ours = {write_archive, read_archive, r->archive, {0}};
  for (int t = 0; t < turns; t++) {
    TRY(take_turn(r, t % 2 == 0 ? &plain : &ours, t % 2 == 0 ? &ours : &plain));
  }
  for (int i = 0; i < 2; i++) {
    const double ratio = ours.fastest[i] / plain.fastest[i];
    *worst = ratio < *worst ? ratio : *worst;
    if (r->team.rank == 0) {
      printf("%-12s %-24s %-8s %8.2f GB/s %8.2f GB/s %8.2f\n", r->kind->name, r->kind->what,
             i == 0 ? "written" : "read", plain.fastest[i], ours.fastest[i], ratio);
    }
  }
  return OK;
}

static Status measure_kind(Rates *r, double megabytes, int turns, double *worst) {
  r->rows = (int64_t)(megabytes * 1e6 / (double)(r->kind->datasets * row_bytes(r)));
  r->own = shard_of(r->rows, 1024, r->team.rank, r->team.size);
  TRY_NEW(&r->team, &r->data, shard_count(r->own) * row_bytes(r), "rows");
  for (int64_t i = 0; i < shard_count(r->own) * row_bytes(r); i++) {
    r->data[i] = (char)((i * 37 + r->team.rank) % 61 + 1);
  }
  const Status status = measure(r, turns, worst);
  MEMORY_FREE(r->data);
  return status;
}

static Status measure_all(Rates *r, const char *folder, double megabytes, int turns) {
  double worst = 9.0;
  TRY(text_join_path(&r->raw, folder, "rates.raw"));
  TRY(text_join_path(&r->archive, folder, "rates.h5"));
  if (r->team.rank == 0) {
    printf("%-12s %-24s %-8s %13s %13s %8s\n", "", "", "", "plain file", "archive", "ratio");
  }
  for (int k = 0; k < KIND_COUNT; k++) {
    r->kind = &KINDS[k];
    TRY(measure_kind(r, megabytes, turns, &worst));
  }
  if (r->team.rank == 0) {
    unlink(r->raw);
    unlink(r->archive);
    printf("files ratio = %.2f (plain files on the same disk, %d ranks)\n", worst, r->team.size);
  }
  return OK;
}

int main(int argc, char **argv) {
  Rates rates = {.kind = KINDS};
  if (team_open(&rates.team, &argc, &argv) != OK || argc != 4) {
    fprintf(stderr, "usage: see the head of file_rates.c\n");
    return 2;
  }
  const int turns = atoi(argv[3]);
  const Status status = measure_all(&rates, argv[1], atof(argv[2]), turns < 1 ? 1 : turns);
  MEMORY_FREE(rates.raw);
  MEMORY_FREE(rates.archive);
  team_close(&rates.team);
  return (int)status;
}
