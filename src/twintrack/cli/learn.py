"""twintrack learn: fit what decides to what was found good."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from twintrack.cli import data as data_folder
from twintrack.cli.learn_verifier import verifier_command
from twintrack.cli.outcomes import read, tell_unknown
from twintrack.cli.progress import progress
from twintrack.cli.taking import LEDGER, TAKEN_UP, judged, named, options, take, undo_alone, undone, usable
from twintrack.signals.weights import ROUTER

if TYPE_CHECKING:
    from twintrack.training.learn import Learned


@click.group("learn")
def command() -> None:
    """Fit the router, and what judges drafts, to your own verdicts."""


command.add_command(verifier_command)


@command.command("router")
@options("router", "Verdicts")
def router_command(
    ctx: click.Context,
    source: str | None,
    sources: tuple[str, ...],
    dry_run: bool,
    undo: bool,
    seed: int,
    data: Path | None,
    as_json: bool,
) -> None:
    """Fit a router and take it if it is better, on requests it was not fitted to, than every simple rule.

    The rules are a constant, the length of the prompt, and the router in use, asked about requests that are new to it
    as well. From the ledger come verdicts, and numbers that describe requests, without their words. Rows of a file are
    `prompt, model, score`, one a verdict from 0 to 1, or `prompt` with a column s:MODEL for each model;
    docs/learning.md has an example. Exit code 1 says that it was not shown to be better and nothing was changed.
    """
    folder = data_folder.folder(data)
    if undo:
        undo_alone(source, sources, dry_run, ctx)
        click.echo(undone(folder, ROUTER, "router", "the prior decides", as_json=as_json))
        return
    where = named(source, sources, ctx)
    in_use = folder / ROUTER
    with progress() as tell:
        tell("fitting, and comparing with what is simpler")
        learned = _from_ledger(folder, sources, seed) if where == LEDGER else _from_file(Path(where), in_use, seed)
    taken = learned.better and not dry_run
    if taken:
        take(folder, ROUTER, msgspec.json.encode(learned.router))
    report = (
        learned.report
        | {"notes": list(learned.router.card.notes)}
        | {"taken": taken, "dry_run": dry_run, "weights": str(in_use) if taken else None}
    )
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _show(report)
    if not learned.better:
        ctx.exit(1)


def _from_file(path: Path, in_use: Path, seed: int) -> Learned:
    from twintrack.signals.weights import read_router, shipped_prior
    from twintrack.training.fit import as_examples
    from twintrack.training.learn import learn

    outcomes = read(path)
    tell_unknown(outcomes.scores)
    return learn(
        as_examples(outcomes.asked),
        outcomes.scores,
        shipped_prior(),
        source=path.name,
        current=usable("router", lambda: read_router(in_use)) if in_use.exists() else None,
        asked=outcomes.asked,
        seed=seed,
    )


def _from_ledger(folder: Path, sources: tuple[str, ...], seed: int) -> Learned:
    from twintrack.config.compile import router_version
    from twintrack.signals.predictor import weights_in
    from twintrack.signals.weights import shipped_prior
    from twintrack.training.ledger import learn_from

    found = judged(folder, sources)
    in_use = usable("router", lambda: weights_in(folder))
    return learn_from(found, shipped_prior(), in_use=router_version(in_use) if in_use else "", seed=seed)


def _show(report: dict[str, Any]) -> None:
    from twintrack.cli.table import show

    click.echo(
        f"{report['verdicts']:,} verdicts on {report['requests']:,} requests, compared on requests not fitted to."
    )
    show(
        ("the new router against", "Brier score better by", "95 % interval"),
        [
            [rule, f"{each['by']:+.4f}", f"{each['low']:+.4f} to {each['high']:+.4f}"]
            for rule, each in report["better_by"].items()
        ],
    )
    click.echo(f"Its Brier score is {report['brier']:.4f}, its calibration error {report['calibration_error']:.3f}.")
    ranking = report.get("apgr")
    if ranking:
        value, low, high = ranking["new router"]
        click.echo(
            f"From {ranking['weak']} to {ranking['strong']}: APGR {value:.3f} ({low:.3f} to {high:.3f}); length "
            f"{ranking['length'][0]:.3f}, chance 0.500."
        )
    for note in report["notes"]:
        click.echo(note)
    if report["taken"]:
        click.echo(f"It is better than each of them and is taken: {report['weights']}")
        click.echo(TAKEN_UP)
    elif report["better"]:
        click.echo("It is better than each of them. Nothing was changed: this was a dry run.")
    else:
        worse = [rule for rule, each in report["better_by"].items() if each["low"] <= 0]
        news = report.get("requests_new_to_the_router_in_use")
        if worse:
            click.echo(f"It is not shown to be better than: {', '.join(worse)}. Nothing was changed.")
        else:
            click.echo(f"The router in use was fitted to all but {news} of these requests. Nothing was changed.")
