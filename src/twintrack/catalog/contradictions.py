"""What is stale, what contradicts what, and what nobody has verified."""

from __future__ import annotations

import datetime
import functools
import itertools
from collections.abc import Iterator

import msgspec

from twintrack.catalog import architectures, facts, knowledge, licences, models, prices, tables
from twintrack.catalog.pricing import case_usd

APART = 0.005
"""Sources of a price may differ by so much."""
OTHER_AS_OF = {"models.dev": "2026-07-02", "litellm": "2026-11-20"}
"""When the other catalogues were read; models.dev is of its commit f3fc6922, litellm of its version 1.109.1."""


class Stale(msgspec.Struct, frozen=True):
    table: str
    name: str
    as_of: str
    days: int
    keep_days: int
    source: str


class Said(msgspec.Struct, frozen=True):
    source: str
    as_of: str
    value: str


class Contradiction(msgspec.Struct, frozen=True):
    what: str
    said: tuple[Said, ...]
    used: str
    """Which of them counts, and why."""


class Unverified(msgspec.Struct, frozen=True):
    table: str
    name: str
    why: str
    source: str


class OtherPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What two other catalogues say, in dollars per million tokens: input and output."""

    provider: str
    model: str
    modelsdev: tuple[float | None, float | None] | None = None
    litellm: tuple[float | None, float | None] | None = None


@functools.cache
def other_prices() -> tuple[OtherPrice, ...]:
    return facts.lines("other_prices.json", OtherPrice)


def stale(on: datetime.date) -> list[Stale]:
    """Facts older than their table allows, and the price list itself if it was made long ago."""
    found = []
    for name, table in tables.TABLES.items():
        if table.keep_days is None:
            continue
        for row in table.rows():
            if getattr(row, "history", False) or getattr(row, "until", ""):
                continue  # what is past stays true
            as_of = row.as_of  # type: ignore[attr-defined]  # every table's rows have one; a test sees to it
            days = (on - datetime.date.fromisoformat(as_of)).days
            if days > table.keep_days:
                found.append(Stale(name, table.title(row), as_of, days, table.keep_days, row.source))  # type: ignore[attr-defined]
    listed = prices.load(None, on=on)
    days = (on - datetime.date.fromisoformat(listed.as_of)).days
    if days > 45:
        found.append(Stale("prices", "the price list", listed.as_of, days, 45, f"genai-prices {listed.version}"))
    return found


def contradictions(on: datetime.date) -> list[Contradiction]:
    return [*_prices(on), *_windows(), *_scores(), *_licences()]


def _prices(on: datetime.date) -> Iterator[Contradiction]:
    """Prices that catalogues differ on by more than `APART`. Ours is that of noon, UTC."""
    for other in other_prices():
        case = {"provider": other.provider, "model": other.model, "timestamp": f"{on.isoformat()}T12:00:00+00:00"}
        ours = tuple(_per_mtok({**case, side: 1_000_000}) for side in ("input_tokens", "output_tokens"))
        source = case_usd({**case, "input_tokens": 1}).source
        said = [
            (name, pair)
            for name, pair in ((source, ours), ("models.dev", other.modelsdev), ("litellm", other.litellm))
            if pair is not None and pair[0] is not None
        ]
        if len(said) > 1 and any(_apart(first[1], second[1]) for first, second in itertools.combinations(said, 2)):
            yield Contradiction(
                f"price of {other.model} at {other.provider}, USD per 1M tokens in / out",
                tuple(Said(name, OTHER_AS_OF.get(name, on.isoformat()), _pair(pair)) for name, pair in said),
                f"{source} counts" if ours[0] is not None else "none counts: our price list does not have it",
            )


def _per_mtok(case: dict[str, object]) -> float | None:
    case.setdefault("input_tokens", 0)
    usd = case_usd(case).usd
    return None if usd is None else float(usd)


def _apart(first: tuple[float | None, ...], second: tuple[float | None, ...]) -> bool:
    for one, other in zip(first, second, strict=True):
        if one is not None and other is not None and abs(one - other) > APART * max(one, other):
            return True
    return False


def _pair(pair: tuple[float | None, ...]) -> str:
    return " / ".join("unknown" if each is None else f"{each:g}" for each in pair)


def _windows() -> Iterator[Contradiction]:
    """A window in the table of models that is longer than the weights' configuration says."""
    for model in models.models().values():
        built = architectures.find(model.name) if model.weights else None
        if built is not None and built.context_tokens and model.context_tokens > built.context_tokens:
            yield Contradiction(
                f"window of {model.name}, tokens",
                (
                    Said(model.source, model.as_of, f"{model.context_tokens:,}"),
                    Said(f"{built.name}: {built.source}", built.as_of, f"{built.context_tokens:,}"),
                ),
                f"{model.source} counts; servers may stretch positions",
            )


def _scores() -> Iterator[Contradiction]:
    """One model, one benchmark, one day, two scores."""
    grouped: dict[tuple[str, str, str, str], list[knowledge.Score]] = {}
    for score in knowledge.scores():
        grouped.setdefault((score.model, score.benchmark, score.metric, score.dated), []).append(score)
    for (model, benchmark, metric, dated), rows in grouped.items():
        if len({row.score for row in rows}) > 1:
            yield Contradiction(
                f"{benchmark} of {model}, {metric}, {dated or 'no date'}",
                tuple(Said(row.source, row.as_of, f"{row.score:g}") for row in rows),
                "none counts: they are results of different settings",
            )


def _licences() -> Iterator[Contradiction]:
    """A model whose licence in the table of models is not the one its name stands for."""
    for model in models.models().values():
        if model.kind != "open" or model.demo:
            continue
        by_spdx = next((text for text in licences.licences().values() if text.spdx == model.licence), None)
        by_name = licences.by_pattern(model.name)
        if by_spdx is not None and by_name is not None and by_spdx.name != by_name.name:
            yield Contradiction(
                f"licence of {model.name}",
                (
                    Said(model.source, model.as_of, by_spdx.title),
                    Said(by_name.source, by_name.as_of, by_name.title),
                ),
                "the table of models counts",
            )


def unverified() -> list[Unverified]:
    """Facts that were written from memory, and texts that were not read in full."""
    found = []
    for name, table in tables.TABLES.items():
        for row in table.rows():
            checked = getattr(row, "checked", getattr(row, "read", ""))
            if checked in ("recalled", "recomputed", "no", "part"):
                found.append(Unverified(name, table.title(row), _WHY[checked], row.source))  # type: ignore[attr-defined]
            elif "from memory" in row.source:  # type: ignore[attr-defined]
                found.append(Unverified(name, table.title(row), _WHY["recalled"], row.source))  # type: ignore[attr-defined]
    return found


_WHY = {
    "recalled": "written from memory of the source",
    "recomputed": "written from memory; sizes computed from it agree with the published ones",
    "no": "its text was not read",
    "part": "its text was read in part",
}
