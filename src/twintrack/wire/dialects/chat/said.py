"""A chat completion and its chunks as providers send them: members nobody needs are passed over, odd ones refused."""

from __future__ import annotations

import msgspec

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Finish
from twintrack.wire.canonical.parts import Citation, Logprob
from twintrack.wire.canonical.signature import marked
from twintrack.wire.reported.openai import OpenAIUsage, Timings, openai_usage, timings_usage
from twintrack.wire.usage import Odd, Usage


class _Said(msgspec.Struct, gc=False):
    pass


# ---- what answers and chunks have in common


class Called(_Said):
    name: str | None = None
    arguments: str | dict[str, msgspec.Raw] | None = None
    """Some servers send the object instead of its JSON text."""


class CalledCustom(_Said):
    name: str | None = None
    input: str | None = None


class Google(_Said):
    thought_signature: str | None = None


class Extra(_Said):
    google: Google | None = None


class Call(_Said):
    index: int | None = None
    id: str | None = None
    function: Called | None = None
    custom: CalledCustom | None = None
    extra_content: Extra | None = None


class TextPiece(_Said):
    text: str = ""


class ContentPart(_Said):
    """Mistral's way of telling thinking from text."""

    type: str = ""
    text: str | None = None
    thinking: str | list[TextPiece] | None = None


class URLCitation(_Said):
    url: str = ""
    title: str | None = None
    start_index: int | None = None
    end_index: int | None = None
    content: str | None = None
    """OpenRouter's: the words found there."""


class Annotation(_Said):
    url_citation: URLCitation | None = None


class TopLogprob(_Said):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None


class TokenLogprob(_Said):
    token: str
    logprob: float
    bytes: tuple[int, ...] | None = None
    top_logprobs: list[TopLogprob] | None = None


class Logprobs(_Said):
    content: list[TokenLogprob] | None = None


class Groq(_Said):
    usage: OpenAIUsage | Odd = None


class _Turn(_Said):
    content: str | list[ContentPart] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[Call] | None = None
    function_call: Called | None = None
    annotations: list[Annotation] | None = None


# ---- a whole answer


class Message(_Turn):
    pass


class Choice(_Said):
    message: Message
    index: int | None = 0
    finish_reason: str | None = None
    logprobs: Logprobs | Odd = None
    usage: OpenAIUsage | Odd = None
    """Moonshot's place for it."""


class Completion(_Said):
    choices: list[Choice] | None = None
    id: str | None = None
    model: str | None = None
    created: float | None = None
    service_tier: str | None = None
    usage: OpenAIUsage | Odd = None
    x_groq: Groq | Odd = None
    timings: Timings | Odd = None
    error: object = None


# ---- a chunk of a stream


class Delta(_Turn):
    pass


class Chosen(_Said):
    delta: Delta | None = None
    index: int | None = 0
    finish_reason: str | None = None
    logprobs: Logprobs | Odd = None
    usage: OpenAIUsage | Odd = None


class Chunk(_Said):
    choices: list[Chosen] | None = None
    kind: str | None = msgspec.field(default=None, name="object")
    usage: OpenAIUsage | Odd = None
    x_groq: Groq | Odd = None
    timings: Timings | Odd = None
    error: object = None


class FirstChunk(Chunk):
    """What every chunk repeats is read once."""

    id: str | None = None
    model: str | None = None
    created: float | None = None


def usage_of(said: Completion | Chunk) -> Usage | None:
    """None if none is reported; several places are in use."""
    if said.usage is not None:
        return openai_usage(said.usage)
    if isinstance(said.x_groq, Groq) and said.x_groq.usage is not None:
        return openai_usage(said.x_groq.usage)
    for choice in said.choices or ():
        if choice.usage is not None:
            return openai_usage(choice.usage)
    return None if said.timings is None else timings_usage(said.timings)


_FINISHES: dict[str, Finish] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "length": "length",
    "max_tokens": "length",
    "model_length": "context",
    "tool_calls": "tool_calls",
    "tool_call": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "sensitive": "content_filter",
    "safety": "content_filter",
    "refusal": "refusal",
}
_FAILURES = frozenset(("error", "abort", "network_error", "insufficient_system_resource"))
"""OpenRouter and Mistral, vLLM and SGLang, Zhipu, DeepSeek (their API references, 2026-11): it broke off."""


def finish_of(reason: str, called: bool, refused: bool) -> Finish:
    """`called`, `refused`: a tool call or a refusal was seen. OpenAI says stop after a refusal and after a call of a
    tool it was told to call, and some servers after every call.

    Raises:
        UpstreamError: the word means that the answer broke off.
    """
    if reason in _FAILURES:
        raise UpstreamError("The provider broke off its answer", why=f"its finish reason is {reason}")
    finish = _FINISHES.get(reason.lower(), "stop")
    if finish == "stop":
        return "tool_calls" if called else "refusal" if refused else "stop"
    return finish


def failure_of(error: object) -> str:
    """An error object in few words: its code or type. Its message may hold the prompt."""
    if isinstance(error, dict):
        for name in ("code", "type"):
            word = error.get(name)
            if isinstance(word, (str, int)) and word != "":
                return f"error event ({str(word)[:60]})"
    return "error event"


def texts_of(parts: list[ContentPart]) -> tuple[str, str]:
    """Thinking and text."""
    thinking: list[str] = []
    text: list[str] = []
    for part in parts:
        if isinstance(part.thinking, str):
            thinking.append(part.thinking)
        elif part.thinking is not None:
            thinking += [piece.text for piece in part.thinking]
        elif part.text is not None:
            text.append(part.text)
    return "".join(thinking), "".join(text)


def arguments_of(said: str | dict[str, msgspec.Raw] | None) -> str:
    if isinstance(said, dict):
        return msgspec.json.encode(said).decode()
    return said or ""


def call_id(answer_id: str, number: int) -> str:
    """For a call whose provider gave it none. Ids are unique in a conversation, so the answer's goes in."""
    kept = "".join(character for character in answer_id[-24:] if character.isascii() and character.isalnum())
    return f"call_{kept}_{number}" if kept else f"call_{number}"


def signature_of(call: Call, model: str) -> str:
    """Google's, of a call; marked as its own dialect's reader marks it."""
    extra = call.extra_content
    if extra is None or extra.google is None or not extra.google.thought_signature:
        return ""
    return marked("gemini", model, extra.google.thought_signature)


def citations_of(annotations: list[Annotation]) -> tuple[Citation, ...]:
    return tuple(
        Citation(
            cited.url,
            cited.title or "",
            cited.content or "",
            -1 if cited.start_index is None else cited.start_index,
            -1 if cited.end_index is None else cited.end_index,
        )
        for cited in (annotation.url_citation for annotation in annotations)
        if cited is not None
    )


def logprobs_of(said: Logprobs | Odd) -> tuple[Logprob, ...]:
    if not isinstance(said, Logprobs) or said.content is None:
        return ()
    return tuple(
        Logprob(
            each.token,
            each.logprob,
            each.bytes,
            tuple(Logprob(top.token, top.logprob, top.bytes) for top in each.top_logprobs or ()),
        )
        for each in said.content
    )
