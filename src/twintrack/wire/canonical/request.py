"""A conversation and what is asked of the answer.

None, "" and () mean that the client did not say, so that the provider's own default holds. A member whose value is
what leaving it out means (`n` of 1, `logprobs` false) is read as not said.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from twintrack.wire.canonical.parts import CacheLife, Part, Text

Role = Literal["user", "assistant", "tool", "system"]


class Turn(msgspec.Struct, frozen=True, gc=False):
    """One voice. Results of tools are turns of their own (`tool`), also where a dialect has them inside a user's.

    `user` holds text, image, audio, file; `assistant` text, thinking, tool call, refusal; `tool` tool results;
    `system` text: an instruction in the middle of a conversation. Those at the start are `Request.system`.
    """

    role: Role
    parts: tuple[Part, ...]
    at: int = 0
    """Position in the client's own list, for messages about it."""
    name: str = ""
    """Who of several speaks."""


class Tool(msgspec.Struct, frozen=True, gc=False):
    name: str
    description: str = ""
    schema: msgspec.Raw = msgspec.Raw(b"")
    """JSON Schema of the arguments, as the client wrote it; empty: none. An object, checked by whoever read it."""
    strict: bool | None = None
    kind: Literal["function", "custom", "server"] = "function"
    """custom: takes any text. server: a tool of the provider itself; only its own dialect can say it."""
    raw: msgspec.Raw = msgspec.Raw(b"")
    """The whole entry: of a server tool, and of a custom one with a grammar."""
    cache: CacheLife = ""
    namespace: str = ""
    """The start of `name`, where the client's dialect has groups of tools and the group is said apart (Responses)."""


class ToolChoice(msgspec.Struct, frozen=True, gc=False):
    mode: Literal["auto", "none", "required", "named"]
    name: str = ""
    """With `named`."""
    allowed: tuple[str, ...] = ()
    """Only these, in mode auto or required; empty: all."""


class Format(msgspec.Struct, frozen=True, gc=False):
    """The answer's form: some JSON, or JSON of a schema."""

    kind: Literal["json", "json_schema"]
    schema: msgspec.Raw = msgspec.Raw(b"")
    name: str = ""
    description: str = ""
    strict: bool | None = None


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class Reasoning(msgspec.Struct, frozen=True, gc=False):
    effort: Effort | None = None
    budget_tokens: int | None = None
    """At most so many; 0 with effort none: do not think."""
    adaptive: bool = False
    """The model itself decides how long."""
    show: Literal["", "auto", "concise", "detailed", "none"] = ""
    """Which summary or text of it the client wants to see."""


class Request(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    model: str
    turns: tuple[Turn, ...]
    system: tuple[Text, ...] = ()
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: msgspec.Raw | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    n: int = 1
    logprobs: bool = False
    top_logprobs: int = 0
    format: Format | None = None
    reasoning: Reasoning | None = None
    verbosity: str = ""
    modalities: tuple[str, ...] = ()
    """Of the answer, where more than text is asked for."""
    service_tier: str = ""
    """auto, default, flex, priority, … as the client wrote it. auto and default are hints."""
    user: str = ""
    """Who the client's own user is, by an opaque name. A hint."""
    metadata: dict[str, str] = {}
    """The client's own notes, our labels already taken out. A hint."""
    cache_key: str = ""
    """OpenAI's prompt_cache_key. A hint."""
    stream: bool = False
    stream_usage: bool = False
    """The client wants usage in the stream (always true in dialects that have no choice)."""
    sealed_reasoning: bool = False
    """The client wants reasoning back in its sealed form, to send it again."""
    unsaid: tuple[str, ...] = ()
    """Members, by the client's own path, that were understood and have no word here (as OpenAI's `prediction`): each
    is a loss in every other dialect."""


HINTS = frozenset(("user", "metadata", "cache_key", "verbosity"))
"""What changes no meaning when it is left out: a dialect without a word for it leaves it out in silence. So do cache
markers, an image's detail, a service tier of auto or default, thinking of earlier turns that its new reader could not
check, and where an earlier answer's text came from."""


class Target(msgspec.Struct, frozen=True, gc=False):
    """Whom a request is written for; and of a chat server, how it writes what such servers write differently."""

    model: str
    """As the provider calls it."""
    max_output_tokens: int = 0
    """The longest answer it gives; 0: unknown. For dialects that must be told a number."""
    thinking: Literal["", "reasoning_content", "reasoning"] = ""
    """Where a chat server takes earlier thinking; empty: nowhere that is known, so it is left out."""
    max_tokens: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """What a chat server calls the limit on its answer."""
    developer: bool = False
    """A chat server's system text has the role `developer`."""
    custom_tools: bool = False
    """A chat server has tools that take any text, as OpenAI's does; else they are written as functions."""
