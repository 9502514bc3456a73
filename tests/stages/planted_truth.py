#!/usr/bin/env python3
"""Dictionaries, codes and documents with planted families, and the judge of what cleave makes of them.

usage: planted_truth.py FOLDER [--layout sae_lens|gemma] [--hard] [--seed N] [--sizes 256,1024,4096] [--width 256]
           [--rows 40000] [--twin 2]            make FOLDER: dictionaries, codes, documents, run.yaml, truth.csv
       planted_truth.py FOLDER --judge [FEATURES.csv] [--report]
                                                compare features.csv (default FOLDER/run/features.csv) with the
                                                truth; fails below 95 % or 85 % of a status unless --report
       planted_truth.py FOLDER --reference      apply the rules by numpy to the files and write reference.csv
       planted_truth.py FOLDER --differences [FEATURES.csv] [--most SHARE]
                                                features where features.csv and reference.csv disagree; fails when
                                                more than this share of them do (default 1)
"""
import argparse
import collections
import csv
import pathlib
import sys

import numpy as np

import planted_codes
import planted_files
import planted_levels

OVERALL, EACH = 0.95, 0.85
FLAGS = ("duplicate", "dense", "unreplicated", "holes", "skip", "low_tc")  # that the reference sets


def make(folder, options):
    random = np.random.default_rng(options.seed)
    difficulty = planted_levels.Difficulty(options.hard)
    sizes = [int(size) for size in options.sizes.split(",")]
    levels = planted_levels.plant_levels(random, difficulty, sizes, options.width)
    events = planted_codes.plant_codes(random, levels, options.rows, 15)
    twin, found = planted_levels.plant_twin(random, difficulty, levels[options.twin])
    twin_events = planted_codes.twin_codes(random, twin, found, events[options.twin], options.rows)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "documents.npy", np.arange(options.rows, dtype="<i8") // planted_codes.DOCUMENT)
    names = {}
    for level, firings in list(zip(levels, events)) + [(twin, twin_events)]:
        norms = random.uniform(0.5, 2.0, level.latents)
        planted_files.write_codes(folder / f"{level.name}.npz", firings, options.rows, level.latents)
        if options.layout == "gemma":
            names[level.name] = folder / "resid_post" / f"layer_12_width_{level.name}_l0_small"
            planted_files.write_gemma(names[level.name], level, norms, level is not levels[0])
        else:
            names[level.name] = folder / f"sae_{level.name}"
            planted_files.write_sae_lens(names[level.name], level, norms)
    planted_files.write_run(folder, [(level.name, level.latents, "") for level in levels] +
                            [(twin.name, twin.latents, levels[options.twin].name)], names)
    fired = [np.bincount(e.feature, minlength=level.latents) for level, e in zip(levels, events)]
    dense = [count > 0.1 * options.rows for count in fired]
    planted_files.write_truth(folder / "truth.csv", truth(levels, dense, options.twin, planted_levels))
    for level, e, count in zip(levels, events, fired):
        print(f"{level.name}: L0 {len(e.row) / options.rows:.1f}, median firings {np.median(count):.0f}")


def truth(levels, dense, twinned, planted):
    """Lines of truth.csv."""
    roots, lines = None, []
    statuses = [[""] * levels[0].latents] + [level.status(i + 1 == twinned) for i, level in enumerate(levels[1:])]
    statuses[0] = ["dead" if kind == "dead" else "unseen" if kind == "unseen" else "" for kind in levels[0].kind]
    parent_statuses = [parents_of(levels, statuses, i, planted) for i in range(len(levels))]
    for index, level in enumerate(levels):
        below, roots = roots, [None] * level.latents
        for i in range(level.latents):
            source = level.copy_of[i] if level.copy_of[i] >= 0 else i
            in_forest = index > 0 and statuses[index][source] in planted.IN_FOREST
            parent = int(level.parent[source]) if in_forest else ""
            own = ("", "") if level.kind[i] == "dead" else (level.name, int(source))
            roots[i] = below[parent] if in_forest else own
            flags = (["dense"] if dense[index][source] else []) + (["duplicate"] if source != i else [])
            if index == twinned and level.kind[i] in ("alone", "antipode", "hub"):
                flags.append("unreplicated")
            lines.append([level.name, i, statuses[index][i] if index > 0 else "", parent_statuses[index][i],
                          parent, *roots[i], " ".join(sorted(flags)), level.kind[i]])
    return lines


def parents_of(levels, statuses, index, planted):
    """Parent statuses from the planted children, and from the cosines where nothing was planted ("": unknown)."""
    level = levels[index]
    if index + 1 == len(levels):
        return [""] * level.latents
    above = levels[index + 1]
    children = collections.defaultdict(collections.Counter)
    for child in range(above.latents):
        status = statuses[index + 1][child].rstrip("?")
        if above.copy_of[child] < 0 and status in planted.IN_FOREST:
            children[int(above.parent[child])][status] += 1
    nearest = np.max([(larger.decoder[larger.copy_of < 0] @ level.decoder.T).max(axis=0)
                      for larger in levels[index + 1:]], axis=0)
    names = []
    for i in range(level.latents):
        source = int(level.copy_of[i]) if level.copy_of[i] >= 0 else i
        kept, split = children[source]["kept"], children[source]["split"]
        names.append(level.kind[source] if level.kind[source] in ("dead", "unseen") else
                     ("split+persists" if split else "persists") if kept else
                     ("split_k" if split > 1 else "refined") if split else
                     "linked" if nearest[source] >= planted.LINKED else
                     "lost" if nearest[source] < planted.LINK else "")
    return names


def read_table(path):
    with open(path, newline="") as file:
        return {(line["dictionary"], int(line["feature"])): line for line in csv.DictReader(file)}


def path_of(feature, table, below):
    """The feature and its ancestors as the truth has them."""
    path = [feature]
    while table[path[-1]]["parent"] != "":
        path.append((below[path[-1][0]], int(table[path[-1]]["parent"])))
    return path


def confusion(pairs):
    """Print planted statuses against found ones; the shares right."""
    counts = collections.Counter(pairs)
    planted = sorted({a for a, _ in counts})
    found = sorted({b for _, b in counts})
    print("planted \\ found".ljust(16) + "".join(name[:9].rjust(10) for name in found) + "     right")
    shares = {}
    for a in planted:
        total = sum(counts[a, b] for b in found)
        shares[a] = counts[a, a] / total
        print(a.ljust(16) + "".join(str(counts[a, b] or ".").rjust(10) for b in found) + f"{shares[a]:10.3f}")
    return shares, sum(counts[a, a] for a in planted) / max(1, sum(counts.values()))


def roots_right(features, table, below):
    """Of features whose own and whose ancestors' statuses are right: how many, and the wrong ones."""
    asked, wrong = 0, []
    for feature, line in table.items():
        if line["root"] == "":
            continue
        if any(features[step]["child_status"] != table[step]["child_status"]
               for step in path_of(feature, table, below)):
            continue
        asked += 1
        got = (features[feature]["root_dictionary"], features[feature]["root"])
        allowed = [(line["root_dictionary"], line["root"])]
        if "duplicate" in line["flags"] and line["parent"] == "":
            allowed.append((feature[0], str(feature[1])))  # a root's duplicate may stand for itself
        if got not in allowed:
            wrong.append((feature, allowed[0], got))
    return asked, wrong


def flags_right(features, table):
    for flag in ("duplicate", "dense", "unreplicated"):
        pairs = [(flag in line["flags"].split(), flag in features[feature]["flags"].split())
                 for feature, line in table.items()]
        print(f"flag {flag}: planted {sum(a for a, _ in pairs)}, found {sum(b for _, b in pairs)}, "
              f"both {sum(a and b for a, b in pairs)}")


def judge(folder, path, is_report):
    table, features = read_table(folder / "truth.csv"), read_table(path)
    if set(table) - set(features):
        print(f"{len(set(table) - set(features))} features are missing in {path}")
        return 1
    names = list(dict.fromkeys(name for name, _ in table))
    below = dict(zip(names[1:], names))
    children = [feature for feature in table if feature[0] != names[0]]
    shares, overall = confusion([(table[f]["child_status"], features[f]["child_status"]) for f in children])
    print(f"child statuses: {overall:.4f} of {len(children)} right")
    parents = [feature for feature in table if table[feature]["parent_status"] != ""]
    _, overall_parents = confusion([(table[f]["parent_status"], features[f]["parent_status"]) for f in parents])
    print(f"parent statuses: {overall_parents:.4f} of {len(parents)} right")
    flags_right(features, table)
    asked, wrong = roots_right(features, table, below)
    print(f"roots: {asked - len(wrong)} of {asked} right where the statuses up to the root are right")
    for feature, right, got in wrong[:10]:
        print(f"  {feature[0]}/{feature[1]}: root {right[0]}/{right[1]}, found {got[0]}/{got[1]}")
    errors = collections.Counter((table[f]["kind"], table[f]["child_status"], features[f]["child_status"])
                                 for f in children if table[f]["child_status"] != features[f]["child_status"])
    for (kind, right, got), count in errors.most_common(15):
        print(f"  {count} of kind {kind}: {right}, found {got}")
    is_bad = overall < OVERALL or min(shares.values()) < EACH or len(wrong) > 0
    return 1 if is_bad and not is_report else 0


def differences(folder, path, most):
    """Where cleave and the reference disagree, feature by feature."""
    ours, reference = read_table(path), read_table(folder / "reference.csv")
    table, count = read_table(folder / "truth.csv"), collections.Counter()
    for feature, line in reference.items():
        for flag in FLAGS:
            both = flag in ours[feature]["flags"].split(), flag in line["flags"].split()
            count[f"flag {flag}"] += both[0] != both[1]
        for column in ("child_status", "parent_status", "root_dictionary", "root", "parent"):
            if column in ours[feature] and line[column] != ours[feature][column]:
                count[column] += 1
                if count[column] <= 10:
                    print(f"{feature[0]}/{feature[1]} ({table[feature]['kind']}) {column}: reference "
                          f"'{line[column]}', cleave '{ours[feature][column]}'")
    print("differences: " + (", ".join(f"{column} {n}" for column, n in count.items() if n > 0) or "none"))
    return 1 if max(count.values(), default=0) > most * len(reference) else 0


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--layout", choices=["sae_lens", "gemma"], default="sae_lens")
    parser.add_argument("--hard", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sizes", default="256,1024,4096")
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--rows", type=int, default=40000)
    parser.add_argument("--twin", type=int, default=2)
    parser.add_argument("--judge", nargs="?", const="", default=None)
    parser.add_argument("--report", action="store_true")
    parser.add_argument("--reference", action="store_true")
    parser.add_argument("--differences", nargs="?", const="", default=None)
    parser.add_argument("--most", type=float, default=1.0)
    options = parser.parse_args()
    folder = options.folder.resolve()
    default = folder / "run" / "features.csv"
    if options.judge is not None:
        return judge(folder, pathlib.Path(options.judge or default), options.report)
    if options.differences is not None:
        return differences(folder, pathlib.Path(options.differences or default), options.most)
    if options.reference:
        import planted_reference

        planted_reference.write(folder, folder / "reference.csv")
        return 0
    make(folder, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
