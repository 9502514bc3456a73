#!/usr/bin/env bash
# What a user meets when something is wrong: one clear message of ours on standard error, the same non-zero exit code,
# within 10 s, and no final file.
. "$(dirname "$0")/library.sh"
tiny_inputs

# harvest_fails NAME CODE PATTERN ARGUMENTS...
harvest_fails() {
  local name=$1 code=$2 pattern=$3
  shift 3
  check "$name" fails "$code" "$pattern" run/activations.h5 2 harvest run.yaml "$@"
}

head -c 100000 tiny.gguf >truncated.gguf
(printf 'GGML' && tail -c +5 tiny.gguf) >magic.gguf
$python "$CLEAVE_SOURCE/tests/stages/tiny_model.py" other.gguf mamba
: >empty.jsonl
printf '{"text": "good"}\n{"text": \n' >broken.jsonl
printf '\xff\xfe\x00' >bytes.txt

harvest_fails "a truncated model names file and remedy" 6 'truncated.gguf' harvest.model=truncated.gguf
harvest_fails "a wrong magic" 6 'magic.gguf.*(GGUF|magic)' harvest.model=magic.gguf
harvest_fails "an unsupported architecture is named" 7 "mamba" harvest.model=other.gguf
harvest_fails "a missing model" 4 'nothere.gguf' harvest.model=nothere.gguf
harvest_fails "a layer beyond the model" 3 'layer' harvest.layer=3
harvest_fails "missing text" 4 'nothere.txt' harvest.text=nothere.txt
harvest_fails "empty text" 12 'empty.jsonl|no ' harvest.text=empty.jsonl
harvest_fails "broken JSON names file and line" 6 'broken.jsonl:2' harvest.text=broken.jsonl
harvest_fails "bytes that are not UTF-8" 6 'bytes.txt' harvest.text=bytes.txt

sed 's/  layer: 1/  layr: 1/' run.yaml >typo.yaml
sed 's/  k: 6/  k: 0/' run.yaml >range.yaml
sed 's/  k: 6/  k: six/' run.yaml >type.yaml
printf 'folder: [run\n' >yaml.yaml
check "an unknown key names file, line and the key that was meant" \
  fails 3 "typo.yaml:$(grep -n layr typo.yaml | cut -d: -f1).*layr.*harvest.layer" run/activations.h5 2 harvest typo.yaml
check "a value out of range names file, line and range" \
  fails 3 "range.yaml:$(grep -n 'k: 0' range.yaml | cut -d: -f1).*train.k.*1 .. 4096" run/activations.h5 2 train range.yaml
check "a value of a wrong type names file and line" \
  fails 3 "type.yaml:$(grep -n 'k: six' type.yaml | cut -d: -f1).*train.k" run/activations.h5 2 train type.yaml
check "broken YAML names file and line" fails 3 'yaml.yaml:[0-9]+' run/activations.h5 2 harvest yaml.yaml
{ printf 'folder: run\ndictionaries:\n' && printf '  - {name: "%s", latents: %s}\n' $(for i in $(seq 17); do echo $i $((16 * i)); done); } >levels.yaml
check "more levels than a report can show" fails 3 'levels.yaml:.*at most 16 levels' - 1 train levels.yaml
check "a missing run.yaml" fails 4 'nothere.yaml' run/activations.h5 2 harvest nothere.yaml
check "an unknown flag" fails 2 '--frobnicate' run/activations.h5 2 harvest --frobnicate run.yaml
check "an unknown override" fails 3 'train.bacth' - 2 train run.yaml train.bacth=3

check "train before harvest names cleave-harvest" fails 4 'cleave-harvest' run/dictionaries/48.h5 2 train run.yaml
stage 2 harvest run.yaml
check "encode before train names cleave-train" fails 4 'cleave-train' run/codes/48.h5 2 encode run.yaml
stage 2 train run.yaml
check "families before compare names the stage to run" fails 4 'cleave-(compare|encode)' run/families.h5 2 families run.yaml
stage 2 encode run.yaml
stage 2 compare run.yaml
cp run/effective.yaml made.yaml
check "report before families names cleave-families" fails 4 'cleave-families' run/report 2 report run.yaml
check "other settings without --force are refused" fails 8 '--force' - 2 encode run.yaml encode.examples=5
check "and effective.yaml stays that of what was made" cmp -s run/effective.yaml made.yaml
stage 2 families run.yaml

# shorten FILE: keep the first two thirds.
shorten() {
  mkdir -p "$(dirname "cut/$1")"
  head -c $(($(stat -c %s "run/$1") * 2 / 3)) "run/$1" >"cut/$1"
}
cut_fails() { # FILE FINAL STAGE
  rm -rf cut
  cp -r run cut
  rm -rf "cut/$2"
  shorten "$1"
  fails 6 "$1" "cut/$2" 3 "$3" run.yaml folder=cut
}
check "truncated activations" cut_fails activations.h5 dictionaries/48.h5 train
check "a truncated dictionary" cut_fails dictionaries/160.h5 codes/160.h5 encode
check "truncated codes" cut_fails codes/160.h5 families.h5 families
check "truncated neighbours" cut_fails neighbours.h5 families.h5 families
check "a truncated families.h5" cut_fails families.h5 report report

# Two runs in one folder: the second is told so; when the first has ended, however it ended, it may go on.
two_runs() {
  local result=0
  hold_locks twice
  fails 14 "another run is making it .process $holder." twice/activations.h5 2 harvest run.yaml folder=twice || result=1
  mpirun -n 1 "$CLEAVE_BIN/cleave-harvest" --check run.yaml folder=twice >check.out 2>/dev/null || true
  grep -q 'being made' check.out || result=1
  kill -KILL $holder
  wait $holder 2>/dev/null
  [ $result -eq 0 ] && stage 2 harvest run.yaml folder=twice
}
check "two runs in one folder" two_runs

# A full disk, at 1 to 4 ranks: a small tmpfs that cannot hold the output.
full_disk() { # RANKS STAGE FINAL KILOBYTES
  mkdir -p full
  mount -t tmpfs -o "size=${4}k" tmpfs full || return 1
  cp -r run/. full/ 2>/dev/null || true
  local done=0
  rm -rf "full/${3:?}"
  head -c "$(($(df --output=avail -k full | tail -n 1) * 1024 - ${5:-20000}))" /dev/zero >full/ballast 2>/dev/null || true
  fails 9 'full|space' "full/$3" "$1" "$2" run.yaml folder=full || done=1
  umount full
  return $done
}
if mkdir -p full && mount -t tmpfs -o size=64k tmpfs full 2>/dev/null; then
  umount full
  for ranks in ${FULL_RANKS:-1 2 3 4}; do
    check "a full disk in harvest at $ranks ranks" full_disk $ranks harvest activations.h5 20000
    check "a full disk in train at $ranks ranks" full_disk $ranks train dictionaries/48.h5 20000
    check "a full disk in encode at $ranks ranks" full_disk $ranks encode codes/48.h5 20000
    check "a full disk in compare at $ranks ranks" full_disk $ranks compare neighbours.h5 20000
    check "a full disk in families at $ranks ranks" full_disk $ranks families families.h5 20000
  done
else
  echo "no permission to mount a tmpfs: the full-disk tests are left out"
fi
finish
