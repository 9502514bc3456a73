#!/usr/bin/env bash
# Comparing all pairs against FAISS (IndexFlatIP, exact): the k nearest of BASE rows for each of QUERIES rows, 2 threads each;
# cleave finds both directions, FAISS the one. Rows of two kinds: isotropic, and with a power-law spectrum and 1 % of near duplicates.
# usage: tests/bench/compare.sh [QUERIES [BASE [WIDTH [K]]]]      (default 524288 65536 640 32: 10 GB of memory and disk are ample)
# Builds, and installs faiss-cpu into a virtual environment of its own (build/bench/compare-venv). To see what a CPU without VNNI
# or AVX-512 does: DNNL_MAX_CPU_ISA=AVX2 OPENBLAS_CORETYPE=Haswell FAISS_OPT_LEVEL=avx2 CLEAVE_LANES=avx2 in the environment.
# The last line is `compare ratio = X (faiss-cpu VERSION; own GEMM limit Y)`: X is FAISS's time over cleave's on isotropic rows, Y
# the share of cleave's time that its GEMM alone takes. Exit status 1 if any result is wrong.
set -euo pipefail
cd "$(dirname "$0")/../.."
examples/install_packages.sh examples/packages.txt tests/packages.txt >&2
cmake --preset release >/dev/null
cmake --build build/release --target screen_rate -j "$(nproc)" >/dev/null
venv=build/bench/compare-venv
if [ ! -f "$venv/complete" ]; then
  echo "installing faiss-cpu into $venv" >&2
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install -q faiss-cpu==1.15.1 numpy
  touch "$venv/complete"
fi
exec "$venv/bin/python" tests/bench/compare.py build/release/checks/screen_rate build/bench/compare "${@:1:4}"
