"""OpenAI embeddings: POST /v1/embeddings (OpenAI API reference, spec 2.3.0)."""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire import chat
from twintrack.wire.body import with_members, with_model
from twintrack.wire.dialect import UNREADABLE, Asked, Endpoint, Stream, has_labels, without_labels
from twintrack.wire.prompt import Prompt
from twintrack.wire.reported.openai import OpenAIUsage, embeddings_usage
from twintrack.wire.usage import Odd, Usage


class EmbeddingsRequest(Asked, kw_only=True):
    input: str | list[str | int | list[int]]
    """Text, texts, tokens, or lists of tokens."""

    def __post_init__(self) -> None:
        if self.stream:
            raise ValueError("stream is true, and embeddings are not streamed")

    def prompt(self) -> Prompt:
        parts = [self.input] if isinstance(self.input, str) else self.input
        texts = tuple(part for part in parts if isinstance(part, str))
        first = texts[0] if texts else ""
        return Prompt(texts, first, first, ("text",), False, 1, 0)

    def body_for(self, body: bytes, model: str) -> bytes:
        if self.model != model:
            body = with_model(body, model)
        if self.metadata and has_labels(self.metadata):
            body = with_members(body, {"metadata": without_labels(self.metadata)})
        return body


class _Answer(msgspec.Struct):
    data: list[msgspec.Raw]
    usage: OpenAIUsage | Odd = None


_ANSWER = msgspec.json.Decoder(_Answer)


def read_usage(body: bytes) -> Usage:
    try:
        usage = _ANSWER.decode(body).usage
    except msgspec.ValidationError as error:
        raise UpstreamError("The provider's answer holds no embeddings", why=str(error)) from None
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not JSON", why=str(error)) from None
    return embeddings_usage(usage)


def _no_stream(strip_usage: bool) -> Stream:
    raise UpstreamError("Embeddings are not streamed")


ENDPOINT = Endpoint(
    name="embeddings",
    dialect="openai",
    path="/v1/embeddings",
    decoder=msgspec.json.Decoder(EmbeddingsRequest),
    read_usage=read_usage,
    open_stream=_no_stream,
    error_body=chat.error_body,
    error_event=chat.error_event,
    forwarded=(b"openai-organization", b"openai-project"),
)
