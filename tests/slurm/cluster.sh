#!/usr/bin/env bash
# A real Slurm of several nodes on this machine, for tests: munged, slurmctld, and one slurmd a node, each node with a
# network namespace, a host name, and a /dev/shm of its own (Open MPI would take two nodes of one name for one). Nothing is
# written outside FOLDER; as root, without systemd.
# usage: cluster.sh start FOLDER NODES CPUS     CPUS a node may be more than there are
#        cluster.sh stop FOLDER
# After `start`: . FOLDER/environment. Needs the packages of tests/packages.txt.
set -euo pipefail
what=$1
folder=$(realpath -m "$2")
tag=clv net=10.213.9 port=17800 # node i is net.i and listens on port + i; the controller is net.254

# A process that has ended but whom nobody has buried counts as ended.
lives() { # PIDFILE NAME
  local pid
  pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] &&
    ! grep -q '^State:[[:space:]]*Z' "/proc/$pid/status" 2>/dev/null
}
ended() { # PIDFILE NAME: ask it to end, and see to it
  lives "$1" "$2" || return 0
  kill "$(cat "$1")" 2>/dev/null || true
  for _ in $(seq 100); do
    lives "$1" "$2" || return 0
    sleep 0.05
  done
  kill -KILL "$(cat "$1")" 2>/dev/null || true
}

stop() {
  [ -e "$folder/nodes" ] || return 0
  export SLURM_CONF=$folder/slurm.conf
  if lives "$folder/slurmctld.pid" slurmctld; then
    timeout 10 squeue -h -o %A 2>/dev/null | xargs -r timeout 10 scancel -f -s KILL 2>/dev/null || true
    for _ in $(seq 60); do [ -n "$(timeout 5 squeue -h 2>/dev/null)" ] || break; sleep 0.1; done
  fi
  for node in $(seq "$(cat "$folder/nodes")"); do ended "$folder/node$node.pid" slurmd; done
  ended "$folder/slurmctld.pid" slurmctld
  ended "$folder/munged.pid" munged
  for node in $(seq "$(cat "$folder/nodes")"); do
    ip link delete $tag"$node" 2>/dev/null || true
    ip netns delete $tag-node"$node" 2>/dev/null || true
  done
  ip link delete $tag 2>/dev/null || true
  rm -f "$folder/nodes"
}

settings() { # NODES CPUS
  local memory
  memory=$(awk '/^MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)
  cat <<CONF
ClusterName=cleave
SlurmctldHost=$(hostname)($net.254)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge.socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmctldPidFile=$folder/slurmctld.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdPidFile=$folder/%n.pid
SlurmdLogFile=$folder/%n.log
SlurmdSpoolDir=$folder/spool.%n
TmpFS=$folder/tmp.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=pmix
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=1,batch_sched_delay=0
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
ReturnToService=2
KillWait=3
MinJobAge=3600
CONF
  for node in $(seq "$1"); do
    echo "NodeName=node$node NodeHostname=node$node NodeAddr=$net.$node Port=$((port + node)) CPUs=$2 RealMemory=$memory"
  done
  echo "PartitionName=work Nodes=ALL Default=YES PriorityTier=1 GraceTime=20 State=UP"
  echo "PartitionName=urgent Nodes=ALL PriorityTier=2 PreemptMode=OFF State=UP"
}

start() { # NODES CPUS
  if [ -e "$folder/nodes" ]; then
    echo "cluster.sh: $folder has a cluster already: cluster.sh stop $folder" >&2
    exit 1
  fi
  rm -rf "$folder"
  mkdir -p "$folder/state" "$folder/mpi"
  chmod 755 "$folder" && chmod 1777 "$folder/mpi"
  trap '[ $? -eq 0 ] || stop' EXIT # half a cluster is none
  echo "$1" >"$folder/nodes"
  (umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
  munged --socket="$folder/munge.socket" --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
  {
    echo "127.0.0.1 localhost"
    echo "$net.254 $(hostname)"
    for node in $(seq "$1"); do echo "$net.$node node$node"; done
  } >"$folder/hosts"
  settings "$1" "$2" >"$folder/slurm.conf"
  cat >"$folder/environment" <<ENV
export SLURM_CONF='$folder/slurm.conf' OMPI_MCA_orte_tmpdir_base='$folder/mpi'
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# The nodes share the cores of this machine, which Open MPI cannot see.
export OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_hwloc_base_binding_policy=none
ENV
  export SLURM_CONF=$folder/slurm.conf
  ip link add $tag type bridge
  ip address add $net.254/24 dev $tag
  ip link set $tag up
  slurmctld
  for node in $(seq "$1"); do
    local space=$tag-node$node
    mkdir -p "$folder/spool.node$node" "$folder/tmp.node$node"
    chmod 1777 "$folder/tmp.node$node"
    ip netns add "$space"
    ip link add "$tag$node" type veth peer name eth0 netns "$space"
    ip link set "$tag$node" master $tag up
    ip -n "$space" address add "$net.$node/24" dev eth0
    ip -n "$space" link set eth0 up
    ip -n "$space" link set lo up
    # shellcheck disable=SC2016
    nsenter --net="/run/netns/$space" unshare --uts --mount -- bash -c 'hostname "$1" &&
      mount --bind "$2/hosts" /etc/hosts && mount -t tmpfs -o mode=1777 shm /dev/shm && exec slurmd -N "$1"' \
      _ "node$node" "$folder"
  done
  for _ in $(seq 300); do
    [ "$(timeout 5 sinfo -h -p work -N -t idle -o %N 2>/dev/null | sort -u | wc -l)" -ne "$1" ] || return 0
    sleep 0.1
  done
  echo "cluster.sh: the nodes did not come up; see $folder/*.log" >&2
  exit 1
}

case $what in
  start) start "$3" "$4" ;;
  stop) stop ;;
  *) sed -n '5,7s/^# //p' "$0" >&2; exit 2 ;;
esac
