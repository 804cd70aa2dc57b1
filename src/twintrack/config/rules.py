"""Privacy rules and providers' records as the snapshot holds them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator

from twintrack.config import settings
from twintrack.config.locate import Path
from twintrack.config.settings import CATEGORIES, ZONES, Privacy, Settings
from twintrack.config.snapshot import Narrowing, PrivacyRule, Terms
from twintrack.config.source import Problem, shown
from twintrack.errors import nearest

_REGION = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_REGION_PATTERN = re.compile(r"[a-z0-9*]+(-[a-z0-9*]+)*")
_EPOCH = datetime.date(1970, 1, 1)


def day(text: str) -> int | None:
    """Days since 1970 of YYYY-MM-DD; None: it is no day."""
    try:
        found = datetime.date.fromisoformat(text)
    except ValueError:
        return None
    return days(found) if found.isoformat() == text else None


def days(date: datetime.date) -> int:
    """Since 1970, as records and policy count."""
    return (date - _EPOCH).days


def rule(said: settings.PrivacyRule) -> PrivacyRule:
    return PrivacyRule(
        ZONES if said.zones is None else said.zones,
        said.regions,
        said.providers,
        -1 if said.max_retention_days is None else said.max_retention_days,
        said.no_training,
        said.baa,
        said.dpa,
        said.persons,
    )


def narrowing(said: settings.Privacy) -> Narrowing:
    return Narrowing(
        {name: rule(each) for name, each in said.said().items()},
        {name: rule(each) for name, each in said.categories.items()},
    )


def terms(said: settings.Terms) -> Terms:
    """`expires_on` is a day, or empty."""
    until = day(said.expires_on)
    return Terms(
        storage_region=said.storage_region,
        retention_days=0 if said.zdr else -1 if said.retention_days is None else said.retention_days,
        trains_on_data=said.trains_on_data,
        baa=said.baa,
        dpa=said.dpa,
        persons=said.persons,
        until_day=-1 if until is None else until,
    )


def problems(said: Settings) -> Iterator[Problem]:
    """What is wrong with the rules and records themselves."""
    yield from _privacy(said.privacy, ("privacy",), said)
    for name, route in said.routes.items():
        yield from _privacy(route.privacy, ("routes", name, "privacy"), said)
    for number, key in enumerate(said.keys):
        yield from _privacy(key.privacy, ("keys", number, "privacy"), said)
    for name, tenant in said.tenants.items():
        yield from _privacy(tenant.privacy, ("tenants", name, "privacy"), said)
    for number, provider in enumerate(said.providers):
        if provider.terms is not None:
            yield from _terms(provider.terms, ("providers", number, "terms"))


def _privacy(privacy: Privacy, base: Path, said: Settings) -> Iterator[Problem]:
    for name, one in privacy.said().items():
        yield from _rule(one, (*base, name), said)
    words = dict.fromkeys((*CATEGORIES, *said.detect.classes, *(each.category for each in said.detect.rules)))
    for category, one in privacy.categories.items():
        if category not in words:
            near = nearest(category, words, most=1)
            fix = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(words)}."
            yield Problem((*base, "categories", category), "is no category of findings", fix)
        yield from _rule(one, (*base, "categories", category), said)


def _rule(one: settings.PrivacyRule, base: Path, said: Settings) -> Iterator[Problem]:
    for place, pattern in enumerate(one.regions):
        if not _REGION_PATTERN.fullmatch(pattern):
            what = f"is {shown(pattern)}, which no region can match"
            fix = "Use lower-case words joined by hyphens, with * as wildcard: eu-*."
            yield Problem((*base, "regions", place), what, fix)
    known = [each.name for each in said.providers]
    for place, pattern in enumerate(one.providers):
        if "*" not in pattern and pattern not in known:
            near = nearest(pattern, known, most=1)
            fix = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known[:10]) or 'none yet'}."
            yield Problem((*base, "providers", place), f"is {shown(pattern)}, which is the name of no provider", fix)


def _terms(one: settings.Terms, base: Path) -> Iterator[Problem]:
    days = {}
    for word in ("verified_on", "expires_on"):
        text = getattr(one, word)
        days[word] = day(text) if text else None
        if text and days[word] is None:
            yield Problem((*base, word), f"is {shown(text)}, which is no day", 'Write it as "2027-03-31".')
    verified, expires = days["verified_on"], days["expires_on"]
    if verified is not None and expires is not None and expires < verified:
        what = f"is {one.expires_on}, before it was verified on {one.verified_on}"
        yield Problem((*base, "expires_on"), what, "Correct one of the two days.")
    if one.storage_region and not _REGION.fullmatch(one.storage_region):
        what = f"is {shown(one.storage_region)}, which is no region"
        yield Problem((*base, "storage_region"), what, "Use lower-case words joined by hyphens, like eu-west.")
    if one.zdr and one.retention_days:
        what = f"is {one.retention_days} beside zdr = true"
        yield Problem((*base, "retention_days"), what, "With zero data retention nothing is kept: drop one of them.")
