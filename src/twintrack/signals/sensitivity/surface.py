"""A text of a request and where it stands, and what is none."""

from __future__ import annotations

import msgspec

from twintrack.signals.sensitivity.finding import UnscannableKind


class Part(msgspec.Struct, frozen=True):
    """Where a stretch of a surface's text stands in the request."""

    start: int
    end: int
    path: str
    """JSON path of the value."""


class Surface(msgspec.Struct, frozen=True):
    path: str
    text: str
    parts: tuple[Part, ...]
    """One for a text that stands alone; several for members read together. Names of members belong to none."""


class Unscannable(msgspec.Struct, frozen=True):
    path: str
    kind: UnscannableKind
