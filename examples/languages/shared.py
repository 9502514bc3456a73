#!/usr/bin/python3
"""How many features are among the strongest of a passage in every language?

usage: shared.py FOLDER DICTIONARY...

FOLDER is the run's. FOLDER/strongest/DICTIONARY/LANGUAGE.jsonl holds the answers of cleave-inspect --batch, the same
passage on the same line of every file. Baseline: a passage in one language with other passages in the others, a thousand
times. Features that random passages share too (in 2 % of the draws) are common rather than about something: the second
count leaves them out. Then the others that are shared most often, with the tokens of each language where they fire most.
"""
import collections
import glob
import json
import os
import random
import sys

import h5py
import numpy as np

STRONGEST = 50  # features of a passage
SHOWN = 8  # features of a dictionary
DRAWS = 1000
COMMON = 0.02


def strongest(path, most):
    with open(path, encoding="utf-8") as file:
        return [{one["feature"] for one in json.loads(line)["features"][:most]} for line in file]


def interval(values):
    """Mean of values and its 95 % interval by the bootstrap over passages."""
    values = np.asarray(values, float)
    draws = np.random.default_rng(1).choice(values, (2000, len(values))).mean(axis=1)
    return values.mean(), *np.percentile(draws, (2.5, 97.5))


class Corpus:
    """Where features fire in the harvested text, by language."""

    def __init__(self, folder, dictionary):
        with open(f"{folder}/text.jsonl", encoding="utf-8") as file:
            self.language = np.array([json.loads(line)["language"] for line in file])
        self.rows = h5py.File(f"{folder}/activations.h5", "r")
        self.codes = h5py.File(f"{folder}/codes/{dictionary}.h5", "r")
        self.starts = self.rows["vocabulary_start"][:]
        self.of_row = self.language[self.rows["document"][:]]
        self.start = self.codes["feature_start"][:]

    def token(self, row):
        token = self.rows["token"][row]
        raw = bytes(self.rows["vocabulary_byte"][self.starts[token]:self.starts[token + 1]])
        return raw.decode("utf-8", "replace").strip() or repr(raw.decode("utf-8", "replace"))

    def words(self, feature):
        """The tokens of its three strongest firings in each language."""
        first, past = self.start[feature], self.start[feature + 1]
        rows, values = self.codes["feature_row"][first:past], self.codes["feature_value"][first:past]
        found = {}
        for language in dict.fromkeys(self.language):
            own = np.flatnonzero(self.of_row[rows] == language)
            best = own[np.argsort(-values[own], kind="stable")][:12]
            found[language] = list(dict.fromkeys(self.token(rows[i]) for i in best))[:3]
        return found


def say(name, found):
    mean, low, high = interval([len(one) for one in found])
    print(f"    {name:17} {mean:6.2f} ({low:.2f} to {high:.2f}); at least one in {np.mean([len(one) > 0 for one in found]):.0%}")


def study(folder, dictionary):
    paths = sorted(glob.glob(f"{folder}/strongest/{dictionary}/*.jsonl"))
    sets = [strongest(path, STRONGEST) for path in paths]
    count, shuffle = len(sets[0]), random.Random(1)
    same = [set.intersection(*(one[i] for one in sets)) for i in range(count)]
    other = [set.intersection(*(one[i] for one, i in zip(sets, shuffle.sample(range(count), len(sets)))))
             for _ in range(DRAWS)]
    chance = collections.Counter(feature for one in other for feature in one)
    common = {feature for feature, times in chance.items() if times >= COMMON * DRAWS}
    print(f"\n{dictionary}: features among the {STRONGEST} strongest of a passage in all {len(sets)} languages")
    say("the same passage", same)
    say("random passages", other)
    print(f"  without the {len(common)} common ones")
    say("the same passage", [one - common for one in same])
    say("random passages", [one - common for one in other])
    often = collections.Counter(feature for one in same for feature in one - common)
    print(f"  {len(often)} features are shared so by a passage; most often, and what they fire on most:")
    corpus = Corpus(folder, dictionary)
    for feature, times in sorted(often.items(), key=lambda one: (-one[1], one[0]))[:SHOWN]:
        words = corpus.words(int(feature.split("/")[1]))
        print(f"    {feature}, {times} passages: " + "; ".join(f"{language} {' '.join(own)}" for language, own in words.items()))


def main():
    for dictionary in sys.argv[2:]:
        study(sys.argv[1], dictionary)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main()
