"""A response's request as types: OpenAI API reference, spec 2.3.0, read in openai-python 3.52.0 (2026-11-20).

Every member is known, so that an unknown one is refused by name. Beside OpenAI's own stand those that Codex sends
(openai/codex, 2026-11): they are notes to OpenAI's own servers. The same types are written for providers; a member at
its default is not.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw

from twintrack.wire.canonical.request import Effort

NO_RAW = Raw(b"")

Status = Literal["in_progress", "completed", "incomplete"]
Detail = Literal["low", "high", "auto", "original"]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class _Strict(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    pass


# ---- parts of a message


class Breakpoint(_Strict):
    """Marks the end of a prefix that a prompt cache may keep."""

    mode: Literal["explicit"]
    ttl: Literal["30m", "12h"] | None = None


class InputText(_Strict, tag="input_text"):
    text: str
    prompt_cache_breakpoint: Breakpoint | None = None


class InputImage(_Strict, tag="input_image"):
    image_url: str | None = None
    file_id: str | None = None
    detail: Detail | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class InputFile(_Strict, tag="input_file"):
    filename: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    detail: Literal["auto", "low", "high"] | None = None
    prompt_cache_breakpoint: Breakpoint | None = None


class AudioData(_Strict):
    data: str
    format: Literal["mp3", "wav"]


class InputAudio(_Strict, tag="input_audio"):
    input_audio: AudioData


class OutputText(_Strict, tag="output_text"):
    text: str
    annotations: list[Raw] | None = None
    logprobs: Raw = NO_RAW


class Refused(_Strict, tag="refusal"):
    refusal: str


Part = InputText | InputImage | InputFile | InputAudio | OutputText | Refused
ResultPart = InputText | InputImage | InputFile


# ---- items


class Message(_Strict, tag="message"):
    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Part]
    id: str | None = None
    status: Status | None = None
    phase: Literal["commentary", "final_answer"] | None = None
    internal_chat_message_metadata_passthrough: Raw = NO_RAW


class _Called(_Strict, kw_only=True):
    call_id: str
    name: str
    namespace: str | None = None
    id: str | None = None
    status: Status | None = None
    caller: Raw = NO_RAW
    created_by: str | None = None
    async_: bool | None = msgspec.field(name="async", default=None)
    internal_chat_message_metadata_passthrough: Raw = NO_RAW


class FunctionCall(_Called, tag="function_call", kw_only=True):
    arguments: str


class CustomCall(_Called, tag="custom_tool_call", kw_only=True):
    input: str


class _Result(_Strict, kw_only=True):
    call_id: str | None = None
    output: str | list[ResultPart]
    id: str | None = None
    status: Status | None = None
    name: str | None = None
    namespace: str | None = None
    caller: Raw = NO_RAW
    created_by: str | None = None
    internal_chat_message_metadata_passthrough: Raw = NO_RAW


class FunctionResult(_Result, tag="function_call_output"):
    pass


class CustomResult(_Result, tag="custom_tool_call_output"):
    pass


class SummaryText(_Strict, tag="summary_text"):
    text: str


class ReasoningText(_Strict, tag="reasoning_text"):
    text: str


class PlainText(_Strict, tag="text"):
    text: str


class Reasoning(_Strict, tag="reasoning"):
    id: str | None = None
    summary: list[SummaryText] = msgspec.field(default_factory=list)
    content: list[ReasoningText | PlainText] | None = None
    encrypted_content: str | None = None
    status: Status | None = None
    internal_chat_message_metadata_passthrough: Raw = NO_RAW


class ReasoningUpdate(_Strict):
    effort: Effort | None = None


class AnyText(_Strict, tag="text"):
    pass


class AnyJson(_Strict, tag="json_object"):
    pass


class SchemaJson(_Strict, tag="json_schema"):
    name: str
    schema: Raw
    description: str | None = None
    strict: bool | None = None


class TextUpdate(_Strict):
    format: AnyText | AnyJson | SchemaJson | None = None


class ConfigurationUpdate(_Strict, tag="configuration_update"):
    """From here on the model reasons or answers in another way."""

    id: str | None = None
    reasoning: ReasoningUpdate | None = None
    text: TextUpdate | None = None


class AdditionalTools(_Strict, tag="additional_tools"):
    tools: list[Raw]
    role: Literal["developer"] = "developer"
    id: str | None = None


OPAQUE_ITEMS = frozenset(
    (
        "apply_patch_call",
        "apply_patch_call_output",
        "code_interpreter_call",
        "compaction",
        "compaction_summary",
        "compaction_trigger",
        "computer_call",
        "computer_call_output",
        "context_compaction",
        "file_search_call",
        "image_generation_call",
        "item_reference",
        "local_shell_call",
        "local_shell_call_output",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "mcp_list_tools",
        "program",
        "program_output",
        "shell_call",
        "shell_call_output",
        "tool_search_call",
        "tool_search_output",
        "web_search_call",
    )
)
"""Of OpenAI's own tools, or referring to what it keeps."""


# ---- tools


class FunctionTool(_Strict, tag="function", kw_only=True):
    name: str
    description: str | None = None
    parameters: Raw = NO_RAW
    strict: bool | None = None
    output_schema: Raw = NO_RAW
    defer_loading: bool | None = None
    allowed_callers: list[Literal["direct", "programmatic"]] | None = None
    async_: bool | None = msgspec.field(name="async", default=None)


class TextFormat(_Strict, tag="text"):
    pass


class GrammarFormat(_Strict, tag="grammar"):
    syntax: Literal["lark", "regex"]
    definition: str


class CustomTool(_Strict, tag="custom", kw_only=True):
    name: str
    description: str | None = None
    format: TextFormat | GrammarFormat | None = None
    defer_loading: bool | None = None
    allowed_callers: list[Literal["direct", "programmatic"]] | None = None
    async_: bool | None = msgspec.field(name="async", default=None)


class Namespace(_Strict, tag="namespace"):
    name: str
    tools: list[Raw]
    description: str | None = None


OPAQUE_TOOLS = frozenset(
    (
        "apply_patch",
        "code_interpreter",
        "computer",
        "computer_use_preview",
        "file_search",
        "image_generation",
        "local_shell",
        "mcp",
        "programmatic_tool_calling",
        "shell",
        "tool_search",
        "web_search",
        "web_search_2025_08_26",
        "web_search_preview",
        "web_search_preview_2025_03_11",
    )
)
"""OpenAI's own."""


class ChosenFunction(_Strict, tag="function"):
    name: str


class ChosenCustom(_Strict, tag="custom"):
    name: str


class ChosenAllowed(_Strict, tag="allowed_tools"):
    mode: Literal["auto", "required"]
    tools: list[Raw]


OPAQUE_CHOICES = OPAQUE_TOOLS | {"computer_use"}


# ---- the request


class TextOptions(_Strict):
    format: AnyText | AnyJson | SchemaJson | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class ReasoningOptions(_Strict):
    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed", "none"] | None = None
    """none: Codex's word for leaving it out."""
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None
    mode: str | None = None


class StreamOptions(_Strict):
    include_obfuscation: bool | None = None
    reasoning_summary_delivery: str | None = None
    """Codex's."""


class ImageOptions(_Strict):
    context_compression: Literal["auto", "enabled", "disabled"] | None = None


class CacheOptions(_Strict):
    comparison_response_id: str | None = None
    mode: Literal["implicit", "explicit"] | None = None
    prewarm: bool | None = None
    ttl: Literal["30m", "12h"] | None = None


class ResponsesRequest(_Strict, kw_only=True):
    model: str
    input: str | list[Raw] | None = None
    instructions: str | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = NO_RAW
    parallel_tool_calls: bool | None = None
    max_output_tokens: Annotated[int, Meta(ge=1, le=2**53)] | None = None
    max_tool_calls: Count | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    include: list[str] | None = None
    text: TextOptions | None = None
    reasoning: ReasoningOptions | None = None
    metadata: dict[str, Raw] | None = None
    user: str | None = None
    safety_identifier: Annotated[str, Meta(max_length=128)] | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    prompt_cache_options: CacheOptions | None = None
    service_tier: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    store: bool | None = None
    truncation: Literal["auto", "disabled"] | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Raw = NO_RAW
    prompt: Raw = NO_RAW
    context_management: Raw = NO_RAW
    moderation: Raw = NO_RAW
    access_programs: Raw = NO_RAW
    image: ImageOptions | None = None
    client_metadata: Raw = NO_RAW
