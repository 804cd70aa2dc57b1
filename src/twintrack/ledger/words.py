"""What the small integers mean: those of a journal, by its `Names`, and those of the database, by its tables."""

from __future__ import annotations

import sqlite3
from typing import Any, Final, NamedTuple

import msgspec

from twintrack.config.settings import DATA_CLASSES
from twintrack.ledger.records import Dispatch, Names

RuledOut = tuple[tuple[int, str, int, int], ...]

_to_json = msgspec.json.Encoder().encode


class DeploymentWords(NamedTuple):
    """A row of `deployments` behind its id."""

    name: str
    model: str
    provider: str
    zone: str
    region: str
    simulated: bool
    per_hour_nusd: int


_UNKNOWN: Final = DeploymentWords("unknown", "unknown", "unknown", "unknown", "", False, 0)


class Ending(NamedTuple):
    """A row of `endings` behind its id."""

    state: str
    outcome: str
    status: int
    usage_source: str
    energy_source: str


class Basis(NamedTuple):
    """What a slice is about before it is known how the attempt ends, and whether its baseline counts."""

    deployment: int | None
    route: str | None
    tier: str | None
    key: str | None
    endpoint: str
    data_class: str
    baseline_counts: bool = True
    """False where a real attempt would be compared with a simulated price."""


class Words:
    """The words of one `Names`. An integer without a word, as after damage, is `unknown` and stops nothing."""

    __slots__ = ("_names", "_ruled_out", "contexts")

    def __init__(self, names: Names) -> None:
        self._names = names
        self._ruled_out: dict[RuledOut, str | None] = {(): None}
        self.contexts: dict[tuple[Any, ...], tuple[int, int]] = {}
        """What of a Dispatch repeats, to the ids `Vocabulary.context` gave it."""

    @property
    def policy_version(self) -> str:
        return self._names.policy_version

    def deployment(self, index: int) -> DeploymentWords:
        names = self._names
        if not 0 <= index < len(names.deployments):
            return _UNKNOWN
        per_hour = names.per_hour_nusd[index] if index < len(names.per_hour_nusd) else 0
        return DeploymentWords(*names.deployments[index], per_hour)

    def route(self, index: int) -> str | None:
        return self._names.routes[index][0] if 0 <= index < len(self._names.routes) else None

    def tells_content(self, route: int) -> bool:
        return route in self._names.content

    def tier(self, route: int, index: int) -> str | None:
        if not 0 <= route < len(self._names.routes):
            return None
        tiers = self._names.routes[route][1]
        return tiers[index] if 0 <= index < len(tiers) else None

    def key(self, index: int) -> str | None:
        return self._names.keys[index] if 0 <= index < len(self._names.keys) else None

    def tenant(self, key: int) -> str | None:
        """Of a key."""
        return self._names.tenants[key] or None if 0 <= key < len(self._names.tenants) else None

    def ruled_out(self, ruled_out: RuledOut) -> str | None:
        """JSON [[deployment, code, have, need], …]; None if nothing was."""
        known = self._ruled_out
        if ruled_out in known:
            return known[ruled_out]
        if len(known) > 10_000:
            known.clear()
            known[()] = None
        text = _to_json([(self.deployment(i).name, code, have, need) for i, code, have, need in ruled_out]).decode()
        known[ruled_out] = text
        return text


NAMELESS: Final = Names(0, 0, "", "", (), (), (), ())
"""Of records whose own were lost."""


def data_class(index: int) -> str:
    """The strictest if there is none of that number."""
    return DATA_CLASSES[index] if 0 <= index < len(DATA_CLASSES) else DATA_CLASSES[-1]


class Vocabulary:
    """The ids of what repeats from row to row, found in the database or added to it."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._deployments: dict[DeploymentWords, int] = {}
        self.deployment_words: dict[int, DeploymentWords] = {}
        self._simulated: set[int] = set()
        self._contexts: dict[tuple[Any, ...], tuple[int, int]] = {}
        self._bases: dict[Basis, int] = {}
        self._slices: dict[tuple[Any, ...], int] = {}
        self._slice_of: dict[tuple[int, int], int] = {}
        self.endings: dict[tuple[Any, ...], int] = {}
        self.ending_words: dict[int, Ending] = {}
        self.basis_words: list[Basis] = []
        self.basis_of: dict[int, int] = {}
        """By context."""
        self.hourly: set[int] = set()
        """Deployments that are paid by the hour."""
        self.classifying: set[int] = set()
        """Contexts of attempts that asked a classifier."""
        for row in db.execute("SELECT * FROM deployments"):
            self._keep_deployment(row[0], DeploymentWords._make((*row[1:6], bool(row[6]), row[7])))
        for row in db.execute("SELECT * FROM contexts"):
            self._keep_context(row[0], row[1:])
        for row in db.execute("SELECT * FROM endings"):
            self._keep_ending(row[0], Ending._make(row[1:]))
        for row in db.execute("SELECT * FROM slices"):
            self._slices[row[1:]] = row[0]

    def deployment(self, words: DeploymentWords) -> int:
        which = self._deployments.get(words)
        if which is None:
            which = self._add(
                "INSERT INTO deployments (name, model, provider, zone, region, simulated, per_hour_nusd) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                words,
            )
            self._keep_deployment(which, words)
        return which

    def context(self, words: Words, record: Dispatch) -> tuple[int, int]:
        """Ids of the context and of its basis."""
        columns = (
            words.policy_version,
            words.route(record.route),
            words.tier(record.route, record.tier),
            words.key(record.key),
            record.endpoint,
            int(record.stream),
            data_class(record.data_class),
            record.reason,
            record.task,
            record.language,
            self.deployment(words.deployment(record.deployment)),
            self.deployment(words.deployment(record.chosen)) if record.chosen >= 0 else None,
            self.deployment(words.deployment(record.baseline)) if record.baseline >= 0 else None,
            record.role,
        )
        known = self._contexts.get(columns)
        if known is not None:
            return known
        which = self._add(
            "INSERT INTO contexts (policy_version, route, tier, key, endpoint, stream, data_class, reason, task, "
            "language, deployment, chosen, baseline, role) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            columns,
        )
        return self._keep_context(which, columns)

    def ending(self, words: Ending) -> int:
        which = self.endings.get(words)
        if which is None:
            which = self._add(
                "INSERT INTO endings (state, outcome, status, usage_source, energy_source) VALUES (?, ?, ?, ?, ?)",
                words,
            )
            self._keep_ending(which, words)
        return which

    def slice_of(self, basis: int, ending: int) -> int:
        which = self._slice_of.get((basis, ending))
        if which is None:
            words = self.ending_words[ending]
            which = self._slice_of[basis, ending] = self.slice(self.basis_words[basis], words.state, words.outcome)
        return which

    def slice(self, basis: Basis, state: str, outcome: str) -> int:
        columns = (*basis[:6], state, outcome)
        which = self._slices.get(columns)
        if which is None:
            which = self._slices[columns] = self._add(
                "INSERT INTO slices (deployment, route, tier, key, endpoint, data_class, state, outcome) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                columns,
            )
        return which

    def _add(self, statement: str, columns: tuple[Any, ...]) -> int:
        which = self._db.execute(statement, columns).lastrowid
        assert which is not None
        return which

    def _keep_deployment(self, which: int, words: DeploymentWords) -> None:
        self._deployments[words] = which
        self.deployment_words[which] = words
        if words.simulated:
            self._simulated.add(which)
        if words.per_hour_nusd > 0:
            self.hourly.add(which)

    def _keep_context(self, which: int, columns: tuple[Any, ...]) -> tuple[int, int]:
        _, route, tier, key, endpoint, _, its_class, _, _, _, deployment, _, baseline, role = columns
        if role == "classifier":
            self.classifying.add(which)
        counts = deployment in self._simulated or baseline not in self._simulated
        words = Basis(deployment, route, tier, key, endpoint, its_class, counts)
        basis = self._bases.get(words)
        if basis is None:
            basis = self._bases[words] = len(self.basis_words)
            self.basis_words.append(words)
        self.basis_of[which] = basis
        self._contexts[columns] = which, basis
        return which, basis

    def _keep_ending(self, which: int, words: Ending) -> None:
        self.endings[words] = which
        self.ending_words[which] = words
