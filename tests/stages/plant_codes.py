#!/usr/bin/env python3
"""Made-up activations and dictionaries for encode and compare. usage: plant_codes.py FOLDER

Four dictionaries and a control, the smallest with fewer latents than ranks: with a dead row, two equal
rows, a latent that never fires; activations stored as bf16."""
import pathlib
import sys

import h5py
import numpy as np

ROWS, WIDTH, DOCUMENTS, VOCABULARY = 9000, 40, 60, 50
DICTIONARIES = [("6", 6, ""), ("20", 20, ""), ("64", 64, ""), ("300", 300, ""), ("64-b", 64, "64")]
K = 5


def attributes(file, **values):
    for key, value in values.items():
        file.attrs[key] = np.bytes_(value) if isinstance(value, str) else value


def bf16():
    kind = h5py.h5t.IEEE_F32LE.copy()
    kind.set_fields(15, 7, 8, 0, 7)
    kind.set_size(2)
    kind.set_ebias(127)
    return kind


def activations(folder, random):
    directions = random.normal(size=(64, WIDTH))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    strength = random.exponential(size=(ROWS, 64)) * (random.random((ROWS, 64)) < 0.06)
    x = (3 * strength @ directions + 0.05 * random.normal(size=(ROWS, WIDTH)) + 0.3).astype("<f4")
    bits = (x.view("<u4") >> 16).astype("<u2")
    document = np.sort(random.integers(0, DOCUMENTS, ROWS)).astype("<u4")
    held_out = (np.arange(DOCUMENTS) % 5 == 0).astype("u1")
    x = (bits.astype("<u4") << 16).view("<f4")
    train = held_out[document] == 0
    with h5py.File(folder / "activations.h5", "w") as file:
        space = h5py.h5s.create_simple((ROWS, WIDTH))
        data = h5py.h5d.create(file.id, b"activation", bf16(), space)
        data.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, mtype=bf16())
        file["token"] = (strength.argmax(axis=1) % VOCABULARY).astype("<u4")
        file["document"] = document
        file["document_held_out"] = held_out
        file["vocabulary_start"] = np.arange(VOCABULARY + 1, dtype="<i8")
        file["mean"] = x[train].mean(axis=0, dtype="f8")
        attributes(file, schema="activations 1", content="0123456789abcdef",
                   scale=float(np.sqrt(WIDTH / (x[train] ** 2).sum(axis=1).mean())))
        return file.attrs["scale"], directions


def dictionary(folder, random, name, latents, control_of, scale, directions):
    picks = directions[random.integers(0, 64, latents)]
    w_dec = (picks + 0.15 * random.normal(size=(latents, WIDTH))).astype("<f4")
    w_enc = (w_dec + 0.05 * random.normal(size=w_dec.shape)).astype("<f4")
    b_enc = (0.02 * random.normal(size=latents)).astype("<f4")
    if latents > 11:
        w_dec[7], w_enc[7], b_enc[7] = w_dec[3], w_enc[3], b_enc[3]
        b_enc[11] = -1e6
    w_dec /= np.linalg.norm(w_dec, axis=1, keepdims=True)
    w_dec[5] = 0
    with h5py.File(folder / "dictionaries" / f"{name}.h5", "w") as file:
        file["w_enc"], file["w_dec"], file["b_enc"] = w_enc, w_dec, b_enc
        file["b_dec"] = (0.1 * random.normal(size=WIDTH)).astype("<f4")
        attributes(file, schema="dictionary 1", content=f"{latents:08x}{len(name):08x}",
                   architecture="topk", k=K, latents=latents, width=WIDTH, input_scale=scale,
                   subtract_b_dec=1, role="control" if control_of else "level",
                   control_of=control_of)


def main():
    folder = pathlib.Path(sys.argv[1])
    (folder / "dictionaries").mkdir(parents=True)
    random = np.random.default_rng(4)
    scale, directions = activations(folder, random)
    lines = ["folder: " + folder.name, "train: {k: 5}", "compare: {neighbours: 12, draws: 5000}",
             "encode: {examples: 9, intervals: 4, per_interval: 3}", "dictionaries:"]
    for name, latents, control_of in DICTIONARIES:
        dictionary(folder, random, name, latents, control_of, scale, directions)
        twin = f", control_of: '{control_of}', seed: 8" if control_of else ""
        lines.append(f"  - {{name: '{name}', latents: {latents}{twin}}}")
    pathlib.Path("run.yaml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
