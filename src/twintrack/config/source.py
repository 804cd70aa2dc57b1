"""A configuration text, where things stand in it, and what is wrong with it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import msgspec

from twintrack.config.locate import Path, locate
from twintrack.errors import ConfigError

_SECRETIVE = re.compile(
    r"\b(?:[spr]k[-_]|gsk_|xai-|hf_|ghp_|github_pat_|glpat-|xox[a-z]-|AKIA|AIza|ya29\.|eyJ)[-_A-Z0-9a-z.]{16,}"
)
"""How keys of the providers we know begin, and tokens one meets beside them."""


@dataclass(frozen=True)
class Source:
    """Lines are looked up only when somebody asks, so a configuration without faults does not pay for them."""

    name: str
    """The file as the user named it; stands before every message."""
    text: str = field(repr=False)
    folder: str
    """Absolute; where relative paths in the text start."""

    @cached_property
    def _lines(self) -> dict[Path, int]:
        try:
            return locate(self.text)
        except RecursionError:  # nested some hundred deep: the file's first line will have to do
            return {}

    def says(self, path: Path) -> bool:
        """Whether the text itself holds a value at `path`, rather than leaving it to a default."""
        return path in self._lines

    def line(self, path: Path) -> int:
        """Line of `path`, or of the innermost table around it that stands in the text."""
        while path and path not in self._lines:
            path = path[:-1]
        return self._lines.get(path, 1)

    def absolute(self, path: str) -> str:
        return os.path.join(self.folder, os.path.expanduser(path))

    def reference(self, reference: str) -> str:
        """A secret's reference with its path, if it has one, made absolute."""
        scheme, _, name = reference.partition(":")
        return f"file:{self.absolute(name)}" if scheme == "file" else reference


class Problem(msgspec.Struct, frozen=True):
    path: Path
    what: str
    """What was found, as the rest of a sentence that begins with the path. Never a secret."""
    fix: str
    """What to write instead: whole sentences."""


class InvalidConfig(ConfigError):
    """A configuration with one or more problems, each a line (or more) that begins with file and line number."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))

    def __str__(self) -> str:
        return self.what


def invalid(source: Source, problems: Iterable[Problem]) -> InvalidConfig:
    """All `problems` as one error, in the order of their lines."""
    placed = sorted(((source.line(problem.path), problem) for problem in problems), key=lambda pair: pair[0])
    return InvalidConfig(
        f"{source.name}:{line}: {spell(problem.path)} {problem.what}. {problem.fix}" for line, problem in placed
    )


def shown(text: str, most: int = 100) -> str:
    """A value as a message quotes it; what may be a secret in the wrong place is not repeated."""
    if _SECRETIVE.search(text):
        return f"a text of {len(text)} characters"
    return repr(text if len(text) <= most else text[:most] + "…")


def spell(path: Path) -> str:
    """JSON path: $.deployments[1].zone, $.routes."my route"."""
    text = "$"
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif re.fullmatch(r"[A-Za-z0-9_-]+", part):
            text += f".{part}"
        else:
            text += "." + msgspec.json.encode(part).decode()
    return text


def alternatives(words: Iterable[str], last_word: str = "or") -> str:
    """own, contracted or third_party."""
    *most, last = words
    return f"{', '.join(most)} {last_word} {last}" if most else last
