"""The attempts of one request, as a table shows them."""

from __future__ import annotations

from dataclasses import dataclass

from twintrack.control.serving import ZONES, is_demo
from twintrack.control.words import NONE, UNKNOWN, count, us, usd
from twintrack.ledger.entries import Attempt, paid_nusd
from twintrack.ledger.rollup import NO_ANSWER

_OUTCOMES = {
    "ok": "answered",
    "client_left": "client left",
    "upstream_refused": "provider refused",
    "upstream_failed": "provider failed",
    "upstream_timeout": "too slow",
    "lost": "lost with a worker",
    "set_aside": "set aside",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """Values, with what is said in small under some of them."""

    number: int
    deployment: str
    where: str
    tier: str
    outcome: str
    well: bool
    because: str
    tokens: str
    tokens_note: str
    cost: str
    cost_note: str
    baseline: str
    baseline_note: str
    ttft: str
    took: str
    simulated: bool
    demo: bool


def shown(attempt: Attempt) -> Shown:
    running = attempt.state == "dispatched"
    because = [f"HTTP {attempt.status}"] if attempt.status and not well(attempt) else []
    because += [attempt.detail] if attempt.detail else []
    where = [f"{attempt.model} at {attempt.provider}", ZONES.get(attempt.zone, attempt.zone)]
    where += [attempt.region] if attempt.region else []
    notes = ["estimated"] if attempt.usage_source == "estimated" else []
    notes += [f"{count(attempt.cache_read_tokens)} from the cache"] if attempt.cache_read_tokens else []
    compared = bool(attempt.baseline) and not running and attempt.outcome not in NO_ANSWER
    return Shown(
        number=attempt.attempt + 1,
        deployment=attempt.deployment,
        where=", ".join(where),
        tier=attempt.tier or NONE,
        outcome=outcome(attempt),
        well=well(attempt),
        because=", ".join(because),
        tokens=tokens(attempt),
        tokens_note=", ".join(notes),
        cost=NONE if running else usd(paid_nusd(attempt)),
        cost_note="of the engine’s hour" if attempt.per_hour_nusd and not running else "",
        baseline=usd(attempt.baseline_nusd) if compared else NONE,
        baseline_note=f"on {attempt.baseline}" if compared else "",
        ttft=us(attempt.ttft_us),
        took=us(attempt.total_us),
        simulated=attempt.simulated,
        demo=is_demo(attempt.model),
    )


def outcome(attempt: Attempt) -> str:
    """How it ended, in two or three words."""
    if attempt.state == "dispatched":
        return "running"
    return _OUTCOMES.get(attempt.outcome or "", attempt.outcome or UNKNOWN)


def well(attempt: Attempt) -> bool:
    """It answered, or may yet."""
    return attempt.state == "dispatched" or attempt.outcome in ("ok", "set_aside")


def tokens(attempt: Attempt) -> str:
    """In and out."""
    if attempt.state in ("dispatched", "released") and attempt.input_tokens is None:
        return NONE
    if attempt.input_tokens is None and attempt.output_tokens is None:
        return UNKNOWN
    return f"{count(attempt.input_tokens)} / {count(attempt.output_tokens)}"
