"""The dictionaries of planted_truth.py: directions and statuses by construction.

A kind says how a feature was made; its status follows from that (splitting.md, section 7)."""
import numpy as np

LINK = 0.40    # below this nothing links
LINKED = 0.48  # from here all does: the null of these clouds has its 99.9 % between the two
SLOTS = 4      # parents that a feature may make fire

# kind: share of a child level, status where a twin finds again what is `novel`. Splits are the rest; kept are a
# share of the parents. Names with "rare_" fire 8 to 20 times.
KINDS = {
    "dead": (0.010, "dead"), "unseen": (0.015, "unseen"), "hub": (0.0, "unmatched"),
    "kept": (0.0, "kept"), "split": (0.0, "split"), "pair": (0.05, "split"),
    "hub_near": (0.020, "split"), "hub_tie": (0.015, "split"), "tie_one": (0.025, "split"),
    "absorbed": (0.070, "absorbed"), "equal": (0.040, "composed"), "unequal": (0.030, "composed"),
    "far_parts": (0.020, "composed"), "tie_both": (0.020, "ambiguous"), "tie_none": (0.015, "ambiguous"),
    "near": (0.030, "related"), "companion": (0.030, "related"),
    "novel": (0.035, "novel"), "novel_firing": (0.015, "novel"), "skip": (0.010, "novel"),
    "alone": (0.030, "unmatched"), "antipode": (0.010, "unmatched"),
    "rare_kept": (0.010, "kept?"), "rare_split": (0.012, "split?"), "rare_near": (0.010, "related?"),
    "rare_parts": (0.010, "composed?"), "rare_alone": (0.010, "unmatched"),
}
IN_FOREST = {"kept", "kept?", "split", "split?", "absorbed"}
NO_PARENT = {"dead", "unseen", "hub", "copy"}  # kinds that get no planted children, as rare ones
FOUND_AGAIN = {"novel", "novel_firing", "skip"}
NEVER_AGAIN = {"alone", "antipode", "hub", "rare_alone"}


class Difficulty:
    """Ranges that the planted cosines and probabilities are drawn from."""

    def __init__(self, is_hard):
        self.split = (0.42, 0.76) if is_hard else (0.50, 0.66)
        self.kept = (0.72, 0.95) if is_hard else (0.88, 0.96)
        self.siblings = 0.35 if is_hard else 0.20   # share of a sibling's own part that all share
        self.absorbed = 0.06 if is_hard else 0.01   # spread of the parent's part
        self.tie = 0.03 if is_hard else 0.008
        self.chance = (0.50, 0.97) if is_hard else (0.85, 0.97)
        self.encoder = 0.60 if is_hard else 0.30    # noise of encoder rows
        self.twin = (0.70, 0.92) if is_hard else (0.88, 0.92)
        self.stranger = 0.40 if is_hard else 0.34   # a stranger's largest cosine to a parent
        self.room = 0.04 if is_hard else 0.10       # to the next parent that was not planted


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def with_cosines(targets, cosines, own):
    """The unit vector with these cosines to the unit rows `targets`; the rest points along `own`."""
    basis = np.linalg.qr(targets.T)[0]
    own = unit(own - basis @ (basis.T @ own))
    inside = np.linalg.solve(targets @ targets.T, cosines) @ targets
    length = inside @ inside
    if length >= 1:
        raise ValueError("these cosines cannot be had together")
    return inside + np.sqrt(1 - length) * own, own


class Level:
    """A dictionary; arrays over its features."""

    def __init__(self, name, latents, width):
        self.name, self.latents, self.width = name, latents, width
        self.kind = np.full(latents, "", dtype=object)
        self.decoder, self.encoder = np.zeros((2, latents, width))
        self.parent = np.full(latents, -1)           # pi, in the next smaller level
        self.cause = np.full((latents, SLOTS), -1)   # parents that fire along ...
        self.chance = np.zeros((latents, SLOTS))     # ... with this probability
        self.skip_cause = np.full(latents, -1)       # the same, two levels down
        self.copy_of = np.full(latents, -1)
        self.has_kept = np.zeros(latents, bool)      # a kept child in the next larger level
        self.pairs = []                              # near features (cosine 0.7) of the same level

    def is_rare(self):
        return np.array([kind.startswith("rare_") for kind in self.kind])

    def eligible(self):
        """Features that may have planted children."""
        return np.flatnonzero([kind not in NO_PARENT and not kind.startswith("rare_") for kind in self.kind])

    def status(self, has_twin):
        """Child statuses of the true kinds."""
        names = []
        for i in range(self.latents):
            kind = self.kind[self.copy_of[i] if self.copy_of[i] >= 0 else i]
            name = KINDS[kind][1]
            names.append("unmatched" if name == "novel" and not has_twin else name)
        return names


class Grower:
    """Makes a level whose features descend from a smaller level."""

    def __init__(self, random, difficulty, small, smaller, name, latents):
        self.random, self.difficulty, self.small, self.smaller = random, difficulty, small, smaller
        self.out = Level(name, latents, small.width)
        good = random.permutation(small.eligible())
        self.childless = good[:len(good) // 12]
        self.good = np.setdiff1d(good[len(good) // 12:], [])
        self.shared = unit(random.normal(size=(small.latents, small.width)))  # of siblings

    def between(self, low, high, size=None):
        return self.random.uniform(low, high, size)

    def noise(self):
        return unit(self.random.normal(size=self.small.width))

    def others(self, direction, parents):
        """The largest cosine to a parent that was not asked for."""
        cosines = self.small.decoder @ direction
        cosines[list(parents)] = -1
        for parent in parents:
            cosines[self.small.copy_of == parent] = -1
        return cosines.max()

    def place(self, i, parents, cosines, shared=0.0):
        """Direction i: these cosines, and nobody else near."""
        parents, limit = np.asarray(parents, int), self.difficulty.stranger
        if len(parents) > 0 and cosines[0] >= LINK:
            limit = max(limit, max(cosines) - self.difficulty.room)
        for attempt in range(200):
            own = self.noise()
            if shared > 0:
                own = np.sqrt(shared) * self.shared[parents[0]] + np.sqrt(1 - shared) * own
            if len(parents) == 0:
                direction = own = unit(own)
            else:
                direction, own = with_cosines(self.small.decoder[parents], np.asarray(cosines, float), own)
            if self.others(direction, parents) < limit:
                break
        self.out.decoder[i] = direction
        self.out.encoder[i] = unit(direction + self.difficulty.encoder * self.noise())
        return own

    def fire(self, i, parents):
        for slot, parent in enumerate(parents):
            self.out.cause[i, slot] = parent
            self.out.chance[i, slot] = self.between(*self.difficulty.chance)

    def one_of(self, choices):
        return int(choices[self.random.integers(len(choices))])

    def apart(self, count, first=None):
        """Parents that are nearly orthogonal to each other. None without a parent of its own: through a child that it
        shares it would fire along with another's."""
        choices = [p for p in self.good if KINDS[self.small.kind[p]][1] in IN_FOREST]
        while True:
            picks = self.random.choice(choices, count, replace=False)
            if first is not None:
                picks[0] = first
            gram = np.abs(self.small.decoder[picks] @ self.small.decoder[picks].T) - np.eye(count)
            if len(set(picks)) == count and gram.max() < 0.12:
                return [int(pick) for pick in picks]

    def make(self, i, kind):
        self.out.kind[i] = kind
        getattr(self, "make_" + kind.replace("rare_", ""))(i, kind)

    def make_dead(self, i, kind):
        pass

    def make_unseen(self, i, kind):
        self.place(i, [self.one_of(self.good)], [self.between(*self.difficulty.split)])

    def make_hub(self, i, kind):
        self.place(i, [], [])

    def make_kept(self, i, kind):
        parent = int(self.kept_parents.pop())
        self.place(i, [parent], [self.between(*self.difficulty.kept)])
        self.out.encoder[i] = unit(self.small.encoder[parent] + 0.35 * self.noise())
        self.out.parent[i] = parent
        if kind == "kept":
            self.fire(i, [parent])
            self.small.has_kept[parent] = True

    def make_split(self, i, kind):
        is_rare = kind == "rare_split"
        parent = self.one_of(self.with_kept() if is_rare else self.good)
        cosine = self.between(0.72, 0.80) if is_rare else self.between(*self.difficulty.split)
        self.place(i, [parent], [cosine], shared=self.difficulty.siblings)
        self.out.parent[i] = parent
        if not is_rare:
            self.fire(i, [parent])

    def make_pair(self, i, kind):
        """Two siblings with a cosine of about 0.7: parents that only the evidence can tell apart."""
        if self.half is None:
            parent = self.one_of(self.good)
            self.place(i, [parent], [0.62], shared=self.difficulty.siblings)
            self.half = (i, parent)
        else:
            first, parent = self.half
            rows = np.stack([self.small.decoder[parent], self.out.decoder[first]])
            for attempt in range(200):
                direction, _ = with_cosines(rows, np.array([0.62, 0.70]), self.noise())
                if self.others(direction, [parent]) < 0.52:
                    break
            self.out.decoder[i] = direction
            self.out.encoder[i] = unit(direction + self.difficulty.encoder * self.noise())
            self.out.pairs.append((first, i))
            self.half = None
        self.out.parent[i] = parent
        self.fire(i, [parent])

    def make_hub_near(self, i, kind):
        parent = self.one_of(self.good)
        self.place(i, [parent, self.one_of(self.hubs)], [self.between(0.56, 0.66), 0.42])
        self.out.parent[i] = parent
        self.fire(i, [parent])

    def make_hub_tie(self, i, kind):
        """As near to a hub as to the parent; the hub fires as always."""
        parent = self.one_of(self.good)
        self.place(i, [parent, self.one_of(self.hubs)], [0.58, 0.58 + self.between(-0.03, 0.03)])
        self.out.parent[i] = parent
        self.fire(i, [parent])

    def make_tie(self, i, kind):
        pair = list(self.small.pairs[self.random.integers(len(self.small.pairs))])
        self.random.shuffle(pair)
        self.place(i, pair, self.between(0.55, 0.64) + self.between(-1, 1, 2) * self.difficulty.tie)
        return pair

    def make_tie_one(self, i, kind):
        parent = self.make_tie(i, kind)[0]
        self.out.parent[i] = parent
        self.fire(i, [parent])

    def make_tie_both(self, i, kind):
        self.fire(i, self.make_tie(i, kind))

    def make_tie_none(self, i, kind):
        self.make_tie(i, kind)

    def with_kept(self):
        return np.flatnonzero(self.small.has_kept)

    def make_absorbed(self, i, kind):
        parent = self.one_of(self.with_kept())
        spread = self.difficulty.absorbed
        own = self.place(i, [parent], [np.sqrt(0.5) + self.between(-spread, spread)])
        self.out.encoder[i] = unit(own - 0.1 * self.small.decoder[parent] + 0.2 * self.noise())
        self.out.parent[i] = parent
        self.fire(i, [parent])

    def make_equal(self, i, kind):
        parents = self.apart(2)
        self.place(i, parents, self.between(0.55, 0.66) + self.between(-0.01, 0.01, 2))
        self.fire(i, parents)

    def make_unequal(self, i, kind):
        parents = self.apart(2, self.one_of(self.with_kept()))
        self.place(i, parents, [self.between(0.66, 0.75), self.between(0.50, 0.54)])
        self.fire(i, parents)

    def make_far_parts(self, i, kind):
        """Four parts, none of them above the link."""
        parents = self.apart(4)
        self.place(i, parents, self.between(0.36, 0.385, 4))
        self.fire(i, parents)

    def make_parts(self, i, kind):
        self.place(i, self.apart(2), [self.between(0.61, 0.66), self.between(0.50, 0.53)])

    def make_near(self, i, kind):
        self.place(i, [self.one_of(self.good)], [self.between(0.50, 0.66)])

    def make_companion(self, i, kind):
        """Fires along with a parent that lies anywhere."""
        self.place(i, [], [])
        self.out.cause[i, 0] = self.one_of(self.good)
        self.out.chance[i, 0] = self.between(0.55, 0.90)

    def make_novel(self, i, kind):
        self.place(i, [], [])

    make_novel_firing = make_alone = make_novel

    def make_skip(self, i, kind):
        """A feature of two levels down comes back."""
        if self.smaller is None:
            return self.make_novel(i, kind)
        far = self.one_of(self.smaller_childless)
        for attempt in range(200):
            direction, _ = with_cosines(self.smaller.decoder[[far]], np.array([0.6]), self.noise())
            if self.others(direction, []) < self.difficulty.stranger:
                break
        self.out.decoder[i] = direction
        self.out.encoder[i] = unit(direction + self.difficulty.encoder * self.noise())
        self.out.skip_cause[i] = far

    def make_antipode(self, i, kind):
        self.place(i, [self.one_of(self.good)], [-0.9])

    def grow(self, smaller_childless):
        """The level; ids are in random order but for duplicates, which follow what they repeat."""
        out, random = self.out, self.random
        self.smaller_childless, self.half = smaller_childless, None
        self.hubs = np.flatnonzero(self.small.kind == "hub")
        counts = {kind: int(round(share * out.latents)) for kind, (share, _) in KINDS.items()}
        counts["pair"] += counts["pair"] % 2
        counts["hub"] = 2
        counts["kept"] = int(0.45 * len(self.good))
        copies = out.latents // 50
        counts["split"] = out.latents - copies - sum(counts.values())
        self.kept_parents = list(random.permutation(self.good)[:counts["kept"] + counts["rare_kept"]])
        order = random.permutation(out.latents)
        ids = order[copies:]
        for kind in sorted(KINDS, key=lambda kind: kind != "kept"):
            for i in ids[:counts[kind]]:
                self.make(i, kind)
            ids = ids[counts[kind]:]
        repeat(out, order[:copies], [i for i in range(out.latents) if out.kind[i] in ("kept", "split")], random)
        return out


def repeat(level, copies, choices, random):
    """Near duplicates of some features."""
    picks = random.choice(choices, len(copies), replace=False)
    for copy, pick in zip(copies, picks):
        if copy < pick:  # the lower id stands for both
            swap(level, copy, pick)
            copy, pick = pick, copy
        level.kind[copy], level.copy_of[copy] = "copy", pick
        level.parent[copy] = level.parent[pick]
        for rows in (level.decoder, level.encoder):
            rows[copy] = unit(rows[pick] + 0.06 * unit(random.normal(size=level.width)))


def swap(level, a, b):
    for array in (level.kind, level.decoder, level.encoder, level.parent, level.cause, level.chance,
                  level.skip_cause, level.copy_of):
        array[[a, b]] = array[[b, a]]
    assert not any(i in pair for pair in level.pairs for i in (a, b))


def plant_roots(random, difficulty, name, latents, width):
    """The smallest level."""
    level = Level(name, latents, width)
    level.decoder = unit(random.normal(size=(latents, width)))
    order = random.permutation(latents)
    level.kind[:] = "split"  # an ordinary feature; the smallest level has no child statuses
    special = {"hub": 2, "dead": 3, "unseen": 4}
    used = 0
    for kind, count in special.items():
        level.kind[order[used:used + count]] = kind
        used += count
    level.decoder[level.kind == "dead"] = 0
    pairs = latents // 20
    for a, b in order[used:used + 2 * pairs].reshape(-1, 2):
        level.decoder[b] = with_cosines(level.decoder[[a]], np.array([0.7]), level.decoder[b])[0]
        level.pairs.append((int(a), int(b)))
    copies = order[used + 2 * pairs:][:latents // 50]
    rest = order[used + 2 * pairs + len(copies):]
    noise = unit(random.normal(size=(latents, width)))
    level.encoder = np.where(level.decoder.any(axis=1, keepdims=True),
                             unit(level.decoder + difficulty.encoder * noise), 0)
    repeat(level, copies, rest, random)
    return level


def plant_levels(random, difficulty, sizes, width):
    """All levels, smallest first."""
    levels = [plant_roots(random, difficulty, str(sizes[0]), sizes[0], width)]
    childless = None
    for size in sizes[1:]:
        smaller = levels[-2] if len(levels) > 1 else None
        grower = Grower(random, difficulty, levels[-1], smaller, str(size), size)
        levels.append(grower.grow(childless))
        childless = grower.childless
    return levels


def plant_twin(random, difficulty, level):
    """Another seed's dictionary of the same size: `found[i]` is the feature of the level that twin feature i finds
    again, -1 for one of its own."""
    twin = Level(level.name + "-b", level.latents, level.width)
    again = random.random(level.latents) < 0.6
    again |= np.isin(level.kind, list(FOUND_AGAIN))
    again &= ~np.isin(level.kind, list(NEVER_AGAIN | {"copy"}))
    order = random.permutation(level.latents)
    found = np.where(again[order], order, -1)
    own = unit(random.normal(size=(level.latents, level.width)))
    twin.kind[:] = np.where(found >= 0, level.kind[found], "novel")
    for i in np.flatnonzero(found >= 0):
        source = found[i]
        if level.kind[source] == "dead":
            own[i] = 0
        else:
            cosine = 0.3 if level.kind[source] == "novel_firing" else random.uniform(*difficulty.twin)
            own[i] = with_cosines(level.decoder[[source]], np.array([cosine]), own[i])[0]
    twin.decoder = own
    twin.encoder = np.where(own.any(axis=1, keepdims=True), own, 0)
    return twin, found
