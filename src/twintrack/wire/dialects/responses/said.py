"""A response and its stream's events as providers send them: members nobody needs are passed over, odd ones refused."""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Finish
from twintrack.wire.canonical.parts import Citation, Logprob, Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.responses.annotations import read_annotation
from twintrack.wire.reported.openai import ResponsesUsage
from twintrack.wire.usage import Odd


class _Said(msgspec.Struct, gc=False):
    pass


class TopLogprob(_Said):
    token: str | None = None
    logprob: float | None = None
    bytes: tuple[int, ...] | None = None


class TokenLogprob(_Said):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top_logprobs: list[TopLogprob] | None = None


class Content(_Said):
    """Text, a refusal, a piece of a summary or of reasoning."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[msgspec.Raw] | None = None
    logprobs: list[TokenLogprob] | None = None


class Item(_Said):
    type: str = ""
    id: str | None = None
    content: list[Content] | None = None
    summary: list[Content] | None = None
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None


class IncompleteDetails(_Said):
    reason: str | None = None


class Failure(_Said):
    code: str | int | None = None
    type: str | None = None


class Response(_Said):
    id: str | None = None
    model: str | None = None
    created_at: object = None
    status: str | None = None
    output: list[msgspec.Raw] | None = None
    """Read only where it is needed: the last event of a stream repeats what came before."""
    incomplete_details: IncompleteDetails | None = None
    error: Failure | Odd = None
    usage: ResponsesUsage | Odd = None
    service_tier: str | None = None


_LAST_SECOND = 253_402_300_800
"""The year 10000."""


def created_of(response: Response) -> int:
    said = response.created_at
    return int(said) if isinstance(said, (int, float)) and 0 <= said < _LAST_SECOND else 0


ITEM = msgspec.json.Decoder(Item)


def item_of(raw: msgspec.Raw) -> Item:
    try:
        return ITEM.decode(raw)
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer holds an item of another dialect", why=str(error)) from None


def parts_of(item: Item, model: str) -> list[Part]:
    """Items of other kinds report what the provider's own tools did, and none of those was offered."""
    kind = item.type
    if kind == "message":
        return [part for content in item.content or () for part in _said_parts(content)]
    if kind == "reasoning":
        text = thinking_of(item)
        sealed = marked("responses", model, item.encrypted_content) if item.encrypted_content else ""
        return [Thinking(text, "", sealed, item.id or "")] if text or sealed else []
    if kind in ("function_call", "custom_tool_call"):
        return [call_of(item)]
    return []


def thinking_of(item: Item) -> str:
    """The summary where there is one, else what was thought."""
    pieces = [part.text or "" for part in item.summary or ()]
    return "\n\n".join(pieces) if pieces else "".join([part.text or "" for part in item.content or ()])


def call_of(item: Item) -> ToolCall:
    if not item.name or not item.call_id:
        raise UpstreamError("The provider's answer calls a tool without a name or an id")
    if item.type == "custom_tool_call":
        return ToolCall(item.call_id, item.name, item.input or "", custom=True)
    return ToolCall(item.call_id, item.name, item.arguments or "{}")


def _said_parts(content: Content) -> list[Part]:
    if content.type == "refusal":
        return [Refusal(content.refusal or "")] if content.refusal else []
    if content.type != "output_text" or not content.text:
        return []
    return [Text(content.text, "", citations_of(content.annotations), logprobs_of(content.logprobs))]


def citations_of(annotations: list[msgspec.Raw] | None) -> tuple[Citation, ...]:
    if not annotations:
        return ()
    try:
        return tuple([read_annotation(raw) for raw in annotations])
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer holds a citation of another dialect", why=str(error)) from None


def logprobs_of(logprobs: list[TokenLogprob] | None) -> tuple[Logprob, ...]:
    if not logprobs:
        return ()
    return tuple(
        [
            Logprob(
                each.token,
                each.logprob,
                each.bytes or None,
                tuple(
                    [Logprob(top.token or "", top.logprob or 0.0, top.bytes or None) for top in each.top_logprobs or ()]
                ),
            )
            for each in logprobs
        ]
    )


def finish_of(response: Response, called: bool, refused: bool) -> Finish:
    """`called`, `refused`: a tool call or a refusal was seen.

    Raises:
        UpstreamError: it is not complete, and not cut short by a limit either.
    """
    status = response.status
    if status in ("failed", "cancelled") or _is_error(response.error):
        raise UpstreamError("The provider failed", why=failure_of(response.error, f"status {status}"))
    if status == "completed":
        return "tool_calls" if called else "refusal" if refused else "stop"
    if status == "incomplete":
        reason = None if response.incomplete_details is None else response.incomplete_details.reason
        return "content_filter" if reason == "content_filter" else "length"
    raise UpstreamError("The provider's answer is not complete", why=f"its status is {str(status)[:40]}")


def _is_error(error: Failure | Odd) -> bool:
    return bool(error.code or error.type) if isinstance(error, Failure) else bool(error)


def failure_of(error: Failure | Odd, otherwise: str) -> str:
    """An error in few words: its code or type. Its message may hold the prompt."""
    if isinstance(error, Failure):
        word = error.code or error.type
        if word:
            return f"{otherwise} ({str(word)[:60]})"
    return otherwise
