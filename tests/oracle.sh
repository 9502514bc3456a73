#!/usr/bin/env bash
# Compare the model floor with the numbers of other implementations. Builds what it needs; works from a clean clone.
# usage: tests/oracle.sh MODEL.gguf FIXTURE.json
#        (fixtures: tests/data/oracle_smollm2.json and oracle_gemma3.json, or any file of the form that tests/model/oracle.c
#        describes). One line a text; exit code 1 on any difference.
set -euo pipefail
if [ $# -ne 2 ]; then
  sed -n '2,5s/^# //p' "$0" >&2
  exit 2
fi
model=$(realpath -e "$1")
fixture=$(realpath -e "$2")
source=$(realpath "$(dirname "$0")/..")
build=$source/build/release
log=$(mktemp)
trap 'rm -f "$log"' EXIT

"$source/examples/install_packages.sh" "$source/examples/packages.txt" >&2
(cd "$source" && cmake --preset release && cmake --build "$build" --target oracle -j "$(nproc)") >"$log" 2>&1 ||
  { tail -n 40 "$log" >&2; exit 1; }
OPENBLAS_NUM_THREADS=1 "$build/checks/oracle" "$model" "$fixture"
