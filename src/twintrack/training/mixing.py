"""What mixing two single models blindly gives for its dollars: whatever is cleverer has to beat that."""

from __future__ import annotations

from dataclasses import dataclass

from twintrack.training.strategies import Answers, Strategy


@dataclass(frozen=True)
class Hull:
    """What mixing two single models blindly gives: cheapest to best."""

    corners: tuple[tuple[float, float, str], ...]
    """Dollars, quality, model."""

    def at(self, usd: float) -> tuple[float, Strategy]:
        """Best quality for `usd` a request, and how; the cheapest model's where it is too little."""
        before = self.corners[0]
        if usd <= before[0]:
            return before[1], Strategy("single", (before[2],))
        for after in self.corners[1:]:
            if usd < after[0]:
                share = (usd - before[0]) / (after[0] - before[0])
                quality = before[1] + share * (after[1] - before[1])
                return quality, Strategy("mix", (before[2], after[2]), share)
            before = after
        return before[1], Strategy("single", (before[2],))

    def keeping(self, quality: float) -> Strategy:
        """The cheapest mix that is that good; the best model where none is."""
        before = self.corners[0]
        if before[1] >= quality:
            return Strategy("single", (before[2],))
        for after in self.corners[1:]:
            if after[1] >= quality:
                share = (quality - before[1]) / (after[1] - before[1])
                return Strategy("mix", (before[2], after[2]), share) if share < 1 else Strategy("single", (after[2],))
            before = after
        return Strategy("single", (before[2],))


def hull_of(on: Answers) -> Hull:
    points = sorted((float(on.usd[name].mean()), -float(on.right[name].mean()), name) for name in on.right)
    corners: list[tuple[float, float, str]] = []
    for usd, minus, name in points:
        quality = -minus
        if corners and quality <= corners[-1][1]:
            continue
        while len(corners) > 1:
            (x0, y0, _), (x1, y1, _) = corners[-2:]
            if (y1 - y0) * (usd - x0) > (quality - y0) * (x1 - x0):
                break
            corners.pop()
        corners.append((usd, quality, name))
    return Hull(tuple(corners))
