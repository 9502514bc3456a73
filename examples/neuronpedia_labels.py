#!/usr/bin/env python3
"""Turn explanations that Neuronpedia exports into labels.csv of a run.

usage: neuronpedia_labels.py LABELS.csv NAME=EXPORT...

NAME is the dictionary's name in run.yaml, EXPORT a file or a folder of files with its explanations: the answer of
/api/explanation/export?modelId=...&saeId=... (a JSON list), or explanations/batch-*.jsonl of the public datasets (an
object a line), gzipped or not. Only `index` and `description` are read. Of several explanations of a feature the first
stays. Then: report.labels=LABELS.csv, and in run.yaml `neuronpedia: MODEL/SOURCE` beside the dictionary for links.
"""
import csv
import gzip
import json
import os
import sys


def files(path):
    if not os.path.isdir(path):
        return [path]
    return sorted(os.path.join(path, name) for name in os.listdir(path) if name.endswith((".json", ".jsonl", ".jsonl.gz", ".json.gz")))


def rows(path):
    """The objects of a file: of one list, or one a line."""
    with (gzip.open if path.endswith(".gz") else open)(path, "rt", encoding="utf-8") as file:
        text = file.read()
    if text.lstrip().startswith("["):
        yield from json.loads(text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                sys.exit(f"{path}:{number}: no JSON: {error}")


def labels(path):
    found, more = {}, 0
    for file in files(path):
        for row in rows(file):
            if "index" not in row or "description" not in row:
                sys.exit(f"{file}: a row without index or description: is this an export of explanations?")
            text = " ".join(str(row["description"] or "").split())
            if text and int(row["index"]) in found:
                more += 1
            elif text:
                found[int(row["index"])] = text
    return found, more


def main():
    parts = [one.partition("=") for one in sys.argv[2:]]
    if not parts or not all(equals and path for _, equals, path in parts):
        sys.exit(__doc__)
    with open(sys.argv[1], "w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["dictionary", "feature", "label"])
        for name, _, path in parts:
            found, more = labels(path)
            writer.writerows([name, feature, text] for feature, text in sorted(found.items()))
            print(f"{name}: {len(found):,} features with a label" + (f", {more:,} further explanations left out" if more else ""))


if __name__ == "__main__":
    main()
