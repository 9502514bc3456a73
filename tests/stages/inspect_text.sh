#!/usr/bin/env bash
# cleave-inspect --text with dictionaries of every architecture, as if imported.
. "$(dirname "$0")/library.sh"
tiny_inputs 40
cat >run.yaml <<'YAML'
folder: run
harvest: {model: tiny.gguf, layer: 1, text: text.jsonl, context: 64}
dictionaries:
  - {name: jump, latents: 60, import: somewhere}
  - {name: gated, latents: 70, import: somewhere}
  - {name: relu, latents: 80, import: somewhere}
  - {name: topk, latents: 90, import: somewhere}
YAML
check "harvest" stage 2 harvest run.yaml
$python - <<'PYTHON'
import os
import h5py, numpy as np
random = np.random.default_rng(1)
with h5py.File("run/activations.h5") as file:
    width, scale, mean = file["mean"].shape[0], file.attrs["scale"], file["mean"][:]
os.makedirs("run/dictionaries")
for name, latents in (("jump", 60), ("gated", 70), ("relu", 80), ("topk", 90)):
    w = random.normal(size=(latents, width)).astype("<f4")
    w /= np.linalg.norm(w, axis=1, keepdims=True)
    with h5py.File(f"run/dictionaries/{name}.h5", "w") as file:
        file["w_enc"] = file["w_dec"] = w
        file["b_enc"] = np.zeros(latents, "<f4")
        file["b_dec"] = (mean * scale).astype("<f4")
        if name == "jump":
            file["threshold"] = np.full(latents, 1.5, "<f4")
        if name == "gated":
            file["gain"], file["offset"] = np.full(latents, 2, "<f4"), np.full(latents, -1, "<f4")
        text = {"schema": "dictionary 1", "content": f"{latents:016x}", "role": "level", "control_of": "",
                "architecture": "jumprelu" if name == "jump" else name}
        for key, value in text.items():
            file.attrs[key] = np.bytes_(value)
        # Nobody states the layer of `jump`: then it is that of the rows.
        for key, value in {"k": 4 if name == "topk" else 0, "latents": latents, "width": width, "input_scale": scale,
                           "subtract_b_dec": 1, "stated_l0": np.nan, "layer": -1 if name == "jump" else 1}.items():
            file.attrs[key] = value
PYTHON
check "encode" stage 2 encode run.yaml

shows() { # NAME: the same at 1 and 3 ranks, with features at tokens
  stage 1 inspect --dictionary "$1" --text "the quick brown fox" run.yaml && cp stage.out one.out &&
    stage 3 inspect --dictionary "$1" --text "the quick brown fox" run.yaml && cmp one.out stage.out &&
    grep -q "$1/" one.out
}
least() { # NAME LEAST: no feature that fires less than a threshold is shown
  $python - "$1" "$2" <<'PYTHON'
import re, sys
values = [float(v) for v in re.findall(r"(\S+) " + sys.argv[1] + r"/\d+", open("one.out").read())]
assert len(values) > 5 and min(values) > float(sys.argv[2]), values
PYTHON
}
check "jumprelu, of a layer that nobody states" shows jump
check "its features fire above the threshold" least jump 1.49
check "gated" shows gated
check "relu" shows relu
check "topk" shows topk
finish
