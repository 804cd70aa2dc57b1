"""Reads a configuration file into `Settings`, or says where it is wrong and what to write instead."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping

import msgspec

from twintrack.config.check import problems
from twintrack.config.settings import Settings
from twintrack.config.source import InvalidConfig, Source, invalid
from twintrack.errors import ConfigError


def load(path: str | os.PathLike[str], *, environ: Mapping[str, str] | None = os.environ) -> tuple[Settings, Source]:
    """Settings from the file at `path`, and where each of them stands.

    Args:
        environ: where `env:` references must lead. None: look at nothing outside the file, so references to
            variables and files go unchecked.
    Raises:
        ConfigError: the file cannot be read, or says something that cannot be; `str()` tells every fault found, each
            with file, line, path and remedy. Secrets are not in it.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            data = file.read()
    except OSError as error:
        raise ConfigError(
            f"The configuration {name} cannot be read",
            why=error.strerror or "",
            fix="Name another with --config, or write one with twintrack init",
        ) from None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidConfig([f"{name}:{line}: This is not UTF-8. Save the file as UTF-8."]) from None
    return parse(text, name, environ=environ)


def parse(text: str, name: str, *, environ: Mapping[str, str] | None = os.environ) -> tuple[Settings, Source]:
    """As `load`, for a text that was read already; relative paths in it start at the folder of `name`."""
    source = Source(name, text, os.path.dirname(os.path.abspath(name)))
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise InvalidConfig([f"{name}:1: This is nested too deeply. Use plain tables and lists."]) from None
    except ValueError as error:  # TOMLDecodeError, or a number too long for int()
        raise InvalidConfig([_syntax(name, str(error))]) from None
    try:
        settings = msgspec.convert(document, Settings)
    except msgspec.ValidationError as error:
        from twintrack.config import shape  # most configurations have the right shape; this would be 4 ms for nothing

        found = shape.problems(document)
        if found:
            raise invalid(source, found) from None
        raise InvalidConfig([f"{name}:1: {error}."]) from None
    wrong = problems(settings, source, environ)
    if wrong:
        raise invalid(source, wrong)
    return settings, source


def _syntax(name: str, message: str) -> str:
    """`tomllib` ends its messages in "(at line 3, column 5)" or "(at end of document)"."""
    place = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", message, re.DOTALL)
    if place is None:
        return f"{name}:1: {message}. Check the TOML."
    what, line, column = place.groups()
    where = f"{name}:{line}:{column}" if line else f"{name}: at the end"
    if what.startswith("Cannot"):  # overwrite a value, declare a table twice, mutate an inline table
        return f"{where}: {what}. Every table and every word in it may stand only once."
    return f"{where}: {what}. This is where the text stops being TOML: look for a missing quote, bracket or =."
