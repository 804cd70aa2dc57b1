"""How hard a request looks, 0 to 1, as a sum of named parts that can be shown to whoever asks.

The weights are set by hand and length outweighs all the rest, because nothing better transfers: weights fitted on one
set of questions rank another worse than length does (`tools/check_complexity.py`, numbers in `docs/routing.md`). It is
a prior to start with. What you learn from your own traffic replaces it through `Scorer`.
"""

from __future__ import annotations

from math import log2
from typing import NamedTuple, Protocol

from twintrack.signals.evidence import Evidence, evidence
from twintrack.signals.vocabulary import CONSTRAINT, NEGATION, REASON
from twintrack.wire.prompt import Prompt

LOWEST = 0.02
"""No request is certain to be answered well by any model."""


class Scorer(Protocol):
    """The seam for a learned one, which reads its weights from a file before it is handed in. No I/O in `score`."""

    def score(self, prompt: Prompt, task: str, tokens: int) -> float:
        """0 (any model will do) to 1; `tokens` is the estimate for the whole prompt."""


class Part(NamedTuple):
    name: str
    contribution: float
    """What it adds to the score; negative where the request looks easier for it."""


BASE = 0.02
LENGTH = 0.60
"""At 8,192 tokens; half of it at 350, a ninth of it at 16."""
QUESTIONS = 0.03
"""Four question marks or more; one is free."""
CODE = 0.08
MATHS = 0.05
NUMBERS = 0.03
"""Sixty digits or more."""
CONSTRAINTS = 0.06
"""Six words like must, exactly, only."""
REASONING = 0.08
"""Three words like why, prove, compare."""
NEGATIONS = 0.06
"""Two words like not, except, false: what exams ask to trip one up."""
TURNS = 0.06
"""Eleven turns."""
TOOLS = 0.08
OUTPUT = 0.08
"""The client allows 8,192 tokens or more; 256 are free."""
TASK = {"code": 0.02, "math": 0.02, "reasoning": 0.02, "classify": -0.06, "extract": -0.06, "summarise": -0.06,
        "translate": -0.03}  # fmt: skip

NAMES = ("base", "length", "questions", "code", "maths", "numbers", "constraints", "reasoning", "negations", "turns",
         "tools", "output", "task")  # fmt: skip


class PartsScorer:
    """The shipped `Scorer`."""

    def score(self, prompt: Prompt, task: str, tokens: int) -> float:
        return score(prompt, task, tokens, evidence(prompt))


def score(prompt: Prompt, task: str, tokens: int, seen: Evidence) -> float:
    """`PartsScorer.score` for a caller that has looked at the text already."""
    total = sum(_contributions(prompt, task, tokens, seen))
    return LOWEST if total < LOWEST else 1.0 if total > 1.0 else total


def parts(prompt: Prompt, task: str, tokens: int) -> tuple[Part, ...]:
    """What the score is made of, without those that add nothing. Their sum is the score, save for `LOWEST` and 1."""
    contributions = _contributions(prompt, task, tokens, evidence(prompt))
    return tuple(Part(name, each) for name, each in zip(NAMES, contributions, strict=True) if each)


def _contributions(prompt: Prompt, task: str, tokens: int, seen: Evidence) -> tuple[float, ...]:
    """In the order of `NAMES`."""
    words, output, turns = seen.telling, prompt.max_output_tokens, prompt.turns
    questions = seen.marks.count(b"?")
    length = log2(1 + tokens / 16) / 9
    constraints = reasoning = negations = 0.0
    if words:
        constraints = CONSTRAINTS * min(words.count(CONSTRAINT), 6) / 6
        reasoning = REASONING * min(words.count(REASON), 3) / 3
        negations = NEGATIONS * min(words.count(NEGATION), 2) / 2
    return (
        BASE,
        LENGTH * (length if length < 1.0 else 1.0),
        QUESTIONS * min(questions - 1, 3) / 3 if questions > 1 else 0.0,
        CODE * min(seen.code, 6) / 6 if seen.code > 1 else 0.0,
        MATHS * min(seen.maths, 6) / 6 if seen.maths > 1 else 0.0,
        NUMBERS * min(seen.digits, 60) / 60 if seen.digits else 0.0,
        constraints,
        reasoning,
        negations,
        TURNS * min(turns - 1, 10) / 10 if turns > 1 else 0.0,
        TOOLS if prompt.tools else 0.0,
        OUTPUT * min(1.0, log2(output / 256) / 5) if output > 256 else 0.0,
        TASK.get(task, 0.0),
    )
