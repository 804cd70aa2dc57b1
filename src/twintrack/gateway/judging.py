"""A verdict on an earlier answer, into this worker's journal. Any worker takes it; who made the request, and whether
there was one, is seen when the journal is loaded."""

from __future__ import annotations

import time
from typing import Literal

import msgspec

from twintrack.errors import Forbidden, TooLarge, Unavailable
from twintrack.gateway.state import GatewayState
from twintrack.ledger.records import Judged
from twintrack.wire.feedback import MOST_BYTES, Label, Source, read_feedback


class Taken(msgspec.Struct, frozen=True):
    """What was recorded."""

    object: Literal["verdict"]
    id: str
    score: float
    source: Source
    label: Label | None


def take(gateway: GatewayState, body: bytes, key: int) -> bytes:
    """Record what `body` says, and say what was recorded.

    Args:
        key: index of the caller's, -1 where none is configured.
    Raises:
        BadRequest, TooLarge: it is no verdict.
        Forbidden: it names a source that this key may not speak for.
        Unavailable: the journal has no room to spare.
    """
    if len(body) > MOST_BYTES:
        raise too_large()
    said = read_feedback(body, ours=True)
    snapshot = gateway.serving.snapshot
    if said.source != "feedback" and key >= 0 and not snapshot.keys[key].judge:
        raise Forbidden(
            f"This key may not say what a {said.source} found",
            fix='Leave "source" out, or set `judge = true` for the key in the configuration.',
        )
    at_us = time.time_ns() // 1000
    record = Judged(said.request_id, at_us, key, snapshot.generation, said.source, said.score, said.label or "")
    if not gateway.journal.offer(record):
        raise Unavailable(
            "The journal has no room for verdicts right now",
            why="what is journalled is not being loaded, or its disk is full; requests come first",
            fix="Send it again later.",
        )
    gateway.serving.describing.judged = True
    gateway.verdicts[said.source] = gateway.verdicts.get(said.source, 0) + 1
    return msgspec.json.encode(Taken("verdict", said.request_id, said.score, said.source, said.label))


def too_large() -> TooLarge:
    return TooLarge(f"A verdict has at most {MOST_BYTES} bytes")
