#!/usr/bin/python3
"""python_reads.py WRITER: a file of ours, read by h5py as a user would. Exit 77: no h5py."""
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
except ImportError:
    print("skipped: h5py is not installed")
    sys.exit(77)

with tempfile.TemporaryDirectory() as folder:
    path = folder + "/x.h5"
    subprocess.run(["mpirun", "-n", "2", "--oversubscribe", sys.argv[1], path, "64"], check=True)
    with h5py.File(path, "r") as file:
        rows = file["x"]
        assert rows.shape == (256, 128), rows.shape
        values = rows[:].astype(np.float64)
        wanted = 1 + np.arange(128) / 128  # the pattern of writer.c as bf16
        assert (values == wanted).all(), values
        assert rows.attrs["meaning"].decode() == "test rows"
        assert rows.attrs["unit"].decode() == "1"
        assert file.attrs["schema"].decode() == "writer 1"
        assert len(file.attrs["content"].decode()) == 16
        for key in "created", "ranks", "cpu", "blas_core", "version", "name":
            assert file.attrs[key].decode(), key
print("h5py reads values, meanings and provenance")
