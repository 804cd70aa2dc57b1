"""How numbers and their units are written. `quantities.py` puts them together."""

from __future__ import annotations

import re
from typing import Final

DAYS: Final = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 365 / 12, "year": 365.0}
"""A month is a twelfth of a year."""

_SCALES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9}
_N = r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+"
_S = r"(?:\s?(?:thousand|million|billion|bn|mn)s?\b|[kKMB](?![a-zA-Z0-9]))"
NUMBER = re.compile(
    rf"(?P<cur>US\$|\$|USD\s?)?\s?(?<![\w.\x01\x02])(?P<a>{_N})(?P<as>{_S})?"
    rf"(?:\s?(?:-|\bto\b|\band\b(?=\s?\$?\d))\s?(?P<cur2>\$)?(?P<b>{_N})(?P<bs>{_S})?)?(?![\d])"
)
ALONE = re.compile(rf"(?P<cur>US\$|\$|USD\s?)?\s?(?P<a>{_N})(?P<as>{_S})?(?P<b>(?!))?(?P<bs>(?!))?")
_KINDS = "input|output|training|prompt|completion|blended"
_UNITS: Final = (
    ("gpu", r"\s*(?:x\s*)?(?:(?:cloud|rented|single|nvidia)\s+)*\x01+"),
    ("percent", r"\s?%"),
    ("usd", r"\s*(?:US )?(?:dollars|USD|bucks)\b"),
    ("cent", r"\s*cents?\b"),
    ("token", rf"\s*(?:(?:{_KINDS}|extra|more|in|out|reasoning|daily|monthly|\x02+)\s+){{0,3}}(?:tokens?|toks?)\b"
              r"(?:\s+(?:in|out)\b(?=\s*(?:,|\+|\band\b|$)))?"),
    ("token", r"\s*(?:input|output|prompt|completion)\b(?=\s*(?:,|\+|\band\b|\bplus\b)\s*\d)"),
    ("mtok", r"\s*MTok\b"),
    ("request", r"\s*(?:(?:api|chat|daily|monthly|\x02+)\s+)*(?:requests?|calls?|query|queries|prompts?|messages?)\b"),
    ("user", r"\s*(?:(?:daily|monthly|active)\s+)*(?:users?|DAU|MAU|customers)\b"),
    ("image", r"\s*(?:images?|pictures?)\b"),
    ("gpu", r"\s*-?(?:GPUs?|cards?|accelerators?)\b"),
    ("fte", r"\s*(?:FTEs?|(?:[\w-]+\s){0,2}engineers?)\b"),
    ("wh", r"\s*(?:Wh|watt[- ]?hours?)\b"),
    ("kwh", r"\s*(?:kWh|kilowatt[- ]?hours?)\b"),
    ("mwh", r"\s*(?:MWh|megawatt[- ]?hours?)\b"),
    ("joule", r"\s*(?:J|joules?)\b"),
    ("gb", r"\s*G(?:i?)B\b"),
    ("tb", r"\s*T(?:i?)B\b"),
    ("bit", r"[\s-]*bits?\b"),
    ("ms", r"\s*(?:ms|milliseconds?)\b"),
    ("second", r"\s*(?:s|secs?|seconds?)\b"),
    ("hour", r"\s*-?(?:h|hrs?|hours?)\b"),
    ("day", r"\s*-?days?\b"),
    ("week", r"\s*-?weeks?\b"),
    ("month", r"\s*-?months?\b"),
    ("year", r"\s*-?years?\b"),
    ("example", r"\s*(?:(?:training|labelled)\s+)*(?:examples?|samples?)\b"),
    ("epoch", r"\s*epochs?\b"),
    ("times", r"\s?(?:x\b(?!\s?[\d$\x01])|-?fold\b|times\b)"),
)  # fmt: skip
_UNIT_RES = tuple((name, re.compile(pattern, re.IGNORECASE)) for name, pattern in _UNITS)
_COUNTED = (
    "tokens?|MTok|requests?|calls?|query|queries|prompts?|messages?|users?|images?"
    "|hours?|hrs?|h|days?|weeks?|wk|months?|mo|years?|yr"
)
_PER = re.compile(
    rf"\s*(?P<word>/|\bper\b|\ban?\b|\bevery\b|\beach\b|\bfor each\b|\bfor every\b|\bin a\b)"
    rf"\s*(?P<n>{_N})?\s?(?P<s>{_S}|[KM]\b)?"
    rf"\s*(?:(?P<tag>{_KINDS})(?:\s+|(?<=put)\b))?"
    rf"(?:(?P<gpu>(?:\x01+|GPU|card)[- ]?)(?P<gpuh>hours?|h)?|(?P<u>{_COUNTED})\b)?",
    re.IGNORECASE,
)
SIDE = re.compile(r"\s*(?P<side>in|out)(?:put)?(?=\s*(?:/|,|&|\bper\b|\band\b)\s*)", re.IGNORECASE)
"""Which tokens a price is of, right behind it: `$5 in and $25 out per MTok`."""
SIDE_BEHIND = re.compile(r"\s*(?P<side>in|out)(?:put)?(?=\s*(?:/|,|&|\+|\.?$|\band\b))", re.IGNORECASE)
"""The same behind the whole price: `$5/M in, $25/M out`."""
_ADVERB = re.compile(r"\s*(hourly|daily|weekly|monthly|yearly|annually|each)\b", re.IGNORECASE)
BY_ADVERB = {
    "hourly": "hour",
    "daily": "day",
    "weekly": "week",
    "monthly": "month",
    "yearly": "year",
    "annually": "year",
}
BELOW = re.compile(r"(?:under|below|less than|fewer than|(?<!adds )up to|at most|until|<)\s*~?$", re.IGNORECASE)
ABOVE = re.compile(
    r"(?:over|above|more than|at least|beyond|past|from|exceed\w*|once you (?:spend|pay)|>)\s*~?$", re.IGNORECASE
)
ABOUT = re.compile(r"(?:about|around|roughly|some|approximately|typically|nearly|almost|~|ca\.?)\s*$", re.IGNORECASE)
_ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety hundred"
_NUMBER_WORDS = {
    **{word: str(number) for number, word in enumerate(f"{_ONES} eighteen nineteen".split(), 1)},
    **{word: str(10 * number) for number, word in enumerate(_TENS.split(), 2)},
}


_AFTER_DECIMALS = r"(?:USD|dollars?|cents?|million|billion|percent|[kM]?Wh|GB|TB)\b|%"
"""What tells that 2,50 is two and a half, and no list."""


def _with_point(match: re.Match[str]) -> str:
    return f"{match[1] or match[3]}.{match[2] or match[4]}"


def plain(text: str) -> str:
    text = re.sub(r"[–—−]", "-", text.strip())
    text = text.replace("×", "x").replace("≈", "about ").replace("“", '"').replace("”", '"')
    text = re.sub(rf"(?<=\$)(\d+),(\d\d?)(?![\d,])|\b(\d+),(\d\d?)(?=\s?(?:{_AFTER_DECIMALS}))", _with_point, text)
    text = re.sub(r"\bper ?cent\b|(?<=\d) percent\b", "%", text)
    text = re.sub(r"\bhalf an? (?=\w*\s?engineer)", "0.5 ", text, flags=re.IGNORECASE)
    text = re.sub(r"\bhalf (?=of|the)", "50% ", text, flags=re.IGNORECASE)
    text = re.sub(
        r"\b(?:costs? )?an? tenth\b|\b1/10\b",
        lambda m: m[0].partition("a")[0] + "10 times less",
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"-(tokens?|requests?)-(?:an?|per)-(?=day|month)", r" \1 a ", text)
    text = re.sub(r"\bby half\b|\bin half\b", "by 50%", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=[a-z])'s (?=\d+[bB]\b)", " ", text)
    text = re.sub(r"\bhalf an? ", "0.5 ", text, flags=re.IGNORECASE)
    text = re.sub(r"\ba (?:pair|couple) of\b", "2", text, flags=re.IGNORECASE)
    text = re.sub(r"\ba dozen\b", "12", text, flags=re.IGNORECASE)
    text = re.sub(r"\bfor an? (?=(?:day|week|month|year)\b)", "for 1 ", text, flags=re.IGNORECASE)
    text = re.sub(r"(?<=\d)(?: to 1|:1)\b(?! ?[kKMB])", " times", text)
    text = re.sub(r"\b(?:FP|BF|INT|Q)(4|8|16|32)\b", r"\1 bits", text, flags=re.IGNORECASE)
    text = re.sub(r"\ba single\b", "1", text, flags=re.IGNORECASE)
    text = re.sub(r"\ba (?=(?:thousand|million|billion)\b)", "1 ", text, flags=re.IGNORECASE)
    return re.sub(
        rf"\b({'|'.join(_NUMBER_WORDS)})\b(?=\s)",
        lambda match: _NUMBER_WORDS[match[1].lower()],
        text,
        flags=re.IGNORECASE,
    )


def values(match: re.Match[str]) -> tuple[float, float]:
    first = float(match["a"].replace(",", ""))
    scale = _scale(match["as"])
    if match["b"] is None:
        return first * scale, first * scale
    second, other = float(match["b"].replace(",", "")), _scale(match["bs"])
    if scale == 1 and other != 1 and first < 1000:
        scale = other
    low, high = first * scale, second * other
    return (low, high) if low <= high else (high, low)


def _scale(text: str | None) -> float:
    return _SCALES[text.strip().lower().rstrip("s")] if text and text.strip() else 1.0


def unit_at(masked: str, place: int) -> tuple[str, int]:
    for name, pattern in _UNIT_RES:
        if match := pattern.match(masked, place):
            return name, match.end()
    return "", place


_SHORT: Final = {
    "h": "hour",
    "hr": "hour",
    "wk": "week",
    "mo": "month",
    "yr": "year",
    "call": "request",
    "querie": "request",
    "query": "request",
    "prompt": "request",
    "message": "request",
    "mtok": "token",
}


_BASES: Final = {
    "cent": ("usd", 0.01),
    "mtok": ("token", 1e6),
    "wh": ("joule", 3600.0),
    "kwh": ("joule", 3.6e6),
    "mwh": ("joule", 3.6e9),
    "tb": ("gb", 1000.0),
    "ms": ("second", 0.001),
    **{name: ("day", days) for name, days in DAYS.items()},
}


def base(unit: str) -> tuple[str, float]:
    return _BASES.get(unit, (unit, 1.0))


def per_at(masked: str, place: int, *, money: bool) -> tuple[tuple[str, ...], float, int, set[str]]:
    """What follows a number and its unit: `/1K tokens`, `per GPU hour`, `a month`, `each`."""
    per: list[str] = []
    scale, tags = 1.0, set[str]()
    while True:
        counted = _PER.match(masked, place)
        if not (counted and (counted["u"] or counted["gpu"])) and (match := _ADVERB.match(masked, place)):
            word = match[1].lower()
            if word == "each":
                tags.add("each")
            elif "day" not in per:
                per.append("day")
                scale *= DAYS[BY_ADVERB[word]]
                tags.add(BY_ADVERB[word])
            place = match.end()
            continue
        match = counted
        if match is None:
            break
        amount = float(match["n"].replace(",", "")) if match["n"] else 1.0
        if not amount:
            break
        amount *= _scale(match["s"])
        unit = (match["u"] or "").lower().rstrip("s")
        if match["gpu"]:
            per.append("gpu")
            if match["gpuh"]:
                per.append("day")
                scale *= DAYS["hour"]
                tags.add("hour")
        elif unit:
            unit = _SHORT.get(unit, unit)
            if match["u"].lower() == "mtok":
                amount *= 1e6
            if unit in DAYS:
                per.append("day")
                tags.add(unit)
                amount *= DAYS[unit]
            else:
                per.append(unit)
            scale *= amount
        elif money and (match["s"] or match["n"]) and match["word"].lower() in ("/", "per"):
            per.append("token")  # a price per million is one of tokens
            scale *= amount
        else:
            break
        if match["tag"]:
            tags.add(match["tag"].lower())
        place = match.end()
        if len(per) > 3:
            break
    return tuple(per), scale, place, tags
