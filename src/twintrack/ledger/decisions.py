"""What was decided and what came of it, request by request, for whoever asks what another policy would have done."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from twintrack.ledger.database import reading
from twintrack.ledger.verdicts import judgements

MOST: Final = 100_000
"""Requests that are looked at; of more the newest."""


class Decided(msgspec.Struct, frozen=True):
    """A request of a route that was answered."""

    request_id: str
    at_us: int
    policy_version: str
    route: str
    key: str | None
    endpoint: str
    stream: bool
    data_class: str
    reason: str
    task: str
    language: str
    prompt_tokens_est: int | None
    complexity: float | None
    propensity: float | None
    """Of `chosen`."""
    chosen: str | None
    ruled_out: str | None
    """JSON [[deployment, code, have, need], …]."""
    features: bytes | None
    answered: str
    """The deployment whose answer the client got."""
    simulated: bool
    hourly: bool
    """`answered` is paid by the hour."""
    input_tokens: int | None
    output_tokens: int | None
    cost_nusd: int | None
    """Of all its attempts that are charged by the token; None: unknown of one."""
    drafted: bool
    """A check decided whose answer the client got."""
    p_enough: float | None = None
    """The least predicted quality that would have done; None: not on record, as the next."""
    p_best: float | None = None
    """Predicted quality of the best of the last tier."""
    score: float | None = None
    """None: nobody judged it."""


_DECIDED: Final = """
SELECT f.request_id, f.at_us, c.policy_version, c.route, c.key, c.endpoint, c.stream, c.data_class, c.reason, c.task,
  c.language, f.prompt_tokens_est, f.complexity, f.propensity, ch.name, f.ruled_out,
  (SELECT numbers FROM features x JOIN attempts y ON y.id = x.attempt WHERE y.request_id = f.request_id),
  d.name, d.simulated, d.per_hour_nusd > 0, a.input_tokens, a.output_tokens,
  (SELECT CASE WHEN sum(p.cost_nusd IS NULL AND e.state <> 'released' AND pd.per_hour_nusd = 0) THEN NULL
     ELSE sum(coalesce(p.cost_nusd, 0)) END
   FROM attempts p JOIN endings e ON e.id = p.ending JOIN contexts pc ON pc.id = p.context
     JOIN deployments pd ON pd.id = pc.deployment
   WHERE p.request_id = f.request_id),
  EXISTS (SELECT 1 FROM attempts y JOIN contexts z ON z.id = y.context
    WHERE y.request_id = f.request_id AND z.role = 'draft'),
  f.p_enough, f.p_best
FROM attempts f
CROSS JOIN contexts c ON c.id = f.context
LEFT JOIN deployments ch ON ch.id = c.chosen
CROSS JOIN attempts a ON a.request_id = f.request_id AND a.attempt = (
  SELECT max(b.attempt) FROM attempts b JOIN endings e ON e.id = b.ending JOIN contexts bc ON bc.id = b.context
  WHERE b.request_id = f.request_id AND e.outcome IN ('ok', 'client_left') AND bc.role <> 'classifier'
)
CROSS JOIN contexts ac ON ac.id = a.context
CROSS JOIN deployments d ON d.id = ac.deployment
WHERE c.role <> 'classifier' AND c.route IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM attempts q JOIN contexts qc ON qc.id = q.context
    WHERE q.request_id = f.request_id AND q.attempt < f.attempt AND qc.role <> 'classifier')
  AND f.at_us >= ? AND f.at_us < ?
ORDER BY f.id DESC LIMIT ?
"""

_FLAGS: Final = ("stream", "simulated", "hourly", "drafted")


def decided(db_path: Path, since_us: int | None = None, until_us: int | None = None) -> list[Decided]:
    """Answered requests of routes, the oldest first; the newest `MOST`.

    Raises:
        LedgerError: the database cannot be read.
    """
    since, until = since_us or 0, 1 << 62 if until_us is None else until_us
    scores = {each.request_id: each.score for each in judgements(db_path, since, until)}
    found = []
    with reading(db_path) as db:
        for row in db.execute(_DECIDED, (since, until, MOST)):
            values = dict(zip(Decided.__struct_fields__, row, strict=False))
            for name in _FLAGS:
                values[name] = bool(values[name])
            found.append(Decided(**values, score=scores.get(row[0])))
    return found[::-1]
