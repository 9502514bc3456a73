"""Run by train.sh: train.py BUILD ACTIVATIONS LATENTS PASSES. See there."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import h5py
import numpy
import torch

os.environ["WANDB_MODE"] = "disabled"
import sae_lens
from sae_lens.config import LoggingConfig, SAETrainerConfig
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
from sae_lens.training.sae_trainer import SAETrainer

THREADS, K, BATCH, WINDOW, SEED, NAME = 2, 32, 512, 65536, 1, "bench"
RATE, WARMUP, DECAY, AUX, DEAD = 2e-3, 0.02, 0.2, 1 / 32, 0.1


class Data:
    """Scaled rows, as cleave scales them."""

    def __init__(self, path):
        with h5py.File(path) as file:
            held_out = file["document_held_out"][...][file["document"][...]] != 0
            scale = numpy.float32(file.attrs["scale"])
            rows = file["activation"][...].astype(numpy.float32) * scale
            self.mean = (file["mean"][...] * file.attrs["scale"]).astype(numpy.float32)
        self.train, self.held_out = torch.from_numpy(rows[~held_out]), torch.from_numpy(rows[held_out])
        self.width = rows.shape[1]


def run_cleave(build, activations, folder, latents, passes):
    """Weights, dead latents, seconds."""
    (folder / "activations.h5").symlink_to(pathlib.Path(activations).resolve())
    (folder / "run.yaml").write_text(
        f"folder: {folder}\nseed: {SEED}\ndictionaries: [{{name: {NAME}, latents: {latents}}}]\n"
        f"train: {{k: {K}, batch: {BATCH}, window: {WINDOW}, passes: {passes}, rate: {RATE}, warmup: {WARMUP}, "
        f"decay: {DECAY}, aux_weight: {AUX}, dead_share: {DEAD}, clip: 1, checkpoint: 0}}\n")
    began = time.monotonic()
    subprocess.run(["mpirun", "-n", str(THREADS), f"{build}/bin/cleave-train", "--threads", "1",
                    folder / "run.yaml"], capture_output=True, check=True)
    seconds = time.monotonic() - began
    with h5py.File(folder / "dictionaries" / f"{NAME}.h5") as file:
        weights = [torch.from_numpy(file[name][...]) for name in ("w_enc", "b_enc", "w_dec", "b_dec")]
        return weights, file.attrs["dead_in_training"] / latents, seconds


def run_plan(build, folder, data, latents, steps):
    """The rows of every batch, the start, and the seconds of the BLAS a step."""
    done = subprocess.run([f"{build}/checks/train_plan", *map(str, (
        len(data.train), data.width, latents, BATCH, WINDOW, steps, SEED, NAME, THREADS,
        folder / "order", folder / "start"))], capture_output=True, text=True, check=True)
    order = torch.from_numpy(numpy.fromfile(folder / "order", numpy.int64)).reshape(steps, BATCH)
    start = torch.from_numpy(numpy.fromfile(folder / "start", numpy.float32)).reshape(latents, data.width)
    return order, start, float(done.stdout)


def run_peer(data, order, start, latents):
    """Weights, dead latents, seconds."""
    torch.set_num_threads(THREADS)
    steps = len(order)
    sae = TopKTrainingSAE(TopKTrainingSAEConfig(
        d_in=data.width, d_sae=latents, k=K, aux_loss_coefficient=AUX, device="cpu", dtype="float32",
        apply_b_dec_to_input=True, normalize_activations="none"))
    with torch.no_grad():
        sae.W_dec.copy_(start)
        sae.W_enc.copy_(start.T)
        sae.b_enc.zero_()
        sae.b_dec.copy_(torch.from_numpy(data.mean))
    config = SAETrainerConfig(
        n_checkpoints=0, checkpoint_path=None, save_final_checkpoint=False, total_training_samples=steps * BATCH,
        device="cpu", autocast=False, lr=RATE, lr_end=RATE, lr_scheduler_name="constant",
        lr_warm_up_steps=int(WARMUP * steps), lr_decay_steps=int(DECAY * steps), n_restart_cycles=1,
        adam_beta1=0.9, adam_beta2=0.999, train_batch_size_samples=BATCH,
        dead_feature_window=int(DEAD * steps), feature_sampling_window=10**9,
        logger=LoggingConfig(log_to_wandb=False))
    trainer = SAETrainer(config, sae, (data.train[rows] for rows in order))
    began = time.monotonic()
    trainer.fit()
    seconds = time.monotonic() - began
    with torch.no_grad():
        norm = sae.W_dec.norm(dim=1, keepdim=True)
        weights = [sae.W_enc.T * norm, sae.b_enc * norm[:, 0], sae.W_dec / norm, sae.b_dec]
        return weights, trainer.dead_neurons.float().mean().item(), seconds


def explained(data, weights):
    """1 - sum |x - x^|^2 / sum |x - mean|^2 over the held-out rows."""
    w_enc, b_enc, w_dec, b_dec = weights
    error = total = 0.0
    with torch.no_grad():
        for x in data.held_out.split(2048):
            score = torch.relu((x - b_dec) @ w_enc.T + b_enc)
            value, place = score.topk(K, dim=1)
            rebuilt = torch.zeros_like(score).scatter_(1, place, value) @ w_dec + b_dec
            error += (x - rebuilt).double().square().sum().item()
            total += (x - torch.from_numpy(data.mean)).double().square().sum().item()
    return 1 - error / total


def main():
    build, activations, latents, passes = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
    data = Data(activations)
    steps = int(passes * len(data.train) / BATCH)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ours, our_dead, our_seconds = run_cleave(build, activations, folder, latents, passes)
        order, start, gemm = run_plan(build, folder, data, latents, steps)
    theirs, their_dead, their_seconds = run_peer(data, order, start, latents)
    print(f"{len(data.train):,} training rows of width {data.width}, {len(data.held_out):,} held out; {latents:,} latents, "
          f"k = {K}, {steps:,} steps of {BATCH} rows")
    print(f"{'':10}{'held-out explained variance':>28}{'dead':>8}{'seconds':>9}{'ms a step':>11}{'rows/s':>10}")
    for name, weights, dead, seconds in (("cleave", ours, our_dead, our_seconds),
                                         ("SAELens", theirs, their_dead, their_seconds)):
        print(f"{name:10}{explained(data, weights):28.4f}{dead:8.2%}{seconds:9.1f}{1000 * seconds / steps:11.1f}"
              f"{steps * BATCH / seconds:10,.0f}")
    ratio, limit = their_seconds / our_seconds, gemm * steps / our_seconds
    print(f"train ratio = {ratio:.2f} (sae-lens {sae_lens.__version__}; own GEMM limit {limit:.2f})")


if __name__ == "__main__":
    main()
