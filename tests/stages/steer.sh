#!/usr/bin/env bash
# cleave-steer: a feature held as it is changes nothing, zero removes, the same at any number of ranks, batches, removal one by
# one, and what is asked wrongly.
. "$(dirname "$0")/library.sh"
tiny_inputs 60
for name in harvest train encode; do
  check "$name" stage 2 $name run.yaml train.passes=0.5
done
# the features of 160 that fire most often
ids=$($python -c "
import h5py, numpy as np
with h5py.File('run/codes/160.h5') as file:
    print(*np.argsort(-file['firings'][:])[:3])")
read -r first second third <<<"$ids"

steer() { # RANKS ARGUMENTS...
  stage "$1" steer run.yaml "${@:2}"
}
text_of() { # HEAD
  grep "^$1 " stage.out | cut -c 10-
}
as_it_is() { # ARGUMENTS...
  steer 2 --prompt "the king of the sea" --clamp "160/$first=now,160/$second=now" --tokens 12 "$@" &&
    [ -n "$(text_of plain)" ] && [ "$(text_of plain)" = "$(text_of clamped)" ] &&
    grep -q 'the plain text +0.000' stage.out
}
check "held as they are: the same text and losses" as_it_is
check "in a random direction too" as_it_is --random
moves() {
  steer 1 --prompt "the king of the sea" --clamp "160/$first=1,512/7=0" --sweep 0,2,-10,10 --tokens 12 &&
    [ "$(grep -c '^x ' stage.out)" -eq 4 ] && [ "$(text_of 'x 10   ')" != "$(text_of plain)" ]
}
check "far enough, the text moves" moves
cp stage.out first.out
same() { # RANKS
  steer "$1" --prompt "the king of the sea" --clamp "160/$first=1,512/7=0" --sweep 0,2,-10,10 --tokens 12 &&
    diff stage.out first.out
}
many="2 3 8"
[ -z "${SAME_BYTES_FEW:-}" ] || many=3
for ranks in $many; do
  check "the same at $ranks ranks" same $ranks
done
drawn() {
  steer 1 --prompt "of" --clamp "160/$first=1" --temperature 1 --seed 5 --tokens 20 && cp stage.out drawn.out &&
    steer 2 --prompt "of" --clamp "160/$first=1" --temperature 1 --seed 5 --tokens 20 && diff stage.out drawn.out &&
    steer 1 --prompt "of" --clamp "160/$first=1" --temperature 1 --seed 6 --tokens 20 && ! diff -q stage.out drawn.out
}
check "drawn tokens follow the seed" drawn
late() {
  steer 1 --prompt "the king of the sea" --clamp "160/$first=10" --from 1000 --tokens 8 && grep -q 'the plain text +0.000' stage.out
}
check "from a position that is never reached: nothing changes" late
ablated() {
  steer 1 --prompt "the king of the sea" --ablate 6 --dictionary 160 && cp stage.out ablated.out &&
    steer 3 --prompt "the king of the sea" --ablate 6 --dictionary 160 && diff stage.out ablated.out &&
    [ "$(grep -c ' 160/' stage.out)" -eq 6 ]
}
check "features removed one by one, at 1 and 3 ranks alike" ablated
named() {
  steer 1 --prompt "the king of the sea" --ablate 3 --target " the" && grep -q '^next token " the": log P -' stage.out
}
check "a target of one's own" named

cat >batch.jsonl <<LINES
{"prompt": "the sea", "clamp": "160/$first=2", "tokens": 6}

{"prompt": "a \"quoted\" king\n\u20ac", "clamp": "160/$second=now, 512/3=0", "sweep": "0 5", "random": true, "seed": 3, "from": 1, "temperature": 0.5}
LINES
cat >batch.py <<'PY'
import json
lines = [json.loads(line) for line in open("answers.jsonl")]
one, two = lines
assert one["prompt"] == "the sea" and one["clamps"][0]["times"] == 2 and len(one["texts"]) == 1
assert two["prompt"] == 'a "quoted" king\n€' and two["random"] and [t["times"] for t in two["texts"]] == [0, 5]
assert two["clamps"][0]["times"] is None and one["plain_loss"] > 0 and one["texts"][0]["plain_text_clamped_loss"] > 0
PY
batch() {
  steer 2 --batch batch.jsonl --out answers.jsonl --tokens 4 && $python batch.py && [ ! -s stage.out ]
}
check "a batch" batch
wrong() { # CODE PATTERN ARGUMENTS...
  fails "$1" "$2" - 2 steer run.yaml "${@:3}"
}
echo '{"prompt": "x", "clamp": "160/1=1", "colour": 3}' >wrong.jsonl
echo '{"prompt": "x", ' >broken.jsonl
echo '{"prompt": "x", "clamp": "160/1=1", "tokens": 9223372036854775807}' >long.jsonl
printf '{"prompt": "x", "clamp": "160/1=1"}\n\0\n' >zero.jsonl
check "more tokens than can be" wrong 6 'long.jsonl:1: "tokens".*size' --batch long.jsonl
check "a zero byte in a batch" wrong 6 'zero.jsonl: holds a zero byte' --batch zero.jsonl
check "an unknown key of a batch" wrong 6 'wrong.jsonl:1: "colour" is no key' --batch wrong.jsonl
check "a line that is no JSON" wrong 6 'broken.jsonl:1: ' --batch broken.jsonl
check "a batch that is not there" wrong 4 'none.jsonl' --batch none.jsonl
check "nothing asked" wrong 2 'say what to do' --prompt x
check "no such dictionary" wrong 2 'declares no dictionary 161' --prompt x --clamp 161/1=1
check "no such feature" wrong 2 'features 0 to 159' --prompt x --clamp 160/160=1
check "no number" wrong 2 'expected a number' --prompt x --clamp 160/1=much
check "no clamp" wrong 2 'expected NAME/NUMBER' --prompt x --clamp 160=1
check "a feature twice" wrong 2 'named twice' --prompt x --clamp 160/1=1,160/1=2
check "a temperature below 0" wrong 2 'temperature' --prompt x --clamp 160/1=1 --temperature -1
check "a text beyond the model's contexts" wrong 3 'at most 512' --prompt x --clamp 160/1=now --tokens 600
check "no text" wrong 12 'no text' --prompt "" --clamp 160/1=now
$python -c "
import h5py
with h5py.File('run/codes/512.h5', 'r+') as file:
    file['maximum'][9] = 0"
check "a feature that never fires has no multiple" wrong 12 'fires nowhere' --prompt x --clamp 512/9=2
finish
