"""Why a request went where it went, and what became of it, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from twintrack.ledger.entries import Attempt, Entry, Refusal, RuledOut, paid_nusd
from twintrack.ledger.moment import moment
from twintrack.policy.explain import EXPLORED, objection_sentence, reason_sentence, usd

_OUTCOMES = {
    "ok": "answered",
    "client_left": "was answering when the client left",
    "upstream_refused": "refused",
    "upstream_failed": "failed",
    "upstream_timeout": "took too long",
    "lost": "was running when our worker died",
    "set_aside": "answered and was set aside",
}
_OF_DRAFTS = {
    "ok": "drafted an answer, which passed its checks and is what the client got",
    "set_aside": "drafted an answer, which was set aside",
}
_OF_CLASSIFIERS = {"set_aside": "was asked what kind of request it is"}
_SAID = ", and task and complexity follow what it said"
_BY_ROLE = {"answer": _OUTCOMES, "draft": _OUTCOMES | _OF_DRAFTS, "classifier": _OUTCOMES | _OF_CLASSIFIERS}


def told(found: Sequence[Entry]) -> list[str]:
    """The whole story of a request, a line each; `found` as `entries` returns it, not empty."""
    attempts, refusals = _apart(found)
    lines: list[str] = []
    if attempts:
        first = _decided(attempts)
        if first.simulated:
            lines.append("SIMULATED: price or answer of this request is made up.")
        lines += [_asked(first), _facts(first), *_ruled_out(first.ruled_out), *_choice(first)]
        lines += [_with(_ended(attempt), _tokens(attempt), _cost(attempt)) for attempt in attempts]
        lines += _bill(attempts)
    for refusal in refusals:
        lines += [_came(refusal), _known(refusal), *_ruled_out(refusal.ruled_out), _refused(refusal)]
    return lines


def in_short(found: Sequence[Entry]) -> list[str]:
    """The same without what a page shows beside it: facts, tokens and who was ruled out."""
    attempts, refusals = _apart(found)
    lines: list[str] = []
    if attempts:
        lines += [_asked(attempts[0]), *_choice(_decided(attempts))]
        lines += [_with(_ended(attempt), _cost(attempt)) for attempt in attempts]
        lines += _bill(attempts)
    for refusal in refusals:
        lines += [_came(refusal), _refused(refusal)]
    return lines


def _decided(attempts: list[Attempt]) -> Attempt:
    """The first that was chosen for the request itself."""
    return next((attempt for attempt in attempts if attempt.role != "classifier"), attempts[0])


def _apart(found: Iterable[Entry]) -> tuple[list[Attempt], list[Refusal]]:
    attempts: list[Attempt] = []
    refusals: list[Refusal] = []
    for entry in found:
        if isinstance(entry, Attempt):
            attempts.append(entry)
        else:
            refusals.append(entry)
    return attempts, refusals


def _with(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


# ---- what was asked


def _asked(first: Attempt) -> str:
    wanted = f"asked for {first.route}" if first.route else f"named the deployment {first.deployment}"
    return (
        f"{_arrived(first)} and {wanted} "
        f"({first.endpoint or 'unknown endpoint'}, {'streamed' if first.stream else 'not streamed'})."
    )


def _facts(first: Attempt) -> str:
    facts = [f"about {first.prompt_tokens_est:,} tokens"] if first.prompt_tokens_est is not None else []
    facts += [f"task {first.task}"] if first.task else []
    facts += [f"language {first.language}"] if first.language else []
    facts += [f"complexity {first.complexity:.2f}"] if first.complexity is not None else []
    return f"Its data class is {first.data_class}; {', '.join(facts) or 'nothing else is known of it'}."


def _came(refusal: Refusal) -> str:
    wanted = f" and asked for {refusal.route}" if refusal.route else ""
    return f"{_arrived(refusal)}{wanted} ({refusal.endpoint})."


def _known(refusal: Refusal) -> str:
    tokens = f"; about {refusal.prompt_tokens_est:,} tokens" if refusal.prompt_tokens_est is not None else ""
    return f"Its data class is {refusal.data_class}{tokens}."


def _arrived(entry: Entry) -> str:
    by = f"with key {entry.key}" if entry.key else "without a key"
    return f"Request {entry.request_id} came on {moment(entry.at_us)} {by}"


# ---- what was decided


def _ruled_out(ruled_out: tuple[RuledOut, ...]) -> Iterator[str]:
    if ruled_out:
        yield "Ruled out:"
    for each in ruled_out:
        yield f"  {each.deployment}: {objection_sentence(each.code, each.have, each.need)}."


def _choice(first: Attempt) -> Iterator[str]:
    chosen = first.chosen or first.deployment
    where = f", tier {first.tier}" if first.tier and chosen == first.deployment else ""
    yield _with(f"Chosen: {chosen}{where}. {reason_sentence(first.reason)}.", _drawn(first))
    if chosen != first.deployment:
        yield f"It was only recorded: the route observes, and {first.deployment} answered."
    guesses = [f"a chance of {first.p_good:.0%} that its answer is good enough"] if first.p_good is not None else []
    if guesses and first.p_enough is not None and first.p_best:
        kept = f"{_percent(first.p_enough / first.p_best)} of the best one's {first.p_best:.0%}"
        guesses[0] += f" ({first.p_enough:.0%} would do: {kept})"
    guesses += [f"a cost of {usd(first.predicted_nusd)}"] if first.predicted_nusd is not None else []
    if guesses:
        policy, _, router = first.policy_version.partition("+")
        by = f"{policy}, router {router}, fitted to your verdicts" if router and first.route else first.policy_version
        yield f"Expected {'were' if len(guesses) > 1 else 'was'} {' and '.join(guesses)} (policy {by})."


def _drawn(first: Attempt) -> str:
    """How likely it was, where chance decided."""
    if first.reason != EXPLORED or not first.propensity:
        return ""
    return f"The chance that it would be this one was {_percent(first.propensity)}."


def _percent(share: float) -> str:
    """With a decimal where there is one to tell."""
    return f"{100 * share:.1f}".removesuffix(".0") + "%"


def _refused(refusal: Refusal) -> str:
    return f"It was sent to nobody and cost nothing: {refusal.code} (HTTP {refusal.status})."


# ---- what became of it


def _ended(attempt: Attempt) -> str:
    who = f"Attempt {attempt.attempt + 1}: {attempt.deployment} ({attempt.model} at {attempt.provider})"
    if attempt.state == "dispatched":
        return f"{who} has been running since {moment(attempt.at_us)}."
    outcomes = _BY_ROLE.get(attempt.role, _OUTCOMES)
    what = outcomes.get(attempt.outcome or "", f"ended as {attempt.outcome}")
    well = attempt.outcome in ("ok", "set_aside")
    because = [f"HTTP {attempt.status}"] if attempt.status and not well else []
    because += [attempt.detail] if attempt.detail and attempt.detail != f"status {attempt.status}" else []
    reason = f" ({', '.join(because)})" if because else ""
    if attempt.role == "classifier" and attempt.outcome == "set_aside" and not because:
        reason = _SAID
    took = f", first token after {_s(attempt.ttft_us)}" if attempt.ttft_us is not None else ""
    took += f", done after {_s(attempt.total_us)}" if attempt.total_us is not None else ""
    return f"{who} {what}{reason}{took}."


def _tokens(attempt: Attempt) -> str:
    if attempt.state == "dispatched":
        return ""
    if attempt.input_tokens is None and attempt.output_tokens is None:
        return "Its tokens are unknown."
    estimated = ", estimated" if attempt.usage_source == "estimated" else ""
    written = f"{attempt.cache_write_1h_tokens:,} of them for an hour" if attempt.cache_write_1h_tokens else ""
    took = _parts(
        (attempt.cache_read_tokens, "from the cache"),
        (attempt.cache_write_tokens, f"written to it{', ' if written else ''}{written}"),
        (attempt.input_audio_tokens, "of sound"),
        (attempt.input_image_tokens, "of images"),
    )
    gave = _parts(
        (attempt.reasoning_tokens, "of reasoning"),
        (attempt.output_audio_tokens, "of sound"),
        (attempt.output_image_tokens, "of images"),
    )
    tokens_in, tokens_out = _count(attempt.input_tokens), _count(attempt.output_tokens)
    return f"It took {tokens_in} tokens{took} and gave {tokens_out}{gave}{estimated}."


def _parts(*parts: tuple[int | None, str]) -> str:
    """Of a count, those parts that are more than none."""
    told = [f"{tokens:,} {what}" for tokens, what in parts if tokens]
    return f" ({'; '.join(told)})" if told else ""


def _cost(attempt: Attempt) -> str:
    if attempt.state == "dispatched":
        return ""
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
    if not name or not attempts[0].route:
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


def _count(tokens: int | None) -> str:
    return "unknown" if tokens is None else f"{tokens:,}"


def _s(duration_us: int) -> str:
    return f"{duration_us / 1e6:.2f} s"
