"""One transaction's worth of records, turned into rows.

The attempt that is dispatched and settled in the same batch is one INSERT; one that was open before is one UPDATE.
What a batch changes in `Memory` holds once its transaction is committed; if that fails, the memory is thrown away.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

import msgspec

from twintrack.ledger import booking
from twintrack.ledger.audit.recorder import Recorder
from twintrack.ledger.hours import HOUR_US, Interval
from twintrack.ledger.memory import Memory, Open
from twintrack.ledger.records import Dispatch, Judged, Names, Record, Refuse, Screened, Settle
from twintrack.ledger.rollup import KINDS, NOTHING_FOLLOWS, AttemptRow, Kinds, Sums, beyond_the_hour, of_kinds, sums
from twintrack.ledger.rows import (
    CONTEXT_OF_FIRST,
    INSERT_ATTEMPT,
    INSERT_DRAFT,
    INSERT_FEATURES,
    INSERT_REFUSAL,
    REPLACE_ROLLUP,
    SET_KINDS,
    SETTLE_ATTEMPT,
    UPSERT_VERDICT,
    closing,
    dispatched,
    undispatched,
    within_reason,
)
from twintrack.ledger.words import Basis, Ending, Words, data_class

_kinds_of: Final = attrgetter(*KINDS)
_NO_KINDS: Final = (None,) * len(KINDS)

_to_msgpack = msgspec.msgpack.Encoder().encode


class NeedsCare(Exception):
    """Rows of this batch are in the database already, or a number in it is absurd: do it again with `careful`."""


@dataclass(slots=True)
class Batch:
    """Usage: `add` what was read, any number of times, then `finish`, all inside one transaction."""

    db: sqlite3.Connection
    memory: Memory
    now_us: int = 0
    """UTC microseconds."""
    careful: bool = False
    """Look up each row before it is stored, and each number before it is summed."""
    insane: int = 0
    """Records that held a number beyond reason."""
    taken: list[tuple[str, list[Record]]] | None = None
    """By writer, what is stored of what was read; None: nobody wants to know."""
    _fresh: dict[tuple[str, int], tuple[Dispatch, int, int, str | None, str]] = field(default_factory=dict)
    """Dispatched in this batch: (record, context, basis, ruled out, writer)."""
    _orphans: list[tuple[Settle, str]] = field(default_factory=list)
    _groups: dict[tuple[int, int, int], list[AttemptRow]] = field(default_factory=dict)
    """Closed attempts by hour, basis and ending."""
    _kinds: dict[tuple[int, int, int], list[Kinds]] = field(default_factory=dict)
    """By the same, of those that have any: most do not, and a NULL takes SQLite's module 0.3 µs to bind."""
    _totals: dict[tuple[int, int], Sums] = field(default_factory=dict)
    """By hour and slice."""
    _busy: dict[int, list[Interval]] = field(default_factory=dict)
    """By deployment."""
    _audit: Recorder = field(init=False)
    _first_row: int = field(init=False)

    def __post_init__(self) -> None:
        memory = self.memory
        vocabulary = memory.vocabulary
        self._first_row = memory.next_id
        self._audit = Recorder(self.db, memory.audit, memory.generations, vocabulary.ending_words)

    def add(self, writer: str, records: list[Record]) -> None:
        """Store what one writer wrote, in its order.

        Raises:
            NeedsCare: see there.
        """
        if self.careful:
            records = self._with_care(records)
        if self.taken is not None:
            self.taken.append((writer, records))
        try:
            self._add(writer, records)
        except OverflowError as error:
            raise NeedsCare from error

    def _add(self, writer: str, records: list[Record]) -> None:
        memory = self.memory
        vocabulary = memory.vocabulary
        generations = memory.generations.setdefault(writer, {})
        nameless = memory.nameless
        endings = vocabulary.endings
        fresh = self._fresh
        next_id = memory.next_id
        last_us = memory.writers.get(writer, 0)
        inserts: list[AttemptRow] = []
        updates: list[AttemptRow] = []
        refusals: list[tuple[Any, ...]] = []
        kinds_set: list[tuple[int | None, ...]] = []
        described: list[tuple[int, bytes]] = []
        drafts: list[tuple[int, bytes]] = []
        verdicts: list[tuple[Any, ...]] = []
        groups = self._groups
        done, screened = self._audit.done, self._audit.screened
        # The hot loop, twice for each request.
        for record in records:
            if type(record) is Dispatch:
                words = generations.get(record.generation, nameless)
                repeats = (
                    record.deployment,
                    record.route,
                    record.tier,
                    record.key,
                    record.endpoint,
                    record.stream,
                    record.data_class,
                    record.reason,
                    record.chosen,
                    record.baseline,
                    record.task,
                    record.language,
                    record.role,
                )
                known = words.contexts.get(repeats)
                if known is None:
                    known = words.contexts[repeats] = vocabulary.context(words, record)
                ruled_out = record.ruled_out
                text = words.ruled_out(ruled_out) if ruled_out else None
                last_us = record.at_us
                fresh[record.request_id, record.attempt] = (record, known[0], known[1], text, writer)
            elif type(record) is Settle:
                key = (record.request_id, record.attempt)
                how = (record.state, record.outcome, record.status, record.usage_source, record.energy_source)
                ending = endings.get(how)
                if ending is None:
                    ending = vocabulary.ending(Ending(*how))
                last_us = record.at_us
                begun = fresh.pop(key, None)
                if begun is not None:
                    dispatch, context, basis, text, _ = begun
                    at_us = dispatch.at_us
                    row = (
                        next_id,
                        key[0],
                        key[1],
                        at_us,
                        context,
                        dispatch.prompt_tokens_est,
                        dispatch.predicted_nusd,
                        dispatch.p_good,
                        dispatch.complexity,
                        dispatch.propensity,
                        text,
                        dispatch.request_bytes,
                        None,
                        ending,
                        last_us,
                        record.detail or None,
                        record.ttft_us,
                        record.total_us,
                        record.input_tokens,
                        record.output_tokens,
                        record.cache_read_tokens,
                        record.cache_write_tokens,
                        record.reasoning_tokens,
                        record.cost_nusd,
                        record.baseline_nusd,
                        record.energy_mj,
                        record.response_bytes,
                        dispatch.p_enough,
                        dispatch.p_best,
                    )
                    if dispatch.features:
                        described.append((next_id, dispatch.features))
                    next_id += 1
                    inserts.append(row)
                    done.append((begun, ending, last_us))
                else:
                    running = memory.open.pop(key, None)
                    if running is None:
                        self._orphans.append((record, writer))
                        continue
                    at_us = running.at_us
                    basis = vocabulary.basis_of[running.context]
                    row = closing(running, record, ending)
                    updates.append(row)
                    self._audit.closed.append((*key, running.id, ending, last_us))
                group = (at_us // HOUR_US, basis, ending)
                members = groups.get(group)
                if members is None:
                    groups[group] = [row]
                else:
                    members.append(row)
                kinds = _kinds_of(record)
                if kinds != _NO_KINDS:
                    self._kinds.setdefault(group, []).append(kinds)
                    kinds_set.append((*kinds, row[0]))
                if record.seen:
                    drafts.append((row[0], record.seen))
            elif type(record) is Screened:
                screened[record.request_id] = record, generations.get(record.generation, nameless)
            elif type(record) is Refuse:
                words = generations.get(record.generation, nameless)
                refusals.append(self._refusal(next_id, words, record))
                self._audit.refused.append((record, words))
                next_id += 1
                last_us = record.at_us
            elif type(record) is Names:
                self._learn(writer, record)
                self._audit.names.append((writer, record))
                generations = memory.generations[writer]
            elif type(record) is Judged:
                words = generations.get(record.generation, nameless)
                by = "" if record.key < 0 else words.key(record.key) or "unknown"
                verdicts.append((record.request_id, by, record.source, record.at_us, record.score, record.label))
                last_us = record.at_us
        memory.next_id = next_id
        memory.writers[writer] = last_us

        self._insert(INSERT_ATTEMPT, inserts)
        self._insert(INSERT_REFUSAL, refusals)
        if updates:
            self.db.executemany(SETTLE_ATTEMPT, [(*row[13:27], row[0]) for row in updates])
        if kinds_set:
            self.db.executemany(SET_KINDS, kinds_set)
        if described:
            self.db.executemany(INSERT_FEATURES, described)
        if drafts:
            self.db.executemany(INSERT_DRAFT, drafts)
        if verdicts:
            self.db.executemany(UPSERT_VERDICT, verdicts)

    def finish(self, reach_us: int) -> None:
        """Store what is still open, and the sums.

        Args:
            reach_us: nothing that will still be read was dispatched before it.
        Raises:
            NeedsCare: see there.
        """
        memory = self.memory
        inserts: list[AttemptRow] = []
        described: list[tuple[int, bytes]] = []
        for (request_id, attempt), (dispatch, context, _, text, writer) in self._fresh.items():
            opened = Open(memory.next_id, dispatch.at_us, context, dispatch.predicted_nusd, writer)
            memory.next_id += 1
            inserts.append(dispatched(opened, dispatch, text))
            if dispatch.features:
                described.append((opened.id, dispatch.features))
            memory.open[request_id, attempt] = opened
        try:
            self._insert(INSERT_ATTEMPT, inserts)
            self.db.executemany(INSERT_FEATURES, described)
            self._settle_orphans()
        except OverflowError as error:
            raise NeedsCare from error
        self._audit.store(list(self._fresh.values()), self.now_us, self._first_row, memory.next_id)
        for (hour, basis, ending), rows in self._groups.items():
            self._sum(hour, basis, ending, rows)
        rollups = []
        for (hour, about), group in self._totals.items():
            stored = self.db.execute("SELECT * FROM rollups WHERE hour = ? AND slice = ?", (hour, about)).fetchone()
            if stored:
                group = group.plus(Sums.from_columns(stored[2:]))
            rollups.append((hour, about, *group.columns()))
        self.db.executemany(REPLACE_ROLLUP, rollups)
        if self._busy:
            reach_us = min([reach_us, *(running.at_us for running in memory.open.values())])
        for deployment, intervals in self._busy.items():
            booking.book_busy(self.db, deployment, intervals, reach_us)
        self.db.executemany("INSERT OR REPLACE INTO journal_writers VALUES (?, ?)", list(memory.writers.items()))

    def ended(self) -> Iterator[tuple[int, int, list[AttemptRow]]]:
        """What was closed, as (basis, ending, rows)."""
        for (_, basis, ending), rows in self._groups.items():
            yield basis, ending, rows

    def _insert(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        if rows and self.db.executemany(statement, rows).rowcount != len(rows):
            raise NeedsCare

    def _learn(self, writer: str, names: Names) -> None:
        self.memory.learn(writer, names)
        self.db.execute(
            "INSERT OR REPLACE INTO journal_names VALUES (?, ?, ?)", (writer, names.generation, _to_msgpack(names))
        )

    def _refusal(self, which: int, words: Words, record: Refuse) -> tuple[Any, ...]:
        basis = Basis(
            None,
            words.route(record.route),
            None,
            words.key(record.key),
            record.endpoint,
            data_class(record.data_class),
        )
        about = self.memory.vocabulary.slice(basis, "refused", "refused")
        self._total(record.at_us // HOUR_US, about, Sums(requests=1))
        return (
            which,
            record.request_id,
            record.at_us,
            words.policy_version,
            basis.route,
            basis.key,
            record.endpoint,
            record.status,
            record.code,
            basis.data_class,
            record.prompt_tokens_est,
            words.ruled_out(record.ruled_out),
        )

    def _sum(self, hour: int, basis: int, ending: int, rows: list[AttemptRow]) -> None:
        vocabulary = self.memory.vocabulary
        words, how = vocabulary.basis_words[basis], vocabulary.ending_words[ending]
        about = vocabulary.slice_of(basis, ending)
        hourly = words.deployment in vocabulary.hourly
        group = sums(rows, how, hourly=hourly, baseline_counts=words.baseline_counts)
        if vocabulary.classifying:
            group = group._replace(requests=self._requests(rows, how))
        if kinds := self._kinds.get((hour, basis, ending)):
            group = group.plus(of_kinds(kinds))
        if not self.careful and group.absurd():
            raise NeedsCare
        if hourly:
            assert words.deployment is not None
            self._busy.setdefault(words.deployment, []).extend([(row[3], row[3] + row[17]) for row in rows])
            later = beyond_the_hour(rows, hour, how, baseline_counts=words.baseline_counts)
            for later_hour, (hourly_us, both_us) in later.items():
                group = group._replace(hourly_us=group.hourly_us - hourly_us, both_us=group.both_us - both_us)
                self._total(later_hour, about, Sums(hourly_us=hourly_us, both_us=both_us))
        self._total(hour, about, group)

    def _requests(self, rows: list[AttemptRow], how: Ending) -> int:
        """Where classifiers are asked first: a request counts with who was asked next, or it was refused."""
        classifying = self.memory.vocabulary.classifying
        alone = how.outcome in NOTHING_FOLLOWS
        count: int = sum(row[2] == 0 and (alone or row[4] not in classifying) for row in rows)
        for row in rows:
            if row[2] == 1:
                first = self.db.execute(CONTEXT_OF_FIRST, (row[1],)).fetchone()
                count += first is not None and first[0] in classifying
        return count

    def _total(self, hour: int, about: int, more: Sums) -> None:
        before = self._totals.get((hour, about))
        self._totals[hour, about] = more if before is None else before.plus(more)

    def _settle_orphans(self) -> None:
        """Settles whose attempt is not open: it was closed before, or its Dispatch lay in a damaged part."""
        memory = self.memory
        vocabulary = memory.vocabulary
        for settle, writer in self._orphans:
            if self._attempt_exists(settle.request_id, settle.attempt):
                continue
            began = undispatched(settle)
            context, basis = vocabulary.context(memory.nameless, began)
            ending = vocabulary.ending(
                Ending(settle.state, settle.outcome, settle.status, settle.usage_source, settle.energy_source)
            )
            running = Open(memory.next_id, began.at_us, context, None, writer)
            memory.next_id += 1
            row = closing(running, settle, ending)
            self._insert(INSERT_ATTEMPT, [row])
            self._audit.done.append(((began, context, basis, None, writer), ending, settle.at_us))
            group = (began.at_us // HOUR_US, basis, ending)
            self._groups.setdefault(group, []).append(row)
            kinds = _kinds_of(settle)
            if kinds != _NO_KINDS:
                self._kinds.setdefault(group, []).append(kinds)
                self.db.execute(SET_KINDS, (*kinds, row[0]))

    # With care: slowly, for what happens once in a blue moon.

    def _with_care(self, records: list[Record]) -> list[Record]:
        kept: list[Record] = []
        seen: set[tuple[str, int]] = set()
        for record in records:
            if type(record) is Dispatch:
                key = (record.request_id, record.attempt)
                if key in seen or key in self._fresh or self._attempt_exists(*key):
                    continue
                seen.add(key)
            elif type(record) is Refuse:
                key = (record.request_id, -1)
                if key in seen or self._refusal_exists(record.request_id):
                    continue
                seen.add(key)
            elif type(record) is Screened and self._is_known(record.request_id):
                continue
            sane = within_reason(record)
            if sane is not record:
                self.insane += 1
            kept.append(sane)
        return kept

    def _is_known(self, request_id: str) -> bool:
        return self._attempt_exists(request_id, 0) or self._refusal_exists(request_id)

    def _attempt_exists(self, request_id: str, attempt: int) -> bool:
        found = self.db.execute("SELECT 1 FROM attempts WHERE request_id = ? AND attempt = ?", (request_id, attempt))
        return found.fetchone() is not None

    def _refusal_exists(self, request_id: str) -> bool:
        found = self.db.execute("SELECT 1 FROM refusals WHERE request_id = ?", (request_id,))
        return found.fetchone() is not None
