"""Which of several drafts is believed, and who is asked next. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Heard(NamedTuple):
    believed: bool
    next: int | None
    """The place of the draft to ask for now; None: none is left that could be believed."""


class Panel:
    """Of one request. Drafts are heard in order of their places; some may be skipped."""

    __slots__ = ("_answers", "_count", "_pairs")

    def __init__(self, count: int, pairs: Iterable[tuple[int, int]] | None) -> None:
        """
        Args:
            count: of drafts that may be asked for.
            pairs: places whose agreement is believed; None: a draft is believed by itself.
        """
        self._count = count
        self._pairs = None if pairs is None else frozenset((min(pair), max(pair)) for pair in pairs)
        self._answers: dict[int, str | None] = {}

    def heard(self, place: int, good: bool, answer: str | None) -> Heard:
        """
        Args:
            good: nothing stands against the draft itself.
            answer: what it agrees with others about; None: with nobody.
        """
        self._answers[place] = answer if good else None
        if self._pairs is None:
            return Heard(good, None if good or place + 1 >= self._count else place + 1)
        if good and answer is not None:
            for one, other in self._pairs:
                if other == place and self._answers.get(one) == answer:
                    return Heard(True, None)
        return Heard(False, self._next(place))

    def _next(self, place: int) -> int | None:
        """The first place behind this one that could still agree with somebody, now or later."""
        assert self._pairs is not None
        open_ = [pair for pair in self._pairs if pair[1] > place and self._possible(pair[0], place)]
        later = [one if one > place else other for one, other in open_]
        return min(later, default=None)

    def _possible(self, one: int, place: int) -> bool:
        return one > place or self._answers.get(one) is not None


def all_pairs(count: int) -> Iterable[tuple[int, int]]:
    return ((one, other) for other in range(count) for one in range(other))
