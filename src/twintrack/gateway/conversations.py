"""Which deployment answered a conversation lately, so that its prompt lies in that provider's cache. One worker's.

A conversation is known by a hash alone. How much of it is cached is a guess: providers keep prompts of 1,024 tokens and
more for five minutes and longer (OpenAI and Anthropic, prompt caching, 2026-11).
"""

from __future__ import annotations

from twintrack.policy.ranking import Warm

KEPT_S = 300.0
LEAST_TOKENS = 1_024
MOST = 8_192
"""Conversations that are remembered."""


class Conversations:
    __slots__ = ("_known", "now")

    def __init__(self) -> None:
        self.now = 0.0
        """Seconds on the event loop's clock as of the last tick."""
        self._known: dict[int, tuple[Warm, float]] = {}
        """The one answered longest ago first."""

    def __len__(self) -> int:
        return len(self._known)

    def warm(self, conversation: int) -> Warm | None:
        """Who has it in its cache; None: nobody does any more."""
        found = self._known.get(conversation)
        return found[0] if found is not None and self.now - found[1] <= KEPT_S else None

    def answered(self, conversation: int, deployment: int, tokens: int) -> None:
        """`tokens`: of prompt and answer."""
        known = self._known
        known.pop(conversation, None)
        if tokens >= LEAST_TOKENS:
            known[conversation] = Warm(deployment, tokens), self.now
            if len(known) > MOST:
                del known[next(iter(known))]
