"""What a provider says when it refuses, read from any of the bodies in use, so that it can be said in every dialect.

{"error": {"message", "type", "param", "code"}}              OpenAI and most who copy it, LiteLLM, llama.cpp
{"type": "error", "error": {"type", "message"}}               Anthropic, and those who speak its dialect
{"error": {"code", "message", "status", "details"}}           Google, alone or in a list
{"error": {"message", "code", "metadata": {"raw"}}}           OpenRouter, with the body of whom it asked
{"error": "text"}, with error_type or code                    Ollama, TGI, xAI
{"object": "error", "message", "type", "param", "code"}       Mistral, older vLLM and SGLang
{"message": "text"}, {"Message": "text"}                      Cohere, AWS
{"detail": "text" or [{"loc", "msg", "type"}]}                FastAPI, Mistral
{"errors": [{"message", "code"}]}                             Cloudflare
plain text, a page of HTML, nothing                           whatever stands in front of them
"""

from __future__ import annotations

import html
import re
from typing import Any, Literal

import msgspec

from twintrack.errors import PromptTooLong, ProviderRefused
from twintrack.wire.dialect import UNREADABLE

_LONGEST = 2000
_HEAD_BYTES = 4096
"""Of a page, where its title is looked for."""


class Refusal(msgspec.Struct, frozen=True):
    status: int
    message: str
    """Never empty, one paragraph, at most 2,000 characters."""
    type: str = ""
    """The provider's own word for the kind of error."""
    code: str = ""
    """A more exact word, if it has one."""
    param: str | None = None
    """The member of the request it is about, as the provider writes it."""


def refusal(status: int, body: bytes) -> Refusal:
    """Read an answer that is no success. Never raises: what cannot be read is quoted."""
    try:
        message, kind, code, param = _read(msgspec.json.decode(body))
    except UNREADABLE:
        return Refusal(status, _paragraph(_plain(body)) or _nothing(status))
    return Refusal(status, _paragraph(message) or _nothing(status), kind, code, param)


class _Message(msgspec.Struct):
    message: str


class _OpenAI(msgspec.Struct):
    error: _Message


class _Anthropic(msgspec.Struct):
    type: Literal["error"]
    error: _Message


_OPENAI = msgspec.json.Decoder(_OpenAI)
_ANTHROPIC = msgspec.json.Decoder(_Anthropic)


def fits(dialect: str, body: bytes) -> bool:
    """Whether clients of `dialect` can read an error of this form. A server that speaks a dialect may still write the
    errors of another, as llama.cpp does (measured with xllamacpp 2026.10.11549), and what stands in front of it pages.
    """
    try:
        (_ANTHROPIC if dialect == "anthropic" else _OPENAI).decode(body)
    except UNREADABLE:
        return False
    return True


def reworded(status: int, body: bytes) -> ProviderRefused:
    """The refusal, to be said in the client's dialect."""
    said = refusal(status, body)
    code = said.code or said.type
    return ProviderRefused(status, said.message, code=code, param=said.param, too_long=_too_long(said.message, code))


_TOO_LONG = tuple(
    re.compile(words)
    for words in (
        r"prompt is too long: (?P<tokens>\d+) tokens > (?P<window>\d+)",  # earendil-works/pi#102: Anthropic
        # crewAIInc/crewAI-examples#121: OpenAI, older vLLM; tailcallhq/forgecode#1143: OpenRouter
        r"maximum context length is (?P<window>\d+) tokens.{,40}(?:resulted in|requested)(?: about)? (?P<tokens>\d+)",
        # measured with xllamacpp 2026.10.11549
        r"request \((?P<tokens>\d+) tokens\) exceeds the available context size \((?P<window>\d+) tokens\)",
        # proxysoul/Empryo#52: vLLM
        r"passed (?P<tokens>\d+) input tokens.{,80}context length is only (?P<window>\d+)",
        # Alishahryar1/free-claude-code#263: SGLang
        r"input \((?P<tokens>\d+) tokens\) is longer than the model's context length \((?P<window>\d+)",
        # google-gemini/gemini-cli#4231
        r"input token count \((?P<tokens>\d+)\) exceeds the maximum number of tokens allowed \((?P<window>\d+)",
        # multica-ai/multica#4130: Kimi
        r"exceeded model token limit: (?P<window>\d+) \(requested: (?P<tokens>\d+)",
    )
)
"""Each from what a server was seen to say; the issues stand at GitHub and were read on 2026-11-20."""


def _too_long(message: str, code: str) -> tuple[int, int] | None:
    """The prompt's tokens and the window's, where that is what was refused; 0 for what was not said."""
    for words in _TOO_LONG:
        if found := words.search(message):
            return int(found["tokens"]), int(found["window"])
    return (0, 0) if code == PromptTooLong.code else None


_Found = tuple[str, str, str, str | None]
"""Message, type, code and param."""


def _read(said: Any) -> _Found:
    if isinstance(said, list):
        return _read(said[0]) if said else ("", "", "", None)
    if not isinstance(said, dict):
        return said if isinstance(said, str) else "", "", "", None
    for wrapped in ("error", "detail", "errors", "message", "Message", "msg"):
        inner = said.get(wrapped)
        if inner:
            break
    else:
        return "", "", "", None
    if isinstance(inner, dict):
        return _merged(_object(inner), said)
    if isinstance(inner, list):
        return _merged(_list(inner), said)
    return _merged((str(inner), "", "", None), said)


def _object(said: dict[str, Any]) -> _Found:
    """The inside of `error`, or Mistral's message that is an object."""
    if "detail" in said and "message" not in said:
        return _read(said)
    message, kind, code, param = said.get("message") or said.get("msg") or said.get("error") or "", "", "", None
    if isinstance(message, dict | list):
        message, kind, code, param = _read(message)
    found = _merged((str(message), kind, code, param), said)
    raw = said.get("metadata")
    raw = raw.get("raw") if isinstance(raw, dict) else None
    if raw:  # a broker's own message only says that there is one
        inner = refusal(0, raw.encode() if isinstance(raw, str) else msgspec.json.encode(raw))
        return f"{found[0]}: {inner.message}", found[1] or inner.type, found[2] or inner.code, found[3] or inner.param
    return found


def _list(faults: list[Any]) -> _Found:
    """FastAPI's faults, each with its place; or Cloudflare's errors."""
    parts = []
    first: _Found = ("", "", "", None)
    for fault in faults[:5]:
        message, kind, code, param = _read(fault) if isinstance(fault, dict) else (str(fault), "", "", None)
        where = _place(fault.get("loc")) if isinstance(fault, dict) else ""
        parts.append(f"{where}: {message}" if where else message)
        if not first[0]:
            first = (message, kind, code, where or param)
    return "; ".join(part for part in parts if part), first[1], first[2], first[3]


def _place(location: Any) -> str:
    """["body", "messages", 0, "name"] as messages[0].name."""
    if not isinstance(location, list):
        return ""
    place = ""
    for part in location:
        if isinstance(part, int):
            place += f"[{part}]"
        elif part != "body":
            place += f".{part}" if place else str(part)
    return place


def _merged(found: _Found, said: dict[str, Any]) -> _Found:
    """`found`, and around it what the object that holds it says of type, code and param."""
    message, kind, code, param = found
    kind = kind or _word(said.get("type")) or _word(said.get("error_type")) or _word(said.get("__type"))
    code = code or _word(said.get("code")) or _word(said.get("status"))
    return message, "" if kind == "error" else kind, code, param or _word(said.get("param")) or None


def _word(value: Any) -> str:
    """A name; numbers as codes only repeat the status."""
    return value if isinstance(value, str) and len(value) <= 200 and not value.isdigit() else ""


def _plain(body: bytes) -> str:
    text = body[: 8 * _LONGEST].decode("utf-8", "replace")
    if text.lstrip()[:1] != "<":
        return text
    title = _title(body[:_HEAD_BYTES])
    return "The answer is a page: " + ("without a title" if title is None else html.unescape(title))


def _title(head: bytes) -> str | None:
    small = head.lower()
    tag = small.find(b"<title")
    start = small.find(b">", tag) + 1 if tag >= 0 else 0
    end = small.find(b"</title>", start) if start else -1
    return head[start:end].decode("utf-8", "replace") if end >= 0 else None


def _paragraph(text: str) -> str:
    words = " ".join(text[: 8 * _LONGEST].split())[:_LONGEST]
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in words)


def _nothing(status: int) -> str:
    return f"The provider answered {status} and said no more" if status else "It said no more"
