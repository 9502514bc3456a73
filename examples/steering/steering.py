#!/usr/bin/python3
"""Does a clamped feature make the model speak of what the feature's examples are about?

usage: steering.py ask RUN DICTIONARY FILE      prompts for cleave-steer --batch
       steering.py score ANSWERS CONTROL        answers with features clamped, and with random directions instead

features.txt beside this script lists words and what texts about them would say. A word's feature is found as in
../presence. A text counts as moved if it says so; a feature moves the text if at one of the multiples, at least two of
the three prompts' texts are moved that were not without a clamp.
"""
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "presence"))

PROMPTS = ("I think that", "Once upon a time there was", "The most interesting thing is")
TIMES = (0, 2, 5, 10)


def wanted():
    with open(os.path.join(HERE, "features.txt"), encoding="utf-8") as file:
        pairs = [line.rstrip("\n").split(": ", 1) for line in file if not line.startswith("#")]
    return [(word, re.compile(says, re.IGNORECASE)) for word, says in pairs]


def ask(folder, dictionary, path):
    from presence import Features, Text  # pylint: disable=import-outside-toplevel
    text, features = Text(folder), Features(folder, dictionary)
    with open(path, "w", encoding="utf-8") as file:
        for word, _ in wanted():
            best = features.of(text.occurrences(word))
            if best is None:
                sys.exit(f"{dictionary} has no feature for '{word}'")
            print(f"{word:8} {dictionary}/{best[2]} fires on {best[0]:.0%} of its occurrences, {best[1]:.0%} of its strongest")
            for prompt in PROMPTS:
                file.write(json.dumps({"prompt": prompt, "clamp": f"{dictionary}/{best[2]}=1", "sweep": ",".join(map(str, TIMES))}) + "\n")


def read(path):
    """One list of answers, a prompt each, for every word."""
    with open(path, encoding="utf-8") as file:
        answers = [json.loads(line) for line in file]
    return [answers[i:i + len(PROMPTS)] for i in range(0, len(answers), len(PROMPTS))]


def moved(answers, says):
    """Prompts whose text speaks of it, without a clamp and at each multiple; those newly moved at each."""
    plain = [bool(says.search(one["plain"])) for one in answers]
    at = [[bool(says.search(one["texts"][t]["text"])) for one in answers] for t in range(len(TIMES))]
    new = [sum(now and not before for now, before in zip(row, plain)) for row in at]
    return sum(plain), [sum(row) for row in at], new


def score(answers_path, control_path):
    totals = {}
    heading = "  ".join(f"x {times}" for times in TIMES)
    print(f"texts of {len(PROMPTS)} that speak of it:   plain   clamped {heading}   random {heading}")
    for (word, says), own, control in zip(wanted(), read(answers_path), read(control_path)):
        plain, clamped, new = moved(own, says)
        _, random, random_new = moved(control, says)
        totals.setdefault("clamped", []).append(max(new) >= 2)
        totals.setdefault("random", []).append(max(random_new) >= 2)
        print(f"  {word:8} {own[0]['clamps'][0]['feature']:10} {plain:18}           " + "    ".join(f"{n}" for n in clamped) +
              "            " + "    ".join(f"{n}" for n in random))
    count = len(totals["clamped"])
    print(f"features that move the text: {sum(totals['clamped'])} of {count}; random directions of the same length: "
          f"{sum(totals['random'])} of {count}")
    for (word, says), own in zip(wanted(), read(answers_path)):
        print(f"\n{word}: {own[0]['prompt']}\n  plain {own[0]['plain']!r}")
        for text in own[0]["texts"]:
            print(f"  x {text['times']:<4g}{text['text']!r}  ({text['plain_text_clamped_loss'] - own[0]['plain_loss']:+.2f} nats a token)")


if __name__ == "__main__":
    if len(sys.argv) == 5 and sys.argv[1] == "ask":
        ask(*sys.argv[2:])
    elif len(sys.argv) == 4 and sys.argv[1] == "score":
        score(*sys.argv[2:])
    else:
        sys.exit(__doc__)
