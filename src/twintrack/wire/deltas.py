"""Where the pieces of longer texts stand in a client's events, and which texts end in one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

Key = tuple[object, ...]
"""Which text a piece belongs to. The first says what ends it: an answer, a block, an item."""
Ends = tuple[object, ...] | None
"""First words of the keys of texts that nothing follows; None: all of them."""


class Delta(NamedTuple):
    key: Key
    holder: dict[str, Any]
    member: str
    """Of the holder; a string."""
    json: bool
    """The text is JSON."""


_JSON = frozenset(("arguments", "partial_json"))
_TEXTS = frozenset(("content", "text"))
_CHAT = frozenset(
    ("content", "text", "reasoning_content", "reasoning", "refusal", "thinking", "arguments", "input", "transcript")
)
_RESPONSES_OVER = frozenset(("response.completed", "response.incomplete", "response.failed", "error"))


def json_members(json_texts: bool) -> frozenset[str]:
    """Names of members that hold JSON in a string; `json_texts`: the answer's text was asked for as JSON."""
    return _JSON | _TEXTS if json_texts else _JSON


def _chat(event: dict[str, Any], json: frozenset[str]) -> tuple[list[Delta], Ends]:
    """Of OpenAI's chunks, and whatever else servers that speak like it put into a delta."""
    found: list[Delta] = []
    over: list[object] = []
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        if isinstance(choice, dict):
            index = choice.get("index", 0)
            found += [
                Delta((index, *path, member), holder, member, member in json)
                for path, holder, member in _within((), choice.get("delta"))
            ]
            if choice.get("finish_reason") is not None:
                over.append(index)
    return found, tuple(over)


def _within(path: Key, value: Any) -> Iterator[tuple[Key, dict[str, Any], str]]:
    if isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str):
                if key in _CHAT:
                    yield path, value, key
            else:
                yield from _within((*path, key), each)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            own = each.get("index", each.get("type", at)) if isinstance(each, dict) else at
            yield from _within((*path, own), each)


def _messages(event: dict[str, Any], json: frozenset[str]) -> tuple[list[Delta], Ends]:
    kind, index, delta = event.get("type"), event.get("index"), event.get("delta")
    if kind == "content_block_delta" and isinstance(delta, dict):
        members = [name for name in ("text", "thinking", "partial_json") if isinstance(delta.get(name), str)]
        return [Delta((index, member), delta, member, member in json) for member in members], ()
    if kind == "ping":
        return [], ()
    return [], (index,) if kind == "content_block_stop" else None


def _responses(event: dict[str, Any], json: frozenset[str]) -> tuple[list[Delta], Ends]:
    kind, item = str(event.get("type")), event.get("output_index")
    if kind.endswith(".delta") and isinstance(event.get("delta"), str):
        key = (item, kind, event.get("content_index"), event.get("summary_index"))
        return [Delta(key, event, "delta", "arguments" in kind or ("text" in json and "output_text" in kind))], ()
    if kind.endswith(".done"):
        return [], (item,)
    return [], None if kind in _RESPONSES_OVER else ()


DELTAS: Mapping[str, Callable[[dict[str, Any], frozenset[str]], tuple[list[Delta], Ends]]] = {
    "openai": _chat,
    "anthropic": _messages,
    "responses": _responses,
}
"""By the client's dialect."""
