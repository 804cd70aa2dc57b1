"""What became of each value of the old configuration. A value nobody took is listed: nothing is lost in silence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from twintrack.config.locate import Path
from twintrack.config.moving.document import Document, Node
from twintrack.config.source import spell

Kind = Literal["not carried", "changed", "secret", "not needed"]
"""changed: carried, but it works otherwise. secret: a reference stands in its place. not needed: so without it."""


@dataclass(frozen=True)
class Remark:
    line: int
    path: Path
    kind: Kind
    why: str
    """And what to do instead: whole sentences. Never holds a value that might be a secret."""
    last_line: int = 0
    """Of a mapping or list of which it holds as a whole; 0: it is one value."""


@dataclass(frozen=True)
class Place:
    """Values in the same place of one or more list items."""

    lines: tuple[tuple[int, int], ...]
    """First and last of each."""
    path: str
    """With [*] for items that differ."""


@dataclass(frozen=True)
class Grouped:
    """All of which the same can be said."""

    kind: Kind
    why: str
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Advice:
    """What to say of values that stand below `path`; a row of a data file."""

    path: tuple[str, ...]
    """Words, with * as wildcard; the numbers of list items do not count."""
    why: str
    kind: Kind = "not carried"

    def fits(self, words: Sequence[str]) -> bool:
        return len(words) >= len(self.path) and all(
            fnmatchcase(word, mine) for mine, word in zip(self.path, words, strict=False)
        )


class Account:
    def __init__(self, document: Document, advice: Iterable[Advice]) -> None:
        self._document = document
        self._advice = sorted(advice, key=lambda each: (-len(each.path), each.path.count("*")))
        self._carried: dict[int, tuple[Node, str]] = {}
        self._remarks: dict[int, tuple[Node, Kind, str]] = {}
        """Both by the identity of a leaf."""

    def carry(self, node: Node, to: str) -> None:
        """All of `node` now stands in `to`, a word of our configuration."""
        for leaf in node.leaves():
            self._carried[id(leaf)] = leaf, to

    def remark(self, node: Node, kind: Kind, why: str) -> None:
        """Say something of all of `node`; what was said before is replaced."""
        for leaf in node.leaves():
            if kind in ("not carried", "not needed"):
                self._carried.pop(id(leaf), None)
            self._remarks[id(leaf)] = leaf, kind, why

    def lose(self, node: Node, why: str) -> None:
        self.remark(node, "not carried", why)

    def close(self) -> None:
        """Account for what nobody looked at. A value that was only written to be repeated counts as its repetitions."""
        repeated = {leaf.origin: to for leaf, to in self._carried.values()}
        told = {leaf.origin for leaf, _, _ in self._remarks.values()}
        for overruled, line in self._document.overruled:
            self.remark(overruled, "not needed", f"Line {line} says it again, and the last one holds.")
        for leaf in reversed(list(self._document.root.leaves())):  # what is repeated stands further down
            if id(leaf) in self._carried or id(leaf) in self._remarks:
                continue
            if leaf.origin in repeated:
                self._carried[id(leaf)] = leaf, repeated[leaf.origin]
            elif leaf.origin not in told:
                kind, why = self._advised(leaf.path)
                self.remark(leaf, kind, why)
                told.add(leaf.origin)
            else:
                self.remark(leaf, "not needed", "It is repeated elsewhere, and listed there.")

    def _advised(self, path: Path) -> tuple[Kind, str]:
        words = [part for part in path if isinstance(part, str)]
        found = next((each for each in self._advice if each.fits(words)), None)
        return (found.kind, found.why) if found else ("not carried", "Twintrack has no such setting.")

    @property
    def carried(self) -> dict[Path, tuple[int, str]]:
        """Line, and the word it stands in now, by path."""
        return {leaf.path: (leaf.line, to) for leaf, to in self._carried.values()}

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """In the order of their lines."""
        told = [Remark(leaf.line, leaf.path, kind, why) for leaf, kind, why in self._remarks.values()]
        return tuple(sorted(told, key=lambda each: (each.line, list(map(str, each.path)))))

    @property
    def summary(self) -> tuple[Remark, ...]:
        """The same with one remark for a list, or for a mapping inside one, of which the same is said throughout."""
        return tuple(sorted(self._summed(self._document.root)[0], key=lambda each: each.line)) + tuple(
            each for each in self.remarks if each.path not in {leaf.path for leaf in self._document.root.leaves()}
        )

    def _summed(self, node: Node) -> tuple[list[Remark], bool]:
        """Remarks on all below, and whether nothing below is without one."""
        below = [*node.fields.values(), *node.items]
        if not below:
            found = self._remarks.get(id(node))
            return ([] if found is None else [Remark(node.line, node.path, *found[1:])]), found is not None
        parts = [self._summed(each) for each in below]
        remarks = [each for part, _ in parts for each in part]
        whole = all(complete for _, complete in parts)
        alike = len({(each.kind, each.why) for each in remarks}) == 1
        if whole and alike and (node.items or len(node.path) > 1) and len(remarks) == len(below):
            first = min(each.line for each in remarks)
            last = max(max(each.line, each.last_line) for each in remarks)
            return [Remark(first, node.path, remarks[0].kind, remarks[0].why, last)], True
        return remarks, whole


def grouped(remarks: Iterable[Remark]) -> list[Grouped]:
    """For people: what is said of many values is said once, with all their lines."""
    said: dict[tuple[Kind, str], dict[str, list[Remark]]] = {}
    for each in remarks:
        anywhere = spell(tuple("*" if isinstance(part, int) else part for part in each.path))
        said.setdefault((each.kind, each.why), {}).setdefault(anywhere, []).append(each)
    return [
        Grouped(
            kind,
            why,
            tuple(
                Place(
                    tuple(sorted({(each.line, max(each.line, each.last_line)) for each in alike})),
                    _common([each.path for each in alike]),
                )
                for alike in places.values()
            ),
        )
        for (kind, why), places in said.items()
    ]


def _common(paths: list[Path]) -> str:
    """One path for all; they differ in the numbers of list items alone."""
    text = spell(tuple(parts[0] if len(set(parts)) == 1 else "\0" for parts in zip(*paths, strict=True)))
    return text.replace('."\\u0000"', "[*]")
