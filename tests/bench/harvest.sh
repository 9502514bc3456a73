#!/usr/bin/env bash
# Harvest against Hugging Face transformers: float32, the same GGUF file, layer, contexts and threads, one run.
# usage: tests/bench/harvest.sh [MODEL.gguf [LAYER [CONTEXT]]]      (default: SmolLM2-135M, layer 14, contexts of 128)
# Builds, and installs transformers and torch into a virtual environment of its own (build/bench; some GB the first time).
# The last line is `harvest ratio = X (transformers VERSION; own GEMM limit Y)`: Y is the share of the BLAS's own rate, at
# the same shapes and threads, that cleave reached.
set -euo pipefail
cd "$(dirname "$0")/../.."
examples/install_packages.sh examples/packages.txt tests/packages.txt >&2
model=${1:-$(examples/get_model.sh)}
cmake --preset release >/dev/null
cmake --build build/release --target cleave-harvest gemm_rate -j "$(nproc)" >/dev/null
venv=build/bench/harvest-venv
if [ ! -f "$venv/complete" ]; then
  echo "installing transformers and torch into $venv" >&2
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install -q torch transformers accelerate gguf h5py numpy
  touch "$venv/complete"
fi
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
exec "$venv/bin/python" tests/bench/harvest.py build/release "$model" "${2:-14}" "${3:-128}"
