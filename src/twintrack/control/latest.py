"""The newest requests, one line each, from their attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twintrack.control.attempts import outcome, tokens, well
from twintrack.control.serving import is_demo
from twintrack.control.words import NONE, UNKNOWN, clock, us, usd
from twintrack.ledger.entries import Attempt, Entry, Refusal, paid_nusd, recent

REQUESTS = 20
_ENTRIES = 4 * REQUESTS
"""Read to find them: few requests need more than one attempt."""


@dataclass(frozen=True, slots=True)
class Latest:
    request_id: str
    at_us: int
    time: str
    asked_for: str
    answered_by: str
    tier: str
    outcome: str
    well: bool
    attempts: int
    tokens: str
    cost: str
    took: str
    simulated: bool
    demo: bool


def latest(path: Path, now_us: int) -> list[Latest]:
    """Newest first; none if there is no ledger yet.

    Raises:
        LedgerError: the database cannot be read.
    """
    if not path.exists():
        return []
    grouped: dict[str, list[Entry]] = {}
    for entry in recent(path, _ENTRIES):
        grouped.setdefault(entry.request_id, []).append(entry)
    return [_line(found, now_us) for found in list(grouped.values())[:REQUESTS]]


def _line(found: Sequence[Entry], now_us: int) -> Latest:
    attempts = sorted((each for each in found if isinstance(each, Attempt)), key=lambda each: each.attempt)
    if not attempts:
        refusal = found[0]
        assert isinstance(refusal, Refusal)
        return Latest(
            request_id=refusal.request_id,
            at_us=refusal.at_us,
            time=clock(refusal.at_us, now_us),
            asked_for=refusal.route or NONE,
            answered_by="nobody",
            tier="",
            outcome=f"refused, {refusal.status}",
            well=False,
            attempts=0,
            tokens=NONE,
            cost=usd(0),
            took=NONE,
            simulated=False,
            demo=False,
        )
    first, last = attempts[0], attempts[-1]
    ended = last.settled_us is not None
    return Latest(
        request_id=first.request_id,
        at_us=first.at_us,
        time=clock(first.at_us, now_us),
        asked_for=first.route or first.deployment,
        answered_by=last.deployment,
        tier=last.tier or "",
        outcome=outcome(last),
        well=well(last),
        attempts=len(attempts),
        tokens=tokens(last),
        cost=_cost(attempts) if ended else NONE,
        took=us(last.settled_us - first.at_us) if last.settled_us is not None else NONE,
        simulated=any(each.simulated for each in attempts),
        demo=is_demo(last.model),
    )


def _cost(attempts: Sequence[Attempt]) -> str:
    metered = [each for each in attempts if not each.per_hour_nusd]
    costs = [paid_nusd(each) for each in metered]
    known = [cost for cost in costs if cost is not None]
    if len(known) < len(costs):
        return UNKNOWN
    if len(metered) == len(attempts):
        return usd(sum(known))
    return f"{usd(sum(known))} + engine time" if any(known) else "engine time"
