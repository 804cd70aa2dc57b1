"""Says everything that does not fit the types in `settings.py`. Runs only once `msgspec` has refused a document,
because that stops at the first fault and leaves list positions out of its paths."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import msgspec
import msgspec.inspect as types

from twintrack.config import settings
from twintrack.config.locate import Path
from twintrack.config.source import Problem, alternatives, shown
from twintrack.errors import nearest

TABLES: tuple[tuple[str, type[msgspec.Struct]], ...] = (
    ("the top of the file", settings.Settings),
    ("[server]", settings.Server),
    ("[server.tls]", settings.Tls),
    ("[server.deadlines]", settings.Deadlines),
    ("[server.failover]", settings.Failover),
    ("[server.limits]", settings.Limits),
    ("[[keys]]", settings.Key),
    ("[[providers]]", settings.Provider),
    ("[providers.terms]", settings.Terms),
    ("[[deployments]]", settings.Deployment),
    ("[deployments.price]", settings.Price),
    ("[deployments.facts]", settings.Facts),
    ("[routes.NAME]", settings.Route),
    ("[[routes.NAME.tiers]]", settings.Tier),
    ("[tenants.NAME]", settings.Tenant),
    ("[privacy]", settings.Privacy),
    ("[routes.NAME.cascade]", settings.Cascade),
    ("[routes.NAME.classifier]", settings.Classifier),
    ("[privacy.CLASS]", settings.PrivacyRule),
    ("[detect]", settings.Detect),
    ("[detect.ner]", settings.Ner),
    ("[[detect.rules]]", settings.DetectRule),
    ("[telemetry]", settings.Telemetry),
    ("[audit]", settings.Audit),
)
"""Every table of a configuration by the header it is written under."""

_HIDDEN = frozenset(("key", "proxy", "headers"))
"""Words whose value may be a secret written down by mistake: it is never shown."""


def problems(document: object) -> list[Problem]:
    """All faults of shape in a parsed document; empty only if it fits `Settings`."""
    return list(_faults(document, types.type_info(settings.Settings), ()))


def _faults(value: object, wanted: types.Type, path: Path) -> Iterator[Problem]:
    if isinstance(wanted, types.UnionType):  # ours are all "something or absent"
        wanted = next(each for each in wanted.types if not isinstance(each, types.NoneType))
    if isinstance(wanted, types.StructType) and isinstance(value, dict):
        yield from _struct_faults(value, wanted, path)
    elif isinstance(wanted, types.DictType) and isinstance(value, dict):
        for key, each in value.items():
            if isinstance(wanted.key_type, types.LiteralType) and key not in wanted.key_type.values:
                yield Problem((*path, key), "is unknown", f"Use {alternatives(choices(wanted.key_type))}.")
            else:
                yield from _faults(each, wanted.value_type, (*path, key))
    elif isinstance(wanted, types.VarTupleType) and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _faults(each, wanted.item_type, (*path, number))
    elif isinstance(wanted, types.TupleType) and isinstance(value, list) and len(value) == len(wanted.item_types):
        for number, (each, item) in enumerate(zip(value, wanted.item_types, strict=True)):
            yield from _faults(each, item, (*path, number))
    elif not _fits(value, wanted):
        yield Problem(path, f"is {_found(value, path)}", _use(wanted, value, path))


def _struct_faults(value: dict[str, object], wanted: types.StructType, path: Path) -> Iterator[Problem]:
    fields = {field.encode_name: field for field in wanted.fields}
    for word, each in value.items():
        if word in fields:
            yield from _faults(each, fields[word].type, (*path, word))
        else:
            yield Problem((*path, word), "is unknown", _instead(word, fields))
    for word, field in fields.items():
        if field.required and word not in value:
            example = "[…]" if isinstance(field.type, types.VarTupleType) else '"…"'
            yield Problem((*path, word), "is missing", f"Add {word} = {example}.")


def _instead(word: str, fields: dict[str, types.Field]) -> str:
    elsewhere = [label for label, table in TABLES if word in table.__struct_fields__]
    near = nearest(word, fields, most=1)
    if elsewhere:
        return f"It belongs to {alternatives(elsewhere)}."
    if near:
        return f"Did you mean {near[0]}?"
    return f"Known here: {', '.join(fields)}."


def _fits(value: object, wanted: types.Type) -> bool:
    if isinstance(wanted, types.LiteralType):
        return isinstance(value, str) and value in wanted.values
    if isinstance(wanted, types.BoolType):
        return isinstance(value, bool)
    if isinstance(wanted, types.StrType):
        return isinstance(value, str)
    if isinstance(wanted, types.IntType):
        return isinstance(value, int) and not isinstance(value, bool) and _in_range(value, wanted)
    if isinstance(wanted, types.FloatType):
        return isinstance(value, int | float) and not isinstance(value, bool) and _in_range(value, wanted)
    return False  # a table or a list was wanted, and it is neither


def _in_range(value: float, wanted: types.IntType | types.FloatType) -> bool:
    above = wanted.gt is None or value > wanted.gt
    return above and (wanted.ge is None or value >= wanted.ge) and (wanted.le is None or value <= wanted.le)


def _found(value: object, path: Path) -> str:
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "true" if value else "false"
    if not _HIDDEN.isdisjoint(path):
        return "not what belongs there"
    if isinstance(value, str):
        return shown(value, 60)
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value) if value.bit_length() < 200 else "a huge number"
    return "a date or time"


def _use(wanted: types.Type, value: object, path: Path) -> str:
    if isinstance(wanted, types.LiteralType):
        return f"Use {alternatives(choices(wanted))}."
    if isinstance(wanted, types.BoolType):
        return "Use true or false."
    if isinstance(wanted, types.StrType):
        return "Use text in quotes."
    if isinstance(wanted, types.IntType):
        return f"Use a whole number{range_words(wanted)}."
    if isinstance(wanted, types.FloatType):
        return f"Use a number{range_words(wanted)}."
    header = ".".join(str(part) for part in path)
    if isinstance(wanted, types.VarTupleType) and isinstance(wanted.item_type, types.StructType):
        if isinstance(value, dict) and not any(isinstance(part, int) for part in path):
            return f"Write [[{header}]], with two brackets on each side, once for each of them."
        return "Use a list of tables: [{ … }, { … }]."
    if isinstance(wanted, types.VarTupleType):
        return 'Use a list of texts: ["…", "…"].'
    if isinstance(wanted, types.TupleType):
        shown = ", ".join(['"…"'] * len(wanted.item_types))
        return f"Use a list of {len(wanted.item_types)} texts: [{shown}]."
    if isinstance(value, list) and not any(isinstance(part, int) for part in path):
        return f"Write [{header}], with one bracket on each side."
    return "Use a table: { … }."


def choices(literal: types.LiteralType) -> list[str]:
    """Values in the order `settings.py` gives them, which `msgspec` forgets and readers of a ladder need."""
    ordered = (*get_args(settings.Zone), *settings.DATA_CLASSES, *get_args(settings.Modality))
    return sorted(map(str, literal.values), key=lambda value: ordered.index(value) if value in ordered else -1)


def range_words(number: types.IntType | types.FloatType) -> str:
    """What a number may be: " from 0 to 1", or nothing where there is no limit worth telling."""
    low, high = number.ge, number.le
    if high is not None and high >= 1e9:
        high = None  # a guard against nonsense, not advice
    if number.gt is not None:
        return f" above {number.gt:g}" + (f" and at most {high:g}" if high is not None else "")
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    return f" of at least {low:g}" if low is not None else ""
