"""The canonical form to a chat completion request, for OpenAI and for servers that copy it."""

from __future__ import annotations

import msgspec

from twintrack.wire.canonical.effort import effort
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Format, Request, Target
from twintrack.wire.canonical.user import short_user
from twintrack.wire.dialects.chat import shapes
from twintrack.wire.dialects.chat.write_conversation import write_conversation
from twintrack.wire.dialects.chat.write_tools import write_tools

_TIERS = frozenset(("auto", "default", "flex", "scale", "priority", "fast"))
_MOST_STOPS = 4
_USAGE = shapes.StreamOptions(include_usage=True)
_ENCODER = msgspec.json.Encoder()


def write_request(request: Request, target: Target, losses: Losses) -> bytes:
    """Not written, and no loss: `metadata`, which OpenAI refuses unless the answer is stored; which summary of its
    thinking a client wants, and whether sealed, which no request here can ask for.
    """
    said = shapes.ChatRequest(
        model=target.model,
        messages=write_conversation(request.system, request.turns, target, losses),
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        min_p=request.min_p,
        frequency_penalty=request.frequency_penalty,
        presence_penalty=request.presence_penalty,
        seed=request.seed,
        user=short_user(request.user) or None,
        prompt_cache_key=request.cache_key or None,
    )
    if request.max_output_tokens is not None:
        if target.max_tokens == "max_tokens":
            said.max_tokens = request.max_output_tokens
        else:
            said.max_completion_tokens = request.max_output_tokens
    if request.tools or request.tool_choice is not None:
        write_tools(request, said, target, losses)
    if request.logit_bias is not None:
        said.logit_bias = request.logit_bias
    if request.stop:
        said.stop = list(request.stop[:_MOST_STOPS])
        if len(request.stop) > _MOST_STOPS:
            losses.member("stop", "more than four")
    if request.logprobs:
        said.logprobs = True
        said.top_logprobs = request.top_logprobs or None
    if request.format is not None:
        said.response_format = _format(request.format)
    if request.reasoning is not None:
        said.reasoning_effort = effort(request.reasoning)
    if request.verbosity in ("low", "medium", "high"):
        said.verbosity = request.verbosity  # type: ignore[assignment]  # just compared
    if request.service_tier in _TIERS:
        said.service_tier = request.service_tier
    elif request.service_tier:
        losses.member("service_tier")
    if request.n != 1:
        losses.member("n", "more than one answer")
    if any(each != "text" for each in request.modalities):
        losses.member("modalities")
    if request.stream:
        said.stream = True
        said.stream_options = _USAGE
    return _ENCODER.encode(said)


def _format(form: Format) -> shapes.AnyJson | shapes.SchemaJson:
    if form.kind == "json":
        return shapes.AnyJson()
    return shapes.SchemaJson(
        shapes.JsonSchema(form.name or "answer", form.description or None, form.schema or shapes.NO_RAW, form.strict)
    )
