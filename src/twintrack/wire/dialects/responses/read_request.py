"""A client's request for a response to the canonical form."""

from __future__ import annotations

import re

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical.parts import Text
from twintrack.wire.canonical.request import Format, Reasoning, Request
from twintrack.wire.canonical.strict import strictly
from twintrack.wire.dialect import UNREADABLE, without_labels
from twintrack.wire.dialects.responses import shapes
from twintrack.wire.dialects.responses.read_input import InputReader
from twintrack.wire.dialects.responses.read_tools import ToolReader, is_said, read_choice

NAMES = {
    "turns": "input",
    "system": "instructions",
    "format": "text.format",
    "verbosity": "text.verbosity",
    "logprobs": "include",
    "sealed_reasoning": "include",
    "cache_key": "prompt_cache_key",
    "stream_usage": "stream",
}

_TEXTS = msgspec.json.Decoder(dict[str, str])
_FORMAT_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SEALED = "reasoning.encrypted_content"
_LOGPROBS = "message.output_text.logprobs"
_INCLUDABLE = frozenset(
    (
        _SEALED,
        _LOGPROBS,
        "code_interpreter_call.outputs",
        "computer_call_output.output.image_url",
        "file_search_call.results",
        "message.input_image.image_url",
        "web_search_call.action.sources",
        "web_search_call.results",
    )
)
"""Those after the first two add to what OpenAI's own tools report: without such a tool they say nothing, and with one
the tool itself is what cannot be carried."""
_OPAQUE = ("conversation", "prompt", "context_management", "moderation", "access_programs")


def read_request(body: bytes, drop: bool) -> tuple[Request, tuple[str, ...]]:
    asked, left_out = strictly(shapes.ResponsesRequest, body, drop)
    dropped = list(left_out)
    unsaid = _unsaid(asked)
    tools = ToolReader(drop, dropped, unsaid)
    if asked.tools:
        tools.read(asked.tools, "$.tools")
    items = InputReader(tools, drop, dropped, unsaid, _kept_elsewhere(asked))
    if isinstance(asked.input, str):
        items.read_text(asked.input)
    elif asked.input is not None:
        items.read(asked.input)
    elif not _kept_elsewhere(asked):
        raise BadRequest(
            "$.input: must be there, unless previous_response_id, conversation or prompt is", param="$.input"
        )
    turns = items.turns()
    if not turns and not items.system and (drop or not unsaid):
        raise BadRequest("$.input: holds no message", param="$.input")
    if asked.instructions:
        items.system.insert(0, Text(asked.instructions))
    offered = tools.all()
    include = asked.include or ()
    for at, each in enumerate(include):
        if each not in _INCLUDABLE:
            raise BadRequest(f"$.include[{at}]: {each[:80]!r} is not known", param=f"$.include[{at}]")
    options = asked.text
    format_ = items.format if items.format is not None or options is None else options.format
    request = Request(
        model=asked.model,
        turns=turns,
        system=tuple(items.system),
        tools=offered,
        tool_choice=read_choice(asked.tool_choice, offered, drop, dropped, unsaid),
        parallel_tool_calls=False if offered and asked.parallel_tool_calls is False else None,
        max_output_tokens=asked.max_output_tokens,
        temperature=_unless(asked.temperature, 1),
        top_p=_unless(asked.top_p, 1),
        logprobs=_LOGPROBS in include or bool(asked.top_logprobs),
        top_logprobs=asked.top_logprobs or 0,
        format=None if format_ is None else _format(format_),
        reasoning=_reasoning(asked.reasoning, items),
        verbosity="" if options is None else options.verbosity or "",
        service_tier=asked.service_tier or "",
        user=asked.safety_identifier or asked.user or "",
        metadata=_metadata(asked.metadata) if asked.metadata else {},
        cache_key=asked.prompt_cache_key or "",
        stream=bool(asked.stream),
        stream_usage=bool(asked.stream),
        sealed_reasoning=_SEALED in include,
        unsaid=tuple(unsaid),
    )
    return request, tuple(dropped)


def _unsaid(asked: shapes.ResponsesRequest) -> list[str]:
    """Members that no other dialect can say. `prompt_cache_options` and `prompt_cache_retention` are hints, but for a
    request that only fills the cache; so are a `truncation` of disabled, an image's compression left to OpenAI, and
    Codex's `client_metadata`."""
    unsaid: list[str] = []
    if asked.previous_response_id is not None:
        unsaid.append("$.previous_response_id")
    if asked.background:
        unsaid.append("$.background")
    if asked.store:
        unsaid.append("$.store")
    if asked.truncation == "auto":
        unsaid.append("$.truncation")
    if asked.max_tool_calls is not None:
        unsaid.append("$.max_tool_calls")
    unsaid += [f"$.{name}" for name in _OPAQUE if is_said(getattr(asked, name))]
    if asked.image is not None and asked.image.context_compression not in (None, "auto"):
        unsaid.append("$.image.context_compression")
    if asked.prompt_cache_options is not None:
        if asked.prompt_cache_options.prewarm:
            unsaid.append("$.prompt_cache_options.prewarm")
        if asked.prompt_cache_options.comparison_response_id is not None:
            unsaid.append("$.prompt_cache_options.comparison_response_id")
    if asked.reasoning is not None:
        if asked.reasoning.context not in (None, "auto"):
            unsaid.append("$.reasoning.context")
        if asked.reasoning.mode not in (None, "standard"):
            unsaid.append("$.reasoning.mode")
    return unsaid


def _kept_elsewhere(asked: shapes.ResponsesRequest) -> str:
    if asked.previous_response_id is not None:
        return "$.previous_response_id"
    if is_said(asked.conversation):
        return "$.conversation"
    return "$.prompt" if is_said(asked.prompt) else ""


def _unless(value: float | None, default: float) -> float | None:
    """None for what leaving the member out says."""
    return None if value == default else value


def _format(said: shapes.AnyText | shapes.AnyJson | shapes.SchemaJson) -> Format | None:
    if isinstance(said, shapes.AnyText):
        return None
    if isinstance(said, shapes.AnyJson):
        return Format("json")
    path = "$.text.format"
    if _FORMAT_NAME.fullmatch(said.name) is None:
        raise BadRequest(
            f"{path}.name: {said.name[:80]!r} is not of 1 to 64 letters a-z and A-Z, digits, _ and -",
            param=f"{path}.name",
        )
    if not bytes(said.schema).startswith(b"{"):
        raise BadRequest(f"{path}.schema: a JSON Schema is an object", param=f"{path}.schema")
    return Format("json_schema", said.schema, said.name, said.description or "", said.strict)


def _reasoning(said: shapes.ReasoningOptions | None, items: InputReader) -> Reasoning | None:
    if said is None:
        return None if items.effort is None else Reasoning(items.effort)
    effort = items.effort or said.effort
    show = said.summary or said.generate_summary or ""
    if effort is None and not show:
        return None
    return Reasoning(effort, show=show)


def _metadata(said: dict[str, msgspec.Raw]) -> dict[str, str]:
    kept = without_labels(said)
    if kept is None:
        return {}
    try:
        metadata = _TEXTS.decode(kept)
    except UNREADABLE:
        raise BadRequest("$.metadata: values are texts", param="$.metadata") from None
    if len(metadata) > 16 or any(len(name) > 64 or len(text) > 512 for name, text in metadata.items()):
        raise BadRequest(
            "$.metadata: at most 16 pairs, with names up to 64 and values up to 512 characters", param="$.metadata"
        )
    return metadata
