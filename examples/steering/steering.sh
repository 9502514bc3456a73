#!/usr/bin/env bash
# Clamp ten features of the quickstart's 8k dictionary. usage: examples/steering/steering.sh   (after examples/quickstart.sh)
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
here=examples/steering out=run/quickstart/steering
examples/install_packages.sh <(echo python3-h5py)
mkdir -p $out
$here/steering.py ask run/quickstart 8k $out/prompts.jsonl
for control in "" --random; do
  mpirun --oversubscribe -n 2 build/release/bin/cleave-steer --batch $out/prompts.jsonl --tokens 30 $control \
    --out "$out/answers$control.jsonl" examples/quickstart.yaml
done
$here/steering.py score $out/answers.jsonl $out/answers--random.jsonl
