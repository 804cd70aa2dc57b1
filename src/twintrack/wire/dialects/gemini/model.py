"""What a request must know of the model it is written for: Gemini's generations differ in what they take.

Read on 2026-11-20: ai.google.dev/gemini-api/docs (thinking, thought-signatures, function-calling, latest-model),
docs.cloud.google.com/gemini-enterprise-agent-platform/models (thinking, guides of 3.5 Flash, 3.8 Flash and 4 Argon).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass

_GENERATION = re.compile(r"gemini-(\d+)(?:\.(\d+))?(?![\d.])")
_NEWEST = (99, 0)
"""For names that tell no generation, as gemini-flash-latest and tuned models: what is new today is what they become."""


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    """Without the collection in front."""
    version: tuple[int, int]
    gemini: bool

    @property
    def budgets(self) -> tuple[int, int] | None:
        """Fewest and most tokens of thinking that can be asked for; None: it takes levels instead (Gemini 3 on)."""
        if not self.gemini or self.version >= (3, 0):
            return None
        if "pro" in self.name:
            return 128, 32_768
        return (512, 24_576) if "lite" in self.name else (1, 24_576)

    @property
    def thinks_always(self) -> bool:
        """Thinking cannot be turned off, nor nearly so."""
        return "pro" in self.name if self.budgets else not self.has_minimal

    @property
    def has_minimal(self) -> bool:
        """Knows the level MINIMAL, which for most requests is no thinking at all; the others answer it with a 400."""
        if not self.gemini or "flash" not in self.name:
            return False
        return "lite" in self.name or (3, 0) <= self.version <= (3, 6)

    @property
    def checks_signatures(self) -> bool:
        """Answers 400 if a call of the current turn comes back without a thought signature."""
        return self.gemini and self.version >= (3, 0)

    @property
    def sees_results(self) -> bool:
        """Takes images and documents in a tool's result."""
        return self.version >= (3, 0)

    @property
    def formats_with_tools(self) -> bool:
        """Takes a form for the answer together with tools."""
        return self.version >= (3, 0)

    @property
    def continues_answers(self) -> bool:
        """Takes the beginning of its answer as the last message; later models answer it with a 400."""
        return self.version < (3, 5) or (self.version == (3, 5) and "lite" not in self.name)

    def made(self, name: str) -> bool:
        """Whether `name`, from an answer, means this model, so that it can read what it signed then."""
        if not name or self.version == _NEWEST:
            return True
        name = bare(name)
        return name.startswith(self.name) or self.name.startswith(name)


def bare(name: str) -> str:
    return name.rpartition("/")[2].lower()


@functools.lru_cache(maxsize=1024)
def model(name: str) -> Model:
    name = bare(name)
    found = _GENERATION.match(name)
    version = (int(found[1]), int(found[2] or 0)) if found else _NEWEST
    return Model(name, version, name.startswith("gemini-"))
