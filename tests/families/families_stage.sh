#!/usr/bin/env bash
# cleave-families on planted dictionaries: against the truth and numpy, at several rank counts, misused.
. "$CLEAVE_SOURCE/tests/stages/library.sh"
here="$CLEAVE_SOURCE/tests/families"
"$CLEAVE_BIN/write_planted" run
yaml=run/run.yaml
outputs="families.h5 features.csv families.csv families.jsonl"

sums() { # content of families.h5, bytes of the tables
  $python "$CLEAVE_SOURCE/tests/stages/checksums.py" run | grep -E '^famil|^features'
}
same() { # RANKS: the same bytes
  (cd run && rm -f $outputs) && stage "$1" families $yaml && sums >now.sums && diff first.sums now.sums &&
    diff first.out stage.out
}
few() { # rows of children are gathered
  CLEAVE_CODES=3000 same 2
}
fails() { # CODE WORDS ARGUMENTS...: stops with this exit code and these words in one line
  local code=$1 words=$2 found=0
  shift 2
  mpirun -n 2 "$CLEAVE_BIN/cleave-families" "$@" >stage.out 2>stage.err || found=$?
  [ "$found" -eq "$code" ] && [ "$(grep -c -- "$words" stage.err)" -eq 1 ] ||
    { echo "exit code $found, wanted $code with \"$words\""; cat stage.err; return 1; }
}
missing() { # FILE STAGE: without the file the message names the stage to run, and nothing is written
  mv "run/$1" away
  (cd run && rm -f $outputs)
  local result=0
  fails 4 "cleave-$2" $yaml && ! ls run/families* run/features* >ls.out 2>&1 || result=1
  mv away "run/$1"
  return $result
}

check "families at 1 rank" stage 1 families $yaml
cp stage.out first.out
sums >first.sums
check "statuses, evidence, forest and tables are right" $python "$here/check_families.py" run
check "80 columns" test -z "$(LC_ALL=C.UTF-8 grep -E '.{81}' first.out)"
check "too little text is said" grep -q '^too little text: only 65 %' first.out
check "undertrained is said" grep -q '^undertrained: .* large is 0.200' first.out
check "families in the paper's form" grep -qE '^  small/[0-9]+ ".*" -> [0-9]+ in middle -> [0-9]+ in large' first.out
others="2 3 4 8"
[ -z "${SAME_BYTES_FEW:-}" ] || others=3
for ranks in $others; do
  check "the same bytes at $ranks ranks" same $ranks
done
check "the same bytes where few codes are held at once" few
check "up to date" stage 2 families $yaml
check "says so" grep -q "families.h5 is up to date" stage.err
check "--top prints them all the same" test "$(stage 2 families --top 7 $yaml && grep -c '^  small/' stage.out)" = 7
check "--top wants a number" fails 2 "--top x" --top x $yaml
echo 'small,24,"San Francisco, the city"' >labels.csv
check "labels of the user's" stage 2 families --force --top 50 $yaml report.labels=labels.csv
check "in the list" grep -q 'small/24 "San Francisco, the city" -> ' stage.out
check "in families.jsonl" grep -q '"small/24","label":"San Francisco, the city"' run/families.jsonl
check "and without" stage 2 families --force $yaml
rm run/families.csv
check "a lost table is made again" stage 2 families $yaml
check "the same as before" diff first.sums <(sums)
check "other keys need --force" fails 8 "--force" $yaml families.link=0.5
check "with --force" stage 3 families --force $yaml families.link=0.5
check "a higher link has fewer edges" test "$(grep -c ',split,' run/features.csv)" -lt 900
check "a link above 1 is refused" fails 3 "families.link" $yaml families.link=2
check "no neighbours" missing neighbours.h5 compare
check "no codes" missing codes/large.h5 encode
check "no activations" missing activations.h5 harvest
check "no dictionary" missing dictionaries/large.h5 "train or cleave-import"
check "again" stage 2 families $yaml
check "examples/read_families.py" $python "$CLEAVE_SOURCE/examples/read_families.py" run

"$CLEAVE_BIN/write_planted" bare bare
check "activations without text" stage 3 families bare/run.yaml
check "runs of rows count as documents, and it is said" grep -q '^no document numbers: runs of 100 rows count' stage.out
check "levels of another sparsity and kind are warned of" grep -qE '^other (sparsity|kind): .*large' stage.out
check "the warning stays" $python -c "
import h5py
assert b'other kind: small is topk, large is jumprelu' in h5py.File('bare/families.h5').attrs['warnings']"
check "no tokens, no purity, no labels" test "$(grep -cE ',,[0-9.]*,[01],[a-z ]*,$' bare/families.csv)" -gt 50

"$CLEAVE_BIN/write_planted" gate "middle fires 7 features a row, not 60: wrong layer?"
check "an import that fails its gate is not judged" fails 12 "wrong layer" gate/run.yaml
check "but with --force" stage 2 families --force gate/run.yaml
check "and the sentence stays" grep -q "^middle fires 7 features a row" stage.out
finish
