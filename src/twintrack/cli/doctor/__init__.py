"""twintrack doctor: what works, what does not, and what to do about it.

reading.py     the configuration, as far as it can be read
secrets.py     keys and their files        books.py      database and journal
clock.py       time                        money.py      prices
files.py       modes, disk, open files     listening.py  port and certificate
reach.py       providers                   records.py    what is agreed with them
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from twintrack.catalog import prices
from twintrack.cli.doctor import books, clock, files, listening, money, reach, records, secrets
from twintrack.cli.doctor.finding import Finding, problem
from twintrack.cli.doctor.reading import Case, read
from twintrack.cli.file import USUAL
from twintrack.cli.table import show
from twintrack.errors import EnvironmentProblem


@click.command("doctor")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The configuration to look at [default: ./twintrack.toml].",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    help="Data folder. Default: what the configuration says.",
)
@click.option("--offline", is_flag=True, help="Open no connection to a provider.")
@click.option(
    "--with-keys",
    is_flag=True,
    help="Also try each provider's key, by asking for its list of models, which costs nothing.",
)
@click.option("--problems", "only", is_flag=True, help="Leave out what is all right.")
@click.option("--json", "as_json", is_flag=True, help="For programs: a list of state, about, what and fix.")
@click.pass_context
def command(
    ctx: click.Context,
    config: Path | None,
    data: Path | None,
    offline: bool,
    with_keys: bool,
    only: bool,
    as_json: bool,
) -> None:
    """Look at everything a gateway needs and say what to do about what is wrong.

    Works beside a running gateway, before the first start, and on a configuration that cannot be read. It changes
    nothing, sends no request to a model, and shows no secret. Exit code 1 if there is a problem.
    """
    case = read(config or USUAL, data, named=config is not None)
    found = list(findings(case, offline=offline, with_keys=with_keys))
    shown = [each for each in found if each.state != "ok"] if only else found
    problems = sum(each.state == "problem" for each in found)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(shown)))
    else:
        if shown:
            show(
                ("", "about", "found", "to do"),
                [(each.state, each.about, each.what, each.fix) for each in shown],
                whole=("", "about"),
            )
        click.echo(_summary(problems, sum(each.state == "note" for each in found), len(found)))
    ctx.exit(1 if problems else 0)


def findings(case: Case, *, offline: bool, with_keys: bool) -> Iterator[Finding]:
    """Everything there is to say, in the order in which it would be mended."""
    today = datetime.datetime.now(datetime.UTC).date()
    yield from case.findings
    yield from secrets.check(case)
    try:
        table = money.listed(case, today)
    except EnvironmentProblem as error:
        yield problem("prices", f"{error.what}: {error.why}", error.fix)
        table = prices.load(None, on=today)
    ledger = books.look(case.folder, case.settings.server.workers)
    yield from clock.check(ledger.newest_us, table.as_of)
    yield from files.check(case)
    yield from ledger.findings
    yield from money.check(case, table, today)
    yield from records.check(case.settings, today)
    yield from listening.port(case)
    yield from listening.certificates(case)
    if not offline:
        yield from reach.check(case, with_keys=with_keys)


def _summary(problems: int, notes: int, all_: int) -> str:
    if not problems:
        return f"No problem found in {all_} checks" + (f"; {notes} of them to note." if notes else ".")
    more = f" and {notes} to note" if notes else ""
    return f"{problems} problem{'' if problems == 1 else 's'}{more}, in {all_} checks."
