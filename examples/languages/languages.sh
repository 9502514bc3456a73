#!/usr/bin/env bash
# Do features mean the same in every language? Gemma 3 270M on LibreOffice's help in eight languages.
# usage: examples/languages/languages.sh   (gets the model, which accepts the Gemma Terms of Use; about 15 minutes on 2 cores)
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
here=examples/languages folder=run/languages
examples/install_packages.sh examples/packages.txt
examples/install_packages.sh <(echo python3-h5py)
examples/get_model.sh gemma3 >/dev/null
cmake --preset release >/dev/null
cmake --build --preset release --target programs | tail -n 1
if [ ! -d $folder/help ]; then # unpacked, not installed: nothing else of LibreOffice is needed
  mkdir -p $folder/packages
  (cd $folder/packages && apt-get download libreoffice-help-{en-us,de,ru,el,zh-cn,ja,ko,vi} >/dev/null)
  for package in $folder/packages/*.deb; do dpkg-deb -x "$package" $folder/help; done
fi
$here/pages.py $folder/help/usr/share/libreoffice/help $folder
build/release/bin/cleave run -n 2 $here/run.yaml "$@"
for dictionary in 256 1k 8k; do
  mkdir -p $folder/strongest/$dictionary
  for passages in $folder/passages/*.jsonl; do
    mpirun --oversubscribe -n 2 build/release/bin/cleave-inspect --batch "$passages" --dictionary $dictionary --top 50 \
      --out "$folder/strongest/$dictionary/${passages##*/}" $here/run.yaml
  done
done
$here/shared.py $folder 256 1k 8k
