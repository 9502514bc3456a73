#!/usr/bin/env bash
# The paper's sizes as Slurm jobs: jobs/paper.yaml on 16 nodes of 512 GB and 96 cores.
# usage: jobs/paper.sh [options of sbatch ...]
PLAN_TIMES
set -euo pipefail
cd "$(dirname "$0")/.."
exec build/release/bin/cleave submit --nodes 16 -n 128 --threads 12 jobs/paper.yaml -- --exclusive "$@"
