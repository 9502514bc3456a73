#!/usr/bin/env python3
"""Code and prose with and without typos: text to harvest, and snippets to test with.

usage: snippets.py MAN FOLDER

MAN is a folder of manual pages (.gz) whose examples are C; Python is that of the standard library, prose WordNet's
(package dict-wn). A typo is two neighbouring letters of a word exchanged. Writes FOLDER/text.jsonl, where one document in
six has typos, one in every 200 characters, as text from the world has; and six sets of 200 snippets from other files:
python, c and prose, each without a typo, and the same ones with one typo in their last line (python_error, c_error,
prose_typo).
"""
import glob
import gzip
import json
import os
import random
import re
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(__file__), ".."))
import quickstart_text as quickstart  # noqa: E402

SNIPPETS, TRIES = 200, 5  # snippets of a set; passes over the pieces to find so many
LETTERS = {"python": 380_000, "c": 320_000, "prose": 380_000}  # of the text to harvest
ROFF = {r"\[aq]": "'", r"\(aq": "'", r"\[dq]": '"', r"\(dq": '"', r"\[ti]": "~", r"\[ha]": "^", r"\[ga]": "`",
        r"\(ti": "~", r"\(ha": "^", r"\(ga": "`", r"\-": "-", r"\&": "", r"\[rs]": "\\", r"\(rs": "\\", r"\e": "\\"}


def plain(roff):
    """An example of a manual page as the C that it shows."""
    lines = [line for line in roff.split("\n") if not line.startswith((".", "'"))]
    text = re.sub(r"\\f[BIRP]|\\f\[[A-Z]*\]", "", "\n".join(lines))
    return re.sub(r"\\(?:\[\w+\]|\(\w\w|.)", lambda found: ROFF.get(found[0], found[0]), text)


def c_pieces(folder):
    """One piece an example program; a page that includes another has none."""
    seen = set()
    for path in sorted(glob.glob(f"{folder}/**/*.gz", recursive=True)):
        with gzip.open(path, "rt", encoding="utf-8", errors="replace") as file:
            found = re.findall(r"^\.EX\n(.*?)^\.EE", file.read(), re.S | re.M)
        for text in map(plain, found):
            if len(text) > 300 and "{" in text and text not in seen:
                seen.add(text)
                yield text[:6000]


def prose_pieces():
    for article in quickstart.articles("wn"):
        text = quickstart.wordnet(article)
        if 80 <= len(text) <= 400:
            yield text


def words(text, first):
    """Places of words of four letters and more from `first` on whose middle two letters differ."""
    for found in re.finditer(r"(?<![A-Za-z])[a-z]{4,}(?![A-Za-z])", text[first:]):
        at = first + found.start() + len(found[0]) // 2
        if text[at - 1] != text[at]:
            yield at


def exchange(text, at):
    return text[:at - 1] + text[at] + text[at - 1] + text[at + 1:]


def spoil(text, draw):
    """A typo in every 200 characters or so."""
    places = list(words(text, 0))
    for at in draw.sample(places, min(len(places), 1 + len(text) // 200)):
        text = exchange(text, at)
    return text


def snippet(kind, piece, draw):
    """(without, with) a typo in the last line; None where there is no room for one."""
    if kind == "prose":
        clean, last = piece[:300], 40
    else:
        lines = [line for line in piece.split("\n") if line.strip()]
        if len(lines) < 8:
            return None
        count = draw.randrange(4, 9)
        first = draw.randrange(max(1, len(lines) - count))
        clean = "\n".join(lines[first:first + count])
        last = clean.rfind("\n") + 1
    places = list(words(clean, last))
    if not places or (kind != "prose" and not 100 <= len(clean) <= 300):
        return None
    at = draw.choice(places)
    if kind == "prose":
        clean = clean[:at + 30]
    return clean, exchange(clean, at)


def main():
    folder, out = sys.argv[1:3]
    os.makedirs(out, exist_ok=True)
    draw, other = random.Random(1), random.Random(2)
    documents, sets = [], {}
    for kind, pieces in (("python", quickstart.python_pieces()), ("c", c_pieces(folder)), ("prose", prose_pieces())):
        pieces, used = list(pieces), 0
        draw.shuffle(pieces)
        kept = [piece for piece in pieces if zlib.crc32(piece.encode()) % 4 == 0]  # for the snippets alone
        pairs = {}
        for piece in kept * TRIES:
            found = snippet(kind, piece, other) if len(pairs) < SNIPPETS else None
            if found:
                pairs.setdefault(found[0], found[1])
        for piece in pieces:
            if zlib.crc32(piece.encode()) % 4 != 0 and used < LETTERS[kind]:
                documents.append({"text": spoil(piece, draw) if draw.random() < 1 / 6 else piece, "source": kind})
                used += len(piece)
        sets[kind] = list(pairs)
        sets[kind + ("_typo" if kind == "prose" else "_error")] = list(pairs.values())
    draw.shuffle(documents)
    for name, texts in [("text", documents), *((name, [{"text": text} for text in own]) for name, own in sets.items())]:
        with open(f"{out}/{name}.jsonl", "w", encoding="utf-8") as file:
            for document in texts:
                file.write(json.dumps(document, ensure_ascii=False) + "\n")
    print(f"{len(documents)} documents; snippets:", ", ".join(f"{name} {len(own)}" for name, own in sets.items()))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
