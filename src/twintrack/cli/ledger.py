"""twintrack ledger: what was spent and saved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from twintrack.cli import complete
from twintrack.cli import data as data_folder
from twintrack.cli.file import USUAL, present
from twintrack.cli.lazy import LazyGroup
from twintrack.cli.ledger_csv import written
from twintrack.cli.moments import time_us
from twintrack.cli.table import say, show
from twintrack.config.load import load
from twintrack.control.words import many
from twintrack.errors import nearest
from twintrack.ledger.balance import balance
from twintrack.ledger.summary import BY, Idle, Summary, baselines, summary
from twintrack.ledger.tally import Line, Savings

_ALL = "all"
_DIGITS = (2, 4, 6, 9)
_MOST_BASELINES = 4


def _words(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    words = tuple(word.strip() for word in value.split(",") if word.strip())
    for word in words:
        if word not in BY:
            close = nearest(word, BY, 1)
            hint = f" Did you mean {close[0]}?" if close else ""
            raise click.BadParameter(f"{word!r} is none of {', '.join(BY)}.{hint}", ctx, param)
    return words


@click.group(
    "ledger",
    cls=LazyGroup,
    modules="twintrack.cli.ledger_{}",
    lines={"verdicts": "How good answers were found."},
    invoke_without_command=True,
)
@click.option(
    "--by",
    callback=_words,
    shell_complete=complete.words(BY),
    default="route,tier",
    show_default=True,
    help=f"Group by any of: {', '.join(BY)}.",
)
@click.option("--since", callback=time_us, metavar="TIME", help="7d, 12h, 2026-11-01; counted in whole UTC hours.")
@click.option("--until", callback=time_us, metavar="TIME", help="The end, likewise.")
@data_folder.option
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="For --by tenant: which keys are whose. Default: ./twintrack.toml.",
)
@click.option("--csv", "as_csv", is_flag=True, help="For a spreadsheet: dollars with all their digits.")
@click.option("--json", "as_json", is_flag=True, help="For programs: nano-dollars, microseconds, null for unknown.")
@click.option("--check", is_flag=True, help="Compute every sum again from its attempts; exit 1 if one differs.")
@click.pass_context
def command(
    ctx: click.Context,
    by: tuple[str, ...],
    since: int | None,
    until: int | None,
    data: Path | None,
    config: Path | None,
    as_csv: bool,
    as_json: bool,
    check: bool,
) -> None:
    """What was spent and saved, against what it would have cost without routing.

    Own engines are paid by the hour, idle or not; unknown costs stay unknown.
    """
    if ctx.invoked_subcommand is not None:
        if since is not None or until is not None or data or config or as_csv or as_json or check:
            raise click.UsageError(f"Options stand behind the word {ctx.invoked_subcommand}.", ctx)
        return
    if as_csv and (as_json or check):
        raise click.UsageError("--csv goes with neither --json nor --check.", ctx)
    folder = data_folder.folder(data)
    path = data_folder.ledger(folder)
    if path is None:
        if as_json:
            click.echo("null")
        else:
            click.echo(
                f"The ledger in {folder} is empty: no request has been answered yet. "
                "Start a gateway with `twintrack up`, or name its folder with --data.",
                err=as_csv,
            )
        return
    found = summary(path, by, since, until, _tenants(config) if "tenant" in by else {})
    wrong = balance(path) if check else None
    if as_csv:
        click.echo(written(found), nl=False)
        if found.simulated_total is not None:
            click.echo("twintrack: SIMULATED attempts are not in it.", err=True)
    elif as_json:
        value = msgspec.to_builtins(found)
        value["baselines"] = baselines(path)
        if wrong is not None:
            value["discrepancies"] = wrong
        click.echo(msgspec.json.format(msgspec.json.encode(value)))
    else:
        _print(found, folder, baselines(path))
        if wrong is not None:
            _print_check(wrong)
    if wrong:
        ctx.exit(1)


def _tenants(config: Path | None) -> dict[str, str]:
    """By key, as the configuration says it now."""
    settings, _ = load(present(config or USUAL), environ=None)
    return {key.name: key.tenant for key in settings.keys if key.tenant}


def _print(found: Summary, folder: Path, against: dict[str, tuple[str, ...]]) -> None:
    if not found.total.requests and not found.total.attempts and not found.idle and found.simulated_total is None:
        say(
            f"Nothing to show: the ledger in {folder} has no finished request in this time."
            + (f" {many(found.open, 'attempt')} still running." if found.open else "")
        )
        return
    _table(found.by, found.rows, found.total)
    for sentence in _sentences(found, against):
        say(sentence)
    if found.simulated_total is not None:
        click.echo()
        click.secho("SIMULATED: prices or answers are made up; none of this is in the figures above.", bold=True)
        _table(found.by, found.simulated, found.simulated_total)
        for engine in found.simulated_idle:
            say(f"SIMULATED {_engine(engine)}")


def _print_check(wrong: list[str]) -> None:
    if not wrong:
        say("The books balance: every sum equals its attempts, and every attempt has one state.")
        return
    click.secho(f"The books do not balance, {len(wrong)} discrepancies:", bold=True, fg="red")
    for what in wrong:
        click.echo(f"  {what}")


def _table(by: tuple[str, ...], rows: Sequence[Line], total: Line) -> None:
    lines = [*rows, total] if rows else [total]
    costs = _money([line.cost_nusd for line in lines])
    baselines = _money([line.baseline_nusd for line in lines])
    saved = _money([line.savings.nusd if line.savings else None for line in lines], signed=True)
    titles = ("requests", "failed", "tokens in", "out", "cost", "baseline", "saved", "first token", "whole answer")
    cells = [
        [
            f"{line.requests:,}",
            f"{line.failed + line.lost:,}",
            _tokens(line.input_tokens, line),
            _tokens(line.output_tokens, line),
            _partly(costs[place], line.cost_nusd, line.cost_unknown),
            _partly(baselines[place], line.baseline_nusd, 0),
            _saved(saved[place], line.savings),
            _quantiles(line.ttft_p50_ms, line.ttft_p95_ms),
            _quantiles(line.total_p50_ms, line.total_p95_ms),
        ]
        for place, line in enumerate(lines)
    ]
    keyed = [[*(line.group.get(word) or "-" for word in by), *row] for line, row in zip(lines, cells, strict=True)]
    if rows:
        keyed[-1][: len(by)] = [_ALL, *[""] * (len(by) - 1)]
    show(
        (*by, *titles),
        keyed[:-1] if rows else keyed,
        right=titles,
        keys=len(by),
        footer=keyed[-1] if rows else None,
    )


def _sentences(found: Summary, against: dict[str, tuple[str, ...]]) -> list[str]:
    total = found.total
    sentences = [_engine(engine) for engine in found.idle]
    if total.cost_nusd is None:
        sentences.append("The cost is unknown.")
    elif found.idle_nusd:
        sentences.append(f"With idle engines it cost {_usd(total.cost_nusd + found.idle_nusd)}.")
    if total.cost_unknown:
        more = (
            f"; for {total.estimated:,} of them {_usd(total.estimated_nusd)} were predicted, to reconcile with invoices"
            if total.estimated
            else ""
        )
        sentences.append(f"The cost of {many(total.cost_unknown, 'attempt')} is unknown and not in these sums{more}.")
    if total.usage_estimated:
        estimated = many(total.usage_estimated, "attempt")
        sentences.append(f"Tokens of {estimated} are estimated: their provider reported none.")
    if total.savings is None:
        if total.attempts:
            sentences.append("Savings are unknown: there is no attempt with both cost and baseline known.")
    else:
        sentences.append(_savings(total.savings, found.net_savings_nusd if found.idle_nusd else None))
        sentences.append(_against(against))
    sentences.append(_energy(total))
    if total.refused:
        was = "was" if total.refused == 1 else "were"
        sentences.append(f"{many(total.refused, 'request')} {was} refused: nobody may or could answer.")
    if found.open:
        sentences.append(f"{many(found.open, 'attempt')} {'is' if found.open == 1 else 'are'} still running.")
    return [sentence for sentence in sentences if sentence]


def _engine(engine: Idle) -> str:
    return (
        f"Engine {engine.deployment} was up for {engine.up_us / 3.6e9:,.2f} h and busy for "
        f"{engine.busy_us / 3.6e9:,.2f} h: {_usd(engine.engine_nusd)}, of which {_usd(engine.idle_nusd)} idle."
    )


def _savings(savings: Savings, net_nusd: int | None) -> str:
    interval = (
        ""
        if savings.low_nusd is None or savings.high_nusd is None
        else f" (95 % interval {_usd(savings.low_nusd, signed=True)} to {_usd(savings.high_nusd, signed=True)})"
    )
    kind = "Saved" if savings.nusd >= 0 else "Lost"
    net = "" if net_nusd is None else f" Idle engines paid, that is {_usd(net_nusd, signed=True)}."
    return (
        f"{kind} against the baseline: {_usd(savings.nusd, signed=True)}{interval}, over the "
        f"{many(savings.attempts, 'attempt')} ({savings.coverage:.1%}) with both sides known.{net}"
    )


def _against(baselines: dict[str, tuple[str, ...]]) -> str:
    """Who would have answered without routing."""
    said = [
        f"{names[0]} for {route}{' (before it ' + ', '.join(names[1:]) + ')' if names[1:] else ''}"
        for route, names in list(baselines.items())[:_MOST_BASELINES]
    ]
    more = f" and {len(baselines) - _MOST_BASELINES} more, which --json lists" if len(baselines) > len(said) else ""
    return f"The baseline is {', '.join(said)}{more}." if said else ""


def _energy(line: Line) -> str:
    parts = []
    if line.energy_measured_mj:
        parts.append(f"{line.energy_measured_mj / 3.6e6:,.3g} Wh measured")
    if line.energy_estimated_mj:
        parts.append(f"{line.energy_estimated_mj / 3.6e6:,.3g} Wh estimated")
    if line.energy_unknown:
        parts.append(f"unknown for {many(line.energy_unknown, 'attempt')}")
    return f"Energy: {', '.join(parts)}." if parts else ""


def _partly(known: str, amount: int | None, unknown: int) -> str:
    if amount is None:
        return "unknown"
    return f"{known} + {unknown:,} unknown" if unknown else known


def _tokens(tokens: int, line: Line) -> str:
    if line.attempts and line.usage_unknown == line.attempts:
        return "unknown"
    return f"{tokens:,}"


def _saved(amount: str, savings: Savings | None) -> str:
    if savings is None:
        return "unknown"
    return amount if savings.coverage >= 1 else f"{amount} (of {savings.coverage:.0%})"


def _quantiles(half_ms: float | None, most_ms: float | None) -> str:
    """The median, and what 95 % stay below."""
    if half_ms is None or most_ms is None:
        return "-"
    return f"{_duration(half_ms)} / {_duration(most_ms)}"


def _duration(ms: float) -> str:
    return f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:.1f} s"


def _money(amounts: Sequence[int | None], signed: bool = False) -> list[str]:
    """A column with as many digits as its smallest amount needs; empty where unknown."""
    digits = max((_digits(amount) for amount in amounts if amount), default=2)
    return ["" if amount is None else _usd(amount, signed, digits) for amount in amounts]


def _digits(nusd: int) -> int:
    """Digits behind the point that show at least two figures of an amount."""
    for digits in _DIGITS:
        if abs(nusd) >= 10 ** (10 - digits) or digits == _DIGITS[-1]:
            return digits
    raise AssertionError("the last number of digits fits everything")


def _usd(nusd: int, signed: bool = False, digits: int = 0) -> str:
    digits = digits or _digits(nusd) if nusd else digits or 2
    unit = 10 ** (9 - digits)
    whole, rest = divmod((abs(nusd) + unit // 2) // unit, 10**digits)
    sign = "-" if nusd < 0 else "+" if signed and nusd > 0 else ""
    return f"{sign}${whole:,}.{rest:0{digits}d}"
