#!/usr/bin/env bash
# Training against SAELens (TopK): the same rows, batches in the same order, steps, rate and schedule, start, AuxK weight,
# dead window and clip; 2 ranks of 1 thread against 2 threads; explained variance of both on held-out rows.
# usage: tests/bench/train.sh [ACTIVATIONS.h5 [LATENTS [PASSES]]]
# default: 300,000 rows of SmolLM2-135M, layer 14, as in the quickstart (harvested once into build/bench/train), 4,096
# latents, 2 passes. Builds, and installs sae-lens into a virtual environment of its own (build/bench/train-venv; some GB
# the first time). The last line is `train ratio = X (sae-lens VERSION; own GEMM limit Y)`: X is rows per second over
# SAELens', Y the share of a step that the BLAS alone needs for the step's scores.
set -euo pipefail
cd "$(dirname "$0")/../.."
examples/install_packages.sh examples/packages.txt tests/packages.txt >&2
cmake --preset release >/dev/null
cmake --build build/release --target cleave-harvest cleave-train train_plan -j "$(nproc)" >/dev/null
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
venv=${CLEAVE_BENCH_VENV:-build/bench/train-venv}
if ! "$venv/bin/python" -c "import sae_lens" 2>/dev/null; then
  echo "installing sae-lens into $venv" >&2
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install -q sae-lens==6.54.12 h5py numpy
fi
activations=${1:-build/bench/train/activations.h5}
if [ $# -eq 0 ] && [ ! -f "$activations" ]; then
  mkdir -p build/bench/train
  model=$(examples/get_model.sh)
  examples/quickstart_text.py build/bench/train/text.jsonl
  mpirun -n 2 build/release/bin/cleave-harvest examples/quickstart.yaml folder=build/bench/train \
    "harvest.model=$model" harvest.text=build/bench/train/text.jsonl >&2
fi
exec "$venv/bin/python" tests/bench/train.py build/release "$activations" "${2:-4096}" "${3:-2}"
