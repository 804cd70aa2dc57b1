"""What a translation needs to know of the world, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from twintrack.catalog.prices import Prices
from twintrack.config.locate import Path
from twintrack.config.moving import write
from twintrack.config.moving.account import Remark, grouped
from twintrack.config.moving.draft import Draft

Guess = Callable[[str], tuple[float, str]]
"""A quality for a model the catalogue does not know, and how it was come by."""


@dataclass(frozen=True)
class World:
    environ: Mapping[str, str]
    guess: Guess
    attempts: int
    """How many deployments a request is sent to at most."""
    prices: Prices | None = None
    """Today's list prices; without them nothing is said of what has none."""


@dataclass(frozen=True)
class Variable:
    """One that must be set before the result can serve."""

    name: str
    line: int
    """Where the old file speaks of it; 0: nowhere."""
    purpose: str


@dataclass(frozen=True)
class Moved:
    source: str
    draft: Draft
    remarks: tuple[Remark, ...]
    """One for each value."""
    summary: tuple[Remark, ...]
    """The same with fewer words, for people."""
    carried: dict[Path, tuple[int, str]]
    """Line, and the word it stands in now, by path in the old file."""
    variables: tuple[Variable, ...]
    to_check: tuple[str, ...] = ()
    """What was assumed: sentences."""
    hints: tuple[str, ...] = ()
    """TOML that is right, but that nobody asked for; written as a comment."""

    @property
    def text(self) -> str:
        """The configuration, with what did not make it as a comment at its end."""
        parts = [self.draft.text()]
        parts += ["\n".join(write.comment(hint)) + "\n" for hint in self.hints]
        if self.summary:
            parts.append(_listed(self.source, self.summary))
        return "\n".join(parts)


def _listed(source: str, remarks: Sequence[Remark]) -> str:
    lines = write.comment(f"What {source} says and this file does not say, or says otherwise:")
    for each in grouped(remarks):
        lines.append("#")
        lines += write.comment(f"{each.kind}: {each.why}", hang="  ")
        for place in each.places:
            lines += write.comment(f"{lines_text(place.lines)}  {place.path}", indent="  ", hang="    ")
    return "\n".join(lines) + "\n"


def lines_text(lines: Sequence[tuple[int, int]]) -> str:
    """line 7, or lines 7, 12 to 15 and 30."""
    *most, last = (str(first) if first == end else f"{first} to {end}" for first, end in lines)
    return f"lines {', '.join(most)} and {last}" if most else f"line{'s' if 'to' in last else ''} {last}"
