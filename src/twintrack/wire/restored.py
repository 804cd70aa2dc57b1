"""An answer with the values that placeholders stand for, in the client's dialect: whole, or event by event.

The client's own JSON is changed and nothing else: whatever way an answer took to become it, straight or translated,
this is its last step, and members nobody knows stay. In a stream a placeholder comes in pieces. The start of one is
taken out of its event and stands at the front of the next piece of the same text; if none follows it goes back. Until
then the event waits, and what came behind it too: events are neither added nor left out, and their order stays.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from twintrack.wire import sse
from twintrack.wire.deltas import DELTAS, Delta, Key, json_members
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.placeholders import Placeholders

_LONGEST_EVENT = 16_777_216
"""A longer one goes on as it is, and so does what follows."""
_MOST_PASSED = 8
"""An answer that goes over from thinking to text, or from one call to the next, does not always say that it does."""


class _Form(msgspec.Struct):
    type: str = ""


class _Text(msgspec.Struct):
    format: _Form | None = None


class _AsksJson(msgspec.Struct):
    response_format: _Form | None = None
    """Chat completions."""
    text: _Text | None = None
    """Responses."""
    output_format: _Form | None = None
    output_config: _Text | None = None
    """Messages: the older way and the newer."""


_ASKS_JSON = msgspec.json.Decoder(_AsksJson)


def asks_json(body: bytes) -> bool:
    """Whether a request wants JSON as the answer's text."""
    try:
        asked = _ASKS_JSON.decode(body)
    except UNREADABLE:
        return False
    forms = [asked.response_format, asked.output_format]
    forms += [each.format for each in (asked.text, asked.output_config) if each is not None]
    return any(form is not None and form.type.startswith("json") for form in forms)


def restored_answer(body: bytes, placeholders: Placeholders, *, json_texts: bool) -> bytes:
    """`json_texts`: the client asked for JSON as the answer's text.

    A body that is no JSON, or nested too deeply, stays as it is.
    """
    if not placeholders.within(body):
        return body
    try:
        answer = msgspec.json.decode(body)
    except UNREADABLE:
        return body
    changed = _Whole(placeholders, json_members(json_texts))
    try:
        answer = changed.value(answer, "")
    except RecursionError:
        return body
    return msgspec.json.encode(answer) if changed.any else body


class _Whole:
    """Puts values back into whole texts, wherever they stand."""

    def __init__(self, placeholders: Placeholders, json: frozenset[str]) -> None:
        self._placeholders = placeholders
        self._json = json
        self.any = False

    def value(self, value: Any, name: str) -> Any:
        if isinstance(value, str):
            restored = self._placeholders.restore(value, json=name in self._json)
            self.any = self.any or restored is not value
            return restored
        if isinstance(value, list):
            for at, each in enumerate(value):
                value[at] = self.value(each, name)
        elif isinstance(value, dict):
            for key in list(value):
                value[key] = self.value(value[key], key)
            if any(self._placeholders.restore(key) is not key for key in value):
                self.any = True
                return {self._placeholders.restore(key): each for key, each in value.items()}
        return value


class _Event:
    __slots__ = ("changed", "document", "raw", "unsure")

    def __init__(self, raw: bytes, document: Any = None) -> None:
        self.raw = raw
        self.document = document
        self.changed = False
        self.unsure = 0
        """Texts whose next piece may decide what stands in this one."""

    def written(self) -> bytes:
        if not self.changed:
            return self.raw
        head = b"".join(
            line.rstrip(b"\r\n") + b"\n"
            for line in self.raw.splitlines(keepends=True)
            if line.strip() and not line.startswith(b"data:")
        )
        return b"%bdata: %b\n\n" % (head, msgspec.json.encode(self.document))


class _Held:
    """The start of what may be a placeholder, taken out of the end of a piece."""

    __slots__ = ("event", "holder", "member", "passed", "text")

    def __init__(self, text: str, event: _Event, holder: dict[str, Any], member: str) -> None:
        self.text = text
        self.passed = 0
        """Pieces of the same answer's other texts that came since."""
        self.event = event
        self.holder = holder
        self.member = member


class RestoredStream:
    """Takes a client's stream as it would be without placeholders being put back, in any pieces."""

    __slots__ = ("_deltas", "_giving_up", "_held", "_json", "_placeholders", "_rest", "_waiting")

    def __init__(self, dialect: str, placeholders: Placeholders, *, json_texts: bool) -> None:
        """`dialect`: the client's; `json_texts`: it asked for JSON as the answer's text."""
        self._deltas = DELTAS[dialect]
        self._placeholders = placeholders
        self._json = json_members(json_texts)
        self._rest = bytearray()
        """The start of an event whose end has not come."""
        self._waiting: deque[_Event] = deque()
        self._held: dict[Key, _Held] = {}
        self._giving_up = False

    def feed(self, data: bytes) -> bytes:
        """What may go on to the client: whole events."""
        if self._giving_up:
            return data
        rest = self._rest
        ended = sse.ends(bytes(rest[-sse.PART_OF_END :]) + data)
        rest += data
        written: list[bytes] = []
        if ended:
            events, left = sse.split(bytes(rest))
            self._rest = bytearray(left)
            for event in events:
                self._take(event, written)
        if len(self._rest) > _LONGEST_EVENT:
            self._giving_up = True
            written.append(self.close())
        return b"".join(written)

    def close(self) -> bytes:
        """The rest, when nothing follows."""
        self._end(None)
        rest, self._rest = bytes(self._rest), bytearray()
        return b"".join([event.written() for event in self._take_all()]) + rest

    def _take(self, raw: bytes, written: list[bytes]) -> None:
        payload = sse.payload(raw)
        if not payload:
            written.append(raw)  # a comment has no place in the order
            return
        try:
            document = msgspec.json.decode(payload)
        except UNREADABLE:
            document = None  # as [DONE] is
        event = _Event(raw, document)
        if isinstance(document, dict):
            self._read(event, document)
        elif document is None:
            self._end(None)
        self._waiting.append(event)
        while self._waiting and not self._waiting[0].unsure:
            written.append(self._waiting.popleft().written())

    def _take_all(self) -> list[_Event]:
        events = list(self._waiting)
        self._waiting.clear()
        return events

    def _read(self, event: _Event, document: dict[str, Any]) -> None:
        pieces, ends = self._deltas(document, self._json)
        taken = [piece.holder[piece.member] for piece in pieces]
        if self._placeholders.within(event.raw):
            for piece in pieces:
                piece.holder[piece.member] = ""  # no whole text
            whole = _Whole(self._placeholders, self._json)
            try:
                event.document = whole.value(document, "")
            except RecursionError:
                return  # it goes on as it came
            event.changed = whole.any
            for piece, text in zip(pieces, taken, strict=True):
                piece.holder[piece.member] = text
        for piece, text in zip(pieces, taken, strict=True):
            if text:
                self._piece(event, piece, text)
        if ends is None or ends:
            self._end(ends)

    def _piece(self, event: _Event, piece: Delta, said: str) -> None:
        key = piece.key
        for other in [each for each in self._held if each[0] == key[0] and each != key]:
            held = self._held[other]
            held.passed += 1
            if held.passed > _MOST_PASSED:
                self._give_back(other)
        before = self._held.pop(key, None)
        text = said
        if before is not None:
            text = before.text + said
            before.event.unsure -= 1
        sure, unsure = self._placeholders.split(text, json=piece.json)
        if sure != said:
            piece.holder[piece.member] = sure
            event.changed = True
        if unsure:
            event.unsure += 1
            self._held[key] = _Held(unsure, event, piece.holder, piece.member)

    def _give_back(self, key: Key) -> None:
        """It was no placeholder, or not all of one."""
        held = self._held.pop(key)
        held.holder[held.member] += held.text
        held.event.changed = True
        held.event.unsure -= 1

    def _end(self, ends: tuple[object, ...] | None) -> None:
        """Of those texts nothing follows; None: of none."""
        for key in [each for each in self._held if ends is None or each[0] in ends]:
            self._give_back(key)
