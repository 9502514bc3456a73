#!/usr/bin/env bash
# cleave-train killed with SIGKILL on a random rank at a random moment (checkpoints are saved all the time, so also during
# one), run again on a random number of ranks in one or two groups, killed again, ... until it is through: the same bytes as
# without a kill. TRAIN_KILLS (6): so many kills in all, each of which must have met a run at work.
. "$(dirname "$0")/library.sh"
here="$CLEAVE_SOURCE/tests/stages"
$python "$here/plant_rows.py" run bf16
mkdir other && ln -s ../run/activations.h5 other/activations.h5
cat >run.yaml <<'YAML'
folder: run
seed: 3
train: {k: 3, batch: 64, passes: 12, rate: 3e-3, window: 1024, dead_share: 0.03, checkpoint_steps: 4}
dictionaries:
  - {name: '200', latents: 200}
YAML

sums() { # FOLDER
  $python "$here/checksums.py" "$1" | grep '^dictionaries/'
  (cd "$1" && sha256sum training/200.csv)
}
kills=0
resumed=0
wanted() {
  [ $kills -lt "${TRAIN_KILLS:-6}" ]
}
begin() { # RANKS ARGUMENTS...
  local ranks=$1
  shift
  mpirun -n "$ranks" "$CLEAVE_BIN/cleave-train" run.yaml folder=other "$@" >kill.out 2>kill.err &
  pid=$!
}
at_work() { # its checkpoints change
  local before now
  before=$(ls other/checkpoints/200 2>/dev/null | sort)
  for _ in $(seq 600); do
    now=$(ls other/checkpoints/200 2>/dev/null | sort)
    [ "$now" != "$before" ] && return 0
    kill -0 $pid 2>/dev/null || return 1
    sleep 0.02
  done
  return 1
}
kill_one() { # a random rank
  local ranks
  ranks=($(pgrep -P $pid cleave-train))
  [ ${#ranks[@]} -gt 0 ] && kill -KILL "${ranks[RANDOM % ${#ranks[@]}]}" 2>/dev/null
}
until_through() {
  rm -rf other/dictionaries other/training other/checkpoints
  while [ ! -e other/dictionaries/200.h5 ]; do
    local count=$((1 + RANDOM % 4)) replicas=1
    [ $((count % 2)) -eq 1 ] || replicas=$((1 + RANDOM % 2))
    begin $count train.replicas=$replicas "$@"
    if wanted && at_work; then
      sleep "0.$((RANDOM % 5))$((RANDOM % 10))"
      kill_one && kills=$((kills + 1))
    fi
    wait $pid 2>/dev/null || grep -q 'signal 9' kill.err || { cat kill.err; return 1; }
    ! grep -q 'goes on from step' kill.err || resumed=$((resumed + 1))
  done
  sums other >now.sums && diff first.sums now.sums
}
killed_often() {
  RANDOM=11
  while wanted; do
    until_through "$@" || return 1
  done
  echo "     killed $kills times, $resumed runs went on from a checkpoint"
  [ $resumed -ge 1 ]
}
for architecture in topk batchtopk; do
  rm -rf run/dictionaries run/training
  stage 1 train run.yaml train.architecture=$architecture
  sums run >first.sums
  kills=0
  check "$architecture: killed on a random rank at random moments, the same bytes" killed_often train.architecture=$architecture
done

# A crash may leave a log that is shorter than the checkpoint says: its whole lines stay, nothing is padded.
short_log() {
  local log=other/training/200.csv
  rm -rf other/dictionaries other/training other/checkpoints
  begin 2 train.architecture=$architecture
  at_work && kill -USR1 $pid
  wait $pid 2>/dev/null
  [ -d other/checkpoints/200 ] && truncate -s -20 $log || return 1
  begin 3 train.architecture=$architecture
  wait $pid && grep -q "200.csv: lines before the checkpoint are missing" kill.err || { cat kill.err; return 1; }
  [ "$(tr -d '\0' <$log | wc -c)" -eq "$(wc -c <$log)" ] && [ "$(awk -F, '{print NF}' $log | sort -u)" = 10 ] || return 1
  sums other | grep '^dictionaries/' >now.sums
  grep '^dictionaries/' first.sums | diff - now.sums
}
check "a log that is too short" short_log
finish
