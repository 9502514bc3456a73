#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "memory.h"
#include "page.h"
#include "toy_run.h"
#include "toy_team.h"
#include "verdict.h"

enum { PATH = 1500, NEIGHBOURS = 5 };

static Team team;

static const char *path_of(char *out, const char *name) {
  snprintf(out, PATH, "%s/%s", check_folder(), name);
  return out;
}

static Stamp stamp_of(const char *words) {
  Stamp stamp;
  stamp_open(&stamp, words);
  page_add_stamp(&stamp);
  return stamp;
}

/* Write the report of the toy run with a team of its own. */
static Status write_report(Team *writers, const char *name, PageTotals *totals) {
  const PageSettings settings = {.title = "</script><b>toy</b>",
                                 .strips = 4,
                                 .strip_side = 8,
                                 .neighbours = NEIGHBOURS,
                                 .table_most = 10};
  const Stamp stamp = stamp_of("test");
  char path[PATH];
  Atlas atlas;
  Names *names = NULL;
  TRY(atlas_open(&atlas, writers, check_folder(), TOY_DECLARED, TOY_DICTIONARIES, true));
  Status status = names_open(&names, &atlas, "");
  if (status == OK) {
    status = page_write(&atlas, names, path_of(path, name), &settings, &stamp, totals);
    names_close(&names);
  }
  atlas_close(&atlas);
  return status;
}

static void write_toy(ToyShape shape) {
  static int written = -1;
  team = toy_team(MPI_COMM_WORLD);
  CU_ASSERT(written == (int)shape || toy_run_write(&team, check_folder(), 8, shape) == OK);
  written = (int)shape;
}

/* Call `visit` for every file below a folder; the path is relative to it. */
typedef void (*Visit)(const char *root, const char *name, void *context);

static void walk(const char *root, const char *below, Visit visit, void *context) {
  char path[PATH], name[PATH];
  snprintf(path, sizeof(path), "%.700s/%.700s", root, below);
  DIR *folder = opendir(path);
  CU_ASSERT(folder != NULL);
  for (struct dirent *e = folder == NULL ? NULL : readdir(folder); e != NULL; e = readdir(folder)) {
    struct stat state;
    if (e->d_name[0] == '.') {
      continue;
    }
    snprintf(name, sizeof(name), "%.700s%s%.250s", below, below[0] != '\0' ? "/" : "", e->d_name);
    snprintf(path, sizeof(path), "%.700s/%.700s", root, name);
    CU_ASSERT(stat(path, &state) == 0);
    if (S_ISDIR(state.st_mode)) {
      walk(root, name, visit, context);
    } else {
      visit(root, name, context);
    }
  }
  if (folder != NULL) {
    closedir(folder);
  }
}

static void read_whole(const char *root, const char *name, Text *text) {
  char path[PATH];
  snprintf(path, sizeof(path), "%.700s/%.700s", root, name);
  CU_ASSERT(text_read_file(text, path, 64 << 20) == OK);
}

typedef struct Tally {
  const char *other;
  int64_t files, bytes, most;
} Tally;

static void compare_file(const char *root, const char *name, void *context) {
  Tally *tally = context;
  Text left = {0}, right = {0};
  read_whole(root, name, &left);
  read_whole(tally->other, name, &right);
  CU_ASSERT(left.length == right.length &&
            memcmp(text_chars(&left), text_chars(&right), (size_t)left.length) == 0);
  ++tally->files;
  tally->bytes += left.length;
  text_clear(&left);
  text_clear(&right);
}

static void test_files_are_the_same_at_any_rank_count(void) {
  PageTotals together = {0}, alone = {0};
  char left[PATH], right[PATH];
  write_toy(TOY_TREES);
  CU_ASSERT(write_report(&team, "together", &together) == OK);
  if (team.rank == 0) {
    Team single = toy_team(MPI_COMM_SELF);
    CU_ASSERT(write_report(&single, "alone", &alone) == OK);
    Tally tally = {.other = path_of(right, "together")};
    walk(path_of(left, "alone"), "", compare_file, &tally);
    CU_ASSERT(tally.files == alone.files && alone.files == together.files);
    CU_ASSERT(alone.bytes == together.bytes);
    CU_ASSERT(tally.bytes == alone.bytes + 16); /* the stamp */
    struct stat state;
    char part[PATH + 8];
    snprintf(part, sizeof(part), "%s.part", left);
    CU_ASSERT(stat(part, &state) != 0);
  }
  team_barrier(&team);
}

/* A shard is one call with the file's key and a JSON value. */
static json_t *parse_shard(const char *root, const char *name) {
  Text text = {0};
  char head[PATH];
  read_whole(root, name, &text);
  const int length = snprintf(head, sizeof(head), "cleave(\"%.*s\",",
                              (int)strlen(name) - (int)strlen("data/.js"), name + strlen("data/"));
  CU_ASSERT(text.length > length + 3 && strncmp(text_chars(&text), head, (size_t)length) == 0);
  CU_ASSERT(memcmp(text.bytes + text.length - 3, ");\n", 3) == 0);
  json_error_t error;
  json_t *value = json_loadb(text.bytes + length, (size_t)(text.length - length - 3), 0, &error);
  CU_ASSERT(value != NULL);
  text_clear(&text);
  return value;
}

static void check_shard(const char *root, const char *name, void *context) {
  Tally *tally = context;
  if (strncmp(name, "data/", 5) != 0) {
    return;
  }
  json_t *value = parse_shard(root, name);
  const int64_t count = (int64_t)json_array_size(value);
  if (strncmp(name, "data/feature/", 13) == 0) {
    tally->most = count > tally->most ? count : tally->most;
    tally->bytes += count;
  }
  ++tally->files;
  json_decref(value);
}

static void test_shards_are_small_json_scripts(void) {
  PageTotals totals;
  char path[PATH];
  write_toy(TOY_TREES);
  CU_ASSERT(write_report(&team, "report", &totals) == OK);
  if (team.rank == 0) {
    Tally tally = {0};
    walk(path_of(path, "report"), "", check_shard, &tally);
    CU_ASSERT(tally.bytes == 16 + 64 + 64 + 256); /* every feature once */
    CU_ASSERT(tally.most == 32);                  /* never more in one file */
  }
  team_barrier(&team);
}

static int64_t number_in(const json_t *object, const char *key) {
  return json_integer_value(json_object_get(object, key));
}

/* Shown nodes, shown leaves and hidden nodes of a tree's record. */
static void count_nodes(const json_t *tree, int64_t *shown, int64_t *leaves, int64_t *hidden) {
  const json_t *nodes = json_object_get(tree, "v");
  int64_t is_inner[1024] = {0};
  *shown = (int64_t)json_array_size(nodes);
  *leaves = *hidden = 0;
  for (int64_t i = 0; i < *shown; ++i) {
    const json_t *node = json_array_get(nodes, (size_t)i);
    *hidden += number_in(node, "h");
    if (json_object_get(node, "u") != NULL) {
      CU_ASSERT(number_in(node, "u") < i);
      is_inner[number_in(node, "u")] = 1;
    }
  }
  for (int64_t i = 0; i < *shown; ++i) {
    *leaves += is_inner[i] == 0;
  }
}

static void check_tree(const json_t *tree) {
  int64_t shown = 0, leaves = 0, hidden = 0, size = 0;
  const json_t *sizes = json_object_get(tree, "z");
  count_nodes(tree, &shown, &leaves, &hidden);
  for (size_t i = 0; i < json_array_size(sizes); ++i) {
    size += json_integer_value(json_array_get(sizes, i));
  }
  CU_ASSERT(shown + hidden == size);
  CU_ASSERT(leaves <= 200);
  CU_ASSERT(hidden == 0 || leaves == 200);
}

static void check_trees(const char *root, const char *name, void *context) {
  Tally *tally = context;
  if (strncmp(name, "data/family/", 12) != 0) {
    return;
  }
  json_t *trees = parse_shard(root, name);
  for (size_t i = 0; i < json_array_size(trees); i += 2) {
    const json_t *tree = json_array_get(trees, i);
    check_tree(tree);
    const int64_t shown = (int64_t)json_array_size(json_object_get(tree, "v"));
    tally->most = shown > tally->most ? shown : tally->most;
    ++tally->files;
  }
  json_decref(trees);
}

static void test_large_trees_are_cut_to_200_leaves(void) {
  PageTotals totals;
  char path[PATH];
  write_toy(TOY_HUB);
  CU_ASSERT(write_report(&team, "report", &totals) == OK);
  if (team.rank == 0) {
    Tally tally = {0};
    walk(path_of(path, "report"), "", check_trees, &tally);
    CU_ASSERT(tally.files > 0 && tally.most >= 201);
  }
  team_barrier(&team);
}

/* A column of a sorted table descends or ascends; what has no value stands last. */
static void check_order(const json_t *rows, size_t column, double sign) {
  double before = 0;
  bool is_first = true, had_none = false;
  CU_ASSERT(json_array_size(rows) == 15);
  for (size_t i = 0; i < json_array_size(rows); ++i) {
    const json_t *cell = json_array_get(json_array_get(rows, i), column);
    if (json_is_null(cell)) {
      had_none = true;
      continue;
    }
    const double value = sign * json_number_value(cell);
    CU_ASSERT(!had_none && (is_first || value <= before));
    before = value;
    is_first = false;
  }
}

static void test_tables_too_large_to_load_come_sorted(void) {
  static const size_t COLUMN_OF[] = {0, 2, 3, 4,
                                     5, 6, 7, 8}; /* the label has no table of its own */
  PageTotals totals;
  char path[PATH];
  write_toy(TOY_TREES);
  CU_ASSERT(write_report(&team, "report", &totals) == OK);
  for (int64_t i = 0; team.rank == 0 && i < 16; ++i) {
    char name[64];
    snprintf(name, sizeof(name), "data/families/sorted/%lld.js", (long long)i);
    json_t *rows = parse_shard(path_of(path, "report"), name);
    check_order(rows, COLUMN_OF[i / 2], i % 2 == 0 ? 1 : -1);
    json_decref(rows);
  }
  team_barrier(&team);
}

/* Neighbours: by descending cosine, never more than were asked for. */
static void check_near(const char *root, const char *name, void *context) {
  Tally *tally = context;
  if (strncmp(name, "data/near/", 10) != 0) {
    return;
  }
  json_t *features = parse_shard(root, name);
  tally->files += (int64_t)json_array_size(features);
  for (size_t f = 0; f < json_array_size(features); ++f) {
    const json_t *lists = json_array_get(features, f);
    for (size_t i = 0; i < json_array_size(lists); ++i) {
      const json_t *found = json_object_get(json_array_get(lists, i), "v");
      double before = 1;
      CU_ASSERT(json_array_size(found) > 0 && json_array_size(found) <= NEIGHBOURS);
      for (size_t n = 0; n < json_array_size(found); ++n) {
        const double cosine = json_number_value(json_array_get(json_array_get(found, n), 1));
        CU_ASSERT(cosine <= before);
        before = cosine;
      }
      ++tally->most;
    }
  }
  json_decref(features);
}

/* Groups: two and more features without a parent, most mass first; each feature in one. */
static void check_novel(const json_t *novel) {
  const json_t *groups = json_object_get(novel, "v");
  double before = INFINITY;
  int64_t grouped = 0;
  bool is_seen[256] = {false};
  CU_ASSERT(json_array_size(groups) == (size_t)number_in(novel, "groups"));
  for (size_t g = 0; g < json_array_size(groups); ++g) {
    const json_t *group = json_array_get(groups, g), *members = json_object_get(group, "v");
    const double mass = json_number_value(json_object_get(group, "m"));
    const int64_t size = number_in(group, "n");
    CU_ASSERT(size >= 2 && mass <= before);
    CU_ASSERT((int64_t)json_array_size(members) == (size < 12 ? size : 12));
    for (size_t i = 0; i < json_array_size(members); ++i) {
      const json_t *member = json_array_get(members, i);
      const json_int_t id = json_integer_value(json_array_get(member, 0));
      const json_int_t status = json_integer_value(json_array_get(member, 3));
      CU_ASSERT(status == CHILD_NOVEL || status == CHILD_UNMATCHED);
      CU_ASSERT(id >= 0 && id < 256 && !is_seen[id]);
      is_seen[id & 255] = true;
    }
    before = mass;
    grouped += size;
  }
  CU_ASSERT(grouped == number_in(novel, "grouped") && grouped <= number_in(novel, "features"));
}

static void check_novel_file(const char *root, const char *name, void *context) {
  Tally *tally = context;
  if (strncmp(name, "data/novel/", 11) == 0) {
    json_t *novel = parse_shard(root, name);
    check_novel(novel);
    tally->most += number_in(novel, "groups");
    ++tally->files;
    json_decref(novel);
  }
}

static void test_neighbours_and_groups_of_new_features_are_there(void) {
  PageTotals totals;
  char path[PATH];
  write_toy(TOY_TREES);
  CU_ASSERT(write_report(&team, "report", &totals) == OK);
  if (team.rank == 0) {
    Tally tally = {0}, novel = {0};
    walk(path_of(path, "report"), "", check_near, &tally);
    CU_ASSERT(tally.files == 16 + 64 + 64 + 256 && tally.most > 256);
    walk(path, "", check_novel_file, &novel);
    CU_ASSERT(novel.files == 2 && novel.most > 0); /* 64 and 256 against the next smaller one */
  }
  team_barrier(&team);
}

static void test_a_report_is_replaced_as_a_whole(void) {
  PageTotals totals;
  char path[PATH], extra[PATH];
  bool is_there = false, is_current = false;
  const Stamp stamp = stamp_of("test"), other = stamp_of("other");
  write_toy(TOY_TREES);
  path_of(path, "again");
  CU_ASSERT(page_check(&team, path, &stamp, &is_there, &is_current) == OK && !is_there);
  CU_ASSERT(write_report(&team, "again", &totals) == OK);
  CU_ASSERT(page_check(&team, path, &stamp, &is_there, &is_current) == OK);
  CU_ASSERT(is_there && is_current);
  CU_ASSERT(page_check(&team, path, &other, &is_there, &is_current) == OK);
  CU_ASSERT(is_there && !is_current);
  snprintf(extra, sizeof(extra), "%.700s/left-over", path);
  if (team.rank == 0) {
    Text text = {0};
    CU_ASSERT(text_write_file(&text, extra) == OK);
  }
  team_barrier(&team);
  CU_ASSERT(write_report(&team, "again", &totals) == OK);
  CU_ASSERT(access(extra, F_OK) != 0);
  team_barrier(&team);
}

static void test_a_foreign_folder_is_never_replaced(void) {
  char path[PATH];
  bool is_there = false, is_current = false;
  const Stamp stamp = stamp_of("test");
  team = toy_team(MPI_COMM_WORLD);
  path_of(path, "mine");
  if (team.rank == 0) {
    CU_ASSERT(text_make_folder(path) == OK);
  }
  team_barrier(&team);
  CU_ASSERT(page_check(&team, path, &stamp, &is_there, &is_current) == ERR_FILE);
}

static const CheckFact FACTS[] = {
    {"files are the same at any rank count", test_files_are_the_same_at_any_rank_count},
    {"shards are small JSON scripts", test_shards_are_small_json_scripts},
    {"a table too large to load comes sorted by each column",
     test_tables_too_large_to_load_come_sorted},
    {"neighbours and groups of new features are there",
     test_neighbours_and_groups_of_new_features_are_there},
    {"a report is replaced as a whole", test_a_report_is_replaced_as_a_whole},
    {"large trees are cut to 200 leaves, the rest is counted",
     test_large_trees_are_cut_to_200_leaves},
    {"a foreign folder is never replaced", test_a_foreign_folder_is_never_replaced},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "page", FACTS);
}
