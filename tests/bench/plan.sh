#!/usr/bin/env bash
# The plan against what a run takes: measures this machine, plans RUN.yaml, runs all its stages, and holds memory, disk, exchanged
# bytes and time of each beside what was said before; then the same with families and report as they are planned once compare has
# ended, when their links and firings are known. Nothing else should use the machine.
# usage: tests/bench/plan.sh RUN.yaml [RANKS [key.path=value ...]]     (2 ranks; the run's folder must hold no results yet)
# For instance: tests/bench/plan.sh examples/quickstart.yaml 2 folder=run/planned
# The last line is `off by at most: memory A %, disk B %, exchanged C %, time D %`. Exit status 1 beyond 10, 2, 30, 30 %.
set -euo pipefail
[ $# -ge 1 ] && [ -f "$1" ] || { sed -n '2,7s/^# //p' "$0" >&2; exit 2; }
yaml=$(realpath "$1") ranks=${2:-2}
shift $(($# < 2 ? $# : 2))
cd "$(dirname "$0")/../.."
examples/install_packages.sh examples/packages.txt tests/packages.txt >&2
cmake --preset release >/dev/null
cmake --build build/release --target programs -j "$(nproc)" >/dev/null
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
cleave=build/release/bin/cleave at=$(mktemp -d)
trap 'rm -r "$at"' EXIT
sync # what was made just before would be written back meanwhile
"$cleave" plan --measure -n "$ranks" "$yaml" "$@" | tee "$at/plan"
run() { "$cleave" run -n "$ranks" "${part[@]}" "$yaml" "$@" 2> >(tee -a "$at/log" >&2) | tee -a "$at/table"; }
part=(--to compare)
run "$@"
"$cleave" plan -n "$ranks" "$yaml" "$@" | tee "$at/later"
part=(--from families)
run "$@"
if grep -q 'up to date' "$at/log"; then
  echo "the run's folder held results already: what was up to date took no time" >&2
  exit 2
fi
against() { /usr/bin/python3 tests/stages/plan_check.py "$1" "$at/log" 0.1 0.02 0.3 "$at/table" 0.3; }
echo "planned before anything was made"
against "$at/plan" || true
{ grep -Ev '^(families|report) ' "$at/plan"; grep -E '^(families|report) ' "$at/later"; } >"$at/both"
echo "families and report planned once compare had ended"
against "$at/both"
