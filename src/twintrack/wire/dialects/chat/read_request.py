"""A client's chat completion request to the canonical form."""

from __future__ import annotations

from typing import Literal

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical.request import Effort, Format, Reasoning, Request
from twintrack.wire.canonical.strict import strictly
from twintrack.wire.dialect import without_labels
from twintrack.wire.dialects.chat import shapes
from twintrack.wire.dialects.chat.read_conversation import read_conversation
from twintrack.wire.dialects.chat.read_tools import NAME, read_choice, read_tools


class FunctionsRequest(Request, frozen=True, kw_only=True):
    """One that offers its tools as the older `functions`, and expects a `function_call` back."""


_BIAS = msgspec.json.Decoder(dict[str, shapes.Bias])
_TEXTS = msgspec.json.Decoder(dict[str, str])
_UNSAID = ("prediction", "web_search_options", "moderation", "audio")

NAMES = {
    "turns": "messages",
    "system": "messages",
    "max_output_tokens": "max_completion_tokens",
    "format": "response_format",
    "reasoning": "reasoning_effort",
    "cache_key": "prompt_cache_key",
    "stream_usage": "stream_options.include_usage",
}


def read_request(body: bytes, drop: bool) -> tuple[Request, tuple[str, ...]]:
    asked, dropped = strictly(shapes.ChatRequest, body, drop)
    return _request(asked), dropped


def _request(asked: shapes.ChatRequest) -> Request:
    unsaid = [f"$.{name}" for name in _UNSAID if shapes.is_said(getattr(asked, name))]
    if asked.store:
        unsaid.append("$.store")
    system, turns = read_conversation(asked.messages, unsaid)
    tools = read_tools(asked)
    older = bool(asked.functions)
    logprobs = bool(asked.logprobs)
    if asked.top_logprobs and not logprobs:
        raise BadRequest("$.top_logprobs: only with logprobs: true", param="$.top_logprobs")
    modalities = tuple(asked.modalities or ())
    options = asked.stream_options
    stream = bool(asked.stream)
    stop = asked.stop
    return (FunctionsRequest if older else Request)(
        model=asked.model,
        turns=turns,
        system=system,
        tools=tools,
        tool_choice=read_choice(asked, tools),
        parallel_tool_calls=False if tools and (older or asked.parallel_tool_calls is False) else None,
        max_output_tokens=_max_tokens(asked),
        temperature=_unless(asked.temperature, 1),
        top_p=_unless(asked.top_p, 1),
        top_k=asked.top_k if asked.top_k is not None and asked.top_k > 0 else None,
        min_p=_unless(asked.min_p, 0),
        frequency_penalty=_unless(asked.frequency_penalty, 0),
        presence_penalty=_unless(asked.presence_penalty, 0),
        logit_bias=_bias(asked.logit_bias) if shapes.is_said(asked.logit_bias) else None,
        seed=asked.seed,
        stop=() if stop is None else (stop,) if isinstance(stop, str) else tuple(stop),
        n=asked.n or 1,
        logprobs=logprobs,
        top_logprobs=asked.top_logprobs or 0,
        format=None if asked.response_format is None else _format(asked.response_format),
        reasoning=_reasoning(asked),
        verbosity=asked.verbosity or "",
        modalities=() if modalities == ("text",) else modalities,
        service_tier=asked.service_tier or "",
        user=asked.safety_identifier or asked.user or "",
        metadata=_metadata(asked.metadata) if asked.metadata else {},
        cache_key=asked.prompt_cache_key or "",
        stream=stream,
        stream_usage=stream and options is not None and options.include_usage is True,
        unsaid=tuple(unsaid),
    )


def _unless(value: float | None, default: float) -> float | None:
    """None for what leaving the member out says."""
    return None if value == default else value


def _max_tokens(asked: shapes.ChatRequest) -> int | None:
    """-1 is how some servers say no limit."""
    said, older = asked.max_completion_tokens, asked.max_tokens
    if said is not None and older is not None and said != older:
        raise BadRequest("$.max_tokens: cannot stand beside max_completion_tokens", param="$.max_tokens")
    tokens = older if said is None else said
    if tokens == 0:
        path = "$.max_tokens" if said is None else "$.max_completion_tokens"
        raise BadRequest(f"{path}: must be at least 1", param=path)
    return None if tokens is None or tokens < 0 else tokens


def _bias(said: msgspec.Raw) -> msgspec.Raw | None:
    try:
        bias = _BIAS.decode(said)
    except msgspec.ValidationError:
        raise BadRequest(
            "$.logit_bias: an object from token ids to numbers between -100 and 100", param="$.logit_bias"
        ) from None
    return said if bias else None


def _metadata(said: dict[str, msgspec.Raw]) -> dict[str, str]:
    kept = without_labels(said)
    if kept is None:
        return {}
    try:
        metadata = _TEXTS.decode(kept)
    except msgspec.ValidationError:
        raise BadRequest("$.metadata: values are texts", param="$.metadata") from None
    if len(metadata) > 16 or any(len(name) > 64 or len(text) > 512 for name, text in metadata.items()):
        raise BadRequest(
            "$.metadata: at most 16 pairs, with names up to 64 and values up to 512 characters", param="$.metadata"
        )
    return metadata


def _format(said: shapes.AnyText | shapes.AnyJson | shapes.SchemaJson) -> Format | None:
    if isinstance(said, shapes.AnyText):
        return None
    if isinstance(said, shapes.AnyJson):
        return Format("json")
    schema = said.json_schema
    path = "$.response_format.json_schema"
    if NAME.fullmatch(schema.name) is None:
        raise BadRequest(
            f"{path}.name: {schema.name[:80]!r} is not of 1 to 64 letters a-z and A-Z, digits, _ and -",
            param=f"{path}.name",
        )
    return Format(
        "json_schema",
        _form(schema.schema, f"{path}.schema"),
        schema.name,
        schema.description or "",
        schema.strict,
    )


def _form(schema: msgspec.Raw, path: str) -> msgspec.Raw:
    if not shapes.is_said(schema):
        return shapes.NO_RAW
    if not bytes(schema).startswith(b"{"):
        raise BadRequest(f"{path}: a JSON Schema is an object", param=path)
    return schema


def _reasoning(asked: shapes.ChatRequest) -> Reasoning | None:
    """From OpenAI's word, OpenRouter's and LiteLLM's; they may not contradict each other."""
    effort = asked.reasoning_effort
    budget: int | None = None
    adaptive = False
    show: Literal["", "auto", "concise", "detailed", "none"] = ""
    options = asked.reasoning
    if options is not None:
        effort = _agreed(effort, options.effort, "$.reasoning.effort")
        budget = options.max_tokens
        show = "none" if options.exclude else options.summary or ""
        if options.enabled is False:
            effort = _agreed(effort, "none", "$.reasoning.enabled")
        elif options.enabled and effort is None and budget is None:
            effort = "medium"  # what OpenRouter documents for it (2026-11)
    thinking = asked.thinking
    if isinstance(thinking, shapes.ThinkingOff):
        effort = _agreed(effort, "none", "$.thinking")
    elif thinking is not None:
        if effort == "none":
            raise BadRequest("$.thinking: contradicts reasoning_effort none", param="$.thinking")
        if thinking.display == "omitted":
            show = "none"
        if isinstance(thinking, shapes.ThinkingAdaptive):
            adaptive = True
        else:
            budget = budget if thinking.budget_tokens is None else thinking.budget_tokens
            adaptive = effort is None and budget is None  # DeepSeek and GLM: on, and no more is said
    if budget == 0:
        effort, budget = _agreed(effort, "none", "$.reasoning.max_tokens"), None
    if effort is None and budget is None and not adaptive and not show:
        return None
    return Reasoning(effort, budget, adaptive, show)


def _agreed(one: Effort | None, other: Effort | None, path: str) -> Effort | None:
    if one is not None and other is not None and one != other:
        raise BadRequest(f"{path}: contradicts reasoning_effort {one}", param=path)
    return other if one is None else one
