"""Parts of good answers, as the plays need them."""

from __future__ import annotations

from typing import Any

from twintrack.providers.scripted.delivery import Delivery
from twintrack.providers.scripted.directive import NoSuchFault
from twintrack.providers.scripted.server import Script

SHORT_S = 0.05
"""A pause that lets what was sent be read by itself, so that a fault behind it does not take it along."""


def up_to(good: Delivery, at: str) -> tuple[bytes, ...]:
    """The pieces before a place."""
    if at == "body":
        return ()
    if at == "opening":
        return good.pieces[:1] if good.streamed else ()
    if at == "words":
        return good.behind_words()
    if at == "half":
        if not good.streamed:
            return good.until("words")
        following = good.pieces[good.words_to]
        return (*good.behind_words(), following[: len(following) // 2])
    if at == "usage":
        return good.behind_usage()
    raise NoSuchFault(f"a place is head, body, opening, words, half or usage, not {at}")


def partly(good: Delivery, pieces: tuple[bytes | float, ...], **rest: Any) -> Script:
    """Some of an answer whose head promises all of it, and time for it to be read."""
    claim = None if good.streamed else len(good.pieces[0])
    return good.script((*pieces, SHORT_S), claim=claim, **rest)


def raw_answer(good: Delivery, pieces: tuple[bytes, ...], *, more: bytes = b"", version: bytes = b"1.1") -> bytes:
    """A whole answer whose connection ends it, with `more` header lines."""
    kind = b"text/event-stream" if good.streamed else b"application/json"
    return b"HTTP/%b 200 OK\r\ncontent-type: %b\r\nconnection: close\r\n%b\r\n%b" % (
        version, kind, more, b"".join(pieces),
    )  # fmt: skip


def one_of(word: str, *known: str) -> Any:
    if word not in known:
        raise NoSuchFault(f"{word} is none of {', '.join(known)}")
    return word
