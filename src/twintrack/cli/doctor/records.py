"""What is agreed with providers: what is missing, what ends soon, and what nobody is known to offer."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from twintrack.catalog.regimes import terms as offered
from twintrack.cli.doctor.finding import Finding, note, ok, problem
from twintrack.config import effective
from twintrack.config.settings import Provider, Settings, Terms

_ABOUT = "terms"
_SOON_DAYS = 30


def check(settings: Settings, today: datetime.date) -> Iterator[Finding]:
    for provider in settings.providers:
        at = effective.endpoint(provider, effective.ignore)
        if at is None:
            continue
        terms = provider.terms
        if terms is None:
            if at.zone == "contracted":
                what = f"{provider.name} counts as contracted, and there is no record of what is agreed with it"
                yield note(
                    _ABOUT, what, "Add terms to the provider: baa, dpa, retention_days, trains_on_data, expires_on."
                )
            continue
        found = [*_end(provider.name, terms, today), *_offers(provider, at.prices_of, terms)]
        yield from found
        if not found:
            until = f", until {terms.expires_on}" if terms.expires_on else ""
            yield ok(_ABOUT, f"what is agreed with {provider.name} is on record{until}")


def _end(name: str, terms: Terms, today: datetime.date) -> Iterator[Finding]:
    fix = "Check what is agreed, and put the day it was and a new end into the provider's terms."
    if not terms.expires_on:
        if terms != Terms():
            yield note(
                _ABOUT, f"the record of {name} has no end", "Add expires_on: the day by which you check it again."
            )
        return
    left = (datetime.date.fromisoformat(terms.expires_on) - today).days
    if left < 0:
        what = f"the record of {name} expired on {terms.expires_on}: rules that ask for terms exclude it"
        yield problem(_ABOUT, what, fix)
    elif left <= _SOON_DAYS:
        days = "today" if left == 0 else f"in {left} day{'' if left == 1 else 's'}"
        yield note(_ABOUT, f"the record of {name} ends {days}, on {terms.expires_on}", fix)


def _offers(provider: Provider, known_as: str, terms: Terms) -> Iterator[Finding]:
    """What you say is agreed against what the catalogue knows to be offered."""
    row = offered().get(known_as)
    if row is None:
        return
    for said, word, what in (
        (terms.baa, "baa", "a business associate agreement"),
        (terms.dpa, "dpa", "a data processing agreement"),
        (terms.zdr, "zero_retention", "zero data retention"),
    ):
        if said and row.offers.get(word) is not True:  # type: ignore[call-overload]  # one of the offers
            known = "knows that it is not offered" if row.offers.get(word) is False else "knows of no such offer"  # type: ignore[call-overload]
            about = (
                f"{provider.name}: you say that {what} is agreed, and the catalogue {known} ({row.source}, {row.as_of})"
            )
            yield note(_ABOUT, about, "Look at the contract again, and put where it stands into evidence.")
    if terms.trains_on_data is False and row.trains_on_data is True:
        about = f"{provider.name}: you say that it does not train on what is sent, and the catalogue says that it does"
        yield note(_ABOUT, f"{about} ({row.source}, {row.as_of})", "Put where it is agreed into evidence.")
    if (
        terms.retention_days is not None
        and row.retention_days is not None
        and terms.retention_days < row.retention_days
    ):
        about = f"{provider.name}: you say {terms.retention_days} days of retention, the catalogue {row.retention_days}"
        if not terms.zdr and not terms.evidence:
            yield note(_ABOUT, f"{about} ({row.source}, {row.as_of})", "Put where it is agreed into evidence.")
