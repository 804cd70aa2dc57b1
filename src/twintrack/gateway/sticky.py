"""What was found in one turn is the conversation's: a later turn is judged by it as well."""

from __future__ import annotations

from twintrack.gateway.undecided import Undecided

_FIRST_TURN_CHARS = 1024
_FIRST_TURNS = 2
"""A system prompt and what the user said: such a request stands there whole, and what another conversation brought that
began with the same words is not its own."""


def with_earlier_turns(undecided: Undecided, found: int, categories: tuple[str, ...]) -> tuple[int, tuple[str, ...]]:
    """With what the conversation brought before; and it goes on with what this turn brings.

    Args:
        found: rung of what stands in this turn.
    """
    gateway = undecided.gateway
    remembered, sticky_s = gateway.remembered, undecided.serving.snapshot.detect.sticky_s
    if not sticky_s or not (found or len(remembered)):
        return found, categories
    key = undecided.serving.snapshot.keys[undecided.key].name if undecided.key >= 0 else ""
    prompt, kept = undecided.asked.prompt(), undecided.asked.continues()
    names = [remembered.name(key, each) for each in (prompt.first_user[:_FIRST_TURN_CHARS], *kept) if each]
    rung, both = found, set(categories)
    if prompt.turns > _FIRST_TURNS or prompt.last_user != prompt.first_user or kept:
        for name in names:
            before, its = remembered.of(name, gateway.now)
            rung = max(rung, before)
            both.update(its)
    together = tuple(sorted(both))
    if rung:
        for name in names:
            # What began alike and holds less takes nothing from what was found before.
            before, its = remembered.of(name, gateway.now)
            kept_categories = tuple(sorted(both.union(its)))
            remembered.note(name, max(rung, before), kept_categories, gateway.now + sticky_s)
    return rung, together
