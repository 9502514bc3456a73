#!/usr/bin/env bash
# cleave submit on a real Slurm of two nodes: training is preempted, saves, queues itself again and goes on; all ends with
# the bytes of `cleave run` on one rank. Then with srun, and what Slurm and the user do wrong. Without the packages of
# tests/packages.txt, or where it may not make network namespaces, it is left out.
. "$(dirname "$0")/library.sh"
tiny_inputs

passes=$(sed -n 's/^  passes: //p' run.yaml)
sed -i "s/^  passes: .*/  passes: $((passes * 6))/" run.yaml # long enough to be preempted
whole() { "$CLEAVE_BIN/cleave" run -n 1 run.yaml folder=one >one.out 2>&1 || { cat one.out; return 1; }; }
check "the same on one rank" whole
sums one >one.sums
start_slurm 2 4

preempted() {
  "$CLEAVE_BIN/cleave" submit --nodes 2 -n 4 run.yaml folder=two train.checkpoint_steps=50 >submit.out || { cat submit.out; return 1; }
  local train
  train=$(id_of two train)
  checkpointed two && preempt || return 1
  "$CLEAVE_BIN/cleave" status run.yaml folder=two train.checkpoint_steps=50 >status.out 2>&1 || true
  grep -q "job $train: " status.out || { cat status.out; return 1; }
  ended two || return 1
  goes_on two && grep -q 'saved, not finished' two/logs/slurm-train.log
}
check "submitted for 2 nodes; train preempted, saved, requeued by itself, finished" preempted
check "four ranks on two nodes" grep -q '4 ranks on node\[1-2\]' two/logs/slurm-families.log
check "the same bytes as on one rank" same two

with_srun() {
  "$CLEAVE_BIN/cleave" submit --launcher srun --nodes 2 -n 3 run.yaml folder=three >submit.out || { cat submit.out; return 1; }
  ended three
}
check "with srun on three ranks" with_srun
check "the same bytes" same three

warned() { # as the time limit comes near: the same signal to the same script
  "$CLEAVE_BIN/cleave" submit --launcher srun -n 2 run.yaml folder=warned train.checkpoint_steps=50 >submit.out || return 1
  checkpointed warned && scancel -b -s USR1 "$(id_of warned train)" && ended warned &&
    goes_on warned && grep -q 'saved, not finished' warned/logs/slurm-train.log
}
check "warned of its time limit, under srun" warned
check "the same bytes" same warned

node_lost() {
  "$CLEAVE_BIN/cleave" submit --nodes 2 -n 4 run.yaml folder=lost train.checkpoint_steps=50 >submit.out || return 1
  checkpointed lost && scontrol update nodename=node2 state=down reason=test && sleep 2 &&
    { scontrol update nodename=node2 state=resume 2>/dev/null || true; } && ended lost && goes_on lost
}
check "a node is lost, and comes back" node_lost
check "the same bytes" same lost

failing() { # the stages behind it never start
  "$CLEAVE_BIN/cleave" submit -n 2 run.yaml folder=four harvest.layer=77 >submit.out || { cat submit.out; return 1; }
  reaches "$(id_of four harvest)" FAILED && reaches "$(id_of four report)" CANCELLED &&
    grep -q '^cleave: .*no layer 77' four/logs/slurm-harvest.log
}
check "a stage that fails ends the chain, and its log says why" failing
refused() { # by Slurm
  local got=0
  "$CLEAVE_BIN/cleave" submit run.yaml folder=five -- --partition=nowhere >submit.out 2>submit.err || got=$?
  [ $got -eq 5 ] && grep -q nowhere submit.err
}
check "what Slurm refuses is said" refused
again() { # up to date: every job ends at once
  "$CLEAVE_BIN/cleave" submit --nodes 2 -n 4 run.yaml folder=two train.checkpoint_steps=50 >submit.out && ended two &&
    grep -q 'up to date' two/logs/slurm-train.log && same two
}
check "submitted again: all is up to date" again
finish
