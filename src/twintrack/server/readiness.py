"""Whether a gateway may be sent requests, and if not, why: of one worker, and of all together. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import NamedTuple

from twintrack.providers.auth import Authoriser

AUTHORISERS_S = 10.0
"""How long a worker waits for the credentials of its providers: longer and those that have theirs serve without."""
_SEEN_S = 10.0
"""A worker reports five times a second; one that was not heard of for this long is stuck."""


class State(IntEnum):
    """How a worker stands."""

    ABSENT = 0
    READY = 1
    NO_CREDENTIALS = 2
    NO_JOURNAL = 3
    DRAINING = 4


_SAID = {
    State.ABSENT: "is not running",
    State.NO_CREDENTIALS: "waits for a provider's credentials",
    State.NO_JOURNAL: "cannot write its journal: free disk space",
    State.DRAINING: "is draining",
}


class Standing(NamedTuple):
    """What a worker said of itself."""

    generation: int
    """Of the configuration it serves."""
    state: State
    seen: float
    """When it said so: seconds on the machine's monotonic clock."""


def state(*, draining: bool, writable: bool, pending: bool, serving_s: float) -> State:
    """How a worker stands.

    Args:
        writable: its journal takes another dispatch.
        pending: credentials of a provider are being fetched for the first time.
        serving_s: for how long it has had its configuration.
    """
    if draining:
        return State.DRAINING
    if not writable:
        return State.NO_JOURNAL
    if pending and serving_s < AUTHORISERS_S:
        return State.NO_CREDENTIALS
    return State.READY


def pending(authorisers: Iterable[Authoriser | None]) -> bool:
    """Whether one has nothing to sign with and its first try is not over."""
    return any(each is not None and not each.wait(0.0) and not each.trouble for each in authorisers)


def unready(wanted: int, standings: Sequence[Standing], now: float) -> str:
    """Why requests should go elsewhere, by the first worker that is not ready; empty: all of them are.

    Args:
        wanted: generation of the configuration that should serve.
        standings: of every worker, by slot.
        now: seconds on the machine's monotonic clock.
    """
    for slot, (generation, how, seen) in enumerate(standings):
        if how in _SAID:
            return f"worker {slot} {_SAID[how]}"
        if generation < wanted:
            return f"worker {slot} serves configuration {generation}, {wanted} is wanted"
        if now - seen > _SEEN_S:
            return f"worker {slot} has not been heard of for {now - seen:.0f} s"
    return ""
