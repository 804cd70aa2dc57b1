"""Whether the chain is what was written: computed again from its first entry, and held against what was sent away.

Whoever may write to the database can compute every hash anew. That is why checkpoints go elsewhere: the chain is as
good as the newest one that its writer cannot reach.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from twintrack.ledger.audit.blocks import COLUMNS, Block, to_bodies, to_sealed
from twintrack.ledger.audit.checkpoint import Checkpoint
from twintrack.ledger.audit.entry import (
    ZERO,
    About,
    Began,
    Decided,
    Erased,
    Restored,
    commitment,
    link,
    to_body,
)
from twintrack.ledger.audit.seal import Seal, genuine
from twintrack.ledger.moment import moment

_MOST_PROBLEMS: Final = 20


class Verified(msgspec.Struct, frozen=True):
    """What was found, for people and programs."""

    chain: str
    """Its name; empty: there is no entry."""
    entries: int
    hash: str
    """Of the newest entry, in hex."""
    began_us: int
    """Time of the earliest thing it tells of."""
    erased: int
    """Entries that no longer say whom they are about."""
    restored: tuple[str, ...]
    checkpoints: int
    """Held against it."""
    checkpoints_elsewhere: int
    """Of these, from outside the database."""
    unsigned: int
    """Of these, signed with a key that is not here."""
    newest_us: int
    """Time of the newest checkpoint that fits; 0: none."""
    problems: tuple[str, ...]
    """Empty: it is what was written, as far as the checkpoints reach."""


def verify(db: sqlite3.Connection, elsewhere: Iterable[Checkpoint] = (), seals: Iterable[Seal] = ()) -> Verified:
    """
    Args:
        db: open to read, within one transaction.
        elsewhere: checkpoints from outside the database.
        seals: keys whose signatures can be checked.
    Raises:
        sqlite3.Error: the file is broken below the chain.
    """
    return _Check(db, elsewhere, list(seals)).result()


class _Check:
    def __init__(self, db: sqlite3.Connection, elsewhere: Iterable[Checkpoint], seals: list[Seal]) -> None:
        self._db = db
        self._problems: list[str] = []
        own = []
        for entries, body in db.execute("SELECT entries, body FROM audit_checkpoints ORDER BY entries"):
            try:
                own.append(msgspec.json.decode(body, type=Checkpoint))
            except msgspec.MsgspecError as error:
                self._say(f"The checkpoint at entry {entries:,} in the database cannot be read: {error}")
        outside = list(elsewhere)
        self._outside = len(outside)
        self._wanted: dict[int, list[Checkpoint]] = {}
        self._unsigned = 0
        for each in (*own, *outside):
            said = genuine(each, seals)
            if said is False:
                self._say(f"The checkpoint of {moment(each.at_us)} was not signed by the key it names, {each.key}")
                continue
            self._unsigned += said is None
            self._wanted.setdefault(each.entries, []).append(each)
        self._hash = ZERO
        self._seq = 0
        self._began: Began | None = None
        self._restored: list[Restored] = []
        self._erased = 0
        self._told_erased = 0
        """By the entries about it."""
        self._newest_us = 0
        self._first_us = 0
        self._about: dict[int, About] = {}
        self._attempts: Counter[tuple[str, ...]] = Counter()
        """By class, deployment, zone and region."""
        self._refusals = 0

    def result(self) -> Verified:
        for row in self._db.execute(f"SELECT {COLUMNS} FROM audit ORDER BY seq"):  # noqa: S608  # our own names
            self._block(Block(*row))
        for entries, checkpoints in sorted(self._wanted.items()):
            if entries > self._seq:
                made = moment(checkpoints[0].at_us)
                self._say(
                    f"The chain ends at entry {self._seq:,}, and a checkpoint of {made} tells of {entries:,}: its end "
                    f"was cut off, or an older database was put in its place{self._hint(checkpoints[0])}"
                )
        if self._erased > self._told_erased:
            self._say(
                f"{self._erased:,} entries no longer say whom they are about, and by the chain's word only "
                f"{self._told_erased:,} were erased"
            )
        self._rows()
        return Verified(
            chain=self._began.chain if self._began else "",
            entries=self._seq,
            hash=self._hash.hex(),
            began_us=self._first_us,
            erased=self._erased,
            restored=tuple(f"a backup of {each.made}, on {moment(each.at_us)}" for each in self._restored),
            checkpoints=sum(map(len, self._wanted.values())),
            checkpoints_elsewhere=self._outside,
            unsigned=self._unsigned,
            newest_us=self._newest_us,
            problems=tuple(self._problems),
        )

    def _say(self, problem: str) -> None:
        if len(self._problems) < _MOST_PROBLEMS:
            self._problems.append(problem)
        elif len(self._problems) == _MOST_PROBLEMS:
            self._problems.append("… and more")

    def _block(self, block: Block) -> None:
        if block.seq != self._seq + 1:
            missing = f"{self._seq + 1:,} to {block.seq - 1:,}"
            self._say(
                f"Entries {missing} are missing" if block.seq > self._seq + 1 else f"Entry {block.seq:,} is there twice"
            )
        first, last = block.seq, block.seq + block.entries - 1
        self._first_us = min(self._first_us or block.first_us, block.first_us)
        try:
            bodies, sealed = to_bodies(block.bodies), to_sealed(block.personal)
            if not len(bodies) == len(sealed) == block.entries:
                raise msgspec.ValidationError("their number differs")
        except msgspec.MsgspecError as error:
            self._say(f"Entries {first:,} to {last:,} cannot be read: {error}")
            self._seq, self._hash = last, block.hash
            return
        at, displaced = self._hash, False
        for seq, (body, who) in enumerate(zip(bodies, sealed, strict=True), start=first):
            if isinstance(who, bytes):
                at = link(at, commitment(who), body)
            else:
                at = link(at, who[0], body)
                self._erased += 1
            at_us = self._read(seq, body)
            displaced = displaced or (at_us is not None and not block.first_us <= at_us <= block.last_us)
            if seq in self._wanted:
                self._compare(seq, at)
        if displaced:  # who asks for a period would not be shown them
            self._say(f"Entries {first:,} to {last:,} are filed under another time than they tell of")
        if at != block.hash:
            self._say(f"Entries {first:,} to {last:,} are not what was written, or not in their place")
        self._seq, self._hash = last, block.hash

    def _read(self, seq: int, encoded: bytes) -> int | None:
        """Its time, where it tells one."""
        try:
            body = to_body(encoded)
        except msgspec.MsgspecError as error:
            self._say(f"Entry {seq:,} cannot be read: {error}")
            return None
        if type(body) is Decided:
            if body.attempt is not None and body.attempt[1]:
                about = self._about.get(body.attempt[1])
                self._attempts[_place(about) if about else ("?",) * 4] += 1
            self._refusals += body.refused > 0
            return body.at_us
        if type(body) is About:
            self._about[seq] = body
        elif type(body) is Erased:
            self._told_erased += body.entries
        elif type(body) is Restored:
            self._restored.append(body)
        elif type(body) is Began:
            if seq == 1:
                self._began = body
            else:
                self._say(f"Entry {seq:,} begins another chain")
        return getattr(body, "at_us", None)

    def _compare(self, seq: int, at: bytes) -> None:
        for checkpoint in self._wanted[seq]:
            made = moment(checkpoint.at_us)
            if self._began is None or checkpoint.chain != self._began.chain:
                self._say(f"The checkpoint of {made} is of another chain, {checkpoint.chain}")
            elif checkpoint.hash != at.hex():
                hint = self._hint(checkpoint)
                self._say(f"The chain up to entry {seq:,} is not the one that the checkpoint of {made} saw{hint}")
            else:
                self._newest_us = max(self._newest_us, checkpoint.at_us)

    def _hint(self, checkpoint: Checkpoint) -> str:
        if not any(each.at_us > checkpoint.at_us for each in self._restored):
            return ""
        return (
            "; by its own word a backup was restored since, and what the checkpoint saw lies in the folder it replaced"
        )

    def _rows(self) -> None:
        """The ledger tells of the same attempts, sent to the same places."""
        (first_row,) = self._db.execute("SELECT first_row FROM audit_begin").fetchone()
        if self._began is None:
            for table in ("attempts", "refusals"):
                newer = f"SELECT 1 FROM {table} WHERE id >= ? LIMIT 1"  # noqa: S608  # our own names
                if self._db.execute(newer, (first_row,)).fetchone():
                    self._say(f"There is no first entry, and the ledger has {table}")
                    return
            return
        if self._began.first_row != first_row:
            self._say(f"The chain begins at row {self._began.first_row:,} of the ledger, and should at {first_row:,}")
        stored: Counter[tuple[str, ...]] = Counter()
        for *place, count in self._db.execute(_PLACES, (self._began.first_row,)):
            stored[tuple(place)] = count
        for words in sorted(stored.keys() | self._attempts.keys()):
            told, kept = self._attempts[words], stored[words]
            if told != kept:
                data_class, deployment, zone, region = words
                where = f"{deployment} ({zone}{', ' if region else ''}{region})"
                self._say(f"The ledger has {kept:,} attempts of class {data_class} at {where}, and the chain {told:,}")
        (refusals,) = self._db.execute(
            "SELECT count(*) FROM refusals WHERE id >= ?", (self._began.first_row,)
        ).fetchone()
        if refusals != self._refusals:
            self._say(f"The ledger has {refusals:,} refused requests, and the chain {self._refusals:,}")


_PLACES: Final = (
    "SELECT c.data_class, d.name, d.zone, d.region, count(*) FROM attempts a JOIN contexts c ON c.id = a.context "
    "JOIN deployments d ON d.id = c.deployment WHERE a.id >= ? GROUP BY 1, 2, 3, 4"
)


def _place(about: About) -> tuple[str, ...]:
    return about.data_class, about.deployment, about.zone, about.region
