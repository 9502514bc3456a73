#!/bin/sh
# A full disk, small enough to fill: full_disk.sh PROGRAM
folder=$(mktemp -d) || exit 1
trap 'umount "$folder" 2>/dev/null; rmdir "$folder"' EXIT
if ! mount -t tmpfs -o size=8m cleave "$folder" 2>/dev/null; then
  echo "skipped: only root may mount a tmpfs"
  exit 77
fi
"$1" "$folder"
