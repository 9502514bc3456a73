#!/usr/bin/env python3
"""Is an activations.h5 what its schema promises? usage: check_activations.py FILE KEY=VALUE... (keys of harvest)"""
import sys

import h5py
import numpy


def kept_positions(file, context, first_position, special):
    """Index in /text_token of every row that no norm limit leaves out; no begin token is assumed."""
    tokens = file["text_token"][...]
    keep = numpy.ones(len(tokens), bool)
    if not first_position:
        keep[::context] = False
    if not special:
        keep[file["document_start"][1:] - 1] = False  # the tiny model's only special token ends the documents
    return numpy.flatnonzero(keep)


def expect(is_true, what):
    if not is_true:
        sys.exit(f"FAIL {what}")


def main():
    keys = dict(argument.split("=") for argument in sys.argv[2:])
    context, limit = int(keys.get("context", 64)), float(keys.get("norm_limit", 8))
    most = int(keys.get("rows", 0))
    with h5py.File(sys.argv[1]) as file:
        values = file["activation"][...].astype(numpy.float64)
        token, document, position = (file[name][...].astype(numpy.int64) for name in ("token", "document", "position"))
        start, held_out = file["document_start"][...], file["document_held_out"][...]
        index = start[document] + position
        expect((file["text_token"][...][index] == token).all(), "token is the text's token at (document, position)")
        expect((position < start[document + 1] - start[document]).all(), "positions are inside their documents")
        expect((numpy.diff(index) > 0).all(), "rows are in corpus order")

        candidates = kept_positions(file, context, keys.get("first_position") == "true",
                                    keys.get("special_tokens") == "true")
        norms = numpy.linalg.norm(values, axis=1)
        left_out = len(candidates[candidates <= index[-1]]) - len(index)
        if limit == 0 or file.attrs["left_out_norm"] == 0:
            expect(left_out == 0, "all candidates are rows")
            expect((index == candidates[: len(index)]).all(), "the rows are the candidates")
        expect(limit == 0 or norms.max() <= limit * file.attrs["median_norm"] * (1 + 1e-12), "norms are below the limit")
        expect(0 <= left_out <= file.attrs["left_out_norm"], "rows above the limit were counted")
        expect(most == 0 or len(index) == most, "the file holds as many rows as asked for")
        if most == 0:
            expect(len(index) + sum(int(file.attrs[f"left_out_{why}"]) for why in ("first", "special", "norm"))
                   == len(file["text_token"]), "every token is a row or counted")
        else:
            expect(len(start) - 1 == document[-1] + 1, "the last document is that of the last row")

        trained = held_out[document] == 0
        expect(file.attrs["rows_held_out"] == (~trained).sum(), "held-out rows are counted")
        expect(0.05 < held_out.mean() < 0.4 or len(held_out) < 20, "about a fifth of the documents is held out")
        mean, square = values[trained].mean(axis=0), (values[trained] ** 2).sum(axis=1).mean()
        expect(abs(mean - file["mean"][...]).max() < 1e-6 * abs(values).max(), "mean of the training rows")
        expect(abs(file.attrs["scale"] / (values.shape[1] / square) ** 0.5 - 1) < 1e-9, "scale of the training rows")

        first, bytes_ = file["vocabulary_start"][...], file["vocabulary_byte"][...].tobytes()
        ids = file["text_token"][start[0] : start[1] - 1]
        text = b"".join(bytes_[first[id_] : first[id_ + 1]] for id_ in ids)
        expect(text.startswith(b"The "), "the vocabulary's bytes spell the text")


if __name__ == "__main__":
    main()
