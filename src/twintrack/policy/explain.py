"""Codes of decisions and objections as plain sentences, for error messages, the command line and the ledger's pages."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from twintrack.config.settings import CATEGORIES, DATA_CLASSES
from twintrack.config.snapshot import PrivacyRule
from twintrack.policy.objections import (
    BAA,
    BUSY,
    CONTEXT,
    COST,
    COST_UNKNOWN,
    DIALECT,
    DIALECTS,
    DPA,
    DRAFT_DEAR,
    DRAFT_POOR,
    DRAFT_SAME,
    DRAFT_SLOW,
    DRAFT_UNPRICED,
    DRAFT_UNVERIFIED,
    ENDPOINT,
    EXPIRED,
    KEY,
    LATENCY,
    MODALITIES,
    MODALITY,
    ORIGINS,
    OUTPUT,
    PERSONS,
    PROVIDER,
    REGION,
    RETENTION,
    TOOLS,
    TRAINING,
    TTFT,
    UNHEALTHY,
    ZONE,
    ZONES,
    days_allowed,
    rule_code,
)

if TYPE_CHECKING:
    from twintrack.policy.choose import Decision

GOOD_ENOUGH = "good_enough"
TOP_TIER = "top_tier"
BELOW_QUALITY = "below_quality"
STAKES = "stakes"
ONLY_ONE = "only_one"
NAMED = "named"
STAYS = "stays"
EXPLORED = "explored"
DRAFT = "draft"
CLASSIFIER = "classifier"

_REASONS = {
    GOOD_ENOUGH: "It is in the cheapest tier that is good enough for a request like this",
    TOP_TIER: "No cheaper tier that may answer is good enough for a request like this",
    BELOW_QUALITY: "None that can answer right now is good enough, so the best of them does",
    STAKES: "The caller marked the stakes as high, so the best that may answer does",
    ONLY_ONE: "It is the only one that may and can answer",
    NAMED: "The client named this deployment",
    STAYS: "It answered this conversation lately and has it in its cache, so a cheaper tier would cost more",
    EXPLORED: "It was drawn at random: the route explores, so that others can be compared with what it usually chooses",
    CLASSIFIER: "It was asked of what kind the request is",
    DRAFT: "It is not sure to be good enough, so it drafts: if a check of its answer fails, a better one answers",
}
_HEADERS = {
    GOOD_ENOUGH: "cheapest that is good enough",
    TOP_TIER: "no cheaper tier is good enough",
    BELOW_QUALITY: "best of those ready, below the quality to keep",
    STAKES: "high stakes, so the best",
    ONLY_ONE: "the only one that can",
    NAMED: "named by the client",
    STAYS: "conversation stays where it is cached",
    EXPLORED: "drawn at random to explore",
    DRAFT: "a cheaper draft, checked",
}

_ZONE_WORDS = {"own": "your own machines", "contracted": "providers under contract", "third_party": "third parties"}
_BY = ("", "by its route's rules ", "by its key's rules ", "by its tenant's rules ")
_CATEGORY_WORDS = (
    "personal data",
    "health data",
    "financial data",
    "text with secrets",
    "export-controlled data",
    "data of a category of your own",
)
_A_ZONE = {"own": "one of your own machines", "contracted": "a provider under contract", "third_party": "a third party"}


def reason_sentence(code: str) -> str:
    """Why the chosen deployment was chosen."""
    return _REASONS.get(code, f"For a reason of another version ({code})")


def objection_sentence(code: str, have: int, need: int) -> str:
    """Why a deployment was ruled out; `objections.py` says what the integers of each code mean."""
    write = _OBJECTIONS.get(code)
    return f"ruled out by another version ({code}, {have}, {need})" if write is None else write(have, need)


def header_reason(decision: Decision, position: int = 0) -> str:
    """At most some 80 ASCII characters for a response header; `position` in the decision's order of who answered."""
    text = _HEADERS.get(decision.reason, decision.reason)
    p_good = decision.p_good
    drafting = decision.drafting
    if drafting is not None and position >= drafting.count:
        text, p_good = "no cheaper draft passed its check", drafting.p_good
    if decision.ruled_out:
        text = f"{text}; {len(decision.ruled_out)} ruled out"
    if p_good is None:
        return text
    return f"{text}; {'learned ' if decision.measured else ''}p_good {p_good:.2f}"


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
    where = (
        "where this one is, is not known",
        "this region is not one of them",
        "its provider keeps what it gets in another",
    )[have]
    return f"{_data(need)} may be processed in certain regions only, and {where}"


def _expired(have: int, need: int) -> str:
    day = datetime.date(1970, 1, 1) + datetime.timedelta(have)
    return f"{_data(need)} may go only where what was agreed holds, and its record expired on {day}"


def _retention(have: int, need: int) -> str:
    days = days_allowed(need)
    most = "no provider that keeps it" if not days else f"providers only that keep it for at most {_counted(days)}"
    kept = "how long this one does is not on record" if have < 0 else f"this one keeps it for {_counted(have)}"
    return f"{_data(rule_code(RETENTION, need))} may go to {most}, and {kept}"


def _training(have: int, need: int) -> str:
    record = "this one does" if have else "no record says that this one does not"
    return f"{_data(need)} may not go to a provider that trains on it, and {record}"


def _agreement(what: str) -> Callable[[int, int], str]:
    return lambda have, need: f"{_data(need)} asks for {what}, and there is none on record"


def _persons(have: int, need: int) -> str:
    record = "others may have access here" if have else "who has access here is not on record"
    return f"{_data(need)} may be seen by certain persons only, and {record}"


def _counted(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"


def _data(rule: int) -> str:
    """Whom a rule binds (`Rules.code`)."""
    rung, origin, category = rule & 3, rule >> 2 & 3, rule >> 4
    by = _BY[origin]
    if category:
        return f"{by}{_CATEGORY_WORDS[category - 1]}"
    return f"{by}{DATA_CLASSES[rung]} data" + ("" if rung == len(DATA_CLASSES) - 1 else " and above")


def rule_place(rule: int, names: Sequence[str]) -> str:
    """Where a rule stands in the configuration; `names` of what the origins are, as `ORIGINS` orders them."""
    rung, origin, category = rule & 3, rule >> 2 & 3, rule >> 4
    word = f"categories.{(*CATEGORIES, 'NAME')[category - 1]}" if category else DATA_CLASSES[rung]
    table = f"privacy.{word}"
    if ORIGINS[origin] == "key":
        return f"[keys.{table}] of key {names[origin]}"
    return f"[{ORIGINS[origin]}s.{names[origin]}.{table}]" if origin else f"[{table}]"


def wanted_words(rule: PrivacyRule) -> str:
    """Which deployment a rule would let see it."""
    if not rule.zones:
        return "no deployment may serve it, wherever it is"
    words = f"a deployment in zone {' or '.join(rule.zones)}"
    if rule.regions:
        words += f", in region {' and '.join(rule.regions)}"
    if rule.providers:
        words += f", of provider {' and '.join(rule.providers)}"
    terms = []
    if rule.zones != ("own",):
        if rule.max_retention_days >= 0:
            terms.append("no retention" if not rule.max_retention_days else f"{_counted(rule.max_retention_days)} kept")
        terms += [
            word
            for asked, word in ((rule.no_training, "no training"), (rule.baa, "a BAA"), (rule.dpa, "a DPA"))
            if asked
        ]
    if rule.persons:
        terms.append(f"access by {' or '.join(rule.persons)} alone")
    if terms:
        words += f", with {_list(terms)} on record"
    return f"{words} would serve it"


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
    PROVIDER: lambda have, need: f"{_data(need)} may go to certain providers only, and this is none of them",
    EXPIRED: _expired,
    RETENTION: _retention,
    TRAINING: _training,
    BAA: _agreement("a business associate agreement"),
    DPA: _agreement("a data processing agreement"),
    PERSONS: _persons,
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
    DRAFT_POOR: lambda have, need: (
        f"it did not draft, since its answer is good with a chance of {have / 10:g} %, under {need / 10:g} %"
    ),
    DRAFT_SLOW: lambda have, need: f"it did not draft, since with its draft it took {need} ms, over {have} ms",
    DRAFT_DEAR: lambda have, need: f"it did not draft, since with its draft {usd(need)} is expected, over {usd(have)}",
    DRAFT_UNPRICED: lambda have, need: (
        f"it did not draft, since {'what the answer costs' if have else 'its price'} by the token is unknown"
    ),
    DRAFT_UNVERIFIED: lambda have, need: "it did not draft, since no verifier is fitted that could judge it",
    DRAFT_SAME: lambda have, need: (
        "it did not draft, since at temperature 0 or with a seed it says the same twice, whether that is right or wrong"
    ),
}

_FIXES = {
    ZONE: "Add a deployment in an allowed zone, or label the request with the class it really has.",
    REGION: "Add a deployment in an allowed region, and state the region of each provider.",
    PROVIDER: "Add a deployment at an allowed provider.",
    EXPIRED: "Check what is agreed, and put the day it was and a new end into the provider's terms.",
    RETENTION: "Say retention_days or zdr in the provider's terms, if it is agreed.",
    TRAINING: "Say trains_on_data = false in the provider's terms, if it is agreed.",
    BAA: "Sign one, and say baa = true in the provider's terms.",
    DPA: "Sign one, and say dpa = true in the provider's terms.",
    PERSONS: "Say in the provider's terms who has access: persons.",
    KEY: "Use a key that covers it.",
    ENDPOINT: "Add a deployment for this endpoint to the route.",
    DIALECT: "Add a deployment that speaks the OpenAI dialect to the route.",
    MODALITY: "Add a deployment that takes this kind of input.",
    TOOLS: "Add a deployment that can use tools.",
    CONTEXT: "Shorten the prompt, allow less output, or add a deployment with a larger window.",
    OUTPUT: "Allow less output.",
    COST: "Raise the cost limit, shorten the prompt, or allow less output.",
    COST_UNKNOWN: "State the deployment's price, or lift the cost limit.",
    DRAFT_UNVERIFIED: "Fit one, twintrack learn verifier, or take verifier out of the cascade's check.",
    DRAFT_SAME: "Set repeat_temperature for the cascade, or let two different deployments draft.",
}
