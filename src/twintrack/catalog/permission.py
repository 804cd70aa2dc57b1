"""May this model be used so? A pure decision over licences.toml: each answer with its clause, and never by guess.

This is no legal advice: it says what the rows say, and which of them nobody has read in full.
"""

from __future__ import annotations

from typing import Literal, get_args

import msgspec

from twintrack.catalog.licences import Counted, Field, Grant, Licence, Subject, Use, find
from twintrack.catalog.places import members
from twintrack.errors import BadRequest, nearest

Verdict = Literal["allowed", "allowed_with_duties", "needs_licence", "not_allowed", "unknown"]
_WORST: tuple[Grant, ...] = ("allowed", "unknown", "needs_licence", "not_allowed")
_ASK: dict[Counted | Literal["domicile"], str] = {
    "users_at_release": "how many people used your products monthly, affiliates' included, on {}",
    "users_now": "how many people use your product monthly",
    "revenue_usd_month": "what it earns a month, in dollars",
    "domicile": "in which country you have your seat",
}


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """What a model is wanted for. None is not said; where an answer depends on it, the answer is unknown."""

    use: Use
    users_at_release: int | None = None
    """Monthly users of all your products, affiliates' included, on the day the model came out."""
    users_now: int | None = None
    revenue_usd_month: float | None = None
    domicile: str | None = None
    """ISO 3166 alpha-2, or EU."""
    fields: tuple[Field, ...] = ()
    trains_on_outputs: bool = False


class Ground(msgspec.Struct, frozen=True):
    """Why the verdict is not better."""

    verdict: Grant
    text: str
    clause: str


class Obligation(msgspec.Struct, frozen=True):
    text: str
    clause: str


class Missing(msgspec.Struct, frozen=True):
    """What has to be said before there is an answer."""

    input: str
    ask: str
    limit: int | None
    """Up to it the rest of the finding holds; None: it is no number."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    licence: str | None
    spdx: str | None
    title: str | None
    osi_open_source: bool | None
    verdict: Verdict
    otherwise: Verdict | None
    """The verdict once every missing answer is a harmless one; None: nothing is missing."""
    grounds: tuple[Ground, ...]
    duties: tuple[Obligation, ...]
    missing: tuple[Missing, ...]
    assumed: tuple[str, ...]
    read: Literal["full", "part", "no"] | None
    """How much of the text was read."""
    source: str
    url: str
    as_of: str


def eligible(finding: Finding) -> bool:
    """Only what is allowed for certain; unknown is not."""
    return finding.verdict in ("allowed", "allowed_with_duties")


def check(name: str, purpose: Purpose) -> Finding:
    """Say whether the model or licence `name` may be used so.

    Raises:
        BadRequest: a word or a number of `purpose` is impossible; `param` names it.
    """
    _valid(purpose)
    subject = find(name)
    if subject.licence is None:
        return _no_text(subject)
    return _judge(subject, subject.licence, purpose)


def _judge(subject: Subject, text: Licence, purpose: Purpose) -> Finding:
    grounds: list[Ground] = []
    duties: list[Obligation] = []
    missing: list[Missing] = []
    assumed: list[str] = []
    granted = text.use[purpose.use]
    if granted != "allowed":
        grounds.append(Ground(granted, _granted(granted, purpose.use), text.use_clause))
    _limits(text, purpose, grounds, duties, missing, assumed)
    for place in text.places:
        if place.multimodal and not subject.multimodal:
            continue
        if purpose.domicile is None:
            missing.append(Missing("domicile", _ASK["domicile"], None))
        elif purpose.domicile == place.domicile or purpose.domicile in members(place.domicile):
            grounds.append(Ground(place.verdict, place.text, place.clause))
    for field in purpose.fields:
        grounds.extend(_field(text, field))
    if purpose.trains_on_outputs and text.outputs != "allowed":
        words = "Training on its outputs: " + ("not known." if text.outputs == "unknown" else "not allowed.")
        grounds.append(Ground(text.outputs, words, text.outputs_clause))
    duties += [
        Obligation(duty.text, duty.clause)
        for duty in text.duties
        if (not duty.uses or purpose.use in duty.uses) and (purpose.trains_on_outputs or not duty.outputs)
    ]
    rest = _verdict(grounds, duties)
    verdict = "unknown" if missing and rest in ("allowed", "allowed_with_duties") else rest
    return Finding(
        model=subject.model,
        licence=text.name,
        spdx=text.spdx,
        title=text.title,
        osi_open_source=text.osi_open_source,
        verdict=verdict,
        otherwise=rest if missing else None,
        grounds=tuple(grounds),
        duties=tuple(duties) if rest == "allowed_with_duties" else (),
        missing=tuple(missing),
        assumed=tuple(assumed),
        read=text.read,
        source=text.source,
        url=text.url,
        as_of=text.as_of,
    )


def _limits(
    text: Licence,
    purpose: Purpose,
    grounds: list[Ground],
    duties: list[Obligation],
    missing: list[Missing],
    assumed: list[str],
) -> None:
    for limit in text.limits:
        if limit.uses and purpose.use not in limit.uses:
            continue
        value, assumption = _counted(limit.of, purpose, text.released)
        if value is None and limit.duty:
            duties.append(Obligation(f"If that is you: {limit.text}", limit.clause))
        elif value is None:
            missing.append(Missing(limit.of, _ASK[limit.of].format(text.released), limit.over))
        elif value > limit.over and limit.duty:
            duties.append(Obligation(limit.text, limit.clause))
        elif value > limit.over:
            grounds.append(Ground(limit.means, limit.text, limit.clause))
        if assumption:
            assumed.append(assumption)


def _counted(of: Counted, purpose: Purpose, released: str) -> tuple[float | None, str]:
    """The number a limit is about, and what had to be assumed for it."""
    value: float | None = getattr(purpose, of)
    if value is not None:
        return value, ""
    if of == "users_at_release" and purpose.users_now is not None:
        return purpose.users_now, f"as many users on {released} as now, {purpose.users_now:,}"
    if of == "users_now" and purpose.users_at_release is not None:
        return purpose.users_at_release, f"as many users now as at the release, {purpose.users_at_release:,}"
    return None, ""


def _field(text: Licence, field: Field) -> list[Ground]:
    rules = [rule for rule in text.fields if rule.field == field]
    if rules:
        return [Ground(rule.verdict, rule.text, rule.clause) for rule in rules if rule.verdict != "allowed"]
    if text.policy:
        return [Ground("unknown", f"Whether {text.policy} forbids {field} uses was not read.", text.policy)]
    return []


def _granted(verdict: Grant, use: Use) -> str:
    words = use.replace("_", " ")
    match verdict:
        case "needs_licence":
            return f"The text does not grant {words} use; another licence has to be asked or paid for."
        case "not_allowed":
            return f"It does not grant {words} use."
    return f"Whether it grants {words} use is not known."


def _verdict(grounds: list[Ground], duties: list[Obligation]) -> Verdict:
    worst: Verdict = max((ground.verdict for ground in grounds), key=_WORST.index, default="allowed")
    if worst == "allowed" and duties:
        return "allowed_with_duties"
    return worst


def _no_text(subject: Subject) -> Finding:
    return Finding(
        model=subject.model,
        licence=None,
        spdx=None,
        title=None,
        osi_open_source=None,
        verdict="unknown",
        otherwise=None,
        grounds=(Ground("unknown", subject.note, ""),),
        duties=(),
        missing=(),
        assumed=(),
        read=None,
        source="",
        url="",
        as_of="",
    )


def _valid(purpose: Purpose) -> None:
    if purpose.use not in get_args(Use):
        raise BadRequest(f"There is no use {purpose.use!r}", fix=_hint(purpose.use, get_args(Use)), param="use")
    for field in purpose.fields:
        if field not in get_args(Field):
            raise BadRequest(f"There is no field of use {field!r}", fix=_hint(field, get_args(Field)), param="fields")
    for name in get_args(Counted):
        value = getattr(purpose, name)
        if value is not None and not 0 <= value < 1e15:
            raise BadRequest(f"{name} is {value}", fix="Say a number from 0 on", param=name)
    place = purpose.domicile
    if place is not None and not (len(place) == 2 and place.isalpha() and place.isupper()):
        raise BadRequest(
            f"domicile is {place!r}", fix="Say a country by its two letters, as DE or US, or EU", param="domicile"
        )


def _hint(word: str, known: tuple[str, ...]) -> str:
    close = nearest(word, known, 1)
    return f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(known)}"
