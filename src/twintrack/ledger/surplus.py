"""What the gateway steers by: how verdicts compare with predictions, and what was spent on a day. By route."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from twintrack.ledger.database import reading
from twintrack.ledger.verdicts import TRUST

HOURS_A_DAY: Final = 24

_COMPARED: Final = """
SELECT j.request_id, j.source, j.score, j.judged_by, j.judged_us, n.route,
  CASE n.role WHEN 'draft' THEN '' ELSE n.deployment END, CASE n.role WHEN 'draft' THEN n.p_best ELSE n.p_good END AS p
FROM judged j CROSS JOIN entries n ON n.id = j.entry
WHERE j.judged_us >= ? AND j.standing = 'counts' AND n.route IS NOT NULL AND p IS NOT NULL
  AND (n.deployment = n.chosen OR n.role = 'draft') AND n.policy_version LIKE ?
ORDER BY j.request_id
"""
_SPENT: Final = """
SELECT s.route, sum(r.cost_nusd) FROM rollups r JOIN slices s ON s.id = r.slice
WHERE r.hour >= ? AND r.hour < ? AND s.route IS NOT NULL GROUP BY s.route
"""

MOST_A_DAY: Final = 50
"""What one key, or the keys of one tenant, say on a UTC day of a route's answers weighs as much as so many at most."""
_DAY_US: Final = 86_400_000_000
_NONE: Final[Mapping[str, str]] = {}

Surplus = dict[str, dict[str, tuple[float, float, float]]]
"""By route and deployment: number of answers, sum of score − predicted, sum of its squares."""


class _Said(NamedTuple):
    """Of one answer."""

    who: str
    """Key or tenant of feedback; empty: it is not counted by that, as others than feedback come from who may judge."""
    at_us: int
    deployment: str
    surplus: float


def newest_verdict(path: Path) -> tuple[int, int]:
    """How many verdicts there are, and when the newest was given; else nothing has changed. Raises LedgerError."""
    with reading(path) as db:
        count, at_us = db.execute("SELECT count(*), coalesce(max(at_us), 0) FROM verdicts").fetchone()
    return int(count), int(at_us)


def is_judged(path: Path, since_us: int) -> bool:
    """Whether there is a verdict given from `since_us` on. Raises LedgerError."""
    with reading(path) as db:
        return bool(db.execute("SELECT EXISTS (SELECT 1 FROM verdicts WHERE at_us >= ?)", (since_us,)).fetchone()[0])


def surpluses(path: Path, router: str, since_us: int, most: int, tenants: Mapping[str, str] = _NONE) -> Surplus:
    """Verdicts on answers that the router chose, compared with what it had predicted.

    An answer that several judged counts once, by its most trusted source. Drafts that clients got stand under
    `controller.CHECKED`, and are compared with what the best of the last tier promised: only those that a check let
    through are seen, and the prediction for who drafted is of all.

    Feedback is bounded by who gives it: of a day's on a route all that a key says counts, but no more in sum than
    `MOST_A_DAY` answers do.

    Args:
        router: as it stands behind the + of the policy version.
        since_us: verdicts given from then on.
        most: answers of a route that count; the newest, of feedback those of each key in turn: one that says much
            does not crowd out what others say.
        tenants: by key; keys of one tenant count as one.
    Raises:
        LedgerError: the database cannot be read.
    """
    with reading(path) as db:
        rows = db.execute(_COMPARED, (since_us, f"%+{router}")).fetchall()
    by_route: dict[str, list[_Said]] = {}
    for _, said in groupby(rows, key=lambda row: row[0]):
        of_one = list(said)
        source = min((row[1] for row in of_one), key=TRUST.index)
        scores = [row[2] for row in of_one if row[1] == source]
        *_, key, at_us, route, deployment, predicted = of_one[0]
        who = "" if source != "feedback" or not key else f"tenant {tenants[key]}" if key in tenants else key
        surplus = sum(scores) / len(scores) - predicted
        by_route.setdefault(route, []).append(_Said(who, at_us, deployment, surplus))
    found: Surplus = {}
    for route, answers in by_route.items():
        sums = found[route] = {}
        newest = _newest(answers, most)
        days = Counter((each.who, each.at_us // _DAY_US) for each in newest)
        for each in newest:
            weight = min(1.0, MOST_A_DAY / days[each.who, each.at_us // _DAY_US]) if each.who else 1.0
            number, total, squares = sums.get(each.deployment, (0.0, 0.0, 0.0))
            surplus = each.surplus
            sums[each.deployment] = (
                number + weight,
                total + weight * surplus,
                squares + weight * surplus * surplus,
            )
    return found


def _newest(answers: Sequence[_Said], most: int) -> list[_Said]:
    turns: Counter[str] = Counter()
    ranked = []
    for place, each in enumerate(sorted(answers, key=lambda each: each.at_us, reverse=True)):
        turns[each.who] += 1
        ranked.append((turns[each.who] if each.who else 0, place, each))
    return [each for *_, each in sorted(ranked)[:most]]


def spent(path: Path, day: int) -> dict[str, int]:
    """Nano-dollars by route on a day, UTC days since 1970, as far as costs are known. Raises LedgerError."""
    with reading(path) as db:
        return dict(db.execute(_SPENT, (day * HOURS_A_DAY, (day + 1) * HOURS_A_DAY)).fetchall())
