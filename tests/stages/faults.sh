#!/usr/bin/env bash
# One rank fails alone at every agreement point of every stage of a run from model and text (import: import_faults.sh).
. "$(dirname "$0")/fault_points.sh"
tiny_inputs 40
whole=(harvest train encode evaluate compare families report)
small=(train.passes=0.2 train.window=512)

mkdir -p run
for name in "${whole[@]}"; do
  check "$name survives a failing rank at its agreement points" all_points "$name"
  stage $ranks "$name" run.yaml "${small[@]}"
done
small=(train.passes=0.2 train.window=512 train.architecture=batchtopk train.replicas=2)
check "training in groups survives it" all_points train
finish
