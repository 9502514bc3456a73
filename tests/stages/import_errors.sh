#!/usr/bin/env bash
# Damaged and hostile dictionary folders: one clear message of ours, the same non-zero exit code, within 10 s, no final
# file, nothing left behind.
. "$(dirname "$0")/library.sh"
$python "$CLEAVE_SOURCE/tests/stages/hostile.py"

# import_fails NAME CODE PATTERN FOLDER; with IMPORT_FEW every third alone
cases=0
import_fails() {
  local name=$1 code=$2 pattern=$3 folder=$4
  cases=$((cases + 1))
  [ -z "${IMPORT_FEW:-}" ] || [ $((cases % 3)) -eq 1 ] || return 0
  printf 'folder: run\ndictionaries:\n  - {name: bad, latents: 64, import: bad/%s}\n' "$folder" >run.yaml
  check "$name" fails "$code" "$pattern" run/dictionaries/bad.h5 3 import run.yaml
}

import_fails "a header longer than the file" 6 'header-beyond-file/params.safetensors.*header' header-beyond-file
import_fails "overlapping tensors" 6 'overlap/params.safetensors.*(overlap|w_dec)' overlap
import_fails "a file that is cut short" 6 'cut/params.safetensors' cut
import_fails "a shape that its bytes do not fill" 6 'wrong-count/params.safetensors.*b_enc' wrong-count
import_fails "a shape beyond all measure" 6 'huge-shape/params.safetensors.*w_dec' huge-shape
import_fails "a matrix of the wrong orientation" 6 'w_enc is F32 \[64, 48\], expected \[48, 64\]' transposed
import_fails "a value that is no number, in the last rank's part" 6 'nan/params.safetensors.*w_dec.*63' nan
import_fails "a threshold that is infinite" 6 'infinite-threshold/params.safetensors.*threshold.*63' infinite-threshold
import_fails "a norm that float32 cannot take" 11 'latent 63 is beyond float32' beyond-float
import_fails "a tensor too many" 6 'tensor surprise has no place' extra-key
import_fails "a tensor too few" 6 'tensor threshold is missing' missing-tensor
import_fails "an unknown architecture" 7 "architecture 'temporal'" unknown-architecture
import_fails "normalised activations name the remedy" 7 'fold_activation_norm_scaling_factor' normalised
import_fails "sizes that the configuration states otherwise" 6 'states 128 latents of width 48' sizes
import_fails "finetuned factors" 7 'scaling_factor of latent 1 ' factors
import_fails "a broken configuration names file and line" 6 'no-json/cfg.json:2' no-json
import_fails "a folder of nothing" 4 'bad/nothing holds no dictionary' nothing
import_fails "no folder at all" 4 'bad/nothere' nothere
import_fails "a member with a way out in its name" 6 'path/params.npz.*b_enc' path
import_fails "a member in a folder" 6 'folder/params.npz.*b_enc' folder
import_fails "numbers in big-endian order" 7 'big-endian/params.npz.*b_enc' big-endian
import_fails "a pickle" 7 'pickle/params.npz.*b_enc' pickle
import_fails "a matrix in Fortran order" 7 'fortran/params.npz.*W_dec' fortran
import_fails "a member shorter than its header says" 6 'short-member/params.npz.*b_enc' short-member
import_fails "a member of another size than the zip says" 6 'wrong-size/params.npz.*threshold' wrong-size
import_fails "a damaged deflated member" 6 'damaged/params.npz' damaged
import_fails "a zip cut short" 6 'cut-zip/params.npz' cut-zip
import_fails "a zip bomb" 6 'bomb/params.npz.*b_enc' bomb

printf 'folder: run\ndictionaries:\n  - {name: bad, latents: 65, import: bad/narrow}\n' >run.yaml
check "other latents than declared names the line" fails 3 'run.yaml:3.*latents: 65, but bad/.*64' run/dictionaries/bad.h5 3 import run.yaml
printf 'folder: run\ndictionaries:\n  - {name: bad, latents: 64, import: bad/narrow, rate: 1e-3}\n' >run.yaml
check "a key of training with an import" fails 3 'run.yaml:3.*rate.*trained here' run/dictionaries/bad.h5 2 import run.yaml
printf 'folder: run\ndictionaries:\n  - {name: bad, latents: 64, codes: x.npz}\n' >run.yaml
check "codes without an import" fails 3 'run.yaml:3.*codes.*imported' run/dictionaries/bad.h5 2 import run.yaml
printf 'folder: run\nharvest: {text: x.txt}\nimport: {activations: x.npy}\n' >run.yaml
check "rows from two places" fails 3 'run.yaml:2.*harvest.text' run/activations.h5 2 import run.yaml
printf 'folder: run\nimport: {documents: x.npy}\ndictionaries:\n  - {name: a, latents: 64, import: bad/narrow}\n' >run.yaml
check "neither rows nor codes" fails 3 "run.yaml:4.*no rows for 'a'" run/dictionaries/a.h5 2 import run.yaml

$python -c "import foreign; foreign.write_gemma_2('bad/wide', foreign.weights(30, 96))"
printf 'folder: run\ndictionaries:\n  - {name: a, latents: 64, import: bad/narrow}\n  - {name: b, latents: 96, import: bad/wide}\n' >run.yaml
check "an unknown --only" fails 2 'no dictionary of that name' run/dictionaries/a.h5 2 import --only c run.yaml
stage 3 import run.yaml
check "dictionaries of different width end in compare" fails 12 'b.h5 is 48 wide, but run/dictionaries/a.h5 24' run/neighbours.h5 \
  3 compare run.yaml
finish
