#!/usr/bin/env bash
# Rules of the house that a grep can check. Prints each violation; non-zero exit if there is any.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
ours=$(git ls-files 'pipeline/*.[ch]' 'include/*.h' 'stages/*.[ch]')
tests=$(git ls-files 'tests/*.[ch]' 'examples/*.[ch]')

forbid() { # MESSAGE PATTERN FILES...
  local message=$1 pattern=$2
  shift 2
  if grep -nE -- "$pattern" "$@" /dev/null; then
    echo "^ $message"
    failed=1
  fi
}
without() { # PATTERN: our files whose path does not match
  echo "$ours" | grep -vE "$1"
}

forbid "hdf5.h belongs to store alone" '#include [<"]hdf5\.h' $(without '/store/') $tests
forbid "no exit() in our code: return a status" '(^|[^_a-z])exit\(' $ours
forbid "no rand(): random.h" '(^|[^_a-z])s?rand\(' $ours $tests
forbid "heap memory comes from memory.h" '(^|[^_a-z])(malloc|calloc|realloc|free|strdup)\(' $(without 'base/memory\.c')
forbid "no TODO: build it or leave it out" 'TODO|FIXME' $ours $tests
forbid "no tabs" $'\t' $ours $tests
forbid "libm's functions of kept values differ between CPUs" '(^|[^_a-z])(expf?|logf?|log2f?|log10f?|powf?|cosf?|sinf?|tanhf?)\(' \
  $(without 'model/(transformer|elementwise|rope|attention)')

for file in $ours $tests; do
  lines=$(wc -l <"$file")
  if [ "$lines" -gt 600 ]; then
    echo "$file: $lines lines, at most 600"
    failed=1
  fi
  if awk -v file="$file" 'length($0) > 120 {print file ":" NR ": over 120 columns"; bad = 1} END {exit !bad}' "$file"; then
    failed=1
  fi
done
for header in $(git ls-files 'include/*.h'); do
  if ! grep -qE 'ranks?[: ]|enum|#define SCHEMA' "$header"; then
    echo "$header: says nothing about ranks"
    failed=1
  fi
done
[ $failed -eq 0 ] && echo "house rules: kept"
exit $failed
