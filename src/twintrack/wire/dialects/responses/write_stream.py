"""A streamed answer as OpenAI's clients read it: every item begins, grows and ends by events of its own.

One message or one reasoning item is open at a time, and beside it any number of tool calls, since some providers send
their arguments in turns. The last event repeats the whole response; OpenAI sends no [DONE] behind it.
"""

from __future__ import annotations

from typing import Literal

from twintrack.wire.canonical import custom
from twintrack.wire.canonical.answer import Finish, Reply
from twintrack.wire.canonical.parts import Citation, Logprob, Thinking
from twintrack.wire.dialects.responses import response, shapes
from twintrack.wire.dialects.responses.annotations import URLCitation, write_annotation
from twintrack.wire.dialects.responses.response import Frame, Ids, Names, encode
from twintrack.wire.dialects.responses.write_answer import reasoning
from twintrack.wire.dialects.untaken import Untaken
from twintrack.wire.usage import NO_USAGE, Usage

_Open = Literal["", "text", "refusal", "message", "thinking"]
"""What grows: a part of a message, a message between two parts, or a reasoning item."""


class _Call:
    __slots__ = ("closed", "custom", "id", "index", "item_id", "name", "namespace", "pieces", "prefix", "wrapped")

    def __init__(self, index: int, item_id: str, id: str, name: str, namespace: str | None) -> None:
        self.index = index
        self.item_id = item_id
        self.id = id
        self.name = name
        self.namespace = namespace
        self.custom = False
        self.wrapped = False
        """Its arguments are JSON around the text the client's tool takes."""
        self.closed = False
        self.pieces: list[str] = []
        self.prefix = b""

    def item(self, status: str, text: str) -> bytes:
        if self.custom:
            return encode(response.CustomCall(self.item_id, status, self.id, self.name, text, self.namespace))
        return encode(response.FunctionCall(self.item_id, status, self.id, self.name, text, self.namespace))


class ResponsesSink(Untaken):
    __slots__ = (
        "_annotations",
        "_calls",
        "_content",
        "_cut",
        "_finish",
        "_frame",
        "_id",
        "_ids",
        "_index",
        "_last_call",
        "_logprobs",
        "_names",
        "_open",
        "_output",
        "_pieces",
        "_prefix",
        "_refused",
        "_reply",
        "_sealed",
        "_sequence",
        "_signature",
        "_usage",
    )

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._frame: Frame | None = None
        self._ids = Ids(reply)
        self._names = Names(reply.request)
        self._sealed = reply.request.sealed_reasoning
        super().__init__()
        """What was left to take at the end: anything told behind it is not written."""
        self._sequence = -1
        self._output: list[bytes] = []
        """JSON of the items as they ended, in their order."""
        self._open: _Open = ""
        self._id = ""
        """Of the open item."""
        self._index = 0
        """Its place in the output."""
        self._prefix = b""
        """Of the events with its pieces."""
        self._pieces: list[str] = []
        self._logprobs: list[response.TokenLogprob] = []
        self._annotations: list[URLCitation] = []
        self._content: list[response.OutputText | response.Refusal] = []
        self._signature = ""
        self._calls: list[_Call] = []
        self._last_call: _Call | None = None
        """If nothing has begun behind it."""
        self._refused = False
        self._usage: Usage = NO_USAGE
        self._finish: Finish = "stop"
        self._cut = ""

    def begin(self, id: str, model: str, created: int) -> None:
        self._frame = Frame(self._reply, id, model, created)
        begun = self._frame.begun()
        self._tell(b"response.created", b'"response":%b' % begun)
        self._tell(b"response.in_progress", b'"response":%b' % begun)

    # ---- text and refusals

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None:
        if self._open == "text" and not logprobs:
            self._pieces.append(piece)
            self._sequence = sequence = self._sequence + 1
            self._out.append(b'%b%b,"logprobs":[],"sequence_number":%d}\n\n' % (self._prefix, encode(piece), sequence))
            return
        if not piece and not logprobs:
            return
        if self._open != "text":
            self._begin_part("text")
        self._pieces.append(piece)
        found = response.logprobs(logprobs)
        self._logprobs += found
        self._sequence += 1
        self._out.append(
            b'%b%b,"logprobs":%b,"sequence_number":%d}\n\n'
            % (self._prefix, encode(piece), encode(found), self._sequence)
        )

    def citation(self, citation: Citation) -> None:
        if self._open != "text":
            return
        written = write_annotation(citation, sum(map(len, self._pieces)))
        if written is None:
            return
        self._tell(
            b"response.output_text.annotation.added",
            b'"item_id":"%b","output_index":%d,"content_index":%d,"annotation_index":%d,"annotation":%b'
            % (
                self._id.encode(),
                self._index,
                len(self._content),
                len(self._annotations),
                encode(written),
            ),
        )
        self._annotations.append(written)

    def refusal(self, piece: str) -> None:
        if not piece:
            return
        if self._open != "refusal":
            self._begin_part("refusal")
            self._refused = True
        self._pieces.append(piece)
        self._sequence += 1
        self._out.append(b'%b%b,"sequence_number":%d}\n\n' % (self._prefix, encode(piece), self._sequence))

    def _begin_part(self, kind: Literal["text", "refusal"]) -> None:
        if self._open == "thinking" or self._open == "":
            self._begin_item(self._ids.message)
            message = response.Message(self._id, "in_progress", [])
            self._tell(b"response.output_item.added", b'"output_index":%d,"item":%b' % (self._index, encode(message)))
        else:
            self._end_part()
        self._open = kind
        self._pieces = []
        if kind == "text":
            empty, event = encode(response.OutputText("", [], [])), b"output_text"
            self._logprobs = []
            self._annotations = []
        else:
            empty, event = encode(response.Refusal("")), b"refusal"
        where = self._where()
        self._tell(b"response.content_part.added", b'%b,"part":%b' % (where, empty))
        self._prefix = b'event: response.%b.delta\ndata: {"type":"response.%b.delta",%b,"delta":' % (
            event,
            event,
            where,
        )

    def _where(self) -> bytes:
        return b'"item_id":"%b","output_index":%d,"content_index":%d' % (
            self._id.encode(),
            self._index,
            len(self._content),
        )

    def _end_part(self) -> None:
        """The message stays open."""
        if self._open not in ("text", "refusal"):
            return
        where = self._where()
        said = "".join(self._pieces)
        part: response.OutputText | response.Refusal
        if self._open == "text":
            part = response.OutputText(said, self._annotations, self._logprobs)
            done = b'%b,"text":%b,"logprobs":%b' % (where, encode(said), encode(self._logprobs))
            self._tell(b"response.output_text.done", done)
        else:
            part = response.Refusal(said)
            self._tell(b"response.refusal.done", b'%b,"refusal":%b' % (where, encode(said)))
        self._tell(b"response.content_part.done", b'%b,"part":%b' % (where, encode(part)))
        self._content.append(part)
        self._open = "message"

    # ---- thinking

    def thinking(self, piece: str) -> None:
        if not piece:
            return
        if self._open != "thinking" or self._signature:
            self._begin_reasoning()
        if not self._pieces:
            where = b'"item_id":"%b","output_index":%d,"summary_index":0' % (self._id.encode(), self._index)
            empty = encode(shapes.SummaryText(""))
            self._tell(b"response.reasoning_summary_part.added", b'%b,"part":%b' % (where, empty))
            event = b"response.reasoning_summary_text.delta"
            self._prefix = b'event: %b\ndata: {"type":"%b",%b,"delta":' % (event, event, where)
        self._pieces.append(piece)
        self._sequence += 1
        self._out.append(b'%b%b,"sequence_number":%d}\n\n' % (self._prefix, encode(piece), self._sequence))

    def signature(self, signature: str) -> None:
        if self._open != "thinking" or self._signature:
            self._begin_reasoning()
        self._signature = signature

    def sealed(self, data: str, id: str) -> None:
        self._end_item()
        thinking = Thinking(sealed=data, id=id)
        item = reasoning(thinking, [], self._ids.reasoning(len(self._output)), self._sealed)
        self._add(item)

    def _add(self, item: response.Reasoning) -> None:
        """A whole item."""
        index = len(self._output)
        begun = response.Reasoning(item.id, "in_progress", [])
        self._last_call = None
        self._tell(b"response.output_item.added", b'"output_index":%d,"item":%b' % (index, encode(begun)))
        self._output.append(encode(item))
        self._tell(b"response.output_item.done", b'"output_index":%d,"item":%b' % (index, self._output[index]))

    def _begin_reasoning(self) -> None:
        self._begin_item(self._ids.reasoning)
        self._open = "thinking"
        self._pieces = []
        self._signature = ""
        begun = response.Reasoning(self._id, "in_progress", [])
        self._tell(b"response.output_item.added", b'"output_index":%d,"item":%b' % (self._index, encode(begun)))

    def _end_reasoning(self, status: str) -> None:
        text = "".join(self._pieces)
        summary = []
        if self._pieces:
            where = b'"item_id":"%b","output_index":%d,"summary_index":0' % (self._id.encode(), self._index)
            summary = [shapes.SummaryText(text)]
            self._tell(b"response.reasoning_summary_text.done", b'%b,"text":%b' % (where, encode(text)))
            self._tell(b"response.reasoning_summary_part.done", b'%b,"part":%b' % (where, encode(summary[0])))
        item = reasoning(Thinking(text, self._signature), summary, self._id, self._sealed)
        item.status = status
        self._end(self._index, encode(item))

    # ---- tool calls

    def call(self, call: int, id: str, name: str, custom: bool) -> None:
        self._end_item()
        index = len(self._output)
        own_name, namespace = self._names.split(name)
        is_custom = custom or self._names.is_custom(name)
        item_id = self._ids.custom_call(index) if is_custom else self._ids.function_call(index)
        begun = _Call(index, item_id, id, own_name, namespace)
        begun.custom = is_custom
        begun.wrapped = is_custom and not custom
        event = b"custom_tool_call_input" if is_custom else b"function_call_arguments"
        begun.prefix = (
            b'event: response.%b.delta\ndata: {"type":"response.%b.delta","item_id":"%b","output_index":%d,"delta":'
            % (event, event, item_id.encode(), index)
        )
        self._calls.append(begun)
        self._last_call = begun
        self._output.append(b"")
        item = begun.item("in_progress", "")
        self._tell(b"response.output_item.added", b'"output_index":%d,"item":%b' % (index, item))

    def arguments(self, call: int, piece: str) -> None:
        begun = self._calls[call]
        begun.pieces.append(piece)
        if not begun.wrapped:
            self._sequence += 1
            self._out.append(b'%b%b,"sequence_number":%d}\n\n' % (begun.prefix, encode(piece), self._sequence))

    def _end_call(self, call: _Call, status: str) -> None:
        call.closed = True
        text = "".join(call.pieces)
        if call.wrapped:
            text = custom.unwrapped(text)
        elif not text and not call.custom:
            text = "{}"
        if call.wrapped or not call.pieces:
            self._sequence += 1
            self._out.append(b'%b%b,"sequence_number":%d}\n\n' % (call.prefix, encode(text), self._sequence))
        where = b'"item_id":"%b","output_index":%d' % (call.item_id.encode(), call.index)
        if call.custom:
            self._tell(b"response.custom_tool_call_input.done", b'%b,"input":%b' % (where, encode(text)))
        else:
            self._tell(b"response.function_call_arguments.done", b'%b,"arguments":%b' % (where, encode(text)))
        self._end(call.index, call.item(status, text))

    # ---- items

    def boundary(self) -> None:
        if self._open == "thinking":
            self._end_item()
        elif self._open:
            self._end_part()
        elif self._last_call is not None and not self._last_call.closed and self._last_call.pieces:
            self._end_call(self._last_call, "completed")

    def _begin_item(self, name: object) -> None:
        self._end_item()
        self._index = len(self._output)
        self._id = name(self._index)  # type: ignore[operator]  # one of `Ids`
        self._output.append(b"")
        self._content = []
        self._last_call = None

    def _end_item(self, status: str = "completed") -> None:
        """The message or reasoning that is open; calls stay."""
        if self._open == "thinking":
            self._end_reasoning(status)
        elif self._open:
            self._end_part()
            self._end(self._index, encode(response.Message(self._id, status, self._content)))
        self._open = ""

    def _end(self, index: int, item: bytes) -> None:
        self._output[index] = item
        self._tell(b"response.output_item.done", b'"output_index":%d,"item":%b' % (index, item))

    # ---- the end

    def usage(self, usage: Usage) -> None:
        self._usage = usage

    def finish(self, reason: Finish, stop_sequence: str = "") -> None:
        self._cut = response.cut_short(reason, self._refused)
        last = len(self._output) - 1
        for call in self._calls:
            if not call.closed:
                self._end_call(call, "incomplete" if self._cut and call.index == last else "completed")
        self._end_item("incomplete" if self._cut else "completed")

    def end(self) -> None:
        assert self._frame is not None
        if self._last is not None:
            return
        event = b"response.incomplete" if self._cut else b"response.completed"
        self._tell(event, b'"response":%b' % self._frame.ended(self._cut, self._output, self._usage, ""))
        self._last = b"".join(self._out)

    def _tell(self, event: bytes, members: bytes) -> None:
        self._sequence += 1
        self._out.append(
            b'event: %b\ndata: {"type":"%b",%b,"sequence_number":%d}\n\n' % (event, event, members, self._sequence)
        )
