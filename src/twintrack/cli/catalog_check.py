"""twintrack catalog check: which facts are stale, which contradict one another, which nobody has verified."""

from __future__ import annotations

import datetime

import click
import msgspec

from twintrack.catalog import contradictions
from twintrack.catalog.contradictions import Contradiction, Stale, Unverified

_FIRST = 20
"""Rows of each kind that are shown to people."""


@click.command("check")
@click.option("--on", type=click.DateTime(["%Y-%m-%d"]), metavar="DAY", help="As if it were this day. Default: today.")
@click.option("--all", "everything", is_flag=True, help=f"Show all rows, not the first {_FIRST} of each kind.")
@click.option("--json", "as_json", is_flag=True, help="For programs: all rows.")
@click.pass_context
def command(ctx: click.Context, on: datetime.datetime | None, everything: bool, as_json: bool) -> None:
    """Say which facts are stale or contradictory, and which nobody has verified.

    Stale: older than its kind stays true. Contradictory: sources differ; of prices by more than 0.5 %. All that is
    said is shown, and which one counts. Exit code 1 if anything is stale or contradictory.
    """
    day = on.date() if on is not None else datetime.datetime.now(datetime.UTC).date()
    stale, against, unverified = (
        contradictions.stale(day),
        contradictions.contradictions(day),
        contradictions.unverified(),
    )
    if as_json:
        document = {"on": day.isoformat(), "stale": stale, "contradictory": against, "unverified": unverified}
        click.echo(msgspec.json.format(msgspec.json.encode(document)))
    else:
        _tell(stale, against, unverified, None if everything else _FIRST)
    if stale or against:
        ctx.exit(1)


def _tell(stale: list[Stale], against: list[Contradiction], unverified: list[Unverified], first: int | None) -> None:
    click.echo(f"Stale: {len(stale)}")
    for old in stale[:first]:
        click.echo(
            f"  {old.table}: {old.name}: of {old.as_of}, {old.days} days old; {old.keep_days} are allowed. {old.source}"
        )
    _more(len(stale), first)
    click.echo(f"Contradictory: {len(against)}")
    for each in against[:first]:
        click.echo(f"  {each.what}")
        for said in each.said:
            click.echo(f"    {said.value}  {said.source}, {said.as_of}")
        click.echo(f"    {each.used}")
    _more(len(against), first)
    click.echo(f"Not verified: {len(unverified)}")
    for row in unverified[:first]:
        click.echo(f"  {row.table}: {row.name}: {row.why}. {row.source}")
    _more(len(unverified), first)


def _more(number: int, first: int | None) -> None:
    if first is not None and number > first:
        click.echo(f"  … and {number - first} more: --all")
