#include "attribute.h"

#include <stdlib.h>
#include <string.h>

#include "hdf.h"
#include "memory.h"

static void clear_item(Attribute *item) {
  MEMORY_FREE(item->object);
  MEMORY_FREE(item->key);
  MEMORY_FREE(item->text);
}

static Status copy_item(Attribute *out, const Attribute *value) {
  *out = *value;
  out->object = out->key = out->text = NULL;
  TRY(memory_copy_text(&out->object, value->object));
  TRY(memory_copy_text(&out->key, value->key));
  return value->text == NULL ? OK : memory_copy_text(&out->text, value->text);
}

static int64_t find_item(const AttributeList *list, const Attribute *value) {
  for (int64_t i = 0; i < list->count; i++) {
    if (strcmp(list->items[i].object, value->object) == 0 &&
        strcmp(list->items[i].key, value->key) == 0) {
      return i;
    }
  }
  return list->count;
}

Status attribute_put(AttributeList *list, const Attribute *value) {
  Attribute copy;
  const Status status = copy_item(&copy, value);
  if (status != OK) {
    clear_item(&copy);
    return status;
  }
  const int64_t at = find_item(list, value);
  if (at == list->count) {
    const Status grown = MEMORY_RESIZE(&list->items, list->count + 1, "attributes");
    if (grown != OK) {
      clear_item(&copy);
      return grown;
    }
    list->count++;
  } else {
    clear_item(&list->items[at]);
  }
  list->items[at] = copy;
  return OK;
}

static int compare_items(const void *left, const void *right) {
  const Attribute *a = left, *b = right;
  const int order = strcmp(a->object, b->object);
  return order != 0 ? order : strcmp(a->key, b->key);
}

void attribute_sort(AttributeList *list) {
  if (list->count > 0) {
    qsort(list->items, (size_t)list->count, sizeof(Attribute), compare_items);
  }
}

void attribute_clear(AttributeList *list) {
  for (int64_t i = 0; i < list->count; i++) {
    clear_item(&list->items[i]);
  }
  MEMORY_FREE(list->items);
  list->count = 0;
}

int64_t attribute_room(const Attribute *value) {
  const int64_t text = value->text != NULL ? (int64_t)strlen(value->text) : 8;
  return 2 * (text + (int64_t)strlen(value->key) + (int64_t)strlen(value->object)) + 1024;
}

/* Fixed-length text: variable-length strings live in a heap that parallel HDF5 does not write
 * together. */
static hid_t text_type(size_t length) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, length + 1);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

static hid_t type_of(const Attribute *value) {
  switch (value->kind) {
    case ATTRIBUTE_TEXT:
      return text_type(strlen(value->text));
    case ATTRIBUTE_INTEGER:
      return H5Tcopy(H5T_STD_I64LE);
    case ATTRIBUTE_REAL:
      return H5Tcopy(H5T_IEEE_F64LE);
  }
  return H5I_INVALID_HID;
}

static const void *bytes_of(const Attribute *value) {
  switch (value->kind) {
    case ATTRIBUTE_TEXT:
      return value->text;
    case ATTRIBUTE_INTEGER:
      return &value->integer;
    case ATTRIBUTE_REAL:
      return &value->real;
  }
  return NULL;
}

static hid_t open_or_make(hid_t file, const char *object) {
  const hid_t found = H5Oopen(file, object, H5P_DEFAULT);
  if (found >= 0) {
    return found;
  }
  const hid_t links = H5Pcreate(H5P_LINK_CREATE);
  H5Pset_create_intermediate_group(links, 1);
  const hid_t group = H5Gcreate2(file, object, links, H5P_DEFAULT, H5P_DEFAULT);
  H5Pclose(links);
  return group;
}

static Status write_value(hid_t object, const Attribute *value) {
  const hid_t type = type_of(value);
  const hid_t space = H5Screate(H5S_SCALAR);
  const hid_t attribute = H5Acreate2(object, value->key, type, space, H5P_DEFAULT, H5P_DEFAULT);
  Status status = OK;
  if (attribute < 0 || H5Awrite(attribute, type, bytes_of(value)) < 0) {
    status = hdf_raise(object, "write an attribute");
  }
  if (attribute >= 0) {
    H5Aclose(attribute);
  }
  H5Sclose(space);
  H5Tclose(type);
  return status;
}

Status attribute_write(hid_t file, const Attribute *value) {
  const hid_t object = open_or_make(file, value->object);
  if (object < 0) {
    return hdf_raise(file, "open the object of an attribute");
  }
  const Status status = write_value(object, value);
  H5Oclose(object);
  return status;
}

static Status open_attribute(hid_t file, const char *object, const char *key, H5T_class_t class,
                             hid_t *attribute) {
  char path[STATUS_WHY_SIZE / 2];
  *attribute = H5Aopen_by_name(file, object, key, H5P_DEFAULT, H5P_DEFAULT);
  if (*attribute < 0) {
    return RAISE(ERR_FORMAT, "%s: %s has no attribute %s", hdf_file_name(file, path), object, key);
  }
  const hid_t type = H5Aget_type(*attribute);
  const hid_t space = H5Aget_space(*attribute);
  const bool fits = H5Tget_class(type) == class && H5Tis_variable_str(type) <= 0 &&
                    H5Sget_simple_extent_npoints(space) == 1;
  H5Sclose(space);
  H5Tclose(type);
  if (!fits) {
    H5Aclose(*attribute);
    return RAISE(ERR_FORMAT, "%s: attribute %s of %s is of another type", hdf_file_name(file, path),
                 key, object);
  }
  return OK;
}

Status attribute_read_text(hid_t file, const char *object, const char *key, char **text) {
  *text = NULL;
  hid_t attribute;
  TRY(open_attribute(file, object, key, H5T_STRING, &attribute));
  const hid_t type = H5Aget_type(attribute);
  Status status = MEMORY_NEW(text, (int64_t)H5Tget_size(type) + 1, "text of an attribute");
  if (status == OK && H5Aread(attribute, type, *text) < 0) {
    status = hdf_raise(file, "read an attribute");
    MEMORY_FREE(*text);
  }
  H5Tclose(type);
  H5Aclose(attribute);
  return status;
}

static Status read_number(hid_t file, const char *object, const char *key, H5T_class_t class,
                          hid_t type, void *value) {
  hid_t attribute;
  TRY(open_attribute(file, object, key, class, &attribute));
  const Status status =
      H5Aread(attribute, type, value) < 0 ? hdf_raise(file, "read an attribute") : OK;
  H5Aclose(attribute);
  return status;
}

Status attribute_read_integer(hid_t file, const char *object, const char *key, int64_t *value) {
  return read_number(file, object, key, H5T_INTEGER, H5T_NATIVE_INT64, value);
}

Status attribute_read_real(hid_t file, const char *object, const char *key, double *value) {
  return read_number(file, object, key, H5T_FLOAT, H5T_NATIVE_DOUBLE, value);
}
