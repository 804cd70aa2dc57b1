"""Reads measured points: CSV files with the columns of the ML.ENERGY leaderboard or of MLPerf's result tables.

| columns | meaning |
|---|---|
| model_id, gpu, num_gpus, avg_batch (else max_num_seqs), output_tok_s | an engine at a known batch |
| model, accelerator, accelerators_per_node, nodes, scenario, result | a tuned engine as full as it gets |

More columns that are used where present: total_b, active_b, arch, weight_precision, ep, dp, task, avg_input_len,
avg_output_len, energy_j_per_output_token, avg_power_w; weight_dtype, division. Latencies are not read: they would give
the answer away.
"""

from __future__ import annotations

import csv
import functools
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import msgspec

from twintrack.catalog import architectures
from twintrack.catalog.gpus import Gpu, find_gpu, gpus, nearest_gpus
from twintrack.economics import memory, saturated, shape
from twintrack.economics.roofline import Setup
from twintrack.economics.saturated import Scenario
from twintrack.economics.shape import Shape
from twintrack.errors import TwintrackError

_OTHER_INPUT, _OTHER_OUTPUT = 300.0, 500.0
"""Tokens where neither file nor benchmark says: a chat."""
_BITS = {
    "bfloat16": 16.0, "bf16": 16.0, "float16": 16.0, "fp16": 16.0, "fp32": 16.0, "fp8": 8.0, "int8": 8.0,
    "fp4": 4.5, "nvfp4": 4.5, "mxfp4": 4.25, "int4": 4.5, "uint4": 4.5,
}  # fmt: skip


class Benchmark(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    input_tokens: float
    source: str
    as_of: str
    output_tokens: float = 0
    model: str = ""
    """Whose weights it runs."""


@dataclass(frozen=True, slots=True)
class Point:
    setup: Setup
    replicas: float
    """Engines of that kind that share the requests."""
    batch: float | None
    """Sequences running in each of them; None: as many as it can."""
    allowed: float | None
    """The most sequences it was configured to run; None: not said."""
    input_tokens: float
    output_tokens: float
    scenario: Scenario
    open_division: bool
    measured_tok_s: float | None
    """Output tokens per second of all of them together."""
    measured_j_per_token: float | None
    pair: str
    """Model and GPU: what is left out together."""


@functools.cache
def benchmarks() -> Mapping[str, Benchmark]:
    with open(os.path.join(os.path.dirname(__file__), "benchmarks.toml"), "rb") as file:
        rows = msgspec.convert(tomllib.load(file)["benchmarks"], tuple[Benchmark, ...])
    return MappingProxyType({row.name: row for row in rows})


def read(path: Path) -> list[Point]:
    """All points of a file, in its order.

    Raises:
        TwintrackError: no such file, neither layout, or a value that is none; names line and column.
    """
    points = []
    for row in rows(path):
        if isinstance(row, Unread):
            raise row.why
        points.append(row)
    return points


@dataclass(frozen=True, slots=True)
class Unread:
    """A row that nothing can be said of."""

    why: TwintrackError
    measured_tok_s: float | None


def rows(path: Path) -> list[Point | Unread]:
    """All rows of a file, in its order; one that cannot be used does not spoil the others.

    Raises:
        TwintrackError: no such file, or neither layout.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            table = csv.DictReader(file)
            columns = set(table.fieldnames or ())
            lines = list(table)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TwintrackError(f"{path} cannot be read", why=str(error)) from error
    if {"model_id", "gpu"} <= columns and columns & {"avg_batch", "max_num_seqs"}:
        reader = _engine_point
    elif {"model", "accelerator", "scenario"} <= columns:
        reader = _tuned_point
    else:
        raise TwintrackError(
            f"{path} has no measured points",
            why="it has neither the columns model_id, gpu and avg_batch nor model, accelerator and scenario",
            fix="See docs/plan.md for both layouts",
        )
    return [_either(reader, _Row(path, place, row)) for place, row in enumerate(lines, 2)]


def _either(reader: Callable[[_Row], Point], row: _Row) -> Point | Unread:
    try:
        return reader(row)
    except TwintrackError as error:
        return Unread(error, row.measured())


class _Row:
    """One line, whose values are asked for by column."""

    def __init__(self, path: Path, line: int, values: Mapping[str, str | None]) -> None:
        self._path, self._line, self._values = path, line, values

    def text(self, column: str) -> str:
        return (self._values.get(column) or "").strip()

    def number(self, column: str, *, least: float = 0.0) -> float | None:
        """None: the column is missing or empty."""
        text = self.text(column)
        if not text or text.upper() in ("N/A", "NA", "UNSET", "NONE"):
            return None
        try:
            value = float(text)
        except ValueError:
            raise self.wrong(column, "is no number") from None
        if not least <= value < 1e12:
            raise self.wrong(column, f"must be at least {least:g}")
        return value

    def measured(self) -> float | None:
        """As far as it can be read."""
        for column in ("output_tok_s", "result"):
            try:
                return float(self.text(column))
            except ValueError:
                continue
        return None

    def wrong(self, column: str, why: str, fix: str = "") -> TwintrackError:
        return TwintrackError(f"{self._path}:{self._line}: {column} is {self.text(column)!r}", why=why, fix=fix)


def _engine_point(row: _Row) -> Point:
    name = row.text("model_id")
    benchmark = benchmarks().get(row.text("task"))
    gpu = _gpu(row, "gpu")
    count = int(row.number("num_gpus", least=1) or 1)
    experts_over = int(row.number("ep") or 1)
    copies = int(row.number("dp") or 1)
    copies = copies if copies > 1 and experts_over <= 1 and count % copies == 0 else 1
    bits = _bits(row, "weight_precision") or 16.0
    setup = Setup(_shape(row, name), gpu, count // copies, bits, experts_shared_out=experts_over > 1)
    input_tokens = row.number("avg_input_len") or (benchmark.input_tokens if benchmark else _OTHER_INPUT)
    output_tokens = row.number("avg_output_len") or _OTHER_OUTPUT
    allowed = row.number("max_num_seqs")
    batch = row.number("avg_batch")
    if batch is None and allowed is not None:  # no more run than find room
        batch = min(allowed, max(memory.fit(setup, 1, input_tokens + output_tokens).most_sequences * copies, 1.0))
    return Point(
        setup=setup,
        replicas=copies,
        batch=None if batch is None else batch / copies,
        allowed=allowed,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        scenario="offline",
        open_division=False,
        measured_tok_s=row.number("output_tok_s"),
        measured_j_per_token=row.number("energy_j_per_output_token"),
        pair=f"{name} on {gpu.name}",
    )


def _tuned_point(row: _Row) -> Point:
    name = row.text("model")
    benchmark = _benchmark(name)
    gpu = _gpu(row, "accelerator")
    count = (row.number("accelerators_per_node", least=1) or 1) * (row.number("nodes", least=1) or 1)
    if "dual" in row.text("accelerator").lower():  # cards with two GPUs each
        count *= 2
    bits = _bits(row, "weight_dtype") or _bits_in(name) or 16.0
    bits = _BITS["fp4"] if bits < 5 else bits  # tuned engines multiply at the width they store
    total = re.search(r"(\d+(?:\.\d+)?)b", name.lower())
    known = shape.find(benchmark.model if benchmark is not None and benchmark.model else name)
    if known is None and total is None:
        raise row.wrong("model", "neither the catalogue nor the benchmarks know it, and its name does not say its size")
    form = known or shape.guess(name, float(total[1]) if total else 0.0)
    together = saturated.spread(form, gpu, bits)
    scenario = row.text("scenario").lower()
    if scenario not in ("offline", "server", "interactive"):
        raise row.wrong("scenario", "use Offline, Server or Interactive")
    return Point(
        setup=Setup(form, gpu, together, bits, kv_bytes_per_value=1.0 if bits <= 8 else 2.0),
        replicas=count / together,
        batch=None,
        allowed=None,
        input_tokens=benchmark.input_tokens if benchmark else _OTHER_INPUT,
        output_tokens=benchmark.output_tokens if benchmark else _OTHER_OUTPUT,
        scenario=scenario,  # type: ignore[arg-type]
        open_division=row.text("division").lower() == "open",
        measured_tok_s=row.number("result"),
        measured_j_per_token=None,
        pair=f"{name.removesuffix('.9')} on {gpu.name}",
    )


def _benchmark(model: str) -> Benchmark | None:
    """By the longest name that the model's begins with: MLPerf adds accuracies, and the open division its methods."""
    word = model.lower().replace("_", ".")
    fitting = [row for name, row in benchmarks().items() if row.output_tokens and word.startswith(name)]
    return max(fitting, key=lambda row: len(row.name), default=None)


def _shape(row: _Row, name: str) -> Shape:
    total, active = row.number("total_b"), row.number("active_b")
    known = architectures.find(name)
    if known is not None:
        return shape.of(known)
    if total is None:
        size = re.search(r"(\d+(?:\.\d+)?)b", name.lower())
        if size is None:
            raise row.wrong("model_id", "the catalogue does not know it", "Add columns total_b and active_b")
        total = float(size[1])
    return shape.guess(name, total, active, recurrent="mamba" in row.text("arch").lower())


def _bits(row: _Row, column: str) -> float | None:
    word = row.text(column).lower()
    if not word or word == "unset":
        return None
    if word not in _BITS:
        raise row.wrong(column, f"use one of {', '.join(_BITS)}")
    return _BITS[word]


def _bits_in(name: str) -> float | None:
    words = re.split(r"[^a-z0-9]+", name.lower())
    return next((_BITS[word] for word in words if word in _BITS), None)


def _gpu(row: _Row, column: str) -> Gpu:
    text = row.text(column)
    found = find_gpu(text) or _contained(text)
    if found is None:
        close = nearest_gpus(text)
        raise row.wrong(column, "the catalogue has no such GPU", f"Did you mean {close[0]}?" if close else "")
    return found


def _contained(text: str) -> Gpu | None:
    """A GPU whose spelling stands somewhere in `text`, the longest first."""
    plain = f" {_plain(text)} "
    spellings: Iterable[tuple[str, Gpu]] = (
        (_plain(word), gpu) for gpu in gpus().values() for word in (gpu.name, gpu.title, *gpu.aliases)
    )
    fitting = [(spelling, gpu) for spelling, gpu in spellings if spelling and f" {spelling} " in plain]
    return max(fitting, key=lambda pair: len(pair[0]), default=(None, None))[1]


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
