#!/usr/bin/env python3
"""Dictionaries of every architecture for cleave-encode, and its codes against numpy in float64.
usage: encode_architectures.py plant|check FOLDER

Latents whose score lies within rounding of their threshold may fire or not: they are left out and
counted."""
import pathlib
import sys

import h5py
import numpy as np

import check_codes
import plant_codes
from check_codes import check, near

K, NEAR = 5, 1e-4
#        name, latents, architecture, has gain, subtracts b_dec, stated L0
PLANTED = [("jump", 64, "jumprelu", False, 1, 1000.0), ("topk", 70, "topk", True, 1, np.nan),
           ("relu", 90, "relu", False, 1, 6.0), ("gated", 130, "gated", True, 1, np.nan),
           ("dense", 600, "jumprelu", True, 0, np.nan)]


def dictionary(folder, random, scale, mean, directions, name, latents, architecture, has_gain, subtract, stated):
    picks = directions[np.arange(latents) % 64]
    w_dec = picks + 0.15 * random.normal(size=picks.shape)
    w_dec /= np.linalg.norm(w_dec, axis=1, keepdims=True)
    w_dec[5] = 0
    data = {"w_dec": w_dec, "w_enc": w_dec + 0.05 * random.normal(size=w_dec.shape),
            "b_enc": 0.1 * random.normal(size=latents) - (1.5 if architecture == "relu" else 0),
            "b_dec": mean + 0.02 * random.normal(size=plant_codes.WIDTH)}
    if architecture == "jumprelu":
        data["threshold"] = np.abs(random.normal(size=latents)) * 0.3 + (0.5 if name == "dense" else 1.6)
        data["threshold"][11] = np.inf
    if has_gain:
        data["gain"] = np.abs(random.normal(size=latents)) + 0.3
        data["offset"] = 0.5 * random.normal(size=latents)
    with h5py.File(folder / "dictionaries" / f"{name}.h5", "w") as file:
        for key, values in data.items():
            file[key] = values.astype("<f4")
        plant_codes.attributes(file, schema="dictionary 1", content=f"{latents:016x}", architecture=architecture,
                               k=K if architecture == "topk" else 0, latents=latents, width=plant_codes.WIDTH,
                               input_scale=scale, subtract_b_dec=subtract, role="level", control_of="",
                               source="made up", stated_l0=stated)


def plant(folder):
    (folder / "dictionaries").mkdir(parents=True)
    random = np.random.default_rng(8)
    scale, directions = plant_codes.activations(folder, random)
    with h5py.File(folder / "activations.h5") as file:
        mean = file["mean"][:] * scale
    lines = ["folder: " + folder.name, "encode: {examples: 9, intervals: 4, per_interval: 3}", "dictionaries:"]
    for one in PLANTED:
        dictionary(folder, random, scale, mean, directions, *one)
        lines.append(f"  - {{name: '{one[0]}', latents: {one[1]}, import: somewhere"
                     f"{', l0: 9000' if one[0] == 'dense' else ''}}}")
    pathlib.Path("run.yaml").write_text("\n".join(lines) + "\n")


def activations(file, x):
    """Scores, and what would fire with which activation; unsure: within rounding of a threshold."""
    shift = file["b_dec"][:].astype("f8") if file.attrs["subtract_b_dec"] else 0
    score = (x - shift) @ file["w_enc"][:].astype("f8").T + file["b_enc"][:]
    value = score
    if "gain" in file:
        value = file["gain"][:].astype("f8") * (score + file["offset"][:])
    threshold = file["threshold"][:].astype("f8") if "threshold" in file else np.zeros(score.shape[1])
    unsure = (np.abs(score - threshold) < NEAR) | (np.abs(value) < NEAR)
    return score, value, score > threshold, unsure


def chosen(file, score, value, passes, unsure):
    """What stands in the codes, and what of it is active."""
    if file.attrs["architecture"] != b"topk":
        fires = passes & (value > 0)
        return fires, fires, unsure
    k = file.attrs["k"]
    place = np.argsort(np.argsort(-score, axis=1, kind="stable"), axis=1, kind="stable")
    for cut in (k, 2 * k):  # rows with a near tie at a cut
        best = -np.sort(-score, axis=1)
        unsure |= (best[:, cut - 1] - best[:, cut] < NEAR)[:, None] & (place >= k - 1) & (place <= 2 * k)
    kept = (score > 0) & (place < 2 * k) & (value > 0)
    return kept, kept & (place < k), unsure


def check_one(folder, name, x, mean, held_out, token):
    with h5py.File(folder / "dictionaries" / f"{name}.h5") as file, h5py.File(folder / "codes" / f"{name}.h5") as codes:
        score, value, passes, unsure = activations(file, x)
        kept, active, unsure = chosen(file, score, value, passes, unsure)
        start, ids, found = codes["row_start"][:], codes["id"][:], codes["value"][:]
        is_active = codes["active"][:] == 1
        row = np.repeat(np.arange(len(x)), np.diff(start))
        dense, marks = np.zeros_like(value), np.zeros(value.shape, bool)
        dense[row, ids] = found
        marks[row[is_active], ids[is_active]] = True
        check(f"{name} positive", (found > 0).all())
        check(f"{name} which", ((dense > 0) == kept)[~unsure].all())
        check(f"{name} active", (marks == active)[~unsure].all())
        near(f"{name} values", dense[row, ids], value[row, ids], 1e-4)
        order = score[row, ids] if file.attrs["architecture"] == b"topk" else found
        inner = row[1:] == row[:-1]
        check(f"{name} order", (order[1:] <= order[:-1] + 1e-4)[inner].all())
        check_codes.check_features(name, codes, row[is_active], ids[is_active], found[is_active], held_out, token)
        guess = file["b_dec"][:].astype("f8") + (dense * marks) @ file["w_dec"][:].astype("f8")
        explained = 1 - ((x - guess)[held_out] ** 2).sum() / ((x - mean)[held_out] ** 2).sum()
        near(f"{name} explained variance", codes.attrs["explained_variance"], explained, 1e-5)
        l0 = marks.sum() / len(x)
        near(f"{name} L0", codes.attrs["l0"], l0, 1e-9)
        check(f"{name} k", codes.attrs["k"] == file.attrs["k"])
        wanted = b"small" if l0 < 25 else b"medium" if l0 < 75 else b"big"
        check(f"{name} class", codes.attrs["l0_class"] == wanted)
        stated = 9000 if name == "dense" else file.attrs["stated_l0"]
        is_off = l0 > 2 * stated or 2 * l0 < stated or explained < 0.3
        check(f"{name} gate", (codes.attrs["gate"] != b"") == is_off)
        print(f"{name}: L0 {l0:.1f}, explained {explained:.3f}, {unsure.sum()} of {unsure.size} scores unsure,"
              f" gate \"{codes.attrs['gate'].decode()}\"")


def main():
    folder = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "plant":
        plant(folder)
        return 0
    with h5py.File(folder / "activations.h5") as file:
        x = (file["activation"][:].astype("f4") * np.float32(file.attrs["scale"])).astype("f8")
        mean = file["mean"][:] * file.attrs["scale"]
        held_out = file["document_held_out"][:][file["document"][:]] == 1
        token = file["token"][:]
    for one in PLANTED:
        check_one(folder, one[0], x, mean, held_out, token)
    return check_codes.failures != 0


if __name__ == "__main__":
    sys.exit(main())
