"""What a plan said against what the stages say they took.

usage: plan_check.py PLAN LOG MEMORY DISK EXCHANGED [TABLE TIME]
       PLAN: what cleave-plan printed; LOG: stderr of the stages; TABLE: what cleave run printed at its end.
       MEMORY and so on: how far off a figure may be, in shares of what was taken.
Prints a line a stage and figure, and how far off the worst are; fails if one is too far off."""
import pathlib
import re
import sys

UNITS = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15}
SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
AMOUNT = r"([\d.]+) (bytes|kB|MB|GB|TB|PB)"
TIME = r"(?:[\d.]+ (?:s|min|h|d) ?)+"
LOOSE = {"report": {"disk": 0.35}}  # of tiny runs, whose words are of a letter or two
SMALL = {"memory": 5e6, "disk": 3e5, "exchanged": 1.5e6, "time": 1.5}  # bytes, seconds that may always be missing


def amount(value, unit):
    return float(value) * UNITS[unit]


def seconds(text):
    return sum(float(value) * SECONDS[unit] for value, unit in re.findall(r"([\d.]+) (s|min|h|d)\b", text))


def planned(path):
    """stage -> memory, disk, exchanged, time (0: no rates)"""
    said = {}
    for line in pathlib.Path(path).read_text().splitlines():
        found = re.match(rf"(\w+) +{AMOUNT}!? +{AMOUNT} +{AMOUNT} +\S+ +{AMOUNT} +(.*)", line)
        if found:
            numbers = found.groups()[1:]
            said[found.group(1)] = {"memory": amount(*numbers[0:2]), "disk": amount(*numbers[2:4]),
                                    "exchanged": amount(*numbers[6:8]), "time": seconds(numbers[8])}
    return said


def size_of(path):
    if path.is_dir():
        return sum(size_of(one) for one in path.iterdir())
    return path.stat().st_size


def taken(log):
    """The same of the stages, without times."""
    took = {}
    for line in pathlib.Path(log).read_text().splitlines():
        found = re.match(rf"(\w+): wrote (\S+) \(.*?\) in .*?, at most {AMOUNT} of memory a rank(?:, {AMOUNT} from)?", line)
        if found:
            stage, path, memory, unit, exchanged, its_unit = found.groups()
            is_next = stage != "families" or stage not in took  # which counts from its beginning every time
            one = took.setdefault(stage, {"memory": 0.0, "disk": 0.0, "exchanged": 0.0})
            one["memory"] = max(one["memory"], amount(memory, unit))
            one["disk"] += size_of(pathlib.Path(path))
            one["exchanged"] += amount(exchanged, its_unit) if exchanged and is_next else 0.0
    return took


def times(path):
    """stage -> seconds, from the table at the end of cleave run"""
    found = re.findall(rf"^(\w+) +\S+ +({TIME})$", pathlib.Path(path).read_text(), re.MULTILINE)
    return {stage: seconds(text) for stage, text in found}


def main():
    plan, log, memory, disk, exchanged, *rest = sys.argv[1:]
    limit = {"memory": float(memory), "disk": float(disk), "exchanged": float(exchanged)}
    said, took = planned(plan), taken(log)
    if rest:
        limit["time"] = float(rest[1])
        for stage, value in times(rest[0]).items():
            if stage in took:
                took[stage]["time"] = value
    loose = {} if rest else LOOSE
    wrong, worst = 0, dict.fromkeys(limit, 0.0)
    print(f"{'stage':10} {'':10} {'planned':>12} {'taken':>12}")
    for stage, figures in took.items():
        for name, value in figures.items():
            unit, scale = ("s ", 1.0) if name == "time" else ("MB", 1e6)
            off = said[stage][name] - value
            share = loose.get(stage, {}).get(name, limit[name])
            is_wrong = abs(off) > max(share * value, SMALL[name])
            wrong += is_wrong
            if abs(off) > SMALL[name]:
                worst[name] = max(worst[name], abs(off) / value, key=abs)
            print(f"{stage:10} {name:10} {said[stage][name] / scale:9.2f} {unit} {value / scale:9.2f} {unit}"
                  f" {100 * off / value if value else 0:+7.1f} %{'  <-- too far' if is_wrong else ''}")
    print("off by at most: " + ", ".join(f"{name} {100 * share:.1f} %" for name, share in worst.items()))
    raise SystemExit(1 if wrong or not took else 0)


main()
