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
for line in csv.DictReader(open("run/gemma-scope-2/features.csv")):
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
finish
