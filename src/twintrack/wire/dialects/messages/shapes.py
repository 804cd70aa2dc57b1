"""The JSON of a messages request (Anthropic API reference, version 2023-06-01 with its betas, SDK 2.11.0 of 2026-11).

The same types read a client's request and write one to a provider. What can only be a hint, or has no word in the
canonical form whatever it holds, stays raw. A null says what leaving the member out says.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from twintrack.wire.dialect import Tokens

NO_RAW = msgspec.Raw(b"")
_NOTHING = (b"null", b"[]")
Fraction = Annotated[float, msgspec.Meta(ge=0, le=1)]


class Shape(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    pass


def is_said(raw: msgspec.Raw) -> bool:
    """The member is there and holds something."""
    return raw is not NO_RAW and bytes(raw) not in _NOTHING


class CacheControl(msgspec.Struct, omit_defaults=True, gc=False):
    """Holds whatever a beta adds, as `scope`: it is a hint."""

    type: str
    ttl: Literal["5m", "1h"] | None = None


# ---- sources of images and documents


class Base64Source(Shape, tag_field="type", tag="base64"):
    media_type: str
    data: str


class UrlSource(Shape, tag_field="type", tag="url"):
    url: str


class FileSource(Shape, tag_field="type", tag="file"):
    file_id: str


class TextSource(Shape, tag_field="type", tag="text"):
    media_type: str
    data: str


class ContentSource(Shape, tag_field="type", tag="content"):
    content: str | list[Text | Image]


ImageSource = Base64Source | UrlSource | FileSource
DocumentSource = Base64Source | UrlSource | FileSource | TextSource | ContentSource


# ---- blocks


class Block(Shape, tag_field="type"):
    pass


class Text(Block, tag="text"):
    text: str
    citations: list[msgspec.Raw] | None = None
    cache_control: CacheControl | None = None


class Image(Block, tag="image"):
    source: ImageSource
    transformations: msgspec.Raw = NO_RAW
    """What happens to one that is too large. A hint."""
    cache_control: CacheControl | None = None


class CitationsConfig(Shape):
    enabled: bool | None = None


class Document(Block, tag="document"):
    source: DocumentSource
    title: str | None = None
    context: str | None = None
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


class SearchResult(Block, tag="search_result"):
    source: str
    title: str
    content: list[Text]
    citations: CitationsConfig | None = None
    cache_control: CacheControl | None = None


class ToolUse(Block, tag="tool_use"):
    id: str
    name: str
    input: msgspec.Raw
    caller: msgspec.Raw = NO_RAW
    """Who called: the model, or code that it wrote. Where a tool was called from code, that code stands beside it."""
    toolset_name: str | None = None
    cache_control: CacheControl | None = None


class ToolReference(Block, tag="tool_reference"):
    tool_name: str
    cache_control: CacheControl | None = None


class Thinking(Block, tag="thinking"):
    thinking: str
    signature: str = ""


class RedactedThinking(Block, tag="redacted_thinking"):
    data: str


class Compaction(Block, tag="compaction"):
    """What the provider made of the conversation so far."""

    content: str | None = None
    encrypted_content: str | None = None
    signature: str | None = None
    tool_changes: msgspec.Raw = NO_RAW
    cache_control: CacheControl | None = None


class Fallback(msgspec.Struct, tag_field="type", tag="fallback", gc=False):
    """Marks where another model went on. Nothing that a model is told."""


class Opaque(msgspec.Struct, tag_field="type", gc=False):
    """What only Anthropic can read again: what its own tools were asked and gave."""


class ServerToolUse(Opaque, tag="server_tool_use"):
    pass


class WebSearchResult(Opaque, tag="web_search_tool_result"):
    pass


class WebFetchResult(Opaque, tag="web_fetch_tool_result"):
    pass


class AdvisorResult(Opaque, tag="advisor_tool_result"):
    pass


class CodeResult(Opaque, tag="code_execution_tool_result"):
    pass


class BashResult(Opaque, tag="bash_code_execution_tool_result"):
    pass


class EditorResult(Opaque, tag="text_editor_code_execution_tool_result"):
    pass


class ToolSearchResult(Opaque, tag="tool_search_tool_result"):
    pass


class McpToolUse(Opaque, tag="mcp_tool_use"):
    pass


class McpToolResult(Opaque, tag="mcp_tool_result"):
    pass


class McpToolListing(Opaque, tag="mcp_tool_listing"):
    pass


class ContainerUpload(Opaque, tag="container_upload"):
    pass


class ToolAddition(Opaque, tag="tool_addition"):
    pass


class ToolRemoval(Opaque, tag="tool_removal"):
    pass


class BrowserState(Opaque, tag="browser_state"):
    pass


ResultBlock = Text | Image | Document | SearchResult | ToolReference | BrowserState


class ToolResult(Block, tag="tool_result"):
    tool_use_id: str
    content: str | list[ResultBlock] | None = None
    is_error: bool | None = None
    toolset_name: str | None = None
    cache_control: CacheControl | None = None


AnyBlock = (
    Text
    | Image
    | Document
    | SearchResult
    | ToolUse
    | ToolResult
    | Thinking
    | RedactedThinking
    | Compaction
    | Fallback
    | ServerToolUse
    | WebSearchResult
    | WebFetchResult
    | AdvisorResult
    | CodeResult
    | BashResult
    | EditorResult
    | ToolSearchResult
    | McpToolUse
    | McpToolResult
    | McpToolListing
    | ContainerUpload
    | ToolAddition
    | ToolRemoval
)


# ---- messages


class Message(Shape, tag_field="role"):
    pass


class User(Message, tag="user"):
    content: str | list[AnyBlock]


class Assistant(Message, tag="assistant"):
    content: str | list[AnyBlock]


class TurnConfig(Shape):
    effort: Effort | None = None


class System(Message, tag="system"):
    """In the middle of a conversation; what stands before it is `system` of the request."""

    content: str | list[Text | ToolAddition | ToolRemoval] = ""
    clear_at: Literal["next_user_message", "never"] | None = None
    output_config: TurnConfig | None = None


AnyMessage = User | Assistant | System


# ---- tools


class Tool(Shape):
    name: str
    input_schema: msgspec.Raw
    type: Literal["custom"] | None = None
    description: str | None = None
    strict: bool | None = None
    input_examples: msgspec.Raw = NO_RAW
    allowed_callers: list[str] | None = None
    defer_loading: bool | None = None
    """Shown to the model only when a search finds it. A hint: shown at once, it costs tokens and can be called."""
    eager_input_streaming: bool | None = None
    """A hint."""
    cache_control: CacheControl | None = None


class Choice(Shape, tag_field="type"):
    pass


class AutoChoice(Choice, tag="auto"):
    disable_parallel_tool_use: bool | None = None


class AnyChoice(Choice, tag="any"):
    disable_parallel_tool_use: bool | None = None


class ToolChoice(Choice, tag="tool"):
    name: str
    disable_parallel_tool_use: bool | None = None


class NoneChoice(Choice, tag="none"):
    disable_parallel_tool_use: bool | None = None
    """Not in the reference; says nothing where no tool is called."""


# ---- what is asked of the answer

Effort = Literal["low", "medium", "high", "xhigh", "max"]
Display = Literal["summarized", "omitted", "updates"]


class ThinkingConfig(Shape, tag_field="type"):
    pass


class ThinkingEnabled(ThinkingConfig, tag="enabled"):
    budget_tokens: int
    display: Display | None = None
    block_binding: msgspec.Raw = NO_RAW
    """What happens to earlier thinking that does not fit. A hint."""


class ThinkingAdaptive(ThinkingConfig, tag="adaptive"):
    display: Display | None = None
    block_binding: msgspec.Raw = NO_RAW


class ThinkingDisabled(ThinkingConfig, tag="disabled"):
    pass


class ThinkingBetweenTools(ThinkingConfig, tag="between_tools"):
    """As little as Claude Sonnet 5.5 can."""


AnyThinking = ThinkingEnabled | ThinkingAdaptive | ThinkingDisabled | ThinkingBetweenTools


class Format(Shape):
    type: Literal["json_schema"]
    schema: msgspec.Raw


class OutputConfig(Shape):
    effort: Effort | None = None
    format: Format | None = None
    task_budget: msgspec.Raw = NO_RAW


class MessagesRequest(Shape, kw_only=True):
    model: str
    max_tokens: Tokens
    messages: list[AnyMessage]
    system: str | list[Text] | None = None
    tools: list[msgspec.Raw] | None = None
    """`Tool`, or one of the provider's own, which has a type."""
    tool_choice: AutoChoice | AnyChoice | ToolChoice | NoneChoice | None = None
    thinking: AnyThinking | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None
    """The older beta's place for it."""
    temperature: Fraction | None = None
    top_p: Fraction | None = None
    top_k: Annotated[int, msgspec.Meta(ge=0)] | None = None
    stop_sequences: list[str] | None = None
    metadata: dict[str, msgspec.Raw] | None = None
    service_tier: Literal["auto", "standard_only"] | None = None
    speed: Literal["standard", "fast"] | None = None
    """A hint: the same model, faster and dearer."""
    cache_control: CacheControl | None = None
    container: msgspec.Raw = NO_RAW
    context_management: msgspec.Raw = NO_RAW
    diagnostics: msgspec.Raw = NO_RAW
    inference_geo: str | None = None
    mcp_servers: msgspec.Raw = NO_RAW
    compaction: msgspec.Raw = NO_RAW
    thread: msgspec.Raw = NO_RAW
    billing_policy: msgspec.Raw = NO_RAW
    fallbacks: msgspec.Raw = NO_RAW
    fallback_credit_token: msgspec.Raw = NO_RAW
    stream: bool | None = None
