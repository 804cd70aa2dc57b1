"""Cache markers: the vendor takes four in a request."""

from __future__ import annotations

from collections.abc import Iterable

from twintrack.wire.canonical.parts import CacheLife, Part
from twintrack.wire.canonical.request import Request
from twintrack.wire.dialects.messages.shapes import CacheControl

_MOST = 4
_CONTROLS = {"5m": CacheControl("ephemeral"), "1h": CacheControl("ephemeral", "1h")}


class Marks:
    """Gives out the last four; each keeps all that stands before it, so the later ones are worth more."""

    __slots__ = ("_skip",)

    def __init__(self, request: Request) -> None:
        found = sum(bool(tool.cache) for tool in request.tools) + _marked(request.system)
        for turn in request.turns:
            found += _marked(turn.parts)
        self._skip = found - _MOST

    def control(self, life: CacheLife) -> CacheControl | None:
        """To be asked in the order tools, system, turns."""
        if not life:
            return None
        if self._skip > 0:
            self._skip -= 1
            return None
        return _CONTROLS[life]


def _marked(parts: Iterable[Part]) -> int:
    found = 0
    for part in parts:
        if getattr(part, "cache", ""):
            found += 1
    return found
