"""Why a deployment may not answer a request: a short code with two integers, so it fits a ledger row.

A code says what `have` and `need` mean; `explain.objection_sentence` puts the three into words. Lasting objections
come from the request and the configuration, passing ones from what was measured lately. The first that holds is the
one recorded, in the order of `CODES`.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from math import inf
from typing import NamedTuple, Protocol

from twintrack.config.settings import Zone
from twintrack.config.snapshot import PrivacyRule, Terms

Objection = tuple[str, int, int]
"""(code, have, need)"""
RuledOut = tuple[int, str, int, int]
"""(deployment, code, have, need), as the ledger keeps it."""

ZONE = "zone"
"""have: its zone, an index into ZONES; need: 8 × rule (`Rules.code`) + a bit for each zone that rule allows."""
REGION = "region"
"""have: 0 its region is not known, 1 it is another, 2 what it keeps is kept in another; need: rule."""
PROVIDER = "provider"
"""need: rule."""
EXPIRED = "expired"
"""have: last day of its record, in days since 1970; need: rule."""
RETENTION = "retention"
"""have: days it keeps what it gets, -1 unknown; need: 65,536 × days allowed + rule."""
TRAINING = "training"
"""have: 1 it trains on it, 0 unknown; need: rule."""
BAA = "baa"
DPA = "dpa"
"""need, of both: rule."""
PERSONS = "persons"
"""have: 1 others may reach it, 0 unknown; need: rule."""
KEY = "key"
ENDPOINT = "endpoint"
"""have, need: 1 embeddings, 0 chat."""
DIALECT = "dialect"
"""have, need: index into DIALECTS."""
MODALITY = "modality"
"""have, need: a bit for each of MODALITIES."""
TOOLS = "tools"
CONTEXT = "context"
"""have: window; need: estimated prompt and the output the client allows, in tokens."""
OUTPUT = "output"
"""have: most output tokens; need: those the client allows."""
COST = "cost"
"""have: limit; need: predicted, in nano-dollars."""
COST_UNKNOWN = "cost_unknown"
"""have: limit in nano-dollars."""
UNHEALTHY = "unhealthy"
BUSY = "busy"
"""have: requests in flight; need: at most so many less one."""
TTFT = "ttft"
"""have: limit; need: measured, in ms."""
LATENCY = "latency"
"""have: deadline; need: measured, in ms."""
DRAFT_POOR = "draft_poor"
"""It could have drafted. have: chance of a good answer; need: least chance, in thousandths."""
DRAFT_SLOW = "draft_slow"
"""Likewise. have: limit; need: drafts and answer, measured, in ms."""
DRAFT_DEAR = "draft_dear"
"""Likewise. have: cost without a draft, or limit; need: expected with it, in nano-dollars."""
DRAFT_UNPRICED = "draft_unpriced"
"""Likewise, if its price (have 0) or that of who answers otherwise (1) were known by the token."""
DRAFT_UNVERIFIED = "draft_unverified"
"""Likewise, if a verifier were fitted that could judge it."""
DRAFT_SAME = "draft_same"
"""Likewise, if it did not have to agree with itself: the client left nothing to chance."""

CODES = (
    ZONE, REGION, PROVIDER, EXPIRED, RETENTION, TRAINING, BAA, DPA, PERSONS,
    KEY, ENDPOINT, DIALECT, MODALITY, TOOLS, CONTEXT, OUTPUT, COST, COST_UNKNOWN,
    UNHEALTHY, BUSY, TTFT, LATENCY,
    DRAFT_POOR, DRAFT_SLOW, DRAFT_DEAR, DRAFT_UNPRICED, DRAFT_UNVERIFIED, DRAFT_SAME,
)  # fmt: skip
PRIVACY = frozenset((ZONE, REGION, PROVIDER, EXPIRED, RETENTION, TRAINING, BAA, DPA, PERSONS))
"""What privacy rules say."""
PASSING = frozenset((UNHEALTHY, BUSY, TTFT, LATENCY))
"""These may be gone in a second; all others hold as long as request and configuration do."""

ZONES: tuple[Zone, ...] = ("own", "contracted", "third_party")
DIALECTS = ("openai", "anthropic", "responses", "gemini")
MODALITIES = ("text", "image", "audio", "video", "file")


ORIGINS = ("", "route", "key", "tenant")
"""Whose rule it is; the first are the general ones."""
_PER_DAYS = 65_536


class Rules(NamedTuple):
    """Of one origin: a rule for each class in the order of DATA_CLASSES, or a single one for a category of findings."""

    rules: tuple[PrivacyRule, ...]
    origin: int = 0
    category: int = 0
    """0: they are by class; else 1 + its index in CATEGORIES, or one more for a word of one's own."""

    def code(self, at: int) -> int:
        """Which of these rules it is: class + 4 × origin + 16 × category."""
        return at + 4 * self.origin + 16 * self.category


class Place(Protocol):
    """Of a deployment what privacy rules look at, now or as it was recorded."""

    @property
    def provider(self) -> str: ...

    @property
    def zone(self) -> Zone: ...

    @property
    def region(self) -> str: ...

    @property
    def terms(self) -> Terms | None: ...


def privacy_objection(deployment: Place, rung: int, rules: Iterable[Rules], today: float = inf) -> Objection | None:
    """Why `deployment` may not see data of class `DATA_CLASSES[rung]`.

    Rules of lower classes hold too: what is too sensitive for a place as confidential is so as restricted, even if a
    file forgets to say it. Its own comes first, and the general ones before those that narrow them.

    Args:
        today: days since 1970, UTC. Whoever does not know it gets records with an end as ended.
    """
    for each in rules:
        for at in range(min(rung, len(each.rules) - 1), -1, -1):
            objection = _objection(deployment, each.rules[at], each.code(at), today)
            if objection is not None:
                return objection
    return None


def _objection(deployment: Place, rule: PrivacyRule, code: int, today: float) -> Objection | None:
    zone, terms = deployment.zone, deployment.terms
    expired = terms is not None and 0 <= terms.until_day < today
    if zone not in rule.zones:
        return (ZONE, ZONES.index(zone), 8 * code + sum(1 << ZONES.index(each) for each in set(rule.zones)))
    if not any(region_matches(deployment.region, pattern) for pattern in rule.regions):
        return (REGION, int(bool(deployment.region)), code)
    if not any(fnmatchcase(deployment.provider, pattern) for pattern in rule.providers):
        return (PROVIDER, 0, code)
    if terms is not None and expired and (_asks(rule, zone) or _relies_on_contract(rule, zone)):
        return (EXPIRED, terms.until_day, code)
    stored = terms.storage_region if terms is not None else ""
    if stored and not any(region_matches(stored, pattern) for pattern in rule.regions):
        return (REGION, 2, code)
    return _terms_objection(zone, terms, rule, code)


def _asks(rule: PrivacyRule, zone: Zone) -> bool:
    """Whether the rule asks for a provider's record."""
    asked = rule.max_retention_days >= 0 or rule.no_training or rule.baa or rule.dpa
    return bool(rule.persons) or (asked and zone != "own")


def _relies_on_contract(rule: PrivacyRule, zone: Zone) -> bool:
    """A third party under terms that ended is a third party."""
    return zone == "contracted" and "third_party" not in rule.zones


def _terms_objection(zone: Zone, terms: Terms | None, rule: PrivacyRule, code: int) -> Objection | None:
    """What no record says is not agreed."""
    if zone != "own":
        kept = terms.retention_days if terms is not None else -1
        if rule.max_retention_days >= 0 and not 0 <= kept <= rule.max_retention_days:
            return (RETENTION, kept, _PER_DAYS * rule.max_retention_days + code)
        if rule.no_training and (terms is None or terms.trains_on_data is not False):
            return (TRAINING, int(terms is not None and terms.trains_on_data is True), code)
        if rule.baa and not (terms is not None and terms.baa):
            return (BAA, 0, code)
        if rule.dpa and not (terms is not None and terms.dpa):
            return (DPA, 0, code)
    if rule.persons:
        reach = terms.persons if terms is not None else ()
        if not reach or not set(reach) <= set(rule.persons):
            return (PERSONS, int(bool(reach)), code)
    return None


def rule_code(code: str, need: int) -> int:
    """Which rule a privacy objection comes from, as `Rules.code` has it."""
    if code == ZONE:
        return need >> 3
    return need % _PER_DAYS if code == RETENTION else need


def days_allowed(need: int) -> int:
    """By the rule of a `RETENTION` objection."""
    return need // _PER_DAYS


def region_matches(region: str, pattern: str) -> bool:
    """Whether a region is meant by a pattern like eu-*; an unknown region (empty) only by *."""
    return pattern == "*" or (bool(region) and fnmatchcase(region.lower(), pattern.lower()))
