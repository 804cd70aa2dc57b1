"""How well a small model, asked as a route's classifier is, ranks requests: against length and the built-in rules.

    TWINTRACK_DATA=/path/to/data python tools/check_classifier.py http://127.0.0.1:8080/v1 demo-small --prompts 150

The address is a chat server's, or a gateway's with the model as one of its deployments. It is asked what the gateway
asks. Printed for each set of `check_complexity.py`: the share of its answers that are of use, how often it says each
difficulty, the area under the curve for "the weak model fails" (0.5 is chance; ties count half) of what it says, of the
complexity as the gateway then has it, of the complexity by rules and of the prompt's length, with 95 % bootstrap
intervals, and the mean time an answer took. Needs pyarrow.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet
from check_complexity import SETS

from twintrack.gateway.choosing import classified
from twintrack.signals.read import read
from twintrack.signals.task import TASKS
from twintrack.wire.classifier import Kind, kind_of, question
from twintrack.wire.prompt import NO_LABELS, Prompt

RESAMPLES = 300
_TASKS = tuple(task for task in TASKS if task != "embed")


def auc(scores: np.ndarray, hard: np.ndarray) -> float:
    """Probability that a hard one scores higher than another; shapes (n,)."""
    above = scores[hard][:, None] - scores[~hard][None, :]
    return float((above > 0).mean() + (above == 0).mean() / 2)


def with_interval(scores: np.ndarray, hard: np.ndarray) -> str:
    rng = np.random.default_rng(1)
    places = [rng.integers(0, len(hard), len(hard)) for _ in range(RESAMPLES)]
    found = [auc(scores[each], hard[each]) for each in places if 0 < hard[each].sum() < len(hard)]
    low, high = np.quantile(found, (0.025, 0.975))
    return f"{auc(scores, hard):.3f} ({low:.3f} to {high:.3f})"


def ask(url: str, model: str, text: str) -> tuple[Kind | None, float]:
    """What it says, and seconds."""
    head = {"content-type": "application/json"}
    if "TWINTRACK_KEY" in os.environ:
        head["authorization"] = f"Bearer {os.environ['TWINTRACK_KEY']}"
    asked = urllib.request.Request(f"{url}/chat/completions", question(model, text, _TASKS), head)
    began = time.monotonic()
    try:
        with urllib.request.urlopen(asked, timeout=120) as answer:
            said = json.load(answer)["choices"][0]["message"]["content"] or ""
    except urllib.error.HTTPError:  # as a prompt that is longer than its window: the rules hold
        said = ""
    return kind_of(said, _TASKS), time.monotonic() - began


def check(title: str, path: Path, weak: str, url: str, model: str, prompts: int) -> None:
    rows = [
        row
        for row in pyarrow.parquet.read_table(path).to_pylist()
        if not row.get("contaminated") and row[weak] is not None
    ]
    random.Random(1).shuffle(rows)
    scores: dict[str, list[float]] = {"classifier": [], "complexity with it": [], "by rules": [], "length": []}
    hard, took, said = [], [], Counter[str]()
    for row in rows[:prompts]:
        text = row["prompt"]
        kind, seconds = ask(url, model, text)
        signals = read(
            Prompt((text,), text, text, ("text",), False, 1, 0),
            NO_LABELS, endpoint="chat", stream=False, floor="public", default_class="public",
        )  # fmt: skip
        took.append(seconds)
        said["none" if kind is None else f"{9 * kind.difficulty:.0f}"] += 1
        scores["classifier"].append(0.5 if kind is None else kind.difficulty)
        scores["complexity with it"].append((signals if kind is None else classified(signals, kind)).complexity)
        scores["by rules"].append(signals.complexity)
        scores["length"].append(float(len(text)))
        hard.append(row[weak] < 0.5)
    wrong = np.array(hard)
    print(f"{title}: {len(hard)} prompts, the weak model fails {wrong.mean():.0%}; {np.mean(took):.2f} s an answer")
    print(f"  difficulties said: {dict(sorted(said.items()))}")
    for name, values in scores.items():
        print(f"  {name:20} {with_interval(np.array(values), wrong)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("model")
    parser.add_argument("--prompts", type=int, default=150)
    said = parser.parse_args()
    folder = Path(os.environ["TWINTRACK_DATA"]) / "routing"
    for title, name, weak, _ in SETS:
        check(title, folder / f"{name}.parquet", weak, said.url, said.model, said.prompts)


if __name__ == "__main__":
    main()
