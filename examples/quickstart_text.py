#!/usr/bin/env python3
"""Make the quickstart's text: dictionary articles and Python source, one document a line.

usage: quickstart_text.py OUT.jsonl [BYTES]

Reads what Debian's packages dict-wn (WordNet), dict-gcide (Webster 1913 and more), dict-foldoc (computing) and
libpython3-stdlib install. Markup is stripped: "[1913 Webster]", "[syn: {", "n 1:" would become features of
their own and fill whole families. The articles are shuffled with a fixed seed, so the same packages give the same file.
"""
import glob
import gzip
import json
import random
import re
import sys

DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
SHARES = {"wordnet": 0.40, "gcide": 0.35, "foldoc": 0.10, "python": 0.15}  # of the bytes


def number(text):
    """A dictd index number: base 64, most significant digit first."""
    value = 0
    for digit in text:
        value = value * 64 + DIGITS.index(digit)
    return value


def articles(name):
    """All distinct articles of a dictd dictionary, as text."""
    with gzip.open(f"/usr/share/dictd/{name}.dict.dz") as file:
        data = file.read()
    places = set()
    with open(f"/usr/share/dictd/{name}.index", encoding="utf-8", errors="replace") as file:
        for line in file:
            word, start, length = line.rstrip("\n").split("\t")[:3]
            if not word.startswith("00"):  # about the database itself
                places.add((number(start), number(length)))
    return [data[s:s + n].decode("utf-8", "replace") for s, n in sorted(places)]


def one_line(text):
    text = re.sub(r"(?<=[a-z])-\s*\n\s+(?=[a-z])", "-", text)
    text = re.sub(r"\s+", " ", text)
    text = re.sub(r"\s+([.,;:?!)])", r"\1", text)
    return text.strip()


def wordnet(article):
    head, _, body = article.partition("\n")
    body = re.sub(r"\[(syn|ant|also):[^\]]*\]", "", body)
    body = re.sub(r"[{}]", "", body)
    senses = re.split(r"(?m)^\s+(?:(?:n|v|adj|adv|r|s)\s+)?\d*:\s+", body)
    senses = [one_line(sense) for sense in senses if one_line(sense)]
    return f"{head.strip()}: " + "; ".join(senses) + "." if senses else ""


def gcide(article):
    text = re.sub(r"\\[^\\\n]{1,80}\\,?", ",", article, count=1)  # pronunciation
    text = re.sub(r"\[\"([a-zA-Z])\]|\[['`^=*~.,/]?([a-zA-Z]{1,2})['`^]?\]", r"\1\2", text)
    for _ in range(3):  # etymologies and sources, innermost brackets first
        text = re.sub(r"\[[^\[\]]*\]", "", text)
    text = re.sub(r"--\s*[A-Z][\w.,&' ()]{0,40}$", "", text, flags=re.M)  # who is quoted
    text = re.sub(r"[{}\[\]|`\\]", "", text)
    text = re.sub(r"(?m)^\s+(Syn|Note): ?", " ", text)
    text = re.sub(r"\((?:[A-Z][a-z]+\.?,? ?){1,3}\)", "", text)  # (Physiol.)
    text = re.sub(r"(?m)^\s+(?:\d+\.|\([a-z]\)) ", " ", text)
    text = re.sub(r"--", " - ", text)
    text = one_line(text)
    return re.sub(r"^([^,]{1,60}),+ (?:(?:n|a|v|t|i|adv|prep|p|pl|adj|interj|conj)\b\.?[ ,&]*)+", r"\1: ", text)


def foldoc(article):
    text = re.sub(r"\(\d{4}-\d\d-\d\d\)", "", article)
    text = re.sub(r"<[^>\n]*>", "", text)
    text = re.sub(r"[{}]", "", text)
    text = re.sub(r"(?m)^\s*\(?(?:https?|ftp)://\S+\s*$", "", text)
    head, _, body = text.strip().partition("\n")
    body = one_line(body)
    return f"{head.strip()}: {body}" if body else ""


def python_pieces():
    """The standard library's source (no tables of characters), cut at top-level definitions into pieces of a few
    thousand characters."""
    paths = glob.glob("/usr/lib/python3.*/*.py") + glob.glob("/usr/lib/python3.*/[a-z]*/*.py")
    for path in sorted(p for p in paths if "/encodings/" not in p and "/pydoc_data/" not in p):
        with open(path, encoding="utf-8", errors="ignore") as file:
            source = file.read()
        piece = ""
        for part in re.split(r"(?m)^(?=(?:def|class|@|if __name__))", source):
            piece += part
            if len(piece) > 2000:
                yield piece[:6000]
                piece = ""


SOURCES = {  # raw articles, and how one is cleaned
    "wordnet": (lambda: articles("wn"), wordnet),
    "gcide": (lambda: articles("gcide"), gcide),
    "foldoc": (lambda: articles("foldoc"), foldoc),
    "python": (lambda: list(python_pieces()), str),
}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    limit = int(sys.argv[2]) if len(sys.argv) > 2 else 1_700_000
    shuffle = random.Random(1)
    documents = []
    for source, share in SHARES.items():
        raw, clean = SOURCES[source]
        texts = raw()
        shuffle.shuffle(texts)
        used = 0
        for text in map(clean, texts):
            if used >= share * limit:
                break
            if len(text) < 40:
                continue
            documents.append({"text": text[:6000], "source": source})
            used += len(text.encode())
    shuffle.shuffle(documents)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        for document in documents:
            file.write(json.dumps(document, ensure_ascii=False) + "\n")
    print(f"{sys.argv[1]}: {len(documents)} documents, "
          f"{sum(len(d['text'].encode()) for d in documents) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
