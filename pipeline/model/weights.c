#include "weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blueprint.h"
#include "memory.h"
#include "threads.h"

/* First a plan: every tensor with its place in one block of floats. Then the block is taken and
 * threads fill it, piece by piece. */

enum { PIECE_ROWS = 4096, NAME_SIZE = 64, ALIGNMENT = 16 };

typedef struct Piece {
  const GgufTensor *tensor;
  const float **slot; /* where the pointer goes; NULL: this continues the piece before */
  int64_t offset;     /* in the block */
  int64_t first, rows, columns;
  int64_t rotated, head; /* rotated > 0: pairs of rows are taken apart, see unpaired_row() */
} Piece;

typedef struct Plan {
  const Gguf *gguf;
  Piece *pieces;
  int64_t count, capacity;
  int64_t floats;
  float *block;
} Plan;

typedef struct Want {
  const char *suffix; /* "attn_q.weight" */
  int64_t rows, columns;
  const float **slot;
  bool is_optional;
  int64_t rotated, head;
} Want;

static Status check_tensor(const Gguf *gguf, const GgufTensor *tensor, const Want *want) {
  if (tensor->shape[0] == want->columns && tensor->shape[1] == want->rows &&
      tensor->shape[2] == 1 && tensor->shape[3] == 1) {
    return OK;
  }
  return RAISE(ERR_FORMAT, "%s: tensor %s is %lld x %lld, not %lld x %lld as the metadata says",
               gguf_path(gguf), tensor->name, (long long)tensor->shape[1],
               (long long)tensor->shape[0], (long long)want->rows, (long long)want->columns);
}

static Status plan_piece(Plan *plan, const Piece *piece) {
  if (plan->count == plan->capacity) {
    plan->capacity = 2 * plan->capacity + 64;
    TRY(MEMORY_RESIZE(&plan->pieces, plan->capacity, "plan of the weights"));
  }
  plan->pieces[plan->count++] = *piece;
  return OK;
}

/* Tensors of one dimension (norms) are single rows. */
static Status plan_tensor(Plan *plan, const char *name, const Want *want) {
  const GgufTensor *tensor = gguf_tensor(plan->gguf, name);
  if (tensor == NULL && want->is_optional) {
    return OK;
  }
  if (tensor == NULL) {
    return RAISE(ERR_FORMAT, "%s: tensor %s is missing", gguf_path(plan->gguf), name);
  }
  TRY(check_tensor(plan->gguf, tensor, want));
  if (want->slot != NULL) {
    plan->floats = (plan->floats + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }
  const float **slot = want->slot;
  for (int64_t first = 0; first < want->rows; first += PIECE_ROWS) {
    const int64_t left = want->rows - first;
    const Piece piece = {.tensor = tensor,
                         .slot = slot,
                         .offset = plan->floats,
                         .first = first,
                         .rows = left < PIECE_ROWS ? left : PIECE_ROWS,
                         .columns = want->columns,
                         .rotated = want->rotated,
                         .head = want->head};
    TRY(plan_piece(plan, &piece));
    slot = NULL;
    plan->floats += piece.rows * piece.columns;
  }
  return OK;
}

static Status plan_layer(Plan *plan, const Weights *weights, int64_t index, bool is_paired) {
  WeightsLayer *layer = &weights->layer[index];
  const int64_t width = weights->width, head = layer->attention.head;
  const int64_t rotated = is_paired ? 2 * layer->rope->half : 0;
  const Want wants[] = {
      {.suffix = "attn_norm.weight", 1, width, &layer->attention_norm},
      {.suffix = "attn_q.weight", weights->query_width, width, &layer->qkv, false, rotated, head},
      {.suffix = "attn_k.weight", weights->kv_width, width, NULL, false, rotated, head},
      {.suffix = "attn_v.weight", weights->kv_width, width, NULL},
      {.suffix = "attn_q_norm.weight", 1, head, &layer->q_norm, true},
      {.suffix = "attn_k_norm.weight", 1, head, &layer->k_norm, true},
      {.suffix = "attn_output.weight", width, weights->query_width, &layer->mix},
      {.suffix = "post_attention_norm.weight", 1, width, &layer->post_attention_norm, true},
      {.suffix = "ffn_norm.weight", 1, width, &layer->mlp_norm},
      {.suffix = "ffn_gate.weight", weights->hidden, width, &layer->gate_up},
      {.suffix = "ffn_up.weight", weights->hidden, width, NULL},
      {.suffix = "ffn_down.weight", width, weights->hidden, &layer->down},
      {.suffix = "post_ffw_norm.weight", 1, width, &layer->post_mlp_norm, true},
  };
  for (size_t i = 0; i < sizeof wants / sizeof *wants; ++i) {
    char name[NAME_SIZE];
    snprintf(name, sizeof name, "blk.%lld.%s", (long long)index, wants[i].suffix);
    TRY(plan_tensor(plan, name, &wants[i]));
  }
  return OK;
}

/* Without output.weight the head is the embedding (tied). */
static Status plan_head(Plan *plan, Weights *weights) {
  const bool is_tied = gguf_tensor(plan->gguf, "output.weight") == NULL;
  const Want norm = {.rows = 1, .columns = weights->width, .slot = &weights->output_norm};
  const Want head = {
      .rows = weights->vocabulary, .columns = weights->width, .slot = &weights->head};
  TRY(plan_tensor(plan, "output_norm.weight", &norm));
  return plan_tensor(plan, is_tied ? "token_embd.weight" : "output.weight", &head);
}

static bool is_planned(const Plan *plan, const GgufTensor *tensor) {
  for (int64_t i = 0; i < plan->count; ++i) {
    if (plan->pieces[i].tensor == tensor) {
      return true;
    }
  }
  return false;
}

/* A tensor of a loaded layer that nothing uses (a bias, an expert) would make all numbers wrong
 * without a word. */
static Status refuse_unknown(const Plan *plan, int64_t loaded) {
  for (int64_t i = 0; i < gguf_tensors(plan->gguf); ++i) {
    const GgufTensor *tensor = gguf_tensor_at(plan->gguf, i);
    if (strncmp(tensor->name, "blk.", 4) == 0 && strtoll(tensor->name + 4, NULL, 10) < loaded &&
        !is_planned(plan, tensor)) {
      return RAISE(ERR_UNSUPPORTED, "%s: tensor %s has no place in this architecture as we know it",
                   gguf_path(plan->gguf), tensor->name);
    }
  }
  return OK;
}

/* llama files hold the rows of a head's rotated part as pairs (0, 1), (2, 3), ...; we rotate halves
 * (0, half), (1, half + 1), ... Queries and keys are reordered alike, so their products stay. */
static int64_t unpaired_row(const Piece *piece, int64_t row) {
  const int64_t in_head = row % piece->head;
  if (in_head >= piece->rotated) {
    return row;
  }
  return row - in_head + in_head / 2 + (in_head % 2) * (piece->rotated / 2);
}

static Status fill_piece(int64_t unit, int thread, void *context) {
  (void)thread;
  const Plan *plan = context;
  const Piece *piece = &plan->pieces[unit];
  const int64_t columns = piece->columns;
  float *out = plan->block + piece->offset;
  if (piece->rotated == 0) {
    return gguf_dequantise(plan->gguf, piece->tensor, piece->first * columns, piece->rows * columns,
                           out);
  }
  for (int64_t i = 0; i < piece->rows; ++i) {
    const int64_t to = unpaired_row(piece, piece->first + i) - piece->first;
    TRY(gguf_dequantise(plan->gguf, piece->tensor, (piece->first + i) * columns, columns,
                        out + to * columns));
  }
  return OK;
}

static Status make_plan(Plan *plan, Weights *weights, const WeightsWanted *wanted) {
  const bool is_paired = blueprint_is_paired(plan->gguf);
  for (int64_t i = 0; i < weights->loaded; ++i) {
    TRY(plan_layer(plan, weights, i, is_paired));
  }
  TRY(refuse_unknown(plan, weights->loaded));
  return wanted->logits ? plan_head(plan, weights) : OK;
}

static Status load(Plan *plan, Weights *weights) {
  TRY(MEMORY_NEW(&weights->block, plan->floats, "the model's weights"));
  plan->block = weights->block;
  for (int64_t i = 0; i < plan->count; ++i) {
    if (plan->pieces[i].slot != NULL) {
      *plan->pieces[i].slot = weights->block + plan->pieces[i].offset;
    }
  }
  return threads_run(plan->count, fill_piece, plan);
}

static Status make(Weights *weights, Plan *plan, const WeightsWanted *wanted, bool loads) {
  ASSERT(!wanted->logits || wanted->layers < 0);
  *weights = (Weights){.gguf = plan->gguf};
  Status status = blueprint_read(weights, plan->gguf, wanted);
  status = status == OK ? make_plan(plan, weights, wanted) : status;
  status = status == OK && loads ? load(plan, weights) : status;
  MEMORY_FREE(plan->pieces);
  if (status != OK) {
    weights_clear(weights);
  }
  return status;
}

Status weights_init(Weights *weights, const Gguf *gguf, const WeightsWanted *wanted) {
  Plan plan = {.gguf = gguf};
  return make(weights, &plan, wanted, true);
}

Status weights_measure(Weights *weights, const Gguf *gguf, const WeightsWanted *wanted,
                       int64_t *floats) {
  Plan plan = {.gguf = gguf};
  const Status status = make(weights, &plan, wanted, false);
  *floats = plan.floats;
  return status;
}

void weights_clear(Weights *weights) {
  rope_clear(&weights->ropes[0]);
  rope_clear(&weights->ropes[1]);
  MEMORY_FREE(weights->layer);
  MEMORY_FREE(weights->block);
  *weights = (Weights){0};
}
