"""Which language the last user turn is written in, from its script and a few function words.

Error: right on nearly every paragraph of the languages named here, a guess on a handful of words; a language it does
not name comes out as `und` or as a neighbour in the same script. No rule depends on it: it stands in the ledger, so
that cost and quality can be read by language.
"""

from __future__ import annotations

from twintrack.signals.evidence import Evidence, ascii_letters
from twintrack.signals.scripts import ARABIC, CYRILLIC, GREEK, HAN, HANGUL, HEBREW, INDIC, KANA, TO_SCRIPT
from twintrack.signals.vocabulary import DE, EN, ES, FR, IT, LANGUAGE_OF_CODE, NL, PL, PT, RU, UK

UNDETERMINED = "und"

BYTES_PER_FUNCTION_WORD = 120
"""Fewer than one in so many bytes is chance: Swedish has a little French in it, a log file a little Polish."""

_LATIN_CODES = (EN, DE, FR, ES, IT, PT, NL, PL)

_SCRIPTS = (HAN, CYRILLIC, KANA, ARABIC, HANGUL, INDIC, HEBREW, GREEK)
_OF_SCRIPT = {GREEK: "el", HEBREW: "he", ARABIC: "ar", HANGUL: "ko"}

_OF_INDIC_BLOCK = (
    (0xA4, 0xA5, "hi"), (0xA6, 0xA7, "bn"), (0xA8, 0xA9, "pa"), (0xAA, 0xAB, "gu"), (0xAE, 0xAF, "ta"),
    (0xB0, 0xB1, "te"), (0xB2, 0xB3, "kn"), (0xB4, 0xB5, "ml"), (0xB6, 0xB7, "si"), (0xB8, 0xB9, "th"),
    (0xBA, 0xBB, "lo"),
)  # fmt: skip
"""Second bytes after 0xE0: one block of Unicode holds one script."""

_PERSIAN = ("پ".encode(), "چ".encode(), "ژ".encode(), "گ".encode(), "ی".encode())
_UKRAINIAN = ("і".encode(), "ї".encode(), "є".encode(), "ґ".encode())


def language(evidence: Evidence) -> str:
    """ISO 639-1 code, or `und`."""
    if evidence.leads:
        guess = _by_script(evidence)
        if guess:
            return guess
    return _by_words(evidence.words, len(evidence.data))


def _by_words(words: bytes, size: int) -> str:
    """The language with most function words, if they are as frequent as they are in the languages known here."""
    if words.count(EN) * 3 > max(len(words), size // 40):
        return "en"  # no need to count the others
    best = second = 0
    winner = UNDETERMINED
    for code in _LATIN_CODES:
        count = words.count(code)
        if count > best:
            second, best, winner = best, count, LANGUAGE_OF_CODE[code]
        elif count > second:
            second = count
    return winner if best > second and best * BYTES_PER_FUNCTION_WORD > size else UNDETERMINED


def _by_script(evidence: Evidence) -> str:
    """Empty where the text is mostly Latin. A Han character counts as two letters: it says as much."""
    scripts = evidence.leads.translate(TO_SCRIPT)
    script, count = 0, 0
    for each in _SCRIPTS:
        found = scripts.count(each)
        if found > count:
            script, count = each, found
            if found * 2 > len(scripts):
                break
    han = kana = 0
    if script in (HAN, KANA):
        han, kana = scripts.count(HAN), scripts.count(KANA)
        count = han + kana
    if count * 2 <= ascii_letters(evidence.data):
        return ""
    if count == han + kana:
        return _han_or_kana(han, kana, evidence.data)
    if script == CYRILLIC:
        return _cyrillic(evidence)
    if script == INDIC:
        return _indic(evidence.data)
    if script == ARABIC and sum(map(evidence.data.count, _PERSIAN)) * 25 > count:
        return "fa"
    return _OF_SCRIPT[script]


def _cyrillic(evidence: Evidence) -> str:
    if any(letter in evidence.data for letter in _UKRAINIAN):
        return "uk"
    ukrainian, russian = evidence.words.count(UK), evidence.words.count(RU)
    return "uk" if ukrainian > russian else "ru"


def _han_or_kana(han: int, kana: int, data: bytes) -> str:
    """Chinese has no kana (E3 81 80 to E3 83 BF), but shares the punctuation of the same lead byte (E3 80)."""
    if han > kana > han // 4:
        return "ja"  # more than punctuation
    if kana * 20 < han:
        return "zh"
    real = data.count(b"\xe3\x81") + data.count(b"\xe3\x82") + data.count(b"\xe3\x83")
    return "ja" if real * 10 > han + kana else "zh"


def _indic(data: bytes) -> str:
    at = data.find(b"\xe0")
    second = data[at + 1] if 0 <= at < len(data) - 1 else 0
    for first, last, name in _OF_INDIC_BLOCK:
        if first <= second <= last:
            return name
    return UNDETERMINED
