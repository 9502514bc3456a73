#include "hdf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { REASON_SIZE = STATUS_WHY_SIZE / 2 };

void hdf_start(void) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

static herr_t take_innermost(unsigned depth, const H5E_error2_t *error, void *out) {
  if (depth == 0 && error->desc != NULL) {
    snprintf(out, REASON_SIZE, "%s", error->desc);
  }
  return 0;
}

const char *hdf_reason(char *out) {
  snprintf(out, REASON_SIZE, "no reason given");
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_innermost, out);
  return out;
}

const char *hdf_file_name(hid_t object, char *out) {
  if (H5Fget_name(object, out, REASON_SIZE) < 0) {
    snprintf(out, REASON_SIZE, "a file");
  }
  return out;
}

Status hdf_raise(hid_t object, const char *what) {
  char reason[REASON_SIZE], path[REASON_SIZE];
  hdf_reason(reason); /* first: any call clears it */
  return RAISE(ERR_FILE, "%s: HDF5 cannot %s: %s", hdf_file_name(object, path), what, reason);
}

/* The upper half of a float32: h5py reads it as float32. */
static hid_t bf16_type(void) {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(type, 15, 7, 8, 0, 7);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, 127);
  return type;
}

hid_t hdf_type(ArchiveType type) {
  switch (type) {
    case ARCHIVE_F32:
      return H5Tcopy(H5T_IEEE_F32LE);
    case ARCHIVE_F64:
      return H5Tcopy(H5T_IEEE_F64LE);
    case ARCHIVE_BF16:
      return bf16_type();
    case ARCHIVE_I64:
      return H5Tcopy(H5T_STD_I64LE);
    case ARCHIVE_U32:
      return H5Tcopy(H5T_STD_U32LE);
    case ARCHIVE_U8:
      return H5Tcopy(H5T_STD_U8LE);
  }
  return H5I_INVALID_HID;
}

const char *hdf_type_name(ArchiveType type) {
  static const char *const NAMES[] = {"f32", "f64", "bf16", "i64", "u32", "u8"};
  return NAMES[type];
}

static Status raise_path(const char *path, const char *what) {
  char reason[REASON_SIZE];
  return RAISE(ERR_FILE, "%s: HDF5 cannot %s it: %s", path, what, hdf_reason(reason));
}

static hid_t shared_access(const Team *team) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_fapl_mpio(access, team->comm, MPI_INFO_NULL);
  return access;
}

Status hdf_create(const Team *team, const char *path, hid_t *file) {
  const hid_t access = shared_access(team);
  *file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const Status status = *file < 0 ? raise_path(path, "create") : OK;
  H5Pclose(access);
  return status;
}

Status hdf_open(const Team *team, const char *path, hid_t *file) {
  const hid_t access = shared_access(team);
  *file = H5Fopen(path, H5F_ACC_RDONLY, access);
  const Status status = *file < 0 ? raise_path(path, "open") : OK;
  H5Pclose(access);
  return status;
}

static Status check_readable(const char *path) {
  const int descriptor = open(path, O_RDONLY);
  if (descriptor < 0) {
    return RAISE(errno == ENOENT ? ERR_MISSING : ERR_FILE, "%s: %s", path, strerror(errno));
  }
  close(descriptor);
  return OK;
}

Status hdf_open_here(const char *path, const char *remedy, hid_t *file) {
  hdf_start();
  TRY(check_readable(path));
  if (H5Fis_hdf5(path) <= 0) {
    return RAISE(ERR_FORMAT, "%s is not an HDF5 file: %s", path, remedy);
  }
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  H5Pset_file_locking(access, false, true);
  *file = H5Fopen(path, H5F_ACC_RDONLY, access);
  char reason[REASON_SIZE];
  const Status status = *file < 0 ? RAISE(ERR_FORMAT, "%s is damaged or cut short (%s): %s", path,
                                          hdf_reason(reason), remedy)
                                  : OK;
  H5Pclose(access);
  return status;
}
