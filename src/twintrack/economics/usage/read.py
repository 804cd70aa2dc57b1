"""Reads an export, an invoice or a log: CSV, JSON or one JSON object a line. What cannot be used is added up."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from twintrack.catalog import models
from twintrack.economics.inputs import BadWorkload
from twintrack.economics.usage.formats import Format, Invoice, layout_names, of

_MOST_BYTES = 512_000_000
_CELLS_KEPT = 200_000
"""Lengths of single requests that are kept for the histogram."""


@dataclass(slots=True)
class Unmatched:
    lines: int = 0
    usd: float = 0.0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Usage:
    """Sums over a file."""

    layout: str
    rows: int = 0
    requests: float | None = 0.0
    """None: it does not say how many."""
    input_tokens: float = 0.0
    """Cached ones included."""
    cached_tokens: float = 0.0
    output_tokens: float = 0.0
    usd: float = 0.0
    first: datetime.datetime | None = None
    last: datetime.datetime | None = None
    by_hour: dict[int, float] = field(default_factory=dict)
    """Requests by hour since 1970, where rows have a time of day."""
    has_hours: bool = False
    by_model: dict[str, float] = field(default_factory=dict)
    """Tokens."""
    lengths: list[tuple[float, float]] = field(default_factory=list)
    """Input and output tokens of single requests."""
    unmatched: Unmatched = field(default_factory=Unmatched)


def read(path: Path) -> Usage:
    """Everything in a file.

    Raises:
        BadWorkload: it cannot be read, or is of no known layout.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise BadWorkload(f"{path} is larger than {_MOST_BYTES // 10**6:,} MB", fix="Export a shorter time")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadWorkload(f"{path} cannot be read", why=str(error)) from error
    rows = _rows(path, text)
    if not rows:
        raise BadWorkload(f"{path} has no rows")
    columns = {name.lower(): name for row in rows[:50] for name in row}
    layout = of(columns)
    if layout is None:
        known = ", ".join(layout_names())
        raise BadWorkload(
            f"{path} is of no known layout", why=f"its columns are {', '.join(list(columns.values())[:12])}",
            fix=f"Known are: {known}. A log needs input_tokens and output_tokens, and a timestamp",
        )  # fmt: skip
    usage = Usage(layout.name)
    for row in rows:
        lower = {name.lower(): value for name, value in row.items()}
        if isinstance(layout, Format):
            _take(usage, layout, lower)
        else:
            _take_line(usage, layout, lower)
    if not usage.rows:
        raise BadWorkload(
            f"{path}: no line of {layout.name} speaks of tokens",
            why=f"{usage.unmatched.lines:,} lines, {usage.unmatched.usd:,.2f} USD, as {usage.unmatched.examples[:3]}",
        )
    return usage


def _rows(path: Path, text: str) -> list[dict[str, Any]]:
    start = text.lstrip()[:1]
    try:
        if start == "[":
            return [_flat(row) for row in msgspec.json.decode(text) if isinstance(row, dict)]
        if start == "{":
            lines = [msgspec.json.decode(line) for line in text.splitlines() if line.strip()]
            if len(lines) == 1 and isinstance(lines[0].get("data"), list):
                return _buckets(lines[0]["data"])
            return [_flat(row) for row in lines if isinstance(row, dict)]
    except msgspec.DecodeError as error:
        try:  # one object over many lines
            whole = msgspec.json.decode(text)
        except msgspec.DecodeError:
            raise BadWorkload(f"{path} is no JSON", why=str(error)) from error
        data = whole.get("data") if isinstance(whole, dict) else None
        return _buckets(data) if isinstance(data, list) else [_flat(whole)]
    try:
        dialect = csv.Sniffer().sniff(text[:4096], ",;\t")
    except csv.Error:
        dialect = csv.excel
    return [{k: v for k, v in row.items() if k} for row in csv.DictReader(io.StringIO(text), dialect=dialect)]


def _buckets(data: list[Any]) -> list[dict[str, Any]]:
    """The answers of usage APIs: buckets of time, each with results."""
    rows = []
    for bucket in data:
        if not isinstance(bucket, dict):
            continue
        results = bucket.get("results") or bucket.get("result")
        if isinstance(results, list):
            outer = {name: value for name, value in bucket.items() if not isinstance(value, list | dict)}
            rows += [{**outer, **_flat(result)} for result in results if isinstance(result, dict)]
        else:
            rows.append(_flat(bucket))
    return rows


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Objects inside become columns: {"amount": {"value": 1}} is amount_value."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, dict):
            for inner, each in value.items():
                flat.setdefault(inner if name == "usage" else f"{name}_{inner}", each)
                if name == "metadata":
                    flat.setdefault(inner, each)
        else:
            flat[name] = value
    return flat


def _take(usage: Usage, layout: Format, row: Mapping[str, Any]) -> None:
    into, out = _number(row, layout.input, signed=True), _number(row, layout.output, signed=True)
    usd = _number(row, layout.spent) or 0.0
    if into is None or out is None or into < 0 or out < 0:
        _unmatched(usage, row, usd)
        return
    if not into + out:
        if usd:
            _unmatched(usage, row, usd)
        return
    into += sum(_number(row, (name,)) or 0.0 for name in layout.more_input)
    cached = _number(row, layout.cached) or 0.0
    if layout.cached_apart:
        into += cached
    said = any(name.lower() in row for name in layout.requests)
    requests = _number(row, layout.requests) if said else 1.0 if layout.row_is_request else None
    _add(usage, row, layout.time, requests, usd)
    usage.input_tokens += into
    usage.cached_tokens += min(cached, into)
    usage.output_tokens += out
    name = _model(_text(row, layout.model))
    usage.by_model[name] = usage.by_model.get(name, 0.0) + into + out
    if requests == 1.0 and len(usage.lengths) < _CELLS_KEPT:
        usage.lengths.append((into, out))


_OUTPUT = re.compile(r"output|completion|outp|opt\b|-out|response", re.I)
_CACHED = re.compile(r"cache[- _]?(?:d|read|hit)|cchd|cachedinp|cd[- ]?inp", re.I)
_INPUT = re.compile(r"input|prompt|inp\b|inp-|-in\b|cache[- _]?(?:write|creation)", re.I)
_TOKENS = re.compile(r"token|inp|outp|input|output", re.I)


def _take_line(usage: Usage, layout: Invoice, row: Mapping[str, Any]) -> None:
    text = " ".join(filter(None, (str(row.get(name.lower()) or "") for name in layout.text)))
    usd = _number(row, layout.spent) or 0.0
    quantity = _number(row, layout.quantity)
    kind = _kind(text)
    if kind is None or not quantity or not _TOKENS.search(text):
        if usd or quantity:
            _unmatched(usage, {"line": text}, usd)
        return
    tokens = quantity * _per_unit(_text(row, layout.unit), layout.tokens)
    _add(usage, row, layout.time, None, usd)
    if kind == "output":
        usage.output_tokens += tokens
    else:
        usage.input_tokens += tokens
        usage.cached_tokens += tokens if kind == "cached" else 0.0
    name = _model(text)
    usage.by_model[name] = usage.by_model.get(name, 0.0) + tokens


def _kind(text: str) -> str | None:
    if _OUTPUT.search(text):
        return "output"
    if _CACHED.search(text):
        return "cached"
    return "input" if _INPUT.search(text) else None


def _per_unit(unit: str, usual: float) -> float:
    words = unit.lower().replace(",", "")
    found = re.search(r"(\d+(?:\.\d+)?)\s*(k|m|thousand|million)?", words)
    if found and (found[2] or float(found[1]) >= 1):
        scale = {"k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6}.get(found[2] or "", 1.0)
        return float(found[1]) * scale
    return usual


def _add(usage: Usage, row: Mapping[str, Any], time: tuple[str, ...], requests: float | None, usd: float) -> None:
    usage.rows += 1
    usage.usd += usd
    usage.requests = None if requests is None or usage.requests is None else usage.requests + requests
    moment = _moment(row, time)
    if moment is None:
        return
    usage.first = moment if usage.first is None else min(usage.first, moment)
    usage.last = moment if usage.last is None else max(usage.last, moment)
    hour = int(moment.timestamp() // 3600)
    usage.by_hour[hour] = usage.by_hour.get(hour, 0.0) + (requests or 0.0)
    usage.has_hours = usage.has_hours or (moment.hour, moment.minute, moment.second) != (0, 0, 0)


def _unmatched(usage: Usage, row: Mapping[str, Any], usd: float) -> None:
    usage.unmatched.lines += 1
    usage.unmatched.usd += usd
    if len(usage.unmatched.examples) < 5:
        usage.unmatched.examples.append(", ".join(str(value) for value in list(row.values())[:4] if value)[:80])


def _text(row: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return next((str(row[name.lower()]) for name in names if row.get(name.lower())), "")


def _number(row: Mapping[str, Any], names: tuple[str, ...], *, signed: bool = False) -> float | None:
    for name in names:
        value = row.get(name.lower())
        if value is None or value == "":
            continue
        try:
            number = float(str(value).replace(",", "").replace("$", ""))
        except ValueError:
            continue
        if number == number and abs(number) < 1e18:
            return number if signed else max(number, 0.0)
    return None


def _moment(row: Mapping[str, Any], names: tuple[str, ...]) -> datetime.datetime | None:
    text = _text(row, names).strip()
    if not text:
        return None
    if re.fullmatch(r"\d{9,13}(\.\d+)?", text):
        seconds = float(text)
        return datetime.datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, datetime.UTC)
    american = re.fullmatch(r"(\d\d?)/(\d\d?)/(\d{4})", text)
    if american:
        text = f"{american[3]}-{int(american[1]):02}-{int(american[2]):02}"
    try:
        moment = datetime.datetime.fromisoformat(text.replace(" UTC", "+00:00").replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)


def _model(text: str) -> str:
    """A catalogue name that the text is or holds, the longest; else the text."""
    exact = models.resolve(text.rpartition("/")[2]) if text else None
    if exact is not None:
        return exact.name
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower())
    fitting = [name for name in models.models() if f"-{re.sub(r'[^a-z0-9]+', '-', name)}-" in f"-{plain}-"]
    return max(fitting, key=len, default=text or "unknown")
