#!/usr/bin/env bash
# One rank fails alone at the agreement points of cleave-import: on a deflated .npz, a gated SAELens folder and rows; then
# on rows with tokens and documents, and codes.
. "$(dirname "$0")/fault_points.sh"
$python -c "
import foreign, numpy as np
foreign.every_kind('.')
np.save('rows.npy', foreign.rows_for(1000))"
cat >run.yaml <<'YAML'
folder: run
import: {activations: rows.npy}
dictionaries:
  - {name: gated, latents: 256, import: gated}
  - {name: packed, latents: 416, import: packed}
YAML
mkdir run
check "import of dictionaries survives a failing rank at its agreement points" all_points import 8 20

$python "$CLEAVE_SOURCE/tests/stages/import_made.py" plant
cat >run.yaml <<'YAML'
folder: run
harvest: {norm_limit: 0}
import: {activations: rows.npy, tokens: tokens.npy, documents: documents.npy}
dictionaries:
  - {name: d, latents: 96, import: params, codes: codes.npz}
YAML
check "import of rows and codes survives a failing rank at its agreement points" all_points import
finish
