"""The canonical form to a messages request."""

from __future__ import annotations

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Request, Target
from twintrack.wire.dialects.messages import shapes
from twintrack.wire.dialects.messages.marks import Marks
from twintrack.wire.dialects.messages.model import Model, model
from twintrack.wire.dialects.messages.thinking import Thought, thought
from twintrack.wire.dialects.messages.write_conversation import Written
from twintrack.wire.dialects.messages.write_tools import write_choice, write_tools

_MAX_TOKENS = 8192
"""Where neither client nor catalogue says how long an answer may be, and the dialect must."""
_LONGEST_USER = 256
_TIERS = {"auto": "auto", "default": "standard_only", "standard_only": "standard_only"}
_LOST = ("seed", "min_p", "logit_bias")
_ENCODER = msgspec.json.Encoder()


def write_request(request: Request, target: Target, losses: Losses) -> bytes:
    return _ENCODER.encode(body(request, target, losses))


def body(request: Request, target: Target, losses: Losses) -> shapes.MessagesRequest:
    """Before it is JSON."""
    takes = model(target.model)
    marks = Marks(request)
    tools, callable = write_tools(request, marks, losses)
    choice = write_choice(request, tools, callable, takes, losses)
    written = Written(takes, marks, losses)
    written.write(request)
    begun = _begun(written, request, takes, losses)
    if not written.messages and not losses.found:
        raise BadRequest(
            "The conversation is empty", why="this provider needs at least one message that says something"
        )
    said = shapes.MessagesRequest(
        model=target.model,
        max_tokens=_max_tokens(request, target),
        messages=written.messages,
        system=_system(written.system),
        tools=_raw(tools),
        tool_choice=choice,
    )
    forced = isinstance(choice, (shapes.AnyChoice, shapes.ToolChoice))
    thinks = thought(request, takes, said.max_tokens, forced, begun, losses)
    said.thinking = thinks.config
    said.output_config = _output(request, thinks, takes, losses)
    _sample(request, said, thinks.on, takes, losses)
    _lose(request, losses)
    if request.stop:
        said.stop_sequences = _stop(request.stop, losses)
    if request.user and len(request.user) <= _LONGEST_USER:
        said.metadata = {"user_id": msgspec.Raw(_ENCODER.encode(request.user))}
    if request.service_tier:
        tier = _TIERS.get(request.service_tier)
        if tier is None:
            losses.member("service_tier")
        else:
            said.service_tier = tier  # type: ignore[assignment]  # one of the two
    if request.stream:
        said.stream = True
    return said


def _max_tokens(request: Request, target: Target) -> int:
    """No more than the model gives: the vendor refuses a larger number."""
    tokens, most = request.max_output_tokens, target.max_output_tokens
    if tokens is None:
        return most or _MAX_TOKENS
    return min(tokens, most) if most else tokens


def _begun(written: Written, request: Request, takes: Model, losses: Losses) -> bool:
    """Whether the answer's beginning stands at the end, which only older models go on from."""
    last = written.messages[-1] if written.messages else None
    if not isinstance(last, shapes.Assistant):
        return False
    if not takes.prefill:
        losses.turn(request.turns[-1].at, "the beginning of an answer, as the last message")
        written.messages.pop()
        return False
    # The vendor refuses white space at its end.
    if isinstance(last.content, str):
        last.content = last.content.rstrip() or "."
    elif isinstance(block := last.content[-1], shapes.Text):
        last.content[-1] = shapes.Text(block.text.rstrip() or ".", cache_control=block.cache_control)
    return True


def _system(texts: list[shapes.Text]) -> str | list[shapes.Text] | None:
    if len(texts) == 1 and texts[0].cache_control is None:
        return texts[0].text
    return texts or None


def _raw(tools: list[shapes.Tool]) -> list[msgspec.Raw] | None:
    return [msgspec.Raw(_ENCODER.encode(tool)) for tool in tools] or None


def _output(request: Request, thinks: Thought, takes: Model, losses: Losses) -> shapes.OutputConfig | None:
    form = request.format
    said = None
    if form is not None:
        if form.kind == "json_schema" and form.schema and takes.formats:
            said = shapes.Format("json_schema", form.schema)
        else:
            losses.member("format", "any JSON" if form.kind == "json" else "this model cannot be held to a schema")
    if said is None and thinks.effort is None:
        return None
    return shapes.OutputConfig(thinks.effort, said)


def _sample(request: Request, said: shapes.MessagesRequest, thinks: bool, takes: Model, losses: Losses) -> None:
    """What is the vendor's own default is not written: newer models refuse anything else."""
    temperature, top_p, top_k = request.temperature, request.top_p, request.top_k
    if not takes.sampling:
        if temperature not in (None, 1):
            losses.member("temperature", "this model takes none but 1")
        if top_p not in (None, 1):
            losses.member("top_p", "this model takes none")
        if top_k is not None:
            losses.member("top_k", "this model takes none")
        return
    if temperature is not None and temperature > 1:
        losses.member("temperature", "above 1")
        temperature = 1
    if thinks:
        # While it thinks: a temperature of 1, top_p from 0.95 on, and no top_k (guide to extended thinking, 2026-11).
        if temperature not in (None, 1):
            losses.member("temperature", "other than 1, together with thinking")
            temperature = None
        if top_p is not None and top_p < 0.95:
            losses.member("top_p", "below 0.95, together with thinking")
            top_p = None
        if top_k is not None:
            losses.member("top_k", "together with thinking")
            top_k = None
    said.temperature = None if temperature == 1 else temperature
    said.top_p = top_p
    said.top_k = top_k


def _lose(request: Request, losses: Losses) -> None:
    for name in _LOST:
        if getattr(request, name) is not None:
            losses.member(name)
    if request.frequency_penalty:
        losses.member("frequency_penalty")
    if request.presence_penalty:
        losses.member("presence_penalty")
    if request.n != 1:
        losses.member("n", "more than one answer")
    if request.logprobs:
        losses.member("logprobs")
    if any(each != "text" for each in request.modalities):
        losses.member("modalities")


def _stop(said: tuple[str, ...], losses: Losses) -> list[str] | None:
    sequences = [each for each in said if each.strip()]
    if len(sequences) < len(said):
        losses.member("stop", "a sequence of white space only")
    return sequences or None
