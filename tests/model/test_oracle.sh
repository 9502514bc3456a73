#!/usr/bin/env bash
# The SmolLM2 half of the oracle, as a test: test_oracle.sh PROGRAM FIXTURE.json. The model: $CLEAVE_MODEL, or where
# examples/get_model.sh puts it. Exits with 77 (skipped) where there is none.
set -eu
model=${CLEAVE_MODEL:-$CLEAVE_SOURCE/build/models/SmolLM2-135M-Instruct.Q4_1.gguf}
if [ ! -f "$model" ]; then
  echo "no model at $model: run examples/get_model.sh"
  exit 77
fi
exec "$1" "$model" "$2"
