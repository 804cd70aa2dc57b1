"""The ledger's sums as a headline and a table: what was asked, spent and saved in a few spans of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from twintrack.control.words import count, many, quantiles, share, short, signed, usd
from twintrack.ledger.summary import Summary
from twintrack.ledger.tally import Line, Savings

Tone = Literal["", "gain", "loss"]


@dataclass(frozen=True, slots=True)
class Books:
    """One span of time; either everything real or everything simulated."""

    name: str
    """As a column is called."""
    when: str
    """As a sentence says it."""
    line: Line
    idle_nusd: int
    """Of own engines; 0 with `engines` False."""
    engines: bool
    """Some engine was paid by the hour."""


@dataclass(frozen=True, slots=True)
class Cell:
    value: str
    notes: tuple[str, ...] = ()
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class Share:
    """What went to one tier of a route."""

    route: str
    """Empty: the client named a deployment."""
    tier: str
    requests: str
    cost: str
    saved: str
    tone: Tone


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    explained: str
    cells: tuple[Cell, ...]


def real(name: str, when: str, found: Summary) -> Books:
    return Books(name, when, found.total, found.idle_nusd, bool(found.idle))


def simulated(name: str, when: str, found: Summary) -> Books | None:
    """None: there is nothing simulated."""
    if found.simulated_total is None:
        return None
    idle_nusd = sum(engine.idle_nusd for engine in found.simulated_idle)
    return Books(name, when, found.simulated_total, idle_nusd, bool(found.simulated_idle))


def headline(books: Books) -> list[str]:
    """What an owner wants to know first, in at most three sentences."""
    line = books.line
    if not line.requests and not line.attempts:
        idle = f" Engines that waited for one cost {usd(books.idle_nusd)}." if books.idle_nusd else ""
        return [f"No request was finished {books.when}.{idle}"]
    asked = f"{many(line.requests, 'request')} {books.when}"
    if line.cost_nusd is None or (line.cost_unknown and not line.cost_nusd):  # a failure's nothing is no sum
        return [f"{asked}; what they cost is unknown."]
    idle = ", idle engines included" if books.idle_nusd else ""
    without = f", {many(line.cost_unknown, 'attempt')} of unknown cost left out" if line.cost_unknown else ""
    sentences = [f"{asked} cost {usd(line.cost_nusd + books.idle_nusd)}{idle}{without}."]
    savings = line.savings
    if savings is None:
        return [*sentences, "What routing saved is unknown."] if line.attempts else sentences
    net = savings.nusd - books.idle_nusd
    if net == 0:
        return [*sentences, "That is what the baseline would have cost."]
    than = "less" if net > 0 else "more"
    return [*sentences, f"That is {usd(abs(net))} {than} than the baseline{_doubt(savings, books)}."]


def _doubt(savings: Savings, books: Books) -> str:
    """The interval in words, of what is left after idle engines."""
    if savings.low_nusd is None or savings.high_nusd is None:
        return ""
    low, high = savings.low_nusd - books.idle_nusd, savings.high_nusd - books.idle_nusd
    if low == high:
        return ""
    if low <= 0 <= high:
        return f", which may be chance: the 95\u00a0% interval is {signed(low)} to {signed(high)} saved"
    least, most = sorted((abs(low), abs(high)))
    return f", with 95\u00a0% confidence between {usd(least)} and {usd(most)}"


def rows(spans: Sequence[Books]) -> list[Row]:
    """The table: one column a span. Lines that say nothing in any of them are left out."""
    table = [
        Row("Requests", "", tuple(_requests(each) for each in spans)),
        Row("Cost", "of answered and failed attempts", tuple(_cost(each.line) for each in spans)),
        Row("Baseline", "the same tokens on the last tier", tuple(_baseline(each.line) for each in spans)),
        Row("Saved", "baseline less cost, where both are known", tuple(_saved(each.line) for each in spans)),
    ]
    if any(each.engines for each in spans):
        table.append(Row("Idle engines", "paid by the hour, used by nobody", tuple(_idle(each) for each in spans)))
        table.append(Row("Saved, net", "less idle engines", tuple(_net(each) for each in spans)))
    return [
        *table,
        Row("Tokens", "in and out", tuple(_tokens(each.line) for each in spans)),
        Row(
            "First token",
            "median, and 95 % within",
            tuple(Cell(quantiles(each.line.ttft_p50_ms, each.line.ttft_p95_ms)) for each in spans),
        ),
        Row(
            "Whole answer",
            "median, and 95 % within",
            tuple(Cell(quantiles(each.line.total_p50_ms, each.line.total_p95_ms)) for each in spans),
        ),
        Row("Failures", "attempts", tuple(_failures(each.line) for each in spans)),
    ]


def shares(lines: Sequence[Line]) -> list[Share]:
    """Where requests went, most first; `lines` are by route and tier. Refused ones went nowhere."""
    return [
        Share(
            route=line.group["route"] or "",
            tier=line.group["tier"] or "",
            requests=count(line.requests),
            cost=usd(line.cost_nusd),
            saved=usd(None) if line.savings is None else signed(line.savings.nusd),
            tone="" if line.savings is None else _tone(line.savings.nusd),
        )
        for line in sorted(lines, key=lambda line: -line.requests)
        if line.attempts
    ]


def _requests(books: Books) -> Cell:
    line = books.line
    notes = []
    if line.refused:
        notes.append(f"{count(line.refused)} refused")
    if line.client_left:
        notes.append(f"{count(line.client_left)} left by their client")
    return Cell(count(line.requests), tuple(notes))


def _cost(line: Line) -> Cell:
    notes = []
    if line.hourly_nusd:
        notes.append(f"{usd(line.hourly_nusd)} of it engine time")
    if line.cost_unknown and line.cost_nusd is not None:
        notes.append(f"and {many(line.cost_unknown, 'attempt')} of unknown cost")
    if line.estimated:
        notes.append(f"{usd(line.estimated_nusd)} predicted for {count(line.estimated)} of them, to reconcile")
    return Cell(usd(line.cost_nusd), tuple(notes))


def _baseline(line: Line) -> Cell:
    unknown = line.baseline_unknown and line.baseline_nusd is not None
    return Cell(usd(line.baseline_nusd), (f"{many(line.baseline_unknown, 'attempt')} without one",) if unknown else ())


def _saved(line: Line) -> Cell:
    savings = line.savings
    if savings is None:
        return Cell(usd(None if line.attempts else 0))
    interval = "one attempt, so no interval"
    if savings.low_nusd is not None and savings.high_nusd is not None:
        interval = f"95 %: {signed(savings.low_nusd)} to {signed(savings.high_nusd)}"
    return Cell(signed(savings.nusd), (interval, f"over {share(savings.coverage)} of attempts"), _tone(savings.nusd))


def _idle(books: Books) -> Cell:
    return Cell(usd(books.idle_nusd))


def _net(books: Books) -> Cell:
    savings = books.line.savings
    if savings is None:
        return Cell(usd(None)) if books.line.attempts else Cell(usd(-books.idle_nusd), (), _tone(-books.idle_nusd))
    net = savings.nusd - books.idle_nusd
    return Cell(signed(net), (), _tone(net))


def _tokens(line: Line) -> Cell:
    if line.attempts and line.usage_unknown == line.attempts:
        return Cell("unknown")
    notes = []
    if line.usage_estimated:
        notes.append(f"estimated for {many(line.usage_estimated, 'attempt')}")
    if line.usage_unknown:
        notes.append(f"unknown for {count(line.usage_unknown)}")
    return Cell(f"{short(line.input_tokens)} / {short(line.output_tokens)}", tuple(notes))


def _failures(line: Line) -> Cell:
    failures = line.failed + line.lost
    notes = []
    if failures:
        notes.append(f"of {many(line.attempts, 'attempt')}")
    if line.lost:
        notes.append(f"{count(line.lost)} lost with a worker")
    return Cell(count(failures), tuple(notes))


def _tone(nusd: int) -> Tone:
    return "gain" if nusd > 0 else "loss" if nusd < 0 else ""
