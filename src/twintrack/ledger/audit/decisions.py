"""Entries of the chain put together again: one value a decision, with words instead of numbers."""

from __future__ import annotations

import sqlite3
import sys
from collections import deque
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from twintrack.ledger.audit.blocks import Entry, block_entries, blocks
from twintrack.ledger.audit.entry import About, Body, Decided, Ended, Refused, RuledOut, Screen
from twintrack.ledger.audit.schema import BLOCK
from twintrack.ledger.audit.search import block_of, first_of

_Kind = TypeVar("_Kind", bound=Body)
_WINDOW: Final = 20_000
"""Entries after which a request is taken to be over."""


class Asked(NamedTuple):
    """An attempt: who saw the data."""

    seq: int
    """The entry that said so."""
    number: int
    at_us: int
    about: About


@dataclass(slots=True)
class Decision:
    """All that the chain says of one request."""

    seq: int
    """Its first entry."""
    at_us: int
    request_id: str | None = None
    """None, as are the three behind it, once it was erased."""
    key: str | None = None
    tenant: str | None = None
    body_hmac: bytes | None = None
    erased: bool = False
    screen: Screen | None = None
    """None: it was not read."""
    counts: tuple[tuple[str, int], ...] = ()
    bands: tuple[int, int, int] = (0, 0, 0)
    pseudonyms: int = 0
    asked: list[Asked] = field(default_factory=list)
    ended: dict[int, tuple[Ended, int]] = field(default_factory=dict)
    """By attempt: how, and when."""
    refused: Refused | None = None
    ruled_out: tuple[tuple[str, str], ...] = ()
    """(deployment, code of its objection), before the first attempt."""
    entries: list[int] = field(default_factory=list)
    continues: bool = False
    """Its first entry is not among those that were asked for."""

    @property
    def data_class(self) -> str | None:
        """The one that held; None: the chain knows only how it ended."""
        if self.asked:
            return self.asked[0].about.data_class
        if self.refused is not None:
            return self.refused.data_class
        return self.screen.data_class if self.screen is not None else None

    @property
    def policy(self) -> str | None:
        if self.asked:
            return self.asked[0].about.policy
        return self.refused.policy if self.refused is not None else None

    @property
    def route(self) -> str | None:
        if self.asked:
            return self.asked[0].about.route
        return self.refused.route if self.refused is not None else None

    @property
    def categories(self) -> tuple[str, ...]:
        return self.screen.categories if self.screen is not None else ()


class Words:
    """What entries refer to by number."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._known: dict[int, Body] = {}

    def see(self, entry: Entry) -> None:
        if not isinstance(entry.body, Decided):
            self._known.setdefault(entry.seq, entry.body)

    def get(self, seq: int, kind: type[_Kind]) -> _Kind | None:
        """None: there is nothing of that kind there, which `verify` finds too."""
        body = self._known.get(seq)
        if body is None and seq:
            for entry in block_of(self._db, seq):
                self.see(entry)
            body = self._known.get(seq)
        return body if isinstance(body, kind) else None

    def entry(self, seq: int) -> Entry | None:
        return next((entry for entry in block_of(self._db, seq) if entry.seq == seq), None)


def decisions(
    db: sqlite3.Connection, since_us: int = 0, until_us: int | None = None, from_seq: int = 0
) -> Iterator[Decision]:
    """What happened between two times, by request. One that began before them, or went on very much later than it
    began, comes with what was read of it and who asked, and with those attempts that lie between them.

    Args:
        db: open to read, within one transaction.
        from_seq: only what is told from about this entry on.
    Raises:
        msgspec.MsgspecError: somebody wrote something else into it.
    """
    words = Words(db)
    found: dict[int, Decision] = {}
    for block in blocks(db, since_us, until_us, from_seq):
        for entry in block_entries(block.seq, block.bodies, block.personal):
            words.see(entry)
            body = entry.body
            if isinstance(body, Decided) and since_us <= body.at_us and (until_us is None or body.at_us < until_us):
                first = body.first or entry.seq
                decision = found.get(first)
                if decision is None:
                    decision = found[first] = Decision(first, body.at_us)
                    if body.first:
                        _begin(decision, words)
                _add(decision, entry, body, words)
        while found and (old := next(iter(found))) < block.seq - _WINDOW:
            yield found.pop(old)
    yield from found.values()


def newest(db: sqlite3.Connection, count: int, since_us: int, until_us: int, classes: Container[str]) -> list[Decision]:
    """The last `count` of classes, by their first entry. Looks at the end of the chain first, where they mostly are."""
    (last,) = db.execute("SELECT coalesce(max(seq), 0) FROM audit").fetchone()
    found: deque[Decision] = deque(maxlen=min(count, sys.maxsize))
    for from_seq in (max(0, last - _WINDOW), 0):
        found.clear()
        found.extend(
            each
            for each in decisions(db, since_us, until_us, from_seq)
            if each.data_class in classes and not (from_seq and each.continues)
        )
        if len(found) == count or not from_seq:
            break
    return list(found)


def _begin(decision: Decision, words: Words) -> None:
    """Of a request whose first entry is not among those that were asked for."""
    entry = words.entry(decision.seq)
    if entry is not None and isinstance(entry.body, Decided):
        decision.continues = True
        body = entry.body
        _add(decision, entry, Decided(0, body.at_us, body.screen), words)
        decision.entries.clear()


def _add(decision: Decision, entry: Entry, body: Decided, words: Words) -> None:
    decision.entries.append(entry.seq)
    personal = entry.personal
    if personal is not None:
        decision.request_id = personal.request_id
        decision.key = personal.key or decision.key
        decision.tenant = personal.tenant or decision.tenant
        decision.body_hmac = personal.body_hmac or decision.body_hmac
    decision.erased = decision.erased or entry.erased
    if body.screen is not None:
        screen, decision.counts, decision.bands, decision.pseudonyms = body.screen
        decision.screen = words.get(screen, Screen)
    if body.attempt is not None:
        number, about, ended, ended_us = body.attempt
        said = words.get(about, About)
        if said is not None:
            decision.asked.append(Asked(entry.seq, number, body.at_us, said))
        how = words.get(ended, Ended)
        if how is not None:
            decision.ended[number] = how, ended_us
    if body.refused:
        decision.refused = words.get(body.refused, Refused)
    if body.ruled_out and not decision.ruled_out:
        ruled_out = words.get(body.ruled_out, RuledOut)
        decision.ruled_out = ruled_out.candidates if ruled_out is not None else ()


def decision_of(db: sqlite3.Connection, request: str) -> Decision | None:
    """By the request's id, or the number of an entry; None: the chain does not know it, or no more."""
    words = Words(db)
    first = 0
    row = db.execute(
        "SELECT min(id) FROM (SELECT id FROM attempts WHERE request_id = ?1 UNION SELECT id FROM refusals "
        "WHERE request_id = ?1)",
        (request,),
    ).fetchone()[0]
    if row is not None:
        first = first_of(db, request, row)
    elif request.isdecimal() and len(request) < 19:
        entry = words.entry(int(request))
        if entry is not None and isinstance(entry.body, Decided):
            first = entry.body.first or entry.seq
    if not first:
        return None
    expected = _expected(db, first, words)
    found = Decision(first, 0)
    question = "SELECT seq, bodies, personal FROM audit WHERE seq > ? ORDER BY seq LIMIT ?"
    for block in db.execute(question, (first - BLOCK, _WINDOW // BLOCK)):
        for entry in block_entries(*block):
            words.see(entry)
            body = entry.body
            if isinstance(body, Decided) and first in (entry.seq, body.first):
                found.at_us = found.at_us or body.at_us
                _add(found, entry, body, words)
        if found.entries and (len(found.asked), len(found.ended)) == expected:
            break  # what goes on does so within minutes: there is no index for it on the way of each entry
    return found


def _expected(db: sqlite3.Connection, first: int, words: Words) -> tuple[int, int] | None:
    """How many attempts there are, and how many are over; None: who knows, it was erased."""
    entry = words.entry(first)
    if entry is None or entry.personal is None:
        return None
    found: tuple[int, int] = db.execute(
        "SELECT count(*), count(ending) FROM attempts WHERE request_id = ?", (entry.personal.request_id,)
    ).fetchone()
    return found
