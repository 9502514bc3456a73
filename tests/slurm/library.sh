# Sourced by the scripts beside it: a Slurm of two nodes, and what becomes of jobs.
. "$CLEAVE_SOURCE/tests/stages/library.sh"
for program in slurmctld slurmd munged srun ip; do
  command -v $program >/dev/null || { echo "no $program: left out"; exit 77; }
done
ip netns add cleave-try 2>/dev/null || { echo "no network namespaces for us here: left out"; exit 77; }
ip netns delete cleave-try
cluster="$CLEAVE_SOURCE/tests/slurm/cluster.sh"
trap '"$cluster" stop "$work/slurm"; rm -rf "$work"' EXIT

start_slurm() { # NODES CPUS
  chmod 755 "$work" # munge insists
  "$cluster" start "$work/slurm" "$1" "$2"
  . "$work/slurm/environment"
}
sums() { $python "$CLEAVE_SOURCE/tests/stages/checksums.py" "$1"; }
same() { # FOLDER: the bytes of one.sums
  sums "$1" >now.sums
  diff one.sums now.sums
}
id_of() { sed -n "s/^$2 //p" "$1/jobs/submitted"; }
state() { squeue -h -t all -j "$1" -o %T; }
patience=600 # seconds
reaches() { # ID STATE...
  local id=$1
  shift
  for _ in $(seq $((5 * patience))); do
    case " $* " in *" $(state "$id") "*) return 0 ;; esac
    sleep 0.2
  done
  echo "job $id is $(state "$id")"
  return 1
}
ended() { # FOLDER: the last stage
  reaches "$(id_of "$1" report)" COMPLETED FAILED CANCELLED TIMEOUT
  [ "$(state "$(id_of "$1" report)")" = COMPLETED ] || { squeue -t all; tail -n 20 "$1"/logs/slurm-*.log; return 1; }
}
checkpointed() { # FOLDER [SECONDS]
  for _ in $(seq $((10 * ${2:-60}))); do
    compgen -G "$1/checkpoints/*/*.h5" >/dev/null && return 0
    sleep 0.1
  done
  return 1
}
preempt() { # a job that is more urgent comes for both nodes, and goes
  sbatch --parsable -p urgent -N 2 --exclusive --output=/dev/null --wrap 'sleep 2' >urgent.id &&
    reaches "$(cat urgent.id)" COMPLETED
}
goes_on() { # FOLDER: the log says so
  grep -q 'goes on from step' "$1/logs/slurm-train.log" && grep -q "start 1," "$1/logs/slurm-train.log" ||
    { cat "$1/logs/slurm-train.log"; return 1; }
}
