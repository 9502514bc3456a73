"""Run by train_large.sh: train_large.py BUILD [ACTIVATIONS.h5]. See there."""
import json
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time
import types

import numpy

LATENTS, K, BATCH, RANKS, THREADS, ROWS = 65536, 32, 2048, 1, 2, 65536
OUR_STEPS, THEIR_STEPS = 24, 3  # measured, behind one that is not
PEERS = ("sae-lens", "sae-lens sparse", "dictionary-learning")


def sae_lens_step(width, is_sparse):
    """One step of the peer on a batch, and its version."""
    os.environ["WANDB_MODE"] = "disabled"
    import sae_lens
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.training.sae_trainer import SAETrainer
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(
        d_in=width, d_sae=LATENTS, k=K, aux_loss_coefficient=1 / 32, device="cpu", dtype="float32",
        use_sparse_activations=is_sparse, apply_b_dec_to_input=True, normalize_activations="none"))
    config = SAETrainerConfig(
        n_checkpoints=0, checkpoint_path=None, save_final_checkpoint=False, total_training_samples=10**9, device="cpu",
        autocast=False, lr=1e-4, lr_end=1e-4, lr_scheduler_name="constant", lr_warm_up_steps=0, lr_decay_steps=0,
        n_restart_cycles=1, adam_beta1=0.9, adam_beta2=0.999, train_batch_size_samples=BATCH, dead_feature_window=10**6,
        feature_sampling_window=10**9, logger=LoggingConfig(log_to_wandb=False))
    batches = iter(())
    trainer = SAETrainer(config, sae, batches)

    def step(rows, number):
        trainer._train_step(sae=sae, sae_in=rows)  # what fit() calls
    return step, sae_lens.__version__


def dictionary_learning_step(width):
    sys.modules["nnsight"] = types.ModuleType("nnsight")  # of its activation buffers, which are not used here
    sys.modules["nnsight"].LanguageModel = object
    import dictionary_learning
    from dictionary_learning.trainers.top_k import TopKTrainer
    trainer = TopKTrainer(steps=10**6, activation_dim=width, dict_size=LATENTS, k=K, layer=0, lm_name="", device="cpu",
                          seed=1, lr=1e-4)
    return (lambda rows, number: trainer.update(number, rows)), dictionary_learning.__version__


def run_peer(name, path):
    """Prints seconds a step and bytes."""
    import torch
    torch.set_num_threads(THREADS)
    rows = torch.from_numpy(numpy.load(path))
    width = rows.shape[1]
    step, version = dictionary_learning_step(width) if name == "dictionary-learning" else sae_lens_step(
        width, name.endswith("sparse"))
    for number in range(THEIR_STEPS + 1):
        if number == 1:
            began = time.monotonic()
        first = number * BATCH % (len(rows) - BATCH)
        step(rows[first:first + BATCH], number)
    seconds = (time.monotonic() - began) / THEIR_STEPS
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - rows.numel() * 4
    print(json.dumps({"seconds": seconds, "memory": memory, "version": version}))


def run_cleave(build, folder, activations, rows):
    """Seconds a step, and bytes of all ranks without what the rows take in memory (they are read from the file)."""
    yaml = (f"folder: {folder}\nseed: 1\ndictionaries: [{{name: large, latents: {LATENTS}}}]\n"
            f"train: {{k: {K}, batch: {BATCH}, window: {BATCH}, passes: {OUR_STEPS * BATCH / rows}, rate: 1e-4, warmup: 0, "
            "decay: 0, dead_share: 1, checkpoint: 0}\n")
    if activations is None:
        yaml += f"import: {{activations: {folder}/rows.npy, layer: 0}}\n"
    (folder / "run.yaml").write_text(yaml)
    if activations is None:
        subprocess.run([f"{build}/bin/cleave-import", folder / "run.yaml"], capture_output=True, check=True)
    else:
        (folder / "activations.h5").symlink_to(pathlib.Path(activations).resolve())
    with open(folder / "train.log", "w") as log:
        process = subprocess.Popen(["mpirun", "-n", str(RANKS), f"{build}/bin/cleave-train", "--threads",
                                    str(THREADS // RANKS), folder / "run.yaml"], stderr=log)
    _, ended, usage = os.wait4(process.pid, 0)  # of mpirun and its ranks alone: the peers are children too
    said = (folder / "train.log").read_text()
    if ended != 0:
        sys.exit(said)
    steps, seconds = re.search(r"train large: (\d+) steps in ([\d.]+) s", said).groups()
    return float(seconds) / int(steps), RANKS * usage.ru_maxrss * 1024


def gemm_seconds(build, folder, rows, width):
    """Seconds that the BLAS alone takes for a step's scores in float32."""
    done = subprocess.run([f"{build}/checks/train_plan", *map(str, (
        rows, width, LATENTS, BATCH, BATCH, 1, 1, "large", THREADS, folder / "order", folder / "start"))],
        capture_output=True, text=True, check=True)
    return float(done.stdout)


def compare(build, kind, activations, rows, width, path):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if activations is None:
            (folder / "rows.npy").symlink_to(pathlib.Path(path).resolve())
        seconds, memory = run_cleave(build, folder, activations, rows)
        gemm = gemm_seconds(build, folder, rows, width)
    print(f"\n{kind}, width {width}: {LATENTS:,} latents, k = {K}, {BATCH:,} rows a step, {THREADS} threads")
    print(f"{'':22}{'s a step':>10}{'rows/s':>10}{'memory, GB':>12}")
    print(f"{'cleave':22}{seconds:10.3f}{BATCH / seconds:10,.0f}{memory / 1e9:12.2f}", flush=True)
    peers = []
    for peer in PEERS:
        done = subprocess.run([sys.executable, __file__, "peer", peer, path], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"{peer:22} does not run: {done.stderr.strip().splitlines()[-1][:90]}", flush=True)
            continue
        one = json.loads(done.stdout.strip().splitlines()[-1])
        peers.append((one["seconds"], one["memory"], f"{peer} {one['version']}"))
        print(f"{peer:22}{one['seconds']:10.3f}{BATCH / one['seconds']:10,.0f}{one['memory'] / 1e9:12.2f}", flush=True)
    fastest, smallest = min(peers), min(peers, key=lambda one: one[1])
    print(f"train-large ratio = {fastest[0] / seconds:.1f} ({fastest[2]}; own GEMM limit {gemm / seconds:.2f}); "
          f"memory {memory / smallest[1]:.2f} of {smallest[2]}'s")


def main():
    if sys.argv[1] == "peer":
        run_peer(sys.argv[2], sys.argv[3])
        return
    build = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "rows.npy")
        numpy.save(path, numpy.random.default_rng(1).standard_normal((ROWS, 640), numpy.float32))
        compare(build, "Gaussian rows", None, ROWS, 640, path)
        if len(sys.argv) > 2:
            import h5py
            with h5py.File(sys.argv[2]) as file:
                bits = file["activation"][:ROWS].astype(numpy.float32) * numpy.float32(file.attrs["scale"])
                held_out = file["document_held_out"][...][file["document"][...]] != 0
            numpy.save(path, bits)
            compare(build, "real rows", sys.argv[2], int((~held_out).sum()), bits.shape[1], path)


if __name__ == "__main__":
    main()
