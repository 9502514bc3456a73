#!/usr/bin/env bash
# The paper's sizes as Slurm jobs: jobs/paper.yaml on 16 nodes of 512 GB and 96 cores.
# usage: jobs/paper.sh [options of sbatch ...]
# What the stages take there (cleave plan with the rates of a Xeon's cores, 1.5 GB/s between ranks): memory a rank, time
#   harvest   8.2 TB of activations; as long as your model takes for a billion tokens
#   train     29 GB, 9 days (34M: 5 days); a checkpoint is 3.3 TB, three must fit; requeued at time limits, it goes on
#   encode    16 GB, 5 days (34M: 4 days); give it fewer rows (harvest.rows) if half of 34M features need not be seen
#   compare   3.6 GB, 1 hour; checkpoints itself
#   families  6 GB, 3 days (18 h with families.suggested=0: parents by cosine alone)
#   report    1 GB, minutes; 160 GB on disk
set -euo pipefail
cd "$(dirname "$0")/.."
exec build/release/bin/cleave submit --nodes 16 -n 128 --threads 12 jobs/paper.yaml -- --exclusive "$@"
