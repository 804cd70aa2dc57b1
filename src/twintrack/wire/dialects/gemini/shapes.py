"""generateContent as types: google-genai 3.4.0 and the Gemini API reference v1beta, read on 2026-11-20.

Requests are only written, so their types hold what a request of ours can say; a member at its default is not written.
Answers are only read: members we have no use for are ignored.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import Raw

from twintrack.wire.reported.gemini import GeminiUsage
from twintrack.wire.usage import Odd

NO_RAW = Raw(b"")


# ---- requests


class _Written(msgspec.Struct, omit_defaults=True, gc=False, rename="camel"):
    pass


class TextPart(_Written):
    text: str


class Blob(_Written):
    mime_type: str
    data: str


class BlobPart(_Written):
    inline_data: Blob


class FileData(_Written):
    file_uri: str
    mime_type: str = ""


class FilePart(_Written):
    file_data: FileData


class FunctionCall(_Written):
    name: str
    args: Raw
    id: str = ""


class CallPart(_Written):
    function_call: FunctionCall
    thought_signature: str = ""


class FunctionResponse(_Written):
    name: str
    response: dict[str, str | list[str]]
    id: str = ""
    parts: list[BlobPart | FilePart] = []


class ResponsePart(_Written):
    function_response: FunctionResponse


RequestPart = TextPart | BlobPart | FilePart | CallPart | ResponsePart


class Content(_Written):
    parts: list[RequestPart]
    role: Literal["user", "model", ""] = ""


class FunctionDeclaration(_Written):
    name: str
    description: str = ""
    parameters_json_schema: Raw | None = None


class Tools(_Written):
    function_declarations: list[FunctionDeclaration]


class FunctionCallingConfig(_Written):
    mode: Literal["AUTO", "ANY", "NONE", "VALIDATED"]
    allowed_function_names: list[str] = []


class ToolConfig(_Written):
    function_calling_config: FunctionCallingConfig


class ThinkingConfig(_Written):
    thinking_budget: int | None = None
    thinking_level: Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", ""] = ""
    include_thoughts: bool | None = None


class GenerationConfig(_Written, kw_only=True):
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool = False
    logprobs: int = 0
    response_mime_type: str = ""
    response_json_schema: Raw | None = None
    thinking_config: ThinkingConfig | None = None


class Body(_Written, kw_only=True):
    contents: list[Content]
    system_instruction: Content | None = None
    tools: list[Tools] = []
    tool_config: ToolConfig | None = None
    generation_config: GenerationConfig | None = None
    service_tier: Literal["flex", "standard", "priority", ""] = ""


# ---- answers


class _Read(msgspec.Struct, gc=False, rename="camel"):
    pass


class Called(_Read):
    name: str
    id: str | None = None
    args: Raw = NO_RAW
    partial_args: Any = None
    will_continue: bool | None = None


class Part(_Read):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: Called | None = None
    inline_data: Any = None
    file_data: Any = None


class Said(_Read):
    parts: list[Part] | None = None


class Source(_Read):
    """Where a passage stands elsewhere as well; positions count bytes of UTF-8."""

    uri: str | None = None
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None


class CitationMetadata(_Read):
    citations: list[Source] | None = None
    citation_sources: list[Source] | None = None
    """The Gemini API's older name."""


class Place(_Read):
    uri: str | None = None
    title: str | None = None


class Chunk(_Read):
    web: Place | None = None
    retrieved_context: Place | None = None
    maps: Place | None = None


class Segment(_Read):
    start_index: int | None = None
    end_index: int | None = None
    part_index: int | None = None
    text: str | None = None


class Support(_Read):
    segment: Segment | None = None
    grounding_chunk_indices: list[int] | None = None


class GroundingMetadata(_Read):
    grounding_chunks: list[Chunk] | None = None
    grounding_supports: list[Support] | None = None


class Token(_Read):
    token: str = ""
    log_probability: float = 0.0


class TopTokens(_Read):
    candidates: list[Token] | None = None


class LogprobsResult(_Read):
    chosen_candidates: list[Token] | None = None
    top_candidates: list[TopTokens] | None = None


class Candidate(_Read):
    content: Said | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    citation_metadata: CitationMetadata | None = None
    grounding_metadata: GroundingMetadata | None = None
    logprobs_result: LogprobsResult | None = None


class PromptFeedback(_Read):
    block_reason: str | None = None
    block_reason_message: str | None = None


class Failure(_Read):
    code: Any = None
    message: str | None = None
    status: str | None = None


class Head(_Read):
    """What every event of a stream repeats."""

    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None


class Event(_Read):
    """One event; its usage is read only when somebody asks."""

    candidates: list[Candidate] | None = None
    usage_metadata: Raw = NO_RAW
    prompt_feedback: PromptFeedback | None = None
    error: Failure | None = None


class Tier(_Read):
    service_tier: str | None = None
    traffic_type: str | None = None
    """Vertex AI's word for it."""


class Whole(Head):
    candidates: list[Candidate] | None = None
    usage_metadata: Raw = NO_RAW
    prompt_feedback: PromptFeedback | None = None
    error: Failure | None = None


USAGE = msgspec.json.Decoder(GeminiUsage | Odd)
TIER = msgspec.json.Decoder(Tier)
