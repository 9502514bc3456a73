#!/usr/bin/env python3
"""How h5py and pandas read the results. usage: read_families.py FOLDER (a run's folder)"""
import json, sys
import h5py, pandas

folder = sys.argv[1]
features = pandas.read_csv(f"{folder}/features.csv")  # one line a feature
print(features.groupby(["dictionary", "child_status"]).size().unstack(fill_value=0), "\n")

families = pandas.read_csv(f"{folder}/families.csv")  # one line a family: a tree rooted in the smallest dictionary
print(families.sort_values("mass", ascending=False)[["root", "coverage", "purity", "label"]].head(), "\n")

with open(f"{folder}/families.jsonl") as lines:  # the trees themselves
    trees = [json.loads(line)["tree"] for line in lines]
root = max(trees, key=lambda tree: len(tree.get("children", [])))
print(root["id"], root["label"], *[f"\n  {c['status']} {c['id']} {c['label']}" for c in root.get("children", [])], "\n")

with h5py.File(f"{folder}/families.h5") as file:  # every number of every pair; include/store/schema.h is the map
    for child, parents in file["pair"].items():
        for parent, pair in parents.items():
            print(f"{child} -> {parent}: mean P(parent | child) {pair.attrs['mean_p']:.3f} of {pair.attrs['enough']}")
