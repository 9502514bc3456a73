#!/usr/bin/env python3
"""Makes tokenizer_smollm2.json: awkward texts and their ids by Hugging Face's tokenizers (pip install gguf tokenizers).

usage: tokenizer_golden.py SmolLM2.gguf
"""
import json
import random
import sys

from gguf import GGUFReader
from tokenizers import Tokenizer, models, pre_tokenizers

PIECES = [" ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", "\u180e", "\u200b", "\ufeff",
          "'s", "'S", "'ll", "'x", "a", "Z", "é", "ß", "ﬁ", "ſ", "1", "23", "٣", "Ⅷ", "½", "²", "、", "。", "!", "$", "<",
          "=", "-", "_", "😀", "👩\u200d👧", "中", "ー", "가", "ก้", "ा", "A\u0301", "ǅ", "ʰ", "ª", "\u00ad", "\x0b",
          "\x0c", "\u1680", "\u202f", "hello", " world", "int main(void)", "  return", "Ωμέγα", "Мост", "<|endoftext|>",
          "\x04", "\x06", "\U00040000x"]


def main():
    fields = GGUFReader(sys.argv[1]).fields
    tokens = fields["tokenizer.ggml.tokens"].contents()
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"].contents()]
    reference = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=merges))
    reference.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    random.seed(4)
    texts = ["".join(random.choice(PIECES) for _ in range(60)) for _ in range(16)]
    print(json.dumps([{"text": text, "ids": reference.encode(text).ids} for text in texts],
                     separators=(",", ":")))


if __name__ == "__main__":
    main()
