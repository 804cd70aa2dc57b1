"""How well the complexity score ranks requests that need the stronger model, against chance and against length.

    TWINTRACK_DATA=/path/to/data python tools/check_complexity.py

Reads `routing/*.parquet` below TWINTRACK_DATA: for each prompt, how a weak and a strong model did on it. A router sends
the share x of prompts with the highest scores to the strong model. APGR is the area of quality over x that it gains on
the weak model, as a share of what the strong model gains: 0.5 is chance, 1 is everything at once (Ong et al. 2024,
here with every prompt as a step). Intervals are 95 %, from bootstrap samples of prompts. Needs pyarrow.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from twintrack.signals.read import read
from twintrack.wire.prompt import NO_LABELS, Prompt

SETS = (
    ("MMLU: mixtral-8x7b, gpt-4-1106", "routellm_mmlu", "s:mixtral-8x7b-instruct", "s:gpt-4-1106-preview"),
    ("GSM8K: mixtral-8x7b, gpt-4-1106", "routellm_gsm8k", "s:mixtral-8x7b-instruct", "s:gpt-4-1106-preview"),
    ("GSM8K: Llama-3.1 8B, 70B", "zeroeval_gsm8k", "s:Meta-Llama-3.1-8B-Instruct", "s:Meta-Llama-3.1-70B-Instruct"),
    ("MMLU-Pro: Llama-3.1 8B, 70B", "mmlupro", "s:Meta-Llama-3.1-8B-Instruct", "s:Meta-Llama-3.1-70B-Instruct"),
    (
        "14 tasks: Llama-3.1 8B, Nemotron 51B",
        "llmrouter_ulab",
        "s:llama-3.1-8b-instruct",
        "s:llama-3.1-nemotron-51b-instruct",
    ),
)
RESAMPLES = 300

Row = tuple[float, float, float, float]
"""(complexity, characters, weak, strong)"""


def apgr(rows: list[Row], by: int) -> float:
    ordered = sorted(rows, key=lambda row: -row[by])
    weak = sum(row[2] for row in rows)
    gain = sum(row[3] for row in rows) - weak
    reached = area = 0.0
    for row in ordered:
        step = row[3] - row[2]
        area += reached + step / 2
        reached += step
    return area / len(rows) / gain


def interval(values: list[float]) -> str:
    values = sorted(values)
    return f"{values[round(0.025 * (len(values) - 1))]:+.3f} to {values[round(0.975 * (len(values) - 1))]:+.3f}"


def check(title: str, rows: list[Row], rng: random.Random) -> None:
    rng.shuffle(rows)  # equal scores fall in any order
    complexity, length, difference = [], [], []
    for _ in range(RESAMPLES):
        sample = rng.choices(rows, k=len(rows))
        ours, theirs = apgr(sample, 0), apgr(sample, 1)
        complexity.append(ours)
        length.append(theirs)
        difference.append(ours - theirs)
    ours, theirs = apgr(rows, 0), apgr(rows, 1)
    print(f"{title}, {len(rows)} prompts, mean complexity {sum(row[0] for row in rows) / len(rows):.2f}")
    print("  chance       0.500")
    print(f"  length       {theirs:.3f}   {interval(length)}")
    print(f"  complexity   {ours:.3f}   {interval(complexity)}")
    print(f"  difference  {ours - theirs:+.3f}   {interval(difference)}")


def load(path: Path, weak: str, strong: str) -> list[Row]:
    import pyarrow.parquet

    rows = []
    for row in pyarrow.parquet.read_table(path).to_pylist():
        if row.get("contaminated") or row[weak] is None or row[strong] is None:
            continue
        text = row["prompt"]
        signals = read(
            Prompt((text,), text, text, ("text",), False, 1, 0),
            NO_LABELS,
            endpoint="chat",
            stream=False,
            floor="public",
            default_class="public",
        )
        rows.append((signals.complexity, float(len(text)), float(row[weak]), float(row[strong])))
    return rows


def main() -> int:
    folder = os.environ.get("TWINTRACK_DATA")
    if not folder:
        print("Skipped: TWINTRACK_DATA does not name a folder.")
        return 0
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        print("Skipped: pyarrow is not installed.")
        return 0
    rng = random.Random(1)
    for title, name, weak, strong in SETS:
        path = Path(folder) / "routing" / f"{name}.parquet"
        if path.exists():
            check(title, load(path, weak, strong), rng)
        else:
            print(f"Skipped: there is no {path.name}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
