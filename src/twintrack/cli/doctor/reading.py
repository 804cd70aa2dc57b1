"""A configuration read as far as it can be: what is wrong with it is said, and the rest is still looked at."""

from __future__ import annotations

import errno
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from twintrack.cli.data import folder as data_folder
from twintrack.cli.doctor.finding import Finding, note, ok, problem
from twintrack.config import check, settings, shape
from twintrack.config.load import load
from twintrack.config.settings import Server, Settings
from twintrack.config.source import Problem, Source, spell
from twintrack.errors import ConfigError

_ABOUT = "configuration"


@dataclass(frozen=True)
class Case:
    """What there is to look at."""

    settings: Settings
    """Where the file is wrong, the parts of it that are right; where there is none, the defaults."""
    source: Source
    folder: Path
    """Of ledger and journal."""
    whole: bool
    """The text is right as a whole."""
    unmet: tuple[Problem, ...]
    """What the text asks for that is not there: variables, files."""
    findings: tuple[Finding, ...]
    """What was found out on the way here."""


def read(file: Path, data: Path | None, *, named: bool, environ: Mapping[str, str] = os.environ) -> Case:
    """
    Args:
        data: the data folder, where the command line says it.
        named: the command line says `file`, so it has to be there.
    """
    text, found = _text(file, named)
    source = Source(str(file), text, str(file.absolute().parent))
    document: dict[str, Any] = {}
    unmet: tuple[Problem, ...] = ()
    whole = False
    read_as: Settings | None = None
    if not found:
        try:
            document = tomllib.loads(text)
            read_as = msgspec.convert(document, Settings)
        except msgspec.ValidationError:
            found = [_said(source, each) for each in shape.problems(document)]
        except (ValueError, RecursionError):
            found = [_unreadable(file)]
    if read_as is not None:
        wrong = check.problems(read_as, source, None)
        unmet = tuple(each for each in check.problems(read_as, source, environ) if each not in wrong)
        found = [_said(source, each) for each in wrong]
        whole = not wrong
    if whole:
        routes = ", ".join(read_as.routes) if read_as and read_as.routes else "no route"
        count = len(read_as.deployments) if read_as else 0
        found = [ok(_ABOUT, f"{file} is right: {routes}, {count} deployment{'' if count == 1 else 's'}")]
    kept = read_as if read_as is not None else what_is_right(document)
    folder = data or (Path(source.absolute(kept.server.data)) if text else data_folder(None).absolute())
    if not _can_be(folder):
        found.append(
            problem(_ABOUT, f"no folder can have the name in server.data: {str(folder)[:80]!r}", "Shorten it.")
        )
        folder = Path(source.absolute(Server().data))
    return Case(kept, source, folder, whole, unmet, tuple(found))


def _can_be(folder: Path) -> bool:
    try:
        os.stat(folder / "prices.json")
    except ValueError:  # a character that no name has
        return False
    except OSError as error:
        return error.errno != errno.ENAMETOOLONG
    return True


def _text(file: Path, named: bool) -> tuple[str, list[Finding]]:
    if not file.exists() and not named:
        fix = "twintrack init writes one; twintrack up needs none."
        return "", [note(_ABOUT, f"there is no {file} here, so defaults are looked at", fix)]
    try:
        return file.read_bytes().decode("utf-8-sig"), []
    except OSError as error:
        why = error.strerror or str(error)
        return "", [problem(_ABOUT, f"{file} cannot be read: {why}", "Name another with --config, or: twintrack init")]
    except UnicodeDecodeError:
        return "", [problem(_ABOUT, f"{file} is not UTF-8", "Save the file as UTF-8.")]


def _unreadable(file: Path) -> Finding:
    try:
        load(file, environ=None)
    except ConfigError as error:
        return problem(_ABOUT, str(error), "Correct that line; twintrack config check says when it is right.")
    raise AssertionError("what cannot be read was read")


def _said(source: Source, each: Problem) -> Finding:
    return problem(_ABOUT, f"{source.name}:{source.line(each.path)}: {spell(each.path)} {each.what}", each.fix)


def what_is_right(document: Mapping[str, Any]) -> Settings:
    """The tables of a document that have the right shape, without the others."""
    found: dict[str, Any] = {}
    server = document.get("server")
    if isinstance(server, dict):
        found["server"] = _fields(server, settings.Server)
    for word, kind in (
        ("keys", settings.Key),
        ("providers", settings.Provider),
        ("deployments", settings.Deployment),
    ):
        listed = document.get(word)
        if isinstance(listed, list):
            found[word] = tuple(made for each in listed if (made := _converted(each, kind)) is not None)
    routes = document.get("routes")
    if isinstance(routes, dict):
        made_ = {name: _converted(each, settings.Route) for name, each in routes.items()}
        found["routes"] = {name: each for name, each in made_.items() if each is not None}
    return Settings(**found)


def _fields(table: Mapping[str, Any], kind: type[settings.Server]) -> settings.Server:
    right: dict[str, Any] = {}
    for word, value in table.items():
        made = _converted({word: value}, kind)
        if made is not None:
            right[word] = getattr(made, word)
    return kind(**right)


def _converted(value: Any, kind: Any) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
