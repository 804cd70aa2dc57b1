"""What a batch of journal records says about requests, as entries of the chain.

An attempt that began and ended in one batch is one entry. One that still runs has an entry now and one when it ended,
so nobody waits for an end before it stands who saw the data.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from typing import Final

import msgspec

from twintrack.config.settings import DATA_CLASSES
from twintrack.ledger.audit.chain import Chain
from twintrack.ledger.audit.entry import (
    NOBODY,
    SALT_BYTES,
    About,
    Body,
    Ended,
    Policy,
    Refused,
    RuledOut,
    Screen,
    Serving,
    to_msgpack,
)
from twintrack.ledger.audit.search import first_of, half_told
from twintrack.ledger.records import Dispatch, Names, Refuse, Screened
from twintrack.ledger.words import NAMELESS, Ending, Words, data_class

_DECIDED: Final = 1
"""Tag of `Decided`, whose canonical form is made without making the value: that takes half the time."""
_MOST: Final = 100_000
"""Requests, and texts of who was ruled out, that are remembered."""

Begun = tuple[Dispatch, int, int, str | None, str]
"""(record, context, basis, ruled out, writer), as `Batch` keeps it"""

_to_ruled_out = msgspec.json.Decoder(list[tuple[str, str, int, int]]).decode


class Remembered:
    """What holds from batch to batch, if each is committed."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.said: dict[Body, int] = {}
        """Entries by what they say. Empty in a new process: saying something again changes nothing."""
        self.about: dict[tuple[int, str], int] = {}
        """By context and role."""
        self.who: dict[int, tuple[str | None, str | None]] = {}
        """Key and tenant by context."""
        self.ended: dict[int, int] = {0: 0}
        """By ending."""
        self.finals: set[int] = set()
        """Endings after which no other attempt is made."""
        self.ruled_out: dict[str, int] = {}
        self.firsts: dict[str, int] = half_told(db)
        """First entries of requests of which more may come."""
        self.policies: set[str] = {version for (version,) in db.execute("SELECT version FROM audit_policies")}
        self.serving: dict[str, str] = {}
        """Policy version by writer."""

    def trim(self) -> None:
        firsts = self.firsts
        if len(firsts) > _MOST:
            for old in list(firsts)[: _MOST // 2]:
                del firsts[old]  # looked up again if need be


class Recorder:
    """Of one batch. What it is told it puts into the chain when asked to `store`."""

    __slots__ = (
        "_chain",
        "_db",
        "_endings",
        "_generations",
        "_memory",
        "closed",
        "done",
        "names",
        "refused",
        "screened",
    )

    def __init__(
        self,
        db: sqlite3.Connection,
        memory: Remembered,
        generations: Mapping[str, Mapping[int, Words]],
        endings: Mapping[int, Ending],
    ) -> None:
        self._db = db
        self._memory = memory
        self._generations = generations
        self._endings = endings
        self.done: list[tuple[Begun, int, int]] = []
        """Attempts that began and ended in this batch: (begun, ending, ended)."""
        self.closed: list[tuple[str, int, int, int, int]] = []
        """Attempts that only ended in it: (request, number, row, ending, ended)."""
        self.refused: list[tuple[Refuse, Words]] = []
        self.screened: dict[str, tuple[Screened, Words]] = {}
        self.names: list[tuple[str, Names]] = []

    def store(self, opened: list[Begun], now_us: int, first_row: int, reach: int) -> None:
        """
        Args:
            opened: attempts that began in this batch and did not end.
            now_us, first_row: for the first entry of all.
            reach: no row of this batch has this id or a higher one.
        """
        if not (self.done or self.closed or self.refused or self.screened or self.names or opened):
            return
        self._chain = Chain(self._db, now_us, first_row)
        for writer, names in self.names:
            self._policy(writer, names, now_us)
        self._begun([*self.done, *((begun, 0, 0) for begun in opened)])
        self._closed()
        for refuse, words in self.refused:
            text = words.ruled_out(refuse.ruled_out)
            ruled_out = 0 if text is None else self._ruled_out(text, refuse.at_us)
            refused = self._refused(refuse, words)
            self._request(refuse.request_id, words, refuse.key, refuse.at_us, refused, ruled_out)
        for request_id, (screened, words) in list(self.screened.items()):
            self._request(request_id, words, screened.key, screened.at_us, 0, 0)
        self._chain.store(reach)
        self._memory.trim()

    # Twice for each request: written for speed.

    def _begun(self, attempts: list[tuple[Begun, int, int]]) -> None:
        memory, chain, screened, who_of = self._memory, self._chain, self.screened, self._memory.who
        about_of, ended_of, ruled_out_of = memory.about, memory.ended, memory.ruled_out
        firsts, finals = memory.firsts, memory.finals
        add, encode = chain.add_encoded, to_msgpack
        random = os.urandom(SALT_BYTES * len(attempts))
        place = 0
        for (dispatch, context, _, text, writer), ending, ended_us in attempts:
            request_id, number, at_us, role = dispatch.request_id, dispatch.attempt, dispatch.at_us, dispatch.role
            about = about_of.get((context, role))
            if about is None:
                about = self._about(dispatch, context, writer)
            ended = ended_of.get(ending)
            if ended is None:
                ended = self._ended(ending, at_us)
            ruled_out = 0 if text is None else ruled_out_of.get(text) or self._ruled_out(text, at_us)
            screen = hmac = None
            if screened and (found := screened.pop(request_id, None)) is not None:
                screen, hmac = self._screen(*found), found[0].body_hmac
            first = firsts.get(request_id, 0)
            if number and not first:
                first = first_of(self._db, request_id)
            place += SALT_BYTES
            add(
                encode((_DECIDED, first, at_us, screen, (number, about, ended, ended_us), 0, ruled_out)),
                random[place - SALT_BYTES : place] + encode((request_id, *who_of[context], hmac)),
                at_us,
            )
            if ending in finals and role == "answer":
                if first:
                    firsts.pop(request_id, None)
            elif not first:
                firsts[request_id] = chain.seq

    def _closed(self) -> None:
        memory, chain, encode = self._memory, self._chain, to_msgpack
        firsts, ended_of = memory.firsts, memory.ended
        for request_id, number, row, ending, ended_us in self.closed:
            first = firsts.get(request_id) or first_of(self._db, request_id, row)
            ended = ended_of.get(ending)
            if ended is None:
                ended = self._ended(ending, ended_us)
            body = encode((_DECIDED, first, ended_us, None, (number, 0, ended, ended_us), 0, 0))
            if first:
                chain.add_encoded(body, NOBODY, ended_us)
            else:  # the chain is younger than its begin
                chain.add_encoded(body, self._personal(request_id, None, None, None), ended_us)
                firsts[request_id] = chain.seq

    def _request(self, request_id: str, words: Words, key: int, at_us: int, refused: int, ruled_out: int) -> None:
        """One that was sent to nobody, or not yet."""
        memory = self._memory
        screen = hmac = None
        if (found := self.screened.pop(request_id, None)) is not None:
            screen, hmac = self._screen(*found), found[0].body_hmac
        first = memory.firsts.get(request_id, 0)
        body = to_msgpack((_DECIDED, first, at_us, screen, None, refused, ruled_out))
        self._chain.add_encoded(body, self._personal(request_id, words.key(key), words.tenant(key), hmac), at_us)
        if not refused and not first:
            memory.firsts[request_id] = self._chain.seq

    def _personal(self, request_id: str, key: str | None, tenant: str | None, hmac: bytes | None) -> bytes:
        return os.urandom(SALT_BYTES) + to_msgpack((request_id, key, tenant, hmac))

    # ---- what others refer to

    def _say(self, body: Body, at_us: int) -> int:
        said = self._memory.said
        seq = said.get(body)
        if seq is None:
            seq = said[body] = self._chain.add(body, at_us)
        return seq

    def _about(self, dispatch: Dispatch, context: int, writer: str) -> int:
        words = self._generations.get(writer, {}).get(dispatch.generation) or Words(NAMELESS)
        deployment = words.deployment(dispatch.deployment)
        body = About(
            policy=words.policy_version,
            route=words.route(dispatch.route),
            tier=words.tier(dispatch.route, dispatch.tier),
            endpoint=dispatch.endpoint,
            data_class=data_class(dispatch.data_class),
            reason=dispatch.reason,
            role=dispatch.role,
            deployment=deployment.name,
            model=deployment.model,
            provider=deployment.provider,
            zone=deployment.zone,
            region=deployment.region,
            simulated=deployment.simulated,
            chosen=words.deployment(dispatch.chosen).name if dispatch.chosen >= 0 else None,
        )
        seq = self._memory.about[context, dispatch.role] = self._say(body, dispatch.at_us)
        self._memory.who[context] = words.key(dispatch.key), words.tenant(dispatch.key)
        return seq

    def _ended(self, ending: int, at_us: int) -> int:
        seq = self._memory.ended.get(ending)
        if seq is None:
            words = self._endings[ending]
            body = Ended(words.state, words.outcome, words.status)
            seq = self._memory.ended[ending] = self._say(body, at_us)
            if words.outcome == "ok":
                self._memory.finals.add(ending)
        return seq

    def _ruled_out(self, text: str, at_us: int) -> int:
        known = self._memory.ruled_out
        if len(known) >= _MOST:
            known.clear()
        body = RuledOut(tuple((name, code) for name, code, _, _ in _to_ruled_out(text)))
        seq = known[text] = self._say(body, at_us)
        return seq

    def _refused(self, refuse: Refuse, words: Words) -> int:
        body = Refused(
            words.policy_version,
            words.route(refuse.route),
            refuse.endpoint,
            data_class(refuse.data_class),
            refuse.status,
            refuse.code,
        )
        return self._say(body, refuse.at_us)

    def _screen(
        self, screened: Screened, words: Words
    ) -> tuple[int, tuple[tuple[str, int], ...], tuple[int, int, int], int]:
        body = Screen(
            detector=screened.detector,
            mode=screened.mode,
            found=data_class(screened.found),
            labelled=DATA_CLASSES[screened.labelled] if 0 <= screened.labelled < len(DATA_CLASSES) else None,
            data_class=data_class(screened.data_class),
            sticky=screened.sticky,
            override=screened.override,
            unscanned=screened.unscanned,
            categories=screened.categories,
        )
        return self._say(body, screened.at_us), screened.counts, screened.bands, screened.pseudonyms

    def _policy(self, writer: str, names: Names, now_us: int) -> None:
        memory = self._memory
        at_us = names.at_us or now_us
        version = names.policy_version
        if version not in memory.policies:
            seq = self._chain.add(Policy(at_us, version, names.policy), at_us)
            self._db.execute("INSERT OR IGNORE INTO audit_policies VALUES (?, ?)", (version, seq))
            memory.policies.add(version)
        if memory.serving.get(writer) != version:
            memory.serving[writer] = version
            self._chain.add(Serving(at_us, names.worker, version), at_us)
