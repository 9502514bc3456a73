#!/usr/bin/python3
"""The table of architectures: table.py FOLDER... (one run each, with one dictionary)."""
import csv
import glob
import os
import sys

import h5py
import numpy as np


def row(folder):
    (path,) = glob.glob(folder + "/dictionaries/*.h5")
    name = os.path.basename(path)[:-3]
    with h5py.File(path) as dictionary, h5py.File(f"{folder}/codes/{name}.h5") as codes:
        latents, seen = dictionary.attrs["latents"], dictionary.attrs["tokens_seen"]
        dead = np.count_nonzero(codes["firings"][...] == 0) / latents
        l0, explained = codes.attrs["l0"], codes.attrs["explained_variance"]
        components = codes.attrs["pca_explained_variance"]
    with open(f"{folder}/training/times/{name}.csv", encoding="utf-8") as file:
        seconds = sum(float(one["seconds"]) for one in csv.DictReader(file) if "within" not in one["part"])
    components = components if isinstance(components, str) else components.decode()
    return os.path.basename(folder), l0, explained, components, dead, seen / seconds


print(f"{'architecture':16}{'L0':>7}{'explained variance':>20}{'PCA of L0':>11}{'never fire':>12}{'rows/s':>9}")
for folder in sys.argv[1:]:
    name, l0, explained, components, dead, speed = row(folder)
    print(f"{name:16}{l0:7.1f}{explained:20.3f}{components:>11}{dead:12.1%}{speed:9,.0f}")
