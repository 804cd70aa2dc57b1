"""What was asked and answered, as the conventions want it told: `gen_ai.input.messages` and its kin, each a JSON text
(open-telemetry/semantic-conventions-genai, docs/gen-ai/gen-ai-output-messages.json and its neighbours, 2026-11-30).

Bodies are read as the gateway reads them to translate them. What that does not understand, and what is no text, is left
out and counted; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from twintrack.config.settings import DataClass
from twintrack.errors import BadRequest, UpstreamError
from twintrack.ledger.records import Content
from twintrack.wire import embeddings, hybrid, sse
from twintrack.wire.canonical.answer import Finish
from twintrack.wire.canonical.parts import Part, Refusal, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.request import Request
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.gathered import Gathered
from twintrack.wire.translators import client_side, provider_side

CLASSES: Final[tuple[DataClass, ...]] = ("public", "internal")
"""Of requests whose content may be told."""
INPUT_ONLY: Final = ("embeddings",)
"""Endpoints whose answers are no words."""
_DIALECT: Final = {"chat": "openai", "messages": "anthropic", "responses": "responses", hybrid.ENDPOINT.name: "openai"}
"""By endpoint: whose answers the client reads."""
_FINISHES: Final[dict[Finish, str]] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context": "length",
    "tool_calls": "tool_call",
    "content_filter": "content_filter",
    "refusal": "content_filter",
    "pause": "pause",
}
LOST: Final = 2
"""What is left out of a request that says nothing: what was asked and what was answered."""

_to_json = msgspec.json.Encoder().encode


def may_be_told(endpoint: str, data_class: str) -> bool:
    """Whether the content of a request may, on a route that wants it to be."""
    return data_class in CLASSES and (endpoint in _DIALECT or endpoint in INPUT_ONLY)


def attributes(content: Content) -> dict[str, str | int]:
    """Of the request's span. Takes some milliseconds for the longest there is."""
    told = _Told()
    told.request(content)
    if content.answer_bytes:
        told.answer(content)
    found: dict[str, str | int] = {"twintrack.content.left_out": told.left_out}
    if told.cut:
        found["twintrack.content.cut"] = " ".join(told.cut)
    for name, value in (
        ("gen_ai.system_instructions", told.system),
        ("gen_ai.input.messages", told.input),
        ("gen_ai.output.messages", told.output),
    ):
        if value:
            try:
                found[name] = _to_json(value).decode()
            except UnicodeEncodeError:  # half a character, which JSON can spell and UTF-8 cannot
                found["twintrack.content.left_out"] = told.left_out = told.left_out + 1
    return found


class _Told:
    def __init__(self) -> None:
        self.system: list[dict[str, Any]] = []
        self.input: list[dict[str, Any]] = []
        self.output: list[dict[str, Any]] = []
        self.cut: list[str] = []
        self.left_out = 0
        self._answers = 1
        """How many the client asked for."""

    def request(self, content: Content) -> None:
        if content.request_bytes > len(content.request):
            self.cut.append("request")
            self.left_out += 1
            return
        try:
            if content.endpoint in INPUT_ONLY:
                self._texts(embeddings.ENDPOINT.decoder.decode(content.request))
            else:
                self._conversation(client_side(content.endpoint).read_request(content.request, True)[0])
        except (BadRequest, *UNREADABLE):
            self.left_out += 1

    def answer(self, content: Content) -> None:
        self.left_out += self._answers - 1  # the first is told
        cut = content.answer_bytes > len(content.answer)
        if cut:
            self.cut.append("answer")
        side = provider_side(_DIALECT[content.endpoint])
        if not content.stream:
            try:
                answer = side.read_answer(content.answer)
            except (UpstreamError, *UNREADABLE):
                self.left_out += 1
            else:
                self._message(answer.parts, _FINISHES[answer.finish])
            return
        heard = Gathered()
        reader = side.read_stream(heard)
        try:
            for payload in sse.payloads(content.answer):
                reader.see(payload)
            if not cut:
                reader.close()
        except (UpstreamError, *UNREADABLE):
            self.left_out += 1
        else:
            self.left_out += cut
        reason = heard.finish_reason
        self._message(heard.parts, _FINISHES[reason] if reason else "error" if reader.failure else "unknown")

    def _message(self, parts: Iterable[Part], finish: str) -> None:
        if told := self._parts(parts):
            self.output.append({"role": "assistant", "parts": told, "finish_reason": finish})

    def _conversation(self, request: Request) -> None:
        self._answers = request.n
        self.system = self._parts(request.system)
        for turn in request.turns:
            told: dict[str, Any] = {"role": turn.role, "parts": self._parts(turn.parts)}
            if turn.name:
                told["name"] = turn.name
            if told["parts"]:
                self.input.append(told)

    def _texts(self, asked: Any) -> None:
        said = asked.input
        if isinstance(said, str):
            said = [said]
        elif said and isinstance(said[0], int):
            said = [said]  # one text, as tokens
        texts = [{"type": "text", "content": each} for each in said if isinstance(each, str)]
        self.left_out += len(said) - len(texts)
        if texts:
            self.input.append({"role": "user", "parts": texts})

    def _parts(self, parts: Iterable[Part]) -> list[dict[str, Any]]:
        told = []
        for part in parts:
            said = self._part(part)
            if said is None:
                self.left_out += 1
            else:
                told.append(said)
        return told

    def _part(self, part: Part) -> dict[str, Any] | None:
        if isinstance(part, Text):
            return {"type": "text", "content": part.text}
        if isinstance(part, Thinking):
            return {"type": "reasoning", "content": part.text} if part.text else None
        if isinstance(part, Refusal):
            return {"type": "refusal", "content": part.text}
        if isinstance(part, ToolCall):
            return {"type": "tool_call", "id": part.id, "name": part.name, "arguments": _arguments(part)}
        if isinstance(part, ToolResult):
            texts = [each.text for each in part.parts if isinstance(each, Text)]
            self.left_out += len(part.parts) - len(texts)
            return {"type": "tool_call_response", "id": part.id, "response": "\n".join(texts)}
        return None  # pictures, sound, files


def _arguments(call: ToolCall) -> Any:
    """As a value where they are JSON, else as they stand."""
    if call.custom:
        return call.arguments
    try:
        return msgspec.json.decode(call.arguments)
    except (*UNREADABLE, UnicodeEncodeError):
        return call.arguments
