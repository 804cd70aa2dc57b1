"""twintrack explain: why a request went where it went, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from twintrack.cli import data as data_folder
from twintrack.errors import TwintrackError
from twintrack.ledger.queries import Attempt, Entry, Refusal, RuledOut, entries
from twintrack.policy.explain import objection_sentence, reason_sentence, usd

_OUTCOMES = {
    "ok": "answered",
    "client_left": "was answering when the client left",
    "upstream_refused": "refused",
    "upstream_failed": "failed",
    "upstream_timeout": "took too long",
    "lost": "was running when our worker died",
}


@click.command("explain")
@click.argument("request_id", metavar="ID")
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="The ledger's rows, for programs.")
def command(request_id: str, data: Path | None, as_json: bool) -> None:
    """Say in sentences why a request went where it went.

    ID is what the answer carried in its x-twintrack-id header.
    """
    folder = data_folder.folder(data)
    path = data_folder.ledger(folder)
    found = entries(path, request_id) if path else []
    if not found:
        raise TwintrackError(
            f"There is no request {request_id!r} in the ledger of {folder}",
            fix="Use the x-twintrack-id of an answer, and --data for another ledger",
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    for line in told(found):
        click.echo(line)


def told(found: list[Entry]) -> Iterator[str]:
    """The story of a request, a line each; `found` as `entries` returns it, not empty."""
    attempts = [entry for entry in found if isinstance(entry, Attempt)]
    if attempts:
        yield from _asked(attempts[0])
        yield from _choice(attempts[0])
        for attempt in attempts:
            yield _attempt(attempt)
        yield from _bill(attempts)
    for entry in found:
        if isinstance(entry, Refusal):
            yield from _refusal(entry)


def _asked(first: Attempt) -> Iterator[str]:
    if first.simulated:
        yield "SIMULATED: price or answer of this request is made up."
    wanted = f"asked for {first.route}" if first.route else f"named the deployment {first.deployment}"
    by = f"with key {first.key}" if first.key else "without a key"
    yield (
        f"Request {first.request_id} came on {_time(first.at_us)} {by} and {wanted} "
        f"({first.endpoint or 'unknown endpoint'}, {'streamed' if first.stream else 'not streamed'})."
    )
    facts = [f"about {first.prompt_tokens_est:,} tokens"] if first.prompt_tokens_est is not None else []
    facts += [f"task {first.task}"] if first.task else []
    facts += [f"language {first.language}"] if first.language else []
    facts += [f"complexity {first.complexity:.2f}"] if first.complexity is not None else []
    yield f"Its data class is {first.data_class}; {', '.join(facts) or 'nothing else is known of it'}."


def _choice(first: Attempt) -> Iterator[str]:
    yield from _ruled_out(first.ruled_out)
    chosen = first.chosen or first.deployment
    where = f", tier {first.tier}" if first.tier and chosen == first.deployment else ""
    yield f"Chosen: {chosen}{where}. {reason_sentence(first.reason)}."
    if chosen != first.deployment:
        yield f"It was only recorded: the route observes, and {first.deployment} answered."
    guesses = [f"a chance of {first.p_good:.0%} that its answer is good enough"] if first.p_good is not None else []
    guesses += [f"a cost of {usd(first.predicted_nusd)}"] if first.predicted_nusd is not None else []
    if guesses:
        yield f"Expected were {' and '.join(guesses)} (policy {first.policy_version})."


def _ruled_out(ruled_out: tuple[RuledOut, ...]) -> Iterator[str]:
    if ruled_out:
        yield "Ruled out:"
    for each in ruled_out:
        yield f"  {each.deployment}: {objection_sentence(each.code, each.have, each.need)}."


def _attempt(attempt: Attempt) -> str:
    who = f"Attempt {attempt.attempt + 1}: {attempt.deployment} ({attempt.model} at {attempt.provider})"
    if attempt.state == "dispatched":
        return f"{who} has been running since {_time(attempt.at_us)}."
    what = _OUTCOMES.get(attempt.outcome or "", f"ended as {attempt.outcome}")
    because = [f"HTTP {attempt.status}"] if attempt.status and attempt.outcome != "ok" else []
    because += [attempt.detail] if attempt.detail else []
    took = [f"first token after {_s(attempt.ttft_us)}"] if attempt.ttft_us is not None else []
    took += [f"done after {_s(attempt.total_us)}"] if attempt.total_us is not None else []
    reason = f" ({', '.join(because)})" if because else ""
    return f"{who} {what}{reason}, {', '.join(took)}. {_tokens(attempt)} {_cost(attempt)}"


def _tokens(attempt: Attempt) -> str:
    if attempt.input_tokens is None and attempt.output_tokens is None:
        return "Its tokens are unknown."
    estimated = ", estimated" if attempt.usage_source == "estimated" else ""
    cached = f" ({attempt.cache_read_tokens:,} from the cache)" if attempt.cache_read_tokens else ""
    return f"It took {_count(attempt.input_tokens)} tokens{cached} and gave {_count(attempt.output_tokens)}{estimated}."


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
    costs = [0 if attempt.state == "released" and not attempt.per_hour_nusd else _paid(attempt) for attempt in ended]
    known = [cost for cost in costs if cost is not None]
    total = sum(known) if len(known) == len(costs) else None
    if len(ended) > 1:
        yield f"Together: {usd(total) if total is not None else 'unknown'}."
    baselines = [attempt.baseline_nusd for attempt in ended if attempt.baseline_nusd is not None]
    name = attempts[0].baseline
    if not name:
        return
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
    by = f"with key {refusal.key}" if refusal.key else "without a key"
    wanted = f" and asked for {refusal.route}" if refusal.route else ""
    yield f"Request {refusal.request_id} came on {_time(refusal.at_us)} {by}{wanted} ({refusal.endpoint})."
    tokens = f"; about {refusal.prompt_tokens_est:,} tokens" if refusal.prompt_tokens_est is not None else ""
    yield f"Its data class is {refusal.data_class}{tokens}."
    yield from _ruled_out(refusal.ruled_out)
    yield f"It was sent to nobody and cost nothing: {refusal.code} (HTTP {refusal.status})."


def _paid(attempt: Attempt) -> int | None:
    return attempt.allocated_nusd if attempt.per_hour_nusd > 0 else attempt.cost_nusd


def _count(tokens: int | None) -> str:
    return "unknown" if tokens is None else f"{tokens:,}"


def _s(duration_us: int) -> str:
    return f"{duration_us / 1e6:.2f} s"


def _time(at_us: int) -> str:
    return f"{datetime.fromtimestamp(at_us // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"
