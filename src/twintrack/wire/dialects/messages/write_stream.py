"""An answer to a client, event by event.

Blocks come one after the other. Two calls whose arguments come mixed are put in order: the later one waits until the
earlier one's JSON is complete.
"""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Finish, Reply
from twintrack.wire.canonical.parts import Citation, Logprob
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.messages.answer import UNSIGNED, StopDetailsOut, cited, reason_of, usage_out
from twintrack.wire.dialects.messages.write_conversation import fitting_id
from twintrack.wire.dialects.untaken import Untaken
from twintrack.wire.usage import NO_USAGE, Usage

_encode = msgspec.json.Encoder().encode
_NONE = ""
_TEXT = "text"
_THINKING = "thinking"
_CALL = "call"
_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_START = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":%b'
_EMPTY_TEXT = b'{"type":"text","text":""}'
_EMPTY_THINKING = b'{"type":"thinking","thinking":"","signature":""}'


class _Members(msgspec.Struct):
    """An object, whatever it holds."""


_OBJECT = msgspec.json.Decoder(_Members)


class _Call:
    __slots__ = ("id", "name", "pieces", "waiting")

    def __init__(self, id: str, name: str) -> None:
        self.id = id
        self.name = name
        self.pieces: list[str] = []
        self.waiting = True
        """Nothing of it was written."""


class MessagesSink(Untaken):
    __slots__ = (
        "_begun",
        "_call",
        "_calls",
        "_explanation",
        "_finish",
        "_index",
        "_kind",
        "_prefix",
        "_queue",
        "_reply",
        "_signed",
        "_stop_sequence",
        "_usage",
    )

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        super().__init__()
        """What was left to take at the end: anything told behind it is not written."""
        self._begun = False
        self._index = -1
        """Of the block last begun."""
        self._kind = _NONE
        """Of the block being written."""
        self._prefix = b""
        """What each of its deltas begins with."""
        self._signed = False
        self._calls: dict[int, _Call] = {}
        self._call: _Call | None = None
        """The one being written."""
        self._queue: list[_Call] = []
        """Calls that wait for it to be complete."""
        self._usage = NO_USAGE
        self._finish: Finish = "stop"
        self._stop_sequence = ""
        self._explanation = ""

    def begin(self, id: str, model: str, created: int) -> None:
        self._begun = True
        reply = self._reply
        self._out.append(
            (
                b'event: message_start\ndata: {"type":"message_start","message":{"id":%b,"type":"message",'
                b'"role":"assistant","model":%b,"content":[],"stop_reason":null,"stop_sequence":null,'
                b'"usage":{"input_tokens":%d,"output_tokens":0}}}\n\n'
            )
            % (_encode(id or reply.id), _encode(model or reply.request.model), self._usage.input_tokens or 0)
        )

    # ---- pieces

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None:
        if self._kind is not _TEXT:
            if not piece:
                return
            self._open(_TEXT, _EMPTY_TEXT, b'"text_delta","text":')
        self._out.append(b"%b%b}}\n\n" % (self._prefix, _encode(piece)))

    def thinking(self, piece: str) -> None:
        if not piece:
            return
        if self._kind is not _THINKING or self._signed:
            self._open(_THINKING, _EMPTY_THINKING, b'"thinking_delta","thinking":')
        self._out.append(b"%b%b}}\n\n" % (self._prefix, _encode(piece)))

    def signature(self, signature: str) -> None:
        if not signature:
            return
        if self._kind is not _THINKING or self._signed:
            self._open(_THINKING, _EMPTY_THINKING, b'"thinking_delta","thinking":')
        self._sign(signature)

    def _sign(self, signature: str) -> None:
        self._signed = True
        self._out.append((_DELTA + b',"signature":%b}}\n\n') % (self._index, b'"signature_delta"', _encode(signature)))

    def sealed(self, data: str, id: str) -> None:
        """The id is not kept: its provider can open what it sealed without one."""
        if data:
            self._open(_NONE, b'{"type":"redacted_thinking","data":%b}' % _encode(data), b"")
            self._out.append(_STOP % self._index)

    def refusal(self, piece: str) -> None:
        self._explanation += piece
        self.text(piece)

    def citation(self, citation: Citation) -> None:
        if not citation.url or self._kind is not _TEXT:
            return
        self._out.append((_DELTA + b',"citation":%b}}\n\n') % (self._index, b'"citations_delta"', cited(citation)))

    def call(self, call: int, id: str, name: str, custom: bool) -> None:
        new = self._calls[call] = _Call(fitting_id(id), name)
        if self._call is None or _complete(self._call):
            self._begin_call(new)
        else:
            self._queue.append(new)

    def arguments(self, call: int, piece: str) -> None:
        if not piece:
            return
        to = self._calls[call]
        to.pieces.append(piece)
        if to is self._call:
            self._out.append(b"%b%b}}\n\n" % (self._prefix, _encode(piece)))
            if self._queue and _complete(to):
                self._next_call()
        elif not to.waiting and piece.strip() and to.pieces != ["{}"]:  # which is what it says so far
            raise UpstreamError(f"The provider's stream adds to the call of {to.name[:80]} after its end")

    def boundary(self) -> None:
        if self._kind is _CALL and self._queue:
            self._next_call()
        else:
            self._close()

    # ---- blocks

    def _open(self, kind: str, block: bytes, delta: bytes) -> None:
        if not self._begun:
            self.begin("", "", 0)
        self._close_all()
        self._begin_block(kind, block, delta)

    def _begin_block(self, kind: str, block: bytes, delta: bytes) -> None:
        self._index += 1
        self._kind = kind
        self._signed = False
        self._prefix = _DELTA % (self._index, delta)
        self._out.append(_START % (self._index, block))

    def _close(self) -> None:
        """End the block being written."""
        if self._kind is _NONE:
            return
        if self._kind is _THINKING and not self._signed:
            self._sign(UNSIGNED)
        self._kind = _NONE
        self._call = None
        self._out.append(_STOP % self._index)

    def _close_all(self) -> None:
        """And the calls that wait."""
        self._close()
        while self._queue:
            self._next_call()
            self._close()

    def _begin_call(self, call: _Call) -> None:
        if not self._begun:
            self.begin("", "", 0)
        self._close()
        call.waiting = False
        block = b'{"type":"tool_use","id":%b,"name":%b,"input":{}}' % (_encode(call.id), _encode(call.name))
        self._begin_block(_CALL, block, b'"input_json_delta","partial_json":')
        self._call = call
        if call.pieces:
            self._out.append(b"%b%b}}\n\n" % (self._prefix, _encode("".join(call.pieces))))

    def _next_call(self) -> None:
        self._begin_call(self._queue.pop(0))
        while self._queue and self._call is not None and _complete(self._call):
            self._begin_call(self._queue.pop(0))

    # ---- the end

    def usage(self, usage: Usage) -> None:
        self._usage = usage

    def finish(self, reason: Finish, stop_sequence: str = "") -> None:
        self._finish = reason
        self._stop_sequence = stop_sequence

    def end(self) -> None:
        if self._last is not None:
            return
        if not self._begun:
            self.begin("", "", 0)
        self._close_all()
        reason = reason_of(self._finish, bool(self._calls), bool(self._explanation))
        details = b""
        if reason == "refusal":
            details = b',"stop_details":%b' % _encode(StopDetailsOut(None, self._explanation or None))
        self._out.append(
            (
                b'event: message_delta\ndata: {"type":"message_delta",'
                b'"delta":{"stop_reason":"%b","stop_sequence":%b%b},'
                b'"usage":%b}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n'
            )
            % (
                reason.encode(),
                _encode(self._stop_sequence or None),
                details,
                _encode(usage_out(self._usage)),
            )
        )
        self._last = b"".join(self._out)


def _complete(call: _Call) -> bool:
    try:
        _OBJECT.decode("".join(call.pieces))
    except (*UNREADABLE, UnicodeEncodeError):
        return False
    return True
