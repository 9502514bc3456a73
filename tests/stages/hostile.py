#!/usr/bin/env python3
"""Damaged and hostile dictionary folders below bad/, one a kind of harm. usage: hostile.py"""
import io
import json
import os
import struct
import zipfile

import foreign
import numpy as np

LATENTS = 64


def fresh(name):
    folder = f"bad/{name}"
    os.makedirs(folder, exist_ok=True)
    return folder


def gemma_2(name, change=lambda w: None, kind="F32"):
    w = foreign.weights(20, LATENTS, dead=0)
    change(w)
    foreign.write_gemma_2(fresh(name), w, kind)
    return f"bad/{name}/params.safetensors"


def saelens(name, cfg=None, extra=(), architecture="standard"):
    w = foreign.weights(21, LATENTS, dead=0)
    foreign.write_saelens(fresh(name), {**foreign.config(architecture, LATENTS), **(cfg or {})}, w, "F32", foreign.FOUR, extra)


def header_of(path):
    with open(path, "rb") as file:
        length = struct.unpack("<Q", file.read(8))[0]
        return json.loads(file.read(length)), file.read()


def rewrite(path, header, data, said=None):
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text) if said is None else said) + text + data)


def safetensors():
    path = gemma_2("header-beyond-file")
    header, data = header_of(path)
    rewrite(path, header, data, said=1 << 40)
    path = gemma_2("overlap")
    header, data = header_of(path)
    first, past = header["w_enc"]["data_offsets"]
    header["w_dec"]["data_offsets"] = [first + 4, past + 4]
    rewrite(path, header, data)
    path = gemma_2("cut")
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) - 100)
    path = gemma_2("wrong-count")
    header, data = header_of(path)
    header["b_enc"]["shape"] = [LATENTS - 1]
    rewrite(path, header, data)
    path = gemma_2("huge-shape")
    header, data = header_of(path)
    header["w_dec"]["shape"] = [1 << 62, 1 << 62]
    rewrite(path, header, data)


def values():
    def last_nan(w):
        w["decoder"][LATENTS - 1, 3] = np.nan

    def infinite(w):
        w["threshold"][LATENTS - 1] = np.inf

    def too_large(w):
        w["encoder"][LATENTS - 1] = 3e30
        w["decoder"][LATENTS - 1] = 3e30

    def transposed(w):
        w["encoder"] = np.ascontiguousarray(w["encoder"].T)

    gemma_2("nan", last_nan)
    gemma_2("infinite-threshold", infinite)
    gemma_2("beyond-float", too_large)
    gemma_2("transposed", transposed)


def meaning():
    saelens("extra-key", extra={"surprise": (np.zeros(3), "F32")})
    saelens("missing-tensor", architecture="jumprelu")
    saelens("unknown-architecture", {"architecture": "temporal"})
    saelens("normalised", {"normalize_activations": "expected_average_only_in"})
    saelens("sizes", {"d_sae": 2 * LATENTS})
    saelens("factors", extra={"scaling_factor": (np.linspace(1, 2, LATENTS), "F32")})
    saelens("no-json")
    with open("bad/no-json/cfg.json", "w") as file:
        file.write('{"architecture": "standard",\n oops')
    os.makedirs("bad/nothing", exist_ok=True)


def npy(array, **more):
    out = io.BytesIO()
    np.save(out, array, **more)
    return out.getvalue()


def member(archive, name, data, method=zipfile.ZIP_STORED):
    info = zipfile.ZipInfo(name)
    info.compress_type = method
    archive.writestr(info, data)


def npz(name, replaced=(), method=zipfile.ZIP_STORED):
    """A sound params.npz but for the members in `replaced` {name in the zip: bytes}."""
    w = {key: value.astype(np.float32) for key, value in foreign.weights(22, LATENTS, dead=0).items()}
    members = {"W_enc.npy": npy(np.ascontiguousarray(w["encoder"].T)), "W_dec.npy": npy(w["decoder"]),
               "b_enc.npy": npy(w["b_enc"]), "b_dec.npy": npy(w["b_dec"]), "threshold.npy": npy(w["threshold"])}
    members.update(replaced)
    path = f"{fresh(name)}/params.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for key, data in members.items():
            if data is not None:
                member(archive, key, data, method)
    return path


def patch(path, name, size):
    """Let both headers of a member say that it has `size` bytes."""
    with open(path, "rb") as file:
        data = file.read()
    for signature, at, name_at in ((b"PK\x03\x04", 22, 30), (b"PK\x01\x02", 24, 46)):
        start = data.find(signature)
        while data[start + name_at:start + name_at + len(name)] != name.encode():
            start = data.find(signature, start + 1)
            assert start >= 0, name
        data = data[:start + at] + struct.pack("<I", size) + data[start + at + 4:]
    with open(path, "wb") as file:
        file.write(data)


def bomb():
    """b_enc.npy says 64 values and inflates to 320 MB of zeros."""
    path = npz("bomb", {"b_enc.npy": None})
    zeros = bytes(1 << 24)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive, archive.open("b_enc.npy", "w") as file:
        file.write(npy(np.zeros(LATENTS, np.float32)))
        for _ in range(20):
            file.write(zeros)


def zips():
    bias = np.zeros(LATENTS, np.float32)
    npz("path", {"b_enc.npy": None, "../b_enc.npy": npy(bias)})
    npz("folder", {"b_enc.npy": None, "deep/b_enc.npy": npy(bias)})
    npz("big-endian", {"b_enc.npy": npy(bias.astype(">f4"))})
    npz("pickle", {"b_enc.npy": npy(np.array([{"a": 1}] * LATENTS, dtype=object), allow_pickle=True)})
    npz("fortran", {"W_dec.npy": npy(np.asfortranarray(np.ones((LATENTS, foreign.WIDTH), np.float32)))})
    npz("short-member", {"b_enc.npy": npy(bias)[:-8]})
    patch(npz("wrong-size"), "threshold.npy", len(npy(bias)) + 400)
    path = npz("damaged", method=zipfile.ZIP_DEFLATED)
    with open(path, "r+b") as file:
        file.seek(os.path.getsize(path) // 3)
        file.write(b"\x55" * 200)
    path = npz("cut-zip")
    with open(path, "r+b") as file:
        file.truncate(os.path.getsize(path) // 2)
    bomb()


def widths():
    foreign.WIDTH = 24
    saelens("narrow")


if __name__ == "__main__":
    safetensors()
    values()
    meaning()
    zips()
    widths()
