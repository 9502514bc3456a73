#!/usr/bin/env bash
# cleave-compare killed at random moments and run again, at other numbers of ranks: the same bytes as without a kill. Stopped
# by a signal: exit code 85. Work of other settings in the way: refused. Panels, threads, 8 bits: they change nothing.
. "$(dirname "$0")/library.sh"
here="$CLEAVE_SOURCE/tests/stages"
sizes=(small:800 middle:3000 large:${RESTART_LARGE:-16000} twin:3000:middle)
$python "$here/plant_dictionaries.py" run 48 "${sizes[@]}"
quick=(compare.draws=1000 compare.neighbours=12)
many=("${quick[@]}" compare.panel=1000 compare.checkpoint=1e-9)

content() { # FOLDER
  $python "$here/checksums.py" "$1" | grep '^neighbours.h5'
}
same() { # FOLDER
  content "$1" >now.sums && diff first.sums now.sums && [ ! -e "$1/comparing" ]
}
fresh() { # FOLDER: a run with the dictionaries alone
  rm -rf "$1" && mkdir "$1" && ln -s ../run/dictionaries "$1/dictionaries"
}
compare_at() { # RANKS ARGUMENTS...
  local ranks=$1
  shift
  mpirun -n "$ranks" "$CLEAVE_BIN/cleave-compare" run.yaml "$@"
}
begin() { # RANKS: in the background, in panels, each of which is kept
  mpirun -n "$1" "$CLEAVE_BIN/cleave-compare" run.yaml folder=other "${many[@]}" >kill.out 2>kill.err &
  pid=$!
}
stop() { # SIGNAL PID-OF-MPIRUN
  kill "-$1" $(pgrep -P "$2" cleave-compare) 2>/dev/null
}

check "compare at 1 rank in one panel" stage 1 compare --threads 1 run.yaml "${quick[@]}"
content run >first.sums
check "no work files are left" test ! -e run/comparing
settings=("1 2" "2 1" "3 1" "4 2" "8 1")
[ -z "${SAME_BYTES_FEW:-}" ] || settings=("3 1")
whole() { # RANKS THREADS ARGUMENTS...
  local ranks=$1 threads=$2
  shift 2
  fresh other && stage "$ranks" compare --threads "$threads" run.yaml folder=other "$@" && same other
}
for setting in "${settings[@]}"; do
  set -- $setting
  check "in panels at $1 ranks, $2 threads: the same bytes" whole "$1" "$2" "${many[@]}" compare.checkpoint=0
done
check "screened in float32: the same bytes" env CLEAVE_LOWP=off bash -c "$(declare -f whole fresh stage same content)
  quick=(${quick[*]}) python=$python here=$here; whole 2 1 \"\${quick[@]}\""

# Killed up to 2 seconds after it made a file, run again, killed again, ... until it is through; anew until there were ten
# kills, and a run that went on inside a comparison.
kills=0
resumed=0
files() {
  find other/comparing -name '*.h5' 2>/dev/null | wc -l
}
made_a_file() { # more than COUNT of them, or the end
  while [ "$(files)" -le "$1" ] && kill -0 "$pid" 2>/dev/null; do
    sleep 0.05
  done
}
wanted() {
  [ $kills -lt "${RESTART_KILLS:-10}" ] || { [ $resumed -eq 0 ] && [ $kills -lt 60 ]; }
}
killed_until_through() {
  fresh other
  while [ ! -e other/neighbours.h5 ]; do
    before=$(files)
    begin $((1 + RANDOM % 4))
    if wanted; then
      made_a_file "$before"
      sleep "$((RANDOM % 2)).$((RANDOM % 10))"
      stop KILL "$pid" && kills=$((kills + 1))
    fi
    wait "$pid" 2>/dev/null || grep -q 'signal 9' kill.err || { cat kill.err; return 1; }
    ! grep -q 'goes on from feature' kill.err || resumed=$((resumed + 1))
  done
  same other
}
killed_often() {
  RANDOM=7
  while wanted; do
    killed_until_through || return 1
  done
  echo "     killed $kills times, $resumed runs went on inside a comparison"
  [ $resumed -ge 1 ]
}
check "killed at random moments, run again until it is through: the same bytes" killed_often

unfinished() { # FOLDER: waits until lists of an unfinished comparison are there
  for _ in $(seq 3000); do
    ls "$1"/comparing/*-lists-*.h5 >/dev/null 2>&1 && return 0
    [ ! -e "$1/neighbours.h5" ] || return 1
    sleep 0.02
  done
  return 1
}
signalled() { # SIGNAL RANKS RANKS
  local got=0
  fresh other
  begin "$2"
  unfinished other || return 1
  stop "$1" $pid || return 1
  wait $pid || got=$?
  [ $got -eq 85 ] && [ ! -e other/neighbours.h5 ] || { echo "exit code $got"; cat kill.err; return 1; }
  [ "$(grep -c '^cleave: ' kill.err)" -eq 1 ] || { cat kill.err; return 1; }
  stage "$3" compare run.yaml folder=other "${quick[@]}" && grep -q 'goes on' stage.err && same other
}
check "TERM at 2 ranks: exit code 85, and on at 3 with the same bytes" signalled TERM 2 3
check "USR1 at 3 ranks: exit code 85, and on at 1" signalled USR1 3 1

leave_unfinished() {
  fresh other
  begin 2
  unfinished other && stop USR1 $pid && ! wait $pid
}
locktest() { # what Open MPI leaves where it is killed while it makes a file
  leave_unfinished || return 1
  touch other/comparing/{self-1,pair-0,pair-1,pair-2}-lists-99999.h5.part.locktest.0
  stage 3 compare run.yaml folder=other "${quick[@]}" && grep -q 'goes on' stage.err && same other
}
check "half-made files of Open MPI are not taken for lists" locktest
refused() {
  local got=0
  compare_at 2 folder=other "${many[@]}" compare.neighbours=11 >out 2>err || got=$?
  [ $got -eq 8 ] && grep '^cleave: ' err | grep -q -- '--force'
}
forced() {
  stage 2 compare --force run.yaml folder=other "${many[@]}" compare.neighbours=11 && ! grep -q 'goes on' stage.err
}
check "an unfinished comparison is left" leave_unfinished
check "with other settings it is refused" refused
check "and dropped by --force" forced
damaged() {
  local got=0
  leave_unfinished || return 1
  for file in other/comparing/*.h5; do
    head -c 3000 "$file" >cut && mv cut "$file"
  done
  compare_at 2 folder=other "${many[@]}" >out 2>err || got=$?
  [ $got -eq 6 ] && grep '^cleave: ' err | grep -q 'other/comparing/.*force'
}
check "a damaged work file is named" damaged
finish
