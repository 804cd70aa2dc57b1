"""Reports, made."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from twintrack.catalog.frameworks import frameworks
from twintrack.config import settings
from twintrack.ledger.audit.checkpoint import Checkpoint
from twintrack.ledger.audit.seal import Seal
from twintrack.ledger.audit.verify import Verified, verify
from twintrack.ledger.moment import moment
from twintrack.ledger.reports.form import Report
from twintrack.ledger.reports.gathered import gather
from twintrack.ledger.reports.parts import Known
from twintrack.ledger.reports.sections import REPORTS


def reports(
    db: sqlite3.Connection,
    names: Iterable[str],
    since_us: int,
    until_us: int,
    *,
    now_us: int,
    program: str,
    providers: Mapping[str, settings.Provider],
    outside: Iterable[Checkpoint] = (),
    seals: Iterable[Seal] = (),
) -> list[Report]:
    """
    Args:
        db, outside, seals: as for `verify`.
        names: of frameworks.toml.
        program: its version.
        providers: of the configuration, by name; empty: none was named.
    Raises:
        msgspec.MsgspecError: the chain holds something that is no entry; `verify` says where.
    """
    chain = verify(db, outside, seals)
    known = Known(gather(db, since_us, until_us), providers)
    return [
        Report(
            framework=frameworks()[name],
            since=moment(max(since_us, chain.began_us)),
            until=moment(until_us),
            made=moment(now_us),
            program=program,
            sections=REPORTS[name](known),
            chain=_said(chain),
        )
        for name in names
    ]


def _said(chain: Verified) -> str:
    if chain.problems:
        return f"The audit chain does not verify, {len(chain.problems)} findings: none of this is to be relied on."
    said = f"The audit chain verifies ({chain.entries:,} entries, the last {chain.hash[:16]}…)"
    if chain.checkpoints_elsewhere:
        return f"{said}, and fits checkpoints from outside up to {moment(chain.newest_us)}."
    return f"{said}; no checkpoint from outside was compared."
