"""Tokens of an answer, in one meaning for every dialect. How each dialect says it stands in `wire/reported`."""

from __future__ import annotations

from typing import Any, Final

import msgspec

MOST_TOKENS: Final = 1_000_000_000
"""No request has as many tokens; a larger count is a provider's error."""

Odd = list[Any] | str | float | bool | None
"""What may stand where an object belongs; then nothing in it is known."""


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one attempt. None is unknown, not 0; every member behind the first two is a part of one of them."""

    input_tokens: int | None = None
    """All the model read: cache reads and writes, sound, images and what its tools returned included."""
    output_tokens: int | None = None
    """All it wrote: reasoning, sound and images included."""
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    """Of either lifetime."""
    reasoning_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    """Of `cache_write_tokens`, those kept for an hour; the rest is kept for the provider's standard time."""
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    input_image_tokens: int | None = None
    output_image_tokens: int | None = None


NO_USAGE = Usage()


def known(tokens: object) -> int | None:
    """A count as a provider means it: a negative or absurd one is none."""
    if type(tokens) is int:
        return tokens if 0 <= tokens < MOST_TOKENS else None
    if type(tokens) is float and tokens.is_integer():
        return known(int(tokens))
    return None


def sum_known(*parts: int | None) -> int | None:
    """Sum of the parts that are known; None if none is."""
    found = [part for part in parts if part is not None]
    return sum(found) if found else None


def with_parts(whole: int | None, *parts: int | None) -> int | None:
    """`whole` and what was counted beside it; None without the whole."""
    return None if whole is None else whole + sum(filter(None, parts))
