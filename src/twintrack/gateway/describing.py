"""Of which requests the numbers are kept that a router is fitted to, on routes that learn unasked.

Of all of them where anybody judges answers, and until then of as many as it takes to begin: the first five hundred, and
a hundred a second. To read them costs as much as the rest of a decision, and without a verdict they teach nothing.
"""

from __future__ import annotations

AT_ONCE = 500
PER_S = 100


class Describing:
    """Of one worker."""

    __slots__ = ("_at", "_left", "judged")

    def __init__(self) -> None:
        self.judged = False
        """There are verdicts, here or in the ledger."""
        self._left = float(AT_ONCE)
        self._at = 0.0

    def wanted(self) -> bool:
        """Whether the next request is one of them."""
        if self.judged:
            return True
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def tick(self, now: float) -> None:
        """`now`: seconds on the event loop's clock."""
        self._left = min(float(AT_ONCE), self._left + PER_S * max(0.0, now - self._at))
        self._at = now
