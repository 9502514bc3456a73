#!/usr/bin/env bash
# The quickstart, all of it, by cleave submit on a real Slurm of two nodes, training preempted and requeued by itself: the
# bytes of `cleave run` on one rank? About a quarter of an hour on 2 cores; not among the tests of tests/run.sh.
# usage: tests/slurm/quickstart.sh [key.path=value ...]     after examples/quickstart.sh, which makes text, model and programs
cd "$(dirname "$0")/../.."
export CLEAVE_SOURCE=$PWD CLEAVE_BIN=${CLEAVE_BIN:-$PWD/build/release/bin}
set -- "$CLEAVE_SOURCE/examples/quickstart.yaml" "$@"
. tests/slurm/library.sh
patience=1800
ln -s "$CLEAVE_SOURCE/build" build # paths of quickstart.yaml
mkdir -p run && ln -s "$CLEAVE_SOURCE/run/quickstart" run/quickstart

echo "one rank, no Slurm ..."
whole() { "$CLEAVE_BIN/cleave" run -n 1 "$@" folder=one 2>&1 | tail -n 12; return "${PIPESTATUS[0]}"; }
check "cleave run on one rank" whole "$@"
sums one >one.sums
start_slurm 2 1
submitted() { "$CLEAVE_BIN/cleave" submit --nodes 2 -n 2 "$@" folder=two train.checkpoint=0.2; }
check "submitted" submitted "$@"
preempted() { checkpointed two 1800 && sleep 5 && preempt && ended two && goes_on two && grep -q 'saved, not finished' two/logs/slurm-train.log; }
check "training is preempted, saves, is requeued, goes on; all stages end" preempted
grep -h 'goes on from step\|saved, not finished\|ranks on node' two/logs/slurm-*.log
check "the same bytes as on one rank: $(wc -l <one.sums) datasets and tables" same two
finish
