"""Files of outcomes: for each prompt, how several models did on it. Parquet, JSON lines or CSV, one row a prompt.

    id, task        optional; `task` (family/sub-task) is for a baseline only and never shown to the router
    prompt          what a router would see
    s:<model>       score from 0 to 1 (a judge's 1 to 10 is brought there); empty: not run
    n:<model>       characters of its answer
    cost:<model>    US dollars for the call
    a:<model>, gold the model's final answer and the right one, instead of scores

Verdicts on single answers may come as rows of `prompt, model, score` instead.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twintrack.errors import MissingExtra, TwintrackError, nearest
from twintrack.training.design import Array

FORMS = (".parquet", ".jsonl", ".ndjson", ".csv")


@dataclass(frozen=True)
class Outcomes:
    name: str
    """The file's, without its ending."""
    prompts: list[str]
    tasks: list[str] | None
    scores: dict[str, Array]
    """Shape (n,) each; NaN where the model was not run."""
    answer_chars: dict[str, Array]
    costs_usd: dict[str, Array]
    answers: dict[str, list[str | None]]
    gold: list[str | None] | None
    dropped: int
    """Rows left out since the source marks them as contaminated."""

    def __len__(self) -> int:
        return len(self.prompts)

    def score(self, model: str) -> Array:
        """Raises TwintrackError with the nearest names."""
        if model not in self.scores:
            close = nearest(model, self.scores)
            some = close or sorted(self.scores)[:5]
            raise TwintrackError(
                f"{self.name} has no model {model!r}",
                fix=f"{'Did you mean' if close else 'It has, among others,'} {', '.join(some)}{'?' if close else '.'}",
            )
        return self.scores[model]


def read_outcomes(path: Path) -> Outcomes:
    """Raises TwintrackError: no such file, not one of `FORMS`, or not these columns; MissingExtra: needs pyarrow."""
    rows, columns = read_rows(path)
    if "prompt" not in columns:
        raise TwintrackError(f"{path} has no column prompt", why=f"it has {_some(columns)}", fix="See docs/routing.md.")
    if not any(each[:2] in ("s:", "a:") for each in columns):
        if not {"model", "score"} <= set(columns):
            raise TwintrackError(
                f"{path} holds no outcomes",
                why=f"its columns are {_some(columns)}",
                fix="Give scores as columns s:MODEL, or rows of prompt, model, score.",
            )
        rows, columns = _one_row_a_prompt(rows, path)
    kept = [row for row in rows if not _true(row.get("contaminated"))]
    gold = [_text(row.get("gold")) for row in kept] if "gold" in columns else None
    answers = {each[2:]: [_text(row.get(each)) for row in kept] for each in columns if each.startswith("a:")}
    scores = {each[2:]: _numbers(kept, each, path) for each in columns if each.startswith("s:")}
    if gold is not None:
        for model, said in answers.items():
            right = [float(mine is not None and mine == true) for mine, true in zip(said, gold, strict=True)]
            scores.setdefault(model, np.array(right))
    unit = _unit(scores)
    return Outcomes(
        path.stem,
        [str(row["prompt"]) for row in kept],
        [str(row["task"]) for row in kept] if "task" in columns else None,
        {model: values / unit for model, values in scores.items()},
        {each[2:]: _numbers(kept, each, path) for each in columns if each.startswith("n:")},
        {each[5:]: _numbers(kept, each, path) for each in columns if each.startswith("cost:")},
        answers,
        gold,
        len(rows) - len(kept),
    )


def read_rows(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows and the names of their columns."""
    if not path.is_file():
        raise TwintrackError(f"There is no file {path}")
    ending = path.suffix.lower()
    if ending == ".parquet":
        return _parquet(path)
    if ending in (".jsonl", ".ndjson"):
        rows = []
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise TwintrackError(f"{path}:{number} is not JSON", why=str(error)) from None
            if not isinstance(row, dict):
                raise TwintrackError(f"{path}:{number} is not a JSON object")
            rows.append(row)
        return rows, list(dict.fromkeys(name for row in rows for name in row))
    if ending == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            return list(reader), list(reader.fieldnames or ())
    raise TwintrackError(f"{path.name} is of no known form", fix=f"Use {', '.join(FORMS)}.")


def _parquet(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise MissingExtra(
            "Parquet files need pyarrow",
            fix="Install it with: pip install 'twintrack[parquet]'. JSON lines and CSV are read without it.",
        ) from None
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        raise TwintrackError(f"{path} cannot be read as parquet", why=str(error).splitlines()[0]) from None
    return table.to_pylist(), list(table.column_names)


def _one_row_a_prompt(rows: list[dict[str, Any]], path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of prompt, model, score as rows of prompt, s:model…; several verdicts on the same are averaged."""
    sums: dict[str, dict[str, list[float]]] = {}
    for number, row in enumerate(rows, 1):
        if row.get("prompt") is None or row.get("model") in (None, "") or row.get("score") in (None, ""):
            raise TwintrackError(f"{path}: row {number} lacks prompt, model or score")
        sums.setdefault(str(row["prompt"]), {}).setdefault(f"s:{row['model']}", []).append(
            _number(row["score"], "score", number, path)
        )
    columns = ["prompt", *sorted({name for each in sums.values() for name in each})]
    wide: list[dict[str, Any]] = [
        {"prompt": prompt, **{name: sum(values) / len(values) for name, values in each.items()}}
        for prompt, each in sums.items()
    ]
    return wide, columns


def _numbers(rows: Sequence[dict[str, Any]], column: str, path: Path) -> Array:
    return np.array([_number(row.get(column), column, number, path) for number, row in enumerate(rows, 1)])


def _number(value: Any, column: str, row: int, path: Path) -> float:
    if value is None or value == "":
        return float("nan")
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TwintrackError(f"{path}: row {row}, {column} is {str(value)[:40]!r}, not a number") from None


def _unit(scores: dict[str, Array]) -> float:
    """What the file's best mark is: 1, or 10 as judges give them, or whatever the highest is."""
    most = max((float(np.nanmax(each)) for each in scores.values() if np.isfinite(each).any()), default=1.0)
    return 1.0 if most <= 1 else 10.0 if most <= 10 else most


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _true(value: Any) -> bool:
    return value is True or (isinstance(value, str) and value.lower() in ("true", "1"))


def _some(columns: Sequence[str]) -> str:
    return ", ".join(columns[:8]) + (", …" if len(columns) > 8 else "")
