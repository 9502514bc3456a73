#!/bin/sh
# What goes wrong on the last of two ranks must be seen: planted.sh PROGRAM MPIEXEC SANITIZERS
program=$1 mpiexec=$2 sanitizers=$3 wrong=0

# expect TEXT HOW: the run exits non-zero and says TEXT
expect() {
  said=$(ASAN_OPTIONS=$LEAK_OPTIONS "$mpiexec" -n 2 --oversubscribe "$program" "$2" 2>&1)
  if [ $? -eq 0 ]; then
    echo "planted $2: exit code 0" && wrong=1
  fi
  case $said in
    *"$1"*) echo "planted $2: found" ;;
    *) echo "planted $2: '$1' is not in:" && echo "$said" && wrong=1 ;;
  esac
}

expect "[1] fail: " fail
expect "[1] 1 blocks of memory were not given back" forget
case $sanitizers in
  *address*) expect "in memory_take" leak ;;
esac
exit $wrong
