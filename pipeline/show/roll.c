#include "roll.h"

#include <stdio.h>
#include <stdlib.h>

#include "desk.h"
#include "memory.h"
#include "schema.h"

enum { TOP = 1000 }; /* families of a table that is sorted by one column */

static Status take(Roll *roll) {
  TRY(MEMORY_NEW(&roll->root, roll->count, "roots of families"));
  TRY(MEMORY_NEW(&roll->size, roll->count * roll->levels, "sizes of families"));
  TRY(MEMORY_NEW(&roll->mass, roll->count, "masses of families"));
  TRY(MEMORY_NEW(&roll->coverage, roll->count, "coverage of families"));
  TRY(MEMORY_NEW(&roll->purity, roll->count, "purity of families"));
  TRY(MEMORY_NEW(&roll->replicated, roll->count, "replication of families"));
  TRY(MEMORY_NEW(&roll->of_root, roll->roots, "families of roots"));
  return MEMORY_NEW(&roll->order, roll->count, "order of families");
}

int64_t roll_size(const Roll *roll, int64_t family) {
  int64_t total = 0;
  for (int64_t level = 0; level < roll->levels; ++level) {
    total += roll->size[family * roll->levels + level];
  }
  return total;
}

/* One sortable column of the table; larger first, and what has no value last. */
typedef struct Order {
  int64_t family;
  double key, mass;
  uint32_t root;
} Order;

static int larger_first(const void *left, const void *right) {
  const Order *a = left;
  const Order *b = right;
  if (a->key != b->key) {
    return a->key > b->key ? -1 : 1;
  }
  if (a->mass != b->mass) {
    return a->mass > b->mass ? -1 : 1;
  }
  return a->root < b->root ? -1 : (a->root > b->root ? 1 : 0);
}

typedef double (*Key)(const Roll *roll, int64_t family, int64_t column);

static Status sort_by(const Roll *roll, Key key_of, int64_t column, double sign, int64_t *order) {
  Order *items = NULL;
  TRY(MEMORY_NEW(&items, roll->count, "order of families"));
  for (int64_t i = 0; i < roll->count; ++i) {
    const double key = key_of(roll, i, column);
    items[i] = (Order){.family = i,
                       .key = key == key ? sign * key : -1e300,
                       .mass = roll->mass[i],
                       .root = roll->root[i]};
  }
  qsort(items, (size_t)roll->count, sizeof(*items), larger_first);
  for (int64_t i = 0; i < roll->count; ++i) {
    order[i] = items[i].family;
  }
  MEMORY_FREE(items);
  return OK;
}

static double key_features(const Roll *roll, int64_t family, int64_t column) {
  (void)column;
  return (double)roll_size(roll, family);
}

static Status index_roots(Roll *roll, const Atlas *atlas) {
  for (int64_t i = 0; i < roll->roots; ++i) {
    roll->of_root[i] = -1;
  }
  for (int64_t i = 0; i < roll->count; ++i) {
    if (roll->root[i] >= roll->roots) {
      return RAISE(ERR_FORMAT, "%s: /family/root %lld is no feature of the smallest dictionary",
                   archive_path(atlas->families), (long long)roll->root[i]);
    }
    roll->of_root[roll->root[i]] = i;
  }
  return sort_by(roll, key_features, 0, 1, roll->order);
}

static Status read_all(Roll *roll, const Atlas *atlas) {
  Archive *file = atlas->families;
  TRY(archive_read(file, "/family/root", 0, roll->count, roll->root));
  TRY(archive_read(file, "/family/size", 0, roll->count, roll->size));
  TRY(archive_read(file, "/family/mass", 0, roll->count, roll->mass));
  TRY(archive_read(file, "/family/coverage", 0, roll->count, roll->coverage));
  TRY(archive_read(file, "/family/purity", 0, roll->count, roll->purity));
  TRY(archive_read(file, "/family/replicated", 0, roll->count, roll->replicated));
  TRY_ALL(atlas->team, index_roots(roll, atlas));
  return OK;
}

static Status check_shape(const Atlas *atlas, const char *name, ArchiveType type, int dims,
                          const int64_t *expected) {
  int64_t shape[ARCHIVE_DIMS] = {0};
  TRY(archive_shape(atlas->families, name, type, dims, shape));
  for (int i = 0; i < dims; ++i) {
    if (shape[i] != expected[i]) {
      return RAISE(ERR_FORMAT, "%s: %s has another shape than /family/root and the levels ask for",
                   archive_path(atlas->families), name);
    }
  }
  return OK;
}

static Status check_shapes(const Roll *roll, const Atlas *atlas) {
  const int64_t expected[] = {roll->count, roll->levels};
  TRY(check_shape(atlas, "/family/size", ARCHIVE_I64, 2, expected));
  TRY(check_shape(atlas, "/family/mass", ARCHIVE_F64, 1, expected));
  TRY(check_shape(atlas, "/family/coverage", ARCHIVE_F64, 1, expected));
  TRY(check_shape(atlas, "/family/purity", ARCHIVE_F64, 1, expected));
  return check_shape(atlas, "/family/replicated", ARCHIVE_U8, 1, expected);
}

Status roll_open(Roll *roll, const Atlas *atlas) {
  *roll = (Roll){.levels = atlas->levels};
  if (atlas->levels == 0) {
    return OK;
  }
  roll->roots = atlas->dictionaries[atlas->of_level[0]].latents;
  TRY(archive_shape(atlas->families, "/family/root", ARCHIVE_U32, 1, &roll->count));
  TRY_ALL(atlas->team, check_shapes(roll, atlas));
  Status status = team_agree(atlas->team, take(roll));
  status = status == OK ? read_all(roll, atlas) : status;
  if (status != OK) {
    roll_close(roll);
  }
  return status;
}

void roll_close(Roll *roll) {
  MEMORY_FREE(roll->root);
  MEMORY_FREE(roll->size);
  MEMORY_FREE(roll->mass);
  MEMORY_FREE(roll->coverage);
  MEMORY_FREE(roll->purity);
  MEMORY_FREE(roll->replicated);
  MEMORY_FREE(roll->of_root);
  MEMORY_FREE(roll->order);
}

/* One row: [root, label, sizes..., mass, coverage, purity, replicated]. */
static Status write_row(const Desk *desk, const Roll *roll, int64_t family, Pen *pen) {
  pen_open(pen, "[");
  pen_integer(pen, roll->root[family]);
  TRY(desk_label(desk, desk->atlas->of_level[0], roll->root[family], pen));
  for (int64_t level = 0; level < roll->levels; ++level) {
    pen_integer(pen, roll->size[family * roll->levels + level]);
  }
  pen_real(pen, roll->mass[family], 6);
  pen_real(pen, roll->coverage[family], 4);
  pen_real(pen, roll->purity[family], 4);
  pen_integer(pen, roll->replicated[family]);
  pen_close(pen, "]");
  return OK;
}

static Status write_rows(Desk *desk, const Roll *roll, const int64_t *order, int64_t first,
                         int64_t most, const char *key) {
  Text json = {0};
  Pen pen = pen_on(&json);
  Status status = OK;
  pen_open(&pen, "[");
  for (int64_t i = first; status == OK && i < roll->count && i < first + most; ++i) {
    status = write_row(desk, roll, order[i], &pen);
  }
  pen_close(&pen, "]");
  status = status == OK ? pen_status(&pen) : status;
  status = status == OK ? desk_write(desk, key, &json) : status;
  text_clear(&json);
  return status;
}

static Status write_page(Desk *desk, int64_t page, void *context) {
  const Roll *roll = context;
  char key[64];
  snprintf(key, sizeof(key), "families/%lld/%lld", (long long)(page / DESK_FOLDER),
           (long long)page);
  return write_rows(desk, roll, roll->order, page * DESK_ROWS, DESK_ROWS, key);
}

static double key_of_column(const Roll *roll, int64_t family, int64_t column) {
  if (column == 0) {
    return roll->root[family];
  }
  if (column <= roll->levels) {
    return (double)roll->size[family * roll->levels + column - 1];
  }
  switch (column - roll->levels) {
    case 1:
      return roll->mass[family];
    case 2:
      return roll->coverage[family];
    case 3:
      return roll->purity[family];
    default:
      return roll->replicated[family] == 1 ? 1 : 0;
  }
}

/* unit: column * 2 + direction (0: largest first). */
static Status write_sorted(Desk *desk, int64_t unit, void *context) {
  const Roll *roll = context;
  int64_t *order = NULL;
  char key[64];
  TRY(MEMORY_NEW(&order, roll->count, "order of families"));
  Status status = sort_by(roll, key_of_column, unit / 2, unit % 2 == 0 ? 1 : -1, order);
  snprintf(key, sizeof(key), "families/sorted/%lld", (long long)unit);
  status = status == OK ? write_rows(desk, roll, order, 0, TOP, key) : status;
  MEMORY_FREE(order);
  return status;
}

static Status write_table(Desk *desk, Roll *roll) {
  TRY(desk_deal(desk, (roll->count + DESK_ROWS - 1) / DESK_ROWS, write_page, roll));
  if (roll->count <= desk->table_most) {
    return OK;
  }
  return desk_deal(desk, 2 * (roll->levels + 5), write_sorted, roll);
}

Status roll_write(Desk *desk) {
  Roll roll;
  TRY(roll_open(&roll, desk->atlas));
  const Status status = write_table(desk, &roll);
  roll_close(&roll);
  return status;
}
