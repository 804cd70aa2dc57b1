"""Reads a workload: what it says, checked, over what was counted, over what is assumed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from twintrack.catalog import carbon, models
from twintrack.catalog import gpus as gpu_facts
from twintrack.catalog.regimes import regimes
from twintrack.economics.inputs import BadWorkload, Input, assumed, given, specs, unknown_word
from twintrack.economics.workload import Candidates, Cell, Counted, Energy, Needs, Price, Tuning, Workload

_SECTIONS = ("needs", "candidates", "energy", "finetune")
_Part = TypeVar("_Part", Needs, Candidates, Energy, Tuning)
_TRAFFIC_WORDS = ("daily_users", "requests_per_user", "tokens_per_day", "lengths")
_TOP = ("name", "currency", "prices")


def read(path: Path, counted: Counted | None = None) -> Workload:
    """A workload file, over what was counted.

    Raises:
        BadWorkload: it cannot be read, or says what makes no sense; names field and sensible range.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadWorkload(f"{path} cannot be read", why=str(error)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadWorkload(f"{path} is not TOML", why=str(error)) from error
    try:
        return build(document, counted)
    except BadWorkload as error:
        raise BadWorkload(f"{path}: {error.what}", why=error.why, fix=error.fix) from None


def build(document: Mapping[str, Any], counted: Counted | None = None) -> Workload:
    """A workload from what a file, answers or another program say.

    Args:
        counted: what the document says wins over it.
    Raises:
        BadWorkload: names the field and the sensible range.
    """
    sections = {spec.section for spec in specs().values()} | set(_SECTIONS)
    for word, value in document.items():
        if word not in sections and word not in _TOP:
            raise unknown_word(word, sorted([*sections, *_TOP]), "")
        if word in sections and not isinstance(value, dict):
            raise BadWorkload(f"{word} is {value!r}", fix=f"Make it a table, [{word}]")
    currency = document.get("currency", "USD")
    if currency != "USD":
        raise BadWorkload(
            f"currency is {currency!r}", why="all price lists are in US dollars", fix='Use "USD", and convert yours'
        )
    inputs = {name: assumed(name) for name in specs()}
    if counted is not None:
        inputs.update(counted.inputs)
    for name, spec in specs().items():
        said = document.get(spec.section, {})
        if name in said:
            inputs[name] = given(name, said[name])
    for section in sections - set(_SECTIONS):
        own = [name for name, spec in specs().items() if spec.section == section]
        known = [*own, *(_TRAFFIC_WORDS if section == "traffic" else ())]
        for word in document.get(section, {}):
            if word not in known:
                raise unknown_word(word, known, section)
    traffic = dict(document.get("traffic", {}))
    lengths = _lengths(traffic, inputs, () if counted is None else counted.lengths)
    _requests(traffic, inputs, counted is not None)
    needs = _part("needs", Needs, document.get("needs"))
    candidates = _part("candidates", Candidates, document.get("candidates"))
    _check_needs(needs, inputs)
    energy = _part("energy", Energy, document.get("energy"))
    if carbon.grid(energy.grid) is None:
        raise BadWorkload(
            f"energy.grid is {energy.grid!r}", why="no such grid is known",
            fix="Use a country, as DEU or Germany, or a cloud's region, as gcp/europe-west3",
        )  # fmt: skip
    market = energy.market_g_co2e_per_kwh
    if market is not None and not 0 <= market <= 3000:
        raise BadWorkload(f"energy.market_g_co2e_per_kwh is {market:g}", fix="Use 0 to 3,000")
    rows = document.get("prices", [])
    if not isinstance(rows, list):
        raise BadWorkload("prices is no list of tables", fix="Write each as [[prices]]")
    prices = tuple(_price(place, row) for place, row in enumerate(rows))
    return Workload(
        name=str(document.get("name", "workload")),
        inputs=inputs,
        lengths=lengths,
        needs=needs,
        candidates=_resolved(candidates, prices),
        prices=prices,
        energy=energy,
        tuning=_tuning(document["finetune"]) if "finetune" in document else None,
        current=() if counted is None else counted.models,
        notes=() if counted is None else counted.notes,
    )


def _part(word: str, kind: type[_Part], value: object) -> _Part:
    try:
        return msgspec.convert(value or {}, kind)
    except msgspec.ValidationError as error:
        raise _part_error(word, kind, str(error)) from None


def _part_error(word: str, kind: type[msgspec.Struct], text: str) -> BadWorkload:
    """What msgspec says, with the words that would do."""
    unknown = re.search(r"unknown field `(.*?)`", text)
    if unknown:
        return unknown_word(unknown[1], list(kind.__struct_fields__), word)
    at = re.search(r"at `\$\.(\w+)", text)
    value = re.search(r"Invalid enum value (.*?) -", text)
    if at and value:
        said = get_type_hints(kind)[at[1]]
        choices = get_args(get_args(said)[0]) if get_origin(said) is tuple else get_args(said)
        return BadWorkload(f"{word}.{at[1]} is {value[1]}", fix=f"Use {', '.join(map(str, choices))}")
    return BadWorkload(f"{word}{'.' + at[1] if at else ''}: {text.partition(' - at')[0]}")


def _tuning(section: object) -> Tuning:
    tuning = _part("finetune", Tuning, section)
    for name, most in (("examples", 1e9), ("tokens_per_example", 2e6), ("epochs", 1000), ("runs", 10_000)):
        least = 0.01 if name == "epochs" else 1
        value = getattr(tuning, name)
        if not least <= value <= most:
            raise BadWorkload(f"finetune.{name} is {value:,g}", fix=f"Use {least:g} to {most:,.0f}")
    return tuning


def _price(place: int, row: object) -> Price:
    try:
        price = msgspec.convert(row, Price)
    except msgspec.ValidationError as error:
        raise BadWorkload(f"prices[{place}]: {error}") from None
    for name in ("input_usd_per_mtok", "output_usd_per_mtok", "cached_usd_per_mtok"):
        value = getattr(price, name)
        if value is not None and not 0 <= value <= 10_000:
            raise BadWorkload(f"prices[{place}].{name} is {value:g}", fix="Use USD per million tokens from 0 to 10,000")
    return price


def _lengths(traffic: dict[str, Any], inputs: dict[str, Input], counted: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """The histogram of lengths, whose means become the inputs; without one, a single cell."""
    said = traffic.get("lengths")
    if said is None and counted and not {"input_tokens", "output_tokens"} & set(traffic):
        means = [
            sum(getattr(cell, name) * cell.share for cell in counted) for name in ("input_tokens", "output_tokens")
        ]
        longer_in, longer_out = inputs["input_tokens"].value / means[0], inputs["output_tokens"].value / means[1]
        return tuple(Cell(c.input_tokens * longer_in, c.output_tokens * longer_out, c.share) for c in counted)
    if said is None:
        return (Cell(inputs["input_tokens"].value, inputs["output_tokens"].value, 1.0),)
    for word in ("input_tokens", "output_tokens"):
        if word in traffic:
            raise BadWorkload(f"traffic has both lengths and {word}", fix="Leave one of them out")
    cells = []
    for place, row in enumerate(said if isinstance(said, list) else [said]):
        if not (
            isinstance(row, Sequence) and len(row) == 3 and all(isinstance(x, int | float) and x >= 0 for x in row)
        ):
            raise BadWorkload(f"traffic.lengths[{place}] is {row!r}", fix="Use [input tokens, output tokens, share]")
        cells.append(Cell(*map(float, row)))
    total = sum(cell.share for cell in cells)
    if not total > 0:
        raise BadWorkload("traffic.lengths has no share above 0", fix="Give at least one row a share")
    scaled = tuple(Cell(cell.input_tokens, cell.output_tokens, cell.share / total) for cell in cells)
    for word, mean in (
        ("input_tokens", sum(cell.input_tokens * cell.share for cell in scaled)),
        ("output_tokens", sum(cell.output_tokens * cell.share for cell in scaled)),
    ):
        inputs[word] = given(word, mean)
    return scaled


def _requests(traffic: dict[str, Any], inputs: dict[str, Input], counted: bool) -> None:
    """Requests a day, from whichever way they are said."""
    ways = [word for word in ("requests_per_day", "daily_users", "tokens_per_day") if word in traffic]
    if len(ways) > 1:
        raise BadWorkload(f"traffic says the volume twice: {' and '.join(ways)}", fix="Leave all but one out")
    if not ways:
        if counted:
            return
        raise BadWorkload(
            "traffic does not say how much is asked",
            fix="Set requests_per_day, or daily_users and requests_per_user, or tokens_per_day",
        )
    if ways == ["daily_users"]:
        product = 1.0
        for word in ("daily_users", "requests_per_user"):
            value = traffic.get(word)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1e10:
                raise BadWorkload(f"traffic.{word} is {value!r}", fix="Use a number above 0, at most 10,000,000,000")
            product *= value
        inputs["requests_per_day"] = given("requests_per_day", product)
    elif "requests_per_user" in traffic:
        raise BadWorkload("traffic.requests_per_user stands without daily_users", fix="Set daily_users too")
    if ways == ["tokens_per_day"]:
        tokens = traffic["tokens_per_day"]
        if isinstance(tokens, bool) or not isinstance(tokens, int | float) or not 1 <= tokens <= 1e15:
            raise BadWorkload(f"traffic.tokens_per_day is {tokens!r}", fix="Use tokens from 1 to 1e15")
        each = inputs["input_tokens"].value + inputs["output_tokens"].value
        inputs["requests_per_day"] = given("requests_per_day", max(float(tokens) / each, 1.0))


def _check_needs(needs: Needs, inputs: Mapping[str, Input]) -> None:
    for name, least, most in (
        ("users_now", 0, 1e10), ("revenue_usd_month", 0, 1e13), ("min_quality", 0, 1), ("context_tokens", 0, 1e8),
        ("max_ttft_ms", 10, 1e7), ("max_ms_per_token", 1, 10_000),
    ):  # fmt: skip
        value = getattr(needs, name)
        if value is not None and not least <= value <= most:
            raise BadWorkload(f"needs.{name} is {value:g}", fix=f"Use {least:g} to {most:,.0f}")
    longest = inputs["input_tokens"].value + inputs["output_tokens"].value
    if needs.context_tokens and needs.context_tokens < longest:
        raise BadWorkload(
            f"needs.context_tokens is {needs.context_tokens:,}",
            why=f"a mean request has {longest:,.0f} tokens",
            fix=f"Use at least {longest:,.0f}",
        )
    for name in needs.regimes:
        if name not in regimes():
            raise unknown_word(name, list(regimes()), "needs.regimes")
    for zone in needs.zones:
        if zone not in ("own", "contracted", "third_party"):
            raise BadWorkload(f"needs.zones has {zone!r}", fix="Use own, contracted or third_party")


def _resolved(candidates: Candidates, prices: tuple[Price, ...]) -> Candidates:
    """Names as the catalogue writes them."""
    priced = {price.model for price in prices}

    def known(where: str, names: tuple[str, ...]) -> tuple[str, ...]:
        found = []
        for name in names:
            model = models.resolve(name)
            if model is None and name not in priced:
                close = models.nearest_names(name)
                raise BadWorkload(
                    f"candidates.{where} has {name!r}, which the catalogue does not know",
                    fix=f"Did you mean {close[0]}?" if close else "`twintrack models --catalogue` lists what it knows",
                )
            found.append(model.name if model is not None else name)
        return tuple(dict.fromkeys(found))

    places = []
    for name in candidates.gpus:
        gpu = gpu_facts.find_gpu(name)
        if gpu is None:
            close = gpu_facts.nearest_gpus(name)
            raise BadWorkload(
                f"candidates.gpus has {name!r}, which the catalogue does not know",
                fix=f"Did you mean {close[0]}?" if close else f"Use one of {', '.join(gpu_facts.gpus())}",
            )
        places.append(gpu.name)
    if candidates.gpus_per_engine is not None and not 1 <= candidates.gpus_per_engine <= 72:
        raise BadWorkload(f"candidates.gpus_per_engine is {candidates.gpus_per_engine}", fix="Use 1 to 72")
    for bits in candidates.weight_bits:
        if bits not in (4, 4.25, 4.5, 8, 16):
            raise BadWorkload(f"candidates.weight_bits has {bits:g}", fix="Use 4, 8 or 16")
    return msgspec.structs.replace(
        candidates,
        closed=known("closed", candidates.closed),
        managed=known("managed", candidates.managed),
        selfhost=known("selfhost", candidates.selfhost),
        gpus=tuple(places),
    )
