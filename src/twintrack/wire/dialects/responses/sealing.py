"""Reasoning of other vendors inside a reasoning item, so that a client that sends items back brings it home unharmed.

In `encrypted_content` OpenAI has a token of its own. What another vendor wants back (Anthropic's signature or redacted
data, Gemini's thought signature) stands there behind a mark; so does the fact that there is nothing to check. No vendor
takes an item with the mark, nor one with our id: whoever passes a body on unread takes them out.
"""

from __future__ import annotations

import msgspec

from twintrack.wire.canonical.parts import Thinking
from twintrack.wire.canonical.signature import unmarked
from twintrack.wire.responses import OUR_MARK

_SIGNATURE = OUR_MARK + "signature."
_SEALED = OUR_MARK + "sealed."
_TEXT = OUR_MARK + "text"


class Opened(msgspec.Struct, frozen=True, gc=False):
    signature: str = ""
    sealed: str = ""
    foreign: bool = False
    """`sealed` is of another dialect."""


_NOTHING = Opened()


def own_token(sealed: str) -> str:
    """What a provider of this dialect sealed itself; empty if it was another."""
    maker = unmarked(sealed)
    return maker.text if maker.maker == "responses" else ""


def seal(thinking: Thinking) -> str:
    if thinking.signature:
        return _SIGNATURE + thinking.signature
    if thinking.sealed:
        return own_token(thinking.sealed) or _SEALED + thinking.sealed
    return _TEXT


def open_sealed(content: str) -> Opened:
    if not content.startswith(OUR_MARK):
        return Opened(sealed=content)
    if content.startswith(_SIGNATURE):
        return Opened(signature=content[len(_SIGNATURE) :])
    return Opened(sealed=content[len(_SEALED) :], foreign=True) if content.startswith(_SEALED) else _NOTHING
