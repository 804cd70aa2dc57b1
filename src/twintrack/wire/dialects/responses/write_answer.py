"""The canonical form to a response as OpenAI's clients read it."""

from __future__ import annotations

from twintrack.wire.canonical import custom
from twintrack.wire.canonical.answer import Answer, Reply
from twintrack.wire.canonical.parts import Refusal, Text, Thinking, ToolCall
from twintrack.wire.dialects.responses import response, shapes
from twintrack.wire.dialects.responses.annotations import URLCitation, write_annotation
from twintrack.wire.dialects.responses.response import Frame, Ids, Item, Names
from twintrack.wire.dialects.responses.sealing import own_token, seal


def write_answer(answer: Answer, reply: Reply) -> bytes:
    refused = any(isinstance(part, Refusal) for part in answer.parts)
    reason = response.cut_short(answer.finish, refused)
    items = _Items(reply)
    for part in answer.parts:
        items.add(part)
    if reason and items.all:
        items.all[-1].status = "incomplete"
    frame = Frame(reply, answer.id, answer.model, answer.created)
    output = [response.encode(item) for item in items.all]
    return frame.ended(reason, output, answer.usage, answer.service_tier)


class _Items:
    __slots__ = ("_ids", "_names", "_sealed", "_signature", "all")

    def __init__(self, reply: Reply) -> None:
        self._ids = Ids(reply)
        self._names = Names(reply.request)
        self._sealed = reply.request.sealed_reasoning
        self._signature = ""
        """Of the part before."""
        self.all: list[Item] = []

    def add(self, part: object) -> None:
        at = len(self.all)
        if isinstance(part, Text):
            self._say(response.OutputText(part.text, _annotations(part), response.logprobs(part.logprobs)))
        elif isinstance(part, Refusal):
            self._say(response.Refusal(part.text))
        elif isinstance(part, Thinking):
            summary = [shapes.SummaryText(part.text)] if part.text else []
            self.all.append(reasoning(part, summary, self._ids.reasoning(at), self._sealed))
        elif isinstance(part, ToolCall):
            if part.signature and part.signature != self._signature:
                self.add(Thinking("", part.signature))
                at += 1
            self.all.append(self._call(part, at))
        self._signature = part.signature if isinstance(part, Thinking) else ""

    def _say(self, content: response.OutputText | response.Refusal) -> None:
        last = self.all[-1] if self.all else None
        if not isinstance(last, response.Message):
            last = response.Message(self._ids.message(len(self.all)), "completed", [])
            self.all.append(last)
        last.content.append(content)

    def _call(self, call: ToolCall, at: int) -> Item:
        name, namespace = self._names.split(call.name)
        if call.custom or self._names.is_custom(call.name):
            text = call.arguments if call.custom else custom.unwrapped(call.arguments)
            return response.CustomCall(self._ids.custom_call(at), "completed", call.id, name, text, namespace)
        arguments = call.arguments or "{}"
        return response.FunctionCall(self._ids.function_call(at), "completed", call.id, name, arguments, namespace)


def reasoning(thinking: Thinking, summary: list[shapes.SummaryText], id: str, sealed: bool) -> response.Reasoning:
    """`sealed`: the client keeps `encrypted_content`. What it needs to send back is there whether it does or not."""
    content = seal(thinking) if sealed or thinking.signature or thinking.sealed else None
    if thinking.id and own_token(thinking.sealed):
        id = thinking.id
    return response.Reasoning(id, "completed", summary, content)


def _annotations(text: Text) -> list[URLCitation]:
    length = len(text.text)
    written = [write_annotation(citation, length) for citation in text.citations]
    return [each for each in written if each is not None]
