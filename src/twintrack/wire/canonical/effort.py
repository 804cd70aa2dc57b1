"""How long to think, in words and as a budget of tokens, for dialects that know only one of the two.

No vendor publishes such a table; these are ours: each word's budget lies inside the span that reads as the same word.
"""

from __future__ import annotations

from twintrack.wire.canonical.request import Effort, Reasoning

_BUDGETS: dict[Effort, int] = {
    "none": 0,
    "minimal": 1024,
    "low": 2048,
    "medium": 8192,
    "high": 16384,
    "xhigh": 32768,
    "max": 32768,
}


def budget_tokens(reasoning: Reasoning) -> int | None:
    """As asked for, or as its effort means; 0: do not think. None: the client said neither."""
    if reasoning.budget_tokens is not None or reasoning.effort is None:
        return reasoning.budget_tokens
    return _BUDGETS[reasoning.effort]


def effort(reasoning: Reasoning) -> Effort | None:
    """As asked for, or as its budget means. None: the client said neither."""
    budget = reasoning.budget_tokens
    if reasoning.effort is not None or budget is None:
        return reasoning.effort
    if budget == 0:
        return "none"
    if budget < 1024:
        return "minimal"
    if budget < 4096:
        return "low"
    return "medium" if budget < 12288 else "high"
