"""How to reach a person or a machine: e-mail (RFC 5322), phone (ITU-T E.164), IP and MAC addresses."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

import phonenumbers

from twintrack.signals.sensitivity.checks import digits
from twintrack.signals.sensitivity.finding import Evidence
from twintrack.signals.sensitivity.window import Raw, Window

_L = "A-Za-z0-9_À-ɏͰ-ϿЀ-ԯ"
"""Letters that addresses are written in; Chinese and Japanese text stands right beside them."""
_EMAIL = re.compile(
    rf"(?<![{_L}.%+/\-])[{_L}.%+'\-]{{1,64}}(?<![.])@(?:[{_L}](?:[{_L}\-]{{0,61}}[{_L}])?\.)+(?:[A-Za-zÀ-ɏ]{{2,24}}|xn--[a-z0-9\-]{{2,20}})(?![{_L}])(?!:[\w~/])"
)
_LOCAL = re.compile(rf"[{_L}.%+'\-]*")
_LONGEST_LOCAL = 64


def _emails(text: str) -> Iterator[re.Match[str]]:
    """All of `_EMAIL`, each tried where the characters before its @ begin, or behind a quotation mark among them."""
    done, at = 0, text.find("@")
    while at >= 0:
        before = text[max(done, at - _LONGEST_LOCAL) : at]
        run = _LOCAL.match(before[::-1])
        assert run is not None  # it matches nothing as well
        first = start = at - run.end()
        found = None
        while start < at:
            found = _EMAIL.match(text, start)
            start = text.find("'", start, at) + 1
            if found is not None or start <= first:
                break
        if found is not None:
            yield found
            done = found.end()
        at = text.find("@", at + 1 if found is None else done)


_AT = re.compile(r"\s?[\[({<]\s?(?:at|@|arroba|ät|chez)\s?[\])}>]\s?|\s(?:AT|at|arroba)\s")
_DOT = re.compile(r"\s?[\[({<]\s?(?:dot|punkt|point|punto|\.)\s?[\])}>]\s?|\s(?:DOT|dot|punto|punkt)\s")
_SPOKEN = re.compile(
    rf"(?<![\w.])[\w.\-+]{{2,40}}(?:{_AT.pattern}|@)[\w\-]{{2,40}}(?:(?:{_DOT.pattern}|\.)[\w\-]{{2,24}}){{1,3}}(?!\w)"
)
_NOT_PEOPLE = frozenset(("git", "noreply", "no-reply", "donotreply", "do-not-reply"))


class Email:
    name = "email"
    concepts = None

    def find(self, window: Window) -> Iterator[Raw]:
        if "@" in window.low:
            for found in _emails(window.plain):
                local = found[0].partition("@")[0].lower()
                if local not in _NOT_PEOPLE:
                    yield Raw(found.start(), found.end(), "email", "pii", "format", "email")
        if "spoken_at" in window.hits:
            for found in _SPOKEN.finditer(window.plain):
                if _AT.search(found[0]) is None and _DOT.search(found[0]) is None:
                    continue
                if _DOT.search(found[0]) is None and not re.search(r"[\[({<]", found[0]):
                    continue  # "meet at example.com": only brackets make it an address
                yield Raw(found.start(), found.end(), "email", "pii", "near", "email-spoken")


_PHONE = re.compile(
    r"(?<![A-Za-z0-9_À-ɏ./+\-])(?<!\d,)(?:\+|00)?\s?[(\[]?\d[\d()\[\] .\-/]{4,22}\d"
    r"(?:\s{0,2}(?:x|ext\.?|extension|poste|durchwahl|dw|wew\.?|内線|int\.?)\s?[:.]?\s?\d{1,6})?"
    r"(?![A-Za-z0-9_À-ɏ])(?!\.\d)"
)
_FIGURES = re.compile(r"[0-9]+")
_MOST_BEFORE = 3
"""Characters of a phone number before its first figure: a plus sign, a blank, a bracket."""
_ROW = re.compile(r"[0-9][0-9()\[\] .\-/]*")
_SHORTEST = 6
"""Characters of a phone number from its first figure to its last."""
_FEWEST = 7
"""Figures of one, without its extension."""
_EXTENDS = re.compile(r"\s{0,2}(?:x|ext|poste|durchwahl|dw|wew|内線|int)")
"""What makes a number end behind its row, so that what follows is none."""
_OPENING = re.compile(r"[+(\[\s]")
Row = tuple[int, int]
"""From a figure to the last one before anything that does not stand in a phone number."""


def _rows(text: str, figures: bytes) -> list[Row]:
    rows = []
    first = figures.find(b"0")
    while first >= 0:
        row = _ROW.match(text, first)
        assert row is not None  # a figure stands there
        rows.append((first, figures.rfind(b"0", first, row.end()) + 1))
        first = figures.find(b"0", row.end())
    return rows


def _phones(text: str, figures: bytes, rows: list[Row]) -> Iterator[re.Match[str]]:
    """All of `_PHONE` with figures enough, each tried right before figures in a row that is long enough."""
    done = 0
    for row in rows:
        if row[1] - row[0] < _SHORTEST:
            continue
        if figures.count(b"0", *row) < _FEWEST and _EXTENDS.match(text, row[1]) is None:
            continue
        for first in [each.start() for each in _FIGURES.finditer(text, *row)]:
            if first < done:
                continue
            start = first
            while start > max(done, first - _MOST_BEFORE) and _OPENING.match(text, start - 1) is not None:
                start -= 1
            for begins in range(start, first + 1):
                found = _PHONE.match(text, begins)
                if found is not None:
                    yield found
                    done = found.end()
                    break


_NO_PHONE = re.compile(
    r"\d{1,2}[./\-]\d{1,2}[./\-](?:\d{2}|\d{4})(?:$|\s\d{1,2}$)|(?:19|20)\d\d[./\-]\d{1,2}[./\-]\d{1,2}"
    r"|\d+\.\d+$|\d{1,3}(?:\.\d{1,3}){3}$|(?:.*\D)?0\.\d|(?:.*[ \-/])\d\.\d"
    r"|(?:19|20)\d\d\s?[\-/]\s?(?:19|20)?\d\d$|\d{3}-\d{2}-\d{4}$"
)
_THOUSANDS = re.compile(r"\d{1,3}(?:[ .]\d{3})+$(?<!\d{3}[ .]\d{3}[ .]\d{3})")
_NANP = re.compile(r"(?:\+?1[ .\-]?|001[ .\-])?(?:\([2-9]\d\d\)\s?|[2-9]\d\d[.\- ])\d{3}[.\-]\d{4}")
"""North American numbers as they are written (nanpa.com): enough like a phone to stand further from its word."""
_EXTENSION = re.compile(r"\s?(?:x|ext\.?)\s?\d{1,6}$")
_FAR = 280
_ASSIGNED = (
    # ITU-T E.164, assigned country codes (2025).
    "1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 "
    "82 84 86 90 91 92 93 94 95 98 211 212 213 216 218 220 221 222 223 224 225 226 227 228 229 230 231 232 233 "
    "234 235 236 237 238 239 240 241 242 243 244 245 246 247 248 249 250 251 252 253 254 255 256 257 258 260 "
    "261 262 263 264 265 266 267 268 269 290 291 297 298 299 350 351 352 353 354 355 356 357 358 359 370 371 "
    "372 373 374 375 376 377 378 380 381 382 383 385 386 387 389 420 421 423 500 501 502 503 504 505 506 507 "
    "508 509 590 591 592 593 594 595 596 597 598 599 670 672 673 674 675 676 677 678 679 680 681 682 683 685 "
    "686 687 688 689 690 691 692 800 808 850 852 853 855 856 870 878 880 881 882 883 886 888 960 961 962 963 "
    "964 965 966 967 968 970 971 972 973 974 975 976 977 979 992 993 994 995 996 998"
)
_CALLING_CODES = frozenset(_ASSIGNED.split())
_WRITTEN = re.compile(r"[(\[+]|^0|\d[ .\-/]\d")


def _e164(number: str) -> Evidence | None:
    """By ITU-T's codes and, since these are in use, the lengths and ranges that each country publishes."""
    if len(number) < 8 or not any(number[:size] in _CALLING_CODES for size in (1, 2, 3)):
        return None
    try:
        parsed = phonenumbers.parse(f"+{number}")
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_valid_number(parsed):
        return "valid"
    return "bare" if phonenumbers.is_possible_number(parsed) else None


_EXTENSION_AT = re.compile(r"\s?(?:x|ext)")


def _has_extension(low: str, figures: bytes, rows: list[Row]) -> bool:
    """Whether four figures stand before what looks like an extension."""
    return any(
        figures.startswith(b"0000", end - 4) and _EXTENSION_AT.match(low, end) is not None
        for start, end in rows
        if end - start >= 4
    )


def _near_phone(window: Window, start: int, end: int, before: int, after: int) -> bool:
    return window.near("phone", start, end, before, after) or window.near("phone_near", start, end, before, after)


class Phone:
    name = "phone"
    concepts = frozenset(("phone", "phone_near", "cased:plus", "cased:extension"))

    def find(self, window: Window) -> Iterator[Raw]:
        if "shape:phone" not in window.hits:
            return
        words = "phone" in window.hits or "phone_near" in window.hits
        alone = "cased:plus" in window.hits
        extended = "cased:extension" in window.hits
        if not (words or alone or extended):
            return
        figures = window.figures
        rows = _rows(window.plain, figures)
        if not (words or alone or "+" in window.low or _has_extension(window.low, figures, rows)):
            return
        for found in _phones(window.plain, figures, rows):
            written = found[0].strip()
            start = found.start() + len(found[0]) - len(found[0].lstrip())
            end = found.end()
            number = digits(re.split(r"[a-zA-Z内]", written)[0])
            if not 7 <= len(number) <= 15 or _NO_PHONE.match(written) is not None or len(set(number)) < 3:
                continue
            if written.startswith("+"):
                sure = _e164(number)
                if sure is not None or (words and window.labelled("phone", start)):
                    yield Raw(start, end, "phone", "pii", sure or "labelled", "phone-e164")
            elif len(number) in (10, 11, 13) and _EXTENSION.search(written) is not None:
                yield Raw(start, end, "phone", "pii", "near", "phone-extension")
            elif not words:
                continue
            elif window.labelled("phone", start):
                yield Raw(start, end, "phone", "pii", "labelled", "phone")
            elif _NANP.match(written) is not None and _near_phone(window, start, end, _FAR, 48):
                yield Raw(start, end, "phone", "pii", "near", "phone-nanp")
            elif (
                len(number) <= (15 if written.startswith("00") else 13)
                and _THOUSANDS.match(written) is None
                and _near_phone(window, start, end, 48, 24)
                and (_WRITTEN.search(written) is not None or len(number) in (10, 11))
            ):
                yield Raw(start, end, "phone", "pii", "near", "phone")


_IPV4 = re.compile(
    r"(?<![A-Za-z0-9_.\-/])(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}(?![A-Za-z0-9_\-])(?!\.\d)"
)
_IPV6 = re.compile(
    r"(?<![\w:.])(?=[0-9a-f:]{0,40}::|(?:[0-9a-f]{1,4}:){7})(?:[0-9a-f]{0,4}:){2,7}[0-9a-f]{0,4}(?:\.\d{1,3}){0,4}(?![\w:])"
)
_VERSION = re.compile(r"(?:version|release|v|ver|firmware|build|==|>=|~=|chrome/|safari/|section|chapter|§)[\s.:]*$")


class Ip:
    name = "ip"
    concepts = frozenset(("shape:ipv4", "shape:ipv6"))

    def find(self, window: Window) -> Iterator[Raw]:
        if "shape:ipv4" in window.hits:
            for found in _IPV4.finditer(window.low):
                yield from self._one(window, found, len("255.255.255.255"))
        if "shape:ipv6" in window.hits:
            for found in _IPV6.finditer(window.low):
                if any(char.isdigit() for char in found[0]) and len(found[0]) >= 6:
                    yield from self._one(window, found, 39)

    def _one(self, window: Window, found: re.Match[str], longest: int) -> Iterator[Raw]:
        start, end = found.span()
        if end - start > longest:
            return
        try:
            address = ipaddress.ip_address(found[0])
        except ValueError:
            return
        if address.is_loopback or address.is_unspecified or address.is_multicast or found[0].startswith("255."):
            return
        if "ip" in window.hits and (window.labelled("ip", start) or window.near("ip", start, end, 24, 12)):
            yield Raw(start, end, "ip_address", "pii", "labelled", "ip")
        elif self._alone(window, address, found):
            yield Raw(start, end, "ip_address", "pii", "bare", "ip")

    @staticmethod
    def _alone(window: Window, address: ipaddress.IPv4Address | ipaddress.IPv6Address, found: re.Match[str]) -> bool:
        """Without a word beside it: an address of the public Internet, and no version number."""
        if address.version == 6:
            return _WHOLE_IPV6.match(found[0]) is not None or (address.is_global and found[0][0] in "23")
        return (
            address.is_global
            and int(address) > _FIRST_LIKELY
            and _VERSION.search(window.low, max(0, found.start() - 14), found.start()) is None
            and "/" not in window.low[found.end() : found.end() + 1]
        )


_FIRST_LIKELY = int(ipaddress.IPv4Address("11.0.0.0"))
"""Below it, what looks like an address is a version or a section."""
_WHOLE_IPV6 = re.compile(r"(?:[0-9a-f]{3,4}:){7}[0-9a-f]{3,4}$")
_MAC = re.compile(
    r"(?<![\w:.\-])[0-9a-f]{2}(?:([:\-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}(?![\w:\-])|(?<![\w.])[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}(?![\w.])"
)


class Mac:
    name = "mac"
    concepts = frozenset(("shape:mac",))

    def find(self, window: Window) -> Iterator[Raw]:
        if "shape:mac" not in window.hits:
            return
        for found in _MAC.finditer(window.low):
            start, end = found.span()
            if len(set(found[0])) < 5:
                continue
            near = window.near("mac", start, end)
            yield Raw(start, end, "mac_address", "pii", "near" if near else "bare", "mac")
