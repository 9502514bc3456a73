#!/usr/bin/env python3
"""The same help pages in several languages: text to harvest, and passages to test with.

usage: pages.py HELP FOLDER

HELP is LibreOffice's folder of help (one folder a language). Paragraphs have the same id in every language, so they are
aligned one by one; those that nobody translated are left out. Every tenth page is kept from the dictionaries: FOLDER/
passages/LANGUAGE.jsonl holds one passage a line, the same one on the same line of every file, a passage a page.
FOLDER/text.jsonl holds the other pages, each as a document in each language, and `language` beside the text.
"""
import html
import json
import os
import random
import re
import sys
import zlib

LANGUAGES = {"en-US": None, "de": None, "ru": "\u0400-\u04ff", "el": "\u0370-\u03ff", "zh-CN": "\u4e00-\u9fff",
             "ja": "\u3040-\u30ff\u4e00-\u9fff", "ko": "\uac00-\ud7a3", "vi": None}  # and their letters
LETTERS = 160_000  # of training text a language: about 50,000 tokens; fewer where a letter is a word
DENSE = {"zh-CN": 0.45, "ja": 0.55, "ko": 0.6}
PARAGRAPH = re.compile(r'<(p|h1|h2|h3)\b[^>]*\bid="([^"]+)"[^>]*>(.*?)</\1>', re.S)


def paragraphs(path):
    with open(path, encoding="utf-8") as file:
        found = PARAGRAPH.findall(file.read())
    texts = ((name, html.unescape(re.sub(r"<[^>]*>", "", text))) for _, name, text in found)
    return {name: re.sub(r"\s+", " ", text).strip() for name, text in texts}


def is_translated(language, text, english):
    """In its own letters, or, where those are Latin, at least not the English text."""
    if language == "en-US":
        return True
    letters = LANGUAGES[language]
    if letters is None:
        return text != english
    return len(re.findall(f"[{letters}]", text)) >= 0.4 * len(re.findall(r"\w", text))


def page(folder, path):
    """The paragraphs of a page that all languages have, in their order: {language: [text]}."""
    languages = {language: paragraphs(os.path.join(folder, language, path)) for language in LANGUAGES}
    english = languages["en-US"]
    shared = [name for name in english if len(english[name]) >= 20 and all(
        name in own and is_translated(language, own[name], english[name]) for language, own in languages.items())]
    return {language: [own[name] for name in shared] for language, own in languages.items()}


def main():
    folder, out = sys.argv[1:3]
    paths = []
    for root, _, files in os.walk(os.path.join(folder, "en-US", "text")):
        paths += [os.path.relpath(os.path.join(root, name), os.path.join(folder, "en-US")) for name in files]
    paths = [path for path in sorted(paths) if path.endswith(".html")]
    random.Random(1).shuffle(paths)
    os.makedirs(os.path.join(out, "passages"), exist_ok=True)
    used = dict.fromkeys(LANGUAGES, 0)
    documents, passages = [], []
    for path in paths:
        texts = page(folder, path)
        if zlib.crc32(path.encode()) % 10 == 0:
            long = [i for i, text in enumerate(texts["en-US"]) if 80 <= len(text) <= 300]
            if long and len(passages) < 120:
                passages.append({language: own[long[0]] for language, own in texts.items()})
            continue
        for language, own in texts.items():
            if own and used[language] < LETTERS * DENSE.get(language, 1):
                text = "\n".join(own)
                documents.append({"text": text, "language": language})
                used[language] += len(text)
    with open(os.path.join(out, "text.jsonl"), "w", encoding="utf-8") as file:
        for document in documents:
            file.write(json.dumps(document, ensure_ascii=False) + "\n")
    for language in LANGUAGES:
        with open(os.path.join(out, "passages", language + ".jsonl"), "w", encoding="utf-8") as file:
            for passage in passages:
                file.write(json.dumps({"text": passage[language]}, ensure_ascii=False) + "\n")
    print(f"{len(documents)} documents, {len(passages)} passages in {len(LANGUAGES)} languages; letters:",
          ", ".join(f"{language} {count:,}" for language, count in used.items()))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main()
