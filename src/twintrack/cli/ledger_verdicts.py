"""twintrack ledger verdicts: how good answers were found."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from twintrack.cli import data as data_folder
from twintrack.cli.moments import time_us
from twintrack.ledger.verdicts import STANDINGS, Verdicts, verdicts


@click.command("verdicts")
@click.option("--since", callback=time_us, metavar="TIME", help="Of requests since then: 7d, 12h, 2026-11-01.")
@click.option("--until", callback=time_us, metavar="TIME", help="The end, likewise.")
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(since: int | None, until: int | None, data: Path | None, as_json: bool) -> None:
    """How good answers were found, by route and deployment, with 95 % intervals.

    Verdicts come from POST /v1/feedback and `twintrack feedback`. Of several on one answer the most trusted source
    counts: human, check, judge, feedback.
    """
    folder = data_folder.folder(data)
    path = data_folder.ledger(folder)
    found = verdicts(path, since, until) if path is not None else Verdicts((), 0, {}, 0)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        _show(found, folder)


def _show(found: Verdicts, folder: Path) -> None:
    from twintrack.cli.table import show

    if found.rows:
        show(
            ("route", "deployment", "verdicts", "score", "95 % interval", "from"),
            [
                [
                    each.route or "-",
                    f"{each.deployment}{' SIMULATED' if each.simulated else ''}",
                    f"{each.verdicts:,}",
                    f"{each.score:.3f}",
                    f"{each.low:.3f} to {each.high:.3f}",
                    ", ".join(f"{source} {count:,}" for source, count in each.sources.items()),
                ]
                for each in found.rows
            ],
            right=("verdicts", "score"),
        )
        click.echo(f"A router can be fitted to {found.with_features:,} of them: twintrack learn router --from ledger")
        if found.on_drafts:
            click.echo(f"A verifier of drafts to {found.on_drafts:,}: twintrack learn verifier --from ledger")
    elif not found.apart:
        click.echo(
            f"The ledger in {folder} holds no verdicts. Send them to POST /v1/feedback, or use `twintrack feedback`."
        )
    for standing, count in found.apart.items():
        click.echo(f"Apart: {count:,} {STANDINGS[standing]}.")
