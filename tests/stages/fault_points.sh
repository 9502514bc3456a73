# Shared by faults.sh and import_faults.sh: one rank fails alone at the agreement points of a stage (TEAM_FAULT=rank:nth,
# debug builds): the same non-zero exit code from mpirun, one message of ours, no final file, nothing left behind,
# nothing hangs. The stage works on a copy of the folder `run`, without its own output.
. "$(dirname "$0")/library.sh"
ranks=2
small=()
declare -A output=([import]=activations.h5 [harvest]=activations.h5 [train]=dictionaries [encode]=codes [evaluate]=evaluation [compare]=neighbours.h5
  [families]=families.h5 [report]=report)

left_behind() {
  find . -name '*.part*' -o -name '*.unpacked'
}

# fault_fails STAGE RANK NTH: 0 when the fault was met and handled, 1 when not handled, 2 when there is no NTH point.
fault_fails() {
  local code=0
  rm -rf fault
  cp -r run fault
  rm -rf "fault/${output[$1]}"
  TEAM_FAULT=$2:$3 timeout 20 mpirun -n $ranks "$CLEAVE_BIN/cleave-$1" run.yaml folder=fault "${small[@]}" >out 2>err || code=$?
  [ $code -ne 0 ] || return 2
  if [ $code -ne 13 ] || [ "$(grep -c '^cleave: ' err)" -ne 1 ] || [ -n "$(left_behind)" ]; then
    echo "cleave-$1, rank $2, agreement $3: exit code $code"
    cat err
    left_behind
    return 1
  fi
}

# all_points STAGE [WIDENING [LEAST]]: all points handled, and more than LEAST (3) met. Every point is met by rank 1 or
# rank 0 in turn; long stages repeat the same points, so after FAULT_STEP_AFTER (6; set it to 100000 to meet every point)
# the step widens, by one part in WIDENING (4).
all_points() {
  local nth=1 met=0 result
  while :; do
    result=0
    fault_fails "$1" $((nth % ranks)) $nth || result=$?
    [ $result -ne 1 ] || return 1
    [ $result -ne 2 ] || break
    met=$((met + 1))
    nth=$((nth + (nth < ${FAULT_STEP_AFTER:-6} ? 1 : 1 + nth / ${2:-4})))
  done
  echo "     $1: $met points failed in turn, up to agreement $nth"
  [ $met -gt "${3:-3}" ]
}
