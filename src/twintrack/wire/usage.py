"""Tokens a provider reports, in one meaning for every dialect, and in each dialect's own form.

A reader (`openai_usage`, `responses_usage`, `anthropic_usage`, `gemini_usage`) takes what an answer said in its
dialect; a writer (`as_openai`, `as_responses`, `as_anthropic`) says the same to a client in its own. Readers never
raise: a member that is absent, null, of another type, negative or absurd is unknown, and the others still count.
What each provider puts into its members stands case by case, with source and date, in tests/wire/usage_cases.py.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

_MOST: Final = 1_000_000_000
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
        return tokens if 0 <= tokens < _MOST else None
    if type(tokens) is float and tokens.is_integer():
        return known(int(tokens))
    return None


def _first(*counts: object) -> int | None:
    """The first that is known: some members have several names."""
    for count in counts:
        if (tokens := known(count)) is not None:
            return tokens
    return None


def _sum(*parts: int | None) -> int | None:
    """Sum of the parts that are known; None if none is."""
    found = [part for part in parts if part is not None]
    return sum(found) if found else None


def _with(whole: int | None, *parts: int | None) -> int | None:
    """`whole` and what was counted beside it; None without the whole."""
    return None if whole is None else whole + sum(filter(None, parts))


# ---- OpenAI chat completions, and those who copy them


class PromptDetails(msgspec.Struct, omit_defaults=True):
    cached_tokens: object = None
    cache_write_tokens: object = None
    audio_tokens: object = None
    image_tokens: object = None


class CompletionDetails(msgspec.Struct, omit_defaults=True):
    reasoning_tokens: object = None
    audio_tokens: object = None
    image_tokens: object = None


class OpenAIUsage(msgspec.Struct, omit_defaults=True):
    prompt_tokens: object = None
    completion_tokens: object = None
    total_tokens: object = None
    prompt_tokens_details: PromptDetails | Odd = None
    completion_tokens_details: CompletionDetails | Odd = None
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


_NO_PROMPT_DETAILS: Final = PromptDetails()
_NO_COMPLETION_DETAILS: Final = CompletionDetails()


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
            and 0 <= read < _MOST
            and 0 <= wrote < _MOST
            and said.total_tokens == read + wrote
            and said.cached_tokens is said.prompt_cache_hit_tokens is said.reasoning_tokens is None
        ):
            return Usage(read, wrote)
    if not isinstance(prompt, PromptDetails):
        prompt = _NO_PROMPT_DETAILS
    if not isinstance(completion, CompletionDetails):
        completion = _NO_COMPLETION_DETAILS
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
    return Usage(_with(known(said.prompt_n), cached), known(said.predicted_n), cached)


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
    prompt = PromptDetails(
        usage.cache_read_tokens, usage.cache_write_tokens, usage.input_audio_tokens, usage.input_image_tokens
    )
    completion = CompletionDetails(usage.reasoning_tokens, usage.output_audio_tokens, usage.output_image_tokens)
    return OpenAIUsage(
        usage.input_tokens,
        usage.output_tokens,
        usage.input_tokens + usage.output_tokens,
        None if prompt == _NO_PROMPT_DETAILS else prompt,
        None if completion == _NO_COMPLETION_DETAILS else completion,
    )


# ---- OpenAI responses


class InputDetails(msgspec.Struct, omit_defaults=True):
    cached_tokens: object = None
    cache_write_tokens: object = None
    audio_tokens: object = None
    image_tokens: object = None


class OutputDetails(msgspec.Struct, omit_defaults=True):
    reasoning_tokens: object = None
    audio_tokens: object = None
    image_tokens: object = None


class ResponsesUsage(msgspec.Struct, omit_defaults=True):
    input_tokens: object = None
    output_tokens: object = None
    total_tokens: object = None
    input_tokens_details: InputDetails | Odd = None
    output_tokens_details: OutputDetails | Odd = None


_NO_INPUT_DETAILS: Final = InputDetails()
_NO_OUTPUT_DETAILS: Final = OutputDetails()


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


# ---- Anthropic messages


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
                fresh, output = _with(fresh, known(part.input_tokens)), _with(output, known(part.output_tokens))
                read, write, hour = _sum(read, more_read), _sum(write, more_write), _sum(hour, more_hour)
    return Usage(
        _with(fresh, read, write),
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
            write = _sum(known(lifetimes.ephemeral_5m_input_tokens), hour)
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


# ---- Gemini generateContent


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
    input_tokens = _with(known(said.prompt_token_count), known(said.tool_use_prompt_token_count))
    output_tokens = _sum(known(said.candidates_token_count), thoughts)
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
