#!/usr/bin/env bash
# cleave-train on made-up rows: the same bytes at any rank count, stopped, killed and resumed; misused.
. "$(dirname "$0")/library.sh"
here="$CLEAVE_SOURCE/tests/stages"
for folder in run other; do
  $python "$here/plant_rows.py" $folder bf16
done
$python "$here/plant_rows.py" wide f32
passes=10 # of the longest one; with the sanitizers a step takes long enough
[ -z "${SAME_BYTES_FEW:-}" ] || passes=4
cat >run.yaml <<YAML
folder: run
seed: 3
train: {k: 3, batch: 64, passes: 3, rate: 3e-3, window: 1024, dead_share: 0.03}
dictionaries:
  - {name: tiny, latents: 5}
  - {name: '96', latents: 96}
  - {name: '96-b', latents: 96, seed: 4, control_of: '96', rate: 2e-3, passes: 2}
  - {name: '200', latents: 200, passes: $passes}
YAML

sums() { # FOLDER
  $python "$here/checksums.py" "$1" | grep '^dictionaries/'
  (cd "$1" && sha256sum training/*.csv)
}
clear() { # FOLDER
  rm -rf "$1/dictionaries" "$1/training" "$1/checkpoints"
}
same() { # RANKS THREADS
  clear run
  stage "$1" train --threads "$2" run.yaml && sums run >now.sums && diff first.sums now.sums
}
code() { # CODE COMMAND...: ends with this exit code
  local want=$1 got=0
  shift
  "$@" >stage.out 2>stage.err || got=$?
  [ $got -eq "$want" ] || { echo "exit code $got, wanted $want"; cat stage.err; return 1; }
}
train_at() { # RANKS ARGUMENTS...
  local ranks=$1
  shift
  mpirun -n "$ranks" "$CLEAVE_BIN/cleave-train" "$@"
}
fails() { # CODE WORDS ARGUMENTS...: stops with this exit code and these words in one line of ours
  local want=$1 words=$2
  shift 2
  code "$want" train_at 3 "$@" && [ "$(grep '^cleave: ' stage.err | grep -c -- "$words")" -eq 1 ] ||
    { cat stage.err; return 1; }
}

check "train at 1 rank" stage 1 train --threads 1 run.yaml
sums run >first.sums
check "dictionaries, logs, and nothing else" test "$(cd run && find . -type f | grep -v logs | wc -l)" -eq 14
times() {
  grep -q '^exact scores,' run/training/times/200.csv && grep -q '200: scored exactly .* of 200 latents a row' stage.err &&
    awk -F, 'NR > 1 && !/within/ {share += $3} END {exit !(share > 0.99 && share < 1.01)}' run/training/times/200.csv
}
check "the time is split, and the shares are whole" times
check "no checkpoints are left" test ! -e run/checkpoints/200
cat >look.py <<'PY'
import h5py, numpy as np
with h5py.File("run/dictionaries/96-b.h5") as f:
    a = f.attrs
    assert abs(np.linalg.norm(f["w_dec"][...], axis=1) - 1).max() < 1e-6
    assert (a["seed"], a["k"], a["layer"], a["subtract_b_dec"], a["latents"]) == (4, 3, 3, 1, 96), dict(a)
    text = [a[k] if isinstance(a[k], str) else a[k].decode() for k in ("role", "control_of", "model_hash", "architecture")]
    assert text == ["control", "96", "feed", "topk"], text
rows = np.genfromtxt("run/training/200.csv", delimiter=",", names=True)
assert rows["loss"][-1] < 0.6 * rows["loss"][0] and rows["aux_loss"].max() > 0 and rows["dead"].max() > 0
assert rows["step"][-1] == rows["rows"][-1] / 64 and rows["explained_variance"][-1] > 0.5
PY
check "attributes, unit rows, a loss that falls, AuxK at work" $python look.py
settings=("2 1" "3 2" "4 1" "8 1")
[ -z "${SAME_BYTES_FEW:-}" ] || settings=("3 2")
for setting in "${settings[@]}"; do
  set -- $setting
  check "the same bytes at $1 ranks, $2 threads" same "$1" "$2"
done
grid() { # RANKS REPLICAS
  clear run
  stage "$1" train run.yaml train.replicas="$2" && sums run >now.sums && diff first.sums now.sums
}
grids=("2 2" "4 2" "6 3")
[ -z "${SAME_BYTES_FEW:-}" ] || grids=("4 2")
for setting in "${grids[@]}"; do
  set -- $setting
  check "the same bytes at $1 ranks in $2 groups" grid "$1" "$2"
done
check "a second run says that all is up to date" stage 2 train run.yaml
check "and writes nothing" test "$(grep -c 'up to date' stage.err)" -eq 4
check "float32 rows of the same values give the same weights" stage 2 train run.yaml folder=wide
check "the same as from bfloat16" diff <(sums run | grep ' /') <(sums wide | grep ' /')

# A signal: a checkpoint, exit code 85; then on with other ranks.
wait_for() { # a checkpoint of 200, or its end
  for _ in $(seq 3000); do
    ls "$1"/checkpoints/200/*.h5 >/dev/null 2>&1 && return 0
    [ ! -e "$1/dictionaries/200.h5" ] || return 1
    sleep 0.02
  done
  return 1
}
stopped() { # SIGNAL RANKS RANKS [REPLICAS]
  clear other
  mpirun -n "$2" "$CLEAVE_BIN/cleave-train" run.yaml folder=other train.checkpoint_steps=20 train.replicas="${4:-1}" >kill.out 2>kill.err &
  local pid=$! got=0
  wait_for other || return 1
  kill "-$1" $(pgrep -P $pid cleave-train) || return 1
  wait $pid || got=$?
  [ ! -e other/dictionaries/200.h5 ] || { echo "ended before the signal"; return 1; }
  if [ "$1" != KILL ] && [ $got -ne 85 ]; then
    echo "exit code $got after $1"
    cat kill.err
    return 1
  fi
  stage "$3" train run.yaml folder=other || return 1
  grep -q 'goes on from step' stage.err || { cat stage.err; return 1; }
  sums other >now.sums && diff first.sums now.sums
}
check "USR1 at 4 ranks: exit code 85, resumed at 3 with the same bytes" stopped USR1 4 3
check "TERM at 1 rank, resumed at 2" stopped TERM 1 2
check "KILL at 3 ranks, resumed at 5" stopped KILL 3 5
check "USR1 at 4 ranks in 2 groups, resumed at 3" stopped USR1 4 3 2

flip() { # FILE DATASET: one bit of it
  $python - "$@" <<'PY'
import sys, h5py
with h5py.File(sys.argv[1]) as f: at = f[sys.argv[2]].id.get_offset()
with open(sys.argv[1], "r+b") as f:
    f.seek(at + 6)
    byte = f.read(1)[0]
    f.seek(at + 6)
    f.write(bytes([byte ^ 16]))
PY
}
two_checkpoints() { # of 200, in other, and nothing else of it
  clear other
  mpirun -n 2 "$CLEAVE_BIN/cleave-train" --only 200 run.yaml folder=other train.checkpoint_steps=20 >kill.out 2>kill.err &
  local pid=$!
  while [ ! -e other/dictionaries/200.h5 ] && [ "$(ls other/checkpoints/200/step-*0.h5 2>/dev/null | wc -l)" -lt 2 ]; do sleep 0.02; done
  kill -USR1 $(pgrep -P $pid cleave-train) || return 1
  wait $pid
  mapfile -t saved < <(ls -v other/checkpoints/200/step-*.h5)
  [ ${#saved[@]} -eq 2 ]
}
damaged() { # the last one: on from the one before it
  two_checkpoints || return 1
  flip "${saved[1]}" "$1" && stage 3 train --only 200 run.yaml folder=other || return 1
  local before=${saved[0]##*step-}
  grep -q "$1 is damaged" stage.err && grep -q "goes on from step ${before%.h5}" stage.err || { cat stage.err; return 1; }
  diff <(sums other | grep '/200[.-]') <(grep '/200[.-]' first.sums)
}
cut_short() {
  two_checkpoints || return 1
  truncate -s -4096 "${saved[1]}" && stage 2 train --only 200 run.yaml folder=other || return 1
  grep -q "is damaged or cut short" stage.err && grep -q "goes on from step" stage.err || { cat stage.err; return 1; }
  diff <(sums other | grep '/200[.-]') <(grep '/200[.-]' first.sums)
}
all_damaged() {
  two_checkpoints || return 1
  flip "${saved[0]}" w_dec && flip "${saved[1]}" quiet &&
    fails 6 "all checkpoints are damaged" --only 200 run.yaml folder=other
}
check "a damaged checkpoint is seen, and the one before it taken" damaged w_enc_second
check "the same with a damaged bias of all ranks" damaged b_dec
check "the same with the step's number" damaged numbers
check "one that is cut short is passed over" cut_short
check "two damaged ones are refused" all_damaged
without_groups() {
  train_at 1 --check run.yaml train.replicas=2 >/dev/null 2>&1
}
check "--check needs no groups" without_groups
# Together: on the same batches in one pass; stopped, killed and resumed they end with the same bytes.
together() { # RANKS: all in one pass
  clear other
  stage "$1" train run.yaml folder=other train.together=true && sums other >now.sums && diff together.sums now.sums
}
together_stopped() { # SIGNAL
  clear other
  mpirun -n 3 "$CLEAVE_BIN/cleave-train" run.yaml folder=other train.together=true train.checkpoint_steps=7 >kill.out 2>kill.err &
  local pid=$!
  wait_for other || return 1
  kill "-$1" $(pgrep -P $pid cleave-train) || return 1
  wait $pid
  [ ! -e other/dictionaries/200.h5 ] || { echo "ended before the signal"; return 1; }
  stage 2 train run.yaml folder=other train.together=true && grep -q 'goes on from step' stage.err && sums other >now.sums &&
    diff together.sums now.sums
}
clear other
check "three of one seed and one of another, together" stage 1 train run.yaml folder=other train.together=true
check "three in one pass" grep -q 'train 3 dictionaries' stage.err
sums other >together.sums
check "another order of the data than alone" test "$(grep -c 'content' <(diff first.sums together.sums))" -ge 4
check "the same bytes at 4 ranks" together 4
check "stopped and resumed" together_stopped USR1
check "killed and resumed" together_stopped KILL

stop_at_once() { # leaves checkpoints of 200
  clear other
  stage 2 train --only tiny run.yaml folder=other || return 1
  mpirun -n 2 "$CLEAVE_BIN/cleave-train" --only 200 run.yaml folder=other train.checkpoint_steps=5 \
    >kill.out 2>kill.err &
  local pid=$!
  wait_for other || return 1
  sleep 0.1
  kill -USR1 $(pgrep -P $pid cleave-train) || return 1
  wait $pid || true
}
check "--only trains one" stop_at_once
check "at most two checkpoints are kept" test "$(ls other/checkpoints/200 | wc -l)" -le 2
check "a checkpoint of other settings is refused" fails 8 "force" --only 200 run.yaml folder=other train.k=4
check "--force drops it" stage 2 train --force --only 200 run.yaml folder=other train.k=4
check "and says nothing of going on" test "$(grep -c 'goes on' stage.err)" -eq 0
check "other settings of a finished one are refused" fails 8 "force" run.yaml train.k=4
check "an unknown --only is refused" fails 2 "no dictionary" --only 77 run.yaml
clear other
check "a batch larger than the data is refused" fails 12 "train.batch" run.yaml folder=other train.batch=100000
check "and groups that are not equal" fails 3 "equal groups" run.yaml folder=other train.replicas=2
clear wide
$python -c 'import h5py
with h5py.File("wide/activations.h5", "r+") as f: f["activation"][f["document"][...] != 3, 5] = float("nan")'
check "rows that are not finite are said" fails 11 "not finite" run.yaml folder=wide
check "no dictionary appeared" test ! -e wide/dictionaries/tiny.h5
finish
