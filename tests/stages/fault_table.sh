#!/usr/bin/env bash
# What goes wrong from outside, in every stage: the table of faults. A rank or mpirun is killed, a signal comes, the disk is
# full or turns read-only, an input is missing, cut short or changes between stages, another run is at work. Each must end within
# 30 s, in one message where the program still lives, lose nothing that was finished, and, started again when all is well,
# give the bytes of the undisturbed run. Prints the table; its last line counts faults.
. "$(dirname "$0")/library.sh"
tiny_inputs "${FAULT_TEXTS:-200}"
printf 'report:\n  title: faults\n' >>run.yaml # else the folder's name
LIMIT=30
STAGES=(harvest train encode evaluate compare families report)
declare -A outputs=([harvest]=activations.h5 [train]="dictionaries training" [encode]=codes [evaluate]=evaluation
  [compare]=neighbours.h5 [families]="families.h5 features.csv families.csv families.jsonl" [report]=report)
declare -A input=([harvest]=text.jsonl [train]=activations.h5 [encode]=dictionaries/160.h5 [evaluate]=dictionaries/160.h5
  [compare]=dictionaries/160.h5 [families]=neighbours.h5 [report]=families.h5)
declare -A seconds
now() { date +%s.%N; }
since() { echo "$(now) $1" | awk '{printf "%.1f", $1 - $2}'; }

# The undisturbed run, and one of another seed: what its inputs become when they are changed.
content() { # FOLDER: of all files
  $python "$CLEAVE_SOURCE/tests/stages/checksums.py" "$1"
  (cd "$1" && find . -name '*.csv' -o -name '*.jsonl' -o -path './report/*' -type f | grep -v -e logs -e times | sort | xargs -r sha256sum)
}
for name in "${STAGES[@]}"; do
  began=$(now)
  stage 2 "$name" run.yaml folder=good
  seconds[$name]=$(since "$began")
  stage 2 "$name" run.yaml folder=other seed=77
done
content good >good.sums

# prepare STAGE: folder `run` without what the stage makes.
prepare() {
  rm -rf run
  cp -r good run
  (cd run && rm -rf ${outputs[$1]} checkpoints)
}
start() { # RANKS STAGE ARGUMENTS...: in the background, its pid in $pid
  local ranks=$1 name=$2
  shift 2
  timeout -k 1 $((LIMIT + 5)) mpirun -n "$ranks" "$CLEAVE_BIN/cleave-$name" run.yaml folder=run "$@" >fault.out 2>fault.err &
  pid=$!
}
# settle STAGE: started again it gives the bytes of the undisturbed run, and leaves no parts.
settle() {
  stage 3 "$1" run.yaml folder=run || return 1
  content run >run.sums
  diff good.sums run.sums >difference || { head -n 5 difference; return 1; }
  [ -z "$(find run -name '*.part*')" ] || { echo "left: $(find run -name '*.part*')"; return 1; }
}
table=$work/table
: >"$table"
# conclude STAGE FAULT SECONDS SEEN: a line of the table; false where it took too long or the bytes differ.
conclude() {
  local result="the same bytes" bad=0
  awk -v s="$3" -v l=$LIMIT 'BEGIN {exit !(s < l)}' || { result="TOO LONG"; bad=1; }
  [ $bad -ne 0 ] || settle "$1" || { result="NOT THE SAME"; bad=1; }
  printf '%-9s  %-24s  %5s s  %-62.62s  %s\n' "$1" "$2" "$3" "$4" "$result" >>"$table"
  return $bad
}
message() { # exit code and what was said
  echo "exit $1: $(grep -m 1 '^cleave: ' fault.err | sed 's/^cleave: //; s/: [a-z_]*\.c:[0-9]*//' || true)"
}

# Killed, or asked to end, at a random moment; earlier where the stage ended first.
RANDOM=5
gone() { # until no rank is left
  for _ in $(seq $((LIMIT * 10))); do
    pgrep "cleave-$name" >/dev/null || return 0
    sleep 0.1
  done
}
struck() { # STAGE COMMAND MOMENT: 0 where the fault came first
  local name=$1 command=$2 mpi
  code=0
  prepare "$name"
  start 3 "$name"
  sleep "$3"
  began=$(now)
  mpi=$(pgrep -P $pid mpirun || true)
  eval "$command" 2>/dev/null || true
  wait $pid || code=$?
  gone
  [ $code -ne 0 ]
}
ended_by() { # STAGE FAULT COMMAND
  local moment code began
  for try in 0.9 0.6 0.4 0.25 0.15; do
    moment=$(awk -v s="${seconds[$1]}" -v r=$RANDOM -v t=$try 'BEGIN {printf "%.2f", 0.2 + t * r / 32768 * s}')
    if struck "$1" "$3" "$moment"; then
      conclude "$1" "$2" "$(since "$began")" "$(message $code)"
      return
    fi
  done
  echo "the stage always ended first"
  return 1
}
one_rank='kill -KILL $(pgrep -P $mpi cleave-$name | tail -n 1)'
for name in "${STAGES[@]}"; do
  check "$name: a rank is killed" ended_by "$name" "one rank killed" "$one_rank"
  check "$name: mpirun is killed" ended_by "$name" "mpirun killed" 'kill -KILL $mpi'
  check "$name: asked to end (TERM)" ended_by "$name" "SIGTERM (time limit)" 'kill -TERM $mpi'
done
for name in train compare; do
  check "$name: asked to save (USR1)" ended_by "$name" "SIGUSR1 (preemption)" 'kill -USR1 $(pgrep -P $mpi cleave-$name)'
done

# refused STAGE CODE PATTERN: run, expect the exit code and a message
refused() {
  local name=$1 wanted=$2 pattern=$3 code=0 began
  began=$(now)
  start 3 "$name"
  wait $pid || code=$?
  refused_seconds=$(since "$began")
  refused_seen=$(message $code)
  [ $code -eq "$wanted" ] || { echo "exit $code, wanted $wanted"; cat fault.err; return 1; }
  grep '^cleave: ' fault.err | grep -Eq -- "$pattern" || { echo "no message with $pattern"; cat fault.err; return 1; }
}
bound() { # the run's folder on a small file system of its own: KILOBYTES
  mkdir -p small
  mount -t tmpfs -o "size=$1k" tmpfs small && cp -r run/. small/ && rm -rf run && ln -s small run
}
unbound() {
  rm -f run && mkdir run && cp -r small/. run/ && umount small
}
full_disk() {
  local bad=0
  prepare "$1"
  bound 200000 || return 1
  head -c "$(($(df --output=avail -k small | tail -n 1) * 1024 - 20000))" /dev/zero >small/ballast
  refused "$1" 9 "full|space" || bad=1
  rm -f small/ballast
  unbound
  [ $bad -eq 0 ] && conclude "$1" "full disk" "$refused_seconds" "$refused_seen"
}
read_only() {
  local bad=0
  prepare "$1"
  bound 200000 || return 1
  mount -o remount,ro small
  refused "$1" 5 "[Rr]ead-only" || bad=1
  mount -o remount,rw small
  unbound
  [ $bad -eq 0 ] && conclude "$1" "read-only file system" "$refused_seconds" "$refused_seen"
}
cut_input() {
  local name=$1 path=run/${input[$1]} bad=0
  prepare "$name"
  [ "$name" != harvest ] || path=text.jsonl
  cp "$path" whole
  truncate -s $(($(stat -c %s whole) * 2 / 3)) "$path"
  refused "$name" 6 "${path##*/}" || bad=1
  cp whole "$path"
  [ $bad -eq 0 ] && conclude "$name" "input cut short" "$refused_seconds" "$refused_seen"
}
missing_input() {
  local name=$1 path=run/${input[$1]} bad=0
  prepare "$name"
  [ "$name" != harvest ] || path=text.jsonl
  mv "$path" whole
  refused "$name" 4 "${path##*/}" || bad=1
  mv whole "$path"
  [ $bad -eq 0 ] && conclude "$name" "input missing" "$refused_seconds" "$refused_seen"
}
changed_input() { # after the stage has run: its output is stale, and stays until --force
  local name=$1 bad=0
  rm -rf run && cp -r good run
  case $name in
    harvest) cp text.jsonl whole && echo '{"text": "one more"}' >>text.jsonl ;;
    *) cp "other/${input[$name]}" "run/${input[$name]}" ;;
  esac
  refused "$name" 8 "force|another|other" || bad=1
  case $name in
    harvest) cp whole text.jsonl ;;
    *) cp "good/${input[$name]}" "run/${input[$name]}" ;;
  esac
  [ $bad -eq 0 ] && conclude "$name" "input changed" "$refused_seconds" "$refused_seen"
}
two_runs() { # another process holds the folder's locks
  local name=$1 bad=0
  prepare "$name"
  hold_locks run
  refused "$name" 14 "another run" || bad=1
  kill -KILL $holder
  wait $holder 2>/dev/null
  [ $bad -eq 0 ] && conclude "$name" "another run at work" "$refused_seconds" "$refused_seen"
}
for name in "${STAGES[@]}"; do
  check "$name: input cut short" cut_input "$name"
  check "$name: input missing" missing_input "$name"
  check "$name: input changed" changed_input "$name"
  check "$name: another run at work" two_runs "$name"
done
if mkdir -p small && mount -t tmpfs -o size=64k tmpfs small 2>/dev/null; then
  umount small
  for name in "${STAGES[@]}"; do
    check "$name: full disk" full_disk "$name"
    check "$name: read-only file system" read_only "$name"
  done
else
  echo "no permission to mount a tmpfs: full and read-only disks are left out"
fi
echo
printf '%-9s  %-24s  %7s  %-62s  %s\n' stage fault ended "what was seen" "started again"
cat "$table"
echo "$(wc -l <"$table") faults"
finish
