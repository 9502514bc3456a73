#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "atlas.h"
#include "check.h"
#include "kin.h"
#include "memory.h"
#include "schema.h"
#include "toy_run.h"
#include "toy_team.h"
#include "verdict.h"

static Team team;

static bool is_written;

static void write_toy(void) {
  team = toy_team(MPI_COMM_WORLD);
  CU_ASSERT(is_written || toy_run_write(&team, check_folder(), 6, TOY_TREES) == OK);
  is_written = true;
}

static void remove_file(const char *name) {
  char path[1024];
  snprintf(path, sizeof(path), "%s/%s", check_folder(), name);
  team_barrier(&team);
  if (team.rank == 0) {
    unlink(path);
  }
  is_written = false;
  team_barrier(&team);
}

static Status open_toy(Atlas *atlas, bool whole) {
  return atlas_open(atlas, &team, check_folder(), TOY_DECLARED, TOY_DICTIONARIES, whole);
}

static void test_a_missing_file_names_its_stage(void) {
  Atlas atlas;
  write_toy();
  remove_file("families.h5");
  CU_ASSERT(open_toy(&atlas, true) == ERR_MISSING);
  CU_ASSERT(strstr(status_why(), "cleave-families") != NULL);
  CU_ASSERT(open_toy(&atlas, false) == OK); /* features alone can be looked at without */
  CU_ASSERT(atlas.families == NULL && atlas.neighbours != NULL);
  atlas_close(&atlas);
  remove_file("codes/64.h5");
  CU_ASSERT(open_toy(&atlas, false) == ERR_MISSING);
  CU_ASSERT(strstr(status_why(), "cleave-encode") != NULL);
}

static void test_other_sizes_than_declared_are_refused(void) {
  Atlas atlas;
  AtlasDeclared declared[TOY_DICTIONARIES];
  write_toy();
  memcpy(declared, TOY_DECLARED, sizeof(declared));
  declared[1].latents = 65;
  CU_ASSERT(atlas_open(&atlas, &team, check_folder(), declared, TOY_DICTIONARIES, true) ==
            ERR_FORMAT);
}

static void test_pairs_and_levels_are_found(void) {
  Atlas atlas;
  write_toy();
  CU_ASSERT(open_toy(&atlas, true) == OK);
  CU_ASSERT(atlas.levels == 3 && atlas.pair_count == 5);
  CU_ASSERT(atlas_find(&atlas, "64-b") == 2 && atlas_find(&atlas, "65") == -1);
  CU_ASSERT(atlas_next_smaller(&atlas, 0) == -1);
  CU_ASSERT(atlas_next_smaller(&atlas, 3) == 1);
  CU_ASSERT(atlas_next_smaller(&atlas, 2) == 0); /* a twin of 64 */
  CU_ASSERT(atlas_pair_below(&atlas, 0) == NULL);
  CU_ASSERT(atlas_pair(&atlas, 1, 3) == NULL);
  CU_ASSERT(atlas_pair_below(&atlas, 3) == atlas_pair(&atlas, 3, 1));
  atlas_close(&atlas);
}

static void test_features_are_what_the_files_say(void) {
  Atlas atlas;
  write_toy();
  CU_ASSERT(open_toy(&atlas, true) == OK);
  for (int d = 0; d < atlas.count; ++d) {
    for (int64_t id = 0; id < atlas.dictionaries[d].latents; ++id) {
      AtlasFeature feature;
      int64_t range[2];
      CU_ASSERT(atlas_feature(&atlas, d, id, &feature) == OK);
      CU_ASSERT(shelf_read(atlas.dictionaries[d].columns[ATLAS_FEATURE_START], id, 2, range) == OK);
      CU_ASSERT(feature.firings == range[1] - range[0]);
      CU_ASSERT((feature.state == ATLAS_ALIVE) ==
                (feature.firings > 0 && id + 1 < atlas.dictionaries[d].latents));
      CU_ASSERT(atlas.dictionaries[d].level >= 0 || feature.root == SCHEMA_NO_ID);
    }
  }
  AtlasFeature outside;
  CU_ASSERT(atlas_feature(&atlas, 0, 16, &outside) == ERR_FORMAT);
  atlas_close(&atlas);
}

/* Is `child` in the forest below `parent`? Naively, from the files. */
static bool is_child(const Atlas *atlas, const AtlasPair *pair, int64_t child, int64_t parent) {
  AtlasFeature feature;
  AtlasLink link;
  CU_ASSERT(atlas_feature(atlas, pair->child, child, &feature) == OK);
  CU_ASSERT(atlas_link(pair, child, &link) == OK);
  return feature.in_forest && link.parent == (uint32_t)parent;
}

static void test_children_are_the_links_read_downwards(void) {
  Atlas atlas;
  Kin kin;
  write_toy();
  CU_ASSERT(open_toy(&atlas, true) == OK);
  CU_ASSERT(kin_open(&kin, &atlas) == OK);
  for (int level = 0; level + 1 < atlas.levels; ++level) {
    const AtlasPair *pair = atlas_pair(&atlas, atlas.of_level[level + 1], atlas.of_level[level]);
    for (int64_t p = 0; p < atlas.dictionaries[pair->parent].latents; ++p) {
      const uint32_t *children = NULL;
      const int64_t count = kin_children(&kin, level, p, &children);
      int64_t at = 0;
      for (int64_t c = 0; c < atlas.dictionaries[pair->child].latents; ++c) {
        if (is_child(&atlas, pair, c, p)) {
          CU_ASSERT(at < count && children[at] == (uint32_t)c);
          ++at;
        }
      }
      CU_ASSERT(at == count);
    }
  }
  const uint32_t *children = NULL;
  CU_ASSERT(kin_children(&kin, 2, 5, &children) == 0 && children == NULL); /* the largest level */
  kin_close(&kin);
  atlas_close(&atlas);
}

static void test_trees_hold_every_descendant_once(void) {
  Atlas atlas;
  Kin kin;
  int64_t in_trees = 0, in_families = 0;
  write_toy();
  CU_ASSERT(open_toy(&atlas, true) == OK);
  CU_ASSERT(kin_open(&kin, &atlas) == OK);
  for (int64_t root = 0; root < atlas.dictionaries[0].latents; ++root) {
    KinNode *nodes = NULL;
    int64_t count = 0;
    CU_ASSERT(kin_tree(&kin, &atlas, 0, root, &nodes, &count) == OK);
    for (int64_t i = 1; i < count; ++i) {
      CU_ASSERT(nodes[i].parent < i && nodes[nodes[i].parent].level == nodes[i].level - 1);
    }
    in_trees += count - 1;
    MEMORY_FREE(nodes);
  }
  for (int d = 1; d < atlas.count; ++d) {
    for (int64_t id = 0; id < atlas.dictionaries[d].latents; ++id) {
      AtlasFeature feature;
      CU_ASSERT(atlas_feature(&atlas, d, id, &feature) == OK);
      in_families += feature.root != SCHEMA_NO_ID && feature.root_level == 0;
    }
  }
  CU_ASSERT(in_trees == in_families && in_trees > 0);
  kin_close(&kin);
  atlas_close(&atlas);
}

static const CheckFact FACTS[] = {
    {"a missing file names the stage to run", test_a_missing_file_names_its_stage},
    {"other sizes than declared are refused", test_other_sizes_than_declared_are_refused},
    {"pairs and levels are found", test_pairs_and_levels_are_found},
    {"features are what the files say", test_features_are_what_the_files_say},
    {"children are the links read downwards", test_children_are_the_links_read_downwards},
    {"trees hold every descendant once", test_trees_hold_every_descendant_once},
};

int main(int argc, char **argv) {
  return CHECK_MAIN_RANKS(argc, argv, "atlas", FACTS);
}
