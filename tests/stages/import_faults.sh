#!/usr/bin/env bash
# One rank fails alone at the agreement points of cleave-import (TEAM_FAULT=rank:nth, debug builds), on a deflated
# .npz, a gated SAELens folder and rows: the same exit code, one message of ours, nothing left behind, nothing hangs.
. "$(dirname "$0")/library.sh"
$python -c "
import foreign, numpy as np
foreign.every_kind('.')
np.save('rows.npy', foreign.rows_for(1000))"
cat >run.yaml <<'YAML'
folder: run
import: {activations: rows.npy}
dictionaries:
  - {name: gated, latents: 256, import: gated}
  - {name: packed, latents: 416, import: packed}
YAML

# met NTH: 0 when the fault was met and handled, 1 when not handled, 2 when there is no such point.
met() {
  local code=0
  rm -rf run
  TEAM_FAULT=$(($1 % 2)):$1 timeout 30 mpirun -n 2 "$CLEAVE_BIN/cleave-import" run.yaml >out 2>err || code=$?
  [ $code -ne 0 ] || return 2
  [ $code -eq 13 ] && [ "$(grep -c '^cleave: ' err)" -eq 1 ] && [ -z "$(find . -name '*.part*')" ] && return 0
  echo "agreement $1: exit code $code"
  cat err
  find run
  return 1
}

# Pieces repeat the same points, so the step widens after FAULT_STEP_AFTER (6; set it to 100000 to meet every point).
all_points() {
  local nth=1 count=0 result=0
  while met $nth || { result=$?; false; }; do
    count=$((count + 1))
    nth=$((nth + (nth < ${FAULT_STEP_AFTER:-6} ? 1 : 1 + nth / 8)))
  done
  echo "     $count points failed in turn, below agreement $nth"
  [ $result -eq 2 ] && [ $count -gt 20 ]
}
check "import survives a failing rank at its agreement points" all_points
finish
