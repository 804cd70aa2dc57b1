"""A provider's response to the canonical form."""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer
from twintrack.wire.canonical.parts import Refusal, ToolCall
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.responses import said
from twintrack.wire.reported.openai import responses_usage

_RESPONSE = msgspec.json.Decoder(said.Response)


def read_answer(body: bytes) -> Answer:
    try:
        response = _RESPONSE.decode(body)
    except msgspec.ValidationError as error:
        raise UpstreamError("The provider's answer is no response", why=str(error)) from None
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not JSON", why=str(error)) from None
    if response.output is None and response.error is None:
        raise UpstreamError("The provider's answer is no response", why="it has no output")
    model = response.model or ""
    parts = [part for raw in response.output or () for part in said.parts_of(said.item_of(raw), model)]
    called = any(isinstance(part, ToolCall) for part in parts)
    refused = any(isinstance(part, Refusal) for part in parts)
    return Answer(
        id=response.id or "",
        model=model,
        created=said.created_of(response),
        parts=tuple(parts),
        finish=said.finish_of(response, called, refused),
        usage=responses_usage(response.usage),
        service_tier=response.service_tier or "",
    )
