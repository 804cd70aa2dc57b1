"""What may not be used, and why: capability, licence, regime and residency. Each objection is a sentence with its
source; what nobody knows never counts as allowed.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Literal

import msgspec

from twintrack.catalog import models, permission
from twintrack.catalog.permission import Purpose
from twintrack.economics.workload import Needs

Ground = Literal["capability", "quality", "licence", "regime", "residency", "latency", "memory"]


class RuledOut(msgspec.Struct, frozen=True):
    model: str
    where: str
    """Provider or GPU; empty: wherever it runs."""
    ground: Ground
    why: str
    source: str = ""


def model_objections(name: str, needs: Needs, longest_tokens: float, least_quality: float) -> list[RuledOut]:
    """What speaks against a model wherever it runs."""
    model = models.find(name)
    if model is None:
        return []
    found = list(_capability(model, needs, longest_tokens))
    if model.quality < least_quality:
        found.append(
            RuledOut(name, "", "quality", f"quality {model.quality:g} is below {least_quality:g}", model.source)
        )
    return found


def licence_objection(name: str, needs: Needs, most_users: float) -> tuple[RuledOut | None, tuple[str, ...]]:
    """Whether the weights may be run for this use; and the duties, where they may.

    Args:
        most_users: monthly, where the needs do not say them: no more people than requests can ask.
    """
    finding = permission.check(
        name,
        Purpose(
            use=needs.use,
            users_now=round(most_users if needs.users_now is None else needs.users_now),
            revenue_usd_month=needs.revenue_usd_month,
            domicile=needs.domicile,
            fields=needs.fields_of_use,
            trains_on_outputs=needs.trains_on_outputs,
        ),
    )
    if permission.eligible(finding):
        return None, tuple(duty.text for duty in finding.duties)
    why = "; ".join(f"{ground.text} ({ground.clause})" for ground in finding.grounds)
    asks = "; ".join(f"say {each.ask}" for each in finding.missing)
    words = finding.verdict.replace("_", " ")
    return RuledOut(name, "", "licence", f"{words}: {why or asks or 'nobody has read it'}", finding.url), ()


def place_objections(
    model: str, provider: str, zone: str, region: str | None, needs: Needs, on: datetime.date
) -> list[RuledOut]:
    """What speaks against a place: zones, regimes and regions."""
    found = []
    if needs.zones and zone not in needs.zones:
        found.append(
            RuledOut(model, provider, "residency", f"its zone is {zone}, allowed are {', '.join(needs.zones)}")
        )
    found += _regimes(model, provider, zone, region, needs, on)
    return found


def _regimes(
    model: str, provider: str, zone: str, region: str | None, needs: Needs, on: datetime.date
) -> Iterator[RuledOut]:
    return iter(())


def _capability(model: models.Model, needs: Needs, longest_tokens: float) -> Iterator[RuledOut]:
    longest = max(longest_tokens, needs.context_tokens)
    if model.context_tokens < longest:
        yield RuledOut(
            model.name, "", "capability", f"window of {model.context_tokens:,} tokens, {longest:,.0f} are needed",
            model.source,
        )  # fmt: skip
    missing = [each for each in needs.modalities if each not in model.modalities]
    if missing:
        yield RuledOut(model.name, "", "capability", f"does not take {' or '.join(missing)}", model.source)
    if needs.tools and not model.tools:
        yield RuledOut(model.name, "", "capability", "does not call tools", model.source)
