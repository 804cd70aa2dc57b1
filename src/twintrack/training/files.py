"""Files of outcomes: for each prompt, how several models did on it. Parquet, JSON lines or CSV, one row a prompt.

    id, task        optional; `task` (family/sub-task) is for a baseline only and never shown to the router
    prompt          what a router would see: a text, or a conversation as a list of {role, content}
    s:<model>       score from 0 to 1, or true and false (a judge's 1 to 10 is brought there); empty: not run
    n:<model>       characters of its answer
    cost:<model>    US dollars for the call
    a:<model>, gold the model's final answer and the right one, instead of scores

Verdicts on single answers may come as rows of `prompt, model, score` instead. Rows without a prompt are left out, and
so are those that the source marks as `contaminated`. What is no file, as a pipe, is read as JSON lines; `-` is stdin.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twintrack.errors import MissingExtra, TwintrackError, nearest
from twintrack.training.asked import asked, chars, text_of
from twintrack.training.design import Array
from twintrack.wire.prompt import Prompt

FORMS = (".parquet", ".jsonl", ".ndjson", ".csv")
_MEANS = {"true": 1.0, "false": 0.0}
_MARKS = (1.0, 5.0, 10.0, 100.0)
"""Best marks that scales have."""
_SAME_SCALE = 20
"""Scores of a model from which it would have had one above 1 on a scale that goes beyond."""


@dataclass(frozen=True)
class Outcomes:
    name: str
    """The file's, without its ending."""
    prompts: list[str]
    """What tells each from the others."""
    tasks: list[str] | None
    scores: dict[str, Array]
    """Shape (n,) each; NaN where the model was not run."""
    answer_chars: dict[str, Array]
    costs_usd: dict[str, Array]
    answers: dict[str, list[str | None]]
    gold: list[str | None] | None
    dropped: int
    """Rows left out: without a prompt, or marked as contaminated by the source."""
    best_mark: float = 1.0
    """Of the file's own scale, which scores were divided by."""
    read: list[str | Prompt] | None = None
    """Prompts as routing reads them, the turns of conversations told apart; None: all are single questions."""

    @property
    def asked(self) -> Sequence[str | Prompt]:
        return self.prompts if self.read is None else self.read

    @property
    def prompt_chars(self) -> Array:
        """Shape (n,), of all turns."""
        return np.array([chars(each) for each in self.asked], float)

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
        raise TwintrackError(
            f"{path} has no column prompt",
            why=f"it has {_some(columns)}",
            fix=f"{_apart(columns)}docs/learning.md says what a row holds.",
        )
    if not any(each[:2] in ("s:", "a:") for each in columns):
        if not {"model", "score"} <= set(columns):
            raise TwintrackError(
                f"{path} holds no outcomes",
                why=f"its columns are {_some(columns)}",
                fix="Give scores as columns s:MODEL, or rows of prompt, model, score.",
            )
        rows, columns = _one_row_a_prompt(rows, path)
    kept, found = [], []
    for number, row in enumerate(rows, 1):
        if row.get("prompt") not in (None, "", []) and not _true(row.get("contaminated")):
            kept.append(row)
            found.append(asked(row["prompt"], f"{path}: row {number}"))
    gold = [_text(row.get("gold")) for row in kept] if "gold" in columns else None
    answers = {each[2:]: [_text(row.get(each)) for row in kept] for each in columns if each.startswith("a:")}
    scores = {each[2:]: _numbers(kept, each, path) for each in columns if each.startswith("s:")}
    if gold is None and not scores:
        raise TwintrackError(
            f"{path} holds answers (a:MODEL) and does not say which are right",
            fix="Add the right ones as a column gold, or scores as columns s:MODEL.",
        )
    if gold is not None:
        for model, said in answers.items():
            # Where nobody knows the right answer there is no verdict; no answer is a wrong one.
            right = [np.nan if true is None else float(mine == true) for mine, true in zip(said, gold, strict=True)]
            scores.setdefault(model, np.array(right))
    mark = _best_mark(scores, path)
    return Outcomes(
        "stdin" if str(path) == "-" else path.stem,
        [text_of(each) for each in found],
        [str(row["task"]) for row in kept] if "task" in columns else None,
        {model: values / mark for model, values in scores.items()},
        {each[2:]: _numbers(kept, each, path) for each in columns if each.startswith("n:")},
        {each[5:]: _numbers(kept, each, path) for each in columns if each.startswith("cost:")},
        answers,
        gold,
        len(rows) - len(kept),
        mark,
        found,
    )


def read_rows(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows and the names of their columns; of a pipe, and of `-`, which is stdin, as JSON lines.

    Raises what `read_outcomes` does.
    """
    if str(path) == "-":
        path = Path("/dev/stdin")
    if path.is_dir() or not path.exists():
        raise TwintrackError(f"There is no file {path}")
    piped, ending = not path.is_file(), path.suffix.lower()
    if not piped and ending not in FORMS and not path.is_relative_to("/dev"):
        raise TwintrackError(f"{path.name} is of no known form", fix=f"Use {', '.join(FORMS)}.")
    try:
        if ending == ".parquet":
            rows, columns = _parquet(path)
        elif ending == ".csv":
            rows, columns = _csv(path)
        else:
            rows, columns = _json_lines(path)
    except UnicodeDecodeError as error:
        raise TwintrackError(f"{path} is not UTF-8", why=str(error), fix="Save it as UTF-8.") from None
    except OSError as error:
        raise TwintrackError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    if not columns:
        raise TwintrackError(f"{path} is empty", fix="See docs/learning.md for what a row holds.")
    return rows, columns


def _json_lines(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    rows = []
    # Only "\n" ends a line: JSON may hold the other marks that Python splits lines at.
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except RecursionError:
                raise TwintrackError(f"{path}:{number} is nested too deeply") from None
            except ValueError as error:
                raise TwintrackError(f"{path}:{number} is not JSON", why=str(error)) from None
            if not isinstance(row, dict):
                raise TwintrackError(f"{path}:{number} is not a JSON object", fix="Write one object a line.")
            rows.append(row)
    return rows, list(dict.fromkeys(name for row in rows for name in row))


def _csv(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    before = csv.field_size_limit(sys.maxsize)  # a prompt may be as long as it likes
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            rows, columns = list(reader), list(reader.fieldnames or ())
    except csv.Error as error:
        raise TwintrackError(f"{path} cannot be read as CSV", why=str(error)) from None
    finally:
        csv.field_size_limit(before)
    for number, row in enumerate(rows, 1):
        if None in row:
            raise TwintrackError(
                f"{path}: row {number} has more fields than there are columns",
                fix="Put texts that hold commas or line breaks into quotes.",
            )
    return rows, columns


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
        return table.to_pylist(), list(table.column_names)
    except (OSError, ValueError) as error:
        raise TwintrackError(f"{path} cannot be read as parquet", why=str(error).splitlines()[0]) from None


def _one_row_a_prompt(rows: list[dict[str, Any]], path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of prompt, model, score as rows of prompt, s:model…; several verdicts on the same are averaged."""
    sums: dict[str, dict[str, list[float]]] = {}
    prompts: dict[str, Any] = {}
    for number, row in enumerate(rows, 1):
        if row.get("prompt") in (None, "", []) or row.get("model") in (None, "") or row.get("score") in (None, ""):
            raise TwintrackError(f"{path}: row {number} lacks prompt, model or score")
        # A conversation is no key of a dictionary; its words are.
        key = str(row["prompt"])
        prompts[key] = row["prompt"]
        sums.setdefault(key, {}).setdefault(f"s:{row['model']}", []).append(
            _number(row["score"], "score", number, path)
        )
    columns = ["prompt", *sorted({name for each in sums.values() for name in each})]
    wide: list[dict[str, Any]] = [
        {"prompt": prompts[key], **{name: sum(values) / len(values) for name, values in each.items()}}
        for key, each in sums.items()
    ]
    return wide, columns


def _numbers(rows: Sequence[dict[str, Any]], column: str, path: Path) -> Array:
    return np.array([_number(row.get(column), column, number, path) for number, row in enumerate(rows, 1)])


def _number(value: Any, column: str, row: int, path: Path) -> float:
    """NaN where there is none."""
    if value is None or value == "":
        return float("nan")
    try:
        number = _MEANS[value.lower()] if isinstance(value, str) and value.lower() in _MEANS else float(value)
    except (TypeError, ValueError):
        raise TwintrackError(f"{path}: row {row}, {column} is {str(value)[:40]!r}, not a number") from None
    except OverflowError:
        number = float("inf")
    if number < 0 or number == float("inf"):
        raise TwintrackError(
            f"{path}: row {row}, {column} is {number:g}",
            fix="Scores run from 0 to 1, or from 0 to the best mark; counts and dollars are never negative.",
        )
    return number


def _best_mark(scores: dict[str, Array], path: Path) -> float:
    """Raises TwintrackError: some models were given shares and others marks, so no one divisor is right."""
    best = {model: float(np.nanmax(each)) for model, each in scores.items() if np.isfinite(each).any()}
    highest = max(best, key=best.__getitem__, default="")
    most = best.get(highest, 1.0)
    if most > 1:
        for model, mine in best.items():
            if mine <= 1 and np.isfinite(scores[model]).sum() >= _SAME_SCALE:
                raise TwintrackError(
                    f"{path}: scores of {highest} go up to {most:g}, those of {model} to {mine:g}",
                    why="All scores of a file are on one scale",
                    fix="Give shares from 0 to 1, or marks for every model; a score that is out of its scale is wrong.",
                )
    return next((mark for mark in _MARKS if most <= mark), most)


def _text(value: Any) -> str | None:
    """One spelling: 18.0, as a column of numbers with gaps has it, is 18."""
    if isinstance(value, float):
        value = None if value != value else int(value) if value.is_integer() else value
    return None if value is None or value == "" else str(value)


def _true(value: Any) -> bool:
    return str(value).lower() in ("true", "1", "1.0")


def _some(columns: Sequence[str]) -> str:
    return ", ".join(columns[:8]) + (", …" if len(columns) > 8 else "")


def _apart(columns: Sequence[str]) -> str:
    """What to do where the whole head is one column."""
    one = columns[0] if len(columns) == 1 else ""
    return "Separate fields by commas. " if any(mark in one for mark in ";\t|") else ""
