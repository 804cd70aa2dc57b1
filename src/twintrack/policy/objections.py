"""Why a deployment may not answer a request: a short code with two integers, so it fits a ledger row.

A code says what `have` and `need` mean; `explain.objection_sentence` puts the three into words. Lasting objections
come from the request and the configuration, passing ones from what was measured lately. The first that holds is the
one recorded, in the order of `CODES`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from twintrack.config.settings import Zone
from twintrack.config.snapshot import Deployment, PrivacyRule

Objection = tuple[str, int, int]
"""(code, have, need)"""
RuledOut = tuple[int, str, int, int]
"""(deployment, code, have, need), as the ledger keeps it."""

ZONE = "zone"
"""have: its zone, an index into ZONES; need: 8 × class of the rule + a bit for each zone that rule allows."""
REGION = "region"
"""have: 1 if its region is known; need: class of the rule, an index into DATA_CLASSES."""
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

CODES = (
    ZONE, REGION, KEY, ENDPOINT, DIALECT, MODALITY, TOOLS, CONTEXT, OUTPUT, COST, COST_UNKNOWN,
    UNHEALTHY, BUSY, TTFT, LATENCY,
)  # fmt: skip
PASSING = frozenset((UNHEALTHY, BUSY, TTFT, LATENCY))
"""These may be gone in a second; all others hold as long as request and configuration do."""

ZONES: tuple[Zone, ...] = ("own", "contracted", "third_party")
DIALECTS = ("openai", "anthropic", "responses", "gemini")
MODALITIES = ("text", "image", "audio", "video", "file")


def privacy_objection(deployment: Deployment, rung: int, rules: tuple[PrivacyRule, ...]) -> Objection | None:
    """Why `deployment` may not see data of class `DATA_CLASSES[rung]`.

    `rules` holds one rule for each class, in the order of DATA_CLASSES. Those of lower classes hold too: what is too
    sensitive for a place as confidential is so as restricted, even if a file forgets to say it. Its own comes first.
    """
    for at in range(rung, -1, -1):
        rule = rules[at]
        if deployment.zone not in rule.zones:
            allowed = sum(1 << ZONES.index(zone) for zone in set(rule.zones))
            return (ZONE, ZONES.index(deployment.zone), 8 * at + allowed)
        if not any(region_matches(deployment.region, pattern) for pattern in rule.regions):
            return (REGION, int(bool(deployment.region)), at)
    return None


def region_matches(region: str, pattern: str) -> bool:
    """Whether a region is meant by a pattern like eu-*; an unknown region (empty) only by *."""
    return pattern == "*" or (bool(region) and fnmatchcase(region.lower(), pattern.lower()))
