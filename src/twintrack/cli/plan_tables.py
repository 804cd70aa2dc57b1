"""A plan on a terminal."""

from __future__ import annotations

import click

from twintrack.cli.table import say, show
from twintrack.economics.amounts import count, price, usd
from twintrack.economics.document import BreakEvenOut, Document, OptionOut
from twintrack.economics.words import input_words

_MOST_RULED_OUT = 12


def print_plan(plan: Document, *, every_input: bool) -> None:
    for sentence in plan.recommendation.sentences:
        say(sentence)
    _options(plan)
    _lines(plan.options)
    _break_even(plan)
    _phases(plan)
    _energy(plan.options)
    _finetune(plan)
    _weights(plan)
    _ruled_out(plan)
    if every_input:
        _prices(plan)
    _inputs(plan, every_input)
    for note in plan.workload.notes:
        click.echo(note)


def _title(text: str) -> None:
    click.echo()
    click.echo(click.style(text, bold=True))


def _options(plan: Document) -> None:
    if not plan.options:
        return
    _title(f"Options for {count(plan.workload.tokens_per_day)} tokens a day, prices of {plan.on}")
    show(
        ("option", "kind", "a month", "80 % interval", "per 1M", "once", "cheapest", "quality"),
        [
            (
                option.title,
                option.kind.replace("_", " "),
                usd(option.monthly_usd),
                _interval(option.monthly_low_usd, option.monthly_high_usd),
                usd(option.usd_per_mtok),
                usd(option.once_usd) if option.once_usd else "-",
                "-" if option.p_cheapest is None else f"{option.p_cheapest:.0%}",
                "unknown" if option.quality is None else f"{option.quality:.2f}",
            )
            for option in plan.options
        ],
        right=("a month", "80 % interval", "per 1M", "once", "cheapest", "quality"),
    )


def _lines(options: tuple[OptionOut, ...]) -> None:
    names = list(dict.fromkeys(name for option in options for name in option.lines))
    if not names:
        return
    _title("What a month is made of")
    show(
        ("option", *names),
        [
            (option.key, *(usd(option.lines[name]) if name in option.lines else "-" for name in names))
            for option in options
        ],
        right=names,
    )


def _break_even(plan: Document) -> None:
    if not plan.break_even:
        return
    _title("Break-even of own engines")
    show(
        ("own engines", "against", "from tokens a day", "crossings", "one engine takes", "paid back"),
        [
            (
                pair.selfhost,
                pair.alternative,
                "never" if pair.tokens_per_day is None else count(pair.tokens_per_day),
                _crossings(pair),
                count(pair.engine_takes_tokens_per_day),
                "never" if pair.month is None else f"{pair.date}, month {pair.month}",
            )
            for pair in plan.break_even
            if pair.selfhost == plan.break_even[0].selfhost
        ],
        right=("from tokens a day", "one engine takes"),
    )


def _crossings(pair: BreakEvenOut) -> str:
    first = [
        f"{count(each.tokens_per_day)}{'' if each.cheaper_above == 'selfhost' else ' back'}"
        for each in pair.crossings[:4]
    ]
    more = f" and {len(pair.crossings) - 4} more" if len(pair.crossings) > 4 else ""
    return ", ".join(first) + more if first else "none"


def _phases(plan: Document) -> None:
    if plan.phases:
        _title("Phases")
        show(
            ("phase", "starts", "with", "since"),
            [(phase.name, phase.starts or "not now", phase.what, phase.why) for phase in plan.phases],
            whole=("phase", "starts"),
        )


def _energy(options: tuple[OptionOut, ...]) -> None:
    if not options:
        return
    _title("Energy and emissions a month (80 % or published range); GPUs alone are not comparable with a full stack")
    show(
        ("option", "GPUs only, kWh", "full stack, kWh", "kg CO2e by the grid", "by contract", "making it", "scope"),
        [
            (
                option.key,
                *(
                    "unknown" if each is None else f"{each.value:,.0f} ({each.low:,.0f} to {each.high:,.0f})"
                    for each in (
                        option.energy.gpu_kwh,
                        option.energy.full_stack_kwh,
                        option.energy.location_kg_co2e,
                        option.energy.market_kg_co2e,
                        option.energy.embodied_kg_co2e,
                    )
                ),
                option.energy.scope,
            )
            for option in options
        ],
        right=("GPUs only, kWh", "full stack, kWh", "kg CO2e by the grid", "by contract", "making it"),
    )


def _finetune(plan: Document) -> None:
    if plan.finetune:
        _title("Fine-tuned")
        show(
            ("way", "once", "a month", "over the horizon", "how"),
            [(way.key, usd(way.once_usd), usd(way.monthly_usd), usd(way.total_usd), way.what) for way in plan.finetune],
            right=("once", "a month", "over the horizon"),
        )


def _weights(plan: Document) -> None:
    if plan.what_matters and len(plan.options) > 1:
        _title(f"What decides between {plan.options[0].key} and {plan.options[1].key}, over the horizon")
        show(
            ("input", "origin", "explains", "at its low end", "at its high end"),
            [
                (
                    input_words(each.name),
                    each.origin,
                    f"{each.share:.0%}",
                    _signed(each.low_usd),
                    _signed(each.high_usd),
                )
                for each in plan.what_matters[:8]
            ],
            right=("explains", "at its low end", "at its high end"),
        )


def _ruled_out(plan: Document) -> None:
    if plan.ruled_out:
        _title("Ruled out")
        show(
            ("model", "where", "ground", "why"),
            [
                (each.model or "any", each.where or "anywhere", each.ground, each.why)
                for each in plan.ruled_out[:_MOST_RULED_OUT]
            ],
        )
        if len(plan.ruled_out) > _MOST_RULED_OUT:
            click.echo(f"and {len(plan.ruled_out) - _MOST_RULED_OUT} more; --json and the report list all")


def _prices(plan: Document) -> None:
    if plan.prices:
        _title("Prices, USD per million tokens")
        show(
            ("model", "input", "cached", "output", "source"),
            [
                (
                    f"{each.key}, over {each.over_input_tokens:,} input tokens" if each.over_input_tokens else each.key,
                    price(each.input_usd),
                    price(each.cached_usd),
                    price(each.output_usd),
                    each.source,
                )
                for each in plan.prices
            ],
            right=("input", "cached", "output"),
        )


def _inputs(plan: Document, every: bool) -> None:
    known = [each for each in plan.workload.inputs if every or each.origin != "assumed"]
    guessed = [each for each in plan.workload.inputs if each.origin == "assumed"]
    _title("Inputs")
    show(
        ("input", "value", "80 % range", "origin", "source"),
        [
            (
                input_words(each.name),
                f"{each.value:,.6g} {each.unit}",
                f"{each.low:,.6g} to {each.high:,.6g}",
                each.origin,
                each.source,
            )
            for each in known
        ],
        right=("80 % range",),
    )
    if guessed and not every:
        click.echo(f"{len(guessed)} more are assumed; --inputs shows them, and each price with its source and day")


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None or high is None else f"{usd(low)} to {usd(high)}"


def _signed(amount: float) -> str:
    return f"-{usd(-amount)}" if amount < 0 else f"+{usd(amount)}"
