#include <math.h>
#include <stdio.h>

#include "families_run.h"
#include "memory.h"

const char *const FAMILIES_TABLE[FAMILIES_TABLES] = {"features.csv", "families.csv",
                                                     "families.jsonl"};

/* What the lines of the tables are made from. */
typedef struct Lines {
  const FamiliesRun *run;
  const FamiliesMembers *members;
  const FamiliesDictionary *level; /* features.csv */
} Lines;

/* ",0.123456", or "," for nan. */
static Status append_real(Text *out, double value) {
  return isnan(value) ? text_append(out, ",", 1) : text_printf(out, ",%.6g", value);
}

static Status append_flags(Text *out, uint8_t flags) {
  const char *separator = "";
  TRY(text_append(out, ",", 1));
  for (int flag = 0; flag < VERDICT_FLAGS; ++flag) {
    if ((flags & verdict_bit((VerdictFlag)flag)) != 0) {
      TRY(text_printf(out, "%s%s", separator, verdict_flag_name(flag)));
      separator = " ";
    }
  }
  return OK;
}

static const char FEATURES_HEADING[] =
    "dictionary,feature,child_status,parent_status,parent_dictionary,parent,in_forest,"
    "root_dictionary,root,cosine,cosine_centred,encoder_cosine,firings,p_parent_given_child,"
    "p_parent_given_child_low,p_parent_given_child_high,p_child_given_parent,flags,lift,"
    "matched_p,representative\n";

/* dictionary .. root */
static Status append_place(const Lines *lines, int64_t i, const VerdictTable *table, Text *out) {
  const FamiliesRun *run = lines->run;
  const FamiliesDictionary *level = lines->level;
  const ForestRoot root = level->roots[i];
  const ChildStatus status = table != NULL ? (ChildStatus)table->status[i] : CHILD_NONE;
  TRY(text_printf(out, "%s,%lld,%s,%s,", level->settings->name, (long long)(level->own.first + i),
                  verdict_child_name(status), verdict_parent_name(level->parent_status[i])));
  if (table != NULL && table->parent[i] != LOOKUP_NONE) {
    TRY(text_printf(out, "%s,%lld", run->dictionaries[level->below].settings->name,
                    (long long)table->parent[i]));
  } else {
    TRY(text_append(out, ",", 1));
  }
  TRY(text_printf(out, ",%d,", level->counts[i] && verdict_in_forest(status) ? 1 : 0));
  return root.id == LOOKUP_NONE
             ? text_append(out, ",", 1)
             : text_printf(out, "%s,%lld", families_level(run, root.level)->settings->name,
                           (long long)root.id);
}

/* lift .. representative */
static Status append_rest(const Lines *lines, int64_t i, const FamiliesPair *pair, Text *out) {
  TRY(append_real(out, pair != NULL ? (double)pair->table.lift[i] : NAN));
  TRY(append_real(out, pair != NULL ? (double)pair->matched_p[i] : NAN));
  const int64_t stands = (int64_t)lines->level->representative[i];
  return stands == lines->level->own.first + i ? text_append(out, ",", 1)
                                               : text_printf(out, ",%lld", (long long)stands);
}

static Status feature_line(int64_t i, void *context, Text *out) {
  const Lines *lines = context;
  const FamiliesRun *run = lines->run;
  const FamiliesDictionary *level = lines->level;
  const FamiliesPair *pair =
      level->below >= 0 ? families_pair(run, families_index(run, level), level->below) : NULL;
  const VerdictTable *table = pair != NULL ? &pair->table : NULL;
  TRY(append_place(lines, i, table, out));
  TRY(append_real(out, table != NULL ? (double)table->cosine[i] : NAN));
  TRY(append_real(out, table != NULL ? (double)table->cosine_centred[i] : NAN));
  TRY(append_real(out, table != NULL ? (double)table->encoder_cosine[i] : NAN));
  TRY(text_printf(out, ",%lld", (long long)level->fired[i].narrow));
  TRY(append_real(out, table != NULL ? (double)table->p[i] : NAN));
  TRY(append_real(out, table != NULL ? (double)table->p_low[i] : NAN));
  TRY(append_real(out, table != NULL ? (double)table->p_high[i] : NAN));
  TRY(append_real(out, table != NULL ? (double)table->p_child[i] : NAN));
  TRY(append_flags(out, level->flags[i]));
  TRY(append_rest(lines, i, pair, out));
  return text_append(out, "\n", 1);
}

static Status families_heading(const FamiliesRun *run, Text *out) {
  TRY(text_printf(out, "root"));
  for (int64_t l = 0; l < run->levels; ++l) {
    TRY(text_printf(out, ",size_%s", families_level(run, l)->settings->name));
  }
  for (int64_t l = 1; l < run->levels; ++l) {
    const char *name = families_level(run, l)->settings->name;
    TRY(text_printf(out, ",kept_%s,split_%s,absorbed_%s,open_%s,attached_%s", name, name, name,
                    name, name));
  }
  return text_printf(
      out,
      ",root_status,mass,coverage,rebuilt,purity,entropy,chain_jaccard,replicated,flags,label\n");
}

static int64_t sum_of(const FamiliesRun *run, int kind, int64_t level, int64_t own) {
  return run->sums[kind][level * shard_count(families_level(run, 0)->own) + own];
}

static Status append_sums(const FamiliesRun *run, int64_t own, Text *out) {
  for (int64_t l = 0; l < run->levels; ++l) {
    TRY(text_printf(out, ",%lld", (long long)sum_of(run, FAMILY_SIZE, l, own)));
  }
  for (int64_t l = 1; l < run->levels; ++l) {
    for (int kind = FAMILY_KEPT; kind < FAMILY_SUMS; ++kind) {
      TRY(text_printf(out, ",%lld", (long long)sum_of(run, kind, l, own)));
    }
  }
  return OK;
}

static Status append_label(const Lines *lines, const FamiliesMember *member, bool is_json,
                           Text *out) {
  Text label = {0};
  Status status = families_label(lines->members, member, &label);
  if (status == OK) {
    status = is_json ? text_append_json(out, text_chars(&label), label.length)
                     : text_append_csv(out, text_chars(&label), label.length);
  }
  text_clear(&label);
  return status;
}

/* A dead feature of the smallest level has no family, and no line. */
static const FamiliesMember *root_of(const Lines *lines, int64_t own) {
  const int64_t *start = lines->members->start;
  return start[own + 1] > start[own] ? &lines->members->items[start[own]] : NULL;
}

static Status family_line(int64_t i, void *context, Text *out) {
  const Lines *lines = context;
  const FamiliesRun *run = lines->run;
  const FamiliesDictionary *smallest = families_level(run, 0);
  const FamiliesMember *root = root_of(lines, i);
  if (root == NULL) {
    return OK;
  }
  TRY(text_printf(out, "%s/%lld", smallest->settings->name, (long long)root->id));
  TRY(append_sums(run, i, out));
  TRY(text_printf(out, ",%s", verdict_parent_name(smallest->parent_status[i])));
  TRY(append_real(out, smallest->sum[i]));
  TRY(append_real(out, smallest->coverage[i]));
  TRY(append_real(out, smallest->rebuilt[i]));
  TRY(append_real(out, families_purity(run, i)));
  TRY(append_real(out, run->entropy[i]));
  TRY(append_real(out, smallest->chain_jaccard != NULL ? smallest->chain_jaccard[i] : NAN));
  TRY(text_printf(out, run->replicated[i] < 2 ? ",%d" : ",", run->replicated[i]));
  TRY(append_flags(out, smallest->flags[i]));
  TRY(text_append(out, ",", 1));
  TRY(append_label(lines, root, false, out));
  return text_append(out, "\n", 1);
}

static Status append_member(const Lines *lines, const FamiliesMember *member, Text *out) {
  const char *status = verdict_child_name((int)member->status);
  TRY(text_printf(out, "{\"id\":\"%s/%lld\",\"label\":",
                  families_level(lines->run, member->level)->settings->name,
                  (long long)member->id));
  TRY(append_label(lines, member, true, out));
  TRY(text_printf(out, ",\"firings\":%lld", (long long)member->firings));
  if (status[0] != '\0') {
    TRY(text_printf(out, ",\"status\":\"%s\",\"cosine\":%.6g", status, (double)member->cosine));
  }
  if (!isnan(member->p)) {
    TRY(text_printf(out, ",\"p\":%.6g", (double)member->p));
  }
  const char *parent = verdict_parent_name((int)member->parent_status);
  return parent[0] != '\0' ? text_printf(out, ",\"parent_status\":\"%s\"", parent) : OK;
}

/* As deep as there are levels. */
static Status append_tree(const Lines *lines, const FamiliesMember *member, Text *out) {
  int64_t count;
  const FamiliesMember *children = families_children(lines->members, member, &count);
  TRY(append_member(lines, member, out));
  TRY(text_printf(out, count > 0 ? ",\"children\":[" : ""));
  for (int64_t i = 0; i < count; ++i) {
    TRY(text_printf(out, i > 0 ? "," : ""));
    TRY(append_tree(lines, &children[i], out));
  }
  return text_printf(out, count > 0 ? "]}" : "}");
}

static Status append_json_real(Text *out, const char *key, double value) {
  return isnan(value) ? text_printf(out, ",\"%s\":null", key)
                      : text_printf(out, ",\"%s\":%.6g", key, value);
}

static Status tree_line(int64_t i, void *context, Text *out) {
  static const char *const WORDS[] = {"false", "true", "null"};
  const Lines *lines = context;
  const FamiliesRun *run = lines->run;
  const FamiliesDictionary *smallest = families_level(run, 0);
  const FamiliesMember *root = root_of(lines, i);
  if (root == NULL) {
    return OK;
  }
  TRY(text_printf(out, "{\"root\":\"%s/%lld\",\"size\":[", smallest->settings->name,
                  (long long)root->id));
  for (int64_t l = 0; l < run->levels; ++l) {
    TRY(text_printf(out, l > 0 ? ",%lld" : "%lld", (long long)sum_of(run, FAMILY_SIZE, l, i)));
  }
  TRY(text_append(out, "]", 1));
  TRY(append_json_real(out, "mass", smallest->sum[i]));
  TRY(append_json_real(out, "coverage", smallest->coverage[i]));
  TRY(append_json_real(out, "rebuilt", smallest->rebuilt[i]));
  TRY(append_json_real(out, "purity", families_purity(run, i)));
  TRY(append_json_real(out, "entropy", run->entropy[i]));
  TRY(text_printf(out, ",\"replicated\":%s,\"tree\":", WORDS[run->replicated[i]]));
  TRY(append_tree(lines, root, out));
  return text_append(out, "}\n", 2);
}

/* One table: the same line function over each of the levels given. */
static Status make_table(FamiliesRun *run, Lines *lines, int which, const char *heading,
                         TableLine line, int64_t levels, FamiliesTables *tables) {
  Table *table = &tables->table[which];
  char *path = NULL;
  TRY_OWN(run->team, &path, stage_path(run->stage, &path, "%s", FAMILIES_TABLE[which]));
  Status status = table_open(table, run->team, path, heading);
  MEMORY_FREE(path);
  for (int64_t l = 0; status == OK && l < levels; ++l) {
    lines->level = families_level(run, l);
    status = table_add(table, shard_count(lines->level->own), line, lines);
  }
  return status;
}

Status families_tables_make(FamiliesTables *tables, FamiliesRun *run,
                            const FamiliesMembers *members) {
  Lines lines = {.run = run, .members = members};
  Text heading = {0};
  Status status = team_agree(run->team, families_heading(run, &heading));
  if (status == OK) {
    status = make_table(run, &lines, 0, FEATURES_HEADING, feature_line, run->levels, tables);
  }
  if (status == OK) {
    status = make_table(run, &lines, 1, text_chars(&heading), family_line, 1, tables);
  }
  if (status == OK) {
    status = make_table(run, &lines, 2, "", tree_line, 1, tables);
  }
  text_clear(&heading);
  return status;
}

Status families_tables_publish(FamiliesTables *tables, FamiliesRun *run) {
  for (int which = 0; which < FAMILIES_TABLES; ++which) {
    char *path = NULL;
    TRY(table_finish(&tables->table[which]));
    TRY_OWN(run->team, &path, stage_path(run->stage, &path, "%s", FAMILIES_TABLE[which]));
    stage_wrote(run->stage, path);
    MEMORY_FREE(path);
  }
  return OK;
}

void families_tables_abandon(FamiliesTables *tables) {
  for (int which = 0; which < FAMILIES_TABLES; ++which) {
    table_abandon(&tables->table[which]);
  }
}
