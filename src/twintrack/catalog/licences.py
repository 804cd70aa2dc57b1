"""Licences of weights and terms of closed models, as conditions a program can check: licences.toml."""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from twintrack.catalog import facts, models
from twintrack.errors import nearest

Use = Literal["research", "internal", "product", "hosted_service", "distributed_weights"]
"""research: study nobody is paid for. internal: a company's own staff. product: a feature of what you sell. \
hosted_service: others call the model as such. distributed_weights: others get the weights or a fine-tune of them."""
Grant = Literal["allowed", "needs_licence", "not_allowed", "unknown"]
Field = Literal[
    "military", "adverse_decision", "surveillance", "biometric", "medical", "legal", "critical_infrastructure", "minors"
]
"""adverse_decision: fully automated decisions that may adversely affect a person's rights."""
Counted = Literal["users_at_release", "users_now", "revenue_usd_month"]


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    of: Counted
    over: int
    means: Grant = "allowed"
    """What holds beyond it; `allowed` where only a duty begins."""
    duty: bool = False
    text: str
    clause: str
    uses: tuple[Use, ...] = ()
    """Empty: all."""


class Duty(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    text: str
    clause: str
    uses: tuple[Use, ...] = ()
    outputs: bool = False
    """Only where a model is trained on its outputs."""


class FieldRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    field: Field
    verdict: Grant
    text: str
    clause: str


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    domicile: str
    """ISO 3166 alpha-2, or EU."""
    multimodal: bool = False
    """Only for models that take more than text."""
    verdict: Grant
    text: str
    clause: str


class Licence(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    name: str
    like: str = ""
    """The row that what is not said here is taken from."""
    spdx: str
    title: str
    osi_open_source: bool
    released: str = ""
    """YYYY-MM-DD, the day `users_at_release` are counted on."""
    use: dict[Use, Grant]
    use_clause: str
    policy: str = ""
    """A text on forbidden uses that binds as well."""
    outputs: Grant
    outputs_clause: str
    read: Literal["full", "part", "no"]
    url: str
    source: str
    as_of: str
    """YYYY-MM-DD."""
    limits: tuple[Limit, ...] = ()
    duties: tuple[Duty, ...] = ()
    fields: tuple[FieldRule, ...] = ()
    places: tuple[Place, ...] = ()


class Subject(msgspec.Struct, frozen=True):
    """A model and the text it is under."""

    model: str
    licence: Licence | None
    """None: not known, and `note` says why."""
    multimodal: bool = False
    note: str = ""


class _Names(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    licence: str
    patterns: tuple[str, ...]
    multimodal: tuple[str, ...] = ()
    note: str = ""


class _Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    family: str
    members: tuple[str, ...]


@functools.cache
def licences() -> Mapping[str, Licence]:
    """By name, in the file's order, each with what it takes from the row it is like."""
    rows = {row["name"]: row for row in facts.rows("licences.toml", "licences", dict[str, Any])}
    whole = {
        name: msgspec.convert({**(rows[row["like"]] if "like" in row else {}), **row}, Licence)
        for name, row in rows.items()
    }
    return MappingProxyType(whole)


def find(name: str) -> Subject:
    """The text a model is under, by the model's name or the licence's own."""
    texts = licences()
    by_spdx = {text.spdx: text for text in texts.values() if text.spdx != "proprietary"}
    text = texts.get(name.lower()) or by_spdx.get(name)
    if text is not None:
        return Subject(name, text, multimodal=any(place.multimodal for place in text.places))
    model = models.resolve(name)
    if model is None and (fault := mistake(name)):
        return Subject(name, None, note=fault)
    spelt = _spelling(name)
    row, multimodal = _named(spelt)
    if model is not None and model.kind == "open":
        found = next((each for each in licences().values() if each.spdx == model.licence), None)
        if found is not None:
            return Subject(model.name, found, multimodal=multimodal or model.modalities != ("text",))
    if row is None and model is not None:
        row, multimodal = _named(_spelling(model.name))
    if row is not None:
        return Subject(name, licences()[row.licence] if row.licence else None, multimodal, row.note)
    if model is not None:
        if model.kind == "closed":
            return Subject(model.name, licences()["closed"])
        return Subject(model.name, None, note=f"Nothing is known of its licence, {model.licence}.")
    known = [*models.models(), *licences()]
    close = nearest(name.lower(), known, 1)
    return Subject(name, None, note="This model is not known." + (f" Did you mean {close[0]}?" if close else ""))


def by_pattern(name: str) -> Licence | None:
    """The text that the name alone stands for, whatever models.toml says."""
    row, _ = _named(_spelling(name))
    return licences()[row.licence] if row is not None and row.licence else None


def mistake(name: str) -> str:
    """Say why there is no such model although there is the family, as for Gemma 3 9B; empty: nothing is wrong."""
    spelt = _spelling(name)
    for row in sorted(_families(), key=lambda row: -len(row.family)):
        rest = spelt.removeprefix("meta-").removeprefix(row.family + "-")
        if rest == spelt.removeprefix("meta-"):
            continue
        said = _SIZE.match(rest) or re.fullmatch(r"(haiku|sonnet|opus|vision|guard)", rest)
        if said and said[1] not in row.members:
            title = name[: len(name) - len(rest)].strip(" -_") or row.family
            return f"There is no {name}: {title} comes as {', '.join(row.members).replace('-', '.')}."
        return ""
    return ""


_SIZE = re.compile(r"(\d+[bm]|[01]-\d[bm])(?:-|$)")
_WILD = re.compile(r"\*|\[[^]]*\]")


def _named(spelt: str) -> tuple[_Names | None, bool]:
    best: tuple[int, _Names | None] = (-1, None)
    for row in _rows():
        for pattern in row.patterns:
            letters = len(_WILD.sub("", pattern))
            if letters > best[0] and fnmatch.fnmatchcase(spelt, pattern):
                best = (letters, row)
    found = best[1]
    return found, found is not None and any(fnmatch.fnmatchcase(spelt, pattern) for pattern in found.multimodal)


@functools.cache
def _rows() -> tuple[_Names, ...]:
    return facts.rows("licences.toml", "models", _Names)


@functools.cache
def _families() -> tuple[_Family, ...]:
    return facts.rows("licences.toml", "families", _Family)


def patterns() -> Iterator[tuple[str, str]]:
    """Each pattern of a model's name with the licence it stands for."""
    for row in _rows():
        for pattern in row.patterns:
            yield pattern, row.licence


def _spelling(name: str) -> str:
    return re.sub(r"[-_ .:]+", "-", name.rpartition("/")[2].strip().lower())
