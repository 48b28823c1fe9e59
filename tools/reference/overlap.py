"""Writes fixtures/metrics/overlap.json: made-up texts, which of them share 13 words in a row with made-up benchmark
texts, and their largest Jaccard similarity over runs of 5 words, both by brute force. Run from the root of the
repository:

    python tools/reference/overlap.py
"""

import json
import pathlib
import random
import re

draw = random.Random(11)
WORDS = "red green blue stone river cloud tall small runs sings under over never often seven quiet".split()


def text(length):
    return " ".join(draw.choice(WORDS) for _ in range(length))


def changed(original, every):
    """The text with a word in each `every` replaced, so that runs of 13 are broken while most shingles stay."""
    words = original.split()
    for at in range(every - 1, len(words), every):
        words[at] = "changed"
    return " ".join(words)


def spelt(original):
    return "".join(c.upper() if draw.random() < 0.3 else c for c in original).replace(" red ", " red, ") + "!"


def runs(words, length):
    length = max(1, min(length, len(words)))
    return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}


benchmark = [text(draw.randint(3, 140)) for _ in range(80)] + ["Name the capital of France."]
texts = [text(draw.randint(2, 120)) for _ in range(80)]
texts += [spelt(draw.choice(benchmark)) for _ in range(30)]
texts += [text(20) + " " + draw.choice(benchmark[:-1]) + " " + text(20) for _ in range(30)]
# Twelve words apart, each change breaks five shingles of twelve: similarity below the threshold, no run in common.
texts += [changed(draw.choice(benchmark), 12) for _ in range(30)]
# Short texts without any run of 13 of which all but little stands in a benchmark text.
for length in range(9, 14):
    for _ in range(12):
        original = text(length - 1)
        benchmark.append(original)
        texts.append(original + " changed" if length < 13 else original)
texts += ["", "...", "name the CAPITAL of France"]


def normal(some):
    return re.findall(r"[a-z0-9]+", some.lower())


marks = [normal(some) for some in benchmark]
ngrams = set().union(*(runs(words, 13) for words in marks if words))
cases = []
for some in texts:
    words = normal(some)
    shingles = runs(words, 5) if words else set()
    best = 0.0
    for other in marks:
        theirs = runs(other, 5)
        best = max(best, len(shingles & theirs) / max(1, len(shingles | theirs)))
    shared = bool(words) and not ngrams.isdisjoint(runs(words, 13))
    cases.append({"text": some, "ngram": shared, "similarity": best})

path = pathlib.Path("fixtures/metrics/overlap.json")
rows = ",\n".join(json.dumps(case) for case in cases)
path.write_text('{"benchmark": %s,\n"texts": [\n%s\n]}\n' % (json.dumps(benchmark), rows))
print(path, sum(c["ngram"] for c in cases), sum(not c["ngram"] and c["similarity"] >= 0.8 for c in cases), len(cases))
