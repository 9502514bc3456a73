#!/usr/bin/env bash
# cleave-evaluate with dictionaries whose effect is known: all of the stream, none of it, its mean, half of it; promoted tokens
# against numpy; the same bytes at any number of ranks.
. "$(dirname "$0")/library.sh"
tiny_inputs 200
cat >run.yaml <<'YAML'
folder: run
harvest: {model: tiny.gguf, layer: 1, text: text.jsonl, context: 64, held_out: 0.5}
dictionaries:
  - {name: nothing, latents: 100, import: made/nothing}
  - {name: mean, latents: 110, import: made/mean}
  - {name: whole, latents: 140, import: made/whole}
  - {name: half, latents: 150, import: made/half}
evaluate: {tokens: 1000, promoted: 7}
YAML
check "harvest" stage 2 harvest run.yaml
$python "$CLEAVE_SOURCE/tests/stages/evaluate.py" make made run
check "import" stage 2 import run.yaml
check "evaluate" stage 1 evaluate run.yaml
cat stage.out
check "losses and tokens are those known" $python "$CLEAVE_SOURCE/tests/stages/evaluate.py" check run
$python "$CLEAVE_SOURCE/tests/stages/checksums.py" run >first.sums
same() { # RANKS
  rm -r run/evaluation && stage "$1" evaluate --threads 2 run.yaml &&
    $python "$CLEAVE_SOURCE/tests/stages/checksums.py" run | diff first.sums -
}
many="2 3 4 8"
[ -z "${SAME_BYTES_FEW:-}" ] || many=3
for ranks in $many; do
  check "the same bytes at $ranks ranks" same $ranks
done
promoted() {
  stage 2 encode run.yaml && stage 1 inspect --feature half/3 run.yaml && grep -q '^promotes   ' stage.out &&
    grep -q '^suppresses ' stage.out && grep -q '^activation 0 ' stage.out
}
check "inspect shows promoted tokens" promoted
up_to_date() {
  stage 2 evaluate run.yaml && [ "$(grep -c 'is up to date' stage.err)" -eq 4 ]
}
check "a second run does nothing" up_to_date
check "other keys need --force" fails 8 'evaluation/nothing.h5.*--force' - 2 evaluate run.yaml evaluate.tokens=500
only() {
  stage 2 evaluate --force --only half run.yaml evaluate.tokens=500 && grep -q '^half ' stage.out
}
check "one alone" only
cp tiny.gguf changed.gguf
printf 'x' >>changed.gguf
check "another model is refused" fails 12 'changed.gguf is not the model that run/activations.h5 was harvested from' \
  - 2 evaluate --force run.yaml harvest.model=changed.gguf
check "no model file" fails 4 'none.gguf' - 2 evaluate --force run.yaml harvest.model=none.gguf
check "no dictionary of that name" fails 2 'only' - 2 evaluate --only third run.yaml
nothing_held_out() {
  stage 2 harvest run.yaml folder=all harvest.held_out=0 && mkdir -p all && cp -r run/dictionaries all/ &&
    stage 2 evaluate --only whole run.yaml folder=all harvest.held_out=0 && grep -q 'no document is held out' stage.err
}
check "without held-out documents it says so" nothing_held_out
imported() {
  $python -c "import numpy as np; np.save('rows.npy', np.random.default_rng(0).standard_normal((100, 64)).astype('<f4'))"
  stage 2 evaluate run.yaml folder=other harvest.text=[] import.activations=rows.npy import.layer=1 &&
    grep -q 'their model is not known' stage.err
}
check "imported rows: there is nothing to do" imported
finish
