"""On which line of a TOML text each value stands. `tomllib` reads the values but forgets where they were.

The text must be one `tomllib` accepts, so nothing is checked here: it is only followed.
"""

from __future__ import annotations

import re
import tomllib

Path = tuple[str | int, ...]
"""Where a value stands in the document: ("deployments", 1, "zone")."""

_BLANK = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TEXT = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2})'  # up to two quotes may stand before the closing three
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'",
    re.DOTALL,
)
_SCALAR = re.compile(r"[^,\]}#\n]*")


def locate(text: str) -> dict[Path, int]:
    """Line, counted from 1, of every table, key and array element in `text`.

    A table made by several headers, or by dotted keys, stands where it was first named.
    """
    return _Walk(text.replace("\r\n", "\n")).document()


class _Walk:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._lines: dict[Path, int] = {}
        self._line = 1
        self._counted_to = 0
        self._lengths: dict[Path, int] = {}
        """Of arrays of tables, so far."""

    def document(self) -> dict[Path, int]:
        table: Path = ()
        self._skip(_BLANK)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text[self._at] == "[":
                table = self._header(1)
            else:
                self._pair(table)
            self._skip(_BLANK)
        return self._lines

    def _header(self, brackets: int) -> Path:
        self._at += brackets
        *outer, last = self._key()
        self._at += brackets
        path: Path = ()
        for part in outer:
            path = (*path, part)
            self._note(path)
            if path in self._lengths:  # a header goes into the newest table of an array
                path = (*path, self._lengths[path] - 1)
        path = (*path, last)
        self._note(path)
        if brackets == 2:
            number = self._lengths.get(path, 0)
            self._lengths[path] = number + 1
            path = (*path, number)
            self._note(path)
        return path

    def _pair(self, table: Path) -> None:
        path = table
        for part in self._key():
            path = (*path, part)
            self._note(path)
        self._at += 1  # the =
        self._skip(_SPACE)
        self._value(path)

    def _key(self) -> list[str]:
        """Parts of a key that may be dotted; stands behind it and its spaces afterwards."""
        parts = []
        while True:
            self._skip(_SPACE)
            bare = _BARE_KEY.match(self._text, self._at)
            if bare is not None:
                parts.append(bare.group())
                self._at = bare.end()
            else:
                start = self._at
                self._skip(_TEXT)
                parts.append(tomllib.loads("key=" + self._text[start : self._at])["key"])
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, path: Path) -> None:
        opening = self._text[self._at]
        if opening == "[":
            self._at += 1
            self._skip(_BLANK)
            number = 0
            while self._text[self._at] != "]":
                element = (*path, number)
                self._note(element)
                self._value(element)
                self._comma()
                number += 1
            self._at += 1
        elif opening == "{":
            self._at += 1
            self._skip(_BLANK)
            while self._text[self._at] != "}":
                self._pair(path)
                self._comma()
            self._at += 1
        elif opening in "\"'":
            self._skip(_TEXT)
        else:
            self._skip(_SCALAR)

    def _comma(self) -> None:
        self._skip(_BLANK)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_BLANK)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self._text, self._at)
        assert found is not None  # patterns of blanks and scalars match nothing at least, strings are well-formed
        self._at = found.end()

    def _note(self, path: Path) -> None:
        if path not in self._lines:
            self._line += self._text.count("\n", self._counted_to, self._at)
            self._counted_to = self._at
            self._lines[path] = self._line
