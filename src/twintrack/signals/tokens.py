"""How many tokens a prompt has and its answer may have, estimated without any model's vocabulary.

The true count comes back in the provider's usage and settles the cost; the estimate only has to rank prices, respect
limits and not send a book to a small window. Its error stands in `token_table.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from twintrack.signals.scripts import LEADS
from twintrack.signals.token_table import (
    PER_DENSE,
    PER_DIGIT,
    PER_LEAD,
    PER_LETTER,
    PER_LINE_END,
    PER_MARK,
    PER_SPACE,
)
from twintrack.wire.prompt import Prompt

WINDOWS = 8
WINDOW = 512
READ_WHOLE = WINDOWS * WINDOW
"""Characters up to which all are counted; beyond, evenly spaced windows stand for the whole, so the cost is bounded."""

PER_TURN = 4
"""Role marks and separators of a chat template."""
PER_TOOLS = 350
"""Offered tools: the templates' own preamble and a schema or two. Their number is not among what routing may read."""
PER_MODALITY = {"image": 1_000, "audio": 1_000, "video": 5_000, "file": 3_000}
"""Once for each kind present, since their number and size are not known here: a one-megapixel image (765 to 1,400 by
vendor), 100 s of audio, 20 s of video at 258 a second, a two-page document."""

_LETTERS = bytes(range(65, 91)) + bytes(range(97, 123))
_DROPPED = _LETTERS + bytes(range(128, 192)) + b"\r"  # which then count as letters, as little as they cost
_ASCII_KINDS = b"0 \n."
_DIGIT, _SPACE, _LINE_END, _MARK = _ASCII_KINDS


def _kind(byte: int) -> int:
    if byte in LEADS:
        return LEADS[byte]
    if 48 <= byte <= 57:
        return _DIGIT
    if byte in b" \t":
        return _SPACE
    return _LINE_END if byte == 10 else _MARK


_TO_KIND = bytes(map(_kind, range(256)))


def prompt_tokens(prompt: Prompt) -> int:
    """Tokens the provider will count as input, roughly."""
    tokens = text_tokens(prompt.texts) + PER_TURN * prompt.turns
    if prompt.tools:
        tokens += PER_TOOLS
    if prompt.modalities != ("text",):
        for modality in prompt.modalities:
            tokens += PER_MODALITY.get(modality, 0)
    return tokens


def text_tokens(texts: tuple[str, ...]) -> int:
    characters = len(texts[0]) if len(texts) == 1 else sum(map(len, texts))
    if characters <= READ_WHOLE:
        return round(_tokens("".join(texts)))
    sample = _windows(texts, characters)
    return round(_tokens(sample) * (characters / len(sample)))


def _tokens(text: str) -> float:
    characters = len(text)
    kinds = text.encode("utf-8", "replace").translate(_TO_KIND, _DROPPED)
    others = len(kinds)
    has = kinds.count
    digits = has(_DIGIT)
    if (others - digits) * 32 < characters and characters > 256:
        return PER_DENSE * characters
    spaces = has(_SPACE)
    line_ends = has(_LINE_END)
    # Each character beyond ASCII leaves its lead byte among the kinds, so what is missing is ASCII letters.
    tokens = PER_LETTER * (characters - others) + PER_DIGIT * digits + PER_SPACE * spaces + PER_LINE_END * line_ends
    marks = others - digits - spaces - line_ends
    if not text.isascii():
        leads = kinds.translate(None, _ASCII_KINDS)
        left = len(leads)
        marks -= left
        for lead, weight in PER_LEAD:
            count = leads.count(lead)
            if count:
                tokens += weight * count
                left -= count
                if not left:
                    break
    return tokens + PER_MARK * marks


def _windows(texts: tuple[str, ...], characters: int) -> str:
    """Pieces from `WINDOWS` places that divide the whole evenly, so a long text counts by its length."""
    ends = list(accumulate(map(len, texts)))
    pieces = []
    for number in range(WINDOWS):
        place = number * characters // WINDOWS
        index = bisect_right(ends, place)
        start = place - ends[index] + len(texts[index])
        pieces.append(texts[index][start : start + WINDOW])
    return "".join(pieces)


_OUTPUT_TOKENS = {
    "chat": 400, "code": 600, "math": 400, "reasoning": 500, "extract": 150, "summarise": 250, "translate": 0,
    "classify": 20, "write": 600, "embed": 0,
}  # fmt: skip
"""Priors by task class, by hand, near what public answers show: AlpacaEval's median over 57 models is 665 characters,
1,790 for the talkative tenth; GSM8K 500; MMLU-Pro with reasoning 274. Models that think before they answer spend
several times as much. Verdicts of your own traffic replace this."""


def output_tokens(task: str, prompt_tokens_est: int, max_output_tokens: int) -> int:
    """Tokens the answer may have, within what the client allows (0: no limit)."""
    tokens = prompt_tokens_est if task == "translate" else _OUTPUT_TOKENS.get(task, _OUTPUT_TOKENS["chat"])
    return min(tokens, max_output_tokens) if max_output_tokens else tokens
