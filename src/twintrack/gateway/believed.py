"""How often drafts were believed lately, by route: what the next one may be worth."""

from __future__ import annotations

_HALF_LIFE_S = 600.0
_PRIOR_DRAFTS = 20.0
"""What was guessed before counts as much as so many drafts."""


class Believed:
    """Of one worker. Old drafts fade, or a bad hour would be the last: who is not asked is not measured again."""

    __slots__ = ("_counts", "_faded_at")

    def __init__(self) -> None:
        self._counts: dict[str, tuple[float, float]] = {}
        """By route: requests whose drafts were believed, and all that had drafts."""
        self._faded_at = 0.0

    def p_pass(self, route: str, prior: float) -> float:
        believed, count = self._counts.get(route, (0.0, 0.0))
        return (believed + _PRIOR_DRAFTS * prior) / (count + _PRIOR_DRAFTS)

    def note(self, route: str, believed: bool) -> None:
        before, count = self._counts.get(route, (0.0, 0.0))
        self._counts[route] = before + believed, count + 1

    def tick(self, now: float) -> None:
        passed_s = now - self._faded_at
        if passed_s < _HALF_LIFE_S / 10:
            return
        self._faded_at = now
        share = 0.5 ** (passed_s / _HALF_LIFE_S)
        self._counts = {route: (a * share, b * share) for route, (a, b) in self._counts.items() if b * share > 0.01}
