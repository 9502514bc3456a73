#!/usr/bin/env bash
# examples/gemma-scope-2/run.yaml as it stands, on small generated files of the same layout: all stages through the driver,
# and the families that the files were made with.
. "$(dirname "$0")/library.sh"
example="$CLEAVE_SOURCE/examples/gemma-scope-2"
read -ra keys <<<"$($python "$example/make_small.py")"

drive() {
  "$CLEAVE_BIN/cleave" run -n 2 "$example/run.yaml" "${keys[@]}" >run.out 2>run.err || { tail -n 20 run.err; return 1; }
}
check "all stages run" drive
check "the driver says what is left out" grep -q 'harvest: activations.h5: not harvested: the rows are imported' run.err
check "a dictionary is understood" grep -q 'import: 1m: Gemma Scope 2 jumprelu, decoder F32 \[2048, 640\], .*after layer 12' run.err
check "what the dictionaries do is what was stated" test "$(grep -c 'wrong layer' run.err)" -eq 0
cat run.out
cat >roots.py <<'PY'
import csv

SIZES = {"16k": 32, "65k": 128, "262k": 512, "1m": 2048}
right, linked, total = 0, 0, 0
for line in csv.DictReader(open("run/gemma-scope-2-small/features.csv")):
    if line["dictionary"] in SIZES and line["dictionary"] != "16k":
        total += 1
        if line["root_dictionary"] == "16k":
            linked += 1
            right += int(line["root"]) == int(line["feature"]) * SIZES["16k"] // SIZES[line["dictionary"]]
print(f"{total} features, {linked} with a root in 16k, {right} of them the one they were made from")
assert total == 128 + 512 + 2048 and right > 0.95 * total and linked == right
PY
check "features go back to the roots they were made from" $python roots.py
check "a second run does nothing" drive
check "and says so" test "$(grep -c 'up to date' run.err)" -ge 13

# The driver and all its processes killed with -9 at random moments, and run again at other numbers of ranks, until it is
# through; anew until there were ten kills (DRIVER_KILLS).
results() { # FOLDER
  $python "$CLEAVE_SOURCE/tests/stages/checksums.py" "$1" && (cd "$1" && sha256sum features.csv families.csv families.jsonl)
}
kills=0
killed_until_through() {
  local pid got tries=0
  rm -rf killed
  while [ ! -e killed/report/index.html ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || return 1
    setsid "$CLEAVE_BIN/cleave" run -n $((1 + RANDOM % 4)) "$example/run.yaml" "${keys[@]}" folder=killed >kill.out 2>kill.err &
    pid=$!
    if [ $kills -lt "${DRIVER_KILLS:-10}" ]; then
      sleep "$((RANDOM % 4)).$((RANDOM % 10))"
      pkill -KILL -s "$pid" && kills=$((kills + 1))
    fi
    got=0
    wait "$pid" 2>/dev/null || got=$?
    [ $got -eq 0 ] || [ $got -eq 137 ] || { tail -n 20 kill.err; return 1; }
  done
  results killed >killed.sums && diff first.sums killed.sums
}
killed_often() {
  RANDOM=3
  while [ $kills -lt "${DRIVER_KILLS:-10}" ]; do
    killed_until_through || return 1
  done
  [ -z "$(find killed -name '*.part*')" ]
}
results run/gemma-scope-2-small >first.sums
check "killed at ten random moments and run again: the same bytes" killed_often
finish
