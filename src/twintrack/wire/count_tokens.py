"""Anthropic token counting: POST /v1/messages/count_tokens (Anthropic API reference, version 2023-06-01)."""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire import messages
from twintrack.wire.dialect import UNREADABLE, Endpoint, Stream, Tokens
from twintrack.wire.usage import Usage, known


class CountTokensRequest(messages.MessagesRequest, kw_only=True):
    """A message that is counted and not answered, so it needs no `max_tokens` and is never streamed."""

    max_tokens: Tokens = 0

    def __post_init__(self) -> None:
        if self.stream:
            raise ValueError("stream is true, and counts are not streamed")


class Counted(msgspec.Struct, frozen=True):
    input_tokens: int


class _Answer(msgspec.Struct):
    input_tokens: int | float


_ANSWER = msgspec.json.Decoder(_Answer)
FREE = Usage(0, 0)
"""Counting is free of charge; only requests a minute are limited (Anthropic's guide to token counting, as others quote
it, 2025-06; Google Cloud's page on count-tokens for Claude says the same, 2026-11)."""


def read_usage(body: bytes) -> Usage:
    """What counting used: nothing, whatever the count is."""
    try:
        count = _ANSWER.decode(body).input_tokens
    except msgspec.ValidationError as error:
        raise UpstreamError("The provider's answer is no count of tokens", why=str(error)) from None
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not JSON", why=str(error)) from None
    if known(count) is None:
        raise UpstreamError("The provider's answer is no count of tokens", why=f"it says {count}")
    return FREE


def counted(tokens: int) -> bytes:
    """The answer where the gateway itself has counted."""
    return msgspec.json.encode(Counted(tokens))


def _no_stream(strip_usage: bool) -> Stream:
    raise UpstreamError("Counts of tokens are not streamed")


ENDPOINT = Endpoint(
    name="count_tokens",
    dialect=messages.ENDPOINT.dialect,
    path="/v1/messages/count_tokens",
    decoder=msgspec.json.Decoder(CountTokensRequest),
    read_usage=read_usage,
    open_stream=_no_stream,
    error_body=messages.error_body,
    error_event=messages.error_event,
    forwarded=messages.ENDPOINT.forwarded,
    id_lines=messages.ENDPOINT.id_lines,
)
