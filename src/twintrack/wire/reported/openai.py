"""OpenAI's chat completions, and those who copy them, with embeddings; and OpenAI's responses."""

from __future__ import annotations

from typing import Final

import msgspec

from twintrack.wire.usage import MOST_TOKENS, NO_USAGE, Odd, Usage, known, with_parts


class InputDetails(msgspec.Struct, omit_defaults=True):
    cached_tokens: object = None
    cache_write_tokens: object = None
    audio_tokens: object = None
    image_tokens: object = None


class OutputDetails(msgspec.Struct, omit_defaults=True):
    reasoning_tokens: object = None
    audio_tokens: object = None
    image_tokens: object = None


class OpenAIUsage(msgspec.Struct, omit_defaults=True):
    prompt_tokens: object = None
    completion_tokens: object = None
    total_tokens: object = None
    prompt_tokens_details: InputDetails | Odd = None
    completion_tokens_details: OutputDetails | Odd = None
    cached_tokens: object = None
    """Moonshot's place for it."""
    prompt_cache_hit_tokens: object = None
    """DeepSeek's."""
    reasoning_tokens: object = None
    """SGLang's and Perplexity's."""


class Timings(msgspec.Struct):
    """What llama.cpp measured: `prompt_n` tokens were read anew, `cache_n` came from its cache."""

    prompt_n: object = None
    predicted_n: object = None
    cache_n: object = None


_NO_INPUT_DETAILS: Final = InputDetails()
_NO_OUTPUT_DETAILS: Final = OutputDetails()


def _first(*counts: object) -> int | None:
    """The first that is known: some members have several names."""
    for count in counts:
        if (tokens := known(count)) is not None:
            return tokens
    return None


def openai_usage(said: OpenAIUsage | Odd) -> Usage:
    """Usage of a chat completion. Cached tokens are part of `prompt_tokens`, reasoning of `completion_tokens`,
    except where the numbers show that they are not; see `_beside`."""
    if not isinstance(said, OpenAIUsage):
        return NO_USAGE
    prompt, completion = said.prompt_tokens_details, said.completion_tokens_details
    if prompt is None and completion is None:
        # Most servers of open models say just this; on the request path it is worth the shorter way.
        read, wrote = said.prompt_tokens, said.completion_tokens
        if (
            type(read) is int
            and type(wrote) is int
            and 0 <= read < MOST_TOKENS
            and 0 <= wrote < MOST_TOKENS
            and said.total_tokens == read + wrote
            and said.cached_tokens is said.prompt_cache_hit_tokens is said.reasoning_tokens is None
        ):
            return Usage(read, wrote)
    if not isinstance(prompt, InputDetails):
        prompt = _NO_INPUT_DETAILS
    if not isinstance(completion, OutputDetails):
        completion = _NO_OUTPUT_DETAILS
    input_tokens, output_tokens = known(said.prompt_tokens), known(said.completion_tokens)
    cached, write = known(prompt.cached_tokens), known(prompt.cache_write_tokens)
    if cached is None:
        cached = _first(said.cached_tokens, said.prompt_cache_hit_tokens)
    reasoning = known(completion.reasoning_tokens)
    if reasoning is None:
        reasoning = known(said.reasoning_tokens)
    if input_tokens is not None and output_tokens is not None:
        beside = _beside(input_tokens, output_tokens, reasoning, known(said.total_tokens), (cached or 0) + (write or 0))
        if beside:
            output_tokens += beside
            reasoning = reasoning or beside
    return Usage(
        input_tokens,
        output_tokens,
        cached,
        write,
        reasoning,
        None,
        known(prompt.audio_tokens),
        known(completion.audio_tokens),
        known(prompt.image_tokens),
        known(completion.image_tokens),
    )


def _beside(prompt: int, completion: int, reasoning: int | None, total: int | None, cached: int) -> int:
    """Reasoning tokens that a provider counts beside `completion_tokens`, although it bills them as output.

    xAI's total is prompt, completion and reasoning together; Perplexity reports more reasoning than completion;
    Gemini's endpoint for OpenAI clients names no reasoning, but counts it in the total.
    """
    rest = 0 if total is None else total - prompt - completion
    if reasoning:
        return reasoning if rest == reasoning or reasoning > completion else 0
    return rest if rest > 0 and rest != cached else 0


def timings_usage(said: Timings | Odd) -> Usage:
    """From llama.cpp, where an answer has no usage of its own."""
    if not isinstance(said, Timings):
        return NO_USAGE
    cached = known(said.cache_n)
    return Usage(with_parts(known(said.prompt_n), cached), known(said.predicted_n), cached)


def embeddings_usage(said: OpenAIUsage | Odd) -> Usage:
    """Embeddings give no output tokens. Without a number that can be believed nothing was said."""
    read = known(said.prompt_tokens) if isinstance(said, OpenAIUsage) else None
    return NO_USAGE if read is None else Usage(read, 0)


def as_openai(usage: Usage) -> OpenAIUsage | None:
    """Usage as a chat completion reports it; None where the tokens in or out are unknown, since it must name both.

    The hour's part of the cache writes has no place in it.
    """
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    prompt = InputDetails(
        usage.cache_read_tokens, usage.cache_write_tokens, usage.input_audio_tokens, usage.input_image_tokens
    )
    completion = OutputDetails(usage.reasoning_tokens, usage.output_audio_tokens, usage.output_image_tokens)
    return OpenAIUsage(
        usage.input_tokens,
        usage.output_tokens,
        usage.input_tokens + usage.output_tokens,
        None if prompt == _NO_INPUT_DETAILS else prompt,
        None if completion == _NO_OUTPUT_DETAILS else completion,
    )


# ---- responses


class ResponsesUsage(msgspec.Struct, omit_defaults=True):
    input_tokens: object = None
    output_tokens: object = None
    total_tokens: object = None
    input_tokens_details: InputDetails | Odd = None
    output_tokens_details: OutputDetails | Odd = None


def responses_usage(said: ResponsesUsage | Odd) -> Usage:
    """Cached tokens are part of `input_tokens`, reasoning of `output_tokens`."""
    if not isinstance(said, ResponsesUsage):
        return NO_USAGE
    into, out = said.input_tokens_details, said.output_tokens_details
    if not isinstance(into, InputDetails):
        into = _NO_INPUT_DETAILS
    if not isinstance(out, OutputDetails):
        out = _NO_OUTPUT_DETAILS
    return Usage(
        known(said.input_tokens),
        known(said.output_tokens),
        known(into.cached_tokens),
        known(into.cache_write_tokens),
        known(out.reasoning_tokens),
        None,
        known(into.audio_tokens),
        known(out.audio_tokens),
        known(into.image_tokens),
        known(out.image_tokens),
    )


def as_responses(usage: Usage) -> ResponsesUsage | None:
    """Usage as a response reports it; None where the tokens in or out are unknown.

    The dialect must also name cache reads, cache writes and reasoning (types of OpenAI's SDK 3.52.0, read
    2026-11-20): those that are unknown become 0.
    """
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return ResponsesUsage(
        usage.input_tokens,
        usage.output_tokens,
        usage.input_tokens + usage.output_tokens,
        InputDetails(
            usage.cache_read_tokens or 0,
            usage.cache_write_tokens or 0,
            usage.input_audio_tokens,
            usage.input_image_tokens,
        ),
        OutputDetails(usage.reasoning_tokens or 0, usage.output_audio_tokens, usage.output_image_tokens),
    )
