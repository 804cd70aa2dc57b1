"""Inputs out of what was counted: an export, or the gateway's own ledger."""

from __future__ import annotations

import datetime
import itertools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from twintrack.economics.amounts import count, usd
from twintrack.economics.inputs import BadWorkload, Input, assumed, given
from twintrack.economics.usage.read import Usage
from twintrack.economics.workload import DAYS_PER_MONTH, Cell, Counted
from twintrack.ledger.entries import Attempt, recent
from twintrack.ledger.summary import summary

_LEAST_HOURS = 24
_EDGES = (0, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, math.inf)
"""Of the histogram of lengths, in tokens."""


def from_usage(usage: Usage, source: str) -> Counted:
    """Raises BadWorkload where the file does not say over which time it is."""
    if usage.first is None or usage.last is None:
        raise BadWorkload(f"{source} has no times", why="a volume a day needs them", fix="Add a timestamp to each row")
    days = max(math.ceil((usage.last - usage.first).total_seconds() / 86400 + 1e-9), 1)
    if not usage.has_hours:
        days = (usage.last.date() - usage.first.date()).days + 1
    where = f"{source} ({usage.layout}, {days} days)"
    if usage.requests:
        each_in, each_out = usage.input_tokens / usage.requests, usage.output_tokens / usage.requests
        inputs = {
            "requests_per_day": _measured("requests_per_day", usage.requests / days, where),
            "input_tokens": _measured("input_tokens", max(each_in, 1), where),
        }
    else:  # an invoice counts tokens only: the length of a request stays assumed, its mix and the volume do not
        usual = assumed("input_tokens")
        each_out = usual.value * usage.output_tokens / max(usage.input_tokens, 1.0)
        per_day = max(usage.input_tokens / days / usual.value, 1.0)
        inputs = {"requests_per_day": _measured("requests_per_day", per_day, f"{where}; requests of assumed length")}
    inputs["output_tokens"] = _measured("output_tokens", max(each_out, 1), where)
    if usage.input_tokens:
        inputs["cached_share"] = _measured("cached_share", min(usage.cached_tokens / usage.input_tokens, 0.99), where)
    if usage.has_hours and usage.requests and len(usage.by_hour) >= _LEAST_HOURS:
        inputs["peak_to_mean"] = _measured("peak_to_mean", _peak(usage.by_hour), where)
    names = sorted(usage.by_model, key=lambda name: -usage.by_model[name])
    notes = [
        f"{source}: {usage.rows:,} lines of {usage.layout} over {days} days, {count(usage.input_tokens)} tokens in, "
        f"{count(usage.output_tokens)} out" + (f", {usd(usage.usd)}" if usage.usd else "")
        + (f", that is {usd(usage.usd / days * DAYS_PER_MONTH)} a month." if usage.usd else "."),
    ]  # fmt: skip
    if usage.unmatched.lines:
        notes.append(
            f"{source}: {usage.unmatched.lines:,} lines with {usd(usage.unmatched.usd)} are no tokens of a model and "
            f"not in the plan, as: {'; '.join(usage.unmatched.examples[:3])}."
        )
    return Counted(inputs, _histogram(usage.lengths), tuple(names), tuple(notes))


def from_ledger(path: Path, since_us: int | None = None) -> Counted:
    """What the gateway counted: lengths, cache hits, peak, retries, and how much went to other than the dearest tier.

    Raises:
        BadWorkload: it has no finished request.
        LedgerError: it cannot be read.
    """
    hours = summary(path, ("hour",), since_us)
    total = hours.total
    if not total.ok or not hours.rows:
        raise BadWorkload(
            "The ledger has no finished request",
            why="those of the demo and of other simulated providers do not count" if hours.simulated else "",
            fix="Send some, or say --workload",
        )
    counted = {_hour(row.group["hour"]): float(row.requests) for row in hours.rows}
    span = max(counted) - min(counted) + 1
    days = max(span / 24, 1 / 24)
    where = f"the ledger, {total.requests:,} requests over {span:,} hours"
    answered = max(total.ok + total.client_left, 1)
    cached = total.cache_read_tokens / max(total.input_tokens, 1)
    retried = max((total.attempts - total.set_aside) / max(total.requests - total.refused, 1) - 1, 0.0)
    inputs = {
        "requests_per_day": _measured("requests_per_day", max(total.requests / days, 1), where),
        "input_tokens": _measured("input_tokens", max(total.input_tokens / answered, 1), where),
        "output_tokens": _measured("output_tokens", max(total.output_tokens / answered, 1), where),
        "cached_share": _measured("cached_share", min(cached, 0.99), where),
        "retry_share": _measured("retry_share", min(retried, 1.0), where),
    }
    if len(counted) >= _LEAST_HOURS:
        inputs["peak_to_mean"] = _measured("peak_to_mean", _peak(counted), where)
    easy = _easy_share(path, since_us)
    if easy is not None:
        inputs["easy_share"] = _measured("easy_share", easy, where)
    lengths = [
        (float(entry.input_tokens), float(entry.output_tokens))
        for entry in recent(path, 5000)
        if isinstance(entry, Attempt) and entry.input_tokens and entry.output_tokens and not entry.simulated
    ]
    models = summary(path, ("model",), since_us).rows
    names = sorted(models, key=lambda row: -(row.input_tokens + row.output_tokens))
    notes = [f"From {where}: {total.input_tokens:,} tokens in, {total.output_tokens:,} out."]
    if total.cost_nusd is not None:
        spent = total.cost_nusd / 1e9
        notes.append(f"They cost {usd(spent)} so far, {usd(spent / days * DAYS_PER_MONTH)} a month.")
    return Counted(inputs, _histogram(lengths), tuple(str(row.group["model"]) for row in names), tuple(notes))


def _hour(word: str | None) -> int:
    """Hours since 1970 of what the ledger calls an hour."""
    moment = datetime.datetime.strptime(word or "1970-01-01T00", "%Y-%m-%dT%H").replace(tzinfo=datetime.UTC)
    return int(moment.timestamp() // 3600)


def _easy_share(path: Path, since_us: int | None) -> float | None:
    """Of routed requests, those that a cheaper tier than the dearest answered; None: there was one tier only."""
    tiers = [row for row in summary(path, ("tier",), since_us).rows if row.group["tier"] and row.ok]
    if len(tiers) < 2:
        return None
    dearest = max(tiers, key=lambda row: (row.cost_nusd or 0) / max(row.input_tokens + row.output_tokens, 1))
    return 1 - dearest.requests / max(sum(row.requests for row in tiers), 1)


def _measured(name: str, value: float, source: str) -> Input:
    return given(name, value, origin="measured", source=source)


def _peak(by_hour: Mapping[int, float]) -> float:
    """The busiest hour in twenty against the mean, hours with nobody counted."""
    first, last = min(by_hour), max(by_hour)
    counted = sorted(by_hour.get(hour, 0.0) for hour in range(first, last + 1))
    mean = sum(counted) / len(counted)
    return max(counted[min(math.ceil(0.95 * len(counted)), len(counted)) - 1] / mean, 1.0) if mean > 0 else 1.0


def _histogram(lengths: Sequence[tuple[float, float]]) -> tuple[Cell, ...]:
    """Cells of about one length of input, each with its own means; empty: no single request is known."""
    if len(lengths) < 20:
        return ()
    cells = []
    for low, high in itertools.pairwise(_EDGES):
        inside = [(into, out) for into, out in lengths if low <= into < high]
        if inside:
            share = len(inside) / len(lengths)
            cells.append(Cell(sum(i for i, _ in inside) / len(inside), sum(o for _, o in inside) / len(inside), share))
    return tuple(cells)
