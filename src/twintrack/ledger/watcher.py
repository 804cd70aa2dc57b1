"""Who sees what the loader stored: everything that ended, once it is in the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from twintrack.ledger.batch import Batch
from twintrack.ledger.memory import Memory
from twintrack.ledger.records import Record
from twintrack.ledger.rollup import AttemptRow
from twintrack.ledger.words import Basis, DeploymentWords, Ending, Words


class Group(NamedTuple):
    """Attempts of one transaction that were the same kind of request and ended the same way."""

    deployment: DeploymentWords
    basis: Basis
    ending: Ending
    rows: list[AttemptRow]


class Watcher(Protocol):
    """Sees what was stored, once it is. It must not raise, and not take long: the ledger waits."""

    @property
    def wants_records(self) -> bool: ...

    def on_ended(self, groups: list[Group]) -> None: ...

    def on_records(self, records: Sequence[Record], generations: Mapping[int, Words]) -> None:
        """One writer's, in their order, and what their numbers mean by generation; if it wants them."""


def tell(watcher: Watcher | None, batch: Batch, memory: Memory) -> None:
    """`batch` was committed."""
    if watcher is None:
        return
    vocabulary = memory.vocabulary
    groups = []
    for basis, ending, rows in batch.ended():
        words = vocabulary.basis_words[basis]
        assert words.deployment is not None
        deployment = vocabulary.deployment_words[words.deployment]
        groups.append(Group(deployment, words, vocabulary.ending_words[ending], rows))
    watcher.on_ended(groups)
    for writer, records in batch.taken or ():
        watcher.on_records(records, memory.generations.get(writer, {}))
