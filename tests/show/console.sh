#!/usr/bin/env bash
# The report of a toy run in headless Chromium. usage: console.sh MAKE_TOY_RUN
source "$CLEAVE_SOURCE/tests/stages/library.sh"
for kind in "" hub paged; do
  rm -rf run
  "$1" "$work/run" 40 $kind >/dev/null
  [ -e run/report ] || stage 2 report run/run.yaml
  $python "$CLEAVE_SOURCE/tests/show/console.py" run/report
done
