#!/usr/bin/env bash
# Memory of training: flat over a long run, and what `cleave plan` said beforehand. Prints what each rank holds resident at ten
# points of the run, its peak, and the plan's figure.
# usage: tests/bench/train_memory.sh ACTIVATIONS.h5 [LATENTS [BATCH [PASSES [key.path=value ...]]]] [--resume]
#        default: 4,096 latents, batches of 128 rows, as many passes as make 10,000 steps; 2 ranks of 1 thread
#        --resume: told to save and stop halfway, run again, encoded: what it explains, how much is dead
# A million latents: tests/bench/train_memory.sh run/quickstart/activations.h5 1048576 1024 1 --resume    (60 GB of disk)
# The last line is `train-memory ratio = X (plan Y MB; growth Z MB from the second tenth to the ninth)`: X is the largest
# rank's peak over the plan's figure for it.
set -euo pipefail
cd "$(dirname "$0")/../.."
examples/install_packages.sh examples/packages.txt tests/packages.txt >&2
cmake --preset release >/dev/null
cmake --build build/release --target programs -j "$(nproc)" >/dev/null
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
exec /usr/bin/python3 tests/bench/train_memory.py build/release/bin "$@"
