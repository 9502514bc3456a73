#!/usr/bin/env bash
# cleave-import on a folder of each kind: what was understood, weights that compute what the tools compute, the same bytes
# at any number of ranks, stale and current outputs, what the other stages and the driver leave out.
. "$(dirname "$0")/library.sh"
here="$CLEAVE_SOURCE/tests/stages"
$python "$here/import_check.py" write

sums() { # FOLDER
  $python "$here/checksums.py" "$1" | grep '^dictionaries/'
}
at_ranks() { # RANKS FOLDER
  stage "$1" import run.yaml "folder=$2" && sums "$2" >now.sums && diff first.sums now.sums
}

# What a killed run may have left behind.
mkdir -p run/dictionaries
echo rubbish | tee run/dictionaries/relu.h5.part run/dictionaries/gemma-packed.0.npy.part >/dev/null
check "import at 1 rank" stage 1 import run.yaml
check "says what it understood" test "$(grep -c 'L0 .*stated' stage.err)" -eq 13
check "names latents without a direction" grep -q 'llama: 2 of 448 latents have a decoder row of zeros' stage.err
check "names the next stage that has work" grep -q 'next: .*cleave-encode' stage.err
check "leaves no parts and no unpacked members behind" test -z "$(find . -name '*.part*')"
check "the weights compute what the tools compute" $python "$here/import_check.py" weights run
sums run >first.sums

# And through encode: 1,000 rows.
$python "$here/import_check.py" rows rows.npy
sed 's/^folder: run/folder: encoded/; /pieces/d' run.yaml >encoded.yaml
echo 'import: {activations: rows.npy}' >>encoded.yaml
encoded() {
  stage 2 import encoded.yaml && stage 2 encode encoded.yaml && $python "$here/import_check.py" codes encoded
}
check "encoded rows agree with each tool" encoded
for ranks in ${IMPORT_RANKS:-2 3 4 8}; do
  check "the same bytes at $ranks ranks" at_ranks $ranks "run-$ranks"
done
check "a second run does nothing" stage 2 import run.yaml
check "and says so" test "$(grep -c 'up to date' stage.err)" -eq 13
cp run.yaml other.yaml
echo 'seed: 4' >>other.yaml # of nothing that is imported
check "another seed of the run changes no import" stage 2 import other.yaml
check "another stated L0 does" test "$(mpirun -n 2 "$CLEAVE_BIN/cleave-import" run.yaml dictionaries.llama.l0=5 2>&1 | grep -c -- --force)" -eq 1
check "and is replaced by --force, alone" stage 2 import --force --only llama run.yaml dictionaries.llama.l0=5
check "nothing else was written" test "$(grep -c wrote stage.err)" -eq 1
$python - <<'PY'
import h5py
with h5py.File("run/dictionaries/llama.h5") as file:
    assert file.attrs["stated_l0"] == 5
PY

# Other weights behind the same path.
$python -c 'import foreign; foreign.write_gemma_2("configured", foreign.weights(77, 352))'
check "a changed folder is seen" test "$(mpirun -n 2 "$CLEAVE_BIN/cleave-import" --only gemma-2-config run.yaml 2>&1 | grep -c -- --force)" -eq 1

check "train leaves imports alone" stage 2 train run.yaml
check "and says so" grep -q 'imported ones are not trained' stage.err
check "harvest leaves imported rows alone" stage 2 harvest run.yaml import.activations=rows.npy
check "and says so" grep -q 'the rows are imported' stage.err
printf 'folder: own\ndictionaries:\n  - {name: a, latents: 64}\n' >own.yaml
check "import without imports has nothing to do" stage 2 import own.yaml
check "and says so" grep -q 'no dictionary is imported' stage.err
states() {
  "$CLEAVE_BIN/cleave" status run.yaml import.activations=rows.npy --from "$1" --to "$1" 2>/dev/null
}
check "the driver shows what harvest leaves out" grep -q 'harvest .*not harvested' <(states harvest)
check "the driver shows the state of imports" grep -q 'import .*gated.h5 .*up to date' <(states import)
printf 'folder: twin\ndictionaries:\n  - {name: a, latents: 96, import: standard}\n  - {name: b, latents: 96, control_of: a, import: standard}\n' >twin.yaml
check "a twin that is imported needs no seed of its own" stage 2 import twin.yaml
finish
