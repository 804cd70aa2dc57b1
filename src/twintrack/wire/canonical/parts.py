"""What a turn holds. Optional words are empty strings where they were not said."""

from __future__ import annotations

from typing import Literal

import msgspec

CacheLife = Literal["", "5m", "1h"]
"""A prompt-cache marker: what stands up to and including this part may be kept so long. A hint; "" is none."""


class Citation(msgspec.Struct, frozen=True, gc=False):
    """Where a piece of the answer's text comes from. Positions count characters of its text part; -1: unsaid."""

    url: str = ""
    title: str = ""
    quote: str = ""
    """The words cited."""
    start: int = -1
    end: int = -1
    raw: msgspec.Raw = msgspec.Raw(b"")
    """In the dialect's own form, where the form above does not hold all of it."""


class Logprob(msgspec.Struct, frozen=True, gc=False):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top: tuple[Logprob, ...] = ()
    """The likeliest at this position, best first; theirs is empty."""


class Text(msgspec.Struct, frozen=True, gc=False, tag="text"):
    text: str
    cache: CacheLife = ""
    citations: tuple[Citation, ...] = ()
    logprobs: tuple[Logprob, ...] = ()


class Media(msgspec.Struct, frozen=True, gc=False):
    """Bytes or where they are: exactly one of `data`, `url`, `file_id`."""

    data: str = ""
    """Base64, checked by whoever read it."""
    media_type: str = ""
    """As image/png; may be empty with `url` and `file_id`."""
    url: str = ""
    file_id: str = ""
    """A file uploaded to one provider: only a provider of the client's own dialect can know it."""


class Image(msgspec.Struct, frozen=True, gc=False, tag="image"):
    media: Media
    detail: str = ""
    """OpenAI's low, high, auto, original: a hint."""
    cache: CacheLife = ""


class Audio(msgspec.Struct, frozen=True, gc=False, tag="audio"):
    media: Media


class File(msgspec.Struct, frozen=True, gc=False, tag="file"):
    """A document: PDF, or plain text with media type text/plain, whose `data` is base64 as well."""

    media: Media
    name: str = ""
    context: str = ""
    """What the client says about it."""
    citable: bool = False
    """The answer shall cite from it."""
    cache: CacheLife = ""


class Thinking(msgspec.Struct, frozen=True, gc=False, tag="thinking"):
    """Reasoning of the model. Whoever wrote it can check it by `signature`; nobody else can."""

    text: str = ""
    """What may be shown; empty if nothing may."""
    signature: str = ""
    """Anthropic's signature, or Gemini's thought signature."""
    sealed: str = ""
    """Reasoning only its provider can read: Anthropic's redacted data, OpenAI's encrypted content."""
    id: str = ""


class ToolCall(msgspec.Struct, frozen=True, gc=False, tag="tool_call"):
    id: str
    name: str
    arguments: str
    """JSON text of an object; of a custom tool any text."""
    custom: bool = False
    cache: CacheLife = ""
    signature: str = ""
    """Gemini's thought signature of this call."""


class ToolResult(msgspec.Struct, frozen=True, gc=False, tag="tool_result"):
    id: str
    """Of the call."""
    parts: tuple[Text | Image | File, ...]
    error: bool = False
    custom: bool = False
    cache: CacheLife = ""


class Refusal(msgspec.Struct, frozen=True, gc=False, tag="refusal"):
    text: str


Part = Text | Image | Audio | File | Thinking | ToolCall | ToolResult | Refusal
