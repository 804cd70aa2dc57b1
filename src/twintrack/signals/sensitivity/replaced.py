"""The values of a request that are replaced, each with its placeholder, and the replacing of them in one text."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Generator, Iterator
from unicodedata import is_normalized, normalize

import msgspec

from twintrack.signals.sensitivity.encoded import inners, is_encoded
from twintrack.signals.sensitivity.finding import Finding
from twintrack.signals.sensitivity.fold import view
from twintrack.signals.sensitivity.naming import Naming
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.placeholders import quoted, shaped

REDACTED = "REDACTED_SECRET"
"""What stands for secrets, and is never put back."""
MOST_VALUES = 500
"""Of a request with more of them nothing is replaced: each text is searched for each of them."""
_SHORT = 6
"""Shorter values are only replaced where they stand as words."""
_SEPARATORS = {ord(char): None for char in " \t\n\r.-/()\u00a0\u2009\u202f"}
_BETWEEN = "[ \\t\\n\\r.\\-/()\u00a0\u2009\u202f]*"
_LONG = 16_384
"""Characters from which on a text is searched in steps."""
_SHARED = 1_024
"""Characters that two stretches of a long text share."""
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
_HITS = 64
"""Of a step, at most."""
_LONGEST_WORD = 24
_MOST_TRIES = 256


class Impossible(Exception):
    """Something cannot be replaced for sure. Holds no part of the text."""


class Values:
    """What is replaced, and by what."""

    def __init__(self) -> None:
        self.placeholders: dict[str, str] = {}
        """By value, in one spelling of it."""
        self.restorable: dict[str, str] = {}
        """By placeholder, as the value is first written."""
        self._codes: set[str] = set()
        self._forms: dict[str, str] = {}
        """Placeholders by the value as it may stand in a text."""
        self._by_length: list[tuple[str, str]] = []
        self._loose: list[_Loose] = []
        self._numbers: frozenset[str] = frozenset()

    def add(self, raw: str, one: Finding, naming: Naming, body: bytes, *, json: bool) -> None:
        """`raw`: as it stands in the text; `json`: which is JSON; `body`: in lower case.

        Raises:
            Impossible: it is encoded, or there are too many.
        """
        if not raw or is_encoded(raw):
            raise Impossible("a finding inside encoded text")
        value = _unquoted(raw) if json else raw
        normal = normalised(value)
        placeholder = self.placeholders.get(normal)
        if placeholder is None:
            if len(self.placeholders) >= MOST_VALUES:
                raise Impossible(f"more than {MOST_VALUES} values")
            if one.category == "secret":
                placeholder = REDACTED
            else:
                placeholder = shaped(_word(one.type), self._code(normal, naming, body))
                self.restorable[placeholder] = value
            self.placeholders[normal] = placeholder
        for form in dict.fromkeys((raw, value, quoted(value), _ascii_quoted(value))):
            self._forms.setdefault(form, placeholder)

    def _code(self, normal: str, naming: Naming, body: bytes) -> str:
        for again in range(_MOST_TRIES):
            code = naming.code(normal, again)
            # One that the client itself wrote has to come back as it is.
            if code not in self._codes and code.encode() not in body:
                self._codes.add(code)
                return code
        raise Impossible("all codes are taken")

    def ready(self) -> None:
        """All are there."""
        self._by_length = sorted(self._forms.items(), key=lambda item: -len(item[0]))
        self._loose = [_Loose(normal, placeholder) for normal, placeholder in self.placeholders.items()]
        self._numbers = frozenset(normal for normal in self.placeholders if normal.isdecimal())

    def is_number(self, value: int | float) -> bool:
        whole = isinstance(value, float) and value.is_integer()
        return str(int(value) if whole else value).translate(_SEPARATORS) in self._numbers

    def within(self, text: str) -> bool:
        """Whether a value stands in a text, in whatever letters, be it as a part of something else."""
        plain = _INVISIBLE.sub("", normalize("NFKC", text))
        low, compact = plain.lower(), plain.translate(_SEPARATORS).lower()
        return any(each.normal in (compact if each.digits else low) for each in self._loose if each.tells)

    def hidden(self, text: str) -> Iterator[bool]:
        """Of a text whose values were replaced, stretch by stretch: whether one is left that stands there encoded, in
        other letters or with invisible ones."""
        for at in range(0, len(text), _LONG - _SHARED):
            piece = text[at : at + _LONG]
            yield (
                (_otherwise(piece) and self.within(piece))
                or self._escaped(piece)
                or any(map(self.within, inners(piece)))
            )

    def _escaped(self, text: str) -> bool:
        meant = view(text).plain
        return meant != text and self.within(meant) and not self.within(text)

    def replaced(self, text: str) -> str:
        """At once, for what is short."""
        return _last(self.steps(text))

    def steps(self, text: str) -> Generator[None, None, str]:
        """Returns the text with placeholders. A long one takes a step for each value or more."""
        long = len(text) > _LONG
        hits: list[tuple[int, int, str]] = []
        for form, placeholder in self._by_length:
            if long:
                yield
            at = text.find(form)
            while at >= 0:
                end = at + len(form)
                if (len(form) >= _SHORT or _is_word(text, at, end)) and _free(hits, at, end):
                    hits.insert(bisect(hits, (at,)), (at, end, placeholder))
                    if not len(hits) % _HITS:
                        yield
                at = text.find(form, end)
        if hits:
            text = _spliced(text, hits)
        low = compact = ""
        for loose in self._loose:
            if long:
                yield
            if loose.digits:
                compact = compact or text.translate(_SEPARATORS).lower()
                may = loose.normal in compact
            else:
                low = low or text.lower()
                may = loose.cased and loose.normal in low
            if may:
                text, times = loose.pattern.subn(loose.placeholder, text)
                low, compact = ("", "") if times else (low, compact)
        return text


def _last(steps: Generator[None, None, str]) -> str:
    while True:
        try:
            next(steps)
        except StopIteration as over:
            return str(over.value)


class _Loose:
    """A value as it may be written otherwise: numbers with other separators, words in other letters."""

    __slots__ = ("_pattern", "cased", "digits", "normal", "placeholder", "tells")

    def __init__(self, normal: str, placeholder: str) -> None:
        self.normal = normal
        self.placeholder = placeholder
        self.digits = _is_number(normal)
        self.tells = len(normal) >= _SHORT
        """It is not part of other words everywhere."""
        self.cased = not self.digits and (len(normal) >= _SHORT or not normal.isalpha())
        self._pattern: re.Pattern[str] | None = None

    @property
    def pattern(self) -> re.Pattern[str]:
        """Made when it is needed."""
        if self._pattern is None:
            inner = _BETWEEN.join(map(re.escape, self.normal)) if self.digits else re.escape(self.normal)
            self._pattern = re.compile(rf"(?<![^\W_]){inner}(?![^\W_])", re.IGNORECASE)
        return self._pattern


def _otherwise(text: str) -> bool:
    """Whether letters may stand in a text that look like others, or are not seen."""
    return not text.isascii() and (not is_normalized("NFKC", text) or _INVISIBLE.search(text) is not None)


def normalised(value: str) -> str:
    """One spelling of a value: lower case, and numbers without what stands between their digits."""
    compact = value.translate(_SEPARATORS).lower()
    return compact if _is_number(compact) else value.lower()


def _is_number(compact: str) -> bool:
    digits = sum(map(str.isdecimal, compact))
    return digits >= _SHORT and 2 * digits >= len(compact)


def _word(type: str) -> str:
    return re.sub("[^A-Z0-9]+", "_", type.upper())[:_LONGEST_WORD].strip("_") or "VALUE"


def _unquoted(text: str) -> str:
    try:
        return str(msgspec.json.decode(f'"{text}"'.encode("utf-8", "surrogatepass"), type=str))
    except (*UNREADABLE, UnicodeEncodeError):
        return text


def _ascii_quoted(text: str) -> str:
    """As JSON with nothing but ASCII, as many programs write it."""
    if text.isascii():
        return quoted(text)
    return "".join(char if char < "\x80" else _escape(char) for char in quoted(text))


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _is_word(text: str, start: int, end: int) -> bool:
    return not (start and text[start - 1].isalnum()) and not (end < len(text) and text[end].isalnum())


def _free(hits: list[tuple[int, int, str]], start: int, end: int) -> bool:
    at = bisect(hits, (start,))
    return (at == 0 or hits[at - 1][1] <= start) and (at == len(hits) or hits[at][0] >= end)


def _spliced(text: str, hits: list[tuple[int, int, str]]) -> str:
    pieces: list[str] = []
    done = 0
    for start, end, placeholder in hits:
        pieces += (text[done:start], placeholder)
        done = end
    pieces.append(text[done:])
    return "".join(pieces)
