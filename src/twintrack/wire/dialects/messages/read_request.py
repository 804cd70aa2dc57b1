"""A client's messages request to the canonical form."""

from __future__ import annotations

from operator import attrgetter
from typing import Literal

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical.parts import Text
from twintrack.wire.canonical.request import Format, Reasoning, Request
from twintrack.wire.canonical.strict import strictly
from twintrack.wire.dialects.messages import shapes
from twintrack.wire.dialects.messages.media import life
from twintrack.wire.dialects.messages.read_conversation import Conversation
from twintrack.wire.dialects.messages.read_tools import read_choice, read_tools
from twintrack.wire.messages import THREAD

NAMES = {
    "turns": "messages",
    "max_output_tokens": "max_tokens",
    "stop": "stop_sequences",
    "format": "output_config.format",
    "reasoning": "thinking",
    "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    "user": "metadata.user_id",
    "stream_usage": "stream",
}

_UNSAID = ("container", "mcp_servers", "compaction", "billing_policy")
_unsaid = attrgetter(*_UNSAID)
_SILENT = (shapes.NO_RAW,) * len(_UNSAID)
"""What the provider keeps for the client, asks of others for it, or writes to another's account."""
# Hints, beyond cache markers and what canonical/request.py lists:
# - context_management has the provider clear old results of tools, or sum up, to save context. Without it the model
#   sees all of the conversation.
# - fallbacks and fallback_credit_token say which model of the provider may answer where one refuses, and its price;
#   the gateway has fallbacks of its own.
# - speed is the same model at another price; diagnostics adds to the answer why the cache was missed.
# - effort beside thinking that is turned off: how wordy an answer is.
_ATTRIBUTION = "x-anthropic-billing-header:"
"""Claude Code's first system block: whose request it is, for Anthropic's API, which takes it out. A model has no use
for it, and it changes with each request, so no other provider's prompt cache would ever hit
(code.claude.com/docs/en/llm-gateway-protocol, 2026-11)."""
_FEWEST_TO_THINK = 1024


def read_request(body: bytes, drop: bool) -> tuple[Request, tuple[str, ...]]:
    asked, left_out = strictly(shapes.MessagesRequest, body, drop)
    dropped: list[str] = list(left_out)
    if shapes.is_said(asked.thread):
        # At once and whatever may be dropped: messages that continue a thread are no whole conversation.
        raise BadRequest(
            f"{THREAD} cannot be carried",
            why="the conversation would be kept by a provider of another dialect, and none does",
            fix="Send the whole conversation.",
            param=THREAD,
        )
    unsaid: list[str] = []
    if _unsaid(asked) != _SILENT:
        unsaid = [f"$.{name}" for name in _UNSAID if shapes.is_said(getattr(asked, name))]
    if asked.inference_geo not in (None, "global"):
        unsaid.append("$.inference_geo")
    conversation = Conversation(unsaid)
    turns = conversation.read(asked.messages)
    tools = read_tools(asked.tools, drop, dropped, unsaid) if asked.tools else ()
    choice = parallel = None
    if asked.tool_choice is not None:
        choice, parallel = read_choice(asked.tool_choice, tools)
    metadata = asked.metadata
    request = Request(
        model=asked.model,
        turns=turns,
        system=_system(asked.system) if asked.system else (),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=parallel,
        max_output_tokens=_max_tokens(asked.max_tokens, unsaid),
        temperature=None if asked.temperature == 1 else asked.temperature,
        top_p=None if asked.top_p == 1 else asked.top_p,
        top_k=asked.top_k if asked.top_k is None or asked.top_k > 0 else None,
        stop=_stop(asked.stop_sequences) if asked.stop_sequences else (),
        format=_format(asked),
        reasoning=_reasoning(asked, conversation),
        service_tier="default" if asked.service_tier == "standard_only" else asked.service_tier or "",
        user=_user(metadata, drop, dropped) if metadata else "",
        stream=asked.stream is True,
        stream_usage=asked.stream is True,
        unsaid=(),
    )
    if asked.output_config is not None and shapes.is_said(asked.output_config.task_budget):
        unsaid.append("$.output_config.task_budget")
    if unsaid:
        request = msgspec.structs.replace(request, unsaid=tuple(unsaid))
    return request, tuple(dropped)


def _max_tokens(said: int, unsaid: list[str]) -> int:
    if said < 0:
        raise BadRequest("$.max_tokens: must be at least 0", param="$.max_tokens")
    if said == 0:  # fill the prompt cache and do not answer: one token comes nearest
        unsaid.append("$.max_tokens")
        return 1
    return said


def _system(said: str | list[shapes.Text]) -> tuple[Text, ...]:
    if isinstance(said, str):
        return (Text(said),)
    texts: list[Text] = []
    for number, block in enumerate(said):
        if not block.text:
            path = f"$.system[{number}].text"
            raise BadRequest(f"{path}: text blocks must be non-empty", param=path)
        if number == 0 and block.text.startswith(_ATTRIBUTION):
            continue
        texts.append(Text(block.text, life(block.cache_control)))
    return tuple(texts)


def _stop(said: list[str]) -> tuple[str, ...]:
    for number, sequence in enumerate(said):
        if not sequence.strip():
            path = f"$.stop_sequences[{number}]"
            raise BadRequest(f"{path}: must contain more than white space", param=path)
    return tuple(said)


def _format(asked: shapes.MessagesRequest) -> Format | None:
    config = asked.output_config
    said, path = (None if config is None else config.format), "$.output_config.format"
    older = asked.output_format
    if said is not None and older is not None:
        raise BadRequest("$.output_format: cannot stand beside output_config.format", param="$.output_format")
    if said is None:
        said, path = older, "$.output_format"
    if said is None:
        return None
    if not bytes(said.schema).startswith(b"{"):
        raise BadRequest(f"{path}.schema: a JSON Schema is an object", param=f"{path}.schema")
    # The vendor holds its model to the schema, which others do only if asked to be strict.
    return Format("json_schema", said.schema, strict=True)


def _reasoning(asked: shapes.MessagesRequest, conversation: Conversation) -> Reasoning | None:
    effort = conversation.effort
    if effort is None and asked.output_config is not None:
        effort = asked.output_config.effort
    thinking = asked.thinking
    if thinking is None:
        return None if effort is None else Reasoning(effort)
    if isinstance(thinking, (shapes.ThinkingDisabled, shapes.ThinkingBetweenTools)):
        return Reasoning("none")
    show = _SHOWN[thinking.display]
    if isinstance(thinking, shapes.ThinkingAdaptive):
        return Reasoning(effort, None, True, show)
    if thinking.budget_tokens < _FEWEST_TO_THINK:
        path = "$.thinking.budget_tokens"
        raise BadRequest(f"{path}: must be at least {_FEWEST_TO_THINK}", param=path)
    return Reasoning(effort, thinking.budget_tokens, False, show)


_SHOWN: dict[shapes.Display | None, Literal["", "auto", "concise", "none"]] = {
    None: "",
    "summarized": "auto",
    "omitted": "none",
    "updates": "concise",
}


def _user(metadata: dict[str, msgspec.Raw], drop: bool, dropped: list[str]) -> str:
    user = ""
    for name, raw in metadata.items():
        path = f"$.metadata.{name[:80]}"
        if name == "user_id":
            try:
                user = _TEXT.decode(raw) or ""
            except msgspec.ValidationError:
                raise BadRequest(f"{path}: must be a text", param=path) from None
        elif not name.startswith("twintrack_"):
            if not drop:
                raise BadRequest(f"{path} is not known: metadata has a user_id and no more", param=path)
            dropped.append(path)
    return user


_TEXT = msgspec.json.Decoder(str | None)
