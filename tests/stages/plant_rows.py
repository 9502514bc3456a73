#!/usr/bin/env python3
"""Made-up activations for train: sparse sums of known directions. usage: plant_rows.py FOLDER bf16|f32"""
import pathlib
import sys

import h5py
import numpy as np

from plant_codes import attributes, bf16

ROWS, WIDTH, DOCUMENTS, DIRECTIONS = 6000, 24, 90, 60


def main():
    folder, storage = pathlib.Path(sys.argv[1]), sys.argv[2]
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(11)
    directions = random.normal(size=(DIRECTIONS, WIDTH))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    strength = random.exponential(size=(ROWS, DIRECTIONS)) * (random.random((ROWS, DIRECTIONS)) < 0.05)
    x = (strength @ directions + 0.02 * random.normal(size=(ROWS, WIDTH)) + 0.1).astype("<f4")
    bits = (x.view("<u4") >> 16).astype("<u2")
    x = (bits.astype("<u4") << 16).view("<f4")
    document = np.sort(random.integers(0, DOCUMENTS, ROWS)).astype("<u4")
    held_out = (np.arange(DOCUMENTS) % 7 == 3).astype("u1")
    train = held_out[document] == 0
    with h5py.File(folder / "activations.h5", "w") as file:
        if storage == "bf16":
            space = h5py.h5s.create_simple((ROWS, WIDTH))
            data = h5py.h5d.create(file.id, b"activation", bf16(), space)
            data.write(h5py.h5s.ALL, h5py.h5s.ALL, bits, mtype=bf16())
        else:
            file["activation"] = x
        file["document"] = document
        file["document_held_out"] = held_out
        file["mean"] = x[train].mean(axis=0, dtype="f8")
        attributes(file, schema="activations 1", content="00000000000000aa", layer=3,
                   model_hash="feed", scale=float(np.sqrt(WIDTH / (x[train] ** 2).sum(axis=1).mean())))


if __name__ == "__main__":
    main()
