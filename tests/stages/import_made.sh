#!/usr/bin/env bash
# Rows and codes made elsewhere: as planted, at any number of ranks, and misused.
. "$(dirname "$0")/library.sh"
made="$CLEAVE_SOURCE/tests/stages/import_made.py"
$python "$made" plant
$python "$made" bad
$python "$CLEAVE_SOURCE/tests/stages/tiny_model.py" tiny.gguf

# settings IMPORT DICTIONARY: run.yaml; a dictionary where the second is not empty
settings() {
  printf 'folder: run\nencode: {examples: 5}\nimport: {layer: 12%s}\n' "$1" >run.yaml
  [ -z "$2" ] || printf 'dictionaries:\n  - {name: d, latents: 96, import: params, %s}\n' "$2" >>run.yaml
}
made() { # RANKS IMPORT DICTIONARY KIND [ARGUMENTS...]: imported and as planted
  local ranks=$1 kind=$4
  settings "$2" "$3"
  shift 4
  rm -rf run
  stage "$ranks" import run.yaml "$@" && $python "$made" check run "$kind" &&
    { ! grep -q codes: run.yaml || $python "$made" check_codes run d; }
}
same() { # as made; and the same bytes as in first.sums
  made "$@" && $python "$CLEAVE_SOURCE/tests/stages/checksums.py" run >now.sums && diff first.sums now.sums
}
many='2 3 4 8'
[ -z "${SAME_BYTES_FEW:-}" ] || many=3
beside=', tokens: tokens.npy, documents: documents.npy'

check "rows with tokens and documents" made 1 ", activations: rows.npy$beside" "" rtd
$python "$CLEAVE_SOURCE/tests/stages/checksums.py" run >first.sums
for ranks in $many; do
  check "the same bytes at $ranks ranks" same $ranks ", activations: rows.npy$beside" "" rtd
done
check "the same bytes from .safetensors" same 2 \
  ', activations: rows.safetensors, tokens: tokens.safetensors, documents: documents.npy' "" rtd
stage 2 import run.yaml
check "a second run says that all is up to date" grep -q "activations.h5 is up to date" stage.err
cp rows.npy moved.npy
sed -i 's/rows.safetensors/moved.npy/' run.yaml
check "other bytes of the rows need --force" fails 8 "force" - 2 import run.yaml
check "tokens named by a model's file" made 2 ", activations: rows.npy$beside, vocabulary: tiny.gguf" "" rtdv
check "rows alone: documents of 128 rows" made 3 ', activations: rows.npy' "" r
check "it is said" grep -q "runs of 128 rows" stage.err

check "codes of such rows, compressed CSR" made 1 ", activations: rows.npy$beside" "codes: codes.npz" rtdn harvest.norm_limit=0
check "nothing unpacked is left" test -z "$(find . -name '*.unpacked*')"
$python "$CLEAVE_SOURCE/tests/stages/checksums.py" run >first.sums
for ranks in $many; do
  check "the same bytes at $ranks ranks" same $ranks ", activations: rows.npy$beside" "codes: codes.npz" rtdn harvest.norm_limit=0
done
check "the same from a stored CSR of doubles" same 2 ", activations: rows.npy$beside" "codes: stored.npz" rtdn harvest.norm_limit=0
check "the same from rows, features and values" same 3 ", activations: rows.npy$beside" "codes: codes.safetensors" rtdn \
  harvest.norm_limit=0
stage 2 import run.yaml harvest.norm_limit=0
check "codes too are up to date then" grep -q "codes/d.h5 is up to date" stage.err
check "rows known by their codes alone" made 2 "$beside" "codes: codes.npz" td
check "compare goes on from there" stage 2 compare run.yaml
inspected() {
  stage 2 inspect --feature d/9 run.yaml && grep -q '·\[\[·|9\]\]·' stage.out
}
check "codes with documents alone" made 3 ', documents: documents.npy' "codes: codes.npz" d
check "inspect shows where it fires, without text" inspected

settings ", activations: rows.npy$beside" "codes: codes.npz"
rm -rf run
check "codes of rows that were left out" fails 12 'set harvest.norm_limit to 0' run/codes/d.h5 2 import run.yaml
codes_fail() { # NAME CODE PATTERN FILE
  settings "$beside" "codes: $4"
  check "$1" fails "$2" "$3" run/codes/d.h5 2 import run.yaml
}
rm -rf run
codes_fail "an id out of range" 12 'id.npz: entry 5000: latent 96 of 96' id.npz
codes_fail "a value that is no number" 6 'nan.npz.*element 5000' nan.npz
codes_fail "rows that are not there" 12 'rows.npz.*\[9001, 96\].*9000 rows' rows.npz
codes_fail "a matrix in coordinates" 6 "coo.npz has no array 'feature'.*tocsr" coo.npz
codes_fail "rows out of order" 12 'order.safetensors: entry 30000 is of row 0.*sort by row' order.safetensors
codes_fail "a damaged member" 6 'crc.npz' crc.npz
codes_fail "no file" 4 'nowhere.npz' nowhere.npz
check "nothing unpacked is left" test -z "$(find . -name '*.unpacked*')"

rows_fail() { # NAME CODE PATTERN IMPORT
  settings "$4" ""
  rm -rf run
  check "$1" fails "$2" "$3" run/activations.h5 2 import run.yaml
}
rows_fail "a value that is no number" 6 'nan.npy.*row 6001, column 3' ', activations: nan.npy'
rows_fail "rows that are mostly padding" 12 'padded.npy: 5001 of 9000 rows are zero' ', activations: padded.npy'
rows_fail "rows in one dimension" 6 'flat.npy is F32 \[360000\]' ', activations: flat.npy'
rows_fail "two arrays to choose from" 6 "two.safetensors holds 2 arrays" ', activations: two.safetensors'
rows_fail "documents of other rows" 12 'few.npy is I64 \[8999\], but there are 9000 rows' \
  ', activations: rows.npy, documents: few.npy'
rows_fail "documents that descend" 12 'descending.npy: row 7000 is of document 2' \
  ', activations: rows.npy, documents: descending.npy'
rows_fail "a negative token" 12 'token.npy: row 7000: token -1' ', activations: rows.npy, tokens: token.npy'
rows_fail "tokens without end" 12 'many.npy: row 7000: token 16777216' ', activations: rows.npy, tokens: many.npy'
rows_fail "a token that the vocabulary lacks" 12 'row 7000: token 16777216, but tiny.gguf [0-9]+ tokens' \
  ', activations: rows.npy, tokens: many.npy, vocabulary: tiny.gguf'
rows_fail "a vocabulary without tokens" 3 'vocabulary.*import.tokens' ', activations: rows.npy, vocabulary: x.gguf'
rows_fail "no file" 4 'nowhere.npy' ', activations: nowhere.npy'
finish
