#!/usr/bin/env bash
# cleave-encode and cleave-compare on made-up files: against numpy, at several rank counts, misused.
. "$(dirname "$0")/library.sh"
here="$CLEAVE_SOURCE/tests/stages"
$python "$here/plant_codes.py" run

both() { # RANKS THREADS
  rm -rf run/codes run/neighbours.h5
  stage "$1" encode --threads "$2" run.yaml && cp stage.out encode.out &&
    stage "$1" compare --threads "$2" run.yaml && cp stage.out compare.out
}
sums() {
  $python "$here/checksums.py" run
}
fails() { # CODE WORDS NAME ARGUMENTS...: stops with this exit code and these words in one line
  local code=$1 words=$2 name=$3 found=0
  shift 3
  mpirun -n 2 "$CLEAVE_BIN/cleave-$name" "$@" >stage.out 2>stage.err || found=$?
  [ "$found" -eq "$code" ] && [ "$(grep -c -- "$words" stage.err)" -eq 1 ] ||
    { echo "exit code $found, wanted $code with \"$words\""; cat stage.err; return 1; }
}
same() {
  both "$1" "$2" && sums >now.sums && diff first.sums now.sums
}
narrow() { # tables fit a terminal
  ! grep -qE '.{81}' encode.out compare.out
}

check "encode and compare at 1 rank" both 1 1
sums >first.sums
check "codes and neighbours equal numpy's" $python "$here/check_codes.py" run
check "tables of at most 80 columns" narrow
cat encode.out compare.out
for setting in "2 1" "3 2" "4 1" "8 1"; do
  set -- $setting
  check "the same bytes at $1 ranks, $2 threads" same "$1" "$2"
done
check "a second run says that all is up to date" stage 2 encode run.yaml
check "no file was written again" grep -q "up to date" stage.err
check "other keys need --force" fails 8 "force" encode run.yaml encode.examples=3
check "an unknown --only is refused" fails 2 "no dictionary" encode --only 77 run.yaml
check "--only with --force makes one" stage 2 encode --only 64 --force run.yaml encode.examples=3
check "codes of other settings make compare stale" fails 8 "force" compare run.yaml

of() { # RANKS FEATURES: --of prints what numpy finds
  rm -f run/neighbours.h5
  stage "$1" compare --of "$2" --top 4 run.yaml compare.panel=20 && [ ! -e run/neighbours.h5 ] &&
    $python "$here/check_of.py" run stage.out 4 ${2//,/ }
}
check "--of answers for single features at 1 rank" of 1 300/18
check "--of answers for several at 3 ranks, dead ones too" of 3 64/3,300/5,6/1,300/3,64-b/40
for bad in 64/64 64 7/1 64/ 64/-1 64/1x ,; do
  check "--of $bad is refused" fails 2 "--of" compare --of $bad run.yaml
done
check "nearest features of all but the largest level" stage 2 compare run.yaml compare.self_largest=false
check "and nothing else is missing" $python - <<'PY'
import h5py
with h5py.File("run/neighbours.h5") as file:
    assert sorted(file["self"]) == ["20", "6", "64", "64-b"] and len(file["dictionary"]) == 5, list(file["self"])
PY

rm -rf run/codes run/neighbours.h5
check "compare works without codes" stage 3 compare run.yaml
check "then rows of zero norm alone are dead" $python "$here/check_codes.py" run without
mv run/dictionaries/300.h5 away.h5
check "a missing dictionary names the stage to run" fails 4 "cleave-train" compare run.yaml
mv away.h5 run/dictionaries/300.h5
mv run/activations.h5 away.h5
check "missing activations name the stage to run" fails 4 "cleave-harvest" encode run.yaml
mv away.h5 run/activations.h5
sed -i 's/latents: 300/latents: 301/' run.yaml
check "other latents than declared are refused" fails 12 "declares 301" compare run.yaml
finish
