#!/usr/bin/env bash
# A benchmark against a peer on the same rows with the same threads, in one run.
# usage: tests/bench/run.sh harvest|train|train_large|train_memory|compare|files [arguments]    (see harvest.sh, train.sh, ...)
#        tests/bench/run.sh flagship FOLDER [arguments]    time and memory of the largest case (see flagship.sh)
#        tests/bench/run.sh plan RUN.yaml [arguments]      what cleave plan said against what the run took (see plan.sh)
#        tests/bench/run.sh scaling                        efficiency on 64 and 256 ranks, simulated (see scaling.sh)
# The last line is `NAME ratio = X (PEER VERSION; own GEMM limit Y)`.
set -euo pipefail
case ${1:-} in
  harvest | train | train_large | train_memory | compare | files | scaling | flagship | plan) exec "$(dirname "$0")/$1.sh" "${@:2}" ;;
  *) sed -n '2,7s/^# //p' "$0" >&2; exit 2 ;;
esac
