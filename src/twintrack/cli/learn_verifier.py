"""twintrack learn verifier: fit what judges drafts to verdicts on earlier ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from twintrack.cli import data as data_folder
from twintrack.cli.taking import LEDGER, TAKEN_UP, judged, named, options, take, undo_alone, undone, usable
from twintrack.signals.weights import VERIFIER

if TYPE_CHECKING:
    from twintrack.gateway.verifier import Weights
    from twintrack.training.verifier_learn import LearnedVerifier


@click.command("verifier")
@options("verifier", "Answers")
def verifier_command(
    ctx: click.Context,
    source: str | None,
    sources: tuple[str, ...],
    dry_run: bool,
    undo: bool,
    seed: int,
    data: Path | None,
    as_json: bool,
) -> None:
    """Fit a verifier of drafts and take it if it is better, on requests it was not fitted to, than what is simpler.

    That is a constant, what the prompt foretells, the mean log-probability, agreement, and the verifier in use, each
    alone. From the ledger come verdicts on drafts that clients got, and what was seen of those, without their words.
    Rows of a file are `prompt, model, answer, score`, and `logprobs` where they are known; docs/cascade.md has an
    example. Exit code 1 says that it was not shown to be better and nothing was changed.
    """
    from twintrack.gateway.verifier import decode, verifier_in

    folder = data_folder.folder(data)
    if undo:
        undo_alone(source, sources, dry_run, ctx)
        click.echo(undone(folder, VERIFIER, "verifier", "nobody drafts where one has to judge", as_json=as_json))
        return
    where = named(source, sources, ctx)
    path = folder / VERIFIER
    serving = usable("verifier", lambda: verifier_in(folder))
    in_use = decode(serving, str(path)) if serving else None
    if where == LEDGER:
        learned = _from_ledger(folder, sources, in_use, seed)
    else:
        learned = _from_file(Path(where), folder, in_use, seed)
    taken = learned.better and not dry_run
    if taken:
        take(folder, VERIFIER, msgspec.json.encode(learned.weights))
    report = learned.report | {"taken": taken, "dry_run": dry_run, "weights": str(path) if taken else None}
    if as_json:
        click.echo(json.dumps(report, indent=2))
    else:
        _show(report)
    if not learned.better:
        ctx.exit(1)


def _from_ledger(folder: Path, sources: tuple[str, ...], in_use: Weights | None, seed: int) -> LearnedVerifier:
    from twintrack.training.verifier_sources import learn_from_ledger

    return learn_from_ledger(judged(folder, sources), in_use=in_use, seed=seed)


def _from_file(path: Path, folder: Path, in_use: Weights | None, seed: int) -> LearnedVerifier:
    from twintrack.signals.predictor import weights_in
    from twintrack.signals.weights import ROUTER, decode_router
    from twintrack.training.verifier_sources import learn_from_file

    weights = usable("router", lambda: weights_in(folder))
    return learn_from_file(path, router=decode_router(weights, ROUTER) if weights else None, in_use=in_use, seed=seed)


def _show(report: dict[str, Any]) -> None:
    from twintrack.cli.table import show

    click.echo(
        f"{report['verdicts']:,} verdicts on drafts of {report['requests']:,} requests, {report['good']:.0%} good; "
        "compared on requests not fitted to."
    )
    show(
        ("the new verifier against", "Brier score better by", "95 % interval", "AUC"),
        [
            [
                rule,
                f"{each['by']:+.4f}",
                f"{each['low']:+.4f} to {each['high']:+.4f}",
                f"{report['auc'][rule]:.3f}" if rule in report["auc"] else "",
            ]
            for rule, each in report["better_by"].items()
        ],
    )
    click.echo(
        f"Its Brier score is {report['brier']:.4f}, its AUC {report['auc']['new verifier']:.3f}, its calibration error "
        f"{report['calibration_error']:.3f}."
    )
    show(
        ("drafts it finds good with at least", "share", "of those good", "95 % interval"),
        [
            [
                f"{each['p_good']:.2f}",
                f"{each['share']:.0%}",
                f"{each['good']:.3f}",
                f"{each['low']:.3f} to {each['high']:.3f}",
            ]
            for each in report["believed"]
            if each["share"]
        ],
    )
    if report["left_to_others"]:
        click.echo(f"Too few verdicts to judge drafts of: {', '.join(report['left_to_others'])}.")
    if report["taken"]:
        click.echo(f"It is better than each of them and is taken: {report['weights']}")
        click.echo(TAKEN_UP)
    elif report["better"]:
        click.echo("It is better than each of them. Nothing was changed: this was a dry run.")
    else:
        worse = [rule for rule, each in report["better_by"].items() if each["low"] <= 0]
        news = report.get("requests_new_to_the_verifier_in_use")
        if worse:
            click.echo(f"It is not shown to be better than: {', '.join(worse)}. Nothing was changed.")
        else:
            click.echo(f"The verifier in use was fitted to all but {news} of these requests. Nothing was changed.")
