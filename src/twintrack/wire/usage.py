"""Tokens a provider reports, in one meaning for every dialect."""

from __future__ import annotations

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """`input_tokens` includes cache reads and writes, whatever the dialect counts; None is unknown, not 0."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


NO_USAGE = Usage()
