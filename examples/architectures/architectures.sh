#!/usr/bin/env bash
# Every architecture on the same rows: sparsity, fidelity, dead latents, speed.
# usage: examples/architectures/architectures.sh [NAME...]   (names of architectures.tsv, all by default: 50 minutes on 2 cores)
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
here=examples/architectures folder=run/architectures bin=build/release/bin
examples/install_packages.sh examples/packages.txt
examples/install_packages.sh <(echo python3-h5py)
examples/get_model.sh >/dev/null
cmake --preset release >/dev/null
cmake --build --preset release --target programs | tail -n 1
mkdir -p $folder
[ -e $folder/text.jsonl ] || examples/quickstart_text.py $folder/text.jsonl 3200000
stage() { mpirun --oversubscribe -n 2 $bin/cleave-"$1" "${@:2}" </dev/null; } # else mpirun reads the table below
stage harvest $here/run.yaml

wanted=("$@") shown=()
while IFS=$'\t' read -r name rate settings; do
  [[ $name != \#* ]] || continue
  if [ ${#wanted[@]} -gt 0 ] && ! printf '%s\n' "${wanted[@]}" | grep -qxF -- "$name"; then continue; fi
  one=$folder/${name// /-}
  mkdir -p "$one"
  ln -sfn ../activations.h5 "$one/activations.h5"
  read -ra settings <<<"$settings"
  stage train $here/run.yaml folder="$one" train.rate="$rate" "${settings[@]}"
  stage encode $here/run.yaml folder="$one"
  shown+=("$one")
done <$here/architectures.tsv
$here/table.py "${shown[@]}"
