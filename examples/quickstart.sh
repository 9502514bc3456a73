#!/usr/bin/env bash
# The quickstart: everything from nothing to a report, on 2 cores. Installs Debian packages (as root or with sudo),
# builds, gets a small language model, runs all stages on 2 ranks, prints the largest families.
# usage: examples/quickstart.sh
set -euo pipefail
cd "$(dirname "$0")/.."
now() { date +%s; }
took() { echo "$(($2 - $1)) s"; }
if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi

began=$(now)
examples/install_packages.sh examples/packages.txt
installed=$(now)
examples/get_model.sh >/dev/null
fetched=$(now)
cmake --preset release >/dev/null
cmake --build --preset release --target programs | tail -n 1
built=$(now)
mkdir -p run/quickstart
examples/quickstart_text.py run/quickstart/text.jsonl
written=$(now)
build/release/bin/cleave run -n 2 examples/quickstart.yaml "$@"
ended=$(now)

echo
echo "packages $(took "$began" "$installed"), model download $(took "$installed" "$fetched") (not counted)"
echo "build $(took "$fetched" "$built"), text $(took "$built" "$written"), stages $(took "$written" "$ended"):" \
  "$(took "$fetched" "$ended") in all"
echo "open run/quickstart/report/index.html in a browser"
