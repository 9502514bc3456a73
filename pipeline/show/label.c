#include "label.h"

#include <math.h>

#include "memory.h"

struct Label {
  const int64_t *token_rows;
  int64_t vocabulary;
  int64_t rows;    /* of all tokens */
  double *weight;  /* [vocabulary], zero between calls */
  int64_t touched; /* tokens with a weight */
  uint32_t *token; /* [vocabulary] those, first seen first */
};

Status label_create(Label **out, const int64_t *token_rows, int64_t vocabulary) {
  Label *label = NULL;
  *out = NULL;
  TRY(MEMORY_NEW(&label, 1, "labels"));
  label->token_rows = token_rows;
  label->vocabulary = vocabulary;
  for (int64_t i = 0; i < vocabulary; i++) {
    label->rows += token_rows[i];
  }
  Status status = MEMORY_NEW(&label->weight, vocabulary, "weights of tokens");
  if (status == OK) {
    status = MEMORY_NEW(&label->token, vocabulary, "tokens of a feature");
  }
  if (status != OK) {
    label_destroy(&label);
    return status;
  }
  *out = label;
  return OK;
}

void label_destroy(Label **label) {
  if (*label != NULL) {
    MEMORY_FREE((*label)->weight);
    MEMORY_FREE((*label)->token);
    MEMORY_FREE(*label);
  }
}

static Status weigh(Label *label, const uint32_t *tokens, const float *values, int64_t firings) {
  for (int64_t i = 0; i < firings; i++) {
    if ((int64_t)tokens[i] >= label->vocabulary) {
      return RAISE(ERR_DATA, "token %u is outside the vocabulary of %lld", tokens[i],
                   (long long)label->vocabulary);
    }
    double *weight = &label->weight[tokens[i]];
    if (*weight == 0) {
      label->token[label->touched++] = tokens[i];
    }
    *weight += (double)values[i];
  }
  return OK;
}

typedef struct Candidate {
  double score;
  uint32_t token;
} Candidate;

static int is_better(const Candidate *a, const Candidate *b) {
  return a->score > b->score || (a->score == b->score && a->token < b->token);
}

/* Keep the best in order. */
static void offer(Candidate *best, int *count, Candidate one) {
  int at = *count < LABEL_TOKENS ? (*count)++ : LABEL_TOKENS;
  for (; at > 0 && is_better(&one, &best[at - 1]); at--) {
    if (at < LABEL_TOKENS) {
      best[at] = best[at - 1];
    }
  }
  if (at < LABEL_TOKENS) {
    best[at] = one;
  }
}

static int rank_tokens(const Label *label, double total, int64_t firings, Candidate *best) {
  int count = 0;
  for (int64_t i = 0; i < label->touched; i++) {
    const uint32_t token = label->token[i];
    const double seen = label->weight[token] / total * (double)firings;
    const double share = (double)label->token_rows[token] / (double)label->rows;
    const double expected = share * (double)firings;
    if (seen > expected) {
      offer(best, &count, (Candidate){(seen - expected) / sqrt(expected + 1), token});
    }
  }
  return count;
}

Status label_find(Label *label, const uint32_t *tokens, const float *values, int64_t firings,
                  uint32_t best[LABEL_TOKENS]) {
  Candidate found[LABEL_TOKENS];
  const Status status = weigh(label, tokens, values, firings);
  double total = 0;
  for (int64_t i = 0; i < firings; i++) {
    total += (double)values[i];
  }
  const int count = status == OK ? rank_tokens(label, total, firings, found) : 0;
  for (int i = 0; i < LABEL_TOKENS; i++) {
    best[i] = i < count ? found[i].token : LABEL_NONE;
  }
  for (int64_t i = 0; i < label->touched; i++) {
    label->weight[label->token[i]] = 0;
  }
  label->touched = 0;
  return status;
}
