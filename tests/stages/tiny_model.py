#!/usr/bin/env python3
"""Write a tiny llama model (random weights, byte-level tokenizer) as GGUF, so that the stages can be tested without a
download and in a second. usage: tiny_model.py OUT.gguf [ARCHITECTURE]"""
import random
import struct
import sys

LAYERS, WIDTH, HEADS, KV_HEADS, HIDDEN, CONTEXT = 3, 64, 4, 2, 96, 512
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def byte_letters():
    """GPT-2's map from bytes to printable letters."""
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters, extra = {}, 0
    for byte in range(256):
        if byte in kept:
            letters[byte] = chr(byte)
        else:
            letters[byte] = chr(256 + extra)
            extra += 1
    return letters


def string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def value(kind, item):
    if kind == STRING:
        return string(item)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], item)


def pair(key, kind, item):
    return string(key) + struct.pack("<I", kind) + value(kind, item)


def array(key, kind, items):
    head = string(key) + struct.pack("<IIQ", ARRAY, kind, len(items))
    return head + b"".join(value(kind, item) for item in items)


def vocabulary():
    letters = byte_letters()
    merges = ["t h", "th e", "Ġ the", "Ġ t", "i n", "in g", "Ġ a", "a n", "an d", "e r", "o n", "Ġ s", "r e", "o f"]
    tokens = ["<|end|>"] + [letters[byte] for byte in range(256)]
    for merge in merges:
        joined = merge.replace(" ", "")
        if joined not in tokens:
            tokens.append(joined)
    return tokens, merges


def metadata(architecture):
    tokens, merges = vocabulary()
    a = architecture
    return [
        pair("general.architecture", STRING, a),
        pair("general.name", STRING, "tiny"),
        pair(f"{a}.block_count", U32, LAYERS),
        pair(f"{a}.context_length", U32, CONTEXT),
        pair(f"{a}.embedding_length", U32, WIDTH),
        pair(f"{a}.feed_forward_length", U32, HIDDEN),
        pair(f"{a}.attention.head_count", U32, HEADS),
        pair(f"{a}.attention.head_count_kv", U32, KV_HEADS),
        pair(f"{a}.attention.layer_norm_rms_epsilon", F32, 1e-5),
        pair(f"{a}.rope.dimension_count", U32, WIDTH // HEADS),
        pair(f"{a}.rope.freq_base", F32, 10000.0),
        pair(f"{a}.vocab_size", U32, len(tokens)),
        pair("tokenizer.ggml.model", STRING, "gpt2"),
        pair("tokenizer.ggml.pre", STRING, "smollm"),
        array("tokenizer.ggml.tokens", STRING, tokens),
        array("tokenizer.ggml.token_type", I32, [3] + [1] * (len(tokens) - 1)),
        array("tokenizer.ggml.merges", STRING, merges),
        pair("tokenizer.ggml.eos_token_id", U32, 0),
        pair("tokenizer.ggml.bos_token_id", U32, 0),
        pair("tokenizer.ggml.add_bos_token", BOOL, False),
    ], len(tokens)


def tensors(vocab):
    """Names and shapes (fastest dimension first, as in the file), and the spread of the values."""
    kv = WIDTH // HEADS * KV_HEADS
    yield "token_embd.weight", [WIDTH, vocab], 1.0
    yield "output_norm.weight", [WIDTH], None
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        yield block + "attn_norm.weight", [WIDTH], None
        yield block + "ffn_norm.weight", [WIDTH], None
        yield block + "attn_q.weight", [WIDTH, WIDTH], 0.2
        yield block + "attn_k.weight", [WIDTH, kv], 0.2
        yield block + "attn_v.weight", [WIDTH, kv], 0.2
        yield block + "attn_output.weight", [WIDTH, WIDTH], 0.2
        yield block + "ffn_gate.weight", [WIDTH, HIDDEN], 0.2
        yield block + "ffn_up.weight", [WIDTH, HIDDEN], 0.2
        yield block + "ffn_down.weight", [HIDDEN, WIDTH], 0.2


def main():
    architecture = sys.argv[2] if len(sys.argv) > 2 else "llama"
    generator = random.Random(7)
    pairs, vocab = metadata(architecture)
    infos, data = b"", b""
    all_tensors = list(tensors(vocab))
    for name, shape, spread in all_tensors:
        count = 1
        for size in shape:
            count *= size
        values = [1.0 if spread is None else generator.gauss(0, spread) for _ in range(count)]
        infos += string(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        infos += struct.pack("<IQ", 0, len(data))
        data += struct.pack(f"<{count}f", *values)
        data += b"\0" * (-len(data) % 32)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(all_tensors), len(pairs)) + b"".join(pairs) + infos
    with open(sys.argv[1], "wb") as file:
        file.write(head + b"\0" * (-len(head) % 32) + data)


if __name__ == "__main__":
    main()
