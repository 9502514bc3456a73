#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "memory.h"
#include "tensor_file.h"
#include "text.h"

/* A zip of .npy members. Stored ones are read in place by range; of deflated ones the header alone,
 * until they are unpacked. A member's length must be what its header's shape needs. */

/* Deflate makes no more of a byte than this; a zip that promises more lies. */
enum { DEFLATE_MOST = 1032 };

static void close_member(TensorFile *file) {
  if (file->member != NULL) {
    zip_fclose(file->member);
  }
  file->member = NULL;
}

void npz_close(TensorFile *file) {
  close_member(file);
  if (file->zip != NULL) {
    zip_discard(file->zip);
  }
  file->zip = NULL;
}

static const char *name_of(const TensorFile *file, int64_t member) {
  const char *name = zip_get_name(file->zip, (zip_uint64_t)member, 0);
  return name != NULL ? name : "?";
}

/* From its first byte. */
static Status open_member(TensorFile *file, int64_t member) {
  close_member(file);
  file->member = zip_fopen_index(file->zip, (zip_uint64_t)member, 0);
  file->member_index = member;
  if (file->member == NULL) {
    return RAISE(ERR_FORMAT, "%s: member %.200s: %s", file->path, name_of(file, member),
                 zip_strerror(file->zip));
  }
  return OK;
}

/* The next bytes of the open member. */
static Status read_on(TensorFile *file, int64_t count, void *out) {
  for (int64_t done = 0; done < count;) {
    const zip_int64_t got =
        zip_fread(file->member, (char *)out + done, (zip_uint64_t)(count - done));
    if (got <= 0) {
      return RAISE(ERR_FORMAT, "%s: member %.200s: %s: damaged?", file->path,
                   name_of(file, file->member_index),
                   got < 0 ? zip_file_strerror(file->member) : "shorter than it says");
    }
    done += got;
  }
  return OK;
}

Status npz_read(TensorFile *file, int64_t member, int64_t offset, int64_t count, void *out) {
  if (file->member == NULL || file->member_index != member) {
    TRY(open_member(file, member));
  }
  if (zip_fseek(file->member, offset, SEEK_SET) != 0) {
    return RAISE(ERR_FORMAT, "%s: member %.200s: byte %lld: %s", file->path, name_of(file, member),
                 (long long)offset, zip_file_strerror(file->member));
  }
  return read_on(file, count, out);
}

/* The tensor is called as its member, without ".npy". */
static Status take_name(TensorFile *file, const char *member) {
  TensorPlace *place = &file->places[file->count];
  const size_t length = strlen(member);
  if (strchr(member, '/') != NULL || strchr(member, '\\') != NULL || strstr(member, "..") != NULL) {
    return RAISE(ERR_FORMAT,
                 "%s: member %.200s: an .npz has no folders in it (is it a .pt file of PyTorch? "
                 "Save its tensors as .safetensors)",
                 file->path, member);
  }
  if (length < 5 || strcmp(member + length - 4, ".npy") != 0) {
    return RAISE(ERR_FORMAT, "%s: member %.200s: its name does not end with .npy", file->path,
                 member);
  }
  TRY(memory_copy_text(&place->name, member));
  place->name[length - 4] = '\0';
  file->tensors[file->count].name = place->name;
  file->count++;
  return OK;
}

static Status check_method(const TensorFile *file, const zip_stat_t *about, Tensor *tensor) {
  if (about->encryption_method != ZIP_EM_NONE ||
      (about->comp_method != ZIP_CM_STORE && about->comp_method != ZIP_CM_DEFLATE)) {
    return RAISE(ERR_UNSUPPORTED, "%s: member %.200s: neither stored nor deflated: save it again",
                 file->path, about->name);
  }
  tensor->is_packed = about->comp_method == ZIP_CM_DEFLATE;
  const bool is_possible = tensor->is_packed ? about->size / DEFLATE_MOST <= about->comp_size
                                             : about->size == about->comp_size;
  if (!is_possible || about->size > INT64_MAX || about->comp_size > (uint64_t)file->length) {
    return RAISE(ERR_FORMAT,
                 "%s: member %.200s: %llu bytes cannot come of %llu in a file of %lld: damaged?",
                 file->path, about->name, (unsigned long long)about->size,
                 (unsigned long long)about->comp_size, (long long)file->length);
  }
  return OK;
}

static Status take_header(TensorFile *file, Tensor *tensor, TensorPlace *place) {
  Text what = {0};
  const int64_t given = place->bytes < NPY_HEADER ? place->bytes : NPY_HEADER;
  TRY(open_member(file, place->member));
  TRY(read_on(file, given, file->buffer));
  TRY(text_printf(&what, "%s: %.200s", file->path, tensor->name));
  const Status status =
      npy_parse(text_chars(&what), file->buffer, given, place->bytes, tensor, &place->offset);
  text_clear(&what);
  return status;
}

static Status take_member(TensorFile *file, int64_t member) {
  const zip_uint64_t needed = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE |
                              ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  zip_stat_t about;
  if (zip_stat_index(file->zip, (zip_uint64_t)member, 0, &about) != 0 ||
      (about.valid & needed) != needed) {
    return RAISE(ERR_FORMAT, "%s: member %lld of the zip: %s", file->path, (long long)member,
                 zip_strerror(file->zip));
  }
  TRY(take_name(file, about.name));
  Tensor *tensor = &file->tensors[file->count - 1];
  TensorPlace *place = &file->places[file->count - 1];
  TRY(check_method(file, &about, tensor));
  place->member = member;
  place->bytes = (int64_t)about.size;
  return take_header(file, tensor, place);
}

static Status open_zip(TensorFile *file) {
  int code;
  file->zip = zip_open(file->path, ZIP_RDONLY, &code);
  if (file->zip == NULL) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const Status status = RAISE(ERR_FORMAT, "%s: as a zip: %s: it is cut short or damaged",
                                file->path, zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
  }
  return OK;
}

Status npz_list(TensorFile *file) {
  TRY(open_zip(file));
  const int64_t members = zip_get_num_entries(file->zip, 0);
  TRY(tensor_file_room(file, members));
  for (int64_t i = 0; i < members; i++) {
    TRY(take_member(file, i));
  }
  return OK;
}

static Status write_all(const char *path, int out, const uint8_t *bytes, int64_t count) {
  for (int64_t done = 0; done < count;) {
    const ssize_t wrote = write(out, bytes + done, (size_t)(count - done));
    if (wrote < 0 && errno == EINTR) {
      continue;
    }
    if (wrote <= 0) {
      const bool is_full = wrote == 0 || status_of_write(errno) == ERR_SPACE;
      return RAISE(is_full ? ERR_SPACE : ERR_FILE, "%s: %s", path,
                   wrote == 0 ? "nothing could be written" : strerror(errno));
    }
    done += wrote;
  }
  return OK;
}

/* The zip's own size and checksum are compared by libzip when the end is met. */
static Status check_end(TensorFile *file, const char *name) {
  uint8_t more;
  const zip_int64_t got = zip_fread(file->member, &more, 1);
  if (got != 0) {
    return RAISE(ERR_FORMAT, "%s: member %.200s: %s: damaged?", file->path, name,
                 got < 0 ? zip_file_strerror(file->member) : "longer than its shape says");
  }
  return OK;
}

static Status unpack(TensorFile *file, const char *name, const TensorPlace *place, const char *path,
                     int out) {
  TRY(open_member(file, place->member));
  for (int64_t done = 0; done < place->bytes;) {
    const int64_t left = place->bytes - done;
    const int64_t now = left < TENSOR_BUFFER ? left : TENSOR_BUFFER;
    TRY(read_on(file, now, file->buffer));
    TRY(write_all(path, out, file->buffer, now));
    done += now;
  }
  return check_end(file, name);
}

static Status unpack_to(TensorFile *file, const Tensor *tensor, const char *part,
                        const char *path) {
  const int out = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (out < 0) {
    return RAISE(ERR_FILE, "%s: %s", part, strerror(errno));
  }
  const TensorPlace *place = &file->places[tensor - file->tensors];
  Status status = unpack(file, tensor->name, place, part, out);
  if (close(out) != 0 && status == OK) { /* network file systems report a full disk only now */
    status = RAISE(status_of_write(errno), "%s: %s", part, strerror(errno));
  }
  if (status == OK && rename(part, path) != 0) {
    status = RAISE(ERR_FILE, "%s: %s", path, strerror(errno));
  }
  if (status != OK) {
    unlink(part);
  }
  return status;
}

Status tensor_unpack(TensorFile *file, const Tensor *tensor, const char *path) {
  Text part = {0};
  ASSERT(file->zip != NULL && tensor >= file->tensors && tensor < file->tensors + file->count);
  TRY(text_printf(&part, "%s.part", path));
  const Status status = unpack_to(file, tensor, text_chars(&part), path);
  text_clear(&part);
  return status;
}
