"""What a plan said against what the stages say they took.

usage: plan_check.py PLAN RUN_FOLDER LOG MEMORY DISK EXCHANGED    the table of cleave-plan; stderr of the stages; how far off a
       figure may be (shares of what was taken). Prints a line a stage, and fails if one is further off.
"""
import pathlib
import re
import sys

UNITS = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}
AMOUNT = r"([\d.]+) (bytes|kB|MB|GB|TB|PB)"
FILES = {"harvest": ["activations.h5"], "train": ["dictionaries"], "encode": ["codes"], "evaluate": ["evaluation"],
         "compare": ["neighbours.h5"], "families": ["families.h5", "features.csv", "families.csv", "families.jsonl"]}
SMALL = {"memory": 5e6, "disk": 3e5, "exchanged": 1.5e6}  # bytes that may always be missing


def amount(value, unit):
    return float(value) * UNITS[unit]


def planned(path):
    """stage -> memory, disk, exchanged; also `  NAME` of the dictionaries"""
    said = {}
    for line in pathlib.Path(path).read_text().splitlines():
        found = re.match(rf"(\w+) +{AMOUNT}!? +{AMOUNT} +{AMOUNT} +\S+ +{AMOUNT} ", line)
        if found:
            numbers = found.groups()[1:]
            said[found.group(1)] = {"memory": amount(*numbers[0:2]), "disk": amount(*numbers[2:4]),
                                    "exchanged": amount(*numbers[6:8])}
    return said


def size_of(path):
    if path.is_dir():
        return sum(size_of(one) for one in path.iterdir())
    return path.stat().st_size


def taken(folder, log):
    took = {name: {"memory": 0.0, "exchanged": 0.0, "disk": float(sum(size_of(folder / one) for one in files))}
            for name, files in FILES.items()}
    counted = set()
    for line in pathlib.Path(log).read_text().splitlines():
        found = re.match(rf"(\w+): wrote \S+ \(.*?\) in .*?, at most {AMOUNT} of memory a rank(?:, {AMOUNT} from)?", line)
        if not found:
            continue
        one = took[found.group(1)]
        one["memory"] = max(one["memory"], amount(*found.groups()[1:3]))
        if found.group(4) and (found.group(1) != "families" or "families" not in counted):
            one["exchanged"] += amount(*found.groups()[3:5])
        counted.add(found.group(1))
    return took


def main():
    plan, folder, log, *limits = sys.argv[1:]
    limit = dict(zip(["memory", "disk", "exchanged"], map(float, limits)))
    said, took = planned(plan), taken(pathlib.Path(folder), log)
    wrong = 0
    print(f"{'stage':10} {'':10} {'planned':>12} {'taken':>12}")
    for stage, figures in took.items():
        for name, value in figures.items():
            plan_value = said[stage][name]
            is_wrong = abs(plan_value - value) > max(limit[name] * value, SMALL[name])
            wrong += is_wrong
            print(f"{stage:10} {name:10} {plan_value / 1e6:9.2f} MB {value / 1e6:9.2f} MB"
                  f" {100 * (plan_value / value - 1) if value else 0:+7.1f} %{'  <-- too far' if is_wrong else ''}")
    raise SystemExit(1 if wrong else 0)


main()
