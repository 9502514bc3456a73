#!/usr/bin/env python3
"""families.h5 and the tables of the planted run against the truth and against numpy. usage: check_families.py FOLDER"""
import json
import pathlib
import sys

import h5py
import numpy as np
import pandas as pd

NAMES = ["small", "middle", "large"]
PAIRS = [("middle", "small"), ("large", "small"), ("large", "middle"), ("middle-b", "middle"), ("middle-b", "small")]
FOREST = ["kept", "kept?", "split", "split?", "absorbed"]
folder = pathlib.Path(sys.argv[1])
families = h5py.File(folder / "families.h5")
codes = {name: h5py.File(folder / f"codes/{name}.h5") for name in NAMES + ["middle-b"]}
activations = h5py.File(folder / "activations.h5")


def words(key):
    """A text attribute of families.h5: h5py gives bytes or str, as the file's string type has it."""
    text = families.attrs[key]
    return (text.decode() if isinstance(text, bytes) else text).split()


statuses = np.array(words("child_statuses"))


def check(fact, holds):
    if not holds:
        sys.exit(f"families: not true: {fact}")


def fires(name, latents, wide=False):
    """Boolean matrix [rows, latents]."""
    start = codes[name]["row_start"][:]
    matrix = np.zeros((len(start) - 1, latents), bool)
    row = np.repeat(np.arange(len(start) - 1), np.diff(start))
    chosen = slice(None) if wide else codes[name]["active"][:] > 0
    matrix[row[chosen], codes[name]["id"][:][chosen]] = True
    return matrix


def close(a, b, tolerance=1e-5):
    return np.allclose(a, b, rtol=tolerance, atol=1e-6, equal_nan=True)


def check_evidence(child, parent, on, wide):
    """P, lift, documents of every child with its parent, by matrices."""
    pair = families[f"pair/{child}/{parent}"]
    document = activations["document"][:]
    chosen, rows = pair["parent"][:], len(document)
    known = np.flatnonzero(chosen != 4294967295)
    c, p, w = on[child][:, known], on[parent][:, chosen[known]], wide[parent][:, chosen[known]]
    n, both = c.sum(0), (c & p).sum(0)
    documents = np.array([len(np.unique(document[c[:, i]])) for i in range(len(known))])
    enough = (n >= 30) & (documents >= 10)
    with np.errstate(all="ignore"):
        share = np.where(enough, both / n, np.nan)
        lift = np.where(enough, np.where(p.sum(0) > 0, share * rows / p.sum(0), 0), np.nan)
        p_wide = np.where(enough, (c & w).sum(0) / n, np.nan)
    check(f"{child}/{parent}: common firings", (pair["both"][:][known] == both).all())
    check(f"{child}/{parent}: documents", (pair["documents"][:][known] == documents).all())
    check(f"{child}/{parent}: P", close(pair["p"][:][known], share))
    check(f"{child}/{parent}: P among 2k", close(pair["p_wide"][:][known], p_wide))
    check(f"{child}/{parent}: lift", close(pair["lift"][:][known], lift))
    with np.errstate(all="ignore"):
        jaccard = np.where(enough & (p.sum(0) > 0), both / (n + p.sum(0) - both), np.nan)
    check(f"{child}/{parent}: overlap", close(pair["jaccard"][:][known], jaccard))
    low, high = pair["p_low"][:][known], pair["p_high"][:][known]
    check("intervals hold P", ((low <= share + 1e-6) & (share <= high + 1e-6))[enough].all())
    for i, name in enumerate(statuses):
        if i > 0:
            check(f"count_{name}", pair.attrs[f"count_{name}"] == (pair["status"][:] == i).sum())


def check_truth(features):
    """planted.c knows nothing of novel features: check_novel() does."""
    truth = pd.read_csv(folder / "truth.csv")
    both = features.merge(truth, on=["dictionary", "feature"], suffixes=("", "_true"))
    both["child_status"] = both.child_status.replace("novel", "unmatched")
    check("98 % of the planted statuses", (both.child_status == both.child_status_true).mean() >= 0.98)
    tree = both[both.child_status_true.isin(FOREST) & (both.child_status == both.child_status_true)]
    check("parents of the planted trees", (tree.parent == tree.parent_true).all())


def activations_of(name):
    """Dense activations [rows, latents] of the active entries."""
    start, active = codes[name]["row_start"][:], codes[name]["active"][:] > 0
    row = np.repeat(np.arange(len(start) - 1), np.diff(start))
    dense = np.zeros((len(start) - 1, len(codes[name]["firings"])), np.float32)
    dense[row[active], codes[name]["id"][:][active]] = codes[name]["value"][:][active]
    return dense


def check_novel(features):
    """Novel or unreplicated: is there a like feature in the twin, by cosine or by correlation?"""
    rows = {name: h5py.File(folder / f"dictionaries/{name}.h5")["w_dec"][:] for name in ("middle", "middle-b")}
    cosine = (rows["middle"] @ rows["middle-b"].T).max(1)
    a, b = activations_of("middle").astype(float), activations_of("middle-b").astype(float)
    with np.errstate(all="ignore"):
        a, b = ((x - x.mean(0)) / x.std(0) / np.sqrt(len(x)) for x in (a, b))
    correlation = np.nan_to_num(a.T @ b).max(1)
    part = features[features.dictionary == "middle"]
    novel = (part.child_status == "novel").values
    lone = part["flags"].fillna("").str.contains("unreplicated").values
    like = (cosine >= 0.7) | (correlation >= 0.7)
    check("there are novel features", novel.sum() > 20 and lone.sum() > 5)
    check("novel features are in the twin", like[novel].all())
    check("unreplicated ones are not", not like[lone].any())
    check("only unmatched ones are", (part.child_status[lone] == "unmatched").all())
    check("without a twin nothing is novel", (features[features.dictionary == "large"].child_status != "novel").all())


def check_sweep():
    """Counts at all thresholds against columns and against each other."""
    threshold = families["sweep/threshold"][:]
    check("thresholds", np.allclose(threshold, np.arange(40, 81) / 100))
    for child, parent in PAIRS:
        pair, near = families[f"pair/{child}/{parent}"], h5py.File(folder / "neighbours.h5")
        alive = near[f"dictionary/{child}/state"][:] > 0
        best, second = pair["best_cosine"][:].astype(float), pair["second_cosine"][:].astype(float)
        linked = [(best[alive] >= t).sum() for t in threshold]
        merged = [(second[alive] >= t).sum() for t in threshold]
        check("linked", (pair["sweep_linked"][:] == linked).all())
        check("merged", (pair["sweep_merged"][:] == merged).all())
        status = pair["sweep_status"][:]
        check("every child has a status at every threshold", (status.sum(1) == len(best)).all())
        check("the link in force is 0.4", pair.attrs["link"] == 0.4)
        counts = np.bincount(pair["status"][:], minlength=len(statuses))
        check("the first step is the threshold in force", (status[0] == counts).all())
        null = near[f"pair/{child}/{parent}/null_histogram"][:]
        expected = np.array([null[40 + i:].sum() / null.sum() for i in range(41)]) * alive.sum()
        check("null links", close(pair["sweep_null"][:], expected, 1e-12))
        with np.errstate(all="ignore"):
            check("false links", close(pair["sweep_false_share"][:], expected / linked, 1e-12))
    small = families["dictionary/small"]
    parents = np.bincount(small["parent_status"][:], minlength=9)
    check("parents at the threshold in force", (small["sweep_status"][0] == parents).all())
    grown = (small["forest_children"][:] > 0).sum()
    state = {name: near[f"dictionary/{name}/state"][:] for name in NAMES}
    check("children expected", np.isclose(small.attrs["children_expected"],
                                          (state["middle"] == 2).sum() / (state["small"] == 2).sum()))
    check("families", families["sweep/families"][0] == grown == families.attrs["families"])


def check_hamming(features, on):
    group = families["dictionary/small"]
    for root in range(64):
        children = features[(features.dictionary == "middle") & (features.in_forest == 1) & (features.parent == root)]
        either = on["middle"][:, children.feature.values].any(1) ^ on["small"][:, root]
        check("hamming", group["hamming"][root] == (either.sum() if len(children) else -1))


def check_matched():
    """P among other parents of the same frequency: planted children prefer their own parents."""
    pair = families["pair/middle/small"]
    rank = pair["matched_rank"][:]
    tied = rank[(pair["evidence"][:] == 2) & (rank > 0)]
    check("their own parent comes first", len(tied) > 30 and (tied == 1).mean() > 0.9)
    check("ranks", rank.max() <= 17)


def check_tables(features):
    check("controls stay out of features.csv", set(features.dictionary) == set(NAMES))
    check("one line a feature", len(features) == 64 + 192 + 512)
    for l, name in enumerate(NAMES):
        part, group = features[features.dictionary == name], families[f"dictionary/{name}"]
        dead = part.parent_status.eq("dead") | part.child_status.eq("dead")
        check("ascending features", (part.feature == np.arange(len(part))).all())
        check("in_forest", (part.in_forest == group["in_forest"][:]).all())
        check("dead features have no root", part.root[dead].isna().all() and part.root[~dead].notna().all())
        check("roots", (part.root[~dead] == group["root"][:][~dead]).all())
        check("firings", (part.firings == codes[name]["firings"][:]).all())
        if l > 0:
            pair = families[f"pair/{name}/{NAMES[l - 1]}"]
            check("statuses", (part.child_status == statuses[pair["status"][:]]).all())
            check("cosines", close(part.cosine, pair["parent_cosine"][:]))
            check("P", close(part.p_parent_given_child, pair["p"][:]))
            check("in the forest by status", (part.in_forest == part.child_status.isin(FOREST)).all())
    hubs = features[features["flags"].fillna("").str.contains("hub")]
    check("the planted hub of each parent level is one", {"small/0", "dense hub"} <= {f"{hubs.dictionary.iloc[0]}/{hubs.feature.iloc[0]}", hubs["flags"].iloc[0]})


def check_skips():
    """The flag skip: an edge to the level below the next, none to the next."""
    edges = {pair: np.diff(families[f"pair/{pair[0]}/{pair[1]}/edge_start"][:]) > 0 for pair in PAIRS}
    skip = edges["large", "small"] & ~edges["large", "middle"]
    check("there are skips", skip.any())
    for parent in ("small", "middle"):
        flags = families[f"pair/large/{parent}/flags"][:]
        check("skip", ((flags & 8 > 0) == skip).all())


def check_chains():
    """The flag low_tc and tc_1, tc_5 from neighbours.h5."""
    near = h5py.File(folder / "neighbours.h5")
    best = {pair: near[f"pair/{pair[0]}/{pair[1]}/parent_id"][:].astype(np.int64) for pair in PAIRS}
    none = 4294967295
    direct, chain = best["large", "small"][:, 0], best["large", "middle"][:, :5]
    above = np.append(best["middle", "small"][:, 0], none)
    through = above[np.where(chain == none, len(above) - 1, chain)]
    known = (direct != none) & (through[:, 0] != none)
    agrees = (through == direct[:, None]).any(1)
    pair = families["pair/large/middle"]
    check("low_tc", ((pair["flags"][:] & 1 > 0) == (known & ~agrees)).all())
    check("tc_5", np.isclose(pair.attrs["tc_5"], agrees[known].mean()))
    check("tc_1", np.isclose(pair.attrs["tc_1"], (through[:, 0] == direct)[known].mean()))


def check_families(features, on):
    table = pd.read_csv(folder / "families.csv")
    family = families["family"]
    check("roots", (table.root == [f"small/{r}" for r in family["root"][:]]).all())
    rooted = features[features.root_dictionary == "small"]
    for l, name in enumerate(NAMES):
        part = rooted[rooted.dictionary == name]
        size = part.groupby("root").size().reindex(family["root"][:], fill_value=0)
        check("sizes", (size.values == family["size"][:, l]).all() and (size.values == table[f"size_{name}"]).all())
        if l > 0:
            for kind in ("kept", "split"):
                count = part[part.child_status.isin([kind, kind + "?"])].groupby("root").size()
                check(kind, (count.reindex(family["root"][:], fill_value=0).values == family[kind][:, l]).all())
    check_purity(rooted, family)
    check_coverage(features, on, family)
    check_rebuilt(features, family)
    lines = [json.loads(line) for line in (folder / "families.jsonl").read_text().splitlines()]
    check("one line a family", [line["root"] for line in lines] == list(table.root))
    count = lambda tree: 1 + sum(count(child) for child in tree.get("children", []))
    check("trees hold all features", [count(line["tree"]) for line in lines] == list(family["size"][:].sum(1)))
    check("labels agree", [line["tree"]["label"] for line in lines] == list(table.label.fillna("")))


def check_purity(rooted, family):
    token, top, firings, leaf, token_of = activations["token"][:], {}, {}, {}, {}
    for name in NAMES:
        start, row = codes[name]["feature_start"][:], codes[name]["feature_row"][:]
        for i in range(len(start) - 1):
            counts = np.bincount(token[row[start[i]:start[i + 1]]]) if start[i + 1] > start[i] else np.zeros(1, int)
            top[name, i], firings[name, i] = counts.max(), start[i + 1] - start[i]
            token_of[name, i] = counts.argmax()
            leaf[name, i] = families[f"dictionary/{name}/forest_children"][i] == 0
    pure, bits = [], []
    for root in family["root"][:]:
        members = rooted[rooted.root == root]
        keys = [key for key in zip(members.dictionary, members.feature) if leaf[key]]
        total = sum(firings[key] for key in keys)
        pure.append(sum(top[key] for key in keys) / total if total else np.nan)
        weight = np.bincount([token_of[key] for key in keys], [firings[key] for key in keys])
        share = weight[weight > 0] / max(total, 1)
        bits.append(-(share * np.log2(share)).sum() if total else np.nan)
    check("purity", close(family["purity"][:], pure, 1e-12))
    check("entropy", np.allclose(family["entropy"][:], bits, rtol=1e-12, atol=1e-12, equal_nan=True))


def check_coverage(features, on, family):
    start, row = codes["small"]["feature_start"][:], codes["small"]["feature_row"][:]
    value = codes["small"]["feature_value"][:].astype(float)
    for root, coverage in zip(family["root"][:], family["coverage"][:]):
        children = features[(features.dictionary == "middle") & (features.in_forest == 1) & (features.parent == root)]
        rows, f = row[start[root]:start[root + 1]], value[start[root]:start[root + 1]]
        covered = on["middle"][rows][:, children.feature.values].any(1)
        check("coverage", close(coverage, f[covered].sum() / f.sum() if len(children) else np.nan, 1e-9))


def check_rebuilt(features, family):
    """dR of every parent of the two smaller levels, and of each level as a whole, by dense matrices."""
    rows = {name: h5py.File(folder / f"dictionaries/{name}.h5")["w_dec"][:].astype(float) for name in NAMES}
    dense = {name: activations_of(name).astype(float) for name in NAMES}
    for level, larger in zip(NAMES, NAMES[1:]):
        group = families[f"dictionary/{level}"]
        kin = features[(features.dictionary == larger) & (features.in_forest == 1)].groupby("parent").feature.apply(list)
        expected, left, whole = np.full(len(rows[level]), np.nan), 0, 0
        for parent, children in kin.items():
            parent = int(parent)
            f = dense[level][:, parent]
            fired = f > 0
            rest = np.outer(f[fired], rows[level][parent]) - dense[larger][fired][:, children] @ rows[larger][children]
            squares = (f ** 2).sum()
            if squares > 0:
                expected[parent] = 1 - (rest ** 2).sum() / squares
                left, whole = left + (rest ** 2).sum(), whole + squares
        check(f"{level}: dR", close(group["rebuilt"][:], expected, 1e-5) and np.isfinite(expected).sum() > 20)
        check(f"{level}: dR as a whole", np.isclose(group.attrs["rebuilt"], 1 - left / whole, rtol=1e-5))
        known = expected[np.isfinite(expected)]
        check(f"{level}: how many are better", np.isclose(group.attrs["rebuilt_better"], (known > 0).mean()))
    check("dR of families", close(family["rebuilt"][:], families["dictionary/small/rebuilt"][:][family["root"][:]]))


def check_replication(features):
    twin, level = families["pair/middle-b/small"], families["pair/middle/small"]
    counts = []
    for pair in (level, twin):
        chosen = np.isin(statuses[pair["status"][:]], FOREST)
        counts.append(np.bincount(pair["parent"][:][chosen], minlength=64))
    found = families["replication/middle-b/small"]
    check("children in level and twin", (found["children"][:] == np.array(counts).T).all())
    alive = h5py.File(folder / "neighbours.h5")["dictionary/small/state"][:] > 0
    a, b = (count[alive] for count in counts)
    check("correlation", np.isclose(found.attrs["correlation"], np.corrcoef(a, b)[0, 1]))
    check("split again", np.isclose(found.attrs["split_again"], (b >= 2)[a >= 2].mean()))
    check("split any", np.isclose(found.attrs["split_any"], (b >= 2).mean()))
    marked = families["family/replicated"][:]
    both = (counts[0] >= 2) & (counts[1] >= 2)
    check("replicated families", (marked == both[families["family/root"][:]]).all())


def check_meanings():
    def look(name, item):
        if isinstance(item, h5py.Dataset):
            check(f"{name} says what it is", item.attrs["meaning"] and item.attrs["unit"])
    families.visititems(look)


def main():
    features = pd.read_csv(folder / "features.csv")
    sizes = {"small": 64, "middle": 192, "large": 512, "middle-b": 192}
    on = {name: fires(name, latents) for name, latents in sizes.items()}
    wide = {name: fires(name, latents, True) for name, latents in sizes.items()}
    for child, parent in PAIRS:
        check_evidence(child, parent, on, wide)
    check_truth(features)
    check_tables(features)
    check_skips()
    check_chains()
    check_novel(features)
    check_sweep()
    check_hamming(features, on)
    check_matched()
    check_families(features, on)
    check_replication(features)
    check_meanings()


if __name__ == "__main__":
    main()
