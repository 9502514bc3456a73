"""Dictionaries as other tools write them, for tests: folders of each kind, and what each tool computes with them, in
float64 numpy from the same stored values. Shares no code with cleave."""
import json
import os
import struct

import numpy as np

WIDTH = 48


def to_bf16(array):
    """The nearest bfloat16 of each float32, as uint16."""
    bits = np.ascontiguousarray(array, dtype=np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def stored(array, kind):
    """The values that a file of this kind holds, as float64."""
    if kind == "BF16":
        return (to_bf16(array).astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return np.asarray(array).astype({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[kind]).astype(np.float64)


def write_safetensors(path, tensors):
    """tensors: {name: (array, kind)}"""
    header, data, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name, (array, kind) in tensors.items():
        array = np.asarray(array)
        raw = to_bf16(array) if kind == "BF16" else array.astype({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[kind])
        data.append(np.ascontiguousarray(raw).tobytes())
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [at, at + len(data[-1])]}
        at += len(data[-1])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(data))


def weights(seed, latents, dead=2):
    """Encoder [latents, WIDTH], decoder with rows of many norms (some zero), biases, thresholds."""
    width = WIDTH
    random = np.random.default_rng(seed)
    decoder = random.standard_normal((latents, width)) * np.exp(random.uniform(-1, 1, (latents, 1))) / width**0.5
    if dead:
        decoder[random.choice(latents, dead, replace=False)] = 0
    return {
        "encoder": random.standard_normal((latents, width)) / width**0.5,
        "decoder": decoder,
        "b_enc": random.uniform(-0.3, 0.1, latents),
        "b_dec": random.standard_normal(width) * 0.1,
        "threshold": random.uniform(0.2, 0.9, latents),
        "r_mag": random.uniform(-1, 1, latents),
        "b_mag": random.uniform(-0.2, 0.2, latents),
    }


def config(architecture, latents, **more):
    return {"architecture": architecture, "d_in": WIDTH, "d_sae": latents, "dtype": "float32", "device": "cpu",
            "normalize_activations": "none", "reshape_activations": "none", "apply_b_dec_to_input": True,
            "metadata": {"sae_lens_version": "6.54.12", "model_name": "tiny", "hook_name": "blocks.3.hook_resid_post"},
            **more}


def write_saelens(folder, cfg, w, kind, names, extra=()):
    """names: {tensor: key of w}; W_enc is stored [width, latents]."""
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/cfg.json", "w") as file:
        json.dump(cfg, file)
    tensors = {"W_enc": (w["encoder"].T, kind), "W_dec": (w["decoder"], kind), "b_dec": (w["b_dec"], kind)}
    tensors.update({name: (w[key], kind) for name, key in names.items()})
    tensors.update(extra)
    write_safetensors(f"{folder}/sae_weights.safetensors", tensors)


def write_gemma_2(folder, w, kind="F32", cfg=None, name="params.safetensors"):
    os.makedirs(folder, exist_ok=True)
    if cfg is not None:
        with open(f"{folder}/config.json", "w") as file:
            json.dump(cfg, file)
    write_safetensors(f"{folder}/{name}", {
        "w_enc": (w["encoder"].T, kind), "w_dec": (w["decoder"], kind), "b_enc": (w["b_enc"], kind),
        "b_dec": (w["b_dec"], kind), "threshold": (w["threshold"], kind)})


def write_gemma_1(folder, w, save, **more):
    os.makedirs(folder, exist_ok=True)
    single = {key: value.astype(np.float32) for key, value in w.items()}
    save(f"{folder}/params.npz", W_enc=np.ascontiguousarray(single["encoder"].T), W_dec=single["decoder"],
         b_enc=single["b_enc"], b_dec=single["b_dec"], threshold=single["threshold"], **more)


def write_llama(folder, w, kind, norm, threshold):
    os.makedirs(f"{folder}/checkpoints", exist_ok=True)
    latents, width = w["encoder"].shape
    with open(f"{folder}/hyperparams.json", "w") as file:
        json.dump({"d_model": width, "d_sae": latents, "act_fn": "jumprelu", "jump_relu_threshold": threshold,
                   "norm_activation": "dataset-wise", "dataset_average_activation_norm": {"in": norm, "out": norm},
                   "hook_point_in": "blocks.7.hook_resid_post", "hook_point_out": "blocks.7.hook_resid_post",
                   "use_decoder_bias": True, "apply_decoder_bias_to_pre_encoder": False, "top_k": 9}, file)
    write_safetensors(f"{folder}/checkpoints/final.safetensors", {
        "encoder.weight": (w["encoder"], kind), "decoder.weight": (w["decoder"].T, kind),
        "encoder.bias": (w["b_enc"], kind), "decoder.bias": (w["b_dec"], kind)})


# What the tools compute. Each gives (activations times decoder norms [rows, latents], reconstruction [rows, width],
# margin [rows, latents]: how far each latent's score is from where it would start or stop to fire).

def in_use(w, kind):
    return {key: stored(value, kind) for key, value in w.items()}


def finish(w, activation, margin, scale=1.0):
    norm = np.linalg.norm(w["decoder"], axis=1)
    reconstruction = (activation @ w["decoder"] + w["b_dec"]) / scale
    return activation * norm / scale, reconstruction, np.where(norm > 0, margin, np.inf)


def relu(w, rows, subtract):
    score = (rows - subtract * w["b_dec"]) @ w["encoder"].T + w["b_enc"]
    return finish(w, np.maximum(score, 0), abs(score))


def topk(w, rows, k, by_norm):
    norm = np.linalg.norm(w["decoder"], axis=1)
    score = (rows - w["b_dec"]) @ w["encoder"].T + w["b_enc"]
    key = score * norm if by_norm else score
    last = np.sort(key, axis=1)[:, -k][:, None]
    return finish(w, np.maximum(np.where(key >= last, score, 0), 0), np.minimum(abs(key - last) + (key == last), abs(key)))


def jumprelu(w, rows, subtract, threshold, by_norm=False, scale=1.0):
    norm = np.linalg.norm(w["decoder"], axis=1)
    score = (scale * rows - subtract * w["b_dec"]) @ w["encoder"].T + w["b_enc"]
    key = score * norm if by_norm else score
    fires = (key > threshold) & (score > 0)
    return finish(w, score * fires, np.minimum(abs(key - threshold), abs(score)), scale)


def gated(w, rows):
    inner = (rows - w["b_dec"]) @ w["encoder"].T
    gate = inner + w["b_enc"]
    magnitude = inner * np.exp(w["r_mag"]) + w["b_mag"]
    return finish(w, np.maximum(magnitude, 0) * (gate > 0), np.minimum(abs(gate), abs(magnitude)))


GEMMA_1 = "gemma-scope-2b-pt-res/layer_12/width_1k/average_l0_71"
GEMMA_2 = "gemma-scope-2-270m-pt/resid_post/layer_12_width_16k_l0_medium"
FOUR = {"b_enc": "b_enc"}


def every_kind(at):
    """Write one folder of each kind below `at`; {name: (folder, latents, function of rows)}."""
    kinds = {}

    def add(name, folder, latents, compute):
        kinds[name] = (folder, latents, compute)
        return f"{at}/{folder}"

    w = weights(1, 96)
    write_saelens(add("relu", "standard", 96, lambda rows, w=in_use(w, "F32"): relu(w, rows, 1)),
                  config("standard", 96), w, "F32", FOUR, {"scaling_factor": (np.ones(96), "F32")})
    w = weights(2, 128)
    write_saelens(add("topk", "topk", 128, lambda rows, w=in_use(w, "F16"): topk(w, rows, 7, False)),
                  config("topk", 128, k=7), w, "F16", FOUR)
    w = weights(3, 160)
    write_saelens(add("topk-norm", "topk-norm", 160, lambda rows, w=in_use(w, "F32"): topk(w, rows, 7, True)),
                  config("topk", 160, k=7, rescale_acts_by_decoder_norm=True), w, "F32", FOUR)
    w = weights(4, 192)
    old = {"d_in": WIDTH, "d_sae": 192, "activation_fn_str": "topk", "activation_fn_kwargs": {"k": 5},
           "hook_point": "blocks.2.hook_resid_pre", "model_name": "old", "normalize_activations": False}
    write_saelens(add("topk-old", "old", 192, lambda rows, w=in_use(w, "F32"): topk(w, rows, 5, False)), old, w, "F32",
                  FOUR)
    w = weights(5, 224)
    write_saelens(
        add("jumprelu", "jumprelu", 224,
            lambda rows, w=in_use(w, "BF16"): jumprelu(w, rows, 0, w["threshold"])),
        config("jumprelu", 224, apply_b_dec_to_input=False), w, "BF16", {**FOUR, "threshold": "threshold"})
    w = weights(6, 256)
    write_saelens(add("gated", "gated", 256, lambda rows, w=in_use(w, "F32"): gated(w, rows)), config("gated", 256), w,
                  "F32", {"b_gate": "b_enc", "r_mag": "r_mag", "b_mag": "b_mag"})
    w = weights(7, 288)
    write_saelens(
        add("batchtopk", "batchtopk", 288, lambda rows, w=in_use(w, "F32"): jumprelu(w, rows, 1, 0.4, by_norm=True)),
        config("batchtopk", 288, k=6.5, rescale_acts_by_decoder_norm=True), w, "F32", FOUR,
        {"topk_threshold": (np.float64(0.4), "F64")})
    w = weights(8, 320)
    write_gemma_2(add("gemma-2", GEMMA_2, 320, lambda rows, w=in_use(w, "F32"): jumprelu(w, rows, 0, w["threshold"])), w)
    w = weights(9, 352)
    write_gemma_2(
        add("gemma-2-config", "configured", 352,
            lambda rows, w=in_use(w, "BF16"): jumprelu(w, rows, 0, w["threshold"])), w, "BF16",
        {"architecture": "jump_relu", "model_name": "gemma-v3-270m", "hf_hook_point_in": "model.layers.9.output",
         "hf_hook_point_out": "model.layers.9.output", "l0": 42})
    w = weights(10, 384)
    w["threshold"][:9] = -0.5  # below 0 only positive scores fire
    write_gemma_1(add("gemma", GEMMA_1, 384, lambda rows, w=in_use(w, "F32"): jumprelu(w, rows, 0, w["threshold"])), w,
                  np.savez, scaling_factor=np.ones(384, np.float32))
    w = weights(11, 416)
    write_gemma_1(add("gemma-packed", "packed", 416, lambda rows, w=in_use(w, "F32"): jumprelu(w, rows, 0, w["threshold"])),
                  w, np.savez_compressed)
    w = weights(12, 448)
    scale, threshold = WIDTH**0.5 / 20.0, 0.3
    write_llama(
        add("llama", "llama", 448,
            lambda rows, w=in_use(w, "BF16"): jumprelu(w, rows, 0, threshold * scale, scale=scale)), w, "BF16", 20.0,
        threshold)
    return kinds


def rows_for(count, seed=99):
    """Rows that a bfloat16 holds exactly."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((count, WIDTH)) * random.uniform(0.5, 3, (count, 1))
    return stored(rows, "BF16").astype(np.float32)


# What cleave made of it.

def text(value):
    return value.decode() if isinstance(value, bytes) else value


def dense_codes(codes, latents):
    """Activations [rows, latents] of an open codes/NAME.h5, firing entries alone."""
    start, entry = codes["row_start"][...], codes["active"][...] == 1
    row = np.repeat(np.arange(len(start) - 1), np.diff(start))
    dense = np.zeros((len(start) - 1, latents))
    dense[row[entry], codes["id"][...][entry]] = codes["value"][...][entry]
    return dense


def compare(name, got, rebuilt, wanted, reconstruction, margin, bound):
    """Print and check the agreement of activations and reconstructions; entries whose score lies within `bound` of where
    it starts or stops to fire are left out and counted."""
    clear = margin > bound
    safe = clear.all(axis=1)
    largest = wanted.max(axis=1, keepdims=True)
    off = abs(got - wanted) * clear
    sizeable = clear & (wanted > 0.01 * largest)
    each = (off / np.where(sizeable, wanted, np.inf)).max()
    of_row = (off / largest).max()
    scale = np.linalg.norm(reconstruction, axis=1, keepdims=True)
    of_rebuilt = (np.linalg.norm(rebuilt - reconstruction, axis=1, keepdims=True) / scale)[safe].max()
    print(f"{name:16s} L0 {(got > 0).sum(axis=1).mean():6.1f}: activations agree to {each:.1e} each, {of_row:.1e} of the row's "
          f"largest, reconstructions to {of_rebuilt:.1e}; {(~clear).sum()} of {clear.size} borderline", flush=True)
    assert safe.mean() > 0.2 and (wanted > 0).any(axis=1).all() and (got[clear] > 0).sum() > 0, name
    assert max(each, of_row, of_rebuilt) < 1e-4, name
