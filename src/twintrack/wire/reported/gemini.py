"""Gemini's generateContent."""

from __future__ import annotations

from typing import Any

import msgspec

from twintrack.wire.usage import NO_USAGE, Odd, Usage, known, sum_known, with_parts


class ModalityCount(msgspec.Struct, rename="camel"):
    modality: object = None
    token_count: object = None


_Modalities = list[ModalityCount | Odd] | dict[str, Any] | str | float | bool | None


class GeminiUsage(msgspec.Struct, rename="camel"):
    prompt_token_count: object = None
    candidates_token_count: object = None
    total_token_count: object = None
    cached_content_token_count: object = None
    thoughts_token_count: object = None
    tool_use_prompt_token_count: object = None
    prompt_tokens_details: _Modalities = None
    candidates_tokens_details: _Modalities = None
    tool_use_prompt_tokens_details: _Modalities = None


def gemini_usage(said: GeminiUsage | Odd) -> Usage:
    """Usage of generateContent. Cached tokens are part of the prompt; thoughts stand beside the candidates, and what
    tools returned beside the prompt. The API leaves out a count of 0, so the total may have to say it."""
    if not isinstance(said, GeminiUsage):
        return NO_USAGE
    thoughts = known(said.thoughts_token_count)
    input_tokens = with_parts(known(said.prompt_token_count), known(said.tool_use_prompt_token_count))
    output_tokens = sum_known(known(said.candidates_token_count), thoughts)
    total = known(said.total_token_count)
    if output_tokens is None and input_tokens is not None and total is not None:
        output_tokens = known(total - input_tokens)
    return Usage(
        input_tokens,
        output_tokens,
        known(said.cached_content_token_count),
        None,
        thoughts,
        None,
        _of("AUDIO", said.prompt_tokens_details, said.tool_use_prompt_tokens_details),
        _of("AUDIO", said.candidates_tokens_details),
        _of("IMAGE", said.prompt_tokens_details, said.tool_use_prompt_tokens_details),
        _of("IMAGE", said.candidates_tokens_details),
    )


def _of(modality: str, *details: _Modalities) -> int | None:
    """Tokens of one modality; None where no list names any."""
    lists = [each for each in details if isinstance(each, list)]
    if not lists:
        return None
    counts = (count for each in lists for count in each if isinstance(count, ModalityCount))
    return sum(known(count.token_count) or 0 for count in counts if count.modality == modality)
