#!/usr/bin/env python3
"""Folders of every kind that cleave-import reads, and whether dictionaries/*.h5 compute what the tools compute.
usage: import_check.py write            folders below ., run.yaml
       import_check.py weights RUN      the formulas of schema.h on RUN/dictionaries against each tool's own
       import_check.py rows FILE        1,000 rows
       import_check.py codes RUN        RUN/codes, encoded from them, against each tool's own"""
import sys

import foreign
import h5py
import numpy as np

SOURCES = {
    "relu": ("SAELens relu", "F32 [96, 48]", "b_dec subtracted", "L0 not stated", "after layer 3", "of tiny"),
    "topk": ("SAELens topk", "F16 [128, 48]", "L0 7 stated"),
    "topk-norm": ("SAELens topk", "L0 7 stated"),
    "topk-old": ("SAELens topk", "L0 5 stated", "after layer 1 (blocks.2.hook_resid_pre) of old"),
    "jumprelu": ("SAELens jumprelu", "BF16 [224, 48]", "b_dec not subtracted"),
    "gated": ("SAELens gated", "b_dec subtracted"),
    "batchtopk": ("SAELens jumprelu", "L0 6.5 stated"),
    "gemma-2": ("Gemma Scope 2 jumprelu", "L0 42.43 stated (l0_medium: 30 to 60)", "after layer 12"),
    "gemma-2-config": ("Gemma Scope 2 jumprelu", "L0 42 stated", "after layer 9 (model.layers.9.output) of gemma-v3-270m"),
    "gemma": ("Gemma Scope jumprelu", "L0 71 stated", "after layer 12"),
    "gemma-packed": ("Gemma Scope jumprelu", "L0 not stated", "layer not stated"),
    "llama": ("Llama Scope jumprelu", "decoder BF16 [48, 448]", "L0 9 stated", "rows times 0.34641", "after layer 7"),
}


PIECES = 180000  # a matrix of 34.6 MB in float32: one rank takes it in two pieces


def write():
    kinds = foreign.every_kind(".")
    with open("run.yaml", "w") as file:
        file.write("folder: run\ndictionaries:\n")
        for name, (folder, latents, _) in kinds.items():
            file.write(f"  - {{name: {name}, latents: {latents}, import: {folder}}}\n")
        file.write(f"  - {{name: pieces, latents: {PIECES}, import: pieces}}\n")
    foreign.write_gemma_2("pieces", foreign.weights(13, PIECES), "BF16")


def by_schema(file, rows):
    """Activations and reconstruction of raw rows, as schema.h says."""
    attributes = file.attrs
    w_enc, w_dec, b_enc, b_dec = (file[name][...].astype(np.float64) for name in ("w_enc", "w_dec", "b_enc", "b_dec"))
    score = (rows - attributes["subtract_b_dec"] * b_dec) @ w_enc.T + b_enc
    architecture = foreign.text(attributes["architecture"])
    activation = score
    if "gain" in file:
        activation = file["gain"][...] * (score + file["offset"][...].astype(np.float64))
    if architecture == "topk":
        fires = score >= np.sort(score, axis=1)[:, -int(attributes["k"])][:, None]
        fires &= score > 0
    else:
        fires = score > (file["threshold"][...] if architecture == "jumprelu" else 0)
    activation = np.where(fires & (activation > 0), activation, 0)
    return activation, activation @ w_dec + b_dec


def check_unit(name, file):
    norm = np.linalg.norm(file["w_dec"][...].astype(np.float64), axis=1)
    assert abs(norm[norm > 0] - 1).max() < 1e-6, (name, norm)
    assert (norm == 0).sum() == 2, (name, (norm == 0).sum())
    assert file.attrs["input_scale"] == 1 and file.attrs["dead_in_training"] == -1, dict(file.attrs)
    for words in SOURCES[name]:
        assert words in foreign.text(file.attrs["source"]), (name, words, file.attrs["source"])


def check_pieces(run):
    """A dictionary of more latents than fit one piece, row by row."""
    w = foreign.in_use(foreign.weights(13, PIECES), "BF16")
    norm = np.linalg.norm(w["decoder"], axis=1, keepdims=True)
    with h5py.File(f"{run}/dictionaries/pieces.h5") as file:
        assert np.allclose(file["w_enc"][...], w["encoder"] * norm, rtol=1e-6, atol=0)
        assert np.allclose(file["w_dec"][...], w["decoder"] / np.where(norm > 0, norm, 1), rtol=1e-6, atol=0)
        assert np.allclose(file["threshold"][...], w["threshold"] * norm[:, 0], rtol=1e-6, atol=0)


def check_weights(run):
    rows = foreign.rows_for(300).astype(np.float64)
    for name, (_, latents, compute) in foreign.every_kind(".").items():
        with h5py.File(f"{run}/dictionaries/{name}.h5") as file:
            assert file["w_enc"].shape == (latents, foreign.WIDTH)
            check_unit(name, file)
            got, rebuilt = by_schema(file, rows)
        wanted, reconstruction, margin = compute(rows)
        clear = margin > 1e-4
        assert clear.mean() > 0.99 and (wanted > 0).mean() > 0.01, (name, clear.mean(), (wanted > 0).mean())
        error = abs(got - wanted)[clear].max() / wanted.max()
        safe = clear.all(axis=1)
        error_rebuilt = abs(rebuilt - reconstruction)[safe].max() / abs(reconstruction).max()
        print(f"{name:16s} latents differ by {error:.1e}, reconstructions by {error_rebuilt:.1e} of the largest, "
              f"{(~clear).sum()} of {clear.size} borderline")
        assert error < 1e-5 and error_rebuilt < 1e-5, name
    check_pieces(run)


def check_codes(run):
    rows = foreign.rows_for(1000).astype(np.float64)
    for name, (_, latents, compute) in foreign.every_kind(".").items():
        with h5py.File(f"{run}/dictionaries/{name}.h5") as file, h5py.File(f"{run}/codes/{name}.h5") as codes:
            got = foreign.dense_codes(codes, latents)
            rebuilt = got @ file["w_dec"][...] + file["b_dec"][...]
        foreign.compare(name, got, rebuilt, *compute(rows), bound=1e-5)


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write()
    elif sys.argv[1] == "rows":
        np.save(sys.argv[2], foreign.rows_for(1000))
    elif sys.argv[1] == "weights":
        check_weights(sys.argv[2])
    else:
        check_codes(sys.argv[2])
