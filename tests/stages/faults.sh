#!/usr/bin/env bash
# One rank fails alone at every agreement point of every stage (TEAM_FAULT=rank:nth, debug builds): the same non-zero
# exit code from mpirun, one message of ours, no final file, and nothing hangs.
. "$(dirname "$0")/library.sh"
tiny_inputs 40
ranks=2
whole=(harvest train encode compare families report)
declare -A output=([import]=activations.h5 [harvest]=activations.h5 [train]=dictionaries [encode]=codes [compare]=neighbours.h5
  [families]=families.h5 [report]=report)
small=(train.passes=0.2 train.window=512)

# fault_fails STAGE RANK NTH: 0 when the fault was met and handled, 1 when not handled, 2 when there is no NTH point.
fault_fails() {
  local code=0
  rm -rf fault
  cp -r run fault
  rm -rf "fault/${output[$1]}"
  TEAM_FAULT=$2:$3 timeout 20 mpirun -n $ranks "$CLEAVE_BIN/cleave-$1" run.yaml folder=fault "${small[@]}" >out 2>err || code=$?
  [ $code -ne 0 ] || return 2
  if [ $code -ne 13 ] || [ "$(grep -c '^cleave: ' err)" -ne 1 ] || [ -n "$(find fault -name '*.part*' -o -name '*.unpacked')" ]; then
    echo "cleave-$1, rank $2, agreement $3: exit code $code"
    cat err
    find fault -name '*.part*' -o -name '*.unpacked'
    return 1
  fi
}

# Every point is met by rank 1 or rank 0 in turn; long stages repeat the same points, so the step widens after
# FAULT_STEP_AFTER (6; set it to 100000 to meet every point).
all_points() {
  local nth=1 met=0 result
  while :; do
    result=0
    fault_fails "$1" $((nth % ranks)) $nth || result=$?
    [ $result -ne 1 ] || return 1
    [ $result -ne 2 ] || break
    met=$((met + 1))
    nth=$((nth + (nth < ${FAULT_STEP_AFTER:-6} ? 1 : 1 + nth / 4)))
  done
  echo "     $1: $met points failed in turn, up to agreement $nth"
  [ $met -gt 3 ]
}

mkdir -p run
for name in "${whole[@]}"; do
  check "$name survives a failing rank at its agreement points" all_points "$name"
  stage $ranks "$name" run.yaml "${small[@]}"
done

$python "$CLEAVE_SOURCE/tests/stages/import_made.py" plant
mv run harvested
mkdir run
cat >run.yaml <<'YAML'
folder: run
harvest: {norm_limit: 0}
import: {activations: rows.npy, tokens: tokens.npy, documents: documents.npy}
dictionaries:
  - {name: d, latents: 96, import: params, codes: codes.npz}
YAML
check "import survives a failing rank at its agreement points" all_points import
finish
