"""Secrets stand in a configuration by reference: env:NAME or file:PATH. Values are never logged, shown or kept.

Paths are absolute by the time they come here: `Source.reference` makes them so when a configuration is compiled.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def is_reference(text: str) -> bool:
    scheme, _, name = text.partition(":")
    return (scheme == "env" and _VARIABLE.fullmatch(name) is not None) or (
        scheme == "file" and name != "" and "\0" not in name
    )


def header_reference(value: str) -> tuple[str, str]:
    """Of the value of a header, "Bearer env:TOKEN" or "env:TOKEN": the word in front, perhaps empty, and the reference.

    Of the first space only what is behind it may hold more: a path can.
    """
    scheme, space, reference = value.partition(" ")
    return (scheme, reference) if space and not is_reference(value) else ("", value)


def resolve(reference: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """The secret, or None if there is none that can be used; `trouble` says why.

    One line break at the end of a file is not part of the secret.
    """
    value = _read(reference, environ)
    return value if isinstance(value, str) and value and _is_one_word(value) else None


def trouble(reference: str, environ: Mapping[str, str] = os.environ) -> str:
    """Why `resolve` gives None, without the value; empty if it gives one."""
    value = _read(reference, environ)
    scheme, _, name = reference.partition(":")
    thing = f"the environment variable {name}" if scheme == "env" else f"the file {name}"
    if value is None:
        return f"{thing} is not set" if scheme == "env" else "it is not a reference"
    if isinstance(value, OSError):
        return f"{thing} cannot be read ({value.strerror or 'unreadable'})"
    if not value:
        return f"{thing} is empty"
    return "" if _is_one_word(value) else f"{thing} holds more than one word of plain ASCII"


def warning(reference: str) -> str:
    """A sentence if the secret's file lies open to every user of the machine, else empty."""
    scheme, _, name = reference.partition(":")
    if scheme != "file":
        return ""
    try:
        mode = os.stat(name).st_mode
    except OSError:
        return ""
    return f"Every user of this machine can read {name}. Run chmod 600 {name}." if mode & stat.S_IROTH else ""


def _is_one_word(value: str) -> bool:
    """A secret travels in a header: a line break in it would begin another one."""
    return value.isascii() and value.isprintable() and " " not in value


def _read(reference: str, environ: Mapping[str, str]) -> str | OSError | None:
    scheme, _, name = reference.partition(":")
    if not is_reference(reference):
        return None
    if scheme == "env":
        return environ.get(name)
    try:
        with open(name, encoding="utf-8", errors="surrogateescape", newline="") as file:
            text = file.read(65_537)
    except OSError as error:
        return error
    if len(text) > 65_536:  # a device or a wrong path, not a secret
        return OSError(27, "too large for a secret")
    return text.removesuffix("\n").removesuffix("\r")
