#!/usr/bin/env bash
# Speed and memory of training a large dictionary: 65,536 latents, k = 32, batches of 2,048 rows, against SAELens (dense and
# sparse) and dictionary-learning, one after the other, 2 threads each (cleave: 1 rank, which takes least memory).
# Rows: 65,536 Gaussian ones of width 640, and, where ACTIVATIONS.h5 is given, real ones. No latent counts as dead in so short
# a run, for anybody.
# usage: tests/bench/train_large.sh [ACTIVATIONS.h5]
# The last line of each kind of rows is `train-large ratio = X (PEER VERSION; own GEMM limit Y); memory Z`: X is rows per
# second over the fastest peer's, Y the time that the BLAS alone needs for a step's scores in
# float32 over that of our step (above 1: screening in 8 bits is faster), Z our memory over that of the smallest peer. Set DNNL_MAX_CPU_ISA=AVX2, OPENBLAS_CORETYPE=Haswell,
# CLEAVE_LANES=avx2 and ATEN_CPU_CAPABILITY=avx2 for an AVX2 machine.
set -euo pipefail
cd "$(dirname "$0")/../.."
examples/install_packages.sh examples/packages.txt tests/packages.txt >&2
cmake --preset release >/dev/null
cmake --build build/release --target cleave-import cleave-train train_plan -j "$(nproc)" >/dev/null
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
venv=${CLEAVE_BENCH_VENV:-build/bench/train-venv}
if ! "$venv/bin/python" -c 'import sae_lens' 2>/dev/null; then
  echo "installing sae-lens into $venv" >&2
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install -q sae-lens==6.54.12 h5py numpy
fi
# Without what only its activation buffers import (nnsight).
"$venv/bin/pip" show -q dictionary-learning 2>/dev/null || "$venv/bin/pip" install -q --no-deps dictionary-learning==0.1.0 einops
exec "$venv/bin/python" tests/bench/train_large.py build/release "$@"
