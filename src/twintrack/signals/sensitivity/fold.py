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
    r"(?<=%)[0-9A-Fa-f]{2}(?:%[0-9A-Fa-f]{2})*"  # URL: RFC 3986, 2.1
    r"|(?<=\\)(?:u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})*|[nrt\"'/\\])"  # JSON: RFC 8259, 7
    r"|(?<=&)(?:#\d{2,6}|#x[0-9a-fA-F]{2,5}|amp|lt|gt|quot|apos|nbsp|commat|period|colon|lowbar|hyphen|dash);"  # HTML
    r")"
)
_MAY_ESCAPE = re.compile(r"[%\\&](?:(?<=%)[0-9A-Fa-f]|(?<=\\)[unrt\"'/\\]|(?<=&)[#a-z])")
_SIMPLE = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "/": "/", "\\": "\\"}
_ENTITY = {
    "amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'", "nbsp": " ", "commat": "@", "period": ".",
    "colon": ":", "lowbar": "_", "hyphen": "-", "dash": "-",
}  # fmt: skip
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]+|\u001b\\[[0-9;]*m"
)
"""Unicode's default ignorable characters (DerivedCoreProperties, 15.1), and a terminal's colours."""
_UNSEEN = frozenset(chr(code) for code in range(0xAD, 0x10000) if _INVISIBLE.fullmatch(chr(code)))
_MOST_REPLACED = 24
_MIXED = re.compile("[A-Za-z0-9\u0370-\u03ff\u0400-\u04ff@._+-]{3,}")
_PAIRS = (
    "аa еe оo рp сc уy хx іi јj ѕs ԁd һh ԛq ԝw вb кk мm нh тt АA ВB ЕE КK МM НH ОO РP СC ТT УY ХX ІI ЈJ ЅS З3 "
    "αa οo ρp νv ιi κk τt υu χx ΑA ΒB ΕE ΖZ ΗH ΙI ΚK ΜM ΝN ΟO ΡP ΤT ΥY ΧX"
)
_LOOKALIKE = str.maketrans({pair[0]: pair[1] for pair in _PAIRS.split()})
"""Cyrillic and Greek letters drawn as Latin ones (Unicode confusables.txt, 15.1), read so in a word that has both."""
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d\u30fc"


class _Plain(dict[int, int]):
    """Widths, digits of all scripts, dashes, quotes and spaces as ASCII; one character stays one."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        found = code
        if char in _DASHES and char != "\u30fc":
            found = 45
        elif char in "\u2018\u2019\u201a\u201b\u02bc\uff07":
            found = 39
        elif char in "\u201c\u201d\u201e\u201f\uff02":
            found = 34
        elif char.isspace() and char not in "\x85\u2028\u2029":
            found = 32
        else:
            digit = unicodedata.decimal(char, None)
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
        plain = unquote(found, errors="replace")
        return found if "\ufffd" in plain else plain
    if found[0] == "&":
        name = found[1:-1]
        if name[0] != "#":
            return _ENTITY[name]
        code = int(name[2:], 16) if name[1] == "x" else int(name[1:])
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"
    if found[1] != "u":
        return _SIMPLE[found[1]]
    units = bytes.fromhex(found.replace("\\u", ""))
    return units.decode("utf-16-be", "replace")


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
