"""What the gateway needs of a dialect, and the shape each one has.

`chat.py`, `responses.py`, `messages.py`, `count_tokens.py` and `embeddings.py` each hold one `Endpoint`; the table of
all of them is `ENDPOINTS` in `endpoints.py`. `hybrid.py` holds one more, which shares its path with chat completions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Protocol, TypeVar

import msgspec

from twintrack.errors import BadRequest, TwintrackError, nearest
from twintrack.wire.prompt import LABELS, Prompt
from twintrack.wire.usage import Usage

_T = TypeVar("_T")
_UNSET = msgspec.UNSET
REFUSED_MEMBERS = ("api_base", "base_url", "api_key")
"""Where requests go and with which key is configuration, never a request's choice."""
KEPT_ELSEWHERE = ("$.thread", "$.previous_response_id", "$.conversation", "$.prompt")
"""What stands for a part of the conversation that a provider keeps. Without it the answer would be to something else,
so it is not left out even where the client lets unsupported members drop."""
UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What decoding raises on bytes that are no JSON of the shape, nested too deeply, or not UTF-8."""

Tokens = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**53)]
"""A number of tokens as clients say it; some servers take -1 for no limit. The ledger's integers have an end."""


class Asked(msgspec.Struct):
    """What every request body has, whatever its dialect. Each dialect's own type adds to it."""

    model: str
    stream: bool | None = None
    metadata: dict[str, msgspec.Raw] | None = None
    api_base: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    base_url: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    api_key: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET

    def prompt(self) -> Prompt:
        """What routing may read."""
        raise NotImplementedError

    def pinned(self) -> str:
        """JSON path of a member that refers to what one provider keeps, so that only one may be asked; or ""."""
        return ""

    def continues(self) -> tuple[str, ...]:
        """Names under which a provider keeps the conversation that this goes on with."""
        return ()

    def wants_usage(self) -> bool:
        """Whether the client itself asked for usage in the stream; else it is taken out again."""
        return True

    def body_for(self, body: bytes, model: str) -> bytes:
        """The body to send: `body` with the provider's name of the model and what we need to read usage."""
        raise NotImplementedError


class Stream(Protocol):
    """Reads one streamed answer while it passes. Bytes and values only."""

    content: bool
    """Content was seen, so headers may go out and another provider may no longer be asked."""
    finished: bool
    """The provider said that the answer is complete."""
    failure: str
    """The provider's error event, in a few words; empty if there was none."""
    inside: bool
    """The start of an event went on, and its end has not come."""
    pieces: int
    """Pieces forwarded since content: about one a token where the provider does not bundle."""

    def feed(self, data: bytes) -> bytes:
        """Take what came and return what may go on to the client: whole events, unless one is very long.

        Raises:
            UpstreamError: what came cannot be this dialect's stream.
        """
        ...

    def close(self) -> bytes:
        """Read what the end tells; return the start of an event that was held back. Once more changes nothing."""
        ...

    def usage(self) -> Usage: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    name: str
    """chat, responses, messages and so on: stands in the ledger."""
    dialect: str
    path: str
    """The gateway's own."""
    decoder: msgspec.json.Decoder[Asked]
    read_usage: Callable[[bytes], Usage]
    """From an unstreamed answer. Raises UpstreamError if the body is none of this dialect."""
    open_stream: Callable[[bool], Stream]
    """`strip_usage`: take the usage event out again, since the client did not ask for it."""
    error_body: Callable[[TwintrackError, str], bytes]
    """From the error and the request's id."""
    error_event: Callable[[TwintrackError, str], bytes]
    """The same inside a stream."""
    forwarded: tuple[bytes, ...] = ()
    """Client headers that travel on, beyond what the gateway sets."""
    id_lines: bytes = b"x-twintrack-id: %b\r\nx-request-id: %b\r\n"
    """Header lines that name the request: for us, and where the dialect's own SDK looks."""


def read_json(decoder: msgspec.json.Decoder[_T], body: bytes) -> _T:
    """Raises BadRequest with the position of a syntax error or the path of a wrong type."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `")
        raise BadRequest(f"{where.rstrip('`') or '$'}: {what}", param=where.rstrip("`") or "$") from None
    except msgspec.DecodeError as error:
        raise BadRequest("The body is not JSON", why=_position(str(error), body)) from None
    except RecursionError:
        raise BadRequest("The body is nested too deeply", fix="Send fewer nested arrays and objects.") from None
    except UnicodeDecodeError:
        raise BadRequest("The body is not UTF-8", why=_first_wrong_byte(body)) from None


def decode(endpoint: Endpoint, body: bytes) -> Asked:
    """Raises BadRequest, see `read_json`; and for a member that is refused."""
    asked = read_json(endpoint.decoder, body)
    if asked.api_base is _UNSET and asked.base_url is _UNSET and asked.api_key is _UNSET:
        return asked
    name = next(name for name in REFUSED_MEMBERS if getattr(asked, name) is not _UNSET)
    raise BadRequest(
        f"$.{name} is not accepted",
        why="addresses and keys of providers come from the gateway's configuration",
        fix=f"Leave {name} out.",
        param=f"$.{name}",
    )


def _first_wrong_byte(body: bytes) -> str:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"byte {error.start} begins no character"
    return ""


def _position(message: str, body: bytes) -> str:
    return (
        f"it ends too early, at byte {len(body)}"
        if "truncated" in message
        else message.removeprefix("JSON is malformed: ")
    )


_PREFIX = "twintrack_"
_LABEL_OF = {_PREFIX + label.replace("-", "_"): label for label in LABELS}


def labels_in(metadata: dict[str, msgspec.Raw]) -> dict[str, str]:
    """Routing labels a client put into `metadata`, as `twintrack_class`, `twintrack_deadline_ms` and so on."""
    words: dict[str, str] = {}
    for name, raw in metadata.items():
        if not name.startswith(_PREFIX):
            continue
        path = f"$.metadata.{name[:80]}"
        label = _LABEL_OF.get(name)
        if label is None:
            close = nearest(name, _LABEL_OF, 1)
            fix = f"Did you mean {close[0]}?" if close else f"Known are {', '.join(_LABEL_OF)}."
            raise BadRequest(f"{path} is no label", why="names that begin so are ours", fix=fix, param=path)
        try:
            words[label] = str(msgspec.json.decode(raw, type=str | int | float | bool))
        except UNREADABLE:
            raise BadRequest(f"{path} is neither text nor a number", param=path) from None
    return words


def without_labels(metadata: dict[str, msgspec.Raw]) -> bytes | None:
    """`metadata` as raw JSON without our labels; None when nothing else is in it."""
    kept = {name: raw for name, raw in metadata.items() if not name.startswith(_PREFIX)}
    return msgspec.json.encode(kept) if kept else None


def has_labels(metadata: dict[str, msgspec.Raw]) -> bool:
    return any(name.startswith(_PREFIX) for name in metadata)
