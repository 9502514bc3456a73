#!/usr/bin/env bash
# The flagship size: 16,384 / 65,536 / 262,144 / 1,048,576 features x 640 with planted families in Gemma Scope 2 layout,
# a twin of the third, 400,000 rows at an L0 near 100; import, encode, compare (all pairs of different size, and the
# twin's), families, report at 2 ranks: seconds and peak memory of each, then the roots against the planted ones.
# usage: tests/bench/flagship.sh FOLDER [--scale 1/16] [--ranks N] [--keep]     FOLDER: must not exist; removed at the
# end unless --keep. At full size: 40 GB of disk, 6 GB of memory to make the files. --scale 1/4^n shrinks everything.
# The last line is `flagship seconds = X, peak = Y GiB, roots right = Z`.
set -euo pipefail
[ $# -ge 1 ] && [ ! -e "$1" ] || { sed -n '2,8s/^# //p' "$0" >&2; exit 2; }
folder=$(realpath -m "$1")
cd "$(dirname "$0")/../.."
scale=1 ranks=2 keep=
shift
while [ $# -gt 0 ]; do
  case $1 in
    --scale) scale=$2; shift 2 ;;
    --ranks) ranks=$2; shift 2 ;;
    --keep) keep=--keep; shift ;;
    *) echo "$1: no such argument" >&2; exit 2 ;;
  esac
done
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_hwloc_base_binding_policy=none
if [ -z "${CLEAVE_BIN:-}" ]; then
  examples/install_packages.sh examples/packages.txt tests/packages.txt >&2
  cmake --preset release >/dev/null
  cmake --build build/release -j "$(nproc)" >/dev/null
  CLEAVE_BIN=build/release/bin
fi
/usr/bin/python3 tests/bench/flagship.py make "$folder" --scale "$scale"
exec /usr/bin/python3 tests/bench/flagship.py run "$folder" "$CLEAVE_BIN" --ranks "$ranks" $keep
