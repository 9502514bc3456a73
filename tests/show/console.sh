#!/usr/bin/env bash
# The report of a toy run in headless Chromium. usage: console.sh MAKE_TOY_RUN
source "$CLEAVE_SOURCE/tests/stages/library.sh"
cat >hostile.csv <<'CSV'
dictionary,feature,label
256,9,"<img src=x onerror=owned=1>"
64,3,"""><script>owned=1</script>"
16,2,"javascript:owned=1"
16,3,"كتاب 語言 <b>x</b>"
CSV
for kind in "" hub paged hostile; do
  rm -rf run
  "$1" "$work/run" 40 ${kind/hostile/} >/dev/null
  [ "$kind" = hostile ] && set -- "$1" report.labels=hostile.csv 'report.title=</title><script>owned=1</script>' || set -- "$1"
  [ -e run/report ] || stage 2 report run/run.yaml "${@:2}"
  $python "$CLEAVE_SOURCE/tests/show/console.py" run/report
done
