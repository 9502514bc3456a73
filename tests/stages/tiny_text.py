#!/usr/bin/env python3
"""Write a small corpus of made-up sentences with structure (topics with words of their own), one document a line.
usage: tiny_text.py OUT.jsonl [DOCUMENTS]"""
import json
import random
import sys

TOPICS = {
    "sea": "ship wave harbour sailor anchor tide storm island whale captain".split(),
    "farm": "wheat horse barn field plough sheep harvest meadow cattle farmer".split(),
    "code": "return while index array loop integer string pointer buffer print".split(),
    "law": "judge court trial verdict appeal lawyer statute crime witness oath".split(),
    "music": "violin chord rhythm melody concert tempo opera singer drum flute".split(),
}
VERBS = "sees holds takes finds leaves brings keeps shows makes turns".split()


def main():
    generator = random.Random(3)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        for _ in range(int(sys.argv[2]) if len(sys.argv) > 2 else 120):
            words = TOPICS[generator.choice(sorted(TOPICS))]
            sentences = []
            for _ in range(generator.randint(2, 6)):
                a, b = generator.choice(words), generator.choice(words)
                sentences.append(f"The {a} {generator.choice(VERBS)} the {b} and {generator.randint(1, 99)} of the {b}s.")
            file.write(json.dumps({"text": " ".join(sentences)}) + "\n")


if __name__ == "__main__":
    main()
