"""A YAML or JSON text as values that know where they stand. Nothing in it is executed, and nothing in it can blow up:
size, depth and the number of values, with every alias followed, are bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from twintrack.config.locate import Path
from twintrack.config.source import InvalidConfig

if TYPE_CHECKING:
    import yaml

MOST_BYTES = 5_000_000
_MOST_NODES = 200_000
_MOST_DEPTH = 100
_CORE = "tag:yaml.org,2002:"
_MERGE = _CORE + "merge"
_READ_AS_WRITTEN = frozenset((_CORE + "timestamp", _CORE + "value"))
"""An API version that looks like a date is a text here."""
_BLANK = re.compile(r"[ \t\r\n]*")
_WORD = re.compile(r"[^,\]}\s]+")

Scalar = str | int | float | bool | None


@dataclass(frozen=True, eq=False)
class Node:
    """A value, and the place where it stands. One that an alias repeats is a node for each place, of one origin."""

    path: Path
    line: int
    """From 1; of a repeated one, where it is written."""
    column: int
    value: Scalar | dict[str, Node] | list[Node]

    @property
    def origin(self) -> tuple[int, int]:
        return self.line, self.column

    @property
    def fields(self) -> dict[str, Node]:
        """Of a mapping; of anything else, none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def items(self) -> list[Node]:
        """Of a list; of anything else, none."""
        return self.value if isinstance(self.value, list) else []

    @property
    def scalar(self) -> Scalar:
        """The value itself; of a mapping or a list, None."""
        return None if isinstance(self.value, dict | list) else self.value

    def leaves(self) -> Iterator[Node]:
        """All values below that hold no others; an empty mapping or list is one too."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            below = [*node.fields.values(), *node.items]
            if below:
                waiting += reversed(below)
            else:
                yield node


@dataclass(frozen=True)
class Document:
    name: str
    """The file as the user named it."""
    root: Node
    overruled: tuple[tuple[Node, int], ...]
    """Values whose key is said again further down, with the line that holds."""


def read(data: bytes, name: str) -> Document:
    """The values of a YAML or JSON file.

    Raises:
        InvalidConfig: it is neither, or more than we read; says line and column.
    """
    if len(data) > MOST_BYTES:
        raise InvalidConfig([f"{name}: This has {len(data):,} bytes; at most {MOST_BYTES:,} are read."])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InvalidConfig([f"{name}:{line}: This is not UTF-8. Save the file as UTF-8."]) from None
    reader = _Json(name, text) if _is_json(name, text) else _Yaml(name, text)
    try:
        root = reader.read()
    except RecursionError:
        raise reader.wrong("This is nested too deeply") from None
    return Document(name, root, tuple(reader.overruled))


def _is_json(name: str, text: str) -> bool:
    """By its name, or by how it begins if the name tells nothing; YAML may begin so too."""
    return name.endswith(".json") or (text.lstrip()[:1] == "{" and not name.endswith((".yaml", ".yml")))


class _Reader:
    def __init__(self, name: str, text: str) -> None:
        self._name = name
        self._text = text
        self._made = 0
        self.overruled: list[tuple[Node, int]] = []

    def read(self) -> Node:
        raise NotImplementedError

    def wrong(self, what: str, line: int = 1, column: int = 1) -> InvalidConfig:
        return InvalidConfig([f"{self._name}:{line}:{column}: {what}."])

    def _node(self, path: Path, line: int, column: int, value: Scalar | dict[str, Node] | list[Node]) -> Node:
        self._made += 1
        if self._made > _MOST_NODES:
            what = f"This holds more than {_MOST_NODES:,} values, with all repetitions followed"
            raise self.wrong(what, line, column)
        if len(path) > _MOST_DEPTH:
            raise self.wrong("This is nested too deeply", line, column)
        return Node(path, line, column, value)

    def _put(self, fields: dict[str, Node], key: str, line: int, node: Node) -> None:
        """The last of two equal keys holds, as in LiteLLM; the other is kept on record. `line`: of the key."""
        if key in fields:
            self.overruled.append((fields[key], line))
        fields[key] = node


class _Yaml(_Reader):
    def read(self) -> Node:
        import yaml

        # The C parser of the same library ends the whole process on deep nesting.
        loader = yaml.SafeLoader(self._checked(self._text))
        try:
            composed = loader.get_single_node()
            if composed is None:
                raise self.wrong("This is empty")
            self._loader = loader
            return self._converted(composed, (), ())
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            what = " ".join(part for part in (error.context, error.problem) if part)
            at = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            raise self.wrong(f"This is not YAML: {what}", *at) from None
        finally:
            loader.dispose()

    def _checked(self, text: str) -> str:
        """Without what YAML does not allow, which its reader would report by position only."""
        from yaml.reader import Reader

        odd = Reader.NON_PRINTABLE.search(text)
        if odd is not None:
            line = text.count("\n", 0, odd.start()) + 1
            column = odd.start() - text.rfind("\n", 0, odd.start())
            raise self.wrong(f"The character U+{ord(odd.group()):04X} cannot stand in YAML", line, column)
        return text

    def _converted(self, made: yaml.Node, path: Path, within: tuple[int, ...]) -> Node:
        """`within`: the nodes around this one, for aliases that lead into themselves."""
        import yaml

        line, column = made.start_mark.line + 1, made.start_mark.column + 1
        if id(made) in within:
            raise self.wrong("This alias leads back into itself", line, column)
        around = (*within, id(made))
        if isinstance(made, yaml.ScalarNode):
            return self._node(path, line, column, self._scalar(made))
        if isinstance(made, yaml.SequenceNode) and made.tag == _CORE + "seq":
            node = self._node(path, line, column, [])
            items = [self._converted(each, (*path, number), around) for number, each in enumerate(made.value)]
            return Node(node.path, line, column, items)
        if isinstance(made, yaml.MappingNode) and made.tag == _CORE + "map":
            node = self._node(path, line, column, {})
            return Node(node.path, line, column, self._fields(made, path, around))
        raise self.wrong(f"The tag {made.tag!r} is not read. Write plain values", line, column)

    def _fields(self, made: yaml.MappingNode, path: Path, around: tuple[int, ...]) -> dict[str, Node]:
        merged: dict[str, Node] = {}
        fields: dict[str, Node] = {}
        for key, value in made.value:
            if key.tag == _MERGE:
                sources = value.value if value.id == "sequence" else [value]
                for source in sources:
                    below = self._converted(source, path, around)
                    if not isinstance(below.value, dict):
                        raise self.wrong("Only mappings can be merged with <<", below.line, below.column)
                    for name, each in below.value.items():
                        merged.setdefault(name, each)
                continue
            if key.id != "scalar":
                line, column = key.start_mark.line + 1, key.start_mark.column + 1
                raise self.wrong("A key must be a plain word", line, column)
            name = str(key.value)
            self._put(fields, name, key.start_mark.line + 1, self._converted(value, (*path, name), around))
        return merged | fields

    def _scalar(self, made: yaml.ScalarNode) -> Scalar:
        if made.tag in _READ_AS_WRITTEN:
            return str(made.value)
        if made.tag not in {_CORE + kind for kind in ("str", "int", "float", "bool", "null")}:
            mark = made.start_mark
            raise self.wrong(f"The tag {made.tag!r} is not read. Write plain values", mark.line + 1, mark.column + 1)
        try:
            value = self._loader.construct_object(made)
        except (ValueError, OverflowError):  # a number too long to be one
            return str(made.value)
        return value if isinstance(value, str | int | float | bool) else None


class _Json(_Reader):
    """Follows a text that `json` has accepted."""

    def read(self) -> Node:
        try:
            json.loads(self._text)
        except json.JSONDecodeError as error:
            raise self.wrong(f"This is not JSON: {error.msg}", error.lineno, error.colno) from None
        except ValueError:  # a number too long for int()
            raise self.wrong("This holds a number that is too long") from None
        self._at = 0
        self._line = 1
        self._line_start = 0
        return self._value(())

    def _skip(self) -> None:
        blank = _BLANK.match(self._text, self._at)
        assert blank is not None
        breaks = blank.group().count("\n")
        if breaks:
            self._line += breaks
            self._line_start = self._text.rindex("\n", 0, blank.end()) + 1
        self._at = blank.end()

    def _value(self, path: Path) -> Node:
        self._skip()
        line, column = self._line, self._at - self._line_start + 1
        opening = self._text[self._at]
        if opening == '"':
            return self._node(path, line, column, self._string())
        if opening not in "[{":
            word = _WORD.match(self._text, self._at)
            assert word is not None
            self._at = word.end()
            return self._node(path, line, column, json.loads(word.group()))
        self._node(path, line, column, None)  # counted before what is in it, so that depth is bounded
        self._at += 1
        fields: dict[str, Node] = {}
        items: list[Node] = []
        while True:
            self._skip()
            if self._text[self._at] in "]}":
                self._at += 1
                return Node(path, line, column, fields if opening == "{" else items)
            if self._text[self._at] == ",":
                self._at += 1
                self._skip()
            if opening == "[":
                items.append(self._value((*path, len(items))))
            else:
                name, named_at = self._string(), self._line
                self._skip()
                self._at += 1  # the colon
                self._put(fields, name, named_at, self._value((*path, name)))

    def _string(self) -> str:
        """Texts of JSON hold no line breaks, so the line stays."""
        value, self._at = json.decoder.scanstring(self._text, self._at + 1)  # type: ignore[attr-defined]
        return str(value)
