#!/usr/bin/env bash
# What harvest stores, under every key that selects rows, and the same bytes at 1 and 3 ranks.
. "$(dirname "$0")/library.sh"
tiny_inputs

content() {
  $python -c 'import h5py, sys; print(h5py.File(sys.argv[1]).attrs["content"].decode())' "$1/activations.h5"
}
# harvests KEY=VALUE...: at two rank counts; checks the file and compares.
harvests() {
  local keys=() ranks
  for key in "$@"; do keys+=("harvest.$key"); done
  for ranks in 1 3; do
    rm -rf "out-$ranks"
    stage $ranks harvest --threads $((ranks % 2 + 1)) run.yaml "folder=out-$ranks" "${keys[@]}" || return 1
    [ "$(content out-1)" = "$(content out-$ranks)" ] || { echo "other bytes at $ranks ranks"; return 1; }
  done
  $python "$CLEAVE_SOURCE/tests/stages/check_activations.py" out-1/activations.h5 "$@"
}

check "all text" harvests context=64
check "contexts that are no divisor of a unit" harvests context=50
check "contexts of two tokens" harvests context=2
check "a context longer than half a unit" harvests context=512
check "float32" harvests storage=f32
check "first positions and special tokens are stored when asked for" harvests first_position=true special_tokens=true
check "rows above the norm limit are left out" harvests norm_limit=1.1
check "no norm limit" harvests norm_limit=0
check "the file is cut after so many rows" harvests rows=1000
check "a cut file with rows left out" harvests rows=7001 norm_limit=1.2
check "a cut after the first row" harvests rows=1 held_out=0
check "more rows than a median's worth of text" harvests rows=12345 norm_limit=1.3 context=31

everything_held_out() {
  local got=0
  printf '{"text": "One document alone."}\n' >one.jsonl
  for seed in 1 2 3 4 5 6; do # held out under some of them
    got=0
    mpirun -n 2 "$CLEAVE_BIN/cleave-harvest" run.yaml folder=one "seed=$seed" harvest.text=one.jsonl \
      harvest.held_out=0.9 harvest.special_tokens=true >one.out 2>one.err || got=$?
    [ $got -eq 0 ] || break
    rm -rf one
  done
  [ $got -eq 12 ] && grep -q 'harvest.held_out' one.err && [ ! -e one/activations.h5 ]
}
check "no row to train on is an error that names the key" everything_held_out

core() { $python -c 'import h5py; print(h5py.File("core/activations.h5").attrs["blas_core"].decode())'; }
cores() { # a CPU that OpenBLAS does not know is not computed for as if it were the oldest; what the user says holds
  (unset OPENBLAS_CORETYPE && stage 2 harvest run.yaml folder=core) || return 1
  ! grep -qw avx2 /proc/cpuinfo || [ "$(core)" != Prescott ] || return 1
  OPENBLAS_CORETYPE=Prescott stage 2 harvest --force run.yaml folder=core harvest.context=31 && [ "$(core)" = Prescott ]
}
check "the BLAS computes for this CPU" cores

again() {
  stage 2 harvest run.yaml folder=out-1 harvest.context=31 harvest.rows=12345 harvest.norm_limit=1.3 &&
    grep -q 'up to date' stage.err
}
check "a second run finds its file up to date" again
finish
