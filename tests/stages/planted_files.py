"""Files of planted_truth.py: dictionaries in other tools' layouts, codes as CSR .npz, run.yaml, truth.csv.

Safetensors bytes are written and read by hand; nothing here shares code with cleave."""
import csv
import json
import pathlib
import struct

import numpy as np

TRUTH_COLUMNS = ["dictionary", "feature", "child_status", "parent_status", "parent", "root_dictionary", "root",
                 "flags", "kind"]


def write_safetensors(path, tensors):
    """tensors: name -> float32 array."""
    header, at = {}, 0
    for name, array in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.size * 4]}
        at += array.size * 4
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in tensors.values():
            file.write(np.ascontiguousarray(array, dtype="<f4").tobytes())


def read_safetensors(path):
    data = pathlib.Path(path).read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + length])
    header.pop("__metadata__", None)
    return {name: np.frombuffer(data[8 + length + entry["data_offsets"][0]:8 + length + entry["data_offsets"][1]],
                                "<f4").reshape(entry["shape"]) for name, entry in header.items()}


def write_sae_lens(folder, level, norms):
    folder.mkdir(parents=True)
    write_safetensors(folder / "sae_weights.safetensors", {
        "W_enc": level.encoder.T, "b_enc": np.zeros(level.latents), "W_dec": level.decoder * norms[:, None],
        "b_dec": np.zeros(level.width), "threshold": np.full(level.latents, 0.5)})
    config = {"architecture": "jumprelu", "d_in": level.width, "d_sae": level.latents, "dtype": "float32",
              "device": "cpu", "apply_b_dec_to_input": False, "normalize_activations": "none",
              "reshape_activations": "none",
              "metadata": {"sae_lens_version": "6.37.6", "sae_lens_training_version": None, "model_name": "planted",
                           "hook_name": "blocks.12.hook_resid_post"}}
    (folder / "cfg.json").write_text(json.dumps(config, indent=1))


def write_gemma(folder, level, norms, has_config):
    folder.mkdir(parents=True)
    write_safetensors(folder / "params.safetensors", {
        "w_enc": level.encoder.T, "w_dec": level.decoder * norms[:, None], "b_enc": np.zeros(level.latents),
        "b_dec": np.zeros(level.width), "threshold": np.full(level.latents, 0.5)})
    if has_config:
        config = {"architecture": "jump_relu", "model_name": "planted", "hf_hook_point_in": "model.layers.12.output",
                  "width": level.latents, "l0": 15}
        (folder / "config.json").write_text(json.dumps(config))


def write_codes(path, events, rows, latents):
    """The layout of scipy.sparse.save_npz; events are ordered by row and feature."""
    counts = np.bincount(events.row, minlength=rows)
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype("<i4")
    np.savez_compressed(path, indices=events.feature.astype("<i4"), indptr=indptr, format=np.array(b"csr"),
                        shape=np.array([rows, latents], "<i8"), data=events.value.astype("<f4"))


def read_codes(path):
    """indptr, indices, data."""
    with np.load(path) as file:
        return file["indptr"].astype(np.int64), file["indices"].astype(np.int64), file["data"]


def write_run(folder, dictionaries, names):
    """run.yaml. dictionaries: (name, latents, control_of); names: name -> folder of the dictionary."""
    lines = [f"folder: {folder / 'run'}", f"import: {{documents: {folder / 'documents.npy'}, layer: 12}}",
             "dictionaries:"]
    for name, latents, control_of in dictionaries:
        twin = f", control_of: '{control_of}', seed: 2" if control_of else ""
        lines.append(f"  - {{name: '{name}', latents: {latents}, import: {names[name]}, "
                     f"codes: {folder / (name + '.npz')}{twin}}}")
    (folder / "run.yaml").write_text("\n".join(lines) + "\n")


def write_truth(path, lines):
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(TRUTH_COLUMNS)
        writer.writerows(lines)
