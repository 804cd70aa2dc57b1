"""A chat completion's request as types: OpenAI API reference, spec 2.3.0, read in openai-python 3.52.0 (2026-11-20).

Every member is known, so that an unknown one is refused by name. Beside OpenAI's own stand those that clients of
compatible servers send and another dialect can say: `top_k`, `min_p` (vLLM), `reasoning` (OpenRouter), `thinking`
(LiteLLM, DeepSeek), `cache_control` (OpenRouter, LiteLLM), and an assistant's `reasoning_content`, `reasoning` and
`thinking_blocks` (LiteLLM). The same types are written for providers; a member at its default is not.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from twintrack.wire.canonical.request import Effort

NO_RAW = Raw(b"")


def is_said(raw: Raw) -> bool:
    """There is something, and not null."""
    return len(raw) > 0 and bytes(raw) != b"null"


Penalty = Annotated[float, Meta(ge=-2, le=2)]
Bias = Annotated[float, Meta(ge=-100, le=100)]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    pass


# ---- parts of a message


class CacheControl(_Strict):
    """Anthropic's marker, as OpenRouter and LiteLLM take it."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class CacheBreakpoint(_Strict):
    """OpenAI's own."""

    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None


class _Marked(_Strict, kw_only=True):
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: CacheBreakpoint | None = None


class TextPart(_Marked, tag="text"):
    text: str


class ImageURL(_Strict):
    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class ImagePart(_Marked, tag="image_url"):
    image_url: ImageURL


class InputAudio(_Strict):
    data: str
    format: Literal["wav", "mp3"]


class AudioPart(_Marked, tag="input_audio"):
    input_audio: InputAudio


class FileSource(_Strict):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class FilePart(_Marked, tag="file"):
    file: FileSource


class RefusalPart(_Strict, tag="refusal"):
    refusal: str


UserPart = TextPart | ImagePart | AudioPart | FilePart
ResultPart = TextPart | ImagePart | FilePart
"""OpenAI takes text; images and files are what compatible servers take as well."""


# ---- messages


class System(_Strict, tag_field="role", tag="system"):
    content: str | list[TextPart]
    name: str | None = None
    cache_control: CacheControl | None = None


class Developer(_Strict, tag_field="role", tag="developer"):
    content: str | list[TextPart]
    name: str | None = None
    cache_control: CacheControl | None = None


class User(_Strict, tag_field="role", tag="user"):
    content: str | list[UserPart]
    name: str | None = None
    cache_control: CacheControl | None = None


class Called(_Strict):
    name: str
    arguments: str


class CalledCustom(_Strict):
    name: str
    input: str


class GoogleExtra(_Strict):
    thought_signature: str = ""


class ExtraContent(_Strict):
    """Google's word for a thought signature (Gemini API, OpenAI compatibility, 2026-11)."""

    google: GoogleExtra | None = None


class FunctionCall(_Strict, tag="function"):
    id: str
    function: Called
    index: int | None = None
    """Clients that put streams together leave it in."""
    extra_content: ExtraContent | None = None


class CustomCall(_Strict, tag="custom"):
    id: str
    custom: CalledCustom
    index: int | None = None
    extra_content: ExtraContent | None = None


class ThinkingBlock(_Strict, tag="thinking"):
    thinking: str
    signature: str | None = None
    cache_control: Raw = NO_RAW
    index: int | None = None


class SealedBlock(_Strict, tag="redacted_thinking"):
    data: str
    id: str | None = None
    cache_control: Raw = NO_RAW
    index: int | None = None


class Assistant(_Strict, tag_field="role", tag="assistant"):
    content: str | list[TextPart | RefusalPart] | UnsetType | None = UNSET
    refusal: str | None = None
    name: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    thinking_blocks: list[ThinkingBlock | SealedBlock] | None = None
    tool_calls: list[FunctionCall | CustomCall] | None = None
    function_call: Called | None = None
    audio: Raw = NO_RAW
    annotations: Raw = NO_RAW
    """Of an answer that is sent back as it came; OpenAI reads nothing from it."""
    cache_control: CacheControl | None = None


class ToolMessage(_Strict, tag_field="role", tag="tool"):
    tool_call_id: str
    content: str | list[ResultPart]
    name: str | None = None
    """Of the tool; older clients repeat it."""
    cache_control: CacheControl | None = None


class FunctionMessage(_Strict, tag_field="role", tag="function"):
    name: str
    content: str | None = None


Message = System | Developer | User | Assistant | ToolMessage | FunctionMessage


# ---- tools


class Function(_Strict):
    name: str
    description: str | None = None
    parameters: Raw = NO_RAW
    strict: bool | None = None
    cache_control: CacheControl | None = None


class FunctionTool(_Strict, tag="function"):
    function: Function
    cache_control: CacheControl | None = None


class Grammar(_Strict):
    definition: str
    syntax: Literal["lark", "regex"]


class TextFormat(_Strict, tag="text"):
    pass


class GrammarFormat(_Strict, tag="grammar"):
    grammar: Grammar


class Custom(_Strict):
    name: str
    description: str | None = None
    format: TextFormat | GrammarFormat | None = None


class CustomTool(_Strict, tag="custom"):
    custom: Custom
    cache_control: CacheControl | None = None


class Named(_Strict):
    name: str


class ChosenFunction(_Strict, tag="function"):
    function: Named


class ChosenCustom(_Strict, tag="custom"):
    custom: Named


class Allowed(_Strict):
    mode: Literal["auto", "required"]
    tools: list[ChosenFunction | ChosenCustom]


class ChosenAllowed(_Strict, tag="allowed_tools"):
    allowed_tools: Allowed


# ---- the request


class AnyText(_Strict, tag="text"):
    pass


class AnyJson(_Strict, tag="json_object"):
    pass


class JsonSchema(_Strict):
    name: str
    description: str | None = None
    schema: Raw = NO_RAW
    strict: bool | None = None


class SchemaJson(_Strict, tag="json_schema"):
    json_schema: JsonSchema


class StreamOptions(_Strict):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ReasoningOptions(_Strict):
    effort: Effort | None = None
    max_tokens: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    exclude: bool | None = None
    enabled: bool | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None


class ThinkingOn(_Strict, tag="enabled"):
    budget_tokens: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    display: Literal["summarized", "omitted"] | None = None


class ThinkingAdaptive(_Strict, tag="adaptive"):
    display: Literal["summarized", "omitted"] | None = None


class ThinkingOff(_Strict, tag="disabled"):
    pass


class ChatRequest(_Strict, kw_only=True):
    model: str
    messages: Annotated[list[Message], Meta(min_length=1)]
    tools: list[FunctionTool | CustomTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | ChosenFunction | ChosenCustom | ChosenAllowed | None = None
    parallel_tool_calls: bool | None = None
    functions: list[Function] | None = None
    function_call: Literal["none", "auto"] | Named | None = None
    max_completion_tokens: Annotated[int, Meta(ge=-1, le=2**53)] | None = None
    max_tokens: Annotated[int, Meta(ge=-1, le=2**53)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_k: Annotated[int, Meta(ge=-1, le=2**31)] | None = None
    min_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    logit_bias: Raw = NO_RAW
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    response_format: AnyText | AnyJson | SchemaJson | None = None
    reasoning_effort: Effort | None = None
    reasoning: ReasoningOptions | None = None
    thinking: ThinkingOn | ThinkingAdaptive | ThinkingOff | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    audio: Raw = NO_RAW
    prediction: Raw = NO_RAW
    web_search_options: Raw = NO_RAW
    moderation: Raw = NO_RAW
    service_tier: str | None = None
    store: bool | None = None
    metadata: dict[str, Raw] | None = None
    user: str | None = None
    safety_identifier: Annotated[str, Meta(max_length=128)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    prompt_cache_options: Raw = NO_RAW
    stream: bool | None = None
    stream_options: StreamOptions | None = None
