"""How a client's wish to think is said to a model of each generation.

Up to 2.5 a budget in tokens, 0 for none and -1 for as many as the model likes; from 3 on a level, and no way to say
none but MINIMAL, which most models before 3.7 know (docs.cloud.google.com …/models/thinking, read on 2026-11-20).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from twintrack.wire.canonical.effort import budget_tokens
from twintrack.wire.canonical.effort import effort as effort_of
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Effort, Reasoning
from twintrack.wire.dialects.gemini.model import Model
from twintrack.wire.dialects.gemini.shapes import ThinkingConfig

_DYNAMIC: Final = -1
_LEVELS: Mapping[Effort, Literal["LOW", "MEDIUM", "HIGH"]] = {
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}


def thinking(said: Reasoning, model: Model, losses: Losses) -> ThinkingConfig | None:
    """None: there is nothing to say."""
    effort = effort_of(said)
    if effort == "none" and model.thinks_always:
        losses.member("reasoning", "this model always thinks")
    shown = None if said.show == "" else said.show != "none"
    if model.budgets is not None:
        budget = 0 if effort == "none" and not model.thinks_always else _budget(said, model.budgets)
        return None if budget is None and shown is None else ThinkingConfig(budget, "", shown)
    level: Literal["MINIMAL", "LOW", "MEDIUM", "HIGH", ""] = ""
    if effort is not None:
        level = _LEVELS.get(effort) or ("MINIMAL" if model.has_minimal else "LOW")
    return None if not level and shown is None else ThinkingConfig(None, level, shown)


def _budget(said: Reasoning, bounds: tuple[int, int]) -> int | None:
    fewest, most = bounds
    asked = budget_tokens(said)
    if asked is None:
        return _DYNAMIC if said.adaptive else None
    return min(max(asked, fewest), most)
