#!/usr/bin/env bash
# Is there a feature for errors in code? SmolLM2-135M on Python, C and prose, with and without typos.
# usage: examples/code_errors/code_errors.sh   (about 12 minutes on 2 cores)
set -euo pipefail
cd "$(dirname "$0")/../.."
if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
here=examples/code_errors folder=run/code_errors bin=build/release/bin
examples/install_packages.sh examples/packages.txt
examples/get_model.sh >/dev/null
cmake --preset release >/dev/null
cmake --build --preset release --target programs | tail -n 1
mkdir -p $folder/packages
[ -d $folder/man ] || (cd $folder/packages && apt-get download manpages-dev >/dev/null && dpkg-deb -x manpages-dev_*.deb ../man)
$here/snippets.py $folder/man/usr/share/man $folder
$bin/cleave run -n 2 --to encode $here/run.yaml "$@"

sets=
for name in python_error c_error python c prose_typo prose; do sets+=,$name=$folder/$name.jsonl; done
ask() { mpirun --oversubscribe -n 2 $bin/cleave-"$1" "${@:2}" $here/run.yaml; }
for dictionary in 1k 8k; do
  echo "== $dictionary: fires on errors in code, not on the same code without, nor on typos in prose"
  ask contrast --sets "${sets:1}" --for python_error,c_error --against python,c,prose_typo,prose --all --top 5 \
    --dictionary $dictionary --out $folder/$dictionary.txt
  cat $folder/$dictionary.txt
done
best=$(grep -o '8k/[0-9]*' $folder/8k.txt | head -n 1)
for pair in python_error,python c_error,c prose_typo,prose; do
  echo "== $best: ${pair/,/ against }"
  wrong=${pair%,*} clean=${pair#*,}
  ask contrast --sets "$wrong=$folder/$wrong.jsonl,$clean=$folder/$clean.jsonl" --feature "$best"
done
echo "== what clamping $best does to the continuation of a correct program"
ask steer --clamp "$best=2" --sweep 0,1,2,4 --tokens 40 --prompt '>>> def double(number):
...     return 2 * number
...
>>> double(4)
'
