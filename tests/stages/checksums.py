#!/usr/bin/env python3
"""Checksums of the datasets of a run's files, a line each. usage: checksums.py FOLDER"""
import hashlib
import pathlib
import sys

import h5py


def main():
    folder = pathlib.Path(sys.argv[1])
    for path in sorted(folder.rglob("*.h5")):
        if "checkpoints" in path.parts:
            continue
        with h5py.File(path) as file:
            name = path.relative_to(folder)
            content = file.attrs["content"]
            print(f"{name} content {content.decode() if isinstance(content, bytes) else content}")
            lines = []
            file.visititems(lambda key, item: lines.append((key, item)) if isinstance(item, h5py.Dataset) else None)
            for key, dataset in sorted(lines):
                digest = hashlib.sha256(dataset[...].tobytes()).hexdigest()[:16]
                print(f"{name} /{key} {list(dataset.shape)} {digest}")
    for path in sorted([*folder.glob("*.csv"), *folder.glob("*.jsonl")]):
        print(f"{path.name} - {hashlib.sha256(path.read_bytes()).hexdigest()[:16]}")


if __name__ == "__main__":
    main()
