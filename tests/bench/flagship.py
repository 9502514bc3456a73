#!/usr/bin/env python3
"""The flagship case by made-up files: four dictionaries of 16,384 / 65,536 / 262,144 / 1,048,576 features x 640 with
planted families in Gemma Scope 2 layout, a twin of the third, rows that they encode to an L0 near 100.

usage: flagship.py make FOLDER [--scale 1/16] [--seed N]   write dictionaries, rows, documents, run.yaml, truth
       flagship.py run FOLDER BIN [--ranks 2] [--keep]     all stages, programs in BIN: time and peak memory of each
       flagship.py judge FOLDER                            roots of FOLDER/run/features.csv against the truth

A feature's direction is a part of its parent's and a part of its own, down four levels. A row is a sum of a few dozen
concepts: a concept is a feature with all its ancestors, a vector that has the same dot product with each of them. So
rows that make a feature fire make its parent fire, whatever else is in the row, and encoder = decoder direction does.
A scale of 1/4^n divides the sizes by 4^n, rows, concepts and L0 by 2^n: as many firings a feature as at full size."""
import argparse
import collections
import csv
import fractions
import json
import pathlib
import shutil
import struct
import subprocess
import sys
import time

import numpy as np

NAMES, SIZES = ["16k", "65k", "262k", "1m"], [16384, 65536, 262144, 1048576]
TWIN, TWINNED = "262k-b", 2
WIDTH, ROWS, DOCUMENT, L0, CONCEPTS = 640, 400_000, 100, 100, 32
# Cosines of children to parents. At an L0 of 100 relatives of the row's concepts fire too, and at full size features
# of other families by chance; children lie so near that their parents fire along then too.
NEARNESS, NEARNESS_SCALED = [(0.80, 0.88), (0.70, 0.80), (0.60, 0.76)], [(0.60, 0.76)] * 3
BLOCK = 16384            # features made at a time
DEAD, UNSEEN, NOVEL = 0.01, 0.01, 0.04
NONE = -1
ALIVE, IS_DEAD, IS_UNSEEN = 0, 1, 2
RIGHT = 0.95             # least share of roots


class Level:
    """direction [latents, width]; parent: index in the next smaller level, NONE for roots; cosine to it."""

    def __init__(self, name, latents, small=None):
        self.name, self.latents, self.small = name, latents, small
        self.direction = np.zeros((latents, WIDTH), np.float32)
        self.parent = np.full(latents, NONE, np.int64)
        self.cosine = np.ones(latents, np.float32)
        self.state = np.zeros(latents, np.int8)
        self.table = None  # of concepts, once made

    def concepts(self, ids):
        """Of each feature the vector whose dot product with it and with each of its ancestors is 1."""
        if self.table is not None:
            return self.table[ids]
        if self.small is None:
            return self.direction[ids]
        parent, a = np.maximum(self.parent[ids], 0), self.cosine[ids][:, None]
        own = (self.direction[ids] - a * self.small.direction[parent]) / (1 + a)  # (1 - a) / (1 - a^2)
        return np.where(self.parent[ids][:, None] < 0, self.direction[ids], self.small.concepts(parent) + own)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random_units(random, count):
    return unit(random.standard_normal((count, WIDTH), np.float32))


def blocks(total, size=BLOCK):
    return ((first, min(first + size, total)) for first in range(0, total, size))


def plant_states(random, level, novel):
    """Who is dead, unseen, without a parent."""
    dice = random.random(level.latents)
    level.state[dice < DEAD] = IS_DEAD
    level.state[(dice >= DEAD) & (dice < DEAD + UNSEEN)] = IS_UNSEEN
    return (dice >= DEAD + UNSEEN) & (dice < DEAD + UNSEEN + novel)


def plant_root_level(random, name, latents):
    level = Level(name, latents)
    plant_states(random, level, 0)
    for first, past in blocks(latents):
        level.direction[first:past] = random_units(random, past - first)
    level.direction[level.state == IS_DEAD] = 0
    return level


def cosines_of(random, parent, latents, nearness):
    """The first child of a parent lies nearer than the others: the one that a dictionary keeps."""
    cosine = random.uniform(*nearness, latents).astype(np.float32)
    _, firsts = np.unique(parent, return_index=True)
    cosine[firsts] = random.uniform(0.90, 0.95, len(firsts))
    return cosine


def plant_level(random, small, name, latents, nearness):
    """A level of children of a smaller level."""
    level = Level(name, latents, small)
    is_root = plant_states(random, level, NOVEL)
    is_root |= level.state == IS_DEAD
    choices = np.flatnonzero(small.state == ALIVE)
    level.parent = choices[random.integers(0, len(choices), latents)]
    level.cosine = cosines_of(random, level.parent, latents, nearness)
    level.parent[is_root] = NONE
    for first, past in blocks(latents):
        part, parent = slice(first, past), np.maximum(level.parent[first:past], 0)
        above, a = small.direction[parent], level.cosine[part, None]
        own = random_units(random, past - first)
        own = unit(own - np.einsum("ij,ij->i", own, above)[:, None] * above)
        child = a * above + np.sqrt(1 - a * a) * own
        level.direction[part] = np.where(is_root[part, None], own, child)
    level.direction[level.state == IS_DEAD] = 0
    return level


def plant_twin(random, level):
    """Finds 60 % of a level's features again, at a cosine near 0.9, under other numbers; the rest are other children
    of the same parents."""
    twin = Level(TWIN, level.latents)
    order = random.permutation(level.latents)
    again = random.random(level.latents) < 0.6
    choices = np.flatnonzero(level.small.state == ALIVE)
    parent = choices[random.integers(0, len(choices), level.latents)]
    for first, past in blocks(level.latents):
        source = level.direction[order[first:past]]
        own = random_units(random, past - first)
        other = unit(0.8 * level.small.direction[parent[first:past]] + 0.6 * own)
        twin.direction[first:past] = np.where(again[first:past, None], unit(0.9 * source + 0.436 * own), other)
    return twin


class Rows:
    """Makes rows: concepts with random strengths, a mean, a little noise. Any block of rows can be made alone."""

    def __init__(self, seed, levels, concepts):
        random = np.random.default_rng([seed, 7])
        self.seed, self.levels, self.concepts = seed, levels, concepts
        self.mean = (unit(random.standard_normal((1, WIDTH)))[0] * np.sqrt(concepts)).astype(np.float32)
        self.choices, self.chances = [], []
        level = levels[-2]  # the rows' concepts lie one level above, most of them
        level.table = np.concatenate([level.concepts(np.arange(*part)) for part in blocks(level.latents)])
        for level in levels:
            alive = np.flatnonzero(level.state == ALIVE)
            weight = 1 / (np.arange(len(alive)) + len(alive) / 20)  # most frequent first, 20 times the rarest
            self.choices.append(random.permutation(alive))
            self.chances.append(np.cumsum(weight / weight.sum()))

    def draw(self, random, count):
        """Of each level: rows (ascending), features and strengths of the concepts."""
        depth = random.choice(4, (count, self.concepts), p=[0.02, 0.04, 0.09, 0.85])
        strength = random.lognormal(0, 0.25, depth.shape).astype(np.float32)
        spot = random.random(depth.shape)
        for index, (choices, chances) in enumerate(zip(self.choices, self.chances)):
            row, slot = np.nonzero(depth == index)
            rank = np.minimum(np.searchsorted(chances, spot[row, slot]), len(choices) - 1)
            yield row, choices[rank], strength[row, slot]

    def make(self, block, count):
        """[count, width] rows of block number `block`."""
        random = np.random.default_rng([self.seed, 8, block])
        rows = np.tile(self.mean, (count, 1))
        for level, (row, feature, strength) in zip(self.levels, self.draw(random, count)):
            part = level.concepts(feature) * strength[:, None]
            starts = np.flatnonzero(np.diff(row, prepend=-1))
            if len(starts) > 0:
                rows[row[starts]] += np.add.reduceat(part, starts, axis=0)
        return rows + 0.02 * random.standard_normal((count, WIDTH), np.float32)


def threshold_and_gain(level, rows, mean, l0):
    """The score above which `l0` features a row fire, and the decoder norm that rebuilds rows best."""
    alive = np.flatnonzero(level.state == ALIVE)
    keep, kept = 3 * l0, np.zeros((len(rows), 0), np.float32)
    for first, past in blocks(len(alive)):
        kept = np.concatenate([kept, (rows - mean) @ level.direction[alive[first:past]].T], axis=1)
        if kept.shape[1] > keep:
            kept = -np.partition(-kept, keep - 1, axis=1)[:, :keep]
    threshold = float(np.sort(kept.ravel())[::-1][l0 * len(rows)])
    rebuilt = np.zeros_like(rows)
    for first, past in blocks(len(alive)):
        part = level.direction[alive[first:past]]
        score = (rows - mean) @ part.T
        rebuilt += np.where(score > threshold, score, 0) @ part
    gain = float(((rows - mean) * rebuilt).sum() / (rebuilt * rebuilt).sum())
    left = rows - mean - gain * rebuilt
    return threshold, gain, 1 - float((left * left).sum() / ((rows - rows.mean(axis=0)) ** 2).sum())


class Tensors:
    """A safetensors file of float32 tensors that are filled piece by piece (no memory map: its pages would count)."""

    def __init__(self, path, shapes):
        header, at = {}, 0
        for name, shape in shapes.items():
            size = 4 * int(np.prod(shape))
            header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
            at += size
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self.header, self.first, self.file = header, 8 + len(text), open(path, "wb")
        self.file.write(struct.pack("<Q", len(text)) + text)
        self.file.truncate(self.first + at)

    def put(self, name, item, array):
        """Values from this item of the flattened tensor on."""
        self.file.seek(self.first + self.header[name]["data_offsets"][0] + 4 * item)
        self.file.write(np.ascontiguousarray(array, "<f4").tobytes())

    def put_columns(self, name, column, array):
        columns = self.header[name]["shape"][1]
        for row, values in enumerate(array):
            self.put(name, row * columns + column, values)


def write_dictionary(random, folder, level, mean, threshold, gain, l0):
    """One Gemma Scope 2 folder. Encoder columns have random lengths, which threshold and decoder norm undo."""
    folder.mkdir(parents=True)
    n = level.latents
    file = Tensors(folder / "params.safetensors", {"w_enc": (WIDTH, n), "w_dec": (n, WIDTH), "b_enc": (n,),
                                                   "b_dec": (WIDTH,), "threshold": (n,)})
    length = random.uniform(0.8, 1.25, n).astype(np.float32)
    file.put("b_dec", 0, mean)
    file.put("threshold", 0, np.where(level.state == IS_UNSEEN, 1e6, threshold * length))
    for first, past in blocks(n):
        rows, stretch = level.direction[first:past], length[first:past, None]
        file.put_columns("w_enc", first, (rows * stretch).T)
        file.put("w_dec", first * WIDTH, rows * (gain / stretch))
        file.put("b_enc", first, -(rows * stretch) @ mean)
    file.file.close()
    config = {"architecture": "jump_relu", "model_name": "planted", "hf_hook_point_in": "model.layers.12.output",
              "width": n, "l0": l0}
    (folder / "config.json").write_text(json.dumps(config))


def write_rows(folder, rows, total):
    with open(folder / "activations.npy", "wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (total, WIDTH)})
        for block, (first, past) in enumerate(blocks(total, 1024)):
            file.write(rows.make(block, past - first).astype("<f4").tobytes())
    np.save(folder / "documents.npy", np.arange(total, dtype="<i8") // DOCUMENT)


def write_truth(folder, levels):
    """Root level and root of every feature; -1 for dead ones."""
    below = None
    for index, level in enumerate(levels):
        roots = np.stack([np.full(level.latents, index), np.arange(level.latents)], axis=1)
        if below is not None:
            roots = np.where(level.parent[:, None] >= 0, below[np.maximum(level.parent, 0)], roots)
        roots[level.state == IS_DEAD] = NONE
        own = np.stack([np.full(level.latents, index), np.arange(level.latents)], axis=1)
        below = np.where((level.state == IS_UNSEEN)[:, None], own, roots)
        np.savez(folder / f"truth_{level.name}.npz", root=below, parent=level.parent, state=level.state)


def write_run(folder, sources, latents):
    lines = [f"folder: {folder / 'run'}",
             f"import: {{activations: {folder / 'activations.npy'}, documents: {folder / 'documents.npy'}, layer: 12}}",
             "compare: {self_largest: false}", "dictionaries:"]
    for name, source in sources.items():
        twin = f", control_of: '{NAMES[TWINNED]}', seed: 2" if name == TWIN else ""
        lines.append(f"  - {{name: '{name}', latents: {latents[name]}, import: {source}{twin}}}")
    (folder / "run.yaml").write_text("\n".join(lines) + "\n")


def make(folder, scale, seed):
    root = float(scale) ** 0.5
    l0, total = max(1, round(L0 * root)), int(ROWS * root)
    began = time.monotonic()
    random = np.random.default_rng(seed)
    levels = [plant_root_level(random, NAMES[0], int(SIZES[0] * scale))]
    for name, size, nearness in zip(NAMES[1:], SIZES[1:], NEARNESS if scale == 1 else NEARNESS_SCALED):
        levels.append(plant_level(random, levels[-1], name, int(size * scale), nearness))
    folder.mkdir(parents=True, exist_ok=True)
    write_truth(folder, levels)
    rows = Rows(seed, levels, max(2, round(CONCEPTS * root)))
    sample = np.concatenate([rows.make(block, 64) for block in range(4)])
    write_rows(folder, rows, total)
    levels[-2].table = None
    sources, latents = {}, {}
    twin = plant_twin(random, levels[TWINNED])
    for level in levels + [twin]:
        threshold, gain, explained = threshold_and_gain(level, sample, rows.mean, l0)
        sources[level.name] = folder / "resid_post" / f"layer_12_width_{level.name}_l0_big"
        latents[level.name] = level.latents
        write_dictionary(random, sources[level.name], level, rows.mean, threshold, gain, l0)
        print(f"{level.name}: {level.latents} features, threshold {threshold:.3f}, explained variance {explained:.2f}",
              flush=True)
    write_run(folder, sources, latents)
    print(f"made {folder} in {time.monotonic() - began:.0f} s")


def descendants(pid):
    """Processes below a process, from /proc."""
    children = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, left = [], [pid]
    while left:
        more = children.get(left.pop(), [])
        found += more
        left += more
    return found


def resident(pid):
    """Bytes that a process holds; pages shared with other ranks count once (PSS)."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    except OSError:
        pass
    return 0


def run_stage(command, log):
    """Seconds, and the largest sum of memory over all ranks, looked at ten times a second."""
    began, peak = time.monotonic(), 0
    with open(log, "w") as out:
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
        while process.poll() is None:
            peak = max(peak, sum(resident(pid) for pid in descendants(process.pid)))
            time.sleep(0.1)
    if process.returncode != 0:
        print(pathlib.Path(log).read_text()[-4000:])
        sys.exit(f"{' '.join(map(str, command))} ended with code {process.returncode}")
    return time.monotonic() - began, peak


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def run(folder, programs, ranks, keep):
    total, most = 0.0, 0
    for stage in ("import", "encode", "compare", "families", "report"):
        log = folder / f"{stage}.log"
        seconds, peak = run_stage(["mpirun", "-n", str(ranks), programs / f"cleave-{stage}", folder / "run.yaml"], log)
        total, most = total + seconds, max(most, peak)
        print(f"{stage:10s} {seconds:8.0f} s   peak {peak / 2**30:6.2f} GiB", flush=True)
    print(f"run folder {size_of(folder / 'run') / 1e9:.1f} GB, all {size_of(folder) / 1e9:.1f} GB")
    share = judge(folder)
    if not keep:
        shutil.rmtree(folder)
    print(f"flagship seconds = {total:.0f}, peak = {most / 2**30:.2f} GiB, roots right = {share:.4f}")
    return 0 if share >= RIGHT else 1


def kind_of(planted, index, i, firings):
    """What can be asked of a feature."""
    if planted["state"][i] != ALIVE:
        return "dead or unseen"
    if index == 0:
        return "smallest level"
    if firings < 30:
        return "under 30 firings"
    return "without a parent" if planted["parent"][i] == NONE else "with a parent"


def judge(folder):
    """Print how many roots are right, and what wrong ones are called; the share right of those with enough firings."""
    truth = [dict(np.load(folder / f"truth_{name}.npz")) for name in NAMES]
    counts, statuses = collections.Counter(), collections.Counter()
    with open(folder / "run" / "features.csv", newline="") as file:
        for line in csv.DictReader(file):
            index, i, status = NAMES.index(line["dictionary"]), int(line["feature"]), line["child_status"]
            level, root = truth[index]["root"][i]
            wanted = (NAMES[level], str(root)) if level != NONE else ("", "")
            is_right = (line["root_dictionary"], line["root"]) == wanted
            is_open = status.endswith("?") or status in ("ambiguous", "unseen", "unmatched")
            kind = kind_of(truth[index], index, i, int(line["firings"]))
            counts[index, kind, "right" if is_right else "open" if is_open else "wrong"] += 1
            statuses[index, kind, status] += 1
    print(f"{'level':6s}{'planted':18s}{'features':>9s}{'root right':>12s}{'wrong, said open':>18s}{'wrong':>8s}")
    for index, kind in sorted({key[:2] for key in counts}):
        n = [counts[index, kind, verdict] for verdict in ("right", "open", "wrong")]
        print(f"{NAMES[index]:6s}{kind:18s}{sum(n):9d}{n[0] / sum(n):12.4f}{n[1] / sum(n):18.4f}{n[2] / sum(n):8.4f}")
        if index > 0:
            print("      " + ", ".join(f"{status} {count}" for (level, group, status), count in
                                       sorted(statuses.items()) if (level, group) == (index, kind)))
    asked = {key: count for key, count in counts.items() if key[1] in ("with a parent", "without a parent")}
    return sum(count for key, count in asked.items() if key[2] == "right") / max(1, sum(asked.values()))


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("command", choices=["make", "run", "judge"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("programs", type=pathlib.Path, nargs="?")
    parser.add_argument("--scale", type=fractions.Fraction, default=fractions.Fraction(1))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.command == "make":
        make(folder, options.scale, options.seed)
        return 0
    if options.command == "run":
        return run(folder, options.programs.resolve(), options.ranks, options.keep)
    judge(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
