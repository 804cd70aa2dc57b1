"""A whole answer, from a provider and to a client."""

from __future__ import annotations

from typing import Final

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer, Finish, Reply
from twintrack.wire.canonical.parts import Citation, Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.messages.citations import WebLocation, as_location, read_citation
from twintrack.wire.dialects.messages.write_conversation import fitting_id
from twintrack.wire.reported.anthropic import AnthropicUsage, anthropic_usage, as_anthropic
from twintrack.wire.usage import Odd, Usage

FINISHES: Final[dict[str, Finish]] = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "refusal": "refusal",
    "model_context_window_exceeded": "context",
    "compaction": "stop",
}
_REASONS: Final[dict[Finish, str]] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "context": "model_context_window_exceeded",
}
_CUT: Final = ("length", "context", "content_filter", "refusal")
"""Ends that come in the middle, where the arguments of a call may not be complete."""
UNSIGNED: Final = marked("", "", "")
"""The signature of thinking that has none: the dialect wants one, and Anthropic must see that it is not its own."""


def signature_of(said: str | None) -> str:
    """Empty for a gateway's own word that there is none: it may be the provider."""
    return "" if said is None or said == UNSIGNED else said


def finish_of(reason: str, called: bool) -> Finish:
    """The vendor may add reasons; one we do not know is an end like any other."""
    return FINISHES.get(reason) or ("tool_calls" if called else "stop")


def reason_of(finish: Finish, called: bool, refused: bool) -> str:
    """Clients look for tool_use where there are calls; some servers say that they just stopped."""
    if finish == "stop":
        return "refusal" if refused else "tool_use" if called else "end_turn"
    return _REASONS[finish]


# ---- from a provider


class _Block(msgspec.Struct, gc=False):
    """Any block: of those that are not read, the type is."""

    type: str
    text: str | None = None
    citations: list[msgspec.Raw] | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class StopDetails(msgspec.Struct, gc=False):
    explanation: str | None = None


class Tier(msgspec.Struct, gc=False):
    service_tier: str | None = None


class _Message(msgspec.Struct, gc=False):
    content: list[_Block]
    stop_reason: str | None
    id: str | None = None
    model: str | None = None
    stop_sequence: str | None = None
    stop_details: StopDetails | None = None
    usage: AnthropicUsage | Odd = None


class _Served(msgspec.Struct, gc=False):
    usage: Tier | None = None


_MESSAGE = msgspec.json.Decoder(_Message)
_SERVED = msgspec.json.Decoder(_Served)


class _Members(msgspec.Struct):
    """An object, whatever it holds."""


_OBJECT = msgspec.json.Decoder(_Members)


def read_answer(body: bytes) -> Answer:
    try:
        said = _MESSAGE.decode(body)
        parts = _read_parts(said.content)
    except msgspec.ValidationError as error:
        raise UpstreamError("The provider's answer is no message", why=str(error)) from None
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not JSON", why=str(error)) from None
    if said.stop_reason is None:
        raise UpstreamError("The provider's answer is not complete", why="it gives no stop_reason")
    if said.stop_details is not None and said.stop_details.explanation:
        parts.append(Refusal(said.stop_details.explanation))
    return Answer(
        id=said.id or "",
        model=said.model or "",
        parts=tuple(parts),
        finish=finish_of(said.stop_reason, any(isinstance(part, ToolCall) for part in parts)),
        stop_sequence=said.stop_sequence or "",
        usage=anthropic_usage(said.usage),
        service_tier=_tier(body) if b'"service_tier"' in body else "",
    )


def _tier(body: bytes) -> str:
    try:
        usage = _SERVED.decode(body).usage
    except UNREADABLE:
        return ""
    return "" if usage is None or usage.service_tier is None else usage.service_tier


def _read_parts(content: list[_Block]) -> list[Part]:
    """What the provider's own tools were asked and gave is left out; the text goes on without it."""
    parts: list[Part] = []
    for block in content:
        kind = block.type
        if kind == "text":
            if block.text:
                citations = tuple(read_citation(raw, 0, len(block.text)) for raw in block.citations or ())
                parts.append(Text(block.text, citations=citations))
        elif kind == "tool_use":
            _OBJECT.decode(block.input)
            parts.append(ToolCall(block.id or "", block.name or "", bytes(block.input).decode()))
        elif kind == "thinking":
            signature = signature_of(block.signature)
            if block.thinking or signature:
                parts.append(Thinking(block.thinking or "", signature))
        elif kind == "redacted_thinking" and block.data:
            parts.append(Thinking(sealed=block.data))
    return parts


# ---- to a client


class _TextOut(msgspec.Struct, tag_field="type", tag="text", omit_defaults=True, gc=False):
    text: str
    citations: list[WebLocation] | None = None


class _ThinkingOut(msgspec.Struct, tag_field="type", tag="thinking", gc=False):
    thinking: str
    signature: str


class _SealedOut(msgspec.Struct, tag_field="type", tag="redacted_thinking", gc=False):
    data: str


class _CallOut(msgspec.Struct, tag_field="type", tag="tool_use", gc=False):
    id: str
    name: str
    input: msgspec.Raw


class StopDetailsOut(msgspec.Struct, tag_field="type", tag="refusal", gc=False):
    category: str | None
    explanation: str | None


_Out = _TextOut | _ThinkingOut | _SealedOut | _CallOut


class _MessageOut(msgspec.Struct, tag_field="type", tag="message", omit_defaults=True, gc=False):
    id: str
    role: str
    model: str
    content: list[_Out]
    stop_reason: str
    stop_sequence: str | None
    usage: AnthropicUsage
    stop_details: StopDetailsOut | None = None


_ENCODER = msgspec.json.Encoder()


def write_answer(answer: Answer, reply: Reply) -> bytes:
    """Raises UpstreamError if arguments of a complete call are no JSON object, since the dialect has them as one."""
    content: list[_Out] = []
    refusals: list[str] = []
    called = False
    for part in answer.parts:
        if isinstance(part, Text):
            if part.text:
                locations = [as_location(citation, part.text) for citation in part.citations if citation.url]
                content.append(_TextOut(part.text, locations or None))
        elif isinstance(part, ToolCall):
            arguments = _object(part, answer.finish in _CUT)
            if arguments is not None:
                called = True
                content.append(_CallOut(fitting_id(part.id), part.name, arguments))
        elif isinstance(part, Thinking):
            if part.text or part.signature:
                content.append(_ThinkingOut(part.text, part.signature or UNSIGNED))
            if part.sealed:
                content.append(_SealedOut(part.sealed))
        elif isinstance(part, Refusal):
            refusals.append(part.text)
            content.append(_TextOut(part.text))
    reason = reason_of(answer.finish, called, bool(refusals))
    return _ENCODER.encode(
        _MessageOut(
            answer.id or reply.id,
            "assistant",
            answer.model or reply.request.model,
            content,
            reason,
            answer.stop_sequence or None,
            usage_out(answer.usage),
            StopDetailsOut(None, "\n".join(refusals) or None) if reason == "refusal" else None,
        )
    )


def _object(call: ToolCall, cut: bool) -> msgspec.Raw | None:
    """None: the answer ended in the middle of the arguments, so nobody can use the call."""
    text = call.arguments.encode("utf-8", "surrogatepass")
    if not text.strip():
        return msgspec.Raw(b"{}")
    try:
        _OBJECT.decode(text)
    except UNREADABLE as error:
        if cut:
            return None
        raise UpstreamError(
            f"The provider's call of {call.name[:80]} has arguments that are no JSON object", why=str(error)
        ) from None
    return msgspec.Raw(text)


def usage_out(usage: Usage) -> AnthropicUsage:
    """Both counts must be there; where the provider said none, they are 0."""
    return as_anthropic(usage) or AnthropicUsage(usage.input_tokens or 0, usage.output_tokens or 0)


def cited(citation: Citation) -> bytes:
    """As an event has it."""
    return _ENCODER.encode(as_location(citation))
