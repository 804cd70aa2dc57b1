"""Every text of a request, wherever it stands, and everything that cannot be read as text.

One walk over the JSON serves all dialects: a member nobody knows is read like the others, so that what a vendor adds
tomorrow is not overlooked. Long texts stand alone. Short members of an object are read together, a line each with their
name, since the name says what the value is: `ssn: 078-05-1120`.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from twintrack.signals.sensitivity.encoded import as_text, following
from twintrack.signals.sensitivity.finding import UnscannableKind
from twintrack.signals.sensitivity.pieces import Malformed, pieces
from twintrack.signals.sensitivity.seams import Seams
from twintrack.signals.sensitivity.surface import Part, Surface, Unscannable
from twintrack.wire.canonical.media import split_data_url

_ALONE = 120
"""Characters from which on a text is read by itself."""
_ALWAYS_ALONE = frozenset(
    ("content", "text", "input", "instructions", "system", "prompt", "arguments", "output", "thinking", "refusal",
     "description", "code", "query", "partial_json", "delta")
)  # fmt: skip
_SEALED = frozenset(("encrypted_content", "signature", "thoughtSignature", "thought_signature"))
"""A provider's own words under its own seal. Under these names anybody may write anything: what is no seal is read."""
_SEAL = re.compile(r"(?:twintrack\.\w+\.|[\w.\-]*#[\w.:/\-]*#)?([A-Za-z0-9+/_\-]{64,}={0,2})$")
"""Base64, behind the mark that says whose it is where a request goes from one dialect to another."""
_ELSEWHERE = frozenset(
    ("previous_response_id", "conversation", "thread", "cachedContent", "cached_content", "container")
)
"""Members of a request that stand for content which a provider keeps; deeper down they are names like others."""
_FILES = frozenset(("file_id", "fileUri", "file_uri"))
_HOLDS_FILES = frozenset(("file", "source", "image_file", "image_url", "fileData", "file_data"))
_MEDIA: Mapping[str, UnscannableKind] = {
    "image_url": "image", "input_image": "image", "image": "image", "computer_screenshot": "image",
    "input_audio": "audio", "audio": "audio", "video_url": "video", "video": "video", "input_video": "video",
    "file": "file", "input_file": "file", "document": "file", "image_file": "image", "container_upload": "file",
}  # fmt: skip
_MAGIC: tuple[tuple[bytes, UnscannableKind], ...] = (
    (b"\x89PNG", "image"), (b"\xff\xd8\xff", "image"), (b"GIF8", "image"), (b"BM", "image"), (b"II*\x00", "image"),
    (b"MM\x00*", "image"), (b"%PDF", "file"), (b"PK\x03\x04", "file"), (b"\xd0\xcf\x11\xe0", "file"),
    (b"ID3", "audio"), (b"OggS", "audio"), (b"fLaC", "audio"), (b"\xff\xfb", "audio"), (b"RIFF", "audio"),
    (b"\x1aE\xdf\xa3", "video"), (b"\x1f\x8b", "file"),
)  # fmt: skip
_BASE64 = re.compile(r"[A-Za-z0-9+/_\-]{256,}={0,2}$")
_DATA_URL = re.compile(r"data:([\w.+\-]+/[\w.+\-]+)?(?:;[\w=.\-]+)*;base64,", re.IGNORECASE)
_MOST_MEMBERS, _MOST_OBJECTS, _MOST_COMMAS = 100_000, 200_000, 1_000_000
"""In a body: one value of it is decoded at once, and with more that takes longer than others may wait."""
_PAUSE = 32
"""Members between two pauses: some 50 µs."""
_ROLE_AND_CONTENT = 2
_NO_CHARACTER = "\ufffd"
_TOKENS = 8
"""So many numbers in a row as an embedding's input are tokens."""


def surfaces(body: bytes) -> tuple[Surface | Unscannable, ...]:
    """Of a request's body in any dialect. A body that cannot be read is itself unscannable."""
    try:
        return tuple(each for each in reading(body) if each is not None)
    except (Malformed, RecursionError):
        return (Unscannable("$", "error"),)


def reading(body: bytes) -> Iterator[Surface | Unscannable | None]:
    """The same, piece by piece, for whoever has no time to read all of it at once: None is a place to pause at.

    Where two texts meet follows them, if something may lie across.

    Raises:
        Malformed: not everybody would read the same in it.
        RecursionError: it is nested too deeply.
    """
    seams = Seams()
    for each in _apart(body):
        yield each
        if isinstance(each, Surface) and each.parts and each.parts[0].path == each.path:
            yield from seams.add(each)


def _apart(body: bytes) -> Iterator[Surface | Unscannable | None]:
    """Texts by themselves.

    Each turn has its own surfaces, and what it says does not change when the conversation goes on: a verdict on one can
    be kept.

    Raises:
        Malformed: not everybody would read the same in it.
        RecursionError: it is nested too deeply.
    """
    if len(body) > _MOST_MEMBERS and (
        body.count(b'":') > _MOST_MEMBERS or body.count(b"{") > _MOST_OBJECTS or body.count(b",") > _MOST_COMMAS
    ):
        yield Unscannable("$", "too_large")
        return
    rest = _Lines("$")
    for key, place, value in pieces(body):
        if key in _QUIET and place < 0 and _is_quiet(key, value):
            continue
        path = f"$.{key}" if _PLAIN_KEY.match(key) else f"$[{msgspec.json.encode(key).decode()}]"
        if place >= 0:
            path = f"{path}[{place}]"
            said = _said(value)
            if said is not None:
                yield from _text(said, f"{path}.content", "content") if said else ()
                continue
            lines = _Lines(path)
            yield from _value(value, path, "", lines)
            yield from lines.surface()
        elif not key:
            yield from _value(value, "$", "", rest)
        elif isinstance(value, dict | list):
            lines = _Lines(path)
            lines.name(key)
            if (key in _ELSEWHERE or key == "prompt") and isinstance(value, dict) and value:
                yield Unscannable(path, "elsewhere")
            yield from _value(value, path, key, lines)
            yield from lines.surface()
        else:
            yield from _members({key: value}, "$", "", rest)
    yield from rest.surface()


def _is_quiet(key: str, value: Any) -> bool:
    """Whether a member of the request itself says nothing, neither its name nor its value."""
    if isinstance(value, bool):
        return key in _KNOWN
    return isinstance(value, str | int | float) and says_nothing(key, value) and len(str(value)) < _ALONE


def _said(turn: Any) -> str | None:
    """What a turn says that says nothing else, as most do; None: it may hold more."""
    if not isinstance(turn, dict) or len(turn) != _ROLE_AND_CONTENT:
        return None
    role, content = turn.get("role"), turn.get("content")
    if not isinstance(role, str) or not isinstance(content, str) or not says_nothing("role", role):
        return None
    return content


def _value(value: Any, path: str, name: str, lines: _Lines) -> Iterator[Surface | Unscannable | None]:
    if isinstance(value, dict):
        kind = _media_kind(value)
        yield from _members(value, path, name, lines)
        if value.get("type") == "item_reference":
            yield Unscannable(path, "elsewhere")
        if kind is not None:
            yield from _media(value, path, kind)
    elif isinstance(value, list):
        yield from _array(value, path, name, lines)
    elif isinstance(value, str) and value:
        yield from _text(value, path, name)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        lines.add(name, _digits(value), path)


def _members(members: dict[str, Any], path: str, name: str, lines: _Lines) -> Iterator[Surface | Unscannable | None]:
    before = "" if name in _KNOWN else name
    free = _FREE.search(path) is not None
    for at, (key, value) in enumerate(members.items()):
        if at % _PAUSE == _PAUSE - 1:
            yield None
        place = f"{path}.{key}" if _PLAIN_KEY.match(key) else f"{path}[{msgspec.json.encode(key).decode()}]"
        if key in _SEALED and isinstance(value, str) and _is_sealed(value):
            lines.name(key)
            yield Unscannable(place, "sealed")
            continue
        if (key in _ELSEWHERE and path == "$" and value) or (
            key in _FILES and isinstance(value, str) and (name in _HOLDS_FILES or _may_be_media(members))
        ):
            yield Unscannable(place, "elsewhere")
        if isinstance(value, dict | list):
            lines.name(key)
            yield from _value(value, place, key, lines)
        elif isinstance(value, str) and (len(value) >= _ALONE or key in _ALWAYS_ALONE):
            lines.name(key)
            if value:
                yield from _text(value, place, key)
        elif isinstance(value, str | int | float) and not isinstance(value, bool):
            if free or not says_nothing(key, value):
                lines.add(f"{before} {key}".strip(), value if isinstance(value, str) else _digits(value), place)
        else:
            lines.name(key)


def _digits(value: float) -> str:
    """As a person writes it: numbers from tables come as 4111111111111111.0."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else str(value)


_EXACT = 2**53
_FREE = re.compile(r"(?<!\$)\.input(?![\w\-])|\.(?:args|metadata|variables)(?![\w\-])")
"""Paths into what callers and tools name as they like: there `type` and `id` are words like others."""
_NUMBERS = re.compile(r"\d{4}")
_WORD = re.compile(r"[a-z][a-z0-9_.\-]{0,40}$")
_OUR_IDS = re.compile(r"(?:call|toolu|msg|fc|resp|rs|chatcmpl|ctc|run)_?[\w\-]{0,64}$")


def says_nothing(key: str, value: str | int | float) -> bool:
    """What only the protocol speaks of: a role, a small number, the id of a call."""
    if value == "":
        return key in _KNOWN
    if not isinstance(value, str):
        return key in _SETTINGS or (key in _KNOWN and _NUMBERS.search(str(value)) is None)
    return (key in _WORDS and _WORD.match(value) is not None) or (key in _IDS and _OUR_IDS.match(value) is not None)


_SETTINGS = frozenset(
    ("max_tokens", "max_completion_tokens", "max_output_tokens", "temperature", "top_p", "top_k", "n", "seed",
     "presence_penalty", "frequency_penalty", "top_logprobs", "budget_tokens", "dimensions", "maxOutputTokens",
     "topP", "topK", "candidateCount")
)  # fmt: skip
_WORDS = frozenset(("role", "type", "model", "object", "detail", "media_type", "mimeType", "mode", "effort", "format"))
_IDS = frozenset(("id", "tool_call_id", "tool_use_id", "call_id"))
_QUIET = _SETTINGS | {"model", "stream"}
"""Members of a request itself that mostly say nothing."""
_PLAIN_KEY = re.compile(r"[\w\-]{1,80}$")
_KNOWN = _ALWAYS_ALONE | frozenset(
    ("role", "type", "messages", "tools", "tool_calls", "function", "parameters", "properties", "items", "required",
     "name", "id", "model", "stream", "metadata", "contents", "parts", "source", "tool_choice", "choices", "delta",
     "input_schema", "schema", "functionCall", "functionResponse", "args", "response", "generationConfig", "enum",
     "additionalProperties", "strict", "cache_control", "response_format", "json_schema", "stop", "user", "include")
)  # fmt: skip
"""Names of members that the dialects use: nothing is said by them."""


def _array(values: list[Any], path: str, name: str, lines: _Lines) -> Iterator[Surface | Unscannable | None]:
    if len(values) >= _TOKENS and all(type(value) is int for value in values):
        yield Unscannable(path, "tokens")
        return
    for at, value in enumerate(values):
        if at % _PAUSE == _PAUSE - 1:
            yield None
        place = f"{path}[{at}]"
        if isinstance(value, str) and value and len(value) < _ALONE and name not in _ALWAYS_ALONE:
            lines.add("" if name in _KNOWN else name, value, place)
        else:
            yield from _value(value, place, name, lines)


def _text(text: str, path: str, name: str) -> Iterator[Surface | Unscannable | None]:
    """A text, what is encoded in it, or what it is if it is no text."""
    if is_blob(text):
        yield from _encoded(text, path)
        return
    yield _alone(text if name in _ALWAYS_ALONE or not name else f"{name}: {text}", path, len(text))
    for found in _DATA_URL.finditer(text) if "base64," in text else ():
        kind = _kind_of((found[1] or "").lower())
        if kind is not None:
            yield Unscannable(path, kind)


def is_blob(text: str) -> bool:
    """Whether a text is nothing but base64, and long."""
    return _BASE64.match(text) is not None


def _is_sealed(value: str) -> bool:
    found = _SEAL.match(value)
    return found is not None and as_text(found[1]) is None


def _encoded(data: str, path: str) -> Iterator[Surface | Unscannable | None]:
    inner = as_text(data)
    if inner is not None:
        yield _alone(inner, path)
        yield from _rest(data, path)
        if _NO_CHARACTER in inner:
            yield _alone(data, path)  # not all of it is base64
        return
    try:
        start = base64.b64decode(data[:32].replace("-", "+").replace("_", "/"))
    except (binascii.Error, ValueError):
        start = b""
    yield Unscannable(path, next((kind for magic, kind in _MAGIC if start.startswith(magic)), "encoded"))


def _rest(data: str, path: str) -> Iterator[Surface | Unscannable | None]:
    """Of encoded text what is too long to be decoded at once."""
    for text in following(data):
        yield Unscannable(path, "encoded") if text is None else _alone(text, path)
        yield None


def _may_be_media(members: dict[str, Any]) -> bool:
    """Whether its type is that of a file, or none that anybody knows: a list, a number."""
    said = members.get("type")
    return said in _MEDIA if isinstance(said, str) else said is not None


def _media_kind(members: dict[str, Any]) -> UnscannableKind | None:
    said = members.get("type")
    if isinstance(said, str) and said in _MEDIA and "role" not in members:
        return _MEDIA[said]
    for key in ("inlineData", "inline_data"):
        inline = members.get(key)
        if isinstance(inline, dict):
            return _kind_of(str(inline.get("mimeType") or inline.get("mime_type") or "").lower()) or "file"
    return None


def _media(members: dict[str, Any], path: str, kind: UnscannableKind) -> Iterator[Surface | Unscannable | None]:
    """What is in an image, a sound or a file; its name and address were read like any text."""
    texts = False
    for said, data in _payloads(members):
        of = _kind_of(said)
        if of is None and said:
            inner = as_text(data)
            if inner is not None or not is_blob(data):
                yield _alone(inner or data, path)
                if inner is not None:
                    yield from _rest(data, path)
                texts = True
                continue
        yield Unscannable(path, of or kind)
        texts = True
    source = members.get("source")
    if isinstance(source, dict) and source.get("type") in ("text", "content"):
        return  # read already: it is text
    if not texts:
        yield Unscannable(path, kind)


def _payloads(members: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Media type and base64 of what a part carries."""
    for value in members.values():
        if isinstance(value, str):
            split = split_data_url(value)
            if split is not None:
                yield split
        elif isinstance(value, dict):
            said = value.get("media_type") or value.get("mimeType") or value.get("mime_type")
            data = value.get("data")
            if isinstance(said, str) and isinstance(data, str):
                yield said.lower(), data
            else:
                yield from _payloads({key: each for key, each in value.items() if isinstance(each, str)})


def _kind_of(media_type: str) -> UnscannableKind | None:
    """None: text, which can be read."""
    family, _, form = media_type.partition("/")
    if family == "text" or form.split("+")[-1] in ("json", "xml", "yaml", "x-yaml", "javascript", "csv", "x-ndjson"):
        return None
    if family == "image":
        return "image"
    if family == "audio":
        return "audio"
    return "video" if family == "video" else ("file" if media_type else None)


def _alone(text: str, path: str, size: int | None = None) -> Surface:
    start = 0 if size is None else len(text) - size
    return Surface(path, text, (Part(start, len(text), path),))


class _Lines:
    """Short members, a line each."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lines: list[str] = []
        self._parts: list[Part] = []
        self._size = 0

    def add(self, name: str, value: str, path: str) -> None:
        line = f"{name}: {value}" if name else value
        start = self._size + len(line) - len(value)
        self._parts.append(Part(start, start + len(value), path))
        self._append(line)

    def name(self, key: str) -> None:
        """A member whose value is read elsewhere: its name may hold something all the same."""
        if key not in _KNOWN:
            self._append(key)

    def _append(self, line: str) -> None:
        self._lines.append(line)
        self._size += len(line) + 1

    def surface(self) -> Iterator[Surface]:
        if self._lines:
            yield Surface(self._path, "\n".join(self._lines), tuple(self._parts))
