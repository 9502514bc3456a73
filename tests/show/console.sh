#!/usr/bin/env bash
# The report of a toy run in headless Chromium. usage: console.sh MAKE_TOY_RUN
source "$CLEAVE_SOURCE/tests/stages/library.sh"
"$1" "$work/run" 40 >/dev/null
stage 2 report run/run.yaml
$python "$CLEAVE_SOURCE/tests/show/console.py" run/report
