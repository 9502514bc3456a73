#!/usr/bin/env python3
"""Dictionaries whose effect on the model is known: evaluate.py make FOLDER RUN writes them; evaluate.py check RUN looks at
what cleave-evaluate found."""
import os
import random
import sys

import h5py
import numpy as np

import foreign
import tiny_model

WIDTH = tiny_model.WIDTH


def write(folder, latents, encoder, decoder, b_dec, b_enc=0.0):
    """A SAELens folder of ReLU latents: those beyond the given rows are dead."""
    w = {"encoder": np.zeros((latents, WIDTH)), "decoder": np.zeros((latents, WIDTH)), "b_dec": b_dec,
         "b_enc": np.full(latents, float(b_enc))}
    w["encoder"][:len(encoder)], w["decoder"][:len(decoder)] = encoder, decoder
    cfg = {**foreign.config("standard", latents), "d_in": WIDTH, "apply_b_dec_to_input": False}
    foreign.write_saelens(folder, cfg, w, "F32", {"b_enc": "b_enc"})


def make(folder, run):
    eye, none = np.eye(WIDTH), np.zeros((0, WIDTH))
    with h5py.File(f"{run}/activations.h5") as file:
        mean = file["mean"][:]
    write(f"{folder}/nothing", 100, none, none, np.zeros(WIDTH))
    write(f"{folder}/mean", 110, none, none, mean)
    write(f"{folder}/whole", 140, np.concatenate([eye, -eye]), np.concatenate([eye, -eye]), np.zeros(WIDTH))
    write(f"{folder}/half", 150, eye, eye, np.zeros(WIDTH))


def head():
    """The tied output head of the tiny model, its first tensor; the final norm's weights are 1."""
    generator, (_, vocabulary) = random.Random(7), tiny_model.metadata("llama")
    values = [generator.gauss(0, 1.0) for _ in range(WIDTH * vocabulary)]
    return np.array(values, np.float32).reshape(vocabulary, WIDTH).astype(float)


def check(run):
    def losses(name):
        with h5py.File(f"{run}/evaluation/{name}.h5") as file:
            return dict(file.attrs)
    nothing, mean, whole, half = (losses(name) for name in ("nothing", "mean", "whole", "half"))
    assert abs(whole["loss_itself"] - whole["loss_plain"]) < 1e-5
    assert abs(whole["loss_rebuilt"] - whole["loss_plain"]) < 1e-5, whole
    assert abs(whole["recovered"] - 1) < 1e-4 and whole["recovered_low"] <= whole["recovered"] <= whole["recovered_high"]
    assert nothing["loss_rebuilt"] == nothing["loss_zero"] and nothing["recovered"] == 0
    assert abs(mean["loss_rebuilt"] - mean["loss_mean"]) < 1e-5
    assert len({half["loss_rebuilt"], half["loss_zero"], half["loss_mean"], half["loss_plain"]}) == 4
    assert len({d["loss_plain"] for d in (nothing, mean, whole, half)}) == 1
    assert whole["tokens"] + whole["contexts"] >= 1000 and whole["held_out"] == 1
    assert 0 < whole["rows"] < whole["tokens"] + whole["contexts"]
    rows = head()
    with h5py.File(f"{run}/evaluation/half.h5") as file:
        effects = rows.T  # of the unit directions
        for sign, end in ((1, "promoted"), (-1, "suppressed")):
            best = np.argsort(-sign * effects, axis=1, kind="stable")[:, :7]
            assert (file[f"{end}_token"][:WIDTH] == best).all()
            assert np.abs(file[f"{end}_effect"][:WIDTH] - np.take_along_axis(effects, best, 1)).max() < 1e-5
            assert (file[f"{end}_token"][WIDTH:] == 4294967295).all() and (file[f"{end}_effect"][WIDTH:] == 0).all()
    print(f"plain {whole['loss_plain']:.4f}, zero {whole['loss_zero']:.4f}, half {half['loss_rebuilt']:.4f}")


if __name__ == "__main__":
    make(*sys.argv[2:]) if sys.argv[1] == "make" else check(sys.argv[2])
