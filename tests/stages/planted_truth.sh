#!/usr/bin/env bash
# Planted families, from other tools' folders to features.csv through the public programs: are the statuses and
# roots the planted ones? Dictionaries as SAELens and as Gemma Scope 2 folders, codes as CSR .npz; a second oracle
# (the rules in numpy) feature by feature; a harder truth whose figures are reported alone.
# With arguments: tests/stages/planted_truth.sh SEED SIZES WIDTH ROWS (default 1 256,1024,4096 256 40000).
# PLANTED_FEW=1: the first run alone.
. "$(dirname "$0")/library.sh"
planted="$CLEAVE_SOURCE/tests/stages/planted_truth.py"
seed=${1:-1} sizes=${2:-256,1024,4096} width=${3:-256} rows=${4:-40000}

plant() { # FOLDER OPTIONS...
  local folder=$1
  shift
  $python "$planted" "$folder" --seed "$seed" --sizes "$sizes" --width "$width" --rows "$rows" "$@"
}
families() { # FOLDER RANKS: the whole run
  local began=$SECONDS
  "$CLEAVE_BIN/cleave" run -n "$2" --to families "$1/run.yaml" >"$1/run.out" 2>&1 || { cat "$1/run.out"; return 1; }
  echo "$1 at $2 ranks: $((SECONDS - began)) s"
}
agrees() { # FOLDER: with the rules in numpy, but for what their own random null moves over a threshold
  $python "$planted" "$1" --differences --most 0.002
}

plant sae_lens --layout sae_lens
check "from SAELens folders to features.csv" families sae_lens 2
check "at least 95 % of the statuses, 85 % of each, all roots" $python "$planted" sae_lens --judge
[ -z "${PLANTED_FEW:-}" ] || { finish; exit; }
$python "$planted" sae_lens --reference
check "the rules in numpy say the same" agrees sae_lens

plant gemma --layout gemma
check "from Gemma Scope 2 folders to features.csv" families gemma 4
check "the same bytes from either layout, at 2 and 4 ranks" cmp sae_lens/run/features.csv gemma/run/features.csv

echo "A truth where some error is unavoidable, twin of the middle level:"
plant hard --layout gemma --hard --twin 1
check "the hard truth runs" families hard 3
$python "$planted" hard --judge --report
finish
