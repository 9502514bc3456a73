#!/usr/bin/env python3
"""Small stand-ins for the files that README.md lists: the same folders, names, tensors and types, with fewer features and a
known truth, and rows instead of a model and text. usage: make_small.py [FOLDER]   (default: build/gemma-scope-2-small; the
run goes to run/gemma-scope-2-small)

Feature i of a level splits into features 4 i .. 4 i + 3 of the next: a child is 0.89 of its parent's direction and 0.46 of
one of its own; its encoder looks for its own alone. The second seed holds the features of 262k in another order, a little
turned. Each row is a sum of a few features of the largest level. Prints the keys that run.yaml needs on these files."""
import json
import pathlib
import struct
import sys

import numpy as np

WIDTH, ALONG, ROWS, ACTIVE = 640, 0.89, 45000, 2
LEVELS = {"16k": 32, "65k": 128, "262k": 512, "1m": 2048}
FILES = {"activations": "rows", "tokens": "tokens", "documents": "documents"}
ACROSS = (1 - ALONG**2) ** 0.5
random = np.random.default_rng(270)


def unit(array):
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def write_safetensors(path, tensors):
    header, at = {}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + 4 * array.size]}
        at += 4 * array.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array, dtype="<f4").tobytes())


def write_dictionary(folder, decoder, encoder):
    latents = len(decoder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({
        "architecture": "jump_relu", "model_name": "gemma-v3-270m", "hf_hook_point_in": "model.layers.12.output",
        "hf_hook_point_out": "model.layers.12.output", "affine_connection": False}))
    write_safetensors(folder / "params.safetensors", {
        "w_enc": encoder.T, "w_dec": decoder, "b_enc": np.zeros(latents), "b_dec": np.zeros(WIDTH),
        "threshold": np.full(latents, 0.6)})


def children_of(parents):
    """Four orthogonal own parts a parent, also orthogonal to it."""
    own = random.standard_normal((len(parents), 4, WIDTH))
    own -= (own @ parents[:, :, None]) * parents[:, None, :]
    own = np.linalg.qr(own.transpose(0, 2, 1))[0].transpose(0, 2, 1)
    directions = ALONG * parents[:, None, :] + ACROSS * own
    return directions.reshape(-1, WIDTH), own.reshape(-1, WIDTH) / ACROSS


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "build/gemma-scope-2-small")
    sites = folder / "resid_post"
    decoder = unit(random.standard_normal((LEVELS["16k"], WIDTH)))
    encoder = decoder / ALONG**3
    places = {}
    for name, latents in LEVELS.items():
        if len(decoder) < latents:
            decoder, encoder = children_of(decoder)
            encoder = encoder / ALONG ** (3 - list(LEVELS).index(name))
        places[name] = sites / f"layer_12_width_{name}_l0_medium"
        write_dictionary(places[name], decoder, encoder)
        if name == "262k":
            order = random.permutation(latents)
            turned = unit(decoder[order] + 0.2 * unit(random.standard_normal((latents, WIDTH))))
            places["262k-b"] = sites / f"layer_12_width_{name}_l0_medium_seed_1"
            write_dictionary(places["262k-b"], turned, encoder[order])
    active = random.integers(0, len(decoder), (ACTIVE, ROWS))
    rows = 0.01 * random.standard_normal((ROWS, WIDTH))
    for of_row in active:
        rows += random.uniform(1, 1.3, (ROWS, 1)) * decoder[of_row]
    np.save(folder / "rows.npy", rows.astype(np.float16))
    np.save(folder / "tokens.npy", (active[0] // 16).astype(np.int32))  # the feature of 65k that the first one is of
    np.save(folder / "documents.npy", np.arange(ROWS) // 50)
    keys = [f"dictionaries.{name}.{key}" for name, latents in [*LEVELS.items(), ("262k-b", LEVELS["262k"])]
            for key in (f"latents={latents}", f"l0={ACTIVE}", f"import={places[name]}")]
    print(*keys, "folder=run/gemma-scope-2-small", "compare.draws=10000", "harvest.text=[]",
          *(f"import.{key}={folder}/{file}.npy" for key, file in FILES.items()))


if __name__ == "__main__":
    main()
