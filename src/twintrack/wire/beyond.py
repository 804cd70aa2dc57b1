"""What a draft is asked for beyond the client's own words: log-probabilities, another sample. In each dialect.

Each is put into the provider's request, whoever wrote that, and what comes of it is taken out of the answer before the
client's dialect sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from twintrack.wire.body import member_or, with_members
from twintrack.wire.dialect import UNREADABLE

TELL = frozenset(("chat", "responses", "generate"))
"""A provider's endpoints that can be asked for log-probabilities."""
_INCLUDED = "message.output_text.logprobs"
_CONFIG = "generationConfig"
_HOTTEST = {"messages": 1.0}
"""The highest temperature of an endpoint; elsewhere 2."""
_MARKS = {"chat": b'"logprobs"', "responses": b'"logprobs"', "generate": b"ogprobs"}


def with_logprobs(endpoint: str, body: bytes) -> bytes:
    """A request of one of `TELL` that asks for them."""
    if endpoint == "responses":
        wanted: list[str] = msgspec.json.decode(member_or(body, "include", b"null")) or []
        return with_members(body, {"include": _encode([*wanted, _INCLUDED])})
    if endpoint == "generate":
        config = member_or(body, _CONFIG, b"{}")
        return with_members(body, {_CONFIG: with_members(config, {"responseLogprobs": b"true"})})
    return with_members(body, {"logprobs": b"true"})


def with_temperature(endpoint: str, body: bytes, temperature: float) -> bytes:
    """A request drawn at `temperature`, and not from a seed, which would draw the same again."""
    drawn: dict[str, bytes | None] = {"temperature": _encode(min(temperature, _HOTTEST.get(endpoint, 2.0)))}
    if endpoint == "generate":
        config = member_or(body, _CONFIG, b"{}")
        return with_members(body, {_CONFIG: with_members(config, drawn | {"seed": None})})
    return with_members(body, drawn | {"seed": None} if endpoint == "chat" else drawn)


def without_logprobs(endpoint: str, body: bytes) -> bytes:
    """An answer, or one event of it, as it is where nobody asked for them; what cannot be read stays."""
    if _MARKS[endpoint] not in body:
        return body
    try:
        if endpoint == "chat":
            return _without(body, "choices", ("logprobs",))
        if endpoint == "generate":
            return _without(body, "candidates", ("logprobsResult", "avgLogprobs"))
        return _encode(_emptied(msgspec.json.decode(body)))
    except UNREADABLE:
        return body  # whoever reads it next says what is wrong


def event_without_logprobs(endpoint: str, event: bytes, payload: bytes) -> bytes:
    """Likewise, of an event with its name; `payload`: its data."""
    left = without_logprobs(endpoint, payload)
    if left is payload:
        return event
    names = b"".join(line + b"\n" for line in event.splitlines() if line and not line.startswith(b"data:"))
    return b"%bdata: %b\n\n" % (names, left)


def _without(body: bytes, of: str, names: tuple[str, ...]) -> bytes:
    entries = _ENTRIES.decode(member_or(body, of, b"null")) or []
    if not entries:
        return body
    kept = [{name: value for name, value in entry.items() if name not in names} for entry in entries]
    return with_members(body, {of: _encode(kept)})


def _emptied(value: Any) -> Any:
    """Responses: lists of log-probabilities, wherever a part of the answer is repeated, without their members."""
    if isinstance(value, dict):
        return {
            name: [] if name == "logprobs" and isinstance(each, list) else _emptied(each)
            for name, each in value.items()
        }
    return [_emptied(each) for each in value] if isinstance(value, list) else value


_encode: Callable[[Any], bytes] = msgspec.json.Encoder().encode
_ENTRIES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None)
