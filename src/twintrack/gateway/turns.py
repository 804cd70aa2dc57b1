"""Work that would hold the event loop up takes turns: one slice of one request in each turn of the loop.

So a long text costs others half a millisecond a turn, however many of its kind there are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Later = Callable[[Callable[[], None]], object]
"""Calls in the loop's next turn, as `loop.call_soon` does."""


class Turns:
    __slots__ = ("_later", "_waiting")

    def __init__(self, later: Later) -> None:
        self._later = later
        self._waiting: deque[Callable[[], bool]] = deque()

    def add(self, work: Callable[[], bool]) -> None:
        """Call `work` turn after turn until it says that it is done, by True."""
        self._waiting.append(work)
        if len(self._waiting) == 1:
            self._later(self._turn)

    def _turn(self) -> None:
        waiting = self._waiting
        work = waiting[0]
        done = True  # what fails is not called again
        try:
            done = work()
        finally:
            waiting.popleft()
            if not done:
                waiting.append(work)
            if waiting:
                self._later(self._turn)
