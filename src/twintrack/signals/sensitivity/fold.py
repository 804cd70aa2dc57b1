"""A text as people meant it: escapes undone, look-alikes and widths folded, nothing invisible. Offsets lead back.

Three strings of one length stand side by side: `plain` for patterns where case counts, `low` (lower case, without
accents) for words, and `source`, the place in the original for each of their characters.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable
from urllib.parse import unquote

import msgspec

_ESCAPE = re.compile(
    r"[%\\&](?:"  # looked for by its first character, which is quick
    r"(?<=%)(?:25)*[0-9A-Fa-f]{2}(?:%(?:25)*[0-9A-Fa-f]{2})*"  # URL: RFC 3986, 2.1; also of what was escaped before
    r"|(?<=\\)(?:\\{0,7}u[0-9a-fA-F]{4}(?:\\{1,8}u[0-9a-fA-F]{4})*|\\{0,7}[nrt\"'/]"  # JSON: RFC 8259, 7; in JSON
    r"|\\{0,7}x[0-9a-fA-F]{2}(?:\\{1,8}x[0-9a-fA-F]{2})*|\\{0,7}u\{[0-9a-fA-F]{1,6}\}|\\{0,7}U[0-9a-fA-F]{8}|\\)"
    r"|(?<=&)(?:amp;)*(?:#\d{2,7};?|#[xX][0-9a-fA-F]{2,7};?"  # HTML
    r"|(?:amp|lt|gt|quot|apos|nbsp|commat|period|colon|lowbar|hyphen|dash|plus|sol|num);)"
    r")"
)
_MAY_ESCAPE = re.compile(r"[%\\&](?:(?<=%)[0-9A-Fa-f]|(?<=\\)[unrt\"'/\\xU]|(?<=&)[#a-z])")
_QUOTED = re.compile(r"=[0-9A-F]{2}(?:=[0-9A-F]{2})+")
"""Quoted-printable (RFC 2045, 6.7), several bytes in a row: one alone may be a value."""
_MOST_TIMES = 4
"""That a text is escaped in itself."""
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "/": "/", "\\": "\\"}
_ENTITY = {
    "amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " ", "commat": "@", "period": ".",
    "colon": ":", "lowbar": "_", "hyphen": "-", "dash": "-", "plus": "+", "sol": "/", "num": "#",
}  # fmt: skip
_INVISIBLE = re.compile(
    "[\u00ad\u0300-\u036f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u20d0-\u20ff\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]+|\u001b\\[[0-9;]*m"
)
"""Unicode's default ignorable characters (DerivedCoreProperties, 15.1), marks on Latin letters and around figures, and
a terminal's colours."""
_UNSEEN = frozenset(
    chr(code) for code in (*range(0xAD, 0x10000), *range(0xE0000, 0xE1000)) if _INVISIBLE.fullmatch(chr(code))
)
_MOST_REPLACED = 24
_MIXED = re.compile("[A-Za-z0-9\u0370-\u03ff\u0400-\u04ff@._+-]{3,}")
_PAIRS = (
    "аa еe оo рp сc уy хx іi јj ѕs ԁd һh ԛq ԝw вb кk мm нh тt АA ВB ЕE КK МM НH ОO РP СC ТT УY ХX ІI ЈJ ЅS З3 "
    "αa οo ρp νv ιi κk τt υu χx ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX"
)
_LOOKALIKE = str.maketrans({pair[0]: pair[1] for pair in _PAIRS.split()})
"""Cyrillic and Greek letters drawn as Latin ones (Unicode confusables.txt, 15.1), read so in a word that has both."""
_DASHES = (
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u058a\u05be\u2043\u207b\u208b"
    "\u00b7\u2022\u2027\u2219\u22c5"  # points in the middle, where people write them between figures
)


class _Plain(dict[int, int]):
    """Widths, digits of all scripts, dashes, quotes and spaces as ASCII; one character stays one."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        found = code
        if char in _DASHES:
            found = 45
        elif char in "\u2044\u2215":
            found = 47
        elif char in "\u3002\uff61":  # as in names of hosts: UTS 46
            found = 46
        elif char == "\u2800":
            found = 32
        elif char in "\u2018\u2019\u201a\u201b\u02bc\uff07":
            found = 39
        elif char in "\u201c\u201d\u201e\u201f\uff02":
            found = 34
        elif char.isspace() and char not in "\x85\u2028\u2029":
            found = 32
        else:
            digit = unicodedata.digit(char, None)
            if digit is not None:
                found = 48 + digit
            else:
                compatible = unicodedata.normalize("NFKC", char)
                if len(compatible) == 1:
                    found = ord(compatible)
        self[code] = found
        return found


class _Low(dict[int, int]):
    """Lower case without accents; one character stays one."""

    def __missing__(self, code: int) -> int:
        char = _STROKE.get(chr(code), chr(code))
        base = unicodedata.normalize("NFD", char)[0] if char < "\u0250" or "\u1e00" <= char <= "\u1eff" else char
        lower = base.lower()
        found = self[code] = ord(lower[0])
        return found


_STROKE = {"ł": "l", "Ł": "l", "ø": "o", "Ø": "o", "đ": "d", "Đ": "d", "ı": "i", "İ": "i", "æ": "a", "ð": "d", "ħ": "h"}
_PLAIN = _Plain({code: code for code in range(128)})
_LOW = _Low({code: ord(chr(code).lower()) for code in range(128)})
_LATIN_1 = "".join(map(chr, range(256)))
_FOLDS_OUT = "\xad\xb5"
"""Of Latin-1: one that is invisible, and the micro sign, which is read as a Greek letter."""
_PLAIN_LATIN_1 = _LATIN_1.translate(_PLAIN).encode("latin-1", "replace")
_LOW_LATIN_1 = _LATIN_1.translate(_LOW).lower().encode("latin-1", "replace")


class _Source:
    """Where the characters of a text stand in the one that it was made of."""

    __slots__ = ("_before", "_ends", "_news", "_olds")

    def __init__(self, before: _Source | None, news: list[int], olds: list[int], ends: list[int]) -> None:
        """
        Args:
            before: of that one, if it was made of another.
            news, olds: where each stretch begins, here and there.
            ends: where what the stretch replaced ends; -1: it stands there as it stands here.
        """
        self._before = before
        self._news = news
        self._olds = olds
        self._ends = ends

    def start(self, at: int) -> int:
        """Of the character at `at`."""
        stretch = bisect_right(self._news, at) - 1
        old = self._olds[stretch]
        if self._ends[stretch] < 0:
            old += at - self._news[stretch]
        return old if self._before is None else self._before.start(old)

    def end(self, at: int) -> int:
        """Behind the character at `at`."""
        stretch = bisect_right(self._news, at) - 1
        end = self._ends[stretch]
        if end < 0:
            end = self._olds[stretch] + at - self._news[stretch] + 1
        return end if self._before is None else self._before.end(end - 1)


class View(msgspec.Struct, frozen=True, gc=False):
    plain: str
    low: str
    source: _Source | None
    """Where each character stands in the original; None: where it stands here."""

    def span(self, start: int, end: int) -> tuple[int, int]:
        """In the original; code points, end exclusive."""
        if self.source is None:
            return start, end
        return self.source.start(start), self.source.end(end - 1)


def view(text: str) -> View:
    """The views of a text."""
    source: _Source | None = None
    if ("%" in text or "\\" in text or "&" in text) and _MAY_ESCAPE.search(text) is not None:
        text, source = _replaced(text, source, _ESCAPE, _unescaped)
    if "=" in text and _QUOTED.search(text) is not None:
        text, source = _replaced(text, source, _QUOTED, _unquoted)
    if "\r" in text:
        text = text.replace("\r\n", " \n")  # a blank may stand before a line's end wherever one may end
    if text.isascii():
        if "\u001b" in text:
            text, source = _replaced(text, source, _INVISIBLE, _nothing)
        return View(text, text.lower(), source)
    try:
        latin = text.encode("latin-1")
    except UnicodeEncodeError:
        pass
    else:
        if not ("\x1b" in text or _FOLDS_OUT[0] in text or _FOLDS_OUT[1] in text):
            latin = latin.translate(_PLAIN_LATIN_1)
            return View(latin.decode("latin-1"), latin.translate(_LOW_LATIN_1).decode("latin-1"), source)
    beyond = beyond_ascii(text)
    if not beyond.isdisjoint(_UNSEEN) or "\u001b" in text:
        text, source = _replaced(text, source, _INVISIBLE, _nothing)
        beyond -= _UNSEEN
    plain = _folded(text, beyond, _PLAIN)
    left = {chr(_PLAIN[ord(char)]) for char in beyond}
    if any("\u0370" <= char <= "\u04ff" for char in left):
        plain = _MIXED.sub(_latin, plain)
    return View(plain, _folded(plain, {char for char in left if char > "\x7f"}, _LOW).lower(), source)


_ASCII = bytes(range(128))


def beyond_ascii(text: str) -> set[str]:
    """Its characters that are not ASCII."""
    return set(text.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass"))


def _folded(text: str, beyond: set[str], table: dict[int, int]) -> str:
    """`beyond`: its characters that are not ASCII. A few of them are replaced faster than all are looked up."""
    changed = [(char, folded) for char in beyond if (folded := table[ord(char)]) != ord(char)]
    if len(changed) > _MOST_REPLACED:
        return text.translate(table)
    for char, folded in changed:
        text = text.replace(char, chr(folded))
    return text


def low(words: str) -> str:
    """Words as they stand in `View.low`."""
    plain = words.translate(_PLAIN)
    return _folded(plain, beyond_ascii(plain), _LOW).lower()


def _latin(match: re.Match[str]) -> str:
    """A word with ASCII in it whose other letters all look like Latin ones."""
    word = match[0]
    if word.isascii() or not any(char.isascii() and char.isalnum() for char in word):
        return word
    latin = word.translate(_LOOKALIKE)
    return latin if latin.isascii() else word


def _nothing(match: re.Match[str]) -> str:
    return ""


def _unescaped(match: re.Match[str]) -> str:
    found = match[0]
    if found[0] == "%":
        return _of_url(found)
    if found[0] == "&":
        name = found.rstrip(";")[1:].rpartition(";")[2]
        if name[0] != "#":
            return _ENTITY[name]
        return _character(int(name[2:], 16) if name[1] in "xX" else int(name[1:]))
    said = found.lstrip("\\")
    if not said:
        return "\\"
    if said[0] == "x":
        return _bytes(re.sub(r"\\+x", "", found))
    if said[0] == "U" or said.startswith("u{"):
        return _character(int(said.strip("uU{}"), 16))
    if said[0] != "u":
        return _SIMPLE[said]
    return bytes.fromhex(re.sub(r"\\+u", "", found)).decode("utf-16-be", "replace")


def _of_url(found: str) -> str:
    for _ in range(_MOST_TIMES):
        plain = unquote(found, errors="replace")
        if "\ufffd" in plain:
            return found
        if plain == found:
            break
        found = plain
    return found


def _unquoted(match: re.Match[str]) -> str:
    return _bytes(match[0].replace("=", ""))


def _character(code: int) -> str:
    return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"


def _bytes(figures: str) -> str:
    """Of bytes in hexadecimal: UTF-8, or Latin 1."""
    data = bytes.fromhex(figures)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _replaced(
    text: str, before: _Source | None, pattern: re.Pattern[str], by: Callable[[re.Match[str]], str]
) -> tuple[str, _Source]:
    pieces: list[str] = []
    news, olds, ends = [0], [0], [-1]
    at = new = 0
    for match in pattern.finditer(text):
        start, end = match.span()
        piece = by(match)
        pieces += (text[at:start], piece)
        new += start - at
        news += (new, new + len(piece))
        olds += (start, end)
        ends += (end, -1)
        new += len(piece)
        at = end
    pieces.append(text[at:])
    return "".join(pieces), _Source(before, news, olds, ends)
