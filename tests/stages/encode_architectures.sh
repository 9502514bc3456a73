#!/usr/bin/env bash
# cleave-encode on dictionaries of every architecture, as if imported: against numpy, the same bytes at several
# rank counts and without 8 bits, the gate.
. "$(dirname "$0")/library.sh"
here="$CLEAVE_SOURCE/tests/stages"
$python "$here/encode_architectures.py" plant run

sums() {
  $python "$here/checksums.py" run
}
again() { # RANKS THREADS [VARIABLE=VALUE]
  rm -rf run/codes
  env "${3:-NONE=}" mpirun -n "$1" "$CLEAVE_BIN/cleave-encode" --threads "$2" run.yaml >stage.out 2>stage.err &&
    sums >now.sums && diff first.sums now.sums
}
refuses() { # CODE WORDS
  local found=0
  rm -rf run/codes
  mpirun -n 2 "$CLEAVE_BIN/cleave-encode" run.yaml >stage.out 2>stage.err || found=$?
  [ "$found" -eq "$1" ] && [ "$(grep -c "$2" stage.err)" -eq 1 ] ||
    { echo "exit code $found, wanted $1 with \"$2\""; cat stage.err; return 1; }
}
spoil() { # DATASET PLACE VALUE: of dictionaries/jump.h5
  cp good.h5 run/dictionaries/jump.h5
  $python -c "import h5py, sys
with h5py.File('run/dictionaries/jump.h5', 'r+') as file: file['$1'][$2] = float('$3')"
}

check "encode at 1 rank" stage 1 encode run.yaml
sums >first.sums
cat stage.out
check "codes equal numpy's" $python "$here/encode_architectures.py" check run
check "an L0 that is far off is said at once" grep -q "warning: jump: .*where its maker states 1000.0" stage.err
check "and in the table, with its causes" grep -q "missing BOS or quantised model?" stage.out
for setting in "2 2" "3 1" "4 2"; do
  set -- $setting
  check "the same bytes at $1 ranks, $2 threads" again "$1" "$2"
done
check "the same bytes without 8 bits" again 1 2 CLEAVE_LOWP=off

cp run/dictionaries/jump.h5 good.h5
spoil threshold 3 nan
check "a threshold that is no number is refused" refuses 11 "jump.h5: latent 3 is not finite"
spoil w_enc 7,2 inf
check "an infinite weight is refused" refuses 11 "jump.h5: latent 7 is not finite"
spoil w_dec 9 1.5
check "a decoder row that is not unit is refused" refuses 6 "jump.h5: decoder row 9 has norm"
cp good.h5 run/dictionaries/jump.h5
$python -c "import h5py, numpy
with h5py.File('run/dictionaries/jump.h5', 'r+') as file: file.attrs['architecture'] = numpy.bytes_('vanilla')"
check "an unknown architecture is named" refuses 7 "architecture vanilla"
finish
