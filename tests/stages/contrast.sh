#!/usr/bin/env bash
# cleave-contrast: sets that differ and sets that do not, at any number of ranks; one feature by strength; what is asked wrongly.
. "$(dirname "$0")/library.sh"
tiny_inputs 60
for name in harvest train encode; do
  check "$name" stage 2 $name run.yaml train.passes=0.5
done
$python - <<'PY'
import json, os, random
random.seed(4)
lines = [json.loads(line)["text"] for line in open("text.jsonl")]
def write(name, texts):
    with open(name, "w") as file:
        for text in texts:
            file.write(json.dumps({"text": text}) + "\n")
write("plain.jsonl", [text[:60] for text in lines[:30]])
write("loud.jsonl", [text[:60].upper() for text in lines[:30]])
write("shorter.jsonl", [text[:30] for text in lines[:30]])
write("few.jsonl", [text[:60] for text in lines[:6]])
write("mixed.jsonl", [text[:30].upper() + text[30:60] for text in lines[:30]])
os.makedirs("folder")
open("folder/a.txt", "w").write(lines[0][:20])
open("folder/b.txt", "w").write(lines[1] * 20)
PY

contrast() { # RANKS ARGUMENTS...
  stage "$1" contrast run.yaml "${@:2}"
}
column() { # NUMBER: of the lines of features
  grep ' [0-9]*/[0-9]' stage.out | awk "{print \$$1}"
}
apart() {
  contrast 1 --sets loud=loud.jsonl,plain=plain.jsonl --dictionary 160 --top 5 &&
    [ "$(column 2 | wc -l)" -eq 5 ] && [ "$(column 2 | head -1)" = 1.000 ] && grep -q 'measured on the other half' stage.out
}
check "sets that differ are told apart, on texts that were not used to find out" apart
cp stage.out first.out
same() { # RANKS
  contrast "$1" --sets loud=loud.jsonl,plain=plain.jsonl --dictionary 160 --top 5 && diff stage.out first.out
}
many="2 3 8"
[ -z "${SAME_BYTES_FEW:-}" ] || many=3
for ranks in $many; do
  check "the same at $ranks ranks" same $ranks
done
equal() {
  contrast 2 --sets one=few.jsonl,two=few.jsonl --dictionary 48 --top 48 &&
    [ "$(column 2 | sort -u)" = 0.500 ] && [ "$(column 2 | wc -l)" -eq 48 ] && grep -q 'too few texts for two halves' stage.out
}
check "equal sets are not, and few texts are said to be few" equal
sides() {
  contrast 2 --sets a=loud.jsonl,b=mixed.jsonl,c=plain.jsonl --for b,a --against c --all --top 3 &&
    grep -q '^for      a' stage.out && grep -q '^for      b' stage.out && grep -q '^against  c' stage.out &&
    contrast 1 --sets a=loud.jsonl,b=mixed.jsonl,c=plain.jsonl --against c --top 3 && grep -q '^left out b' stage.out
}
check "several sets on a side" sides
# --all: the least of what each pair of sets gives alone.
worst() {
  local a=a=loud.jsonl b=b=mixed.jsonl c=c=plain.jsonl d=d=shorter.jsonl pair
  for pair in "$a,$c" "$a,$d" "$b,$c" "$b,$d"; do
    contrast 1 --sets "$pair" --dictionary 48 --top 48 --out "pair-${pair//[^a-d=]/}.txt" || return 1
  done
  contrast 3 --sets "$a,$b,$c,$d" --for a,b --against c,d --all --dictionary 48 --top 48 --out all.txt && $python - <<'PY'
import glob, re
def areas(path):
    return {m[2]: float(m[1]) for m in re.finditer(r"^  \S+ (\S+) .*? (48/\d+) ", open(path, encoding="utf-8").read(), re.M)}
pairs = [areas(path) for path in glob.glob("pair-*.txt")]
for feature, area in areas("all.txt").items():
    assert area == min(pair[feature] for pair in pairs), feature
assert len(pairs) == 4 and len(areas("all.txt")) == 48
PY
}
check "--all is the worst pair of sets" worst
# By strength: counts add up, both columns of shares run from 0 to 1.
strength() {
  contrast 3 --sets loud=loud.jsonl,plain=plain.jsonl --feature "160/$1" && $python - <<'PY'
import re
rows = [line.split() for line in open("stage.out") if re.match(r"  (from|silent)", line)]
counts = [(int(r[2]), int(r[3])) if r[0] == "from" else (int(r[1]), int(r[2])) for r in rows]
assert sum(c[0] for c in counts) == 30 and sum(c[1] for c in counts) == 30 and len(rows) == 9, counts
assert float(rows[-1][-2]) == 1 and float(rows[-1][-1]) == 0
PY
}
feature=$(sed -n 's/.* 160\/\([0-9]*\) .*/\1/p' first.out | head -1)
check "one feature by strength" strength "$feature"
folders() {
  contrast 2 --sets a=folder,b=few.jsonl --top 2 && grep -q '^1 texts were cut to 64 tokens' stage.out && grep -q 'a: 2 texts' stage.out
}
check "a folder is a set, long texts are cut" folders
narrow() { # the table fits a terminal, and --out holds what is printed otherwise
  contrast 1 --sets loud=loud.jsonl,plain=plain.jsonl --dictionary 160 --top 5 --out answer.txt && ! grep -q 160/ stage.out &&
    cmp answer.txt first.out && [ "$($python -c 'print(max(len(line) for line in open("answer.txt", encoding="utf-8")))')" -le 81 ]
}
check "80 columns, and into a file" narrow
wrong() { # CODE PATTERN ARGUMENTS...
  fails "$1" "$2" - 2 contrast run.yaml "${@:3}"
}
: >empty.jsonl
check "nothing asked" wrong 2 'say what to compare'
check "a feature without its dictionary" wrong 2 'expected NAME/NUMBER' --sets a=few.jsonl,b=loud.jsonl --feature 3
check "one set" wrong 2 'at least two' --sets a=few.jsonl
check "no path" wrong 2 'expected NAME=PATH' --sets a,b
check "a name twice" wrong 2 'named twice' --sets a=few.jsonl,a=loud.jsonl
check "a set that is not there" wrong 4 'none.jsonl' --sets a=few.jsonl,b=none.jsonl
check "an empty set" wrong 12 'empty.jsonl holds no text' --sets a=few.jsonl,b=empty.jsonl
check "an unknown name" wrong 2 'there is no set "c"' --sets a=few.jsonl,b=loud.jsonl --for c
check "both sides" wrong 2 'both sides' --sets a=few.jsonl,b=loud.jsonl --for a --against a,b
check "nothing left" wrong 2 'no set is left' --sets a=few.jsonl,b=loud.jsonl --for a,b
check "no such feature" wrong 2 'features 0 to 159' --sets a=few.jsonl,b=loud.jsonl --feature 160/160
check "no such dictionary" wrong 2 'no such dictionary' --sets a=few.jsonl,b=loud.jsonl --dictionary x
finish
