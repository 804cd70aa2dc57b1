"""What was said about answers: by route and deployment for people, request by request for whoever learns from it.

A verdict counts if its request is known, was answered, and was the judge's to judge: feedback by a key counts for that
key's own requests. Others are kept and told apart, since a request may be loaded later than what is said about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from math import sqrt
from pathlib import Path
from typing import Final, Literal

import msgspec

from twintrack.ledger.database import reading
from twintrack.ledger.moment import moment
from twintrack.ledger.tally import Z_95

Standing = Literal["counts", "unknown", "foreign", "unanswered"]
STANDINGS: Final = {
    "unknown": "on requests that this ledger does not hold",
    "foreign": "by a key on another key's request",
    "unanswered": "on requests without an answer",
}
"""Why a verdict does not count."""
TRUST: Final = ("human", "check", "judge", "feedback")
"""Where sources disagree on one answer the first of these is believed; two of the same are averaged."""


class Judgement(msgspec.Struct, frozen=True):
    """One answer, with what is held of it and of how its deployment was chosen."""

    request_id: str
    at_us: int
    """When it was asked."""
    score: float
    source: str
    """The most trusted that said something."""
    route: str | None
    tier: str | None
    deployment: str
    """Who answered."""
    model: str
    simulated: bool
    chosen: str | None
    """Whom routing chose; another one where it only observed, or the first failed."""
    p_good: float | None
    """As it was predicted for `chosen`."""
    propensity: float | None
    policy_version: str
    """What chose; behind a `+` which fitted router, if one did."""
    features: bytes | None
    """See `signals/features.py`; None: not kept."""
    drafted: bool = False
    """A check decided whose answer the client got."""
    task: str = ""
    draft: bytes | None = None
    """What was seen of the answer, if it was a draft; see `gateway/verifier_features.py`."""


class Standings(msgspec.Struct, frozen=True):
    """Verdicts on one deployment in one route."""

    route: str | None
    deployment: str
    simulated: bool
    verdicts: int
    """Answers that were judged."""
    score: float
    """Mean."""
    low: float
    high: float
    """Ends of the 95 % interval, by Wilson (1927): exact enough for few verdicts, and wide for scores between 0 and
    1."""
    sources: dict[str, int]


class Verdicts(msgspec.Struct, frozen=True):
    rows: tuple[Standings, ...]
    counts: int
    """Answers that were judged, of all rows."""
    apart: dict[str, int]
    """Verdicts that do not count, by `STANDINGS`."""
    with_features: int
    """Of those that count, how many a router can be fitted to."""
    on_drafts: int = 0
    """Likewise, a verifier."""


_JUDGED: Final = """
SELECT j.request_id, j.source, j.score, n.at_us, n.route, n.tier, n.deployment, n.model, n.simulated, n.chosen,
  n.p_good, n.propensity, n.policy_version,
  (SELECT f.numbers FROM attempts a JOIN features f ON f.attempt = a.id WHERE a.request_id = j.request_id) AS features,
  EXISTS (SELECT 1 FROM attempts a JOIN contexts c ON c.id = a.context
    WHERE a.request_id = j.request_id AND c.role = 'draft'), n.task,
  (SELECT d.numbers FROM drafts d WHERE d.attempt = j.entry)
FROM judged j CROSS JOIN entries n ON n.id = j.entry
WHERE j.standing = 'counts' AND n.at_us >= ? AND n.at_us < ?
ORDER BY j.request_id
"""

_ABOUT: Final = (
    "at_us", "route", "tier", "deployment", "model", "simulated", "chosen", "p_good", "propensity", "policy_version",
    "features", "drafted", "task", "draft",
)  # fmt: skip
"""What stands behind request, source and score in `_JUDGED`."""
_FLAGS: Final = ("simulated", "drafted")


def judgements(
    db_path: Path, since_us: int | None = None, until_us: int | None = None, sources: Sequence[str] = TRUST
) -> list[Judgement]:
    """Answers with verdicts that count, one each, by when they were asked.

    Args:
        since_us: of requests from then on; None: all.
        sources: whose word is heard.

    Raises:
        LedgerError: the database cannot be read.
    """
    with reading(db_path) as db:
        until = 1 << 62 if until_us is None else until_us
        rows = [row for row in db.execute(_JUDGED, (since_us or 0, until)) if row[1] in sources]
    found = []
    for request_id, group in groupby(rows, key=lambda row: row[0]):
        said = list(group)
        source = min((row[1] for row in said), key=TRUST.index)
        scores = [row[2] for row in said if row[1] == source]
        about = dict(zip(_ABOUT, said[0][3:], strict=True))
        for name in _FLAGS:
            about[name] = bool(about[name])
        found.append(Judgement(request_id=request_id, score=sum(scores) / len(scores), source=source, **about))
    return sorted(found, key=lambda each: (each.at_us, each.request_id))


def verdicts(db_path: Path, since_us: int | None = None, until_us: int | None = None) -> Verdicts:
    """How good answers were found, by route and deployment.

    Args:
        since_us: of requests from then on; None: all.
    Raises:
        LedgerError: the database cannot be read.
    """
    found = judgements(db_path, since_us, until_us)
    with reading(db_path) as db:
        apart = dict(db.execute("SELECT standing, count(*) FROM judged WHERE standing <> 'counts' GROUP BY 1"))
    on_drafts = sum(each.draft is not None and not each.simulated for each in found)
    return Verdicts(tuple(_rows(found)), len(found), apart, sum(teaches(each) for each in found), on_drafts)


def sentences(db_path: Path, request_id: str) -> list[str]:
    """What was said of a request's answer, the oldest first.

    Raises:
        LedgerError: the database cannot be read.
    """
    with reading(db_path) as db:
        rows = db.execute(
            "SELECT source, judged_by, judged_us, score, label, standing FROM judged WHERE request_id = ? "
            "ORDER BY judged_us",
            (request_id,),
        ).fetchall()
    found = []
    for source, key, at_us, score, label, standing in rows:
        who = f"{source}, key {key}" if key else source
        apart = f" It does not count: {STANDINGS[standing]}." if standing in STANDINGS else ""
        found.append(f"Judged {score:g} of 1{f', {label}' if label else ''} ({who}) on {moment(at_us)}.{apart}")
    return found


def teaches(each: Judgement) -> bool:
    """Whether a router can be fitted to it. Which answers of a cascade the client sees depends on the check, so what is
    said of them is not what would be said of any."""
    return each.features is not None and not each.simulated and not each.drafted


def standings(db_path: Path, said: Iterable[tuple[str, str, int]]) -> dict[str, int]:
    """What became of verdicts of the operator's, as (request id, source, when in UTC microseconds): how many have
    which standing; `waiting`: not in the ledger yet.

    Raises:
        LedgerError: the database cannot be read.
    """
    counts: dict[str, int] = {}
    with reading(db_path) as db:
        for request_id, source, at_us in said:
            row = db.execute(
                "SELECT standing FROM judged WHERE request_id = ? AND judged_by = '' AND source = ? AND judged_us >= ?",
                (request_id, source, at_us),
            ).fetchone()
            standing = row[0] if row else "waiting"
            counts[standing] = counts.get(standing, 0) + 1
    return counts


def wilson(mean: float, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); for scores between 0 and 1, whose variance is smaller, it is wide."""
    if not count:
        return 0.0, 1.0
    z2 = Z_95 * Z_95
    middle = (mean + z2 / (2 * count)) / (1 + z2 / count)
    half = Z_95 * sqrt(mean * (1 - mean) / count + z2 / (4 * count * count)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def _rows(found: Iterable[Judgement]) -> Iterator[Standings]:
    def group(each: Judgement) -> tuple[bool, str, str]:
        return each.simulated, each.route or "", each.deployment

    for (simulated, route, deployment), members in groupby(sorted(found, key=group), key=group):
        of_one = list(members)
        mean = sum(each.score for each in of_one) / len(of_one)
        sources: dict[str, int] = {}
        for each in of_one:
            sources[each.source] = sources.get(each.source, 0) + 1
        yield Standings(route or None, deployment, simulated, len(of_one), mean, *wilson(mean, len(of_one)), sources)
