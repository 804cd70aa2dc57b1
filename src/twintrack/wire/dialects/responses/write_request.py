"""The canonical form to a request for a response."""

from __future__ import annotations

import msgspec

from twintrack.wire.canonical.effort import effort
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target
from twintrack.wire.canonical.user import short_user
from twintrack.wire.dialects.responses import shapes
from twintrack.wire.dialects.responses.write_input import Item, write_input
from twintrack.wire.dialects.responses.write_tools import Choice, write_choice, write_tools

TIERS = frozenset(("auto", "default", "flex", "scale", "priority", "fast", "ultrafast"))
_FEWEST_TOKENS = 16
"""OpenAI refuses fewer (its error `integer_below_min_value`, 2026-09); some clients ask for one to see who is there."""
_NO_WORD = (
    "top_k",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "seed",
)
_ANY_OBJECT = msgspec.Raw(b'{"type":"object"}')


class _Request(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    model: str
    input: list[Item]
    store: bool
    instructions: str | None = None
    tools: list[shapes.FunctionTool | shapes.CustomTool] | None = None
    tool_choice: Choice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    include: list[str] | None = None
    text: shapes.TextOptions | None = None
    reasoning: shapes.ReasoningOptions | None = None
    user: str | None = None
    prompt_cache_key: str | None = None
    service_tier: str | None = None
    stream: bool | None = None


_ENCODER = msgspec.json.Encoder()


def write_request(request: Request, target: Target, losses: Losses) -> bytes:
    """Not written, and no loss: `metadata`, which finds stored answers again."""
    system = request.system
    tools = write_tools(request.tools, losses) if request.tools else None
    said = _Request(
        model=target.model,
        input=write_input(system[1:], request.turns, losses),
        store=False,
        instructions=system[0].text if system else None,
        temperature=request.temperature,
        top_p=request.top_p,
        user=short_user(request.user) or None,
        prompt_cache_key=request.cache_key or None,
    )
    if tools:
        said.tools = tools
        said.tool_choice = write_choice(request.tool_choice, request.tools)
        said.parallel_tool_calls = request.parallel_tool_calls
    if request.max_output_tokens is not None:
        said.max_output_tokens = max(request.max_output_tokens, _FEWEST_TOKENS)
    if request.logprobs or request.sealed_reasoning:
        said.include = _include(request)
        said.top_logprobs = request.top_logprobs or None
    if request.format is not None or request.verbosity:
        said.text = shapes.TextOptions(None if request.format is None else write_format(request.format))
        if request.verbosity in ("low", "medium", "high"):
            said.text.verbosity = request.verbosity  # type: ignore[assignment]  # just compared
    if request.reasoning is not None:
        said.reasoning = write_reasoning(request.reasoning)
    if request.service_tier in TIERS:
        said.service_tier = request.service_tier
    elif request.service_tier:
        losses.member("service_tier")
    if request.stream:
        said.stream = True
    _note_losses(request, losses)
    return _ENCODER.encode(said)


def _include(request: Request) -> list[str]:
    include = []
    if request.sealed_reasoning:
        include.append("reasoning.encrypted_content")
    if request.logprobs:
        include.append("message.output_text.logprobs")
    return include


def write_format(form: Format) -> shapes.AnyJson | shapes.SchemaJson:
    if form.kind == "json":
        return shapes.AnyJson()
    schema = form.schema if len(form.schema) else _ANY_OBJECT
    return shapes.SchemaJson(form.name or "answer", schema, form.description or None, form.strict)


def write_reasoning(said: Reasoning) -> shapes.ReasoningOptions | None:
    word = effort(said)
    show = said.show if said.show in ("auto", "concise", "detailed") else None
    if word is None and show is None:
        return None
    return shapes.ReasoningOptions(word, show)


def _note_losses(request: Request, losses: Losses) -> None:
    for name in _NO_WORD:
        if getattr(request, name) is not None:
            losses.member(name)
    if request.stop:
        losses.member("stop")
    if request.n != 1:
        losses.member("n", "more than one answer")
    if any(each != "text" for each in request.modalities):
        losses.member("modalities")
