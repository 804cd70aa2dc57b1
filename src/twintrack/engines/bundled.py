"""The demo models that come with the package: their files, what was measured, and questions to ask them.

`models/CARD.md` says what they are, and above all what they are not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from twintrack.errors import ConfigError, nearest

_FOLDER = Path(__file__).parent / "models"


class BundledModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of models.toml."""

    name: str
    file: str
    sha256: str
    parameters: int
    context_tokens: int
    quality: float
    """Share of the evaluation questions answered exactly right, 0 to 1."""
    skills: dict[str, float]
    """The same for each skill."""

    @property
    def path(self) -> Path:
        return _FOLDER / self.file


class Prompt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question with the one right answer; messages and tools in OpenAI's layout."""

    skill: str
    messages: tuple[dict[str, Any], ...]
    expected: str
    """Compared as it stands; for a tool call the text the model writes, which an engine parses into `tool_calls`."""
    tools: tuple[dict[str, Any], ...] = ()


class _ModelsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    models: tuple[BundledModel, ...]


def bundled_models() -> tuple[BundledModel, ...]:
    """The bundled models, smallest first."""
    return msgspec.toml.decode((_FOLDER / "models.toml").read_bytes(), type=_ModelsFile).models


def bundled_prompts() -> tuple[Prompt, ...]:
    """Evaluation questions for the bundled models, skill by skill; training never saw those that could be held out."""
    lines = (_FOLDER / "prompts.jsonl").read_bytes().splitlines()
    return tuple(msgspec.json.decode(line, type=Prompt) for line in lines)


def bundled(name: str) -> Path:
    """The GGUF file of a bundled model.

    Raises:
        ConfigError: there is no bundled model of that name.
    """
    models = {model.name: model for model in bundled_models()}
    if name in models:
        return models[name].path
    close = nearest(name, models)
    raise ConfigError(
        f"No bundled model is called {name!r}",
        why=f"The nearest name is {close[0]}" if close else f"There are {' and '.join(models)}",
        fix="Name one of them, or give the path of a GGUF file",
    )
