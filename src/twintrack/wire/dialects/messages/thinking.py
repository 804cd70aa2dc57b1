"""How long the model shall think, in the words of its generation."""

from __future__ import annotations

from typing import Literal, NamedTuple

from twintrack.wire.canonical.effort import budget_tokens, effort
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import Thinking, ToolCall
from twintrack.wire.canonical.request import Reasoning, Request
from twintrack.wire.dialects.messages import shapes
from twintrack.wire.dialects.messages.model import Model

_FEWEST = 1024
"""The smallest budget the vendor takes; it must lie below max_tokens, which thinking counts towards."""
_USUAL = 8192
_LEVELS = ("minimal", "low", "medium", "high", "xhigh", "max")
_Effort = Literal["low", "medium", "high", "xhigh", "max"]
_DISPLAYS: dict[str, shapes.Display | None] = {
    "": None,
    "auto": "summarized",
    "concise": "summarized",
    "detailed": "summarized",
    "none": "omitted",
}


class Thought(NamedTuple):
    """What of it goes into a request."""

    config: shapes.AnyThinking | None
    on: bool
    """The model may think."""
    effort: _Effort | None = None


def thought(request: Request, model: Model, max_tokens: int, forced: bool, begun: bool, losses: Losses) -> Thought:
    """What is to be said of the client's wish to think.

    Args:
        forced: a tool must be called.
        begun: the request ends in the middle of the answer.
    """
    reasoning = request.reasoning
    if reasoning is None:
        return Thought(None, model.on_by_default)
    if reasoning.effort == "none" or (reasoning.effort is None and reasoning.budget_tokens == 0):
        return _off(model, losses)
    if model.thinking == "adaptive":
        return Thought(shapes.ThinkingAdaptive(_DISPLAYS[reasoning.show]), True, _nearest(reasoning, model))
    if model.thinking == "none":
        losses.member("reasoning", "this model does not think")
        return Thought(None, False)
    return _with_budget(request, reasoning, max_tokens, forced, begun, losses)


def _off(model: Model, losses: Losses) -> Thought:
    if not model.on_by_default:
        return Thought(None, False)
    if model.off == "disabled":
        return Thought(shapes.ThinkingDisabled(), False)
    if model.off == "between_tools":
        return Thought(shapes.ThinkingBetweenTools(), False)
    losses.member("reasoning", "this model always thinks")
    return Thought(None, True, model.efforts[0])


def _nearest(reasoning: Reasoning, model: Model) -> _Effort | None:
    """The same word, else the next lower one that the model knows, else its lowest."""
    said = effort(reasoning)
    if said is None or not model.efforts:
        return None
    at = _LEVELS.index(said)
    below = [word for word in model.efforts if _LEVELS.index(word) <= at]
    return below[-1] if below else model.efforts[0]


def _with_budget(
    request: Request, reasoning: Reasoning, max_tokens: int, forced: bool, begun: bool, losses: Losses
) -> Thought:
    off = Thought(None, False)
    if forced or begun:
        # "Thinking may not be enabled when tool_choice forces tool use", nor with the answer's beginning given.
        losses.member("reasoning", "thinking together with a forced tool" if forced else "thinking in mid-answer")
        return off
    if _lacks_thinking(request):
        # The vendor refuses to think on behind calls whose own thinking does not come with them, signed ("Expected
        # thinking or redacted_thinking, but found tool_use"), and calls of another model have none it would accept.
        # So nothing that could have been said is lost; the next question of the user is thought about again.
        return off
    if max_tokens <= _FEWEST:
        losses.member("reasoning", f"max_tokens of {_FEWEST} or less leave no room to think")
        return off
    if reasoning.budget_tokens is None:
        # An effort says nothing of numbers, so half of what may be written stays for the answer.
        budget = min(budget_tokens(reasoning) or _USUAL, max(max_tokens // 2, _FEWEST))
    else:
        budget = min(max(reasoning.budget_tokens, _FEWEST), max_tokens - 1)
    return Thought(shapes.ThinkingEnabled(budget, _DISPLAYS[reasoning.show]), True)


def _lacks_thinking(request: Request) -> bool:
    """The request goes on behind calls of tools, and the turn that made them does not begin with signed thinking."""
    turns = request.turns
    if not turns or turns[-1].role not in ("tool", "system"):
        return False
    for turn in reversed(turns):
        if turn.role == "assistant":
            if not any(isinstance(part, ToolCall) for part in turn.parts):
                return False
            first = turn.parts[0]
            return not (isinstance(first, Thinking) and is_ours(first))
        if turn.role == "user":
            return False
    return False


def is_ours(thinking: Thinking) -> bool:
    """Signed or sealed by this vendor: what another did carries its name (canonical/signature.py)."""
    mark = thinking.signature or thinking.sealed
    return bool(mark) and "#" not in mark
