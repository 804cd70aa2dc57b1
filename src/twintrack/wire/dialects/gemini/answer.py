"""What generateContent answers, and the parts of it that a stream has as well."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Raw

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer, Finish
from twintrack.wire.canonical.parts import Citation, Logprob, Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.gemini.shapes import (
    TIER,
    USAGE,
    Called,
    Candidate,
    Failure,
    GroundingMetadata,
    LogprobsResult,
    PromptFeedback,
    Said,
    Token,
    Whole,
)
from twintrack.wire.reported.gemini import gemini_usage
from twintrack.wire.usage import NO_USAGE, Usage

_WHOLE = msgspec.json.Decoder(Whole)

_FINISHES: Final[dict[str, Finish]] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",  # could be gone on with by a token that no other dialect has a place for
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "PUP_LIMITED_DISABLED": "content_filter",
}
"""Every other reason is a failure of the model or the service: what it wrote is no answer."""

_TIERS: Final = {
    "standard": "default",
    "flex": "flex",
    "priority": "priority",
    "ON_DEMAND": "default",
    "ON_DEMAND_FLEX": "flex",
    "ON_DEMAND_PRIORITY": "priority",
}


def read_answer(body: bytes) -> Answer:
    try:
        whole = _WHOLE.decode(body)
        usage, tier = read_usage(whole.usage_metadata), read_tier(whole.usage_metadata)
        created = unix_time(whole.create_time)
        if whole.error is not None:
            raise UpstreamError("The provider answered with an error", why=failure(whole.error))
        if whole.candidates:
            parts, finish = _read(whole.candidates[0], whole.model_version or "", whole.response_id or "")
        elif blocked(whole.prompt_feedback):
            words = block(whole.prompt_feedback)
            parts, finish = (Refusal(words),) if words else (), "content_filter"
        else:
            raise UpstreamError("The provider's answer has no candidate")
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not of generateContent", why=str(error)) from None
    return Answer(
        id=whole.response_id or "",
        model=whole.model_version or "",
        created=created,
        parts=parts,
        finish=finish,
        usage=usage,
        service_tier=tier,
    )


def _read(candidate: Candidate, model: str, response_id: str) -> tuple[tuple[Part, ...], Finish]:
    if candidate.finish_reason is None:
        raise UpstreamError("The provider's answer is not complete", why="it gives no reason for its end")
    finish = finish_of(candidate.finish_reason)
    if finish is None:
        raise UpstreamError("The model failed", why=reason(candidate))
    parts: list[Part] = []
    calls = 0
    for said in (candidate.content or Said()).parts or ():
        called = said.function_call
        if called is not None:
            signature = marked("gemini", model, said.thought_signature) if said.thought_signature else ""
            if signature:  # also where every dialect has a place for it: in front of the call
                _add_signature(parts, signature)
            parts.append(
                ToolCall(call_id(called, response_id, calls), called.name, arguments(called), False, "", signature)
            )
            calls += 1
        elif said.text is not None:
            _add_text(parts, said.text, said.thought is True)
            if said.thought is True and said.thought_signature:
                _add_signature(parts, marked("gemini", model, said.thought_signature))
        else:
            refuse_media(said.inline_data, said.file_data)
    _annotate(parts, candidate)
    return tuple(parts), "tool_calls" if calls and finish == "stop" else finish


def _add_text(parts: list[Part], text: str, thought: bool) -> None:
    if not text:
        return
    last = parts[-1] if parts else None
    if thought:
        if isinstance(last, Thinking) and not last.signature:
            parts[-1] = Thinking(last.text + text)
        else:
            parts.append(Thinking(text))
    elif isinstance(last, Text):
        parts[-1] = Text(last.text + text)
    else:
        parts.append(Text(text))


def _add_signature(parts: list[Part], signature: str) -> None:
    last = parts[-1] if parts else None
    if isinstance(last, Thinking) and not last.signature:
        parts[-1] = Thinking(last.text, signature)
    else:
        parts.append(Thinking("", signature))


def _annotate(parts: list[Part], candidate: Candidate) -> None:
    """Sources and probabilities, which Gemini says of the whole answer, to its text."""
    found = [at for at, part in enumerate(parts) if isinstance(part, Text)]
    if not found:
        return
    at = found[-1]
    text = parts[at]
    assert isinstance(text, Text)
    parts[at] = Text(
        text.text,
        "",
        tuple(citations(candidate, text.text if len(found) == 1 else "")),
        tuple(logprobs(candidate.logprobs_result)),
    )


# ---- what streams have too


def finish_of(reason: str) -> Finish | None:
    """None: what was written is no answer."""
    return _FINISHES.get(reason)


def reason(candidate: Candidate) -> str:
    """Its word only: the message beside it may hold the prompt."""
    return (candidate.finish_reason or "")[:60]


def failure(error: Failure) -> str:
    """An error in few words: its status. Its message may hold the prompt."""
    return f"error event ({error.status[:60]})" if error.status else "error event"


def blocked(feedback: PromptFeedback | None) -> bool:
    return feedback is not None and bool(feedback.block_reason)


def block(feedback: PromptFeedback | None) -> str:
    """What the service says about a prompt that it did not let the model see; often nothing."""
    return (feedback.block_reason_message or "") if feedback is not None else ""


def call_id(called: Called, response_id: str, call: int) -> str:
    """Models before 3.5 name no id; results need one to refer to."""
    if called.id:
        return called.id
    seed = response_id.encode() or b"%b %b" % (called.name.encode(), bytes(called.args))
    return f"call_{hashlib.sha256(seed).hexdigest()[:20]}_{call}"


def arguments(called: Called) -> str:
    """Raises UpstreamError."""
    if called.partial_args is not None or called.will_continue:
        raise UpstreamError("The provider sends a call's arguments in pieces, which nobody asked for")
    args = bytes(called.args)
    if not args or args == b"null":
        return "{}"
    if not args.startswith(b"{"):
        raise UpstreamError("The arguments of a tool call are no object")
    try:
        return msgspec.json.format(args, indent=-1).decode()
    except UNREADABLE as error:
        raise UpstreamError("The arguments of a tool call cannot be read", why=str(error)) from None


def refuse_media(inline: object, file: object) -> None:
    """Raises UpstreamError: a picture, a sound or a file in the answer would be lost."""
    if inline is not None or file is not None:
        raise UpstreamError("The model answered with an image, a sound or a file", why="only text was asked for")


def read_usage(said: Raw) -> Usage:
    """Raises msgspec.DecodeError."""
    return gemini_usage(USAGE.decode(said)) if said else NO_USAGE


def read_tier(said: Raw) -> str:
    try:
        tier = TIER.decode(said) if said else None
    except msgspec.ValidationError:
        tier = None
    if tier is None:
        return ""
    word = tier.service_tier or tier.traffic_type or ""
    return _TIERS.get(word, word.lower())


def unix_time(text: str | None) -> int:
    """Of a timestamp as 2026-11-20T10:15:30.123456789Z; 0 where there is none."""
    try:
        return int(datetime.fromisoformat(f"{(text or '')[:19]}+00:00").timestamp())
    except ValueError:
        return 0


def logprobs(result: LogprobsResult | None) -> Iterator[Logprob]:
    if result is None:
        return
    tops = result.top_candidates or []
    for at, chosen in enumerate(result.chosen_candidates or ()):
        top = tops[at].candidates if at < len(tops) else None
        yield Logprob(chosen.token, chosen.log_probability, None, tuple(map(_top, top or ())))


def _top(token: Token) -> Logprob:
    return Logprob(token.token, token.log_probability)


def citations(candidate: Candidate, text: str) -> Iterator[Citation]:
    """`text`: what the positions count in, if it is at hand; else they are left out."""
    data = text.encode()
    metadata = candidate.citation_metadata
    if metadata is not None:
        for source in metadata.citations or metadata.citation_sources or ():
            start, end = _characters(data, source.start_index, source.end_index)
            yield Citation(source.uri or "", source.title or "", "", start, end)
    if candidate.grounding_metadata is not None:
        yield from _grounded(candidate.grounding_metadata, data)


def _grounded(metadata: GroundingMetadata, data: bytes) -> Iterator[Citation]:
    chunks = metadata.grounding_chunks or []
    for support in metadata.grounding_supports or ():
        segment = support.segment
        if segment is None:
            continue
        start, end = (-1, -1) if segment.part_index else _characters(data, segment.start_index, segment.end_index)
        for index in support.grounding_chunk_indices or ():
            if 0 <= index < len(chunks):
                chunk = chunks[index]
                place = chunk.web or chunk.retrieved_context or chunk.maps
                if place is not None:
                    yield Citation(place.uri or "", place.title or "", segment.text or "", start, end)


def _characters(data: bytes, start: int | None, end: int | None) -> tuple[int, int]:
    """Positions in bytes as positions in characters. A start of 0 is left out by the service."""
    if end is None or not 0 <= (start or 0) <= end <= len(data):
        return -1, -1
    return len(data[: start or 0].decode(errors="ignore")), len(data[:end].decode(errors="ignore"))
