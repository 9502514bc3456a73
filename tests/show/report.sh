#!/usr/bin/env bash
# cleave-report and cleave-inspect as users run them, on a toy run. usage: report.sh MAKE_TOY_RUN
source "$CLEAVE_SOURCE/tests/stages/library.sh"
make_toy_run=$1
"$make_toy_run" "$work/run" 30 >/dev/null
cp run/run.yaml run.yaml

sums() { (cd "$1" && find . -type f ! -name stamp -print0 | sort -z | xargs -0 sha256sum | sha256sum); }
same_at_all_ranks() {
  local first="" ranks
  for ranks in 1 2 3 4; do
    stage "$ranks" report --force run.yaml || return 1
    [ -z "$first" ] && first=$(sums run/report)
    [ "$(sums run/report)" = "$first" ] || { echo "other files at $ranks ranks"; return 1; }
  done
}
# fails CODE WORDS RANKS NAME ARGUMENTS...: this exit code, and one line of ours with these words.
fails() {
  local code=$1 words=$2 ranks=$3 name=$4 got=0
  shift 4
  timeout 60 mpirun -n "$ranks" "$CLEAVE_BIN/cleave-$name" "$@" >fails.out 2>fails.err || got=$?
  [ "$got" -eq "$code" ] && [ "$(grep -c '^cleave: ' fails.err)" -eq 1 ] && grep -q -- "$words" fails.err && return 0
  echo "exit code $got instead of $code:"
  cat fails.err
  return 1
}
is_current() { stage 2 report run.yaml && grep -q "is up to date" stage.err; }
state_is() { # WORDS
  mpirun -n 2 "$CLEAVE_BIN/cleave-report" --check run.yaml >check.out 2>/dev/null || true
  grep -q "$1" check.out
}
nothing_left() { [ ! -e run/report.part ] && [ ! -e run/report.part.old ]; }

check "the same files at 1 to 4 ranks" same_at_all_ranks
check "no half-written report is left" nothing_left
check "a second run finds it up to date" is_current
check "--check says so" state_is "up to date"
check "other settings are refused" fails 8 "--force" 2 report run.yaml report.title=other
check "--force replaces it" stage 2 report --force run.yaml report.title=other
check "--check sees the difference" state_is "made with other settings"

mkdir run/training
training_log() { # LINES
  echo step,rows,loss,explained_variance,l0,dead
  for i in $(seq "$1"); do echo "$i,$((64 * i)),$((1000 - i)).5,0.$((100 + i)),32,$((300 - i))"; done
}
curve() {
  training_log 270 >run/training/16.csv
  stage 3 report run.yaml 2>/dev/null && return 1 # another report: --force is asked for
  stage 3 report --force run.yaml || return 1
  $python - <<'PY'
import json, re
run = json.loads(re.search(r"\((?:\"run\", *)?(\{.*\})\)", open("run/report/data/run.js").read(), re.S).group(1))
logs = [one.get("training") for one in run["dictionaries"]]
assert sum(log is not None for log in logs) == 1
log = next(log for log in logs if log)
assert len(log["rows"]) == 200 and log["rows"] == sorted(set(log["rows"])), log["rows"]
assert (log["rows"][-1], log["loss"][-1], log["dead"][-1]) == (270 * 64, 730.5, 30), (log["rows"][-1], log["loss"][-1])
PY
}
broken_log() { # LINE WORDS
  (training_log 3; echo "$1") >run/training/16.csv
  fails 6 "$2" 2 report --force run.yaml && rm run/training/16.csv
}
check "the training log becomes a curve" curve
check "a broken one is named with its line" broken_log 4,256,none,0.2,32,3 "16.csv:5: no number in column loss"
check "so is a short one" broken_log 4,256 "16.csv:5: no number in column"

printf 'dictionary,feature,label\n16,10,"my & label"\n' >labels.csv
check "the user's labels are shown" stage 2 report --force run.yaml report.labels=labels.csv
check "and stand in the table" grep -q 'my & label' run/report/data/families/0/0.js
# Explanations as Neuronpedia exports them: a list, and gzipped lines, the index a number or a text.
mkdir export
printf '[{"index": "10", "description": "a, \\"quoted\\"\\nword"}, {"index": 10, "description": "second"}]' >export/a.json
printf '{"modelId": "m", "index": "3", "description": "lines of a file", "more": 1}\n' | gzip >export/b.jsonl.gz
printf '[{"index": 1}]' >bad.json
from_neuronpedia() {
  local labels="$CLEAVE_SOURCE/examples/neuronpedia_labels.py"
  $python "$labels" made.csv 16=export | grep -q '16: 2 features with a label, 1 further' && ! $python "$labels" made.csv 16=bad.json 2>/dev/null &&
    $python "$labels" made.csv 16=export >/dev/null && stage 2 report --force run.yaml report.labels=made.csv &&
    grep -q 'a, \\"quoted\\" word' run/report/data/families/0/0.js && grep -rq 'lines of a file' run/report/data/feature/16
}
check "explanations of Neuronpedia become labels" from_neuronpedia
sed 's|- {name: 16, |&neuronpedia: "toy/../1", |' run.yaml >link.yaml
check "a name that would break the link is refused" fails 3 "is not MODEL/SOURCE" 2 report --force link.yaml
sed 's|- {name: 16, |&neuronpedia: toy/1-res, |' run.yaml >link.yaml
check "a link to Neuronpedia" stage 2 report --force link.yaml report.labels=labels.csv
check "stands in the page's data" grep -q '"neuronpedia":"toy/1-res"' run/report/data/run.js
printf '16,99,too far\n' >wrong.csv
check "a mistake in labels.csv is named" fails 6 "wrong.csv:1" 3 report --force run.yaml report.labels=wrong.csv
check "the old report stays" grep -q 'my & label' run/report/data/families/0/0.js

rm -rf run/report
mkdir run/report
echo mine >run/report/mine.txt
check "a folder of somebody else is refused" fails 5 "no report of cleave" 2 report --force run.yaml
check "and stays" test -f run/report/mine.txt
rm -r run/report

full_disk() {
  local ranks=$1 got=0
  timeout 60 mpirun -n "$ranks" "$CLEAVE_BIN/cleave-report" small.yaml >full.out 2>full.err || got=$?
  [ "$got" -eq 9 ] && [ ! -e small/report ] && [ ! -e small/report.part ] && [ "$(grep -c '^cleave: ' full.err)" -eq 1 ] &&
    return 0
  echo "exit code $got at $ranks ranks:"
  cat full.err
  return 1
}
mkdir small
if mount -t tmpfs -o size=$(($(du -sk run | cut -f1) + 500))k cleave small 2>/dev/null; then
  trap 'umount "$work/small"; rm -rf "$work"' EXIT
  cp -r run/. small
  sed "s|^folder:.*|folder: $work/small|" run.yaml >small.yaml
  for ranks in 1 2 3 4; do
    check "a full disk at $ranks ranks" full_disk "$ranks"
  done
else
  echo "skipped: only root may mount a small disk"
fi

inspect() { "$CLEAVE_BIN/cleave-inspect" "$@" run.yaml >inspect.out 2>inspect.err; }
plain() { inspect --feature 64/41 --top 3 && grep -q '|9\]\]' inspect.out && ! grep -q $'\x1b' inspect.out; }
colour() { inspect --feature 64/41 --colour && grep -q $'\x1b\[48;2;255;' inspect.out && ! grep -q $'\x1b\[31m' inspect.out; }
narrow() {
  COLUMNS=60 inspect --feature 64/41 &&
    $python -c 'import sys; sys.exit(max(len(line.rstrip("\n")) for line in open("inspect.out", encoding="utf-8")) > 60)'
}
check "inspect marks plainly where there is no terminal" plain
check "inspect colours when asked, and shows a token's escape sequence as text" colour
check "inspect fits the width" narrow
check "inspect at 3 ranks" stage 3 inspect --feature 64/41 run.yaml
check "an id outside the dictionary" fails 2 "0 to 63" 2 inspect --feature 64/64 run.yaml
check "an unknown dictionary" fails 2 "no such dictionary" 2 inspect --feature 65/1 run.yaml
check "nothing asked" fails 2 "--feature" 2 inspect run.yaml
rm run/families.h5 run/neighbours.h5
check "inspect needs the codes alone" inspect --feature 64/41
rm run/codes/64.h5
check "missing codes name the stage" fails 4 "cleave-encode" 2 inspect --feature 64/41 run.yaml
finish
