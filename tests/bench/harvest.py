"""Run by harvest.sh: harvest.py BUILD MODEL LAYER CONTEXT. See there."""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import gguf
import h5py
import numpy
import torch
import transformers

THREADS, ROUNDS, BYTES, DOCUMENT = 2, 3, 60000, 3000
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


def write_text(path):
    """Python's standard library, as documents of equal length."""
    text = ""
    for source in sorted(pathlib.Path(os.__file__).parent.glob("*.py")):
        text += source.read_text(encoding="utf-8", errors="ignore")
        if len(text) > BYTES:
            break
    with open(path, "w", encoding="utf-8") as file:
        for first in range(0, BYTES, DOCUMENT):
            file.write(json.dumps({"text": text[first : first + DOCUMENT]}) + "\n")


def run_cleave(build, folder, model, layer, context):
    """Tokens per second of the forward passes, tokenising and storing included."""
    (folder / "run.yaml").write_text(
        f"folder: {folder}/out\nharvest: {{model: '{model}', layer: {layer}, text: '{folder}/text.jsonl', "
        f"context: {context}, norm_limit: 0, storage: f32, first_position: true, special_tokens: true, held_out: 0}}\n")
    command = ["mpirun", "-n", "1", f"{build}/bin/cleave-harvest", "--force", "--threads", str(THREADS),
               f"{folder}/run.yaml"]
    (folder / "out" / "activations.h5").unlink(missing_ok=True)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = re.search(r"([\d,]+) tokens in .*\(([\d,]+) tokens/s\)", done.stderr)
    return int(found.group(2).replace(",", ""))


def read_result(folder):
    with h5py.File(folder / "out" / "activations.h5") as file:
        return file["text_token"][...].astype(numpy.int64), file["activation"][...]


class Peer:
    """The first layers of the same file in transformers, without the head."""

    def __init__(self, model, layer, context):
        torch.set_num_threads(THREADS)
        path = pathlib.Path(model).resolve()
        whole = transformers.AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=torch.float32)
        self.model = (whole.model if hasattr(whole, "model") else whole).eval()
        self.model.layers = self.model.layers[: layer + 1]
        self.model.norm = torch.nn.Identity()
        self.context = context
        self.begin = None
        if whole.config.model_type.startswith("gemma3"):
            self.begin = whole.config.bos_token_id

    def contexts(self, tokens):
        step = self.context - (self.begin is not None)
        whole = len(tokens) // step * step
        ids = torch.from_numpy(tokens[:whole]).reshape(-1, step)
        if self.begin is not None:
            ids = torch.cat([torch.full((len(ids), 1), self.begin), ids], dim=1)
        return ids

    def run(self, ids, batch):
        """Residual streams, and tokens per second."""
        began = time.monotonic()
        with torch.inference_mode():
            parts = [self.model(part, use_cache=False).last_hidden_state for part in ids.split(batch)]
        took = time.monotonic() - began
        return torch.cat(parts), ids.numel() / took

    def rows(self, residual):
        return residual[:, (self.begin is not None):].reshape(-1, residual.shape[-1]).numpy()


def difference(peer_rows, own_rows):
    """Largest relative difference of a row's vector."""
    own = own_rows[: len(peer_rows)]
    return float((numpy.linalg.norm(peer_rows - own, axis=1) / numpy.linalg.norm(own, axis=1)).max())


def shapes(model):
    """width, query width, key-value width, hidden width of a layer."""
    sizes = {tensor.name: [int(size) for size in tensor.shape] for tensor in gguf.GGUFReader(model).tensors}
    width, query = sizes["blk.0.attn_q.weight"][:2]
    return width, query, sizes["blk.0.attn_k.weight"][1], sizes["blk.0.ffn_gate.weight"][1]


def gemm_rate(build, rows, shape):
    """The BLAS's own rate in flop/s."""
    command = [f"{build}/checks/gemm_rate", str(rows), *map(str, shape), str(THREADS)]
    return 1e9 * float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main():
    build, model, layer, context = sys.argv[1], os.path.abspath(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    shape = shapes(model)
    width, query, key_value, hidden = shape
    flops = 2 * (layer + 1) * width * (2 * query + 2 * key_value + 3 * hidden)
    peer = Peer(model, layer, context)
    own, theirs, limits = [], {}, []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_text(folder / "text.jsonl")
        for turn in range(ROUNDS):
            limits.append(gemm_rate(build, max(1, 1024 // context) * context, shape))
            own.append(run_cleave(build, folder, model, layer, context))
            tokens, rows = read_result(folder)
            ids = peer.contexts(tokens)
            for batch in sorted({4, 16} & set(range(1, len(ids) + 1))):
                residual, rate = peer.run(ids, batch)
                theirs.setdefault(batch, []).append(rate)
            if turn == 0:
                print(f"largest relative difference of a row: {difference(peer.rows(residual), rows):.1e}")
            rates = ", ".join(f"{batch}: {rates[-1]:.0f}" for batch, rates in theirs.items())
            print(f"turn {turn + 1}: cleave {own[-1]} tokens/s; transformers by contexts a batch: {rates} tokens/s; "
                  f"BLAS {limits[-1] / 1e9:.1f} GFLOP/s", flush=True)
    best = max(max(rates) for rates in theirs.values())
    print(f"{os.path.basename(model)}, layer {layer}, contexts of {context}, {ids.numel()} tokens, {THREADS} threads, "
          f"best of {ROUNDS}: cleave {max(own)}, transformers {best:.0f} tokens/s")
    print(f"harvest ratio = {max(own) / best:.2f} (transformers {transformers.__version__}; "
          f"own GEMM limit {max(own) * flops / max(limits):.2f})")


if __name__ == "__main__":
    main()
