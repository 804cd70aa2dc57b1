"""The numbers of a sentence with their units: `$0.0003 per 1K tokens`, `50-100M tokens/day`, `4 x H100`, `8 bits`.

Rates are kept by day, and money by the token, the request or the GPU, so that numbers written in different ways can
be multiplied and compared.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, replace

from twintrack.economics.claims.grammar import (
    ABOUT,
    ABOVE,
    ALONE,
    BELOW,
    BY_ADVERB,
    DAYS,
    NUMBER,
    SIDE,
    SIDE_BEHIND,
    base,
    per_at,
    plain,
    unit_at,
    values,
)
from twintrack.economics.claims.named import NamedGpu, NamedModel, named_gpus, named_models


@dataclass(frozen=True, slots=True)
class Quantity:
    low: float
    high: float
    unit: str
    """usd, token, request, user, image, gpu, fte, percent, times, day, second, param, gb, bit, joule, example …"""
    per: tuple[str, ...]
    """Units it is divided by; of time only day."""
    text: str
    start: int
    end: int
    tags: frozenset[str] = frozenset()
    """input, output, training; each; daily; the period as written."""
    about: bool = False
    bound: str = ""
    """below or above, where it is a limit."""
    gpus: tuple[str, ...] = ()
    """Which, where the unit is gpu."""
    scale: float = 1.0
    """What the number as written was divided by."""

    @property
    def mid(self) -> float:
        return (self.low * self.high) ** 0.5 if self.low > 0 else (self.low + self.high) / 2

    def is_a(self, unit: str, *per: str) -> bool:
        return self.unit == unit and tuple(sorted(self.per)) == tuple(sorted(per))


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    quantities: tuple[Quantity, ...]
    models: tuple[NamedModel, ...]
    gpus: tuple[NamedGpu, ...]

    def having(self, unit: str, *per: str) -> list[Quantity]:
        return [each for each in self.quantities if each.is_a(unit, *per)]

    def says(self, pattern: str) -> bool:
        return re.search(pattern, self.text, re.IGNORECASE) is not None


def read(text: str) -> Sentence:
    text = plain(text)
    models, gpus = named_models(text), named_gpus(text)
    masked = list(text)
    for gpu in gpus:
        masked[gpu.start : gpu.end] = "\x01" * (gpu.end - gpu.start)
    for model in models:
        masked[model.start : model.end] = "\x02" * (model.end - model.start)
    found = list(_scan("".join(masked), text, gpus))
    return Sentence(text, tuple(_linked(found, text)), models, gpus)


def _scan(masked: str, text: str, gpus: tuple[NamedGpu, ...]) -> list[Quantity]:
    found = []
    place = 0
    while match := NUMBER.search(masked, place):
        if match["b"] and re.search(r"\bfrom\s*$", masked[: match.start()], re.IGNORECASE):
            match = ALONE.match(masked, match.start()) or match  # from one to the other: two amounts, no range
        place = match.end()
        low, high = values(match)
        unit, end = unit_at(masked, match.end())
        if match["cur"]:
            unit, end = "usd", match.end() if unit in ("times", "hour", "") or unit not in ("usd",) else end
        elif unit == "" and (match["as"] or match["bs"] or "").strip() == "B":
            unit = "param"
        which = next((gpu.names for gpu in gpus if gpu.start < end <= gpu.end), ()) if unit == "gpu" else ()
        tags = set(re.findall(r"input|output|training|prompt|completion", masked[match.end() : end].lower()))
        if unit == "token" and (side := re.search(r"\b(in|out)$", masked[match.end() : end])):
            tags.add(f"{side[1]}put")
        before = masked[max(0, match.start() - 40) : match.start()]
        if match["cur"] and (side := SIDE.match(masked, end)):
            tags, end = tags | {f"{side['side'].lower()}put"}, side.end()
        per, scale, end, more = per_at(masked, end, money=unit == "usd")
        if unit == "usd" and "token" in per and (side := SIDE_BEHIND.match(masked, end)):
            more, end = more | {f"{side['side'].lower()}put"}, side.end()
        unit, factor = base(unit)
        if (
            "day" not in per
            and unit in ("user", "request", "token")
            and re.search("daily|DAU", masked[match.start() : end])
        ):
            per = (*per, "day")
        if not per and (
            word := re.search(
                r"\b(daily|monthly)(?:(?:\s+[A-Za-z]+){0,2}\s+(?:of|is|reach\w*|exceed\w*|hits?|pass\w*))?\s*$", before
            )
        ):
            period = BY_ADVERB[word[1].lower()]
            per, scale, more = (*per, "day"), scale * DAYS[period], more | {period}
        found.append(
            Quantity(
                low=low * factor / scale,
                high=high * factor / scale,
                unit=unit,
                per=per,
                text=text[match.start() : end].strip(),
                start=match.start(),
                end=end,
                tags=frozenset(tags | more),
                about=ABOUT.search(before) is not None,
                bound="below" if BELOW.search(before) else "above" if ABOVE.search(before) else "",
                gpus=which,
                scale=scale,
            )
        )
        place = max(place, end)
    return [each for each in found if each.unit]


def _linked(found: list[Quantity], text: str) -> list[Quantity]:
    """Counts that are meant for each of another: 1,000 requests of 2,000 tokens, 8 requests of a user."""
    requests = any(each.unit == "request" and not each.per for each in found)
    users = any(each.unit == "user" for each in found)
    timed = any(each.unit == "request" and "day" in each.per for each in found)
    multiplied = re.search(r"users?\s*[x*]|customers?\s*[x*]|each\b|\bof\b", text) is not None
    linked = []
    for each in found:
        if each.low == 1 and _COSTS.match(text, each.end) and [o.unit for o in found if not o.per].count(each.unit) > 1:
            continue  # one request costs a cent: its price, and no amount beside the others
        before = text[max(0, each.start - 8) : each.start]
        of = re.search(r"(?:\bof|\bwith|x|\*|\+)\s*$", before) is not None or "each" in each.tags
        if each.is_a("token") and (requests or timed) and of:
            each = replace(each, per=("request",))
        elif each.is_a("request") and users:
            each = replace(each, per=("user",))
        elif each.is_a("request", "day") and users and multiplied:
            each = replace(each, per=("user", "day"))
        elif each.is_a("user") and not timed and any(other.is_a("token", "day") for other in found):
            each = replace(each, per=("day",))
        elif each.is_a("usd") and (one := _ONE.search(text, 0, each.start)):
            each = replace(each, per=(one[1].lower(),))
        elif each.unit == "usd" and "each" in each.tags:
            what = "gpu" if any(other.unit == "gpu" for other in found) else "request" if requests or timed else ""
            each = replace(each, per=(*each.per, what)) if what else each
        linked.append(each)
    return _alike(_timed(_sided(linked, text)))


_COSTS = re.compile(r"\s*(?:costs?|is|at|for)\b", re.IGNORECASE)
_ONE = re.compile(r"\b(?:an?|each|every|1|per) (request|token)\s+(?:costs?|is|at|for)\s*$", re.IGNORECASE)
"""What a single one costs: `a request costs 2 cents`."""


def _sided(found: list[Quantity], text: str) -> list[Quantity]:
    """Of two prices that stand side by side the second says per what: $5 in and $25 out per million, or $5/$25."""
    sides = {"input", "output"}
    for place, (first, second) in enumerate(itertools.pairwise(found)):
        if not (first.is_a("usd") and second.is_a("usd", "token")):
            continue
        if text[first.end : second.start].strip() == "/" and not (first.tags | second.tags) & sides:
            first, second = replace(first, tags=frozenset({"input"})), replace(second, tags=frozenset({"output"}))
        if len(first.tags & sides) == 1 and len(second.tags & sides) == 1 and first.tags != second.tags:
            scale = second.scale
            first = replace(first, per=("token",), low=first.low / scale, high=first.high / scale, scale=scale)
            return [*found[:place], first, second, *found[place + 2 :]]
    return found


def _paced(found: list[Quantity]) -> list[Quantity]:
    """A volume without a time, beside a cost with one and a price, is of that time: $900 a month for 30M requests."""
    costs = [each for each in found if each.is_a("usd", "day")]
    bare = [each for each in found if each.unit in ("token", "request") and not each.per]
    prices = [each for each in found if each.unit == "usd" and each.per in (("token",), ("request",))]
    if len(costs) != 1 or len(bare) != 1 or len(prices) != 1 or prices[0].per != (bare[0].unit,):
        return found
    period = next((word for word in DAYS if word in costs[0].tags), "day")
    days, volume = DAYS[period], bare[0]
    if any(each.unit == "day" for each in found):
        return found
    paced = replace(volume, per=("day",), low=volume.low / days, high=volume.high / days, tags=volume.tags | {period})
    return [paced if each is volume else each for each in found]


def _timed(found: list[Quantity]) -> list[Quantity]:
    """An amount without a time, after a volume with one, is of that time: 2B tokens a month cost $8,750."""
    found = _paced(found)
    volumes = [each for each in found if each.unit in ("token", "request") and "day" in each.per]
    bare = [each for each in found if each.unit == "usd" and not each.per]
    spans = any(each.unit == "day" for each in found)
    if len(volumes) != 1 or len(bare) != 1 or spans or any(each.is_a("usd", "day") for each in found):
        return found
    period = next((word for word in DAYS if word in volumes[0].tags), "day")
    days, cost = DAYS[period], bare[0]
    timed = replace(
        cost, per=("day",), low=cost.low / days, high=cost.high / days, scale=days, tags=cost.tags | {period}
    )  # fmt: skip
    return [timed if each is cost else each for each in found]


def _alike(found: list[Quantity]) -> list[Quantity]:
    """Prices that are compared are prices of the same: of $15 to $3 per million tokens, the first is one too."""
    if not any(each.unit in ("percent", "times") for each in found):
        return found
    if any(("day" in each.per and each.unit != "usd") or each.unit == "day" for each in found):
        return found
    per = next((each.per for each in found if each.unit == "usd" and each.per), ())
    factor = next((each.scale for each in found if each.unit == "usd" and each.per), 1.0)
    return [
        replace(each, per=per, low=each.low / factor, high=each.high / factor)
        if each.unit == "usd" and not each.per and per
        else each
        for each in found
    ]
