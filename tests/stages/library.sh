# Shared by the tests of the stage programs. Needs CLEAVE_BIN (folder of the programs) and CLEAVE_SOURCE.
set -euo pipefail
: "${CLEAVE_BIN:?folder of the stage programs}" "${CLEAVE_SOURCE:?folder of the source}"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
python=/usr/bin/python3
export PYTHONPATH="$CLEAVE_SOURCE/tests/stages" PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# tiny_inputs: model, text and run.yaml of a run in seconds, in the current folder.
tiny_inputs() {
  $python "$CLEAVE_SOURCE/tests/stages/tiny_model.py" tiny.gguf
  $python "$CLEAVE_SOURCE/tests/stages/tiny_text.py" text.jsonl "${1:-120}"
  cp "$CLEAVE_SOURCE/tests/stages/tiny.yaml" run.yaml
}

# stage RANKS NAME ARGUMENTS...: one stage program; its stderr is shown when it fails. The first run of each program
# looks for leaks as well (sanitizers).
declare -A watched
stage() {
  local ranks=$1 name=$2 options=${ASAN_OPTIONS:-}
  shift 2
  [ -n "${watched[$name]:-}" ] || options=${LEAK_OPTIONS:-}
  watched[$name]=1
  if ! ASAN_OPTIONS=$options mpirun -n "$ranks" "$CLEAVE_BIN/cleave-$name" "$@" >stage.out 2>stage.err; then
    echo "cleave-$name at $ranks ranks failed:"
    cat stage.out stage.err
    return 1
  fi
}

passed=0
failed=0
# check NAME COMMAND...: count a fact.
check() {
  local name=$1
  shift
  if "$@"; then
    passed=$((passed + 1))
    echo "ok   $name"
  else
    failed=$((failed + 1))
    echo "FAIL $name"
  fi
}

# fails CODE PATTERN FINAL RANKS PROGRAM ARGUMENTS...: the program ends with CODE within 10 s, prints exactly one line
# "cleave: ..." that matches PATTERN, and leaves neither FINAL nor a .part ("-": no file is at stake).
fails() {
  local code=$1 pattern=$2 final=$3 ranks=$4 name=$5 got=0
  shift 5
  ASAN_OPTIONS=${LEAK_OPTIONS:-} timeout "${ERROR_SECONDS:-30}" mpirun -n "$ranks" "$CLEAVE_BIN/cleave-$name" "$@" >out 2>err ||
    got=$?
  if [ "$got" -ne "$code" ]; then
    echo "exit code $got, expected $code"
  elif [ "$(grep -c '^cleave: ' err)" -ne 1 ]; then
    echo "expected one line of ours"
  elif ! grep '^cleave: ' err | grep -Eq -- "$pattern"; then
    echo "the message does not match $pattern"
  elif [ "$final" != - ] && [ -e "$final" ]; then
    echo "$final appeared"
  elif [ -n "$(find . -name '*.part*')" ]; then
    echo "left behind: $(find . -name '*.part*')"
  else
    return 0
  fi
  cat err
  return 1
}

# hold_locks FOLDER: another process holds all locks of a run's folder; its pid in $holder.
hold_locks() {
  mkdir -p "$1/logs"
  : >holder.out
  $python - "$1" >holder.out <<'PY' &
import fcntl, sys, time
with open(sys.argv[1] + "/logs/lock", "a") as file:
    fcntl.lockf(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    time.sleep(600)
PY
  holder=$!
  until grep -q locked holder.out; do sleep 0.02; done
}

# finish: the closing line and the exit code.
finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
