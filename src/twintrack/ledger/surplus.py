"""What the gateway steers by: how verdicts compare with predictions, and what was spent on a day. By route."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Final

from twintrack.ledger.schema import reading
from twintrack.ledger.verdicts import TRUST

HOURS_A_DAY: Final = 24

_COMPARED: Final = """
SELECT j.request_id, j.source, j.score, j.judged_by, j.judged_us, n.route, n.deployment, n.p_good
FROM judged j CROSS JOIN entries n ON n.id = j.entry
WHERE j.judged_us >= ? AND j.standing = 'counts' AND n.route IS NOT NULL AND n.p_good IS NOT NULL
  AND n.deployment = n.chosen AND n.role <> 'draft' AND n.policy_version LIKE ?
ORDER BY j.request_id
"""
_SPENT: Final = """
SELECT s.route, sum(r.cost_nusd) FROM rollups r JOIN slices s ON s.id = r.slice
WHERE r.hour >= ? AND r.hour < ? AND s.route IS NOT NULL GROUP BY s.route
"""

Surplus = dict[str, dict[str, tuple[float, float, float]]]
"""By route and deployment: number of answers, sum of score − predicted, sum of its squares."""


def newest_verdict(path: Path) -> tuple[int, int]:
    """How many verdicts there are, and when the newest was given; else nothing has changed. Raises LedgerError."""
    with reading(path) as db:
        count, at_us = db.execute("SELECT count(*), coalesce(max(at_us), 0) FROM verdicts").fetchone()
    return int(count), int(at_us)


def is_judged(path: Path, since_us: int) -> bool:
    """Whether there is a verdict given from `since_us` on. Raises LedgerError."""
    with reading(path) as db:
        return bool(db.execute("SELECT EXISTS (SELECT 1 FROM verdicts WHERE at_us >= ?)", (since_us,)).fetchone()[0])


def surpluses(path: Path, router: str, since_us: int, most: int) -> Surplus:
    """Verdicts on answers that the router chose, compared with what it had predicted.

    A draft is left out: only those that a check let through are seen, and the prediction is of all of them.
    An answer that several judged counts once, by its most trusted source.

    Args:
        router: as it stands behind the + of the policy version.
        since_us: verdicts given from then on.
        most: answers of a route that count; the newest, of feedback those of each key in turn: one that says much
            does not crowd out what others say.
    Raises:
        LedgerError: the database cannot be read.
    """
    with reading(path) as db:
        rows = db.execute(_COMPARED, (since_us, f"%+{router}")).fetchall()
    by_route: dict[str, list[tuple[str, int, str, float]]] = {}
    for _, said in groupby(rows, key=lambda row: row[0]):
        of_one = list(said)
        source = min((row[1] for row in of_one), key=TRUST.index)
        scores = [row[2] for row in of_one if row[1] == source]
        *_, judged_by, judged_us, route, deployment, p_good = of_one[0]
        who = judged_by if source == "feedback" else ""  # others than feedback come from who may judge
        by_route.setdefault(route, []).append((who, judged_us, deployment, sum(scores) / len(scores) - p_good))
    found: Surplus = {}
    for route, answers in by_route.items():
        sums = found[route] = {}
        for deployment, surplus in _newest(answers, most):
            number, total, squares = sums.get(deployment, (0.0, 0.0, 0.0))
            sums[deployment] = number + 1, total + surplus, squares + surplus * surplus
    return found


def _newest(answers: list[tuple[str, int, str, float]], most: int) -> list[tuple[str, float]]:
    """Of (key, when, deployment, surplus); key '': not counted by key."""
    answers.sort(key=itemgetter(1), reverse=True)
    said: dict[str, int] = {}
    ranked = []
    for place, (key, _, deployment, surplus) in enumerate(answers):
        turn = said[key] = said.get(key, 0) + 1
        ranked.append((turn if key else 0, place, deployment, surplus))
    return [(deployment, surplus) for _, _, deployment, surplus in sorted(ranked)[:most]]


def spent(path: Path, day: int) -> dict[str, int]:
    """Nano-dollars by route on a day, UTC days since 1970, as far as costs are known. Raises LedgerError."""
    with reading(path) as db:
        return dict(db.execute(_SPENT, (day * HOURS_A_DAY, (day + 1) * HOURS_A_DAY)).fetchall())
