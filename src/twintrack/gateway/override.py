"""An operator says that a request is less sensitive than it looks: the only way down, and it goes on record."""

from __future__ import annotations

import re
import time

import msgspec

from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.config.snapshot import Route
from twintrack.errors import BadRequest, Forbidden
from twintrack.gateway.serving import Serving
from twintrack.gateway.undecided import Undecided
from twintrack.ledger.records import Screened
from twintrack.wire.http1 import Headers
from twintrack.wire.prompt import Labels

CLASS = b"x-twintrack-override-class"
REASON = b"x-twintrack-override-reason"
HEADERS = frozenset((CLASS, REASON))
_WORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_REASON_FIX = "Say why in one word of letters, digits, hyphens and dots: x-twintrack-override-reason: false-positive"


def overridden(labels: Labels, headers: Headers, serving: Serving, key: int) -> Labels:
    """The labels with what an operator says of the class; `headers` hold one of `HEADERS`.

    Raises:
        Forbidden: the key is no operator's.
        BadRequest: an unknown class, or no reason.
    """
    if key < 0 or not serving.snapshot.keys[key].operator:
        why = "lowering a class takes a key with operator = true"
        raise Forbidden("This key may not override the class of a request", why=why, fix=f"Leave {CLASS.decode()} out.")
    asked = headers.get(CLASS, b"").decode("latin-1")
    if asked not in DATA_CLASSES:
        fix = f"Use {', '.join(DATA_CLASSES)}."
        raise BadRequest(f"Data class {asked[:40]!r} is unknown", fix=fix, param=CLASS.decode())
    reason = headers.get(REASON, b"")
    if not _WORD.fullmatch(reason):
        raise BadRequest("An override needs a reason", fix=_REASON_FIX, param=REASON.decode())
    return msgspec.structs.replace(labels, override=asked, override_reason=reason.decode())


def said(undecided: Undecided) -> str:
    """As it stands in a `Screened`: whose key, and why; empty: nobody overrode."""
    labels = undecided.labels
    if labels.override is None:
        return ""
    return f"{undecided.serving.snapshot.keys[undecided.key].name} {labels.override_reason}"


class Unread:
    """The `Report` on a request of which nothing was read."""

    __slots__ = ("_undecided",)

    def __init__(self, undecided: Undecided) -> None:
        self._undecided = undecided

    def causes(self, rung: int) -> list[str]:
        return []

    def record(self, route: Route | None, data_class: DataClass) -> Screened:
        undecided = self._undecided
        label = undecided.labels.data_class
        return Screened(
            undecided.request_id,
            time.time_ns() // 1000,
            undecided.serving.snapshot.generation,
            route.index if route is not None else -1,
            undecided.key,
            "",
            "off",
            0,
            DATA_CLASSES.index(label) if label in DATA_CLASSES else -1,
            DATA_CLASSES.index(data_class),
            False,
            said(undecided),
            (),
            (0, 0, 0),
            (),
            b"",
            categories=undecided.categories,
        )
