#!/usr/bin/python3
"""Which concepts of a list have a feature, and how often must a concept occur to have one?

usage: presence.py RUN DICTIONARY... [--list]        (RUN: a run's folder; concepts.txt lies beside this script)

A feature is a concept's if it fires on at least half of the word's occurrences (on one of its tokens), and at least half
of what it fires most strongly on (above half of its strongest activation) is that word. Words are whole, in any case,
but for capitals of the list's own; concepts with fewer than 3 occurrences are left out. The curve: share of concepts that
have a feature by frequency, a logistic fit with its 50 % point, beside 1 / alive features.
"""
import os
import re
import sys

import h5py
import numpy as np

LEAST = 3  # occurrences
SHARE = 0.5  # of the occurrences, and of the strongest firings


class Text:
    """The harvested text as bytes, and the row of each token (-1: it has none)."""

    def __init__(self, folder):
        with h5py.File(f"{folder}/activations.h5", "r") as file:
            tokens = file["text_token"][:]
            starts, letters = file["vocabulary_start"][:], file["vocabulary_byte"][:]
            places = file["document_start"][:][file["document"][:]] + file["position"][:]
        letters = letters.tobytes()
        pieces = [letters[starts[t]:starts[t + 1]] for t in tokens]
        self.bytes = b"".join(pieces)
        self.ends = np.cumsum([len(piece) for piece in pieces])
        self.row = np.full(len(tokens), -1)
        self.row[places] = np.arange(len(places))
        self.tokens = len(tokens)

    def occurrences(self, word):
        """The rows of each occurrence."""
        flags = 0 if word != word.lower() else re.IGNORECASE
        pattern = rb"(?<![A-Za-z])" + re.escape(word.encode()) + rb"(?![A-Za-z])"
        found = []
        for match in re.finditer(pattern, self.bytes, flags):
            first = np.searchsorted(self.ends, match.start(), side="right")
            last = np.searchsorted(self.ends, match.end() - 1, side="right")
            rows = self.row[first:last + 1]
            if (rows >= 0).all():
                found.append(rows)
        return found


class Features:
    def __init__(self, folder, name):
        with h5py.File(f"{folder}/codes/{name}.h5", "r") as file:
            self.row_start, self.id, self.active = file["row_start"][:], file["id"][:], file["active"][:]
            self.start, self.rows = file["feature_start"][:], file["feature_row"][:]
            self.values, self.maximum = file["feature_value"][:], file["maximum"][:]
            self.alive = int((file["firings"][:] > 0).sum())
        self.name = name

    def firing(self, rows):
        """Features that fire on one of the rows."""
        parts = [self.id[self.row_start[row]:self.row_start[row + 1]][self.active[self.row_start[row]:self.row_start[row + 1]] == 1]
                 for row in rows]
        return np.unique(np.concatenate(parts))

    def strongest(self, feature):
        first, past = self.start[feature], self.start[feature + 1]
        rows, values = self.rows[first:past], self.values[first:past]
        return rows[values > 0.5 * self.maximum[feature]]

    def of(self, occurrences):
        """(recall, precision, feature) of the best feature for a concept, None where none is its own."""
        ids, counts = np.unique(np.concatenate([self.firing(rows) for rows in occurrences]), return_counts=True)
        own = np.unique(np.concatenate(occurrences))
        best = None
        for feature, count in zip(ids, counts):
            recall = count / len(occurrences)
            if recall >= SHARE:
                precision = np.isin(self.strongest(feature), own).mean()
                if precision >= SHARE and (best is None or recall * precision > best[0] * best[1]):
                    best = (recall, precision, int(feature))
        return best


def fit(x, y):
    """Logistic regression of y on x by Newton's method, with a little ridge for separable data: (slope, 50 % point)."""
    design = np.stack([np.ones_like(x), x - x.mean()], axis=1)
    weights = np.zeros(2)
    for _ in range(50):
        p = 1 / (1 + np.exp(-design @ weights))
        hessian = design.T @ (design * (p * (1 - p))[:, None]) + 1e-2 * np.eye(2)
        weights += np.linalg.solve(hessian, design.T @ (y - p) - 1e-2 * weights)
    return weights[1], x.mean() - weights[0] / weights[1]


def concepts():
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "concepts.txt"), encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                kind, _, words = line.partition(":")
                yield from ((kind, word) for word in words.split())


def main():
    names = [one for one in sys.argv[2:] if one != "--list"]
    text = Text(sys.argv[1])
    found = [(kind, word, text.occurrences(word)) for kind, word in concepts()]
    found = [one for one in found if len(one[2]) >= LEAST]
    x = np.log10([len(rows) / text.tokens for _, _, rows in found])
    print(f"{len(found)} concepts that occur {LEAST} times and more in {text.tokens:,} tokens")
    edges = np.arange(np.floor(2 * x.min()) / 2, x.max() + 0.5, 0.5)
    for name in names:
        features = Features(sys.argv[1], name)
        best = [features.of(rows) for _, _, rows in found]
        y = np.array([one is not None for one in best], float)
        slope, half = fit(x, y)
        print(f"\n{name}: {int(y.sum())} of {len(y)} concepts have a feature; {features.alive:,} alive features")
        print("  occurrences a million tokens    concepts    with a feature")
        for low, high in zip(edges[:-1], edges[1:]):
            inside = (x >= low) & (x < high)
            if inside.any():
                share = y[inside].mean()
                print(f"  {1e6 * 10**low:10.1f} to {1e6 * 10**high:10.1f} {inside.sum():11d} {share:10.0%}  {'#' * round(30 * share)}")
        print(f"  50 % at {1e6 * 10**half:.0f} a million (slope {slope:.1f} a decade); 1 / alive features = "
              f"{1e6 / features.alive:.0f} a million; ratio {10**half * features.alive:.2f}")
        if "--list" in sys.argv:
            for (kind, word, rows), one in zip(found, best):
                shown = f"{name}/{one[2]} fires on {one[0]:.0%} of them, {one[1]:.0%} of its strongest" if one else "-"
                print(f"    {kind:8} {word:12} {len(rows):5d}  {shown}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main()
