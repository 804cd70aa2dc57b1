"""Anthropic's messages."""

from __future__ import annotations

from typing import Any

import msgspec

from twintrack.wire.usage import NO_USAGE, Odd, Usage, known, sum_known, with_parts


class CacheCreation(msgspec.Struct, omit_defaults=True):
    ephemeral_5m_input_tokens: object = None
    ephemeral_1h_input_tokens: object = None


class ThinkingDetails(msgspec.Struct, omit_defaults=True):
    thinking_tokens: object = None


class Iteration(msgspec.Struct):
    """One of several model runs inside a request."""

    type: object = None
    input_tokens: object = None
    output_tokens: object = None
    cache_read_input_tokens: object = None
    cache_creation_input_tokens: object = None
    cache_creation: CacheCreation | Odd = None


class AnthropicUsage(msgspec.Struct, omit_defaults=True):
    input_tokens: object = None
    output_tokens: object = None
    cache_read_input_tokens: object = None
    cache_creation_input_tokens: object = None
    cache_creation: CacheCreation | Odd = None
    output_tokens_details: ThinkingDetails | Odd = None
    iterations: list[Iteration | Odd] | dict[str, Any] | str | float | bool | None = None


def anthropic_usage(said: AnthropicUsage | Odd) -> Usage:
    """Usage of a message. Cached tokens stand beside `input_tokens`; we count them in.

    What the provider spent on compacting the conversation is billed, but stands in `iterations` alone, so it is added.
    Advice that another model gave stands there too; it has that model's price and is left out (types/beta of
    Anthropic's SDK 2.11.0, read 2026-11-20).
    """
    if not isinstance(said, AnthropicUsage):
        return NO_USAGE
    thinking = said.output_tokens_details
    read, write, hour = _cache(said)
    fresh, output = known(said.input_tokens), known(said.output_tokens)
    if isinstance(said.iterations, list):
        for part in said.iterations:
            if isinstance(part, Iteration) and part.type == "compaction":
                more_read, more_write, more_hour = _cache(part)
                fresh, output = (
                    with_parts(fresh, known(part.input_tokens)),
                    with_parts(output, known(part.output_tokens)),
                )
                read, write, hour = sum_known(read, more_read), sum_known(write, more_write), sum_known(hour, more_hour)
    return Usage(
        with_parts(fresh, read, write),
        output,
        read,
        write,
        known(thinking.thinking_tokens) if isinstance(thinking, ThinkingDetails) else None,
        hour,
    )


def _cache(said: AnthropicUsage | Iteration) -> tuple[int | None, int | None, int | None]:
    """Tokens read, written, and of these written for an hour."""
    write = known(said.cache_creation_input_tokens)
    hour = None
    lifetimes = said.cache_creation
    if isinstance(lifetimes, CacheCreation):
        hour = known(lifetimes.ephemeral_1h_input_tokens)
        if write is None:
            write = sum_known(known(lifetimes.ephemeral_5m_input_tokens), hour)
    return known(said.cache_read_input_tokens), write, hour


def begun(said: AnthropicUsage | Odd) -> AnthropicUsage | Odd:
    """What `message_start` says: its output tokens are where the count begins, never where it ends."""
    return msgspec.structs.replace(said, output_tokens=None) if isinstance(said, AnthropicUsage) else None


def merged(before: AnthropicUsage | Odd, after: AnthropicUsage | Odd) -> AnthropicUsage | Odd:
    """What two events of a stream say together: counts are cumulative, so the later ones hold.

    `message_delta` leaves out what did not change, and some servers say 0 for what they do not repeat.
    """
    if not isinstance(after, AnthropicUsage):
        return before
    if not isinstance(before, AnthropicUsage):
        return after
    return AnthropicUsage(
        _later(before.input_tokens, after.input_tokens),
        _later(before.output_tokens, after.output_tokens),
        _later(before.cache_read_input_tokens, after.cache_read_input_tokens),
        _later(before.cache_creation_input_tokens, after.cache_creation_input_tokens),
        after.cache_creation or before.cache_creation,
        after.output_tokens_details or before.output_tokens_details,
        after.iterations or before.iterations,
    )


def _later(before: object, after: object) -> object:
    return after if known(after) or known(before) is None else before


def as_anthropic(usage: Usage) -> AnthropicUsage | None:
    """Usage as a message reports it; None where the tokens in or out are unknown. It has no place for sound or images.

    The lifetimes of cache writes are named only if they are known apart.
    """
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    read, write, hour = usage.cache_read_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens
    return AnthropicUsage(
        max(usage.input_tokens - (read or 0) - (write or 0), 0),
        usage.output_tokens,
        read,
        write,
        None if write is None or hour is None else CacheCreation(max(write - hour, 0), hour),
        None if usage.reasoning_tokens is None else ThinkingDetails(usage.reasoning_tokens),
    )
