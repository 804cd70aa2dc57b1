"""A route's soft budget: the closer spending comes to it, the more quality gives way to cost.

Spending may run ahead of an even pace by a twelfth of the day's budget. Within that band pressure rises in a straight
line, so it settles where money flows out as evenly as the budget flows in, and cannot swing: less money flows out the
more pressure there is. A larger budget only ever means less pressure, and none at all leaves `keep_quality` in force.
"""

from __future__ import annotations

BAND = 1 / 12
"""Of the budget: two hours of an even day."""


def pressure(spent_nusd: float, budget_nusd: float, day: float) -> float:
    """Share of the quality to keep that is given up, 0 to 1.

    Args:
        spent_nusd: today.
        budget_nusd: for the whole day.
        day: share of the day that is over, 0 to 1.
    """
    if budget_nusd <= 0.0:
        return 1.0
    ahead = spent_nusd / budget_nusd - (1.0 - BAND) * day
    return min(1.0, max(0.0, ahead / BAND))
