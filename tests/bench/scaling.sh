#!/usr/bin/env bash
# Training and comparison on machines that nobody has at hand: SimGrid's MPI runs the real code of the exchanges with
# messages of the real sizes on 1 to 256 imagined ranks; time passes where the work would be. tests/scaling/test_step.c holds
# the simulated step against a real one.
# usage: tests/bench/scaling.sh [train|compare|all [64|256|all [2|10|40]]]     (TFLOP/s; default: all; a few minutes each)
# Ranks are nodes of the given rate in 8-bit products; 12.5 GB/s and 2 microseconds between them, 200 GB/s of memory each.
# The last line of all is `scaling ratio = X (256 ranks at 2 TFLOP/s, the worse of train and compare)`: the efficiency.
set -euo pipefail
cd "$(dirname "$0")/../.."
command -v smpicc >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends libsimgrid-dev; } >&2
examples/install_packages.sh examples/packages.txt >&2
exec /usr/bin/python3 tests/bench/scaling.py "$@"
