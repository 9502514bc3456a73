#!/usr/bin/env bash
# Imported dictionaries against the tool that saved them: sae-lens saves a folder of each architecture (640 wide, 4,096
# latents), cleave imports it and encodes 1,000 rows; latents and reconstructions against sae-lens' own encode and decode,
# to 1e-4. Scores within the rounding of two float32 sums of their threshold (of the k-th score) are counted and left out.
# Builds, and installs sae-lens into a virtual environment of its own (build/bench/train-venv, shared with train.sh; some
# GB the first time). usage: tests/bench/import.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
examples/install_packages.sh examples/packages.txt tests/packages.txt >&2
cmake --preset release >/dev/null
cmake --build build/release --target cleave-import cleave-encode -j "$(nproc)" >/dev/null
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
venv=build/bench/train-venv
if [ ! -f "$venv/complete" ]; then
  echo "installing sae-lens into $venv" >&2
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install -q sae-lens h5py numpy
  touch "$venv/complete"
fi
folder=build/bench/import
rm -rf "$folder"
mkdir -p "$folder"
exec "$venv/bin/python" tests/bench/import.py build/release/bin "$folder"
