#!/usr/bin/env bash
# Archives (parallel HDF5) against plain files on the same disk: activations, dictionaries, checkpoints, written until they are
# on the disk and read when nothing of them is in memory.
# usage: tests/bench/files.sh [FOLDER [MEGABYTES [TURNS [RANKS]]]]     (default: here, 2000, 5, 2)
# The last line is `files ratio = X (plain files on the same disk, N ranks)`: the worst of the six.
set -euo pipefail
cd "$(dirname "$0")/../.."
examples/install_packages.sh examples/packages.txt tests/packages.txt >&2
cmake --preset release >/dev/null
cmake --build build/release --target file_rates -j "$(nproc)" >/dev/null
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
exec mpirun --oversubscribe -n "${4:-2}" build/release/checks/file_rates "${1:-.}" "${2:-2000}" "${3:-5}"
