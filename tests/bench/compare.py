"""Run by compare.sh: compare.py SCREEN_RATE FOLDER [QUERIES [BASE [WIDTH [K]]]]. See there.
compare.py --faiss FOLDER WIDTH K is FAISS's part, a process of its own for its memory."""
import os
import pathlib
import subprocess
import sys
import time

import numpy

THREADS, PANEL, SAMPLE, CLOSE = 2, 16384, 256, 1e-6
SEEDS = {"isotropic": 1, "anisotropic": 2}


def basis(kind, width, random):
    """What turns standard normal rows into rows of this kind: variances fall as 1 / i in a random basis."""
    if kind == "isotropic":
        return None
    rotation = numpy.linalg.qr(random.standard_normal((width, width)))[0]
    return (rotation / numpy.sqrt(numpy.arange(1, width + 1))).T.astype(numpy.float32)


def write_rows(path, count, turn, width, random, others=None):
    """Unit rows, by panels; one in a hundred is near one of `others`, or of the rows before it."""
    with open(path, "wb") as file:
        for first in range(0, count, PANEL):
            rows = random.standard_normal((min(PANEL, count - first), width), dtype=numpy.float32)
            if turn is not None:
                rows = rows @ turn
                near = numpy.arange(50, len(rows), 100)
                of = others[random.integers(0, len(others), len(near))] if others is not None else rows[near - 1]
                scale = numpy.linalg.norm(of, axis=1, keepdims=True) / numpy.sqrt(width)
                rows[near] = of + 0.05 * scale * random.standard_normal((len(near), width), dtype=numpy.float32)
            rows /= numpy.linalg.norm(rows, axis=1, keepdims=True)
            rows.tofile(file)


def peak_memory():
    """MiB; not getrusage's, which counts the parent before exec."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status says nothing of VmHWM")


def read_rows(path, width):
    return numpy.fromfile(path, dtype=numpy.float32).reshape(-1, width)


def run_faiss(folder, width, k):
    """In a process of its own: seconds of the search and peak memory."""
    import faiss
    faiss.omp_set_num_threads(THREADS)
    index = faiss.IndexFlatIP(width)
    base = read_rows(folder / "base.f32", width)
    index.add(base)
    del base
    queries = read_rows(folder / "queries.f32", width)
    begun = time.monotonic()
    scores, ids = index.search(queries, k)
    seconds = time.monotonic() - begun
    peak = peak_memory()
    numpy.savez(folder / "faiss.npz", scores=scores, ids=ids.astype(numpy.int32))
    print(f"{seconds} {peak} {faiss.__version__}")


def peer_environment():
    """The OpenBLAS in FAISS's wheel does not know every CPU, and computes with SSE3 there, four times slower than it can:
    then it is told what the CPU has."""
    said = subprocess.run([sys.executable, "-c", "import faiss"], check=True, capture_output=True, text=True,
                          env={**os.environ, "OPENBLAS_VERBOSE": "2"})
    flags = pathlib.Path("/proc/cpuinfo").read_text().split()
    core = "SkylakeX" if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= set(flags) else "Haswell" if "avx2" in flags else ""
    if "Core: Prescott" not in said.stdout + said.stderr or not core:
        return None
    print(f"FAISS's OpenBLAS does not know this CPU: OPENBLAS_CORETYPE={core} for it", flush=True)
    return {**os.environ, "OPENBLAS_CORETYPE": core}


def peer(folder, width, k):
    result = subprocess.run([sys.executable, __file__, "--faiss", str(folder), str(width), str(k)], check=True,
                            capture_output=True, text=True, env=peer_environment()).stdout.split()
    return float(result[0]), float(result[1]), result[2]


def run_cleave(program, folder, width, k):
    """What screen_rate prints, as a dictionary."""
    result = subprocess.run([program, folder / "queries.f32", folder / "base.f32", str(width), str(k), str(THREADS),
                             folder / "cleave.bin"], check=True, capture_output=True, text=True).stdout
    return dict(line.split(" ", 1) for line in result.splitlines())


def results(folder, queries, base, k):
    """Ids and scores of queries' best, then of base rows'."""
    words = numpy.fromfile(folder / "cleave.bin", dtype=numpy.int32)
    parts = numpy.split(words, numpy.cumsum([queries * k, queries * k, base * k]))
    return (parts[0].reshape(-1, k), parts[1].view(numpy.float32).reshape(-1, k),
            parts[2].reshape(-1, k), parts[3].view(numpy.float32).reshape(-1, k))


def disagreements(ids, scores, their_ids, their_scores):
    """Places where the ids differ although the scores do not tie: a row's scores are CLOSE to each other's only where ids may change
    places."""
    apart = numpy.abs(scores - their_scores) > CLOSE
    differ = ids != their_ids
    tied = numpy.zeros_like(differ)
    near = numpy.abs(numpy.diff(scores, axis=1)) <= 2 * CLOSE
    tied[:, 1:] |= near
    tied[:, :-1] |= near
    tied[:, -1] |= differ[:, -1] & ~apart[:, -1]
    return int((apart | (differ & ~tied)).sum()), int(differ.sum())


def wrong_in_sample(rows, others, ids, scores, random):
    """Rows of a sample whose scores are not the k best of all scores in float64."""
    wrong = 0
    for i in random.choice(len(rows), min(SAMPLE, len(rows)), replace=False):
        every = numpy.concatenate([others[at:at + 65536] @ rows[i].astype(numpy.float64) for at in range(0, len(others), 65536)])
        best = -numpy.sort(-numpy.partition(every, -ids.shape[1])[-ids.shape[1]:])
        wrong += not (numpy.abs(scores[i] - best).max() < CLOSE and numpy.abs(every[ids[i]] - scores[i]).max() < CLOSE
                      and len(set(ids[i])) == len(ids[i]))
    return wrong


def check(folder, width, k, random):
    """The number of wrong results; says what was compared."""
    queries, base = read_rows(folder / "queries.f32", width), read_rows(folder / "base.f32", width)
    ids, scores, back_ids, back_scores = results(folder, len(queries), len(base), k)
    theirs = numpy.load(folder / "faiss.npz")
    wrong, moved = disagreements(ids, scores, theirs["ids"], theirs["scores"])
    missing = int((ids < 0).sum() + (back_ids < 0).sum())
    sampled = wrong_in_sample(queries, base, ids, scores, random) + wrong_in_sample(base, queries, back_ids, back_scores, random)
    print(f"  ids that differ from FAISS's where scores differ by more than {CLOSE:g}: {wrong} of {ids.size:,} "
          f"(within that: {moved}); not among the best in float64: {sampled} of {2 * SAMPLE} rows, both directions")
    return wrong + missing + sampled


def measure(kind, program, folder, sizes):
    queries, base, width, k = sizes
    random = numpy.random.default_rng(SEEDS[kind])
    turn = basis(kind, width, random)
    write_rows(folder / "base.f32", base, turn, width, random)
    write_rows(folder / "queries.f32", queries, turn, width, random, read_rows(folder / "base.f32", width))
    theirs, their_peak, version = peer(folder, width, k)
    ours = run_cleave(program, folder, width, k)
    seconds, peak = float(ours["seconds"]), float(ours["peak_mib"])
    rate = 2e-9 * queries * base * width
    print(f"{kind}: {queries:,} x {base:,} x {width}, k = {k}, {THREADS} threads; screened with {ours['screen']}")
    print(f"  FAISS   {theirs:8.1f} s ({rate / theirs:6.0f} GFLOP/s), peak {their_peak:6.0f} MiB, one direction")
    print(f"  cleave  {seconds:8.1f} s ({rate / seconds:6.0f} GOP/s),   peak {peak:6.0f} MiB, both directions, all rows certified")
    print("  cleave's seconds: " + ", ".join(f"{name} {ours[name]}" for name in ("quantise", "gemm", "scan", "score"))
          + f"; GEMM {ours['gemm_rate']} GOP/s; {ours['candidates']} pairs a query scored exactly")
    wrong = check(folder, width, k, random)
    print(f"  {kind} ratio = {theirs / seconds:.2f}, memory ratio = {peak / their_peak:.2f}", flush=True)
    return theirs / seconds, float(ours["gemm"]) / seconds, version, wrong


def main():
    if sys.argv[1] == "--faiss":
        run_faiss(pathlib.Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
        return
    program, folder = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    sizes = [int(word) for word in sys.argv[3:]] + [524288, 65536, 640, 32][len(sys.argv) - 3:]
    folder.mkdir(parents=True, exist_ok=True)
    found = {kind: measure(kind, program, folder, sizes) for kind in ("anisotropic", "isotropic")}
    for name in ("base.f32", "queries.f32", "faiss.npz", "cleave.bin"):
        (folder / name).unlink()
    ratio, limit, version, _ = found["isotropic"]
    print(f"compare ratio = {ratio:.2f} (faiss-cpu {version}; own GEMM limit {limit:.2f})")
    sys.exit(1 if any(wrong for _, _, _, wrong in found.values()) else 0)


if __name__ == "__main__":
    main()
