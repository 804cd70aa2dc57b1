"""Why a request went where it went, and what became of it, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from twintrack.control.attempts import paid_nusd
from twintrack.control.words import moment, share
from twintrack.ledger.queries import Attempt, Entry, Refusal
from twintrack.policy.explain import reason_sentence, usd

_OUTCOMES = {
    "ok": "answered",
    "client_left": "was answering when the client left",
    "upstream_refused": "refused",
    "upstream_failed": "failed",
    "upstream_timeout": "took too long",
    "lost": "was running when our worker died",
}


def told(found: Sequence[Entry]) -> list[str]:
    """The story of a request, a sentence or two each; `found` as `entries` returns it, not empty."""
    attempts = [entry for entry in found if isinstance(entry, Attempt)]
    sentences: list[str] = []
    if attempts:
        sentences += _asked(attempts[0])
        sentences += _choice(attempts[0])
        sentences += map(_attempt, attempts)
        sentences += _bill(attempts)
    for entry in found:
        if isinstance(entry, Refusal):
            sentences += _refusal(entry)
    return sentences


def _asked(first: Attempt) -> Iterator[str]:
    wanted = f"asked for {first.route}" if first.route else f"named the deployment {first.deployment}"
    yield (
        f"It came on {moment(first.at_us)} {_by(first.key)} and {wanted} "
        f"({first.endpoint or 'unknown endpoint'}, {'streamed' if first.stream else 'not streamed'})."
    )


def _choice(first: Attempt) -> Iterator[str]:
    chosen = first.chosen or first.deployment
    where = f", tier {first.tier}" if first.tier and chosen == first.deployment else ""
    yield f"Chosen was {chosen}{where}. {reason_sentence(first.reason)}."
    if chosen != first.deployment:
        yield f"It was only recorded: the route observes, and {first.deployment} answered."
    guesses = [f"a chance of {share(first.p_good)} that its answer is good enough"] if first.p_good is not None else []
    guesses += [f"a cost of {usd(first.predicted_nusd)}"] if first.predicted_nusd is not None else []
    if guesses:
        yield f"Expected were {' and '.join(guesses)}."


def _attempt(attempt: Attempt) -> str:
    if attempt.state == "dispatched":
        return f"{attempt.deployment} has been running it since {moment(attempt.at_us)}."
    what = _OUTCOMES.get(attempt.outcome or "", f"ended as {attempt.outcome}")
    because = [f"HTTP {attempt.status}"] if attempt.status and attempt.outcome != "ok" else []
    because += [attempt.detail] if attempt.detail else []
    reason = f" ({', '.join(because)})" if because else ""
    took = f" after {attempt.total_us / 1e6:.2f} s" if attempt.total_us is not None else ""
    return f"{attempt.deployment} {what}{took}{reason}. {_cost(attempt)}"


def _cost(attempt: Attempt) -> str:
    if attempt.per_hour_nusd > 0:
        part = "unknown" if attempt.allocated_nusd is None else usd(attempt.allocated_nusd)
        return f"Its engine is paid by the hour, {usd(attempt.per_hour_nusd)}; its part of that is {part}."
    if attempt.state == "released":
        return "It was not charged."
    if attempt.cost_nusd is not None:
        return f"It cost {usd(attempt.cost_nusd)}."
    if attempt.state == "unknown" and attempt.predicted_nusd is not None:
        return f"What it cost cannot be known; predicted were {usd(attempt.predicted_nusd)}, to reconcile."
    return "What it cost is unknown."


def _bill(attempts: list[Attempt]) -> Iterator[str]:
    ended = [attempt for attempt in attempts if attempt.state != "dispatched"]
    if not ended:
        return
    costs = [paid_nusd(attempt) for attempt in ended]
    known = [cost for cost in costs if cost is not None]
    total = sum(known) if len(known) == len(costs) else None
    if len(ended) > 1:
        yield f"Together they cost {'an unknown amount' if total is None else usd(total)}."
    name = attempts[0].baseline
    if not name:
        return
    baselines = [attempt.baseline_nusd for attempt in ended if attempt.baseline_nusd is not None]
    if not baselines:
        yield f"Without routing, {name} would have answered; what that would have cost is unknown."
        return
    difference = None if total is None else baselines[-1] - total
    verdict = (
        "so what that saved is unknown"
        if difference is None
        else f"{usd(difference)} saved"
        if difference >= 0
        else f"{usd(-difference)} lost"
    )
    yield f"Without routing, {name} would have answered for {usd(baselines[-1])}: {verdict}."


def _refusal(refusal: Refusal) -> Iterator[str]:
    wanted = f" and asked for {refusal.route}" if refusal.route else ""
    yield f"It came on {moment(refusal.at_us)} {_by(refusal.key)}{wanted} ({refusal.endpoint})."
    yield f"It was sent to nobody and cost nothing: {refusal.code} (HTTP {refusal.status})."


def _by(key: str | None) -> str:
    return f"with key {key}" if key else "without a key"
