#!/usr/bin/env python3
"""What cleave-compare --of printed against numpy. usage: check_of.py FOLDER OUTPUT TOP FEATURE ..."""
import pathlib
import sys

import h5py
import numpy as np


def unit(rows):
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norm > 0, norm, 1)


def main():
    folder, output, top = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    names = [line.split("'")[1] for line in open("run.yaml") if "name:" in line]
    decoder, encoder, state = {}, {}, {}
    for name in names:
        with h5py.File(folder / "dictionaries" / f"{name}.h5") as file:
            decoder[name] = unit(file["w_dec"][:].astype("f8"))
            encoder[name] = unit(file["w_enc"][:].astype("f8"))
        with h5py.File(folder / "codes" / f"{name}.h5") as file:
            alive = file["firings"][:] > 0
        state[name] = np.where(decoder[name].any(axis=1), np.where(alive, "alive", "unseen"), "dead")
    found = {}
    for line in open(output):
        if line[:1] not in (" ", "\n"):
            feature, word = line.split()
            found[feature] = [word]
        elif "nearest" not in line and line.strip():
            found[feature].append(line.split())
    failures = list(found) != sys.argv[4:]
    for feature, (word, *lines) in found.items():
        home, number = feature.split("/")
        failures += word != state[home][int(number)]
        if word == "dead":
            failures += len(lines) != 1
            continue
        wanted = []
        for name in names:
            cosine = np.where(state[name] == "dead", -9, decoder[name] @ decoder[home][int(number)])
            if name == home:
                cosine[int(number)] = -9
            order = np.argsort(-cosine, kind="stable")[:top]
            own = encoder[name] @ encoder[home][int(number)]
            wanted += [(name, i, cosine[i], own[i]) for i in order if cosine[i] > -2]
        failures += len(wanted) != len(lines)
        for (name, i, cosine, own), (other, *numbers, life) in zip(wanted, lines):
            near = abs(float(numbers[0]) - cosine) < 6e-4 and abs(float(numbers[1]) - own) < 6e-4
            failures += not (other == f"{name}/{i}" and near and life == state[name][i])
    print("" if failures == 0 else f"{failures} lines differ")
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
