"""twintrack plan: what to build on. Its other questions are commands of their own, one module each."""

from __future__ import annotations

import datetime
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from twintrack.cli import data as data_folder
from twintrack.cli.lazy import LazyGroup
from twintrack.errors import TwintrackError

if TYPE_CHECKING:  # numpy takes 0.1 s that --help does not spend
    from twintrack.economics.calibration import Calibration
    from twintrack.economics.workload import Counted, Workload

_COMMANDS = {
    "check": "Recompute what a text says about costs, machines and licences.",
    "measure": "How fast an engine of yours is, for the estimates to follow.",
    "licence": "Say whether a model may be used so, and which clause says it.",
    "throughput": "How fast engines will be, next to how fast they were.",
}
"""Name and one line of help; the module of `x` is `plan_x.py`."""


@click.group("plan", cls=LazyGroup, modules="twintrack.cli.plan_{}", lines=_COMMANDS, invoke_without_command=True)
@click.option(
    "--workload",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A workload in TOML; docs/plan.md shows one. Default: questions, at most twelve.",
)
@click.option(
    "--usage",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Count what was asked so far: a request log, or an export or invoice of OpenAI, Anthropic, Azure, AWS, "
    "OpenRouter or LiteLLM. What --workload says wins.",
)
@click.option("--from", "source", type=click.Choice(["ledger"]), help="Count it in the gateway's own ledger.")
@data_folder.option
@click.option(
    "--measured",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Own measurements, as `twintrack plan measure --out FILE` writes them.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs: the whole plan; docs/plan.md says what is in it.")
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write one HTML page with charts."
)
@click.option("--no-draws", is_flag=True, help="Only the middle of everything: no intervals, no probabilities.")
@click.option("--inputs", "every_input", is_flag=True, help="Show the assumed inputs too.")
@click.option("--on", metavar="DAY", help="Prices of this day, YYYY-MM-DD. Default: today.")
@click.pass_context
def command(
    ctx: click.Context,
    path: Path | None,
    usage: Path | None,
    source: str | None,
    data: Path | None,
    measured: Path | None,
    as_json: bool,
    report: Path | None,
    no_draws: bool,
    every_input: bool,
    on: str | None,
) -> None:
    """What to build on, what it costs, and from when something else costs less.

    Compares closed APIs, managed open models and engines of your own for a workload, with intervals. Nothing is sent
    anywhere.
    """
    if ctx.invoked_subcommand is not None:
        return
    from twintrack.catalog import prices
    from twintrack.economics.document import document
    from twintrack.economics.planning import plan

    workload = _workload(path, _counted(usage, source, data))
    day = _day(on)
    folder = data_folder.folder(data)
    listed = prices.load(str(folder / "prices.json"), on=day)
    workload = msgspec.structs.replace(workload, notes=(*workload.notes, *_agreed(folder, day)))
    planned = plan(workload, on=day, sure=not no_draws, made=_calibration(measured), listed=listed)
    made = document(planned)
    if report is not None:
        from twintrack.economics.report import page

        _write(report, page(planned, made))
        click.echo(f"{report} written.", err=True)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(made)))
    elif report is None:
        from twintrack.cli.plan_tables import print_plan

        print_plan(made, every_input=every_input)


def _workload(path: Path | None, counted: Counted | None) -> Workload:
    from twintrack.economics import workload_file

    if path is not None:
        return workload_file.read(path, counted)
    if counted is not None:
        return workload_file.build({}, counted)
    if not sys.stdin.isatty():
        raise click.UsageError("Say what is to be served: --workload FILE, --usage FILE or --from ledger.")
    from twintrack.cli.plan_questions import asked

    return workload_file.build(asked())


def _agreed(folder: Path, day: datetime.date) -> list[str]:
    """What is owed or given anyway, whichever option is chosen; said beside the bills, not in them."""
    from twintrack.catalog import revisions

    rows = revisions.current(str(folder)).rows
    on = day.isoformat()
    said = [
        f"You are committed to ${each.usd_per_month:,.0f} a month at {each.provider}: no bill here has it, and use of "
        "that provider counts against it."
        for each in rows.commitments
        if each.since <= on and (not each.until or on <= each.until)
    ]
    said += [
        f"A credit of ${each.usd:,.0f} at {each.provider} until {each.until} is in no bill here."
        for each in rows.credits
        if each.since <= on <= each.until
    ]
    return said


def _calibration(path: Path | None) -> Calibration:
    from twintrack.economics import calibration, corrections, measure

    made = calibration.shipped()
    if path is not None:
        made, unused = corrections.corrected(made, measure.read(path))
        for sentence in unused:
            click.echo(f"twintrack: {sentence}.", err=True)
    return made


def _counted(usage: Path | None, source: str | None, data: Path | None) -> Counted | None:
    if usage is None and source is None:
        return None
    if usage is not None and source is not None:
        raise click.UsageError("One source at a time: --usage FILE, or --from ledger.")
    from twintrack.economics.usage import measured
    from twintrack.economics.usage.read import read

    if usage is not None:
        return measured.from_usage(read(usage), str(usage))
    folder = data_folder.folder(data)
    database = data_folder.ledger(folder)
    if database is None:
        raise TwintrackError(
            f"The ledger in {folder} is empty", fix="Send requests first, or name its folder with --data"
        )
    return measured.from_ledger(database)


def _day(text: str | None) -> datetime.date:
    if text is None:
        return datetime.datetime.now(datetime.UTC).date()
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day. Use YYYY-MM-DD, as 2026-11-30.", param_hint="--on") from None


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TwintrackError(f"{path} cannot be written", why=str(error)) from error
