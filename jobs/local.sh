#!/usr/bin/env bash
# All stages of a run on this machine, one after the other: what `cleave run` does, to be read and edited.
# usage: jobs/local.sh RANKS run.yaml [key.path=value ...]
#   environment CLEAVE_BIN  folder of the programs (default: those in PATH)
# Ends at the first stage that fails, with its exit code; run again, it goes on from there: what is up to date says so.
set -u
ranks=$1
shift
for stage in harvest import train encode evaluate compare families report; do
  mpirun --oversubscribe --bind-to none -n "$ranks" "${CLEAVE_BIN:+$CLEAVE_BIN/}cleave-$stage" "$@" || exit $?
done
