#include "page.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "desk.h"
#include "exchange.h"
#include "log.h"
#include "memory.h"
#include "pack.h"
#include "random.h"

enum { STAMP_MOST = 64 };

void page_add_stamp(Stamp *stamp) {
  for (int i = 0; i < PACK_COUNT; ++i) {
    stamp_add_text(stamp, PACK_FILES[i].name);
    stamp_add_fingerprint(stamp, random_hash(PACK_FILES[i].bytes, PACK_FILES[i].length, 0));
  }
}

/* The stamp of the report at `folder`; ERR_FILE when it is not one of ours. */
static Status read_stamp(const char *folder, Text *found) {
  char *path = NULL;
  TRY(text_join_path(&path, folder, "stamp"));
  const Status status = text_read_file(found, path, STAMP_MOST);
  MEMORY_FREE(path);
  if (status == ERR_MISSING || status == ERR_FORMAT) {
    return RAISE(ERR_FILE, "%s is there and is no report of cleave: move it away", folder);
  }
  return status;
}

static Status check_here(const char *folder, const char *wanted, bool *is_there, bool *is_current) {
  struct stat state;
  Text found = {0};
  *is_there = lstat(folder, &state) == 0;
  if (!*is_there) {
    return OK;
  }
  const Status status = read_stamp(folder, &found);
  *is_current = status == OK && strcmp(text_chars(&found), wanted) == 0;
  text_clear(&found);
  return status;
}

Status page_check(Team *team, const char *folder, const Stamp *stamp, bool *is_there,
                  bool *is_current) {
  char wanted[17];
  bool found[2] = {false, false};
  stamp_text(stamp, wanted);
  TRY_ALL(team, team->rank == 0 ? check_here(folder, wanted, &found[0], &found[1]) : OK);
  team_broadcast(team, found, (int64_t)sizeof(found), 0);
  *is_there = found[0];
  *is_current = found[1];
  return OK;
}

static Status remove_path(const char *path);

static Status remove_entries(DIR *folder, const char *path) {
  for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
      continue;
    }
    char *inner = NULL;
    TRY(text_join_path(&inner, path, entry->d_name));
    const Status status = remove_path(inner);
    MEMORY_FREE(inner);
    TRY(status);
  }
  return OK;
}

/* Remove a file or a folder with all that is in it; links are removed, not followed. */
static Status remove_path(const char *path) {
  struct stat state;
  if (lstat(path, &state) != 0) {
    return errno == ENOENT ? OK : RAISE(ERR_FILE, "%s: %s", path, strerror(errno));
  }
  if (S_ISDIR(state.st_mode)) {
    DIR *folder = opendir(path);
    if (folder == NULL) {
      return RAISE(ERR_FILE, "%s: %s", path, strerror(errno));
    }
    const Status status = remove_entries(folder, path);
    closedir(folder);
    TRY(status);
  }
  if ((S_ISDIR(state.st_mode) ? rmdir(path) : unlink(path)) != 0) {
    return RAISE(ERR_FILE, "%s: cannot be removed: %s", path, strerror(errno));
  }
  return OK;
}

static Status write_asset(const char *folder, const char *name, const void *bytes, int64_t length) {
  char *path = NULL;
  Text text = {0};
  TRY(text_join_path(&path, folder, name));
  Status status = text_append(&text, bytes, length);
  status = status == OK ? text_write_file(&text, path) : status;
  text_clear(&text);
  MEMORY_FREE(path);
  return status;
}

/* An empty FOLDER.part with the page's own files. */
static Status begin(const char *part) {
  char *assets = NULL;
  TRY(remove_path(part));
  TRY(text_join_path(&assets, part, "assets"));
  Status status = text_make_folder(assets);
  MEMORY_FREE(assets);
  for (int i = 0; status == OK && i < PACK_COUNT; ++i) {
    status = write_asset(part, PACK_FILES[i].name, PACK_FILES[i].bytes, PACK_FILES[i].length);
  }
  return status;
}

/* Put FOLDER.part in the place of FOLDER. The old report is moved aside before and removed after,
 * so that there is a whole one whenever the program is killed. */
static Status replace(const char *part, const char *old, const char *folder) {
  TRY(remove_path(old));
  if (rename(folder, old) != 0 && errno != ENOENT) {
    return RAISE(ERR_FILE, "%s: cannot be moved: %s", folder, strerror(errno));
  }
  if (rename(part, folder) != 0) {
    return RAISE(ERR_FILE, "%s: cannot be renamed: %s", part, strerror(errno));
  }
  return remove_path(old);
}

static Status finish(const char *part, const char *folder, const Stamp *stamp) {
  char text[17];
  Text old = {0};
  stamp_text(stamp, text);
  Status status = write_asset(part, "stamp", text, 16);
  status = status == OK ? text_printf(&old, "%s.part.old", folder) : status;
  status = status == OK ? replace(part, text_chars(&old), folder) : status;
  text_clear(&old);
  return status;
}

static Status write_data(Desk *desk, const char *title) {
  TRY(summary_write(desk, title));
  TRY(roll_write(desk));
  TRY(pedigree_write(desk));
  TRY(roster_write(desk));
  TRY(novel_write(desk));
  TRY(finder_write(desk));
  TRY(vicinity_write(desk));
  return portrait_write(desk);
}

/* After a failure, which is already known: what cannot be removed now is removed by the next run. */
static void discard(const char *part, bool is_first) {
  if (is_first && remove_path(part) != OK) {
    log_debug("%s", status_why());
  }
}

static Status write_whole(Desk *desk, const char *folder, const char *title, const Stamp *stamp) {
  Team *team = desk->atlas->team;
  const bool is_first = team->rank == 0;
  Status status = team_agree(team, is_first ? begin(desk->folder) : OK);
  if (status == OK) {
    status = write_data(desk, title);
  }
  MEMORY_FREE(desk->last_folder);
  if (status != OK) {
    discard(desk->folder, is_first);
    team_barrier(
        team); /* who ends first has all others ended: mpirun would stop the removal half-way */
    return status;
  }
  TRY_ALL(team, is_first ? finish(desk->folder, folder, stamp) : OK);
  return OK;
}

static PageTotals sum_up(const Desk *desk) {
  int64_t sums[] = {desk->files, desk->bytes};
  exchange_sum(desk->atlas->team, sums, 2);
  PageTotals totals = {.files = sums[0] + PACK_COUNT + 1, .bytes = sums[1]};
  for (int i = 0; i < PACK_COUNT; ++i) {
    totals.bytes += PACK_FILES[i].length;
  }
  return totals;
}

Status page_write(const Atlas *atlas, const Names *names, const char *folder,
                  const PageSettings *settings, const Stamp *stamp, PageTotals *totals) {
  Text part = {0};
  Kin kin;
  TRY_ALL(atlas->team, text_printf(&part, "%s.part", folder));
  Status status = kin_open(&kin, atlas);
  if (status == OK) {
    Desk desk = {.atlas = atlas,
                 .kin = &kin,
                 .names = names,
                 .folder = text_chars(&part),
                 .strips = settings->strips,
                 .strip_side = settings->strip_side,
                 .neighbours = settings->neighbours,
                 .table_most = settings->table_most > 0 ? settings->table_most : PAGE_TABLE};
    status = write_whole(&desk, folder, settings->title, stamp);
    kin_close(&kin);
    *totals = sum_up(&desk);
  }
  text_clear(&part);
  return status;
}
