"""A provider's chat completion to the canonical form."""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer
from twintrack.wire.canonical.parts import Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.chat import said
from twintrack.wire.usage import NO_USAGE

_COMPLETION = msgspec.json.Decoder(said.Completion)


def read_answer(body: bytes) -> Answer:
    try:
        completion = _COMPLETION.decode(body)
    except msgspec.ValidationError as error:
        raise UpstreamError("The provider's answer is no chat completion", why=str(error)) from None
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not JSON", why=str(error)) from None
    if completion.error is not None:
        raise UpstreamError("The provider answered with an error", why=said.failure_of(completion.error))
    for choice in completion.choices or ():
        if not choice.index:
            break
    else:
        raise UpstreamError("The provider's answer is no chat completion", why="it has no choice")
    if not choice.finish_reason:
        raise UpstreamError("The provider's answer is not complete", why="it has no finish reason")
    answer_id = completion.id or ""
    parts = _parts(choice, answer_id, completion.model or "")
    kinds = [type(part) for part in parts]
    return Answer(
        id=answer_id,
        model=completion.model or "",
        created=int(completion.created or 0),
        parts=parts,
        finish=said.finish_of(choice.finish_reason, ToolCall in kinds, Refusal in kinds),
        usage=said.usage_of(completion) or NO_USAGE,
        service_tier=completion.service_tier or "",
    )


def _parts(choice: said.Choice, answer_id: str, model: str) -> tuple[Part, ...]:
    message = choice.message
    content = message.content
    thinking = message.reasoning_content or message.reasoning or ""
    if isinstance(content, list):
        beside, content = said.texts_of(content)
        thinking = thinking or beside
    parts: list[Part] = []
    if thinking:
        parts.append(Thinking(thinking))
    if content:
        citations = said.citations_of(message.annotations) if message.annotations else ()
        parts.append(Text(content, citations=citations, logprobs=said.logprobs_of(choice.logprobs)))
    if message.refusal:
        parts.append(Refusal(message.refusal))
    if message.tool_calls:
        for number, called in enumerate(message.tool_calls):
            call = _call(called, answer_id, number, model)
            if call.signature:  # also where every dialect has a place for it: in front of the call
                parts.append(Thinking("", call.signature))
            parts.append(call)
    elif message.function_call is not None and message.function_call.name:
        arguments = said.arguments_of(message.function_call.arguments) or "{}"
        parts.append(ToolCall(said.call_id(answer_id, 0), message.function_call.name, arguments))
    return tuple(parts)


def _call(call: said.Call, answer_id: str, number: int, model: str) -> ToolCall:
    id_ = call.id or said.call_id(answer_id, number)
    signature = said.signature_of(call, model)
    if call.custom is not None and call.custom.name:
        return ToolCall(id_, call.custom.name, call.custom.input or "", custom=True, signature=signature)
    if call.function is None or not call.function.name:
        raise UpstreamError("The provider's answer calls a tool without a name")
    return ToolCall(id_, call.function.name, said.arguments_of(call.function.arguments) or "{}", signature=signature)
