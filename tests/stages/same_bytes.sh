#!/usr/bin/env bash
# The same bytes at any rank and thread count: harvest, train, encode, evaluate, compare, families at 1, 2, 3, 4, 8 ranks with 1 and 2
# threads; then train killed at 4 ranks mid-way and resumed at 3. Prints the table of dataset checksums.
. "$(dirname "$0")/library.sh"
tiny_inputs

whole_run() { # FOLDER RANKS THREADS
  for name in harvest train encode evaluate compare families; do
    stage "$2" "$name" --threads "$3" run.yaml "folder=$1" || return 1
  done
  $python "$CLEAVE_SOURCE/tests/stages/checksums.py" "$1" >"$1.sums"
}

same_as_one() { # FOLDER
  diff run-1-1.sums "$1.sums" >difference || { head -n 20 difference; return 1; }
}

whole_run run-1-1 1 1
settings=("1 2" "2 1" "2 2" "3 1" "4 1" "4 2" "8 1")
[ -z "${SAME_BYTES_FEW:-}" ] || settings=("2 2" "3 1")
for setting in "${settings[@]}"; do
  set -- $setting
  check "a whole run at $1 ranks, $2 threads" whole_run "run-$1-$2" "$1" "$2"
  check "the same bytes at $1 ranks, $2 threads as at 1 rank, 1 thread" same_as_one "run-$1-$2"
done
in_floats() {
  CLEAVE_LOWP=off whole_run run-floats 2 1
}
check "a whole run without products in 8 bits" in_floats
check "the same bytes as with them" same_as_one run-floats

# Training stopped by a signal at 4 ranks goes on at 3 and ends with the same bytes.
killed_and_resumed() {
  mkdir -p resumed
  cp run-1-1/activations.h5 resumed/
  mpirun -n 4 "$CLEAVE_BIN/cleave-train" run.yaml folder=resumed train.checkpoint_steps=7 >kill.out 2>kill.err &
  local pid=$! tries=0
  until ls resumed/checkpoints/160/*.h5 >/dev/null 2>&1 || [ -f resumed/dictionaries/512.h5 ]; do
    sleep 0.02
    tries=$((tries + 1))
    [ $tries -lt 3000 ] || return 1
  done
  pkill -KILL -P $pid || true
  wait $pid || true
  echo "killed with $(ls resumed/dictionaries resumed/checkpoints/* | tr '\n' ' ')"
  [ ! -f resumed/dictionaries/512.h5 ] || { echo "the run ended before it could be killed"; return 1; }
  stage 3 train run.yaml folder=resumed || return 1
  for name in encode evaluate compare families; do
    stage 2 $name run.yaml folder=resumed || return 1
  done
  $python "$CLEAVE_SOURCE/tests/stages/checksums.py" resumed >resumed.sums
}
check "train killed at 4 ranks and resumed at 3" killed_and_resumed
check "the same bytes as without the kill" same_as_one resumed

echo
cat run-1-1.sums
finish
