"""See import.sh. usage: import.py PROGRAMS FOLDER"""
import importlib.metadata
import pathlib
import subprocess
import sys

import h5py
import numpy as np
import torch
from sae_lens import saes
from sae_lens.saes.batchtopk_sae import BatchTopKTrainingSAE, BatchTopKTrainingSAEConfig
from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "stages"))
import foreign

WIDTH, LATENTS, ROWS, K = 640, 4096, 1000, 32


def directions():
    random = torch.Generator().manual_seed(1000)
    return torch.nn.functional.normalize(torch.randn(LATENTS, WIDTH, generator=random), dim=1)


def spread(sae, seed):
    """Weights as a trained dictionary's: decoder rows of many norms, an encoder near them, biases."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=random)

    with torch.no_grad():
        direction = directions()
        norm = torch.exp(normal(LATENTS, 1) / 2)
        sae.W_dec.copy_(direction * norm)
        sae.W_enc.copy_((direction / norm).T + 0.01 * normal(WIDTH, LATENTS) / norm.T)
        sae.b_dec.copy_(0.2 * normal(WIDTH))
        for name in ("b_enc", "b_gate", "b_mag"):
            if getattr(sae, name, None) is not None:
                getattr(sae, name).copy_(-(1.2 + 0.3 * torch.rand(LATENTS, generator=random)) / norm[:, 0])
        if getattr(sae, "r_mag", None) is not None:
            sae.r_mag.copy_(0.5 * normal(LATENTS))
        if getattr(sae, "threshold", None) is not None:
            sae.threshold.copy_((0.3 + 0.2 * torch.rand(LATENTS, generator=random)) / norm[:, 0])
        if getattr(sae, "topk_threshold", None) is not None:
            sae.topk_threshold.fill_(0.3)
    return sae


def save_all(folder):
    """Folders that sae-lens saves itself; {name: path}"""
    common = {"d_in": WIDTH, "d_sae": LATENTS}
    plain = {
        "standard": saes.StandardSAE(saes.StandardSAEConfig(**common)),
        "topk": saes.TopKSAE(saes.TopKSAEConfig(**common, k=K)),
        "topk-norm": saes.TopKSAE(saes.TopKSAEConfig(**common, k=K, rescale_acts_by_decoder_norm=True)),
        "jumprelu": saes.JumpReLUSAE(saes.JumpReLUSAEConfig(**common, apply_b_dec_to_input=False)),
        "gated": saes.GatedSAE(saes.GatedSAEConfig(**common)),
    }
    trained = {
        "topk-trained": TopKTrainingSAE(TopKTrainingSAEConfig(**common, k=K)),
        "batchtopk": BatchTopKTrainingSAE(BatchTopKTrainingSAEConfig(**common, k=K)),
    }
    for seed, (name, sae) in enumerate({**plain, **trained}.items()):
        spread(sae, seed)
        if name in trained:
            sae.save_inference_model(f"{folder}/{name}")
        else:
            sae.save_model(f"{folder}/{name}")
    trained["batchtopk"].save_model(f"{folder}/batchtopk-checkpoint")
    return [*plain, *trained, "batchtopk-checkpoint"]


def rows():
    """Sparse sums of the directions, noise, and a few large coordinates, exact in bfloat16."""
    random = np.random.default_rng(5)
    strength = random.exponential(1.5, (ROWS, LATENTS)) * (random.random((ROWS, LATENTS)) < 40 / LATENTS)
    made = strength @ directions().numpy() + 0.02 * random.standard_normal((ROWS, WIDTH))
    made[:, random.choice(WIDTH, 8)] += 1
    return foreign.stored(made, "BF16").astype(np.float32)


def margins(sae, made):
    """How far each score is from where its latent starts or stops to fire, in float64."""
    w = {key: value.double() for key, value in sae.state_dict().items()}
    x = torch.from_numpy(made).double() - (w["b_dec"] if sae.cfg.apply_b_dec_to_input else 0)
    score = x @ w["W_enc"] + w.get("b_enc", w.get("b_gate"))
    architecture = sae.cfg.architecture()
    if architecture == "topk":
        key = score * w["W_dec"].norm(dim=1) if sae.cfg.rescale_acts_by_decoder_norm else score
        best = key.topk(K + 1, dim=1).values
        edge = (best[:, -2:].mean(dim=1, keepdim=True))
        return torch.minimum((key - edge).abs(), key.abs()).numpy()
    if architecture == "jumprelu":
        return torch.minimum((score - w["threshold"]).abs(), score.abs()).numpy()
    if architecture == "gated":
        magnitude = (score - w["b_gate"]) * w["r_mag"].exp() + w["b_mag"]
        return torch.minimum(score.abs(), magnitude.abs()).numpy()
    return score.abs().numpy()


def bound(sae, made):
    """What two float32 sums of a score can differ by."""
    rough = 2.0**-24 * (WIDTH / 8 + 16)
    shifted = made - sae.b_dec.detach().numpy() if sae.cfg.apply_b_dec_to_input else made
    bound = rough * np.linalg.norm(shifted, axis=1)[:, None] * sae.W_enc.detach().norm(dim=0).numpy()
    by_norm = getattr(sae.cfg, "rescale_acts_by_decoder_norm", False)
    return bound * sae.W_dec.detach().norm(dim=1).numpy() if by_norm else bound


def inference(folder, name):
    if name != "batchtopk-checkpoint":
        return saes.SAE.load_from_disk(f"{folder}/{name}")
    return saes.SAE.load_from_disk(f"{folder}/batchtopk")  # the same weights, as sae-lens uses them


def main():
    programs, folder = sys.argv[1], sys.argv[2]
    names = save_all(folder)
    made = rows()
    np.save(f"{folder}/rows.npy", made)
    with open(f"{folder}/run.yaml", "w") as file:
        file.write(f"folder: {folder}/run\nimport: {{activations: {folder}/rows.npy}}\ndictionaries:\n")
        for i, name in enumerate(names):
            twin = f", control_of: {names[0]}" if i else ""
            file.write(f"  - {{name: {name}, latents: {LATENTS}, import: {folder}/{name}{twin}}}\n")
    for stage in ("import", "encode"):
        subprocess.run(["mpirun", "--oversubscribe", "-n", "2", f"{programs}/cleave-{stage}", f"{folder}/run.yaml"],
                       check=True, stdout=subprocess.DEVNULL)
    for name in names:
        sae = inference(folder, name)
        with torch.no_grad():
            wanted = sae.encode(torch.from_numpy(made))
            reconstruction = sae.decode(wanted).numpy()
            if not getattr(sae.cfg, "rescale_acts_by_decoder_norm", False):
                wanted = wanted * sae.W_dec.norm(dim=1)
        with h5py.File(f"{folder}/run/dictionaries/{name}.h5") as file, h5py.File(f"{folder}/run/codes/{name}.h5") as codes:
            got = foreign.dense_codes(codes, LATENTS)
            rebuilt = got @ file["w_dec"][...] + file["b_dec"][...]
        foreign.compare(name, got, rebuilt, wanted.numpy(), reconstruction, margins(sae, made), bound(sae, made))
    print(f"import agrees with sae-lens {importlib.metadata.version('sae-lens')}: {len(names)} folders, {ROWS} rows")


if __name__ == "__main__":
    main()
