#!/usr/bin/env python3
"""codes/*.h5 and neighbours.h5 of plant_codes.py against numpy in float64. usage: check_codes.py FOLDER"""
import pathlib
import sys

import h5py
import numpy as np

NONE = 4294967295
DRAWS = 5000
failures = 0


def check(what, holds):
    global failures
    if not holds:
        failures += 1
        print("differs:", what)


def near(what, found, wanted, tolerance):
    found, wanted = np.asarray(found, "f8"), np.asarray(wanted, "f8")
    check(f"{what} (at most {tolerance})", np.allclose(found, wanted, rtol=0, atol=tolerance, equal_nan=True))


def scores(x, file):
    return (x - file["b_dec"][:]) @ file["w_enc"][:].astype("f8").T + file["b_enc"][:]


def check_rows(name, codes, score, k):
    """Each row's codes are its 2k best positive scores, in order."""
    start, ids, values, active = (codes[n][:] for n in ("row_start", "id", "value", "active"))
    check(f"{name} ends of rows", start[0] == 0 and start[-1] == len(ids))
    count = np.minimum((score > 0).sum(axis=1), 2 * k)
    check(f"{name} codes a row", (np.diff(start) == count).all())
    row = np.repeat(np.arange(len(score)), np.diff(start))
    near(f"{name} values", values, score[row, ids], 1e-4)
    place = np.arange(len(ids)) - start[row]
    check(f"{name} active", (active == (place < k)).all())
    best = -np.sort(-score, axis=1)
    near(f"{name} are the best", values, best[row, place], 1e-4)
    same = values[1:] == values[:-1]
    inner = row[1:] == row[:-1]
    check(f"{name} order", ((values[1:] < values[:-1]) | (same & (ids[1:] > ids[:-1])))[inner].all())
    return row, ids, values, active == 1


def check_features(name, codes, row, ids, values, held_out, token):
    latents = len(codes["firings"])
    order = np.lexsort((row, ids))
    start = np.concatenate([[0], np.cumsum(np.bincount(ids, minlength=latents))])
    check(f"{name} feature_start", (codes["feature_start"][:] == start).all())
    check(f"{name} feature_row", (codes["feature_row"][:] == row[order]).all())
    check(f"{name} feature_value", (codes["feature_value"][:] == values[order]).all())
    for i in range(latents):
        r, v = row[order][start[i]:start[i + 1]], values[order][start[i]:start[i + 1]]
        check(f"{name}/{i} firings", codes["firings"][i] == len(r))
        check(f"{name}/{i} held-out firings", codes["firings_held_out"][i] == held_out[r].sum())
        near(f"{name}/{i} sum", codes["sum"][i], v.sum(dtype="f8"), 1e-9 * (1 + v.sum()))
        near(f"{name}/{i} square", codes["sum_square"][i], (v.astype("f8") ** 2).sum(), 1e-6)
        check(f"{name}/{i} maximum", codes["maximum"][i] == (v.max() if len(v) else 0))
        top = r[np.lexsort((r, -v.astype("f8")))][: codes["top_row"].shape[1]]
        check(f"{name}/{i} top rows", list(codes["top_row"][i][: len(top)]) == list(top)
              and (codes["top_row"][i][len(top):] == -1).all())
        check_intervals(f"{name}/{i}", codes["interval_row"][i], r, v)
        check_label(f"{name}/{i}", codes["label_token"][i], token, r, v)
    with np.errstate(divide="ignore"):
        near(f"{name} density", codes["log10_density"][:], np.log10(np.diff(start) / len(token)), 1e-6)


def check_intervals(what, drawn, r, v):
    if len(v) == 0:
        return check(f"{what} no examples", (drawn == -1).all())
    n, per = drawn.shape
    interval = np.ceil(v.astype("f8") / float(v.max()) * n) - 1
    for i in range(n):
        there = r[interval == n - 1 - i]
        picked = drawn[i][drawn[i] >= 0]
        check(f"{what} interval {i}", len(picked) == min(per, len(there)) == len(set(picked))
              and set(picked) <= set(there))


def check_label(what, label, token, r, v):
    size = token.max() + 1
    weight = np.bincount(token[r], weights=v, minlength=size) / (v.sum() or 1) * len(r)
    expected = np.bincount(token, minlength=size) / len(token) * len(r)
    score = (weight - expected) / np.sqrt(expected + 1)
    wanted = sorted((score[score > 1e-9]).tolist(), reverse=True)[:5]
    near(f"{what} label", [score[t] for t in label if t != NONE], wanted, 1e-6)


def check_codes(folder, name, x, mean, held_out, token):
    with h5py.File(folder / "dictionaries" / f"{name}.h5") as file, \
            h5py.File(folder / "codes" / f"{name}.h5") as codes:
        k = file.attrs["k"]
        row, ids, values, active = check_rows(name, codes, scores(x, file), k)
        row, ids, values = row[active], ids[active], values[active]
        check_features(name, codes, row, ids, values, held_out, token)
        guess = np.tile(file["b_dec"][:].astype("f8"), (len(x), 1))
        np.add.at(guess, row, values[:, None].astype("f8") * file["w_dec"][:][ids])
        h = held_out[: len(x)]
        explained = 1 - ((x - guess)[h] ** 2).sum() / ((x - mean)[h] ** 2).sum()
        near(f"{name} explained variance", codes.attrs["explained_variance"], explained, 1e-5)
        near(f"{name} L0", codes.attrs["l0"], len(row) / len(x), 1e-9)
        spectrum = np.linalg.eigvalsh((x - mean)[h].T @ (x - mean)[h])[::-1]
        pca = codes.attrs["pca_explained_variance"]
        best = spectrum[: round(len(row) / len(x))].sum() / spectrum.sum()
        near(f"{name} PCA", float(pca if isinstance(pca, str) else pca.decode()), best, 1e-4)
        dead = ~file["w_dec"][:].any(axis=1)
        unseen = ~dead & (codes["firings"][:] == 0)
        alive = ~dead & ~unseen
        near(f"{name} dead", codes.attrs["dead_share"], dead.mean(), 1e-9)
        near(f"{name} unseen", codes.attrs["unseen_share"], unseen.mean(), 1e-9)
        near(f"{name} share_30", codes.attrs["share_30"],
             (codes["firings"][:][alive] >= 30).mean(), 1e-9)
        return np.where(dead, 0, np.where(unseen, 1, 2))


def unit(rows):
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norm > 0, norm, 1)


def check_lists(what, ids, cosines, whole, takes_part):
    """Each row's list is its best columns, descending; rows and columns that are dead take no part."""
    most = ids.shape[1]
    whole = np.where(takes_part, whole, -9)
    best = -np.sort(-whole, axis=1)[:, :most]
    best = np.pad(best, ((0, 0), (0, most - best.shape[1])), constant_values=-9)
    best = np.where(best < -2, np.nan, best)
    near(what, cosines, best, 1e-6)
    check(f"{what} none", ((ids == NONE) == np.isnan(best)).all())
    row, column = np.nonzero(ids != NONE)
    near(f"{what} of ids", whole[row, ids[row, column]], cosines[row, column], 1e-6)
    tie = (cosines[:, 1:] == cosines[:, :-1]) & (ids[:, 1:] != NONE)
    check(f"{what} ties", (ids[:, 1:] > ids[:, :-1])[tie].all())


def check_scores(what, ids, found, whole):
    safe = np.where(ids == NONE, 0, ids)
    wanted = np.where(ids == NONE, np.nan, np.take_along_axis(whole, safe.astype("i8"), axis=1))
    near(what, found, wanted, 1e-5)


def check_pair(what, group, child, parent, state, most):
    c, p = child["unit"], parent["unit"]
    part = (state[0] != 0)[:, None] & (state[1] != 0)[None, :]
    cosine = c @ p.T
    check_lists(f"{what} parents", group["parent_id"][:], group["cosine"][:], cosine, part)
    check_lists(f"{what} children", group["child_id"][:], group["child_cosine"][:], cosine.T, part.T)
    ids = group["parent_id"][:]
    check_scores(f"{what} centred", ids, group["cosine_centred"][:], child["centred"] @ parent["centred"].T)
    check_scores(f"{what} encoder", ids, group["encoder_cosine"][:], child["enc"] @ parent["enc"].T)
    best = group["cosine"][:, 0][(state[0] == 2) & (ids[:, 0] != NONE)]
    check(f"{what} median", group.attrs["median_best"] == np.median(best.astype("f8")))
    bins = np.clip(np.floor(best.astype("f8") * 100), 0, 99)
    check(f"{what} histogram", (group["best_histogram"][:] == np.bincount(bins.astype("i8"), minlength=100)).all())
    for cut in (40, 50, 70):
        near(f"{what} share", group.attrs[f"share_{cut}"], (best >= cut / 100).mean(), 1e-12)
    dimension = round(min(child["dimension"], parent["dimension"]))
    check(f"{what} dimension of the null", group.attrs["null_dimension"] == dimension)
    grid = np.linspace(-1, 1, 400001)
    density = (1 - grid ** 2) ** ((dimension - 3) / 2)
    below = np.cumsum(density) / density.sum()
    near(f"{what} isotropic median", group.attrs["isotropic_median"],
         grid[np.searchsorted(below ** (state[1] != 0).sum(), 0.5)], 5e-5)
    check_null(what, group, best)
    check_all(what, group, cosine, state)
    check_span(what, group, c, p)
    centred = group["cosine_centred"][:][state[0] == 2]
    differs = (np.nan_to_num(centred[:, 1:], nan=-9) > np.nan_to_num(centred[:, :1], nan=9)).any(axis=1)
    check(f"{what} centred best differ", group.attrs["centred_differs"] == differs.sum())
    check(f"{what} certified", group.attrs["certified"] == len(c))


def check_null(what, group, best):
    """Ordered quantiles with intervals; `undertrained` relative to the simulated median."""
    for kind in ("null_", "r2_null_"):
        low, value, high = (group.attrs[f"{kind}median{end}"] for end in ("_low", "", "_high"))
        check(f"{what} {kind}median", -1 <= low <= value <= high <= 1 and high - low < 0.1)
        low_999, top, high_999 = (group.attrs[f"{kind}999{end}"] for end in ("_low", "", "_high"))
        check(f"{what} {kind}999", value <= low_999 <= top <= high_999 <= 1)
    histogram = group["null_histogram"][:]
    check(f"{what} null draws", histogram.sum() == group.attrs["null_draws"] == DRAWS)
    middle = np.searchsorted(np.cumsum(histogram), DRAWS / 2) / 100
    near(f"{what} null histogram", group.attrs["null_median"], max(middle, 0) + 0.005, 0.0101)
    low = np.median(best) - group.attrs["null_median"] < 0.04
    check(f"{what} warning", group.attrs["warning"] == (b"undertrained" if low else b""))


def check_all(what, group, cosine, state):
    """The sample's distribution is that of all pairs, up to chance."""
    histogram = group["all_histogram"][:]
    pairs = cosine[state[0] != 0][:, state[1] != 0].ravel()
    share = (state[1] != 0).mean() * (state[0] != 0).sum() * 64
    near(f"{what} pairs of the sample", group.attrs["sampled_pairs"] / share, 1, 0.02)
    check(f"{what} histogram of the sample", histogram.sum() == group.attrs["sampled_pairs"])
    whole = np.histogram(pairs, bins=200, range=(-1, 1))[0]
    near(f"{what} distribution of all cosines", np.cumsum(histogram) / histogram.sum(),
         np.cumsum(whole) / len(pairs), 0.03)


def check_span(what, group, child, parent):
    """R2 is what the stored parents and weights rebuild, and no less than the best parent alone gives."""
    ids, weight, r2 = group["span_parent"][:], group["span_weight"][:].astype("f8"), group["span_r2"][:]
    first = group["cosine"][:, 0].astype("f8")
    check(f"{what} span of none", (np.isnan(r2) == np.isnan(first)).all())
    check(f"{what} span weights", ((weight > 0) == (ids != NONE)).all() and (np.diff(weight, axis=1) <= 0).all())
    safe = np.where(ids == NONE, 0, ids).astype("i8")
    rebuilt = (weight[:, :, None] * parent[safe]).sum(axis=1)
    near(f"{what} span fit", r2[~np.isnan(r2)], (1 - ((child - rebuilt) ** 2).sum(axis=1))[~np.isnan(r2)], 1e-5)
    check(f"{what} span gains", (r2 >= np.maximum(first, 0) ** 2 - 1e-5)[~np.isnan(r2)].all())
    both = (ids[:, 1] != NONE) & ~np.isnan(r2)
    near(f"{what} span mutual", group["span_mutual"][:][both],
         (parent[safe[:, 0]] * parent[safe[:, 1]]).sum(axis=1)[both], 1e-5)
    check(f"{what} span of one", np.isnan(group["span_mutual"][:][~both]).all())


def check_spectrum(what, text, rows, alive):
    values = np.sort(np.linalg.eigvalsh(np.cov(rows[alive].T, ddof=0)))[::-1]
    found = dict(item.split(":") for item in text.split(" "))
    check(f"{what} ranks of the spectrum", len(found) <= 128 and {"1", str(len(values))} <= set(found))
    near(f"{what} spectrum", [float(value) for value in found.values()],
         [values[int(rank) - 1] for rank in found], 1e-6)


def geometry(folder, name, state):
    with h5py.File(folder / "dictionaries" / f"{name}.h5") as file:
        rows = unit(file["w_dec"][:].astype("f8"))
        mean = rows[state == 2].mean(axis=0)
        spread = np.cov(rows[state == 2].T)
        return {"unit": rows, "centred": unit(rows - mean), "enc": unit(file["w_enc"][:].astype("f8")),
                "dimension": np.trace(spread) ** 2 / (spread ** 2).sum()}


def check_neighbours(folder, states):
    shapes = {name: geometry(folder, name, state) for name, state in states.items()}
    with h5py.File(folder / "neighbours.h5") as file:
        for name, state in states.items():
            group = file["dictionary"][name]
            check(f"{name} state", (group["state"][:] == state).all())
            near(f"{name} dimension", group.attrs["effective_dimension"] / shapes[name]["dimension"], 1, 1e-4)
            check_spectrum(name, group.attrs["spectrum"].decode(), shapes[name]["unit"], state == 2)
            part = (state != 0)[:, None] & (state != 0)[None, :] & ~np.eye(len(state), dtype=bool)
            rows = shapes[name]["unit"]
            own = file["self"][name]
            check_lists(f"{name} own", own["id"][:], own["cosine"][:], rows @ rows.T, part)
        pairs = [(c, p) for c in file["pair"] for p in file["pair"][c]]
        wanted = [("20", "6"), ("300", "20"), ("300", "6"), ("300", "64"), ("64", "20"), ("64", "6"),
                  ("64-b", "20"), ("64-b", "6"), ("64-b", "64")]
        check("pairs", sorted(pairs) == wanted)
        for c, p in pairs:
            check_pair(f"{c} -> {p}", file["pair"][c][p], shapes[c], shapes[p], (states[c], states[p]), 12)


def main():
    folder = pathlib.Path(sys.argv[1])
    with h5py.File(folder / "activations.h5") as file:
        x = file["activation"][:].astype("f4").astype("f8") * file.attrs["scale"]
        mean = file["mean"][:] * file.attrs["scale"]
        held_out = file["document_held_out"][:][file["document"][:]] == 1
        token = file["token"][:]
    names = ("6", "20", "64", "300", "64-b")
    if len(sys.argv) > 2:  # without codes: dead is zero norm alone
        states = {}
        for name in names:
            with h5py.File(folder / "dictionaries" / f"{name}.h5") as file:
                states[name] = np.where(file["w_dec"][:].any(axis=1), 2, 0)
    else:
        states = {name: check_codes(folder, name, x, mean, held_out, token) for name in names}
    check_neighbours(folder, states)
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
