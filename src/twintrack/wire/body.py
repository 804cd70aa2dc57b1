"""Change a few members of a JSON object and leave every other byte as it came.

Where client and provider speak the same dialect the client's own JSON travels on: numbers keep their digits, unknown
members their place. Only a body whose members cannot be found for sure by bytes is taken apart, and then each value
still travels as it was written.
"""

from __future__ import annotations

import re
from functools import lru_cache

import msgspec

from twintrack.errors import BadRequest

_KEY = b'"model"'
_MODEL = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*"[^"\\]*"')
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ESCAPED_LETTER = rb"\u006"
"""A key may hide as "mod\\u0065l"; letters a to o are escaped so."""


def with_model(body: bytes, model: str) -> bytes:
    """`body`, a JSON object that was decoded and has a string member `model`, with that member set to `model`."""
    start = body.find(_KEY)
    if start >= 0 and body.find(_KEY, start + 1) < 0 and _ESCAPED_LETTER not in body:
        # Inside a string the closing quote would be escaped, so the one place these bytes stand is the key.
        match = _MODEL.match(body, start)
        if match is not None:
            return b'%b"model":%b%b' % (body[:start], _quoted(model), body[match.end() :])
    return with_members(body, {"model": _quoted(model)})


def with_first(body: bytes, member: bytes) -> bytes:
    """`body`, a JSON object with at least one member and none of this name, with one more in front."""
    start = body.index(b"{") + 1
    return b"%b%b,%b" % (body[:start], member, body[start:])


def with_members(body: bytes, members: dict[str, bytes | None]) -> bytes:
    """`body` with members set to raw JSON, or taken out where the value is None.

    Raises:
        BadRequest: the name of a member is no text, as in bytes that are not UTF-8.
    """
    found = _members(body)
    for name, value in members.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = msgspec.Raw(value)
    return msgspec.json.encode(found)


def member(body: bytes, name: str) -> bytes:
    """The raw JSON of a member that `body` has."""
    return bytes(_members(body)[name])


def member_or(body: bytes, name: str, otherwise: bytes) -> bytes:
    """The raw JSON of a member, or `otherwise`. Raises as `with_members` does."""
    found = _members(body).get(name)
    return otherwise if found is None else bytes(found)


def _members(body: bytes) -> dict[str, msgspec.Raw]:
    """Names and values; here names are read that nobody looked at before.

    Raises:
        BadRequest: a name is not text.
    """
    try:
        return _MEMBERS.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest("The name of a member is no text", why=str(error)) from None


@lru_cache(1024)
def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)
