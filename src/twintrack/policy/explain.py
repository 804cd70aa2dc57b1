"""Codes of decisions and objections as plain sentences, for error messages, the command line and the ledger's pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from twintrack.config.settings import DATA_CLASSES
from twintrack.policy.objections import (
    BUSY,
    CONTEXT,
    COST,
    COST_UNKNOWN,
    DIALECT,
    DIALECTS,
    ENDPOINT,
    KEY,
    LATENCY,
    MODALITIES,
    MODALITY,
    OUTPUT,
    REGION,
    TOOLS,
    TTFT,
    UNHEALTHY,
    ZONE,
    ZONES,
)

if TYPE_CHECKING:
    from twintrack.policy.choose import Decision

GOOD_ENOUGH = "good_enough"
TOP_TIER = "top_tier"
BELOW_QUALITY = "below_quality"
STAKES = "stakes"
ONLY_ONE = "only_one"
NAMED = "named"

_REASONS = {
    GOOD_ENOUGH: "It is in the cheapest tier that is good enough for a request like this",
    TOP_TIER: "No cheaper tier that may answer is good enough for a request like this",
    BELOW_QUALITY: "None that can answer right now is good enough, so the best of them does",
    STAKES: "The caller marked the stakes as high, so the best that may answer does",
    ONLY_ONE: "It is the only one that may and can answer",
    NAMED: "The client named this deployment",
}
_HEADERS = {
    GOOD_ENOUGH: "cheapest that is good enough",
    TOP_TIER: "no cheaper tier is good enough",
    BELOW_QUALITY: "best of those ready, below the quality to keep",
    STAKES: "high stakes, so the best",
    ONLY_ONE: "the only one that can",
    NAMED: "named by the client",
}

_ZONE_WORDS = {"own": "your own machines", "contracted": "providers under contract", "third_party": "third parties"}
_A_ZONE = {"own": "one of your own machines", "contracted": "a provider under contract", "third_party": "a third party"}


def reason_sentence(code: str) -> str:
    """Why the chosen deployment was chosen."""
    return _REASONS.get(code, f"For a reason of another version ({code})")


def objection_sentence(code: str, have: int, need: int) -> str:
    """Why a deployment was ruled out; `objections.py` says what the integers of each code mean."""
    write = _OBJECTIONS.get(code)
    return f"ruled out by another version ({code}, {have}, {need})" if write is None else write(have, need)


def header_reason(decision: Decision) -> str:
    """At most some 80 ASCII characters for a response header."""
    text = _HEADERS.get(decision.reason, decision.reason)
    if decision.ruled_out:
        text = f"{text}; {len(decision.ruled_out)} ruled out"
    if decision.p_good is None:
        return text
    return f"{text}; {'learned ' if decision.measured else ''}p_good {decision.p_good:.2f}"


def fix_sentence(code: str) -> str:
    """What an operator or a caller can do about an objection."""
    return _FIXES.get(code, "")


def _zone(have: int, need: int) -> str:
    data, bits = _data(need >> 3), need & 7
    allowed = [_ZONE_WORDS[zone] for place, zone in enumerate(ZONES) if bits >> place & 1]
    if not allowed:
        return f"{data} may go nowhere, by the privacy rules"
    if bits == 1:
        return f"{data} stays on your own machines, and this is {_A_ZONE[ZONES[have]]}"
    return f"{data} may go to {_list(allowed)} only, and this is {_A_ZONE[ZONES[have]]}"


def _region(have: int, need: int) -> str:
    where = "this region is not one of them" if have else "where this one is, is not known"
    return f"{_data(need)} may be processed in certain regions only, and {where}"


def _data(rung: int) -> str:
    """Whom the rule of a class binds."""
    return f"{DATA_CLASSES[rung]} data" if rung == len(DATA_CLASSES) - 1 else f"{DATA_CLASSES[rung]} data and above"


def _modality(have: int, need: int) -> str:
    missing = [word for place, word in enumerate(MODALITIES) if need & ~have & 1 << place]
    return f"it does not take {_list(missing) if missing else 'this kind of input'}"


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def usd(nusd: int) -> str:
    """Nano-dollars as a person reads them, exact."""
    whole, rest = divmod(nusd, 1_000_000_000)
    return f"${whole}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"


_OBJECTIONS: dict[str, Callable[[int, int], str]] = {
    ZONE: _zone,
    REGION: _region,
    KEY: lambda have, need: "this key may not use it",
    ENDPOINT: lambda have, need: "it only makes embeddings" if have else "it answers chat and does not make embeddings",
    DIALECT: lambda have, need: f"it speaks the {DIALECTS[have]} dialect, and this needs {DIALECTS[need]}",
    MODALITY: _modality,
    TOOLS: lambda have, need: "it cannot use tools",
    CONTEXT: lambda have, need: f"prompt and allowed output have about {need} tokens, its window is {have}",
    OUTPUT: lambda have, need: f"the client allows {need} tokens of output, it writes at most {have}",
    COST: lambda have, need: f"the request would cost about {usd(need)}, the limit is {usd(have)}",
    COST_UNKNOWN: lambda have, need: f"the cost is limited to {usd(have)} and its price is unknown",
    UNHEALTHY: lambda have, need: "its last requests failed",
    BUSY: lambda have, need: f"it has {have} requests in flight, its limit is {need}",
    TTFT: lambda have, need: f"its first token took {need} ms lately, the limit is {have} ms",
    LATENCY: lambda have, need: f"its answers took {need} ms lately, the deadline is {have} ms",
}

_FIXES = {
    ZONE: "Add a deployment in an allowed zone, or label the request with the class it really has.",
    REGION: "Add a deployment in an allowed region, and state the region of each provider.",
    KEY: "Use a key that covers it.",
    ENDPOINT: "Add a deployment for this endpoint to the route.",
    DIALECT: "Add a deployment that speaks the OpenAI dialect to the route.",
    MODALITY: "Add a deployment that takes this kind of input.",
    TOOLS: "Add a deployment that can use tools.",
    CONTEXT: "Shorten the prompt, allow less output, or add a deployment with a larger window.",
    OUTPUT: "Allow less output.",
    COST: "Raise the cost limit, shorten the prompt, or allow less output.",
    COST_UNKNOWN: "State the deployment's price, or lift the cost limit.",
}
