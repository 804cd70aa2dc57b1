"""Bodies on disk, as each dialect says each feature, and what becomes of them on the way from one dialect to another.

    golden/requests/FEATURE.DIALECT.json          what the dialect's writer makes of the feature; absent: it cannot
    golden/requests/FEATURE.DIALECT.client.json   by hand: how its clients say it, where its writer says it otherwise
    golden/requests/FEATURE.CLIENT-PROVIDER.json  the client's body as written for the provider, where that is not
                                                  FEATURE.PROVIDER.json, since a hint or a word is missing
    golden/requests/losses.json                   by feature, client and model: what cannot be carried

UPDATE_GOLDEN=1 writes the derived files again; each is then to be read against the vendor's documentation.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import Raw
from pairs.features import FEATURES, Feature

from twintrack.errors import BadRequest
from twintrack.wire.canonical import custom
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import File, Image, Media, Part, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.canonical.sides import ClientSide, ProviderSide
from twintrack.wire.dialect import KEPT_ELSEWHERE, decode
from twintrack.wire.dialects import chat, gemini, messages, responses
from twintrack.wire.endpoints import BY_NAME
from twintrack.wire.passage import Conversation, Translated

GOLDEN = Path(__file__).parents[1] / "golden"
UPDATE = os.environ.get("UPDATE_GOLDEN") == "1"


@dataclass(frozen=True)
class Dialect:
    provider: ProviderSide
    targets: tuple[Target, ...]
    """Of each kind of model that takes something else, one; the first stands for the others wherever it can."""
    endpoint: str
    client: ClientSide | None = None


DIALECTS: Mapping[str, Dialect] = {
    "chat": Dialect(
        chat.PROVIDER,
        (Target("gpt-5.4", custom_tools=True), Target("deepseek-chat", thinking="reasoning_content")),
        "chat",
        chat.CLIENT,
    ),
    "messages": Dialect(
        messages.PROVIDER,
        (Target("claude-haiku-5-5"), Target("claude-sonnet-4-5"), Target("claude-opus-5-5")),
        "messages",
        messages.CLIENT,
    ),
    "responses": Dialect(responses.PROVIDER, (Target("gpt-5.4"),), "responses", responses.CLIENT),
    "gemini": Dialect(
        gemini.PROVIDER,
        (Target("gemini-3-flash-preview"), Target("gemini-2.5-flash"), Target("gemini-3.8-flash")),
        "generate",
    ),
}
CLIENTS = tuple(name for name, dialect in DIALECTS.items() if dialect.client is not None)
PAIRS = tuple((client, provider) for client in CLIENTS for provider in DIALECTS if client != provider)
P = TypeVar("P", bound=Part)
BY_FEATURE: Mapping[str, Feature] = {feature.name: feature for feature in FEATURES}


def client_side(dialect: str) -> ClientSide:
    side = DIALECTS[dialect].client
    assert side is not None
    return side


# ---- files


def check(path: Path, text: str | None) -> None:
    """Whether the file holds `text`, or is absent for None; with UPDATE_GOLDEN=1 it is written instead."""
    if UPDATE:
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
        return
    stands = path.read_text() if path.exists() else None
    assert stands == text, f"{path.name} is another now; UPDATE_GOLDEN=1 writes it again"


def pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def request_path(name: str) -> Path:
    return GOLDEN / "requests" / f"{name}.json"


# ---- requests


@dataclass(frozen=True)
class Written:
    body: dict[str, Any]
    target: Target
    whole: bool
    """Reading it gives the feature again."""


def written(feature: Feature, dialect: str) -> Written | None:
    """For the first model that takes all of it, best one that can be read again; None: there is none."""
    found: Written | None = None
    side = DIALECTS[dialect]
    for target in side.targets:
        losses = Losses()
        body = json.loads(side.provider.write_request(feature.request, target, losses))
        if losses.found or feature.request.unsaid:
            continue
        whole = side.client is not None and means(side.client, body) == normal(feature.request)
        if whole or found is None:
            found = Written(body, target, whole)
        if whole:
            break
    return found


def means(client: ClientSide, body: Mapping[str, Any]) -> Request:
    return normal(client.read_request(compact(body), False)[0])


def said_by_client(feature: Feature, dialect: str) -> dict[str, Any] | None:
    """The body of a client that asks for it; None: it has no words for it."""
    by_hand = request_path(f"{feature.name}.{dialect}.client")
    if by_hand.exists():
        return json.loads(by_hand.read_text())
    ours = written(feature, dialect)
    return ours.body if ours is not None and ours.whole else None


@dataclass(frozen=True)
class Crossing:
    """A client's body, for a provider."""

    body: dict[str, Any] | None
    """None: refused."""
    lost: tuple[str, ...] = ()
    """What is named to the client, by its own paths."""


def crossing(body: Mapping[str, Any], client: str, provider: str, target: Target, drop: bool = False) -> Crossing:
    data = compact(body)
    endpoint = BY_NAME[client]
    conversation = Conversation(client_side(client), data, drop, "tt-1")
    passage = Translated(conversation, DIALECTS[provider].provider, provider, "")
    try:
        sent = passage.body(decode(endpoint, data), data, target)
    except BadRequest as error:
        if drop and error.param in KEPT_ELSEWHERE:  # that is never left out
            return Crossing(None, (error.param,))
        if drop:
            raise
        return Crossing(None, crossing(body, client, provider, target, True).lost)
    return Crossing(json.loads(sent), passage.dropped)


# ---- canonical requests that mean the same


def normal(request: Request) -> Request:
    """Without what a way of saying it adds: positions, names of models and formats, spaces in JSON, and defaults that
    one dialect must say and another leaves out."""
    choice = request.tool_choice
    if choice is not None and choice == ToolChoice("auto"):
        choice = None
    return msgspec.structs.replace(
        request,
        model="",
        turns=tuple(_turn(turn) for turn in request.turns),
        tools=tuple(_tool(tool) for tool in request.tools),
        tool_choice=choice,
        format=None if request.format is None else _format(request.format),
        reasoning=None if request.reasoning is None else _reasoning(request.reasoning),
    )


def _turn(turn: Turn) -> Turn:
    parts: list[Part] = []
    for part in turn.parts:
        if isinstance(part, ToolCall):
            if part.signature and not (parts and isinstance(parts[-1], Thinking) and parts[-1].signature):
                parts.append(Thinking("", part.signature))  # the two places that it has
            arguments = part.arguments if part.custom else tight(Raw(part.arguments.encode()))
            part = msgspec.structs.replace(part, signature="", arguments=arguments)
        elif isinstance(part, Thinking):
            part = msgspec.structs.replace(part, id="")
        elif isinstance(part, Text) and part.citations:
            sources = tuple(msgspec.structs.replace(each, raw=Raw(b"")) for each in part.citations)
            part = msgspec.structs.replace(part, citations=sources)
        elif isinstance(part, ToolResult):
            part = msgspec.structs.replace(part, parts=tuple(_medium(inner) for inner in part.parts))
        parts.append(_medium(part))
    return Turn(turn.role, tuple(parts), 0, turn.name)


def _medium(part: P) -> P:
    if isinstance(part, Image):
        return Image(_media(part.media), "" if part.detail == "auto" else part.detail, part.cache)
    if isinstance(part, File):
        return msgspec.structs.replace(part, media=_media(part.media))
    return part


def _media(media: Media) -> Media:
    return Media(url=media.url) if media.url else media


def _reasoning(reasoning: Reasoning) -> Reasoning:
    """Whoever names an effort leaves the rest to the model."""
    return msgspec.structs.replace(reasoning, adaptive=reasoning.adaptive and reasoning.effort is None)


def _tool(tool: Tool) -> Tool:
    if tool.kind == "server":
        return Tool("", kind="server")
    form = custom.grammar(tool)
    raw = Raw(b"") if form is None else Raw(compact({"format": msgspec.to_builtins(form)}))
    schema = Raw(tight(tool.schema).encode())
    return msgspec.structs.replace(tool, schema=schema, raw=raw, strict=tool.strict or None)


def _format(form: Format) -> Format:
    name = "" if form.name == "answer" else form.name
    return msgspec.structs.replace(form, schema=Raw(tight(form.schema).encode()), name=name)


def tight(raw: Raw) -> str:
    return compact(json.loads(bytes(raw))).decode() if raw else ""
