#include "slab.h"

#include <hdf5.h>

#include "exchange.h"
#include "hdf.h"

/* Far below the 2^31 elements that MPI-IO counts in an int. */
enum { PIECE_DEFAULT = 1 << 28 };

static int64_t piece_bytes = PIECE_DEFAULT;

void slab_set_piece(int64_t bytes) {
  piece_bytes = bytes > 0 ? bytes : PIECE_DEFAULT;
}

bool slab_holds(const Slab *slab, int64_t first, int64_t rows) {
  return first >= 0 && rows >= 0 && first <= slab->shape[0] && rows <= slab->shape[0] - first;
}

static int64_t rows_of_piece(const Slab *slab) {
  const int64_t rows = piece_bytes / slab->row_bytes;
  return rows > 0 ? rows : 1;
}

/* The file's and the memory's view of some rows; nothing is selected when there are none. */
static Status select_rows(const Slab *slab, int64_t first, int64_t rows, hid_t *file_space,
                          hid_t *memory_space) {
  hsize_t start[SLAB_DIMS] = {(hsize_t)first}, count[SLAB_DIMS] = {(hsize_t)(rows > 0 ? rows : 1)};
  for (int i = 1; i < slab->dims; i++) {
    count[i] = (hsize_t)slab->shape[i];
  }
  *file_space = H5Dget_space(slab->dataset);
  *memory_space = H5Screate_simple(slab->dims, count, NULL);
  herr_t result;
  if (rows > 0) {
    result = H5Sselect_hyperslab(*file_space, H5S_SELECT_SET, start, NULL, count, NULL);
  } else {
    result = H5Sselect_none(*file_space) < 0 ? -1 : H5Sselect_none(*memory_space);
  }
  return *file_space < 0 || *memory_space < 0 || result < 0
             ? hdf_raise(slab->dataset, "select rows")
             : OK;
}

typedef struct Transfer {
  const Slab *slab;
  hid_t list;         /* transfer properties */
  bool is_write;      /* the same on all ranks; data may be NULL where there are no rows */
  const char *source; /* written from */
  char *target;       /* read to */
} Transfer;

static Status transfer_piece(const Transfer *transfer, int64_t first, int64_t rows,
                             int64_t offset) {
  const Slab *slab = transfer->slab;
  hid_t file_space = H5I_INVALID_HID, memory_space = H5I_INVALID_HID;
  Status status = select_rows(slab, first, rows, &file_space, &memory_space);
  if (status != OK) { /* the others wait for this rank all the same */
    H5Sselect_none(file_space);
    H5Sselect_none(memory_space);
  }
  const bool has_rows = rows > 0 && status == OK;
  char nothing[8] = {0}; /* HDF5 wants a buffer even for no rows */
  herr_t result;
  if (transfer->is_write) {
    const void *data = has_rows ? transfer->source + offset : nothing;
    result = H5Dwrite(slab->dataset, slab->type, memory_space, file_space, transfer->list, data);
  } else {
    void *data = has_rows ? transfer->target + offset : nothing;
    result = H5Dread(slab->dataset, slab->type, memory_space, file_space, transfer->list, data);
  }
  if (result < 0 && status == OK) {
    status = hdf_raise(slab->dataset, transfer->is_write ? "write rows" : "read rows");
  }
  H5Sclose(file_space);
  H5Sclose(memory_space);
  return status;
}

/* `rounds` pieces, the last ones empty on ranks with fewer rows; the first failure is kept. */
static Status transfer_rounds(const Transfer *transfer, int64_t rounds, int64_t first,
                              int64_t rows) {
  const int64_t most = rows_of_piece(transfer->slab);
  Status status = OK;
  int64_t done = 0;
  for (int64_t round = 0; round < rounds; round++) {
    const int64_t piece = rows - done < most ? rows - done : most;
    const Status now =
        transfer_piece(transfer, first + done, piece, done * transfer->slab->row_bytes);
    status = status == OK ? now : status;
    done += piece;
  }
  return status;
}

static int64_t rounds_of(const Slab *slab, int64_t rows) {
  const int64_t most = rows_of_piece(slab);
  return rows / most + (rows % most != 0);
}

static Status transfer_together(Transfer *transfer, Team *team, int64_t first, int64_t rows) {
  if (transfer->slab->row_bytes == 0) {
    return OK; /* on all ranks: the shape has a zero */
  }
  int64_t rounds = rounds_of(transfer->slab, rows);
  exchange_max_integer(team, &rounds, 1);
  /* A rank's rows lie together, so it moves them itself: by aggregators one process would copy for all. */
  transfer->list = H5Pcreate(H5P_DATASET_XFER);
  H5Pset_dxpl_mpio(transfer->list, H5FD_MPIO_COLLECTIVE);
  H5Pset_dxpl_mpio_collective_opt(transfer->list, H5FD_MPIO_INDIVIDUAL_IO);
  const Status status = transfer_rounds(transfer, rounds, first, rows);
  H5Pclose(transfer->list);
  return status;
}

Status slab_write(const Slab *slab, Team *team, int64_t first, int64_t rows, const void *data) {
  Transfer transfer = {.slab = slab, .is_write = true, .source = data};
  return transfer_together(&transfer, team, first, rows);
}

Status slab_read(const Slab *slab, Team *team, int64_t first, int64_t rows, void *data) {
  Transfer transfer = {.slab = slab, .target = data};
  if (data == NULL) {
    ASSERT(rows == 0);
  }
  return transfer_together(&transfer, team, first, rows);
}

Status slab_read_here(const Slab *slab, int64_t first, int64_t rows, void *data) {
  if (slab->row_bytes == 0 || rows == 0) {
    return OK;
  }
  const Transfer transfer = {.slab = slab, .list = H5P_DEFAULT, .target = data};
  return transfer_rounds(&transfer, rounds_of(slab, rows), first, rows);
}
