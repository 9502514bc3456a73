#!/usr/bin/python3
"""Files that numpy writes (.npy, savez, savez_compressed) and .safetensors made by hand: does tensor.h read the same?
usage: tensor_numpy.py PATH_OF_tensor_dump"""
import io
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

failures = 0


def check(what, holds):
    global failures
    if not holds:
        failures += 1
        print("differs:", what)


def dump(path):
    """(exit code, {name: (description, values)}, stderr)"""
    scratch = path.parent / "scratch.npy"
    run = subprocess.run([sys.argv[1], path, scratch], capture_output=True, text=True)
    found, values = {}, None
    for line in run.stdout.splitlines():
        if line.startswith("tensor "):
            name, about = line[len("tensor '"):].split("' ", 1)
            values = []
            found[name] = (about, values)
        else:
            values.append(float(line) if "." in line or "e" in line else int(line))
    return run.returncode, found, run.stderr


def same(found, array):
    """The values as float32 or as integers, row-major."""
    if array.dtype.kind == "S":
        array = np.frombuffer(array.tobytes(), np.uint8)
    elif array.dtype.kind == "U":
        array = np.frombuffer(array.tobytes(), np.uint32)
    if array.dtype.kind == "f":
        return np.array_equal(np.array(found, np.float32), array.astype(np.float32).ravel())
    return found == [int(v) for v in array.ravel()]


def arrays(random):
    yield from (random.standard_normal(shape).astype(kind) for shape in ((5, 7), (3,), (2, 3, 4), (), (0, 4), (1, 1))
                for kind in ("f8", "f4", "f2"))
    for kind in ("i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1"):
        most = np.iinfo(kind).max if kind != "u8" else 2**63 - 1
        yield np.array([np.iinfo(kind).min, 0, most], kind)
    yield np.array([True, False])
    yield np.array(b"csr")
    yield np.array("csr")
    yield np.asfortranarray(np.arange(5.0))


def check_npy(folder, random):
    for array in arrays(random):
        np.save(folder / "a.npy", array)
        code, found, error = dump(folder / "a.npy")
        check(f"npy {array.dtype} {array.shape}: {error}", code == 0 and same(found[""][1], array))
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(folder / "a.npy", "wb") as file:
            np.lib.format.write_array(file, np.arange(6.0).reshape(2, 3), version)
        code, found, _ = dump(folder / "a.npy")
        check(f"npy version {version}", code == 0 and found[""][1] == [0, 1, 2, 3, 4, 5])


def check_npz(folder, random):
    named = {f"a{i}": array for i, array in enumerate(arrays(random))}
    named["large"] = random.standard_normal((500, 300)).astype("f4")
    for save in (np.savez, np.savez_compressed):
        save(folder / "a.npz", **named)
        code, found, error = dump(folder / "a.npz")
        check(f"{save.__name__}: {error}", code == 0 and set(found) == set(named))
        for name, array in named.items():
            check(f"{save.__name__} {name}", name in found and same(found[name][1], array))
            check(f"{save.__name__} {name}: packed",
                  found[name][0].endswith("packed") == (save is np.savez_compressed))


def check_zip64(folder):
    """Written as to a pipe: sizes behind the data, in the zip64 manner."""
    array = np.arange(10, dtype="f4")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        memory = io.BytesIO()

        class Pipe(io.RawIOBase):
            def writable(self):
                return True

            def write(self, data):
                return memory.write(data)

        with zipfile.ZipFile(Pipe(), "w", method) as archive:
            with archive.open("x.npy", "w", force_zip64=True) as member:
                np.save(member, array)
        (folder / "a.npz").write_bytes(memory.getvalue())
        code, found, error = dump(folder / "a.npz")
        check(f"streamed zip {method}: {error}", code == 0 and same(found["x"][1], array))


def refused(folder, what, code, words):
    found, _, error = dump(folder)
    check(f"{what}: {found} {error}", found == code and words in error)


def check_refusals(folder):
    path = folder / "a.npy"
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)
    refused(path, "pickle", 7, "pickle")
    np.save(path, np.arange(4, dtype=">f4"))
    refused(path, "big-endian", 7, "big-endian")
    np.save(path, np.asfortranarray(np.zeros((3, 4))))
    refused(path, "Fortran", 7, "Fortran")
    np.save(path, np.zeros(3, "c8"))
    refused(path, "complex", 7, "c8")
    np.save(path, np.zeros(3, [("a", "f4")]))
    refused(path, "records", 7, "fields")
    np.save(path, np.array([[1.0, np.nan], [0.0, 0.0]]))
    refused(path, "nan", 6, "row 0, column 1")
    with zipfile.ZipFile(folder / "a.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"x")
    refused(folder / "a.pt", "PyTorch", 6, "PyTorch")


def check_safetensors(folder, random):
    wanted = {"w": random.standard_normal((4, 6)).astype("f4"), "h": random.standard_normal(3).astype("f2"),
              "n": np.arange(-3, 3)}
    header, data = {"__metadata__": {"a": "b"}}, b""
    for name, array in wanted.items():
        kind = {"f4": "F32", "f2": "F16", "i8": "I64"}[array.dtype.str[1:]]
        header[name] = {"dtype": kind, "shape": array.shape, "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    bf16 = (wanted["w"].view("u4") >> 16).astype("u2")
    header["b"] = {"dtype": "BF16", "shape": bf16.shape, "data_offsets": [len(data), len(data) + bf16.nbytes]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "a.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data + bf16.tobytes())
    code, found, error = dump(folder / "a.safetensors")
    wanted["b"] = (bf16.astype("u4") << 16).view("f4")
    check(f"safetensors: {error}", code == 0 and set(found) == set(wanted))
    for name, array in wanted.items():
        check(f"safetensors {name}", same(found[name][1], array))


with tempfile.TemporaryDirectory() as name:
    check_npy(pathlib.Path(name), np.random.default_rng(1))
    check_npz(pathlib.Path(name), np.random.default_rng(2))
    check_zip64(pathlib.Path(name))
    check_refusals(pathlib.Path(name))
    check_safetensors(pathlib.Path(name), np.random.default_rng(3))
print("tensors as numpy writes them:", "all the same" if failures == 0 else f"{failures} differ")
sys.exit(failures > 0)
