#include "step.h"

#include "cut.h"
#include "exchange.h"
#include "gradient.h"
#include "shard.h"

/* The room: first what is sent, then what is received. */
typedef struct Step {
  Team *team;
  const StepShape *shape;
  const StepWork *work;
  char *sent, *received;
  int64_t *counts; /* [3, team size] */
} Step;

static int64_t own_of(const Team *team, const StepShape *shape) {
  return shard_count(
      shard_of(shape->latents, shard_latent_block(shape->latents), team->rank, team->size));
}

static int64_t most_of(const StepShape *shape) {
  return shape->aux_k > shape->k ? shape->aux_k : shape->k;
}

static int64_t half_room(const StepShape *shape) {
  const int64_t keys = shape->batch * most_of(shape) * 8, sums = shape->batch * shape->width * 8;
  return 2 * (keys > sums ? keys : sums) + (1 << 20);
}

int64_t step_room(const Team *team, const StepShape *shape) {
  return 2 * half_room(shape) + 3 * team->size * 8;
}

static void pass(const Step *step, StepKind kind, double amount) {
  if (step->work != NULL) {
    step->work->pass(step->work->context, kind, amount);
  }
}

static void end(const Step *step, StepPart part) {
  if (step->work != NULL) {
    step->work->end(step->work->context, part);
  }
}

static void agree(const Step *step, int times) {
  for (int i = 0; i < times; i++) {
    if (team_agree(step->team, OK) != OK) {
      return;
    }
  }
}

/* Of `count` items of `size` bytes everybody brings an equal share. */
static void gather(const Step *step, int64_t count, size_t size) {
  for (int r = 0; r < step->team->size; r++) {
    step->counts[r] = shard_count(shard_of(count, 1, r, step->team->size));
  }
  exchange_gather(step->team, step->sent, step->counts, size, step->received);
}

/* cut_agree(): the best `wide` keys of every rank, each row's to the rank that cuts it; the cuts to all. */
static void cut(const Step *step, int64_t wide) {
  const StepShape *shape = step->shape;
  const int size = step->team->size;
  int64_t *sent = step->counts + size, *received = step->counts + 2 * size;
  const int64_t slice = shard_count(shard_of(shape->batch, 1, step->team->rank, size));
  for (int r = 0; r < size; r++) {
    const Team other = {.rank = r, .size = size};
    const int64_t theirs = own_of(&other, shape), mine = own_of(step->team, shape);
    sent[r] = shard_count(shard_of(shape->batch, 1, r, size)) * (mine < wide ? mine : wide);
    received[r] = slice * (theirs < wide ? theirs : wide);
  }
  exchange_all_to_all(step->team, step->sent, sent, step->received, received, sizeof(SelectKey));
  agree(step, 1);
  gather(step, shape->batch, sizeof(CutLine));
}

static void sum_rows(const Step *step) {
  agree(step, 1);
  exchange_sum(step->team, (int64_t *)(void *)step->sent, step->shape->batch * step->shape->width);
}

/* Rows of own latents: those that hit, for scores, sums, slopes and two gradients; about 8 candidates a hit. */
static double hit_bytes(const Step *step, double hits) {
  const StepShape *shape = step->shape;
  return (double)shape->batch * hits * 4.0 * (double)shape->width / (double)step->team->size;
}

static double batch_bytes(const StepShape *shape) {
  return 4.0 * (double)shape->batch * (double)shape->width;
}

static void forward(const Step *step) {
  const StepShape *shape = step->shape;
  const double own = (double)own_of(step->team, shape), width = (double)shape->width;
  pass(step, STEP_ALIKE, 4.0 * batch_bytes(shape)); /* widened, scaled, centred */
  agree(step, 1);
  pass(step, STEP_STREAMED, 5.0 * own * width); /* the encoder in 8 bits */
  agree(step, 1);
  pass(step, STEP_SCREENED, 2.0 * (double)shape->batch * own * width);
  pass(step, STEP_STREAMED, hit_bytes(step, 8.0 * (double)shape->k));
  agree(step, 1);
  cut(step, shape->k);
  end(step, STEP_KEYS);
  pass(step, STEP_STREAMED, hit_bytes(step, (double)shape->k));
  sum_rows(step);
  pass(step, STEP_ALIKE, 8.0 * batch_bytes(shape)); /* residual, loss, spread */
  end(step, STEP_SUMS);
}

static void auxiliary(const Step *step) {
  const StepShape *shape = step->shape;
  agree(step, 1);
  cut(step, shape->aux_k);
  agree(step, 1);
  exchange_max(step->team, (double *)(void *)step->sent, shape->batch);
  pass(step, STEP_STREAMED, hit_bytes(step, 2.0 * (double)shape->aux_k));
  sum_rows(step);
  pass(step, STEP_ALIKE, 8.0 * batch_bytes(shape));
}

static void backward(const Step *step) {
  const StepShape *shape = step->shape;
  const double own = (double)own_of(step->team, shape), width = (double)shape->width;
  pass(step, STEP_ALIKE, 2.0 * batch_bytes(shape)); /* b_dec's gradient */
  if (shape->aux_k > 0) {
    auxiliary(step);
    end(step, STEP_AUXK);
  }
  pass(step, STEP_STREAMED, hit_bytes(step, 5.0 * (double)(shape->k + shape->aux_k)));
  agree(step, 1);
  exchange_max(step->team, (double *)(void *)step->sent, 4);
  agree(step, 1);
  exchange_sum(step->team, (int64_t *)(void *)step->sent, shape->width + 1 + GRADIENT_RIDERS);
  pass(step, STEP_STREAMED, 2.0 * 24.0 * own * width); /* weights and moments, read and written */
  agree(step, 1);
}

void step_run(Team *team, const StepShape *shape, const StepWork *work, char *room) {
  const Step step = {.team = team,
                     .shape = shape,
                     .work = work,
                     .counts = (int64_t *)(void *)room,
                     .sent = room + 3 * team->size * 8,
                     .received = room + 3 * team->size * 8 + half_room(shape)};
  gather(&step, shape->batch, (size_t)shape->row_bytes);
  agree(&step, 1); /* the batch is unpacked */
  end(&step, STEP_BATCH);
  forward(&step);
  backward(&step);
  end(&step, STEP_UPDATE);
}
