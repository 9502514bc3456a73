#!/usr/bin/env bash
# All tests: installs what they need, builds, runs. Ends with the count of tests.
# usage: tests/run.sh [debug] [asan] [style]     (default: debug; asan: the same with the sanitizers)
set -euo pipefail
cd "$(dirname "$0")/.."
began=$(date +%s)
examples/install_packages.sh examples/packages.txt tests/packages.txt
CLEAVE_MODEL=$(examples/get_model.sh)
export CLEAVE_MODEL OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
[ $# -gt 0 ] || set -- debug
log=$(mktemp)
trap 'rm -f "$log"' EXIT

passed=0
failed=0
run_preset() { # PRESET CTEST-ARGUMENTS...
  local preset=$1 result=0
  shift
  cmake --preset "$preset" >/dev/null
  cmake --build --preset "$preset" -- --no-print-directory | grep -vE 'Building|Linking|Built target' || true
  cmake --build --preset "$preset" >/dev/null
  ctest --preset "$preset" "$@" 2>&1 | tee "$log" || result=$?
  local ok bad
  ok=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log" || true)
  bad=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*(\*\*\*(Failed|Timeout|Exception)|Not Run)' "$log" || true)
  passed=$((passed + ok))
  failed=$((failed + bad))
  [ $result -eq 0 ] || [ "$bad" -gt 0 ] || failed=$((failed + 1))
}
run_style() {
  local result=0
  tests/house_rules.sh || result=1
  git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror || result=1
  cmake --preset debug -DCMAKE_EXPORT_COMPILE_COMMANDS=ON >/dev/null
  git ls-files 'pipeline/*.c' 'stages/*.c' | xargs -P 2 -n 4 clang-tidy --quiet -p build/debug 2>/dev/null || result=1
  if [ $result -eq 0 ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}
for part in "$@"; do
  case $part in
    debug) run_preset debug ;;
    asan) run_preset asan ;;
    style) run_style ;;
    *) echo "unknown part: $part" >&2; exit 2 ;;
  esac
done
echo "took $(($(date +%s) - began)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
