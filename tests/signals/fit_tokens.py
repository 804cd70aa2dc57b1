"""Fit the weights of `signals/token_table.py`, and measure them on texts the fit does not see.

    python tests/signals/fit_tokens.py counted.jsonl

Each line holds a group, a text, and what vocabularies count for it:

    {"group": "de", "text": "Die Stadt …", "counts": {"o200k": 12, "tekken": 13, "deepseek": 14}}

The vocabularies come with `tiktoken`, `mistral-common` and others; they are no dependency of ours, so whoever fits
counts beforehand. A group of many texts weighs no more than 60 of them, or one language would decide for all.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from twintrack.signals.scripts import LEADS

TARGET = ("o200k", "tekken", "deepseek")
KINDS = ["letter", "digit", "space", "line_end", "mark", *map(chr, dict.fromkeys(LEADS.values()))]
MOST_OF_A_GROUP = 60
SWEEPS = 400


def kinds(text: str) -> list[int]:
    counts = dict.fromkeys(KINDS, 0)
    for byte, count in Counter(text.encode("utf-8", "replace")).items():
        if byte in LEADS:
            counts[chr(LEADS[byte])] += count
        elif chr(byte).isalpha() and byte < 128:
            counts["letter"] += count
        elif 48 <= byte <= 57:
            counts["digit"] += count
        elif byte in b" \t":
            counts["space"] += count
        elif byte == 10:
            counts["line_end"] += count
        elif byte < 128:
            counts["mark"] += count
    return list(counts.values())


def fit(rows: list[list[float]], weights: list[float]) -> list[float]:
    """Least squares for rows · w = 1, w not negative, one coordinate after the other."""
    size = len(rows[0])
    gram = [
        [sum(v * row[a] * row[b] for row, v in zip(rows, weights, strict=True)) for b in range(size)]
        for a in range(size)
    ]
    aim = [sum(v * row[a] for row, v in zip(rows, weights, strict=True)) for a in range(size)]
    solution = [0.1] * size
    for _ in range(SWEEPS):
        for a in range(size):
            if gram[a][a]:
                slope = sum(g * s for g, s in zip(gram[a], solution, strict=True)) - aim[a]
                solution[a] = max(0.0, solution[a] - slope / gram[a][a])
    return solution


def main(path: str) -> None:
    samples = [json.loads(line) for line in Path(path).read_text().splitlines()]
    size_of = Counter(sample["group"] for sample in samples)
    rows, weights, targets = [], [], []
    for sample in samples:
        target = sum(sample["counts"][name] for name in TARGET) / len(TARGET)
        targets.append(target)
        rows.append([count / target for count in kinds(sample["text"])])
        weights.append(min(1.0, MOST_OF_A_GROUP / size_of[sample["group"]]))
    half = fit(rows[::2], weights[::2])
    print("estimate over count on the other half, 5 / 50 / 95 %:")
    for name in ("mean", *samples[0]["counts"]):
        ratios = []
        for at in range(1, len(samples), 2):
            estimate = targets[at] * sum(a * b for a, b in zip(rows[at], half, strict=True))
            ratios.append(estimate / (targets[at] if name == "mean" else max(1, samples[at]["counts"][name])))
        ratios.sort()
        print(f"  {name:10}", *(f"{ratios[round(share * (len(ratios) - 1))]:.2f}" for share in (0.05, 0.5, 0.95)))
    print("weights fitted to all:")
    for name, weight in zip(KINDS, fit(rows, weights), strict=True):
        print(f"  {name:10} {weight:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
