#!/usr/bin/env bash
# cleave-plan: before anything is there, and against what the stages say they took.
. "$(dirname "$0")/library.sh"
tiny_inputs
sed -i 's/^  k: 6$/  k: 6\n  aux_weight: 0/' run.yaml # how much AuxK exchanges depends on who is dead
at=(--ranks 3 --threads 1)

cat >bare.yaml <<'YAML'
folder: bare
seed: 1
dictionaries:
  - {name: 1M, latents: 1048576}
  - {name: 4M, latents: 4194304}
  - {name: 34M, latents: 33554432}
train: {k: 64, batch: 8192, passes: 1}
YAML
paper() { # the paper's sizes, planned on a machine that could not hold them
  stage 1 plan --ranks 64 --nodes 8 --threads 16 --memory 512 --rows 1000000000 --width 4096 bare.yaml || return 1
  grep -q '^  34M, 109,863 steps  *55.8 GB ' stage.out && ! grep -q 'does not fit' stage.out && grep -q '^harvest (no model)' stage.out
}
crowded() { # as many nodes as it says are enough, one less is too few
  local plan=(1 plan --ranks 8 --nodes 1 --threads 16 --memory 128 --rows 1000000000 --width 4096 bare.yaml) nodes
  stage "${plan[@]}" || return 1
  nodes=$(sed -n 's/^! does not fit: \([0-9]*\) nodes.*/\1/p' stage.out)
  plan[3]=$((8 * nodes)) plan[5]=$nodes
  stage "${plan[@]}" && ! grep -q 'does not fit' stage.out || return 1
  plan[3]=$((8 * (nodes - 1))) plan[5]=$((nodes - 1))
  stage "${plan[@]}" && grep -q "^! does not fit: $nodes nodes" stage.out
}
check "the paper's case: 34M x 4096 on 64 ranks" paper
check "the smallest number of nodes" crowded
check "without rows, model or text it says what to give" fails 12 'give --rows' - 2 plan bare.yaml
check "rows alone are not enough" fails 12 'the width' - 1 plan --rows 1000 bare.yaml
check "a batch larger than the rows" fails 12 'train.batch' - 1 plan --rows 1000 --width 64 bare.yaml
check "groups that are not equal" fails 3 'equal groups' - 1 plan --ranks 3 --rows 1000000 --width 64 bare.yaml train.replicas=2
check "more nodes than ranks" fails 2 'nodes' - 1 plan --ranks 2 --nodes 3 --rows 1000000 --width 64 bare.yaml
check "no number" fails 2 'expected a number' - 1 plan --rows many bare.yaml
nothing_made() { [ ! -e bare ]; }
check "nothing was made" nothing_made

# Before and after: the text alone tells as much as the rows themselves.
rows_of() { sed -n '1s/.*; \([0-9,]*\) rows.*/\1/p' "$1" | tr -d ,; }
stage 1 plan "${at[@]}" run.yaml
cp stage.out before.out
true >run.log
for name in harvest train encode evaluate compare families report; do
  stage 3 $name --threads 1 run.yaml
  cat stage.err >>run.log
done
stage 1 plan "${at[@]}" run.yaml
cp stage.out after.out
close() { [ $((1000 * $(rows_of before.out) / $(rows_of after.out))) -gt 990 ] && [ $((1000 * $(rows_of before.out) / $(rows_of after.out))) -lt 1010 ]; }
check "rows foretold from the text within 1 %" close
found() { # nothing before; everything after; nothing of other rows
  local known='known from the run.s folder'
  ! grep -q "$known" before.out && grep -Eqx "$known: codes of ([0-9]+) of \\1 dictionaries, links of ([0-9]+) of \\2 pairs" after.out || return 1
  stage 1 plan "${at[@]}" --rows 1000 --width 16 run.yaml && ! grep -q "$known: codes of [1-9]" stage.out
}
check "what is there is not guessed" found
check "memory, disk and exchange as the stages took them" $python "$CLEAVE_SOURCE/tests/stages/plan_check.py" after.out run.log 0.1 0.02 0.3
more_ranks() { stage 1 plan --ranks 1 run.yaml && cp stage.out one.out && stage 2 plan --ranks 1 run.yaml && cmp one.out stage.out; }
check "the same from several ranks" more_ranks

# Rates.
check "without rates there are no times" grep -q '^no times' after.out
timed() { stage 2 plan --measure --threads 1 run.yaml && ! grep -q '^no times' stage.out && [ "$(wc -l <run/rates.csv)" -eq 8 ] && ! grep -q ',0,' run/rates.csv; }
check "a machine is measured" timed
kept() { stage 1 plan "${at[@]}" run.yaml && grep -q '^in all .* s$' stage.out; }
check "and later plans have times" kept
sized() { stage 1 plan "${at[@]}" --lines --out sizes.csv run.yaml && [ "$(wc -l <sizes.csv)" -eq 8 ] && ! grep -Eq ',0(,|$)|,-|nan|inf' sizes.csv; }
check "sizes for Slurm" sized
older() { sed -i '/^worked/d' run/rates.csv && stage 1 plan "${at[@]}" run.yaml && grep -q '^no times' stage.out; }
check "rates of an older version are not taken for all" older
echo 'dense,fast,operations' >>run/rates.csv
check "damaged rates are refused" fails 6 'rates.csv' - 1 plan run.yaml

finish
