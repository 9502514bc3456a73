#!/usr/bin/env python3
"""Makes quant_golden.txt: blocks of random bytes and what the `gguf` package (pip install gguf) makes of them.

One line a type: name, number, the bytes of its blocks in hexadecimal, FNV-1a (64 bits) over the bits of all float32
values, the first value's bits of every 32.
"""
import sys

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGML_QUANT_SIZES
from gguf.quants import dequantize

# Where the half-precision scales of a block stand: random ones would be nan or infinite.
SCALES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82],
          "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}


def fnv1a(data):
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def main():
    random = np.random.default_rng(4)
    for name, scales in SCALES.items():
        type_ = Type[name]
        elements, size = GGML_QUANT_SIZES[type_]
        blocks = random.integers(0, 256, (64 // min(elements, 64) * 2, size), dtype=np.uint8)
        for block in blocks:
            for place in scales:
                block[place:place + 2] = np.frombuffer(np.float16(random.normal()).tobytes(), np.uint8)
        values = dequantize(blocks.reshape(1, -1), type_).astype("<f4").ravel()
        samples = " ".join(f"{bits:08x}" for bits in values.view("<u4")[::32])
        print(name, int(type_), blocks.tobytes().hex(), f"{fnv1a(values.tobytes()):016x}", samples)


if __name__ == "__main__":
    sys.exit(main())
