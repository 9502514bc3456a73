"""Run by train_memory.sh: train_memory.py PROGRAMS ACTIVATIONS [LATENTS [BATCH [PASSES [key.path=value ...]]]] [--resume].
See there."""
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np

RANKS, STEPS, NAME, POINTS, SAVED = 2, 10_000, "memory", 10, 85
UNITS = {"kB": 1e-3, "MB": 1.0, "GB": 1e3, "TB": 1e6}


def write_run(folder, activations, latents, batch, passes):
    (folder / "activations.h5").symlink_to(pathlib.Path(activations).resolve())
    (folder / "run.yaml").write_text(
        f"folder: {folder}\nseed: 1\ndictionaries: [{{name: {NAME}, latents: {latents}}}]\n"
        f"train: {{k: 32, batch: {batch}, passes: {passes}, rate: 5e-4}}\n")


def planned(programs, folder, keys):
    """MB a rank, with 90 MB of program and libraries."""
    done = subprocess.run(["mpirun", "-n", "1", f"{programs}/cleave-plan", "--threads", "1", "--ranks", str(RANKS),
                           folder / "run.yaml", *keys], capture_output=True, text=True, check=True)
    print(done.stdout, end="")
    value, unit = re.search(r"^train +([\d.]+) (\wB)", done.stdout, re.M).groups()
    return float(value) * UNITS[unit] + 90


def status_of(process, key):
    """MB that /proc tells of a process."""
    for line in pathlib.Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) * 1024 / 1e6
    raise ProcessLookupError(process)


def steps_done(folder):
    try:
        lines = (folder / "training" / f"{NAME}.csv").read_text().splitlines()
        return int(lines[-1].split(",")[0]) if len(lines) > 1 else 0
    except (FileNotFoundError, ValueError):
        return 0


def start(programs, folder, keys, log):
    return subprocess.Popen(["mpirun", "-n", str(RANKS), f"{programs}/cleave-train", "--threads", "1",
                             folder / "run.yaml", *keys], stdout=log, stderr=log)


def ranks_of(run):
    return subprocess.run(["pgrep", "-P", str(run.pid), "cleave-train"], capture_output=True, text=True).stdout.split()


def watch(run, folder, stop_at=None):
    """[(step, MB of each rank)] and MB of each rank's peak, until the run ends; at step stop_at it is told to save and stop."""
    samples, peaks = [], [0.0] * RANKS
    while run.poll() is None:
        time.sleep(0.5)
        step = steps_done(folder)
        if stop_at is not None and step >= stop_at:
            run.send_signal(signal.SIGUSR1)
            stop_at = None
        try:
            ranks = ranks_of(run)
            samples.append((step, [status_of(rank, "VmRSS") for rank in ranks]))
            peaks = [max(a, b) for a, b in zip(peaks, [status_of(rank, "VmHWM") for rank in ranks])] or peaks
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [one for one in samples if len(one[1]) == RANKS], peaks


def train(programs, folder, keys, stop_at):
    """What watch() returns, over both runs if there are two, and the seconds they took."""
    began = time.monotonic()
    samples, peaks = [], [0.0] * RANKS
    stops = [None] if stop_at is None else [stop_at, None]
    with open(folder / "train.log", "w", encoding="utf-8") as log:
        for stop in stops:
            run = start(programs, folder, keys, log)
            more, high = watch(run, folder, stop)
            samples, peaks = samples + more, [max(a, b) for a, b in zip(peaks, high)]
            if run.returncode != (0 if stop is None else SAVED):
                raise SystemExit((folder / "train.log").read_text())
    return samples, peaks, time.monotonic() - began


def size_of(folder):
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink()) / 1e9


def show_quality(programs, folder, keys):
    """What encode says of the dictionary on held-out rows."""
    done = subprocess.run(["mpirun", "-n", str(RANKS), f"{programs}/cleave-encode", "--threads", "1", folder / "run.yaml", *keys],
                          capture_output=True, text=True, check=True)
    print(done.stdout, end="")


def main():
    programs, activations, *rest = sys.argv[1:]
    numbers = [one for one in rest if "=" not in one and one != "--resume"]
    keys = [one for one in rest if "=" in one]
    resumes = "--resume" in rest
    latents, batch = [int(one) for one in (numbers + ["4096", "128"][len(numbers):])[:2]]
    with h5py.File(activations) as file:
        rows = int(np.count_nonzero(file["document_held_out"][...][file["document"][...]] == 0))
    passes = float(numbers[2]) if len(numbers) > 2 else (STEPS + 1) * batch / rows
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = pathlib.Path(name).resolve()
        write_run(folder, activations, latents, batch, passes)
        plan = planned(programs, folder, keys)
        samples, peaks, seconds = train(programs, folder, keys, int(rows * passes / batch / 2) if resumes else None)
        print((folder / "train.log").read_text())
        if resumes:
            print(f"on disk: {size_of(folder):.1f} GB")
            show_quality(programs, folder, keys)
    last = samples[-1][0]
    print(f"{latents:,} latents, {rows:,} rows, batches of {batch}, {RANKS} ranks: {last:,} steps in {seconds:,.0f} s")
    print(f"{'step':>9}" + "".join(f"{f'rank {rank}, MB':>12}" for rank in range(RANKS)))
    shown = []
    for point in range(1, POINTS + 1):
        step, resident = min(samples, key=lambda one: abs(one[0] - last * point / POINTS))
        shown.append(max(resident))
        print(f"{step:9,}" + "".join(f"{one:12.1f}" for one in resident))
    print(f"{'peak':>9}" + "".join(f"{one:12.1f}" for one in peaks))
    print(f"train-memory ratio = {max(peaks) / plan:.3f} (plan {plan:.0f} MB; growth {shown[-2] - shown[1]:+.1f} MB from the "
          "second tenth to the ninth: at the last it gives back what it has)")


if __name__ == "__main__":
    main()
