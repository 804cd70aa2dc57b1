"""Thinking of other vendors in a body that goes to Anthropic as it came.

A client keeps what it was given. If a gateway's routes lead to several vendors, the next question may reach Anthropic
with thinking in it that another one wrote, and Anthropic refuses a signature that is not its own. Such blocks carry
`#`, which no base64 has (canonical/signature.py).
"""

from __future__ import annotations

import re

import msgspec

from twintrack.wire.dialect import UNREADABLE

_MARKED = re.compile(rb'"(?:signature|data)"[ \t\r\n]*:[ \t\r\n]*"[^"#\\]{0,256}#')
_BODY = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MESSAGES = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_BLOCKS = msgspec.json.Decoder(list[msgspec.Raw])


class _Head(msgspec.Struct):
    type: str = ""
    signature: str = ""
    data: str = ""


_HEAD = msgspec.json.Decoder(_Head)


def without_foreign_thinking(body: bytes) -> bytes:
    """`body`, a messages request, without such blocks; the same bytes if there are none, or if they cannot be read: the
    provider judges them."""
    if _MARKED.search(body) is None:
        return body
    try:
        return _without(body)
    except UNREADABLE:
        return body


def _without(body: bytes) -> bytes:
    members = _BODY.decode(body)
    messages = _MESSAGES.decode(members["messages"])
    kept = []
    changed = False
    for message in messages:
        content = message.get("content")
        if content is not None and b"#" in bytes(content) and bytes(content).startswith(b"["):
            blocks = _BLOCKS.decode(content)
            own = [block for block in blocks if not _is_foreign(block)]
            if blocks and not own:
                changed = True  # the thinking was all there was
                continue
            if len(own) < len(blocks):
                changed = True
                message["content"] = msgspec.Raw(msgspec.json.encode(own))
        kept.append(message)
    if not changed:
        return body
    members["messages"] = msgspec.Raw(msgspec.json.encode(kept))
    return msgspec.json.encode(members)


def _is_foreign(block: msgspec.Raw) -> bool:
    try:
        head = _HEAD.decode(block)
    except UNREADABLE:
        return False
    if head.type == "thinking":
        return "#" in head.signature
    return head.type == "redacted_thinking" and "#" in head.data
