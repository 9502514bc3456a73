#!/usr/bin/env python3
"""Dictionaries alone, without rows or codes, whose levels resemble each other.
usage: plant_dictionaries.py FOLDER WIDTH NAME:LATENTS[:CONTROL_OF] ..."""
import pathlib
import sys

import h5py
import numpy as np


def directions(random, base, latents, width):
    """Copies of the base's rows with noise, in a cloud of falling spread; a dead row and two equal ones."""
    spread = (1 / (1 + np.arange(width)) ** 0.4).astype("f4")
    rows = random.standard_normal((latents, width), dtype="f4") * spread
    rows += 1.2 * base[random.integers(0, len(base), latents)] + 0.1 * spread
    if latents > 11:
        rows[7] = rows[3]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[5] = 0
    return rows


def main():
    folder, width = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    (folder / "dictionaries").mkdir(parents=True)
    random = np.random.default_rng(11)
    base = directions(random, np.zeros((1, width), "f4"), 500, width)
    lines = [f"folder: {folder.name}", "train: {k: 1}", "dictionaries:"]
    for text in sys.argv[3:]:
        name, latents, *control_of = text.split(":")
        latents = int(latents)
        w_dec = directions(random, base, latents, width)
        noise = random.standard_normal(w_dec.shape, dtype="f4")
        with h5py.File(folder / "dictionaries" / f"{name}.h5", "w") as file:
            file["w_dec"], file["w_enc"] = w_dec, w_dec + 0.05 * noise
            for key, value in {"schema": "dictionary 1", "content": f"{latents:08x}{len(name):08x}"}.items():
                file.attrs[key] = np.bytes_(value)
        twin = f", control_of: '{control_of[0]}', seed: 8" if control_of else ""
        lines.append(f"  - {{name: '{name}', latents: {latents}{twin}}}")
    pathlib.Path("run.yaml").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
