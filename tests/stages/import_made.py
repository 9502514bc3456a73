#!/usr/bin/env python3
"""Rows and codes made elsewhere, and what cleave-import must make of them, by numpy alone.
usage: import_made.py plant | check FOLDER KIND | check_codes FOLDER NAME | bad"""
import json
import pathlib
import struct
import sys
import zipfile

import numpy as np

ROWS, WIDTH, LATENTS, TOKENS = 9000, 40, 96, 250
failures = 0


def check(what, holds):
    global failures
    if not holds:
        failures += 1
        print("differs:", what)


def rows():
    random = np.random.default_rng(5)
    x = random.standard_normal((ROWS, WIDTH)).astype("f4") * 3 + 1
    x[[17, 5000, 8999]] *= 50  # beyond the norm limit
    x[123] = 0
    return x


def tokens():
    return np.random.default_rng(6).integers(0, TOKENS, ROWS)


def documents():
    """Numbers with gaps; some documents of one row, one of 5,000 (more than a unit of rows)."""
    lengths = np.concatenate([[1, 1, 5000], np.random.default_rng(7).integers(1, 60, 400)])
    numbers = np.cumsum(np.random.default_rng(8).integers(1, 9, len(lengths)))
    return np.repeat(numbers, lengths)[:ROWS]


def codes():
    """(row, feature, value), rows ascending; a row of all latents, rows of none, the last row empty."""
    random = np.random.default_rng(9)
    count = random.integers(0, 13, ROWS)
    count[[0, 40, 41, ROWS - 1]] = [LATENTS, 0, 0, 0]
    feature = [random.permutation(LATENTS - 1)[:n] if n < LATENTS else random.permutation(LATENTS) for n in count]
    row = np.repeat(np.arange(ROWS), count)
    value = (random.integers(1, 5, count.sum()) / 4).astype("f4")  # ties
    return row, np.concatenate(feature), value


def write_safetensors(path, tensors):
    header, data = {}, b""
    kinds = {"f4": "F32", "f2": "F16", "f8": "F64", "i8": "I64", "i4": "I32", "u4": "U32", "u2": "U16"}
    for name, array in tensors.items():
        bytes_ = np.ascontiguousarray(array).tobytes()
        header[name] = {"dtype": kinds[array.dtype.str[1:]], "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header).encode()
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + data)


def write_csr(path, row, feature, value, shape=(ROWS, LATENTS), save=np.savez_compressed, **change):
    """As scipy.sparse.save_npz does."""
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=shape[0]))])
    arrays = {"indices": feature.astype("i4"), "indptr": indptr.astype("i4"), "format": np.array(b"csr"),
              "shape": np.array(shape), "data": value}
    save(path, **{**arrays, **change})


def write_dictionary(folder):
    random = np.random.default_rng(10)
    pathlib.Path(folder).mkdir(exist_ok=True)
    decoder = random.standard_normal((LATENTS, WIDTH)).astype("f4")
    decoder[7] = 0
    write_safetensors(f"{folder}/params.safetensors", {
        "w_enc": random.standard_normal((WIDTH, LATENTS)).astype("f4"), "w_dec": decoder,
        "b_enc": np.zeros(LATENTS, "f4"), "b_dec": np.zeros(WIDTH, "f4"), "threshold": np.full(LATENTS, 0.5, "f4")})


def plant():
    x, row, feature, value = rows(), *codes()
    np.save("rows.npy", x)
    np.save("rows16.npy", x.astype("f2"))
    write_safetensors("rows.safetensors", {"activations": x.astype("f8"), "other": np.zeros(3, "f4")})
    np.save("tokens.npy", tokens().astype("u2"))
    write_safetensors("tokens.safetensors", {"tokens": tokens().astype("i4")})
    np.save("documents.npy", documents())
    write_csr("codes.npz", row, feature, value)
    write_csr("stored.npz", row, feature, value.astype("f8"), save=np.savez)
    write_safetensors("codes.safetensors", {"row": row, "feature": feature.astype("u4"), "value": value})
    write_dictionary("params")


def bf16(x):
    bits = x.view("u4").astype("u8")
    return (((bits + 0x7fff + ((bits >> 16) & 1)) >> 16 << 16).astype("u4")).view("f4")


def check_rows(folder, kind):
    import h5py
    file = h5py.File(f"{folder}/activations.h5")
    has_rows, has_tokens, has_documents = (letter in kind for letter in "rtd")
    width = WIDTH if has_rows else 0
    stored = bf16(rows()) if has_rows else np.zeros((ROWS, 0), "f4")
    norm = np.sqrt((stored.astype("f8") ** 2).sum(axis=1))
    kept = norm <= 8 * np.median(norm) if has_rows and "n" not in kind else np.ones(ROWS, bool)
    number = documents() if has_documents else np.arange(ROWS) // 128
    document = np.cumsum(np.diff(number, prepend=number[0]) != 0)
    start = np.concatenate([[0], np.flatnonzero(np.diff(document)) + 1])
    check("shape", file["activation"].shape == (kept.sum(), width))
    check("rows", np.array_equal(file["activation"][...].astype("f4"), stored[kept]))
    check("documents", np.array_equal(file["document"][:], document[kept]))
    check("positions", np.array_equal(file["position"][:], (np.arange(ROWS) - start[document])[kept]))
    check("left out", file.attrs["left_out_norm"] == ROWS - kept.sum())
    check("document_rows", file.attrs["document_rows"] == (0 if has_documents else 128))
    check("layer", file.attrs["layer"] == 12)
    ends = np.concatenate([start, [ROWS]]) if has_tokens else np.zeros(len(start) + 1)
    check("starts of documents", np.array_equal(file["document_start"][:], ends))
    check("tokens are there", ("token" in file) == has_tokens)
    if has_tokens:
        check("tokens", np.array_equal(file["token"][:], tokens()[kept]))
        check("text", np.array_equal(file["text_token"][:], tokens()))
        names = file["vocabulary_byte"][:].tobytes()
        at = file["vocabulary_start"][:]
        if "v" in kind:  # token 1 + b is byte b
            check("vocabulary", len(at) > 257 and names[at[78]:at[79]] == b"M")
        else:
            check("vocabulary", len(at) == TOKENS + 1 and names[at[77]:at[78]] == b" #77")
    else:
        check("no text", len(file["text_token"]) == 0 and len(file["vocabulary_start"]) == 1)
    held = file["document_held_out"][:].astype(bool)
    check("held out", 0 < held.sum() < len(held))
    train = stored[kept & ~held[document]].astype("f8")
    check("mean", np.allclose(file["mean"][:], train.mean(axis=0), rtol=1e-9, atol=1e-12))
    if has_rows:
        check("scale", np.isclose(file.attrs["scale"], np.sqrt(WIDTH / (train**2).sum(axis=1).mean()), rtol=1e-9))


def check_codes(folder, name):
    import h5py
    file, held = h5py.File(f"{folder}/codes/{name}.h5"), h5py.File(f"{folder}/activations.h5")
    row, feature, value = codes()
    order = np.lexsort((feature, -value, row))
    check("places", np.array_equal(file["row_start"][:], np.concatenate([[0], np.cumsum(np.bincount(row, minlength=ROWS))])))
    check("ids", np.array_equal(file["id"][:], feature[order]))
    check("values", np.array_equal(file["value"][:], value[order]))
    check("active", file["active"][:].all())
    order = np.lexsort((row, feature))
    check("by feature", np.array_equal(file["feature_row"][:], row[order]) and
          np.array_equal(file["feature_value"][:], value[order]))
    firings = np.bincount(feature, minlength=LATENTS)
    check("firings", np.array_equal(file["firings"][:], firings))
    held_out = held["document_held_out"][:].astype(bool)[held["document"][:]]
    check("held-out firings", np.array_equal(file["firings_held_out"][:], np.bincount(feature[held_out[row]], minlength=LATENTS)))
    check("sums", np.array_equal(file["sum"][:], np.bincount(feature, value, LATENTS)))
    top = [row[order][feature[order] == f][np.argsort(-value[order][feature[order] == f], kind="stable")][:5] for f in (0, 9)]
    check("examples", all(np.array_equal(file["top_row"][f][:5], top[i]) for i, f in enumerate((0, 9))))
    check("L0", np.isclose(file.attrs["l0"], len(row) / ROWS))
    check("explained variance is not known", np.isnan(file.attrs["explained_variance"]))
    labels = file["label_token"][9]
    if "token" in held:
        seen = held["token"][:][row[feature == 9]]
        check("label", labels[0] in seen)
    else:
        check("no label", (labels == 4294967295).all())


def bad():
    """Each of a kind of harm: files named after it."""
    row, feature, value = codes()

    def changed(array, at, to):
        array = array.copy()
        array[at] = to
        return array

    write_csr("id.npz", row, changed(feature, 5000, LATENTS), value)
    write_csr("nan.npz", row, feature, changed(value, 5000, np.nan))
    write_csr("rows.npz", row, feature, value, shape=(ROWS + 1, LATENTS))
    np.savez("coo.npz", row=row, col=feature, data=value, shape=np.array([ROWS, LATENTS]), format=np.array(b"coo"))
    write_safetensors("order.safetensors", {"row": changed(row, 30000, 0), "feature": feature, "value": value})
    with zipfile.ZipFile("codes.npz") as good, zipfile.ZipFile("crc.npz", "w") as archive:
        for member in good.infolist():
            archive.writestr(member.filename, good.read(member), zipfile.ZIP_DEFLATED)
    data = bytearray(pathlib.Path("crc.npz").read_bytes())
    data[len(data) // 2] ^= 255
    pathlib.Path("crc.npz").write_bytes(data)
    x = rows()
    np.save("nan.npy", changed(x, (6001, 3), np.nan))
    np.save("padded.npy", changed(x, slice(4000, None), 0))
    np.save("flat.npy", x.ravel())
    np.save("few.npy", documents()[1:])
    np.save("descending.npy", changed(documents(), 7000, 2))
    np.save("token.npy", changed(tokens(), 7000, -1))
    np.save("many.npy", changed(tokens(), 7000, 1 << 24))
    write_safetensors("two.safetensors", {"a": x, "b": x})


if __name__ == "__main__":
    {"plant": plant, "check": check_rows, "check_codes": check_codes, "bad": bad}[sys.argv[1]](*sys.argv[2:])
    sys.exit(failures > 0)
