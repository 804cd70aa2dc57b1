"""A recogniser of names beside the gateway, asked about texts before anybody is chosen to see them.

It is a process of the operator's own: its address is admitted like a deployment of zone `own`, by the rules of the
highest class. What it does not say in time it has not said, and the operator's `on_failure` holds.
"""

from __future__ import annotations

from asyncio import TimerHandle
from bisect import bisect_right
from collections.abc import Callable, Sequence

import msgspec

from twintrack.config.effective import address
from twintrack.config.settings import DATA_CLASSES, Ner
from twintrack.config.snapshot import Deployment, Snapshot, Terms
from twintrack.errors import ConfigError, UpstreamError
from twintrack.policy.admitted import Admitted, admit
from twintrack.policy.explain import objection_sentence
from twintrack.policy.objections import Rules
from twintrack.policy.rules import all_rules
from twintrack.providers.connection import Connection
from twintrack.providers.pool import Pool
from twintrack.providers.upstream import Address, UpstreamCall, bracketed
from twintrack.signals.sensitivity.finding import Finding
from twintrack.wire.http1 import ResponseHead

_MOST_CHARACTERS = 200_000
"""Of all texts together; a request with more was not read."""
_MOST_ANSWER_BYTES = 4 << 20
_APART = "\n\n"
_NOT_COUNTED = frozenset(("location", "gpe", "loc", "organization", "org", "nrp", "date_time", "date"))
_PERSONS = frozenset(("person", "per"))


class _Entity(msgspec.Struct):
    """Of either API."""

    start: int
    end: int
    score: float = 1.0
    entity_type: str = ""
    label: str = ""


class _Answer(msgspec.Struct):
    entities: list[_Entity]


_LIST = msgspec.json.Decoder(list[_Entity])
_WRAPPED = msgspec.json.Decoder(_Answer)


class Recogniser:
    """As a configuration has it; immutable."""

    def __init__(self, said: Ner, admitted: Admitted) -> None:
        at = address(said.url)
        assert at is not None  # it was checked
        self.said = said
        self.admitted = admitted
        self._address = Address(at.host, at.port, at.tls)
        path = at.base_path + ("/analyze" if said.api == "presidio" else "/predict")
        host = f"{bracketed(at.host)}:{at.port}"
        self._head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n".encode()

    def call(self, text: str) -> UpstreamCall:
        if self.said.api == "presidio":
            body = msgspec.json.encode({"text": text, "language": self.said.language})
        else:
            body = msgspec.json.encode({"text": text, "labels": self.said.labels})
        return UpstreamCall(self._address, b"%bcontent-length: %d\r\n\r\n%b" % (self._head, len(body), body), len(body))

    def findings(self, answer: bytes) -> list[Finding]:
        """Raises msgspec.DecodeError, UnicodeDecodeError, RecursionError: it is no answer of this API."""
        entities = _WRAPPED.decode(answer).entities if answer.lstrip()[:1] == b"{" else _LIST.decode(answer)
        found = []
        for each in entities:
            name = (each.entity_type or each.label).lower()
            category = self._category(name)
            if category and 0 <= each.start < each.end:
                found.append(Finding(each.start, each.end, f"ner_{name}"[:40], category, each.score, "bare", "ner"))
        return found

    def _category(self, name: str) -> str:
        for said, category in self.said.categories.items():
            if said.lower() == name:
                return category
        if name in _PERSONS:
            return "person"
        return "" if name in _NOT_COUNTED else "pii"


def recogniser(snapshot: Snapshot) -> Recogniser | None:
    """Raises ConfigError: some rule does not let it see what is restricted; it is asked before anybody knows whose
    rules hold for what was found."""
    said = snapshot.detect.ner
    if said is None:
        return None
    at = address(said.url)
    assert at is not None  # it was checked
    own = Deployment(
        -1, "detect.ner", "ner", "ner", "detect.ner", said.api, (), at.tls, at.host, at.port, at.base_path, "", "own",
        said.region, False, 0, 0, ("text",), False, False, "", 0.0, None, 0, None, 1,
        terms=Terms("", 0, False, True, True, said.persons, -1),
    )  # fmt: skip
    admitted = admit(own, len(DATA_CLASSES) - 1, map(_whoever_serves, all_rules(snapshot)))
    if isinstance(admitted, tuple):
        raise ConfigError(
            "[detect.ner] may not be asked",
            why=objection_sentence(*admitted),
            fix="Say its region and persons, let such a machine of your own see restricted data, or leave it out.",
        )
    return Recogniser(said, admitted)


def _whoever_serves(rules: Rules) -> Rules:
    """Lists of providers are of those who answer requests."""
    return rules._replace(rules=tuple(msgspec.structs.replace(each, providers=("*",)) for each in rules.rules))


class Question:
    """One question about some texts; the `Receiver` of its answer."""

    __slots__ = ("_again", "_answer", "_call", "_connection", "_done", "_over", "_pool", "_recogniser", "_starts",
                 "_status", "_texts", "_timer", "found")  # fmt: skip

    def __init__(self, recogniser: Recogniser, texts: Sequence[str], done: Callable[[], None]) -> None:
        """`done` is called once, in a later turn: then `found` says what was."""
        self._recogniser = recogniser
        self._texts = texts
        self._done = done
        self._answer = bytearray()
        self._status = 0
        self._over = False
        self._again = False
        self._connection: Connection | None = None
        self._timer: TimerHandle | None = None
        self._starts: list[int] = []
        self.found: list[tuple[Finding, ...]] | None = None
        """By text; None: nothing was said."""

    def begin(self, pool: Pool) -> bool:
        """False: it is too much to ask about."""
        at = 0
        for text in self._texts:
            self._starts.append(at)
            at += len(text) + len(_APART)
        if at > _MOST_CHARACTERS:
            return False
        self._timer = pool.after(self._recogniser.said.timeout_ms / 1000, self.drop_late)
        self._pool, self._call = pool, self._recogniser.call(_APART.join(self._texts))
        pool.send(self._recogniser.admitted, self._call, self)
        return True

    def drop(self) -> None:
        """Nobody wants to know any more."""
        self._over = True
        if self._timer is not None:
            self._timer.cancel()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()

    def drop_late(self) -> None:
        self.drop()
        self._done()

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        self._connection = None
        if self._timer is not None:
            self._timer.cancel()
        self._done()

    # ---- what the connection tells

    def on_connected(self, connection: Connection) -> bool:
        if self._over:
            return False
        self._connection = connection
        return True

    def on_unreachable(self, error: UpstreamError) -> None:
        self._end()

    def on_head(self, head: ResponseHead) -> None:
        self._status = head.status

    def on_piece(self, data: bytes) -> None:
        self._answer += data
        if len(self._answer) > _MOST_ANSWER_BYTES and not self._over:
            self.drop_late()

    def on_end(self) -> None:
        if self._status == 200 and not self._over:
            try:
                self.found = self._by_text(self._recogniser.findings(bytes(self._answer)))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                pass  # as if it had said nothing
        self._end()

    def on_failure(self, error: UpstreamError) -> None:
        connection = self._connection
        if connection is not None and connection.served and not connection.received and not self._again:
            # It was kept alive and had been closed: that says nothing of whoever would answer on another one.
            self._again = True
            self._pool.send(self._recogniser.admitted, self._call, self, fresh=True)
        else:
            self._end()

    def _by_text(self, findings: list[Finding]) -> list[tuple[Finding, ...]]:
        found: list[list[Finding]] = [[] for _ in self._texts]
        for one in findings:
            at = bisect_right(self._starts, one.start) - 1
            start, most = one.start - self._starts[at], len(self._texts[at])
            if start < most:
                end = min(one.end - self._starts[at], most)
                found[at].append(msgspec.structs.replace(one, start=start, end=end))
        return [tuple(each) for each in found]
