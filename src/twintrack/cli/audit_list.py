"""twintrack audit list: decisions in a time, a line each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from twintrack.cli import audit_options as options
from twintrack.cli import data as data_folder
from twintrack.cli.table import show
from twintrack.config.settings import DATA_CLASSES
from twintrack.ledger.audit.decisions import Decision, newest
from twintrack.ledger.audit.opened import reading_chain
from twintrack.ledger.audit.told import told
from twintrack.ledger.moment import moment


@click.command("list")
@click.option("--class", "data_class", type=click.Choice(DATA_CLASSES), help="This class and those above it.")
@options.since
@options.until
@click.option("--last", type=click.IntRange(1), default=50, show_default=True, help="So many, the newest.")
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object a line.")
def command(data_class: str | None, since: int, until: int, last: int, data: Path | None, as_json: bool) -> None:
    """Show decisions: when, which class, and who was asked. `twintrack audit show ID` says more of one."""
    path = data_folder.ledger(data_folder.served(data))
    if path is None:
        return
    least = DATA_CLASSES.index(data_class) if data_class else 0
    classes = DATA_CLASSES[least:]
    with reading_chain(path) as db:
        found = newest(db, last, since, until, classes)
    if as_json:
        for each in found:
            click.echo(msgspec.json.encode(told(each)))
        return
    show(("entry", "when", "request", "key", "class", "found", "asked", "outcome"), (_row(each) for each in found))


def _row(decision: Decision) -> tuple[str, ...]:
    screen = decision.screen
    asked = [f"{each.about.deployment} ({each.about.zone})" for each in decision.asked]
    return (
        str(decision.seq),
        moment(decision.at_us),
        decision.request_id or "erased",
        decision.key or ("erased" if decision.erased else "-"),
        decision.data_class or "-",
        (screen.found if screen.detector else "not read") if screen is not None else "not read",
        ", ".join(asked) or "nobody",
        ", ".join(_outcomes(decision)),
    )


def _outcomes(decision: Decision) -> Iterator[str]:
    if decision.refused is not None:
        yield f"refused: {decision.refused.code}"
    for each in decision.asked:
        ended = decision.ended.get(each.number)
        yield ended[0].outcome if ended is not None else "running"
