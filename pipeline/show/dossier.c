#include "dossier.h"

#include "glyph.h"
#include "logarithm.h"
#include "memory.h"
#include "schema.h"
#include "verdict.h"

enum {
  CHILDREN = 12,
  NEIGHBOURS = 4, /* of each dictionary */
  LIST = 64,      /* longest that is stored */
  TOKENS = 10,    /* promoted, suppressed */
  BINS = 40,
  HEAD = 13 /* columns in front of a strip */
};

/* The feature that is being written, and a line of text that is being made. */
typedef struct Dossier {
  const DossierView *view;
  const Atlas *atlas;
  int dictionary;
  int64_t id;
  AtlasFeature feature;
  Text line;
  Text *out;
  Strip strip;
  float *values;
  bool has_near; /* some neighbour is written */
} Dossier;

Status dossier_line(const DossierView *view, Text *line, Text *out) {
  TRY(glyph_append_cut(out, text_chars(line), line->length, view->columns));
  line->length = 0;
  return text_append(out, "\n", 1);
}

static Status end_line(Dossier *dossier) {
  return dossier_line(dossier->view, &dossier->line, dossier->out);
}

/* "8k/312 label" into the line. */
static Status name_feature(Dossier *dossier, int dictionary, int64_t id, bool mark_automatic) {
  const AtlasDictionary *own = &dossier->atlas->dictionaries[dictionary];
  bool is_automatic = false;
  TRY(text_printf(&dossier->line, "%s/%lld  ", own->name, (long long)id));
  const int64_t before = dossier->line.length;
  TRY(names_of(dossier->view->names, dossier->atlas, dictionary, id, &dossier->line,
               &is_automatic));
  if (dossier->line.length == before) {
    return text_printf(&dossier->line, "no label");
  }
  return mark_automatic && is_automatic ? text_printf(&dossier->line, "  (automatic label)") : OK;
}

static Status write_facts(Dossier *dossier) {
  const AtlasFeature *feature = &dossier->feature;
  const int64_t rows = shelf_rows(dossier->atlas->text[ATLAS_ROW_DOCUMENT]);
  char count[32], held_out[32];
  if (feature->state == ATLAS_DEAD || feature->firings == 0) {
    TRY(text_printf(&dossier->line, "%s: it fires on none of the rows",
                    feature->state == ATLAS_DEAD ? "dead" : "unseen"));
    return end_line(dossier);
  }
  TRY(text_printf(&dossier->line,
                  "fires on %s of the rows (%.3g %%), %s of them held out; activation mean %.3g, "
                  "maximum %.3g",
                  text_of_count(feature->firings, count),
                  100.0 * (double)feature->firings / (double)rows,
                  text_of_count(feature->firings_held_out, held_out),
                  feature->sum / (double)feature->firings, (double)feature->maximum));
  return end_line(dossier);
}

static Status add_flags(Dossier *dossier, int flags) {
  for (int flag = 0; flag < VERDICT_FLAGS; ++flag) {
    if ((flags & verdict_bit((VerdictFlag)flag)) != 0) {
      TRY(text_printf(&dossier->line, ", %s", verdict_flag_name(flag)));
    }
  }
  return OK;
}

static Status add_share(Dossier *dossier, const AtlasLink *link) {
  if (link->p != link->p) {
    return text_printf(&dossier->line, ", P(parent | child) open");
  }
  return text_printf(&dossier->line, ", P(parent | child) %.2f [%.2f, %.2f], lift %.1f",
                     (double)link->p, (double)link->p_low, (double)link->p_high,
                     (double)link->lift);
}

/* "split of 1k/23 label: cosine 0.71, ..." */
static Status write_child_status(Dossier *dossier) {
  const AtlasPair *pair = atlas_pair_below(dossier->atlas, dossier->dictionary);
  AtlasLink link;
  if (pair == NULL || pair->columns[ATLAS_STATUS] == NULL) {
    return OK;
  }
  TRY(atlas_link(pair, dossier->id, &link));
  if (link.parent == SCHEMA_NO_ID) {
    return OK;
  }
  const bool is_linked = verdict_in_forest((ChildStatus)link.status);
  TRY(text_printf(&dossier->line, "%s%s ", verdict_child_name(link.status),
                  is_linked ? " of" : ", closest to"));
  TRY(name_feature(dossier, pair->parent, link.parent, false));
  TRY(end_line(dossier));
  TRY(text_printf(&dossier->line, "    cosine %.2f, encoder %.2f", (double)link.cosine,
                  (double)link.cosine_encoder));
  TRY(add_share(dossier, &link));
  TRY(add_flags(dossier, link.flags));
  return end_line(dossier);
}

static Status write_family(Dossier *dossier) {
  const AtlasFeature *feature = &dossier->feature;
  const Atlas *atlas = dossier->atlas;
  if (feature->root_level >= atlas->levels || feature->root == SCHEMA_NO_ID) {
    return OK;
  }
  const int root = atlas->of_level[feature->root_level];
  if (root == dossier->dictionary && feature->root == (uint32_t)dossier->id) {
    return OK;
  }
  TRY(text_printf(&dossier->line, "in the family of "));
  TRY(name_feature(dossier, root, feature->root, false));
  return end_line(dossier);
}

/* Children by the best-children list of the parent: those that the forest gives to it. */
static Status write_children(Dossier *dossier) {
  const Atlas *atlas = dossier->atlas;
  const int level = atlas->dictionaries[dossier->dictionary].level;
  if (dossier->feature.parent_status == PARENT_NONE || level < 0 || level + 1 >= atlas->levels) {
    return OK;
  }
  const AtlasPair *pair = atlas_pair(atlas, atlas->of_level[level + 1], dossier->dictionary);
  TRY(text_printf(&dossier->line, "%s: %lld in %s",
                  verdict_parent_name(dossier->feature.parent_status),
                  (long long)dossier->feature.forest_children,
                  atlas->dictionaries[atlas->of_level[level + 1]].name));
  if (dossier->feature.coverage == dossier->feature.coverage) {
    TRY(text_printf(&dossier->line, ", which cover %.0f %% of its activation",
                    100 * dossier->feature.coverage));
  }
  TRY(end_line(dossier));
  if (pair == NULL || pair->columns[ATLAS_BEST_CHILD] == NULL) {
    return OK;
  }
  const int64_t stored = shelf_shape(pair->columns[ATLAS_BEST_CHILD], 1);
  uint32_t children[LIST];
  if (stored > LIST) {
    return RAISE(ERR_FORMAT, "%s: %lld best children a feature", archive_path(atlas->neighbours),
                 (long long)stored);
  }
  TRY(shelf_read(pair->columns[ATLAS_BEST_CHILD], dossier->id, 1, children));
  for (int64_t i = 0, listed = 0; i < stored && listed < CHILDREN; ++i) {
    AtlasLink link;
    if (children[i] == SCHEMA_NO_ID) {
      break;
    }
    TRY(atlas_link(pair, children[i], &link));
    if (link.parent != (uint32_t)dossier->id || !verdict_in_forest((ChildStatus)link.status)) {
      continue;
    }
    TRY(text_printf(&dossier->line, "    %.2f %-8s ", (double)link.cosine,
                    verdict_child_name(link.status)));
    TRY(name_feature(dossier, pair->child, children[i], false));
    TRY(end_line(dossier));
    ++listed;
  }
  return OK;
}

/* The nearest features of one dictionary, out of lists that neighbours.h5 stores. */
static Status write_near(Dossier *dossier, Shelf *ids, Shelf *cosines, int dictionary) {
  uint32_t id[LIST];
  float cosine[LIST];
  if (ids == NULL || cosines == NULL || shelf_shape(ids, 1) > LIST) {
    return OK;
  }
  TRY(shelf_read(ids, dossier->id, 1, id));
  TRY(shelf_read(cosines, dossier->id, 1, cosine));
  for (int64_t i = 0; i < shelf_shape(ids, 1) && i < NEIGHBOURS && id[i] != SCHEMA_NO_ID; ++i) {
    TRY(text_printf(&dossier->line, "%s%.2f ", dossier->has_near ? "      " : "near  ",
                    (double)cosine[i]));
    TRY(name_feature(dossier, dictionary, id[i], false));
    TRY(end_line(dossier));
    dossier->has_near = true;
  }
  return OK;
}

/* In every dictionary that was compared with the feature's, as declared. */
static Status write_neighbours(Dossier *dossier) {
  const Atlas *atlas = dossier->atlas;
  for (int other = 0; other < atlas->count; ++other) {
    const AtlasPair *up = atlas_pair(atlas, other, dossier->dictionary);
    const AtlasPair *down = atlas_pair(atlas, dossier->dictionary, other);
    Shelf *const *own = atlas->dictionaries[other].columns;
    if (other == dossier->dictionary) {
      TRY(write_near(dossier, own[ATLAS_SELF_ID], own[ATLAS_SELF_COSINE], other));
    } else if (down != NULL) {
      TRY(write_near(dossier, down->columns[ATLAS_BEST_PARENT],
                     down->columns[ATLAS_BEST_PARENT_COSINE], other));
    } else if (up != NULL) {
      TRY(write_near(dossier, up->columns[ATLAS_BEST_CHILD], up->columns[ATLAS_BEST_CHILD_COSINE],
                     other));
    }
  }
  return OK;
}

/* Tokens whose logits the direction raises or lowers most. */
static Status write_end(Dossier *dossier, const char *heading, int sign) {
  uint32_t token[TOKENS];
  float effect[TOKENS];
  int found;
  TRY(atlas_promoted(dossier->atlas, dossier->dictionary, dossier->id, sign, TOKENS, token, effect,
                     &found));
  if (found == 0) {
    return OK;
  }
  TRY(text_printf(&dossier->line, "%s ", heading));
  for (int i = 0; i < found; ++i) {
    TRY(text_printf(&dossier->line, i > 0 ? " \xc2\xb7 " : ""));
    TRY(names_word(dossier->atlas, token[i], &dossier->line));
  }
  return end_line(dossier);
}

/* How strong the firings are; counts on a log scale. */
static Status write_histogram(Dossier *dossier) {
  static const char *const BARS[] = {"\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
                                     "\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86",
                                     "\xe2\x96\x87", "\xe2\x96\x88"};
  int64_t bins[BINS], most = 0;
  if (dossier->feature.firings == 0) {
    return OK;
  }
  TRY(atlas_strengths(dossier->atlas, dossier->dictionary, dossier->id, bins, BINS));
  for (int bin = 0; bin < BINS; ++bin) {
    most = bins[bin] > most ? bins[bin] : most;
  }
  TRY(text_printf(&dossier->line, "activation 0 "));
  for (int bin = 0; bin < BINS; ++bin) {
    const double height =
        most > 1 ? logarithm((double)bins[bin] + 1) / logarithm((double)most + 1) : 1;
    TRY(text_printf(&dossier->line, "%s", bins[bin] == 0 ? " " : BARS[(int)(height * 7.999)]));
  }
  TRY(text_printf(&dossier->line, " %.3g (firings, log scale)", (double)dossier->feature.maximum));
  return end_line(dossier);
}

/* A strip behind a short heading; the heading is made in the dossier's line. */
static Status write_strip(Dossier *dossier, int64_t row) {
  const DossierView *view = dossier->view;
  const AtlasDictionary *own = &dossier->atlas->dictionaries[dossier->dictionary];
  TRY(strip_read(&dossier->strip, dossier->atlas, row, view->side));
  TRY(MEMORY_RESIZE(&dossier->values, dossier->strip.count, "values of a strip"));
  TRY(strip_values(&dossier->strip, own, dossier->id, dossier->values, NULL));
  TRY(text_printf(&dossier->line, "%*.3g  ", HEAD - 2 - (int)dossier->line.length,
                  (double)dossier->values[dossier->strip.centre]));
  TRY(text_append(dossier->out, text_chars(&dossier->line), dossier->line.length));
  dossier->line.length = 0;
  TRY(strip_draw(&dossier->strip, dossier->values, dossier->feature.maximum, view->style,
                 view->columns - HEAD, dossier->out));
  return text_append(dossier->out, "\n", 1);
}

static Status write_examples(Dossier *dossier, int64_t *rows) {
  const AtlasDictionary *own = &dossier->atlas->dictionaries[dossier->dictionary];
  Shelf *top = own->columns[ATLAS_TOP_ROW], *drawn = own->columns[ATLAS_INTERVAL_ROW];
  const int64_t intervals = shelf_shape(drawn, 1), per = shelf_shape(drawn, 2);
  TRY(text_printf(dossier->out, "\nstrongest\n"));
  TRY(shelf_read(top, dossier->id, 1, rows));
  for (int64_t i = 0; i < shelf_shape(top, 1) && i < dossier->view->examples; ++i) {
    if (rows[i] >= 0) {
      TRY(write_strip(dossier, rows[i]));
    }
  }
  TRY(text_printf(dossier->out, "\nby strength, percent of the maximum\n"));
  TRY(shelf_read(drawn, dossier->id, 1, rows));
  for (int64_t i = 0; i < intervals; ++i) {
    if (rows[i * per] >= 0) {
      TRY(text_printf(&dossier->line, "%3.0f %%",
                      100.0 * (double)(intervals - i) / (double)intervals));
      TRY(write_strip(dossier, rows[i * per]));
    }
  }
  return OK;
}

static Status write_strips(Dossier *dossier) {
  const AtlasDictionary *own = &dossier->atlas->dictionaries[dossier->dictionary];
  const int64_t top = shelf_shape(own->columns[ATLAS_TOP_ROW], 1);
  const int64_t drawn = shelf_shape(own->columns[ATLAS_INTERVAL_ROW], 1) *
                        shelf_shape(own->columns[ATLAS_INTERVAL_ROW], 2);
  int64_t *rows = NULL;
  if (dossier->feature.firings == 0) {
    return OK;
  }
  TRY(MEMORY_NEW(&rows, top > drawn ? top : drawn, "rows of examples"));
  const Status status = write_examples(dossier, rows);
  MEMORY_FREE(rows);
  return status;
}

static Status write_all(Dossier *dossier) {
  TRY(atlas_feature(dossier->atlas, dossier->dictionary, dossier->id, &dossier->feature));
  TRY(name_feature(dossier, dossier->dictionary, dossier->id, true));
  TRY(end_line(dossier));
  TRY(write_facts(dossier));
  TRY(write_histogram(dossier));
  TRY(write_child_status(dossier));
  TRY(write_family(dossier));
  TRY(write_children(dossier));
  TRY(write_neighbours(dossier));
  TRY(write_end(dossier, "promotes  ", 1));
  TRY(write_end(dossier, "suppresses", -1));
  return write_strips(dossier);
}

Status dossier_write(const DossierView *view, int dictionary, int64_t id, Text *out) {
  Dossier dossier = {
      .view = view, .atlas = view->atlas, .dictionary = dictionary, .id = id, .out = out};
  const Status status = write_all(&dossier);
  text_clear(&dossier.line);
  strip_clear(&dossier.strip);
  MEMORY_FREE(dossier.values);
  return status;
}
