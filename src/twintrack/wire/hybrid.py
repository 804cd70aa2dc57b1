"""Responses asked at the path of chat completions: a body of the one dialect, an answer of the other.

Cursor's Agent, pointed at another server, writes `input` and flat tools to /chat/completions and reads chunks of chat;
its staff calls that known (Cursor forum, topics 153019 of 24 February 2026, 158939 and 159298, read 2026-11-20). No
provider is asked in such a mixture, so there is no straight way: the request is always translated.
"""

from __future__ import annotations

import msgspec

from twintrack.wire import chat, responses
from twintrack.wire.body import member, with_members
from twintrack.wire.canonical.request import Request
from twintrack.wire.canonical.sides import ClientSide
from twintrack.wire.dialect import UNREADABLE, Endpoint

ENDPOINT = Endpoint(
    name="responses_as_chat",
    dialect=chat.ENDPOINT.dialect,
    path=chat.ENDPOINT.path,
    decoder=responses.ENDPOINT.decoder,
    read_usage=chat.ENDPOINT.read_usage,
    open_stream=chat.ENDPOINT.open_stream,
    error_body=chat.ENDPOINT.error_body,
    error_event=chat.ENDPOINT.error_event,
    id_lines=chat.ENDPOINT.id_lines,
)


class _Either(msgspec.Struct):
    messages: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    input: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_EITHER = msgspec.json.Decoder(_Either)


def meant(endpoint: Endpoint, body: bytes) -> Endpoint | None:
    """What a body was written for that `endpoint` could not decode; None: for `endpoint`, and it is wrong."""
    if endpoint.name != chat.ENDPOINT.name:
        return None
    try:
        said = _EITHER.decode(body)
    except UNREADABLE:
        return None
    return ENDPOINT if said.messages is msgspec.UNSET and said.input is not msgspec.UNSET else None


class _StreamOptions(msgspec.Struct):
    include_usage: bool | msgspec.UnsetType | None = msgspec.UNSET


class _Asked(msgspec.Struct):
    stream_options: _StreamOptions | None = None


_ASKED = msgspec.json.Decoder(_Asked)


def client_side(chat: ClientSide, responses: ClientSide) -> ClientSide:
    """Reads as `responses` does, but for the one member that only a reader of chunks needs; answers as `chat`."""

    def read_request(body: bytes, drop: bool) -> tuple[Request, tuple[str, ...]]:
        body, usage = _without_usage(body)
        request, dropped = responses.read_request(body, drop)
        return msgspec.structs.replace(request, stream_usage=request.stream and usage), dropped

    names = {**responses.names, "stream_usage": chat.names["stream_usage"]}
    return ClientSide(read_request, chat.write_answer, chat.write_stream, names)


def _without_usage(body: bytes) -> tuple[bytes, bool]:
    """`body` without `stream_options.include_usage`, and what that said."""
    try:
        options = _ASKED.decode(body).stream_options
    except UNREADABLE:
        return body, False  # the dialect says what is wrong with it
    if options is None or options.include_usage is msgspec.UNSET:
        return body, False
    rest = with_members(member(body, "stream_options"), {"include_usage": None})
    return with_members(body, {"stream_options": rest}), options.include_usage is True
