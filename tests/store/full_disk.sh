#!/bin/sh
# full_disk.sh WRITER: a full disk gives one message, the same exit code at 1 to 4 ranks and no file,
# and what was reserved can be written even when somebody else fills the rest. Exit 77: no tmpfs.
writer=$1
folder=$(mktemp -d)
trap 'umount "$folder" 2>/dev/null; rmdir "$folder"' EXIT
if ! mount -t tmpfs -o size=2m tmpfs "$folder" 2>/dev/null; then
  echo "skipped: a tmpfs cannot be mounted here"
  exit 77
fi
failures=0

# expect RANKS CODE KILOBYTES FILES [FILLER [NOTES]]: the exit code, and the names left behind
expect() {
  start=$(date +%s)
  timeout 60 mpirun -n "$1" --oversubscribe "$writer" "$folder/x.h5" "$3" $5 $6 2>"$folder.err"
  code=$?
  took=$(($(date +%s) - start))
  lines=$(grep -c '^cleave: ' "$folder.err")
  wanted_lines=$([ "$2" = 0 ] && echo 0 || echo 1)
  files=$(ls "$folder" | tr '\n' ' ')
  if [ "$code" != "$2" ] || [ "$lines" != "$wanted_lines" ] || [ "$files" != "$4" ] ||
    [ "$took" -gt 30 ]; then
    echo "FAILED $*: exit code $code, $lines messages, files '$files', $took s"
    cat "$folder.err"
    failures=$((failures + 1))
  else
    grep '^cleave: ' "$folder.err" || echo "written with $1 ranks"
  fi
  rm -f "$folder"/* "$folder.err"
}

for ranks in 1 2 3 4; do
  expect $ranks 9 4000 ""
  expect $ranks 0 1000 "filler x.h5 " "$folder/filler"
  expect $ranks 9 1000 "filler " "$folder/filler" 200
  head -c 2096000 /dev/zero >"$folder/before" # not even room for HDF5's own metadata
  expect $ranks 9 1 "before "
done
exit $((failures > 0))
