"""What a scripted provider would bill: one line for each request it received, in integer nano-dollars.

A provider that fails half-way bills what it pleases; what it *told* is another matter, and a ledger can know no more.
So a line says both: what is billed, and whether the usage it is billed by was sent. `reconcile` holds a gateway's
ledger against it: where usage was told the two must agree to the nano-dollar, where nothing was billed the ledger may
not charge, and everything else the ledger must admit that it does not know.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from twintrack.providers.scripted.shapes import Tokens

_ABSURD = 1_000_000_000
"""So many tokens nothing takes."""
_NOT_ANSWERED = frozenset(("client_left", "upstream_timeout", "lost"))
"""Outcomes of rows whose answer may have been on its way when nobody waited for it any more."""


class Rates(NamedTuple):
    """A provider's own prices, in nano-dollars per million tokens."""

    input_nusd_per_mtok: int = 2_000_000_000
    output_nusd_per_mtok: int = 8_000_000_000
    cache_read_nusd_per_mtok: int = 200_000_000

    def nusd(self, tokens: Tokens) -> int:
        """Rounded half up, once."""
        fresh = tokens.input - tokens.cache_read
        total = fresh * self.input_nusd_per_mtok + tokens.output * self.output_nusd_per_mtok
        return (total + tokens.cache_read * self.cache_read_nusd_per_mtok + 500_000) // 1_000_000


@dataclass(slots=True)
class Line:
    """One request. What went out of its answer is known when the answer is over."""

    number: int
    """From 1, in the order in which requests arrived."""
    model: str
    """As the request named it."""
    endpoint: str
    """chat, messages, responses or embeddings; empty: the path is none of theirs."""
    streamed: bool
    fault: str
    """The directive that was played; empty: none."""
    tokens: Tokens
    """What answering takes."""
    rates: Rates
    status: int = 200
    """Anything but 200 costs nothing."""
    told: Tokens | None = None
    """The usage that went out, whole and whatever it says."""
    words_sent: int = 0
    """Words of a stream that went out; of a whole answer 1 or 0."""
    complete: bool = False
    """The answer went out up to its end."""

    @property
    def billed_nusd(self) -> int:
        """By what was told, if it can be meant; else by what was delivered: nothing before the first word."""
        if self.status != 200:
            return 0
        if self.told is not None and self.knowable:
            return self.rates.nusd(self.told)
        if self.complete:
            return self.rates.nusd(self.tokens)
        if self.words_sent == 0:
            return 0
        return self.rates.nusd(self.tokens._replace(output=min(self.words_sent, self.tokens.output)))

    @property
    def knowable(self) -> bool:
        """Usage that can be meant went out: whoever heard it to that point knows the cost to the nano-dollar."""
        return self.status == 200 and self.told is not None and min(self.told) >= 0 and max(self.told) < _ABSURD


@dataclass(slots=True)
class Invoice:
    rates: Rates = field(default_factory=Rates)
    lines: list[Line] = field(default_factory=list)

    @property
    def billed_nusd(self) -> int:
        return sum(line.billed_nusd for line in self.lines)

    def printed(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {"billed_nusd": self.billed_nusd, "lines": [_printed(line) for line in self.lines]}

    def of(self, model: str) -> list[Line]:
        return [line for line in self.lines if line.model == model]


def _printed(line: Line) -> dict[str, Any]:
    return {
        "number": line.number,
        "model": line.model,
        "endpoint": line.endpoint,
        "streamed": line.streamed,
        "fault": line.fault,
        "status": line.status,
        "told": line.told._asdict() if line.told else None,
        "complete": line.complete,
        "billed_nusd": line.billed_nusd,
    }


class Reconciled(NamedTuple):
    """How a ledger and an invoice fit together."""

    agreed: int
    """Rows whose cost is on the invoice, to the nano-dollar."""
    agreed_nusd: int
    unknown: int
    """Rows that say themselves that their cost is unknown or estimated."""
    unknown_billed_nusd: int
    """What the invoice bills beside the agreed."""
    complaints: tuple[str, ...]
    """Where they contradict each other; empty if nowhere."""


def reconcile(rows: Iterable[Mapping[str, Any]], lines: Iterable[Line]) -> Reconciled:
    """Hold the ledger's rows of a provider's deployments against the provider's invoice.

    Args:
        rows: entries with `state`, `outcome`, `status`, `usage_source`, `input_tokens`, `output_tokens`, `cost_nusd`.
        lines: all of the provider's. Since no two lines of a provider tell the same usage (unless a fault made them),
            equal usage is the same request.
    """
    rows, lines = list(rows), list(lines)
    complaints = [f"a row is still {row['state']}" for row in rows if row["state"] == "dispatched"]
    unsent = sum(1 for row in rows if row["status"] == 0)
    if not len(lines) <= len(rows) <= len(lines) + unsent:
        complaints.append(f"{len(lines)} requests arrived, {len(rows)} are on record, {unsent} may not have arrived")
    knowable = Counter(_known(line) for line in lines if line.knowable)
    believed = Counter(_booked(row) for row in rows if row["state"] == "settled" and row["usage_source"] == "reported")
    complaints += [f"booked {count} times, billed {knowable[each]} times: {_says(each)}"
                   for each, count in believed.items() if count > knowable[each]]  # fmt: skip
    complete = Counter(_known(line) for line in lines if line.knowable and line.complete)
    missed = complete - believed
    excused = sum(1 for row in rows if row["state"] == "unknown" or row["outcome"] in _NOT_ANSWERED)
    if missed.total() > excused:
        named = "; ".join(map(_says, list(missed)[:3]))
        complaints.append(
            f"{missed.total()} whole answers are billed but not booked, {excused} rows admit not to know: {named}"
        )
    charged = [row for row in rows if row["state"] == "released" and row["cost_nusd"]]
    complaints += [f"a released row costs {row['cost_nusd']} nano-dollars" for row in charged]
    agreed = believed & knowable
    agreed_nusd = sum(each.nusd * count for each, count in agreed.items())
    unknown = sum(1 for row in rows if row["state"] == "unknown" or row["usage_source"] == "estimated")
    billed = sum(line.billed_nusd for line in lines)
    return Reconciled(agreed.total(), agreed_nusd, unknown, billed - agreed_nusd, tuple(complaints))


class _Usage(NamedTuple):
    input: int
    output: int
    nusd: int


def _known(line: Line) -> _Usage:
    assert line.told is not None
    return _Usage(line.told.input, line.told.output, line.billed_nusd)


def _booked(row: Mapping[str, Any]) -> _Usage:
    return _Usage(row["input_tokens"], row["output_tokens"], row["cost_nusd"])


def _says(usage: _Usage) -> str:
    return f"{usage.input} + {usage.output} tokens for {usage.nusd} nano-dollars"
