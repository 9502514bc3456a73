"""The rules of splitting.md, section 7, by brute force in numpy: a second oracle for cleave-families, which it shares
no code with. Reads a folder of planted_truth.py (dictionaries, codes, documents), never what was planted."""
import csv
import itertools

import numpy as np

import planted_files

LINK, STRONG, R2_CUT, MARGIN, P_MIN, LIFT_MIN, DUPLICATE = 0.40, 0.70, 0.30, 0.05, 0.5, 3.0, 0.98
STORED, SPAN, SUGGESTED, FIRINGS, DOCUMENTS, DRAWS = 32, 4, 8, 30, 10, 20000
YES, NO, OPEN = "yes", "no", "open"


class Dictionary:
    def __init__(self, name, weights, codes, rows):
        tensors = {key.lower(): value for key, value in weights.items()}
        self.name, self.latents = name, len(tensors["w_dec"])
        norms = np.linalg.norm(tensors["w_dec"].astype(float), axis=1)
        self.is_dead = norms == 0
        self.decoder = tensors["w_dec"] / np.where(self.is_dead, 1, norms)[:, None]
        encoder = tensors["w_enc"].T.astype(float)
        lengths = np.linalg.norm(encoder, axis=1)
        self.encoder = encoder / np.where(lengths == 0, 1, lengths)[:, None]
        self.start, self.id, value = codes
        self.value = value * norms[self.id]
        self.row = np.repeat(np.arange(rows), np.diff(self.start))
        self.fired = np.bincount(self.id, minlength=self.latents)
        self.is_unseen = ~self.is_dead & (self.fired == 0)
        self.stands_for = np.arange(self.latents)

    def collapse(self, shared=None):
        """Near duplicates. `shared`: which pairs may be compared; None: all."""
        cosines = self.decoder @ self.decoder.T
        np.fill_diagonal(cosines, -1)
        near = (cosines >= DUPLICATE) if shared is None else (cosines >= DUPLICATE) & shared(np.nonzero(
            cosines >= DUPLICATE), self.latents)
        for i in range(self.latents):
            lower = [j for j in np.flatnonzero(near[i, :i]) if self.stands_for[j] == j]
            if lower:
                self.stands_for[i] = max(lower, key=lambda j: (cosines[i, j], -j))


def per_document(dictionary, documents):
    """Of each document: the features that fire, and where, as a dense matrix [rows, features]."""
    document = documents[dictionary.row]
    bounds = np.searchsorted(document, np.arange(documents[-1] + 2))
    first_row = np.searchsorted(documents, np.arange(documents[-1] + 2))
    for d in range(documents[-1] + 1):
        part = slice(bounds[d], bounds[d + 1])
        features, at = np.unique(dictionary.id[part], return_inverse=True)
        dense = np.zeros((first_row[d + 1] - first_row[d], len(features)), np.float32)
        values = np.zeros_like(dense)
        dense[dictionary.row[part] - first_row[d], at] = 1
        values[dictionary.row[part] - first_row[d], at] = dictionary.value[part]
        yield features, dense, values


class Counts:
    """Firings of both over all pairs of two dictionaries, with what the document-wise intervals need."""

    def __init__(self, child, parent, documents, with_values=False):
        shape = (child.latents, parent.latents)
        self.both, self.square, self.cross = (np.zeros(shape, np.float32) for _ in range(3))
        self.product = np.zeros(shape, np.float32) if with_values else None
        self.fired, self.fired_square, self.documents = (np.zeros(child.latents) for _ in range(3))
        self.parent_fired, self.rows = parent.fired, len(documents)
        for (c, x, f), (p, y, g) in zip(per_document(child, documents), per_document(parent, documents)):
            both, n, at = x.T @ y, x.sum(axis=0), np.ix_(c, p)
            self.both[at] += both
            self.square[at] += both * both
            self.cross[at] += both * n[:, None]
            self.fired[c] += n
            self.fired_square[c] += n * n
            self.documents[c] += 1
            if with_values:
                self.product[at] += f.T @ g

    def share(self, c, p):
        """P(p | c), its interval, lift; None with too little evidence."""
        n, d = self.fired[c], self.documents[c]
        if n < FIRINGS or d < DOCUMENTS:
            return None
        x = float(self.both[c, p])
        share = x / n
        variance = d / (d - 1) * (float(self.square[c, p]) - 2 * share * float(self.cross[c, p]) +
                                  share * share * self.fired_square[c]) / n ** 2
        if share in (0.0, 1.0):
            trials = d
        else:
            trials = min(n, share * (1 - share) / variance) if variance > 0 else n
        low, high = wilson(share, trials)
        lift = share * self.rows / self.parent_fired[p] if self.parent_fired[p] > 0 else 0.0
        return share, low, high, lift

    def evidence(self, c, p):
        share = self.share(c, p)
        if share is None:
            return OPEN
        _, low, high, lift = share
        if low >= P_MIN and lift >= LIFT_MIN:
            return YES
        return NO if high < P_MIN or lift < LIFT_MIN else OPEN

    def suggested(self, c):
        """The parents of highest P(p | c) with enough lift."""
        if self.fired[c] == 0:
            return []
        share = self.both[c] / self.fired[c]
        lift = share * self.rows / np.maximum(self.parent_fired, 1)
        order = np.lexsort((np.arange(len(share)), -share))
        return [int(p) for p in order[:200] if share[p] > 0 and lift[p] >= LIFT_MIN][:SUGGESTED]


def wilson(share, trials, z=1.959963984540054):
    middle = share + z * z / (2 * trials)
    spread = z * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    return (middle - spread) / (1 + z * z / trials), (middle + spread) / (1 + z * z / trials)


def fit(dots, gram):
    """Least squares with weights >= 0 of a few parents, by trying all subsets."""
    best = (0.0, np.zeros(len(dots)))
    for size in range(1, len(dots) + 1):
        for subset in itertools.combinations(range(len(dots)), size):
            subset = list(subset)
            found = np.linalg.solve(gram[np.ix_(subset, subset)], dots[subset])
            if (found >= 0).all() and found @ dots[subset] > best[0]:
                weights = np.zeros(len(dots))
                weights[subset] = found
                best = (found @ dots[subset], weights)
    return best


def span_fit(direction, candidates, rows):
    """R2, and [(weight, parent)] by descending weight."""
    chosen, weights, r2 = [], np.zeros(0), 0.0
    for _ in range(SPAN):
        residual = direction - weights @ rows[chosen] if chosen else direction
        dots = rows[candidates] @ residual
        dots[[i for i, p in enumerate(candidates) if p in chosen]] = -1
        if dots.max() <= 0:
            break
        chosen.append(candidates[int(dots.argmax())])
        gram, onto = rows[chosen] @ rows[chosen].T, rows[chosen] @ direction
        weights = np.linalg.solve(gram, onto)
        r2 = weights @ onto
        if (weights < 0).any():
            r2, weights = fit(onto, gram)
    return r2, sorted(((w, p) for w, p in zip(weights, chosen) if w > 0), reverse=True)


def best_of(cosines, count):
    """Ids of the largest, best first, ties to the lower id."""
    count = min(count, len(cosines))
    part = np.argpartition(-cosines, count - 1)[:count]
    return [int(i) for i in part[np.lexsort((part, -cosines[part]))]]


def null(random, child, parent):
    """99.9 % of the best cosine and of R2 of children of the same covariance."""
    alive = np.flatnonzero(~child.is_dead & ~child.is_unseen)
    parents = np.flatnonzero(~parent.is_dead)
    mean = child.decoder[alive].mean(axis=0)
    rows, best, r2 = parent.decoder[parents], [], []
    for i in range(DRAWS):
        picks = child.decoder[alive[random.integers(0, len(alive), 32)]] - mean
        draw = mean + random.choice([-1.0, 1.0], 32) @ picks / np.sqrt(32)
        draw /= np.linalg.norm(draw)
        cosines = rows @ draw
        best.append(cosines.max())
        if i < DRAWS // 4:
            r2.append(span_fit(draw, best_of(cosines, STORED), rows)[0])
    return np.median(best), np.quantile(best, 0.999), np.median(r2), np.quantile(r2, 0.999)


class Pair:
    """Candidates and evidence of a child and a parent dictionary."""

    def __init__(self, random, child, parent, documents):
        self.child, self.parent = child, parent
        self.cosines = child.decoder @ parent.decoder.T
        self.cosines[:, parent.is_dead] = -2
        self.counts = Counts(child, parent, documents)
        median, null_999, r2_median, r2_999 = null(random, child, parent)
        self.link = max(LINK, np.ceil(null_999 * 1000) / 1000)
        self.r2_cut = max(R2_CUT, r2_999)
        print(f"{child.name} -> {parent.name}: null median {median:.3f}, 99.9 % {null_999:.3f}, link {self.link:.3f}, "
              f"R2 null {r2_median:.3f} / {r2_999:.3f}, cut {self.r2_cut:.3f}")
        columns = np.where(child.is_dead[:, None], -2, self.cosines)
        self.best_child = child.stands_for[columns.argmax(axis=0)]

    def candidates(self, c):
        """[(cosine, parent)], duplicates as what stands for them."""
        found = {}
        for p in best_of(self.cosines[c], STORED):
            if self.cosines[c, p] > -2:
                stands = int(self.parent.stands_for[p])
                found[stands] = max(found.get(stands, -2), self.cosines[c, p])
        return sorted(((s, p) for p, s in found.items()), key=lambda entry: (-entry[0], entry[1]))

    def encoder(self, c, p):
        return self.child.encoder[c] @ self.parent.encoder[p]


class Twin:
    """Is there a like feature in the other seed's dictionary?"""

    def __init__(self, level, twin, documents):
        self.level, self.twin = level, twin
        self.cosines = level.decoder @ twin.decoder.T
        self.counts = Counts(level, twin, documents, with_values=True)
        self.level_sums, self.twin_sums = ((np.bincount(d.id, d.value, d.latents),
                                            np.bincount(d.id, d.value ** 2, d.latents)) for d in (level, twin))

    def has_like(self, c):
        stored = best_of(self.cosines[c], STORED)
        if self.cosines[c, stored[0]] >= STRONG:
            return True
        rows = self.counts.rows
        for t in stored + self.counts.suggested(c):
            a, a2, b, b2 = self.level_sums[0][c], self.level_sums[1][c], self.twin_sums[0][t], self.twin_sums[1][t]
            spread = np.sqrt(max(0.0, a2 - a * a / rows) * max(0.0, b2 - b * b / rows))
            if spread > 0 and (self.counts.product[c, t] - a * b / rows) / spread >= 0.7:
                return True
        return False


def composed(pair, c, parents, wanted):
    """Two heavy parents that point elsewhere, with this evidence for each."""
    heavy = [p for weight, p in parents if weight >= 0.3]
    for p, q in itertools.combinations(heavy, 2):
        if pair.parent.decoder[p] @ pair.parent.decoder[q] < 0.5:
            verdicts = {pair.counts.evidence(c, p), pair.counts.evidence(c, q)}
            if verdicts == {YES} if wanted == YES else NO not in verdicts and OPEN in verdicts:
                return True
    return False


def first_look(pair, c):
    """(status or None, pi, cosine of pi, near ties without one choice); status: kept, kept? or None."""
    candidates = pair.candidates(c)
    s1, p1 = candidates[0]
    near = [p for s, p in candidates if s >= pair.link and s1 - s < MARGIN]
    convinced = [p for p in near if pair.counts.evidence(c, p) == YES]
    pi = convinced[0] if len(near) > 1 and len(convinced) == 1 else p1
    cosine = dict((p, s) for s, p in candidates)[pi]
    verdict = pair.counts.evidence(c, pi)
    status = None
    if (pair.best_child[p1] == c and pi == p1 and s1 >= max(pair.link, STRONG) and
            pair.encoder(c, pi) >= 0.7 and verdict != NO):
        status = "kept" if verdict == YES else "kept?"
    return status, pi, cosine, len(near) > 1 and len(convinced) != 1


def above_link(pair, within, c, pi, cosine, is_tied, kept_of):
    verdict = pair.counts.evidence(c, pi)
    if verdict == YES and pi in kept_of:
        share = within.share(c, kept_of[pi])
        if share is not None and share[2] <= 0.15 and pair.child.encoder[c] @ pair.child.encoder[kept_of[pi]] < 0.2:
            return "absorbed"
    candidates = pair.candidates(c)
    r2, parents = span_fit(pair.child.decoder[c], [p for _, p in candidates], pair.parent.decoder)
    adds = r2 >= pair.r2_cut and r2 - candidates[0][0] ** 2 >= 0.2
    if adds and composed(pair, c, parents, YES):
        return "composed"
    if is_tied:
        return "ambiguous"
    if verdict == YES:
        return "split"
    if verdict == OPEN and cosine >= STRONG and pair.encoder(c, pi) > 0.3:
        return "split?"
    if adds and composed(pair, c, parents, OPEN):
        return "composed?"
    return "related?" if verdict == OPEN else "related"


def below_link(pair, twin, c):
    """Status and whether it is `unreplicated`."""
    candidates = [p for _, p in pair.candidates(c)]
    r2, parents = span_fit(pair.child.decoder[c], candidates, pair.parent.decoder)
    if r2 >= pair.r2_cut:
        for wanted, name in ((YES, "composed"), (OPEN, "composed?")):
            if composed(pair, c, parents, wanted):
                return name, False
    suggested = pair.counts.suggested(c)
    shares = [(p, pair.counts.share(c, p)) for p in candidates + suggested]
    if any(s is not None and s[1] >= 0.25 and s[3] >= LIFT_MIN for _, s in shares):
        return "related", False
    if pair.counts.fired[c] < FIRINGS or r2 >= pair.r2_cut:
        return "unmatched", False
    if any(s is None or (s[2] >= 0.25 and s[3] >= LIFT_MIN) for p, s in shares if p in suggested):
        return "unmatched", False
    if twin is None:
        return "unmatched", False
    return ("novel", False) if twin.has_like(c) else ("unmatched", True)


def judge_pair(pair, within, twin):
    """Status, pi and flags of every child."""
    child = pair.child
    status, parent, flags = [""] * child.latents, [-1] * child.latents, [set() for _ in range(child.latents)]
    alive = [c for c in range(child.latents) if not child.is_dead[c] and not child.is_unseen[c] and
             child.stands_for[c] == c]
    looks = {c: first_look(pair, c) for c in alive}
    kept_of = {looks[c][1]: c for c in alive if looks[c][0] == "kept"}
    for c in range(child.latents):
        if child.is_dead[c] or child.is_unseen[c]:
            status[c] = "dead" if child.is_dead[c] else "unseen"
            parent[c] = -1 if child.is_dead[c] else pair.candidates(c)[0][1]
    for c in alive:
        status[c], parent[c], cosine, is_tied = looks[c]
        if status[c] is None and pair.candidates(c)[0][0] >= pair.link:
            status[c] = above_link(pair, within, c, parent[c], cosine, is_tied, kept_of)
        elif status[c] is None:
            status[c], is_flagged = below_link(pair, twin, c)
            flags[c] |= {"unreplicated"} if is_flagged else set()
    return status, parent, flags


def read_folder(folder):
    """Dictionaries in the order of run.yaml, and documents."""
    documents = np.load(folder / "documents.npy")
    documents = np.unique(documents, return_inverse=True)[1]
    found = {}
    for codes in folder.glob("*.npz"):
        name = codes.stem
        path = folder / f"sae_{name}" / "sae_weights.safetensors"
        if not path.exists():
            path = folder / "resid_post" / f"layer_12_width_{name}_l0_small" / "params.safetensors"
        found[name] = Dictionary(name, planted_files.read_safetensors(path), planted_files.read_codes(codes),
                                 len(documents))
    levels = sorted((d for d in found.values() if not d.name.endswith("-b")), key=lambda d: d.latents)
    twins = {d.name[:-2]: d for d in found.values() if d.name.endswith("-b")}
    return levels, twins, documents


def sharing(pairs, latents, best):
    """Only features that share one of their four best parents may be duplicates in the largest dictionary."""
    allowed = np.zeros((latents, latents), bool)
    for i, j in zip(*pairs):
        allowed[i, j] = len(set(best[i]) & set(best[j])) > 0
    return allowed


def parent_statuses(level, above, status, parent, has_edge):
    """Relative to the next larger level, from representatives alone."""
    kept, split = np.zeros((2, level.latents), int)
    for c in range(above.latents):
        if above.stands_for[c] == c:
            kept[parent[c]] += status[c] in ("kept", "kept?")
            split[parent[c]] += status[c] in ("split", "split?")
    names = []
    for i in range(level.latents):
        p = level.stands_for[i]
        names.append("dead" if level.is_dead[p] else "unseen" if level.is_unseen[p] else
                     ("split+persists" if split[p] else "persists") if kept[p] else
                     ("split_k" if split[p] > 1 else "refined") if split[p] else
                     "linked" if has_edge[p] else "lost")
    return names


def near_parents(child, parent, count):
    """The best few parents of each child, duplicates as what stands for them; [] for dead ones."""
    cosines = child.decoder @ parent.decoder.T
    cosines[:, parent.is_dead] = -2
    found = []
    for c in range(child.latents):
        ids = [] if child.is_dead[c] else [int(parent.stands_for[p]) for p in best_of(cosines[c], STORED)]
        found.append(list(dict.fromkeys(ids))[:count])
    return found


def inconsistent(level, middle, small):
    """Children whose best parent two levels down is none of the best parents of their best five in between."""
    direct, chain, above = near_parents(level, small, 1), near_parents(level, middle, 5), near_parents(middle, small, 1)
    return [c for c in range(level.latents)
            if direct[c] and direct[c][0] not in [above[m][0] for m in chain[c] if above[m]]]


def write(folder, path):
    """reference.csv, with the columns of features.csv that the rules decide."""
    random = np.random.default_rng(99)
    levels, twins, documents = read_folder(folder)
    for level in levels[:-1]:
        level.collapse()
    cosines = levels[-1].decoder @ levels[-2].decoder.T
    best = np.argsort(-cosines, axis=1, kind="stable")[:, :4]
    levels[-1].collapse(lambda pairs, latents: sharing(pairs, latents, best))
    lines, roots, statuses, edges = [], None, [], {}
    for index, level in enumerate(levels):
        status, parent = [""] * level.latents, [-1] * level.latents
        flags = [set() for _ in range(level.latents)]
        if index > 0:
            pair = Pair(random, level, levels[index - 1], documents)
            twin = Twin(level, twins[level.name], documents) if level.name in twins else None
            status, parent, flags = judge_pair(pair, Counts(level, level, documents), twin)
        for smaller in range(index):
            near = level.decoder @ levels[smaller].decoder.T >= (pair.link if smaller == index - 1 else LINK)
            near[level.is_dead | (level.stands_for != np.arange(level.latents))] = False
            edges[index, smaller] = near
        below, roots = roots, [None] * level.latents
        for i in range(level.latents):
            source = int(level.stands_for[i])
            status[i], parent[i] = status[source], parent[source]
            if source != i:
                flags[i] = flags[source] | {"duplicate"}
            in_forest = status[i].rstrip("?") in ("kept", "split", "absorbed")
            roots[i] = ("", "") if level.is_dead[i] else below[parent[i]] if in_forest else (level.name, source)
            if level.fired[source] > 0.1 * len(documents):
                flags[i].add("dense")
            if index > 1 and not edges[index, index - 1][source].any() and edges[index, index - 2][source].any():
                flags[i].add("skip")
            if index > 0 and status[source] == "absorbed" and source == i:
                for copy in np.flatnonzero(levels[index - 1].stands_for == parent[i]):
                    statuses[-1][2][copy].add("holes")
        if index > 1:
            for c in inconsistent(level, levels[index - 1], levels[index - 2]):
                flags[c].add("low_tc")
        statuses.append((status, parent, flags, roots))
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["dictionary", "feature", "child_status", "parent_status", "parent", "root_dictionary",
                         "root", "flags"])
        for index, (status, parent, flags, roots) in enumerate(statuses):
            above = [""] * levels[index].latents
            if index + 1 < len(levels):
                larger = range(index + 1, len(levels))
                has_edge = np.any([edges[one, index].any(axis=0) for one in larger], axis=0)
                above = parent_statuses(levels[index], levels[index + 1], *statuses[index + 1][:2], has_edge)
            for i in range(levels[index].latents):
                writer.writerow([levels[index].name, i, status[i], above[i], parent[i] if parent[i] >= 0 else "",
                                 *roots[i], " ".join(sorted(flags[i]))])
