"""What is seen of a draft when it is checked: a few numbers, none of which is text of the prompt or the answer.

A mean hides one wild guess among many sure words, so of log-probabilities there are three: the mean, the lowest
tenth's upper end and the least (Gupta et al. 2024, Language Model Cascades: Token-Level Uncertainty and Beyond).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, log2
from struct import Struct

from twintrack.wire.canonical.parts import ToolCall
from twintrack.wire.held import Draft

VERSION = 1
NAMES = (
    "told",  # 1: log-probabilities are known; else the next three are 0
    "mean", "tenth", "least",  # natural logarithms
    "measured",  # 1: a fitted router foresaw how good it is; else the next is 0
    "chance",  # log odds of that
    "complexity",
    "chars", "tokens", "relative",  # log2: of its text, of all its output, of text by prompt
    "distinct",  # share of different words at its end
    "marked",  # 1: it marks a result
    "tool", "json",  # 1: it calls one, it was to be JSON
    "others", "agrees",  # earlier drafts of the request with a result, and how many of those have the same
)  # fmt: skip
PLACE = {name: place for place, name in enumerate(NAMES)}

_PACKED = Struct(f"<B{len(NAMES)}e")
_TAIL_CHARS = 2_000
_LEAST_MEAN, _LEAST = -8.0, -24.0
_MOST_ODDS = 6.0
_CHARS_PER_TOKEN = 4


def seen(
    draft: Draft,
    result: str | None,
    *,
    output_tokens: int | None,
    prompt_tokens: int,
    complexity: float,
    p_good: float | None,
    json: bool,
    others: Sequence[str],
) -> tuple[float, ...]:
    """The numbers in the order of `NAMES`.

    Args:
        result: that the draft marks, `agreement.final_answer`.
        output_tokens: as reported; None: not.
        p_good: as a fitted router foresaw it from the request alone; None: there is none that knows the deployment.
        json: the request asks for it.
        others: results of earlier drafts of the same request that mark one.
    """
    text = draft.text
    told, mean, tenth, least = _sureness(draft.logprobs)
    words = text[-_TAIL_CHARS:].split()
    chars = log2(1 + len(text))
    tokens = output_tokens if output_tokens is not None else len(draft.logprobs) or len(text) // _CHARS_PER_TOKEN
    return (
        told,
        mean,
        tenth,
        least,
        0.0 if p_good is None else 1.0,
        0.0 if p_good is None else _odds(p_good),
        complexity,
        chars,
        log2(1 + max(0, tokens)),
        chars - log2(1 + _CHARS_PER_TOKEN * prompt_tokens),
        len(set(words)) / len(words) if words else 1.0,
        float(result is not None),
        float(any(isinstance(part, ToolCall) for part in draft.parts)),
        float(json),
        float(len(others)),
        0.0 if result is None else float(sum(other == result for other in others)),
    )


def packed(found: tuple[float, ...]) -> bytes:
    """As the ledger keeps them: the version in a byte, then floats of 16 bits, little-endian."""
    return _PACKED.pack(VERSION, *found)


def unpacked(kept: bytes) -> tuple[float, ...] | None:
    """None: of another version, or no such numbers."""
    if len(kept) != _PACKED.size or kept[0] != VERSION:
        return None
    return _PACKED.unpack(kept)[1:]


def _sureness(logprobs: tuple[float, ...]) -> tuple[float, float, float, float]:
    if not logprobs:
        return 0.0, 0.0, 0.0, 0.0
    rising = sorted(logprobs)
    mean = max(_LEAST_MEAN, sum(rising) / len(rising))
    return 1.0, mean, max(_LEAST, rising[len(rising) // 10]), max(_LEAST, rising[0])


def _odds(p: float) -> float:
    p = min(0.9999, max(0.0001, p))
    return max(-_MOST_ODDS, min(_MOST_ODDS, log(p / (1 - p))))
