"""Rule files read into typed values. Loading is the only I/O of this package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, TypeVar

import msgspec

Words = dict[str, tuple[str, ...]]
"""By language, ISO 639-1."""


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    source: str
    """Document and page that defines the format."""
    as_of: str = ""
    """When it was looked at; empty: with the file's other rules."""


class Number(_Rule, frozen=True, kw_only=True):
    id: str
    name: str
    category: str
    shape: str
    check: str = ""
    alone: str = ""
    alone_unchecked: bool = False
    alone_weak: bool = False
    labelled_only: bool = False
    weight: str = ""
    words: Words = {}
    near: tuple[str, ...] = ()
    number: str
    """A valid one."""


class TokenRule(_Rule, frozen=True, kw_only=True):
    id: str
    regex: str
    prefix: tuple[str, ...]
    left: str | None = None
    """What may not stand before and after; None: a letter or digit."""
    right: str | None = None
    flags: str = ""
    entropy: float = 2.5
    min_length: int = 0
    secret: bool = False
    weak: bool = False
    near: tuple[str, ...] = ()
    nominate: str = ""
    """A pattern for lower case that holds wherever the rule does, where the prefixes alone stand everywhere."""
    check: str = ""
    example: str = ""
    example_fixed: str = ""


class KeyedRule(_Rule, frozen=True, kw_only=True):
    id: str
    near: tuple[str, ...]
    value: str
    entropy: float = 3.0


class Marking(_Rule, frozen=True, kw_only=True):
    id: str
    words: tuple[str, ...]
    regex: str
    category: str = "export"
    flags: str = ""
    statement: bool = False
    """Its form is a sentence, so a question about it is not it."""
    example: str


class Street(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    languages: tuple[str, ...]
    words: tuple[str, ...]
    regex: str
    complete: bool = False
    example: str


class Identifiers(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: str
    type: tuple[Number, ...]


class Secrets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: str
    token: tuple[TokenRule, ...]
    keyed: tuple[KeyedRule, ...]


class Published(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    where: str
    what: str
    as_of: str
    sha256: tuple[str, ...]
    """First 16 hex digits of the values'."""


class PublishedValues(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    published: tuple[Published, ...]


class Vocabulary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: str
    concept: dict[str, Words]


class HealthWords(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: str
    source: str
    strong: Words
    weak: Words


class Markings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: str
    marking: tuple[Marking, ...]


class AddressRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: str
    source: str
    post: str
    street: tuple[Street, ...]


class CategoryClass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    data_class: str = msgspec.field(name="class")
    threshold: float


class PhiRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    identifiers: tuple[str, ...]
    identifier_categories: tuple[str, ...]
    not_identifiers: tuple[str, ...]
    weight: int
    labelled_name: int


class Classes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    as_of: str
    category: dict[str, CategoryClass]
    phi: PhiRule


_T = TypeVar("_T")


def _read(name: str, shape: type[_T]) -> _T:
    text = files(__package__).joinpath("rules", name).read_bytes()
    return msgspec.toml.decode(text, type=shape)


@cache
def identifiers() -> Identifiers:
    return _read("identifiers.toml", Identifiers)


@cache
def secrets() -> Secrets:
    return _read("secrets.toml", Secrets)


@cache
def published() -> PublishedValues:
    return _read("published.toml", PublishedValues)


@cache
def vocabulary() -> Vocabulary:
    return _read("words.toml", Vocabulary)


@cache
def health() -> HealthWords:
    return _read("health.toml", HealthWords)


@cache
def markings() -> Markings:
    return _read("markings.toml", Markings)


@cache
def addresses() -> AddressRules:
    return _read("addresses.toml", AddressRules)


@cache
def classes() -> Classes:
    return _read("classes.toml", Classes)


@cache
def calibration() -> Mapping[str, Any]:
    """Scores by category and evidence; under `type`, by type and evidence."""
    return _read("calibration.toml", dict[str, Any])


def forget() -> None:
    """Let go of what was read: a detector holds what it needs of it, and all together is several megabytes."""
    for read in (identifiers, secrets, published, vocabulary, health, markings, addresses):
        read.cache_clear()


def all_words(words: Words) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for said in words.values() for word in said))
