"""Run by scaling.sh: scaling.py [train|compare|all [RANKS [TFLOPS]]]."""
import concurrent.futures
import pathlib
import subprocess
import sys
import tempfile

FOLDERS = ["base", "math", "ranks", "families"]
LEFT_OUT = {"spectrum.c", "config.c", "config_show.c", "wire.c"}
LANES = {"lanes_avx2.c": ["-mavx2", "-mfma"], "lanes_avx512.c": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"]}
TERA = 1e12
PARTS = ["rows", "keys", "sums", "AuxK", "update"]  # step.h
BANDWIDTH = ALIKE = 200e9  # bytes/s of a rank's memory, by all its threads
LATENTS, PARENTS, WIDTH, BATCH, K, AUX_K = 33554432, 4194304, 4096, 8192, 64, 512
PANEL, NEIGHBOURS, SPAN = 65536, 32, 4
STEPS = {"train": [LATENTS, WIDTH, BATCH, K, AUX_K], "compare": [PARENTS, WIDTH, PANEL, NEIGHBOURS, SPAN]}
RATES, RANKS = (2 * TERA, 10 * TERA, 40 * TERA), (64, 256)
PLATFORM = """<?xml version='1.0'?>
<!DOCTYPE platform SYSTEM "https://simgrid.org/simgrid.dtd">
<platform version="4.1">
  <cluster id="cluster" prefix="node-" suffix="" radical="0-255" speed="1Gf" bw="12.5GBps" lat="1us"/>
</platform>
"""


def build(folder):
    """The real sources with SimGrid's compiler, but for the wire."""
    include = [f"-Iinclude/{one}" for one in FOLDERS + ["model", "read"]] + ["-Ipipeline/ranks", "-Ipipeline/math", "-Itests/scaling"]
    flags = ["-O1", "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-D_DEFAULT_SOURCE", "-D_FILE_OFFSET_BITS=64", '-DCLEAVE_VERSION="0"', "-w"]
    sources = [path for one in FOLDERS for path in sorted(pathlib.Path("pipeline", one).glob("*.c")) if path.name not in LEFT_OUT]
    sources += [pathlib.Path("tests/scaling", name) for name in ("wire.c", "step.c", "simulate.c")]

    def compile_one(path):
        out = folder / (path.parent.name + "_" + path.name + ".o")
        subprocess.run(["smpicc", *flags, *LANES.get(path.name, []), *include, "-c", str(path), "-o", str(out)], check=True, capture_output=True)
        return out

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, sources))
    main = [one for one in objects if one.name.startswith("scaling")]
    subprocess.run(["ar", "rcs", folder / "all.a", *[one for one in objects if one not in main]], check=True)
    subprocess.run(["smpicc", "-o", folder / "simulate", *main, folder / "all.a", "-lopenblas", "-ldnnl", "-lgomp", "-lm", "-lpthread"], check=True)


def simulate(folder, ranks, *arguments):
    """seconds in exchanges of each part, seconds, seconds of work, bytes from others"""
    command = ["smpirun", "-np", str(ranks), "-platform", folder / "platform.xml", "-hostfile", folder / "hosts",
               "--cfg=smpi/simulate-computation:no", "--cfg=smpi/host-speed:1000000000", "--cfg=smpi/privatization:dlopen",
               "--cfg=smpi/shared-malloc-blocksize:67108864", "--cfg=smpi/coll-selector:ompi",
               "--cfg=smpi/display-timing:no", "--log=root.thresh:critical", folder / "simulate", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr[-2000:])
    numbers = [float(one) for one in done.stdout.split()[-3 - len(PARTS):]]
    return numbers[:len(PARTS)], *numbers[len(PARTS):]


def show(folder, name, ranks, rate, arguments, alone):
    waited, seconds, work, received = simulate(folder, ranks, name, *arguments, rate, BANDWIDTH, ALIKE)
    efficiency = alone / ranks / seconds
    shares = "".join(f"{100 * one / seconds:9.1f} %" for one in waited) if name == "train" else ""
    print(f"{name:8} {ranks:6} {rate / TERA:8.0f} {seconds:10.3f} s {received / 1e9:9.2f} GB {100 * efficiency:9.1f} % "
          f"{100 * (seconds - work) / seconds:9.1f} %{shares}", flush=True)
    return efficiency


def cells(wanted):
    """All of the table, or those asked for."""
    name, ranks, rate = (*wanted, *["all"] * 3)[:3]
    return [(one, stage, size) for one in RATES for stage in STEPS for size in RANKS
            if name in ("all", stage) and ranks in ("all", str(size)) and rate in ("all", str(int(one / TERA)))]


def main():
    worst = 1.0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        build(folder)
        (folder / "platform.xml").write_text(PLATFORM)
        (folder / "hosts").write_text("\n".join(f"node-{i}" for i in range(256)))
        print(f"train: {LATENTS:,} latents, width {WIDTH:,}, batches of {BATCH:,} rows, AuxK at work; compare: a panel of {PANEL:,} "
              f"children a rank with {PARENTS:,} parents\n{'':8} {'ranks':>6} {'TFLOP/s':>8} {'time':>12} {'exchanged':>12} "
              f"{'efficiency':>11} {'waiting':>11}" + "".join(f"{one:>11}" for one in PARTS))
        for rate, name, ranks in cells(sys.argv[1:]):
            step = STEPS[name]
            alone = simulate(folder, 1, name, *step, rate, BANDWIDTH, ALIKE)[1]
            alone *= ranks if name == "compare" else 1  # weak: a panel is of so many children a rank
            efficiency = show(folder, name, ranks, rate, step, alone)
            worst = min(worst, efficiency) if rate == 2 * TERA else worst
    if len(sys.argv) == 1:
        print(f"scaling ratio = {worst:.3f} (256 ranks at 2 TFLOP/s, the worse of train and compare)")


sys.exit(main())
