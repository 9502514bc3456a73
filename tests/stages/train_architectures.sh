#!/usr/bin/env bash
# cleave-train of every architecture on made-up rows: the same bytes at any rank count, killed and resumed; encoded
# afterwards; keys that an architecture does not take are refused.
. "$(dirname "$0")/library.sh"
here="$CLEAVE_SOURCE/tests/stages"
$python "$here/plant_rows.py" run bf16
cat >run.yaml <<'YAML'
folder: run
seed: 3
train: {batch: 64, passes: 3, rate: 3e-3, window: 1024, dead_share: 0.03}
dictionaries:
  - {name: '96', latents: 96}
  - {name: '200', latents: 200, passes: 6}
YAML

sums() {
  $python "$here/checksums.py" run | grep '^dictionaries/'
  (cd run && sha256sum training/*.csv)
}
clear() {
  rm -rf run/dictionaries run/training run/checkpoints run/codes
}
same() { # RANKS THREADS ARGUMENTS...
  local ranks=$1 threads=$2
  shift 2
  clear
  stage "$ranks" train --threads "$threads" run.yaml "$@" && sums >now.sums && diff first.sums now.sums
}
resumed() { # ARGUMENTS...: killed at 3 ranks once a checkpoint is there, on at 2
  clear
  mpirun -n 3 "$CLEAVE_BIN/cleave-train" run.yaml "$@" train.checkpoint_steps=15 >kill.out 2>kill.err &
  local pid=$!
  for _ in $(seq 3000); do
    ls run/checkpoints/200/*.h5 >/dev/null 2>&1 && break
    [ ! -e run/dictionaries/200.h5 ] || { echo "ended before the signal"; return 1; }
    sleep 0.02
  done
  kill -KILL $(pgrep -P $pid cleave-train) || return 1
  wait $pid 2>/dev/null
  stage 2 train run.yaml "$@" && grep -q 'goes on from step' stage.err && sums >now.sums && diff first.sums now.sums
}
cat >look.py <<'PY'
import sys, h5py, numpy as np
trained, encoded, least, most = sys.argv[1], sys.argv[2], float(sys.argv[3]), float(sys.argv[4])
text = lambda v: v if isinstance(v, str) else v.decode()
with h5py.File("run/dictionaries/200.h5") as f, h5py.File("run/codes/200.h5") as codes:
    a = f.attrs
    assert (text(a["trained_as"]), text(a["architecture"])) == (trained, encoded), dict(a)
    norms = np.linalg.norm(f["w_dec"][...], axis=1)
    assert abs(norms[norms > 0] - 1).max() < 1e-6
    assert ("threshold" in f) == (encoded == "jumprelu")
    assert (a["k"] > 0) == (encoded == "topk") and a["subtract_b_dec"] == (trained not in ("relu", "jumprelu"))
    l0, explained = codes.attrs["l0"], codes.attrs["explained_variance"]
    print(f"     {trained}: L0 {l0:.2f}, explained variance {explained:.3f}")
    assert least <= l0 <= most and explained > 0.5
rows = np.genfromtxt("run/training/200.csv", delimiter=",", names=True)
assert rows["explained_variance"][-1] > 0.5
assert (rows["penalty"] != 0).any() == (trained not in ("topk", "batchtopk"))
PY
look() { # NAME ENCODED LEAST MOST
  stage 2 encode run.yaml && $python look.py "$@"
}

settings_of_ranks=("2 1" "3 2" "4 1" "8 1")
[ -z "${SAME_BYTES_FEW:-}" ] || settings_of_ranks=("3 2")
# Screened in float32, in 7 bits, and in what AVX-512 has without VNNI.
processors=(CLEAVE_LOWP=off "DNNL_MAX_CPU_ISA=AVX2 CLEAVE_LANES=avx2" DNNL_MAX_CPU_ISA=AVX512_CORE)
[ -z "${SAME_BYTES_FEW:-}" ] || processors=()
on() { # SETTINGS COMMAND...
  local -x $1
  shift
  "$@"
}
try() { # NAME ENCODED LEAST MOST ARGUMENTS...: least and most L0
  local name=$1 look=("${@:1:4}")
  shift 4
  local settings=(train.architecture="$name" "$@")
  clear
  check "$name at 1 rank" stage 1 train --threads 1 run.yaml "${settings[@]}"
  sums >first.sums
  check "$name: attributes, unit rows, codes that explain the rows" look "${look[@]}"
  for setting in "${settings_of_ranks[@]}"; do
    set -- $setting
    check "$name: the same bytes at $1 ranks, $2 threads" same "$1" "$2" "${settings[@]}"
  done
  case $name in
    relu | jumprelu) ;;
    *)
      check "$name: the same bytes on a grid of 2 x 2" same 4 1 "${settings[@]}" train.replicas=2
      for processor in "${processors[@]}"; do
        check "$name: the same bytes with $processor" on "$processor" same 2 1 "${settings[@]}"
      done
      ;;
  esac
  check "$name: killed and resumed" resumed "${settings[@]}"
}
[ -n "${SAME_BYTES_FEW:-}" ] || try topk topk 2 3 train.k=3 # train.sh has more of it
try batchtopk jumprelu 2 4 train.k=3 train.moments=bf16
try matryoshka jumprelu 2 4 train.k=3 train.prefixes=3
try relu relu 1 40 train.sparsity=1
try jumprelu jumprelu 1 40 train.sparsity=0.1
try jumprelu jumprelu 1 60 train.sparsity=0.02 train.sparsity_loss=step

clear
refused() { # KEY ARGUMENTS...
  local key=$1
  shift
  fails 3 "$key" run/dictionaries/96.h5 2 train run.yaml "$@"
}
small_dictionary() { # smaller than the k that it does not take
  clear
  stage 2 train run.yaml train.architecture=relu dictionaries.96.latents=16 train.passes=1
}
check "16 latents that have no k" small_dictionary
clear
check "topk takes no sparsity" refused train.sparsity train.sparsity=3
check "relu takes no k" refused train.k train.architecture=relu train.k=3
check "batchtopk takes no prefixes" refused train.prefixes train.architecture=batchtopk train.prefixes=3
check "relu takes no bandwidth" refused train.bandwidth train.architecture=relu train.bandwidth=1
check "dense gradients take no replicas" refused train.replicas train.architecture=relu train.replicas=2
check "ranks that are not equal groups" refused train.replicas train.replicas=3
check "an architecture that is none" refused train.architecture train.architecture=gated
finish
