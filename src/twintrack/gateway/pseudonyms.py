"""Replaces what was found in a request, on routes that want it, and finds out what is left.

This comes after the request was read and before anybody is chosen. The new body is read like the first: only one that
is clean of everything that had to go takes the place of the client's, for whoever is asked. Whatever stands in the way,
a value that cannot be replaced for sure, one that is found again, too much time, a fault of ours, leaves the request as
it is, with the class that was found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import msgspec

from twintrack.config.settings import DATA_CLASSES
from twintrack.errors import TwintrackError
from twintrack.gateway import fault
from twintrack.gateway.client import Client
from twintrack.gateway.restoring import Restoring
from twintrack.gateway.screening import Screening
from twintrack.gateway.slices import Slices
from twintrack.gateway.undecided import Undecided
from twintrack.signals.sensitivity.finding import Finding
from twintrack.signals.sensitivity.naming import Naming
from twintrack.signals.sensitivity.pseudonyms import Pseudonymised, Replacing, remaining, replaceable
from twintrack.signals.sensitivity.replaced import REDACTED, Impossible
from twintrack.wire.dialect import Endpoint, decode
from twintrack.wire.placeholders import Placeholders
from twintrack.wire.restored import asks_json

_FIRST_TURN_CHARS = 1024
"""Of what the user said first: it tells one conversation from another, as for affinity."""


class _Replaced:
    """What was replaced in a request that is sent so."""

    __slots__ = ("_dialect", "_json_texts", "_known", "_replaced")

    def __init__(self, made: Pseudonymised, endpoint: Endpoint) -> None:
        self._dialect = endpoint.dialect
        self._json_texts = asks_json(made.body)
        self._known = Placeholders(made.values)
        self._replaced = made.replaced

    def before(self, client: Client) -> Client:
        return Restoring(client, self._dialect, self._known, replaced=self._replaced, json_texts=self._json_texts)


def replacing(undecided: Undecided, first: Screening, wanted: frozenset[str]) -> Pseudonyms | None:
    """The inquiry for a request that `first` has read; None: nothing of the categories `wanted` is in it."""
    report = first.report
    if report.mode != "enforce" or report.graded is None:
        return None
    found = replaceable(report.graded, report.texts, wanted)
    if found:
        return Pseudonyms(undecided, first, wanted, found)
    first.stick()
    return None


class Pseudonyms:
    """An `Inquiry`."""

    __slots__ = ("_again", "_asked", "_done", "_dropped", "_first", "_found", "_made", "_second", "_slices",
                 "_steps", "_undecided", "_wanted")  # fmt: skip

    def __init__(
        self, undecided: Undecided, first: Screening, wanted: frozenset[str], found: tuple[Finding, ...]
    ) -> None:
        """
        Args:
            first: what read the client's body; the conversation does not know of it yet.
            wanted: categories.
            found: what is replaced.
        """
        self._undecided = undecided
        self._first = first
        self._wanted = wanted
        self._found = found
        self._slices = Slices(undecided.serving.snapshot.detect.max_s)
        self._steps: Iterator[None] = iter(())
        self._made: Pseudonymised | None = None
        self._asked = undecided.asked
        """As the new body says it, once there is one."""
        self._again = undecided
        """With the new body, for whoever reads it; the conversation is still the client's."""
        self._second: Screening | None = None
        """What reads that."""
        self._dropped = False

    def begin(self, done: Callable[[], None]) -> bool:
        self._done = done
        self._steps = self._replaced()
        if self._slice():
            return self._read_again()
        self._undecided.gateway.turns.add(self._turn)
        return False

    def drop(self) -> None:
        self._dropped = True
        if self._second is not None:
            self._second.drop()

    def _turn(self) -> bool:
        if self._dropped:
            return True
        if not self._slice():
            return False
        if self._read_again():
            self._done()
        return True

    def _slice(self) -> bool:
        """True: there is a new body, or will be none."""
        until = self._slices.begin()
        try:
            for _ in self._steps:
                if time.perf_counter_ns() >= until:
                    return self._slices.end()
        except (Impossible, TwintrackError):
            return True
        except Exception as error:  # noqa: BLE001 - a fault of ours: the request keeps its class and goes on
            fault.tell(self._undecided.request_id, error)
            return True
        return True

    def _replaced(self) -> Iterator[None]:
        """Raises Impossible; TwintrackError: there is no secret, or the new body is none of this endpoint."""
        undecided = self._undecided
        work = Replacing(undecided.body, self._first.report.texts, self._found, self._naming())
        yield from work.steps()
        made = work.done()
        self._asked = decode(undecided.endpoint, made.body)
        self._made = made

    def _naming(self) -> Naming:
        undecided = self._undecided
        first = "" if undecided.endpoint.name == "embeddings" else undecided.asked.prompt().first_user
        caller = ""
        if undecided.key >= 0:
            snapshot = undecided.serving.snapshot
            key = snapshot.keys[undecided.key]
            caller = f"tenant {snapshot.tenants[key.tenant].name}" if key.tenant >= 0 else f"key {key.name}"
        return Naming(undecided.gateway.own_secret(), caller, first[:_FIRST_TURN_CHARS])

    def _read_again(self) -> bool:
        """True: it is decided what leaves."""
        if self._made is None:
            self._first.stick()
            return True
        self._again = msgspec.structs.replace(self._undecided, body=self._made.body)
        self._second = Screening(self._again, "enforce", sticks=False, again=frozenset((*self._made.values, REDACTED)))
        if not self._second.begin(self._on_read):
            return False
        self._judge(self._made, self._second)
        return True

    def _on_read(self) -> None:
        assert self._made is not None
        assert self._second is not None
        self._judge(self._made, self._second)
        self._done()

    def _judge(self, made: Pseudonymised, second: Screening) -> None:
        """The new body takes the old one's place if nothing is left in it that had to go."""
        try:
            self._take(made, second)
        except Impossible:
            self._first.stick()
        except Exception as error:  # noqa: BLE001 - as above
            fault.tell(self._undecided.request_id, error)
            self._first.stick()

    def _take(self, made: Pseudonymised, second: Screening) -> None:
        """Raises Impossible."""
        undecided, again, before, after = self._undecided, self._again, self._first.report, second.report
        if before.graded is None or after.graded is None or again.refused is not None:
            raise Impossible("a body that cannot be read again")
        left, categories = remaining(before.graded, after.graded, after.texts, self._wanted, undecided.serving.ladder)
        restoring = _Replaced(made, undecided.endpoint)
        # What is left is the conversation's as well, be it in the text or only known from the one before.
        after.found = max(after.found, DATA_CLASSES.index(left))
        again.categories = tuple(sorted({*categories, *again.categories}))
        second.stick()
        undecided.body, undecided.asked, undecided.restoring = again.body, self._asked, restoring
        undecided.found = max(left, again.found, key=DATA_CLASSES.index)
        undecided.categories = again.categories
        before.pseudonyms, before.sticky = made.replaced, after.sticky
