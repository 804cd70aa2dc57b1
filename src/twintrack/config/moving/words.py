"""Another gateway's words, from the data files of this room."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from functools import cache
from urllib.parse import urlsplit

import msgspec

from twintrack.config.moving.account import Advice, Kind


class Prefix(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who serves a model, by what stands before its name; litellm.toml says what each field means."""

    name: tuple[str, ...]
    only: tuple[str, ...] = ()
    api: tuple[str, ...] = ()
    url: str = ""
    path: str = ""
    key_env: str = ""
    models: str = ""
    strip: tuple[str, ...] = ()
    named: str = ""
    changed: str = ""
    why: str = ""


class Bare(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    starts: tuple[str, ...]
    prefix: str


class Named(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    like: tuple[str, ...]
    does: str


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    path: str
    why: str
    kind: Kind = "not carried"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    as_of: str
    advice: tuple[_Row, ...]
    prefixes: tuple[Prefix, ...] = ()
    bare: tuple[Bare, ...] = ()
    named: tuple[Named, ...] = ()
    hosts: tuple[str, ...] = ()


class Words:
    def __init__(self, file: _File) -> None:
        self.advice = tuple(Advice(tuple(row.path.split(".")), row.why, row.kind) for row in file.advice)
        self.prefixes = list(dict.fromkeys(name for row in file.prefixes for name in row.name))
        self._prefixes = file.prefixes
        self._bare = file.bare
        self._named = file.named
        urls = (urlsplit(row.url).hostname for row in file.prefixes if row.url)
        self.hosts = (*file.hosts, *(host for host in urls if host))
        """Of managed providers, as patterns."""

    def prefix(self, name: str, model: str) -> Prefix | None:
        """What a prefix means before this model; None: nobody knows it."""
        rows = (row for row in self._prefixes if name in row.name)
        return next((row for row in rows if not row.only or any(fnmatchcase(model, each) for each in row.only)), None)

    def bare(self, model: str) -> str:
        """The prefix of a model that stands there without one; empty if its name does not tell."""
        return next((row.prefix for row in self._bare if model.startswith(row.starts)), "")

    def does(self, model: str) -> str:
        """embeddings, or what it does instead of chat, as its name tells; empty if it does not."""
        parts = model.lower().rpartition("/")[2].split(".")
        tails = [".".join(parts[number:]) for number in range(len(parts))]
        return next((row.does for row in self._named if any(_fits(tails, each) for each in row.like)), "")


def _fits(names: list[str], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)


@cache
def words(gateway: str) -> Words:
    """Of litellm or openrouter."""
    import tomllib

    with open(os.path.join(os.path.dirname(__file__), f"{gateway}.toml"), "rb") as file:
        return Words(msgspec.convert(tomllib.load(file), _File))
