#!/usr/bin/python3
"""Do nearer features mean nearer things? Rings of neighbours by cosine, over all sizes.

usage: neighbourhood.py RUN DICTIONARY WORD...             the rings around each word's feature
       neighbourhood.py RUN DICTIONARY WORD... --ask FILE  pairs of neighbours to judge, in an order that tells nothing
       neighbourhood.py --score FILE                       how often the nearer one was judged nearer

RUN is a run's folder. A word's feature is found as in ../presence. --ask writes lines of tab-separated columns: centre,
first, second, answer, key. Write `1`, `2` or `=` into the fourth: which of the two is nearer in meaning to the centre? The
key says nothing to the eye; --score reads it.
"""
import os
import random
import sys

import h5py
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "presence"))
from presence import Features, Text  # noqa: E402

RINGS = (1.0, 0.6, 0.5, 0.4, 0.35, 0.3, 0.25, 0.0)
SHOWN = 8  # features of a ring
PAIRS = 14  # to judge, a centre
APART = 0.1  # cosines of a pair, at least


class Labels:
    """Automatic labels, as the report has them: the tokens most over-represented where a feature fires."""

    def __init__(self, folder):
        self.folder, self.tokens = folder, {}
        with h5py.File(f"{folder}/activations.h5", "r") as file:
            self.starts, self.bytes = file["vocabulary_start"][:], file["vocabulary_byte"][:].tobytes()

    def of(self, dictionary, feature):
        if dictionary not in self.tokens:
            with h5py.File(f"{self.folder}/codes/{dictionary}.h5", "r") as file:
                self.tokens[dictionary] = file["label_token"][:]
        words = []
        for token in self.tokens[dictionary][feature]:
            if token < len(self.starts) - 1:
                raw = self.bytes[self.starts[token]:self.starts[token + 1]].decode("utf-8", "replace")
                words.append(raw.strip() or "␣")
        return " · ".join(dict.fromkeys(words))


def neighbours(folder, dictionary, feature):
    """[(cosine, dictionary, feature)], nearest first, controls left out."""
    found = []
    with h5py.File(f"{folder}/neighbours.h5", "r") as file:
        levels = {name for name, one in file["dictionary"].items() if not one.attrs["control_of"]}
        own = file[f"self/{dictionary}"]
        found += [(c, dictionary, i) for i, c in zip(own["id"][feature], own["cosine"][feature])]
        for child, parents in file["pair"].items():
            for parent, pair in parents.items():
                if child == dictionary and parent in levels:
                    found += [(c, parent, i) for i, c in zip(pair["parent_id"][feature], pair["cosine"][feature])]
                elif parent == dictionary and child in levels:
                    found += [(c, child, i) for i, c in zip(pair["child_id"][feature], pair["child_cosine"][feature])]
    return sorted(((float(c), name, int(i)) for c, name, i in found if i != 2**32 - 1), reverse=True)


def show(labels, word, dictionary, feature, found):
    print(f"\n{word}: {dictionary}/{feature}  {labels.of(dictionary, feature)}")
    for high, low in zip(RINGS[:-1], RINGS[1:]):
        ring = [one for one in found if low <= one[0] < high]
        if ring:
            print(f"  cosine {low:.2f} to {high:.2f}: {len(ring)} features")
        for cosine, name, other in ring[:SHOWN]:
            print(f"    {cosine:.2f} {name + '/' + str(other):10} {labels.of(name, other)}")


def pairs(labels, word, own, found, draw):
    """Lines to judge. The key is the answer that cosine gives, hidden in an even or odd number."""
    for _ in range(PAIRS):
        for _ in range(1000):
            near, far = sorted(draw.sample(found, 2), reverse=True)
            if near[0] - far[0] >= APART:
                break
        else:
            return
        is_first = draw.random() < 0.5
        first, second = (near, far) if is_first else (far, near)
        key = 2 * draw.randrange(1000, 9999) + (0 if is_first else 1)
        yield "\t".join([f"{word} ({own})", labels.of(*first[1:]), labels.of(*second[1:]), "", str(key)])


def score(path):
    counts = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            centre, _, _, answer, key = line.rstrip("\n").split("\t")
            if answer not in ("1", "2", "="):
                sys.exit(f"{path}: not judged yet: {line.rstrip()}")
            value = 0.5 if answer == "=" else float((answer == "1") == (int(key) % 2 == 0))
            counts.setdefault(centre.split(" ")[0], []).append(value)
    values = np.concatenate([*counts.values()])
    draws = np.random.default_rng(1).choice(values, (5000, len(values))).mean(axis=1)
    low, high = np.percentile(draws, (2.5, 97.5))
    for centre, own in counts.items():
        print(f"{centre}: the nearer one is judged nearer in {sum(own):.1f} of {len(own)} pairs")
    print(f"together {values.mean():.0%} ({low:.0%} to {high:.0%}) of {len(values)}; a shuffled order: 50 %")


def main():
    if "--score" in sys.argv:
        return score(sys.argv[-1])
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    folder, dictionary, *words = sys.argv[1:]
    out = None
    if "--ask" in words:
        out = words.pop()
        words.remove("--ask")
    text, features, labels, draw, lines = Text(folder), Features(folder, dictionary), Labels(folder), random.Random(1), []
    for word in words:
        best = features.of(text.occurrences(word))
        if best is None:
            sys.exit(f"{dictionary} has no feature for '{word}': ../presence/presence.py --list says which words have one")
        found = neighbours(folder, dictionary, best[2])
        if out:
            lines += pairs(labels, word, labels.of(dictionary, best[2]), found, draw)
        else:
            show(labels, word, dictionary, best[2], found)
    if out:
        draw.shuffle(lines)
        with open(out, "w", encoding="utf-8") as file:
            file.write("".join(line + "\n" for line in lines))
        print(f"{out}: {len(lines)} pairs to judge")
    return None


if __name__ == "__main__":
    main()
