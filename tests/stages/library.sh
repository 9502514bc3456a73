# Shared by the tests of the stage programs. Needs CLEAVE_BIN (folder of the programs) and CLEAVE_SOURCE.
set -euo pipefail
: "${CLEAVE_BIN:?folder of the stage programs}" "${CLEAVE_SOURCE:?folder of the source}"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
python=/usr/bin/python3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# tiny_inputs: model, text and run.yaml of a run in seconds, in the current folder.
tiny_inputs() {
  $python "$CLEAVE_SOURCE/tests/stages/tiny_model.py" tiny.gguf
  $python "$CLEAVE_SOURCE/tests/stages/tiny_text.py" text.jsonl "${1:-120}"
  cp "$CLEAVE_SOURCE/tests/stages/tiny.yaml" run.yaml
}

# stage RANKS NAME ARGUMENTS...: one stage program; its stderr is shown when it fails.
stage() {
  local ranks=$1 name=$2
  shift 2
  if ! mpirun -n "$ranks" "$CLEAVE_BIN/cleave-$name" "$@" >stage.out 2>stage.err; then
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

# finish: the closing line and the exit code.
finish() {
  echo "$passed passed, $failed failed"
  [ "$failed" -eq 0 ]
}
