"""What the doctor says: one line each, with what to do about it."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "note", "problem"]
"""note: right, or not to be known, but perhaps not meant. problem: something does not work, or soon will not."""


class Finding(msgspec.Struct, frozen=True):
    state: State
    about: str
    """What was looked at: configuration, keys, clock, …"""
    what: str
    """Never a secret."""
    fix: str = ""
    """What to do; empty where nothing has to be done."""


def ok(about: str, what: str) -> Finding:
    return Finding("ok", about, what)


def note(about: str, what: str, fix: str = "") -> Finding:
    return Finding("note", about, what, fix)


def problem(about: str, what: str, fix: str) -> Finding:
    return Finding("problem", about, what, fix)


def size(count: float) -> str:
    """Bytes for people."""
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def span(seconds: float) -> str:
    """A duration for people."""
    seconds = abs(seconds)
    for unit, length in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
