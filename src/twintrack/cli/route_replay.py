"""twintrack route replay: what another policy would have been worth on old traffic."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from twintrack.cli import data as data_folder
from twintrack.cli.file import USUAL, present
from twintrack.cli.moments import time_us
from twintrack.errors import TwintrackError

if TYPE_CHECKING:
    from twintrack.config.snapshot import Snapshot
    from twintrack.training.replay import Estimate
    from twintrack.training.replayed import Figures, Replayed

_FILE = click.Path(path_type=Path, dir_okay=False)
_ROWS = (
    ("logged", "as it was"),
    ("ips", "inverse propensity"),
    ("snips", "self-normalised"),
    ("dr", "doubly robust"),
    ("model", "MODEL alone"),
)


@click.command("replay")
@click.argument("policy", nargs=-1, type=_FILE, metavar="POLICY…")
@click.option("--since", callback=time_us, metavar="TIME", help="Requests since then: 7d, 12h, 2026-11-01.")
@click.option("--until", callback=time_us, metavar="TIME", help="The end, likewise.")
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def replay_command(
    policy: tuple[Path, ...], since: int | None, until: int | None, data: Path | None, as_json: bool
) -> None:
    """Estimate another policy on old traffic, from the choices and verdicts in the ledger.

    POLICY is a configuration (.toml), a fitted router (.json), or both; the other one is then ./twintrack.toml or the
    router in use. Three estimates with 95 % intervals, and what the model in use foresees, alone. What the log cannot
    tell, since nothing was random where the new policy differs, is said.
    """
    from twintrack.ledger.decisions import MOST, decided
    from twintrack.signals.predictor import made_ready, weights_in
    from twintrack.signals.weights import decode_router
    from twintrack.training.again import ASSUMED, Again, Model
    from twintrack.training.replayed import replay

    configuration, weights = _files(policy)
    folder = data_folder.folder(data)
    database = data_folder.ledger(folder)
    if database is None:
        raise TwintrackError(
            f"There is no ledger in {folder}", fix="Name the data folder of a gateway: --data FOLDER, or TWINTRACK_HOME"
        )
    in_use = weights_in(folder)
    if weights is None:
        deciding, called = in_use, str(folder / "router.json")
    else:
        deciding, called = _bytes(weights), str(weights)
    today = datetime.now(UTC).date()
    again = Again(
        _snapshot(configuration or present(USUAL)),
        made_ready(deciding, called) if deciding else None,
        (today - datetime(1970, 1, 1, tzinfo=UTC).date()).days,
    )
    routers = [decode_router(each, name) for each, name in ((deciding, called), (in_use, "router.json")) if each]
    fitted_until_us = max((each.until_us for each in routers), default=0)
    model = Model(made_ready(in_use, "router.json") if in_use else None)
    rows = decided(database, since, until)
    found = replay(rows, again, model, fitted_until_us=fitted_until_us)
    notes = [f"Taken as given: {each}." for each in ASSUMED]
    if len(rows) == MOST:
        notes.append(f"Only the newest {MOST:,} requests were looked at; --until takes older ones.")
    if any(each.grams for each in routers):
        notes.append("Words of requests are not in the ledger: what a router makes of them is left out.")
    if any(not each.until_us for each in routers):
        notes.append("A router was fitted to a file; whether to verdicts on these requests is not known.")
    if as_json:
        import msgspec

        value = msgspec.to_builtins(found) | {"model": "router in use" if in_use else "catalogue", "notes": notes}
        click.echo(json.dumps(value, indent=2))
        return
    _show(found, folder, "the router in use" if in_use else "the catalogue", notes)


def _files(policy: tuple[Path, ...]) -> tuple[Path | None, Path | None]:
    """The configuration and the router among them."""
    found: dict[str, Path] = {}
    for path in policy:
        ending = path.suffix.lower()
        if ending not in (".toml", ".json") or ending in found:
            raise click.UsageError(f"{path}: give at most one .toml and one .json.")
        found[ending] = path
    if not found:
        raise click.UsageError("Say which policy: a configuration (.toml), a fitted router (.json), or both.")
    return (present(found[".toml"]) if ".toml" in found else None), found.get(".json")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TwintrackError(f"The router {path} cannot be read", why=error.strerror or "") from None


def _snapshot(file: Path) -> Snapshot:
    """Keys are told apart by their names; their secrets need not be there."""
    from twintrack.catalog import prices
    from twintrack.config.compile import compile_snapshot
    from twintrack.config.load import load

    settings, source = load(file, environ=None)
    listed = prices.load(str(Path(source.absolute(settings.server.data)) / "prices.json"), on=datetime.now(UTC).date())
    return compile_snapshot(settings, source, generation=1, prices=listed, secrets=lambda reference: reference)


def _show(found: Replayed, folder: Path, model: str, notes: list[str]) -> None:
    from twintrack.cli.table import show
    from twintrack.training.replayed import LEAST, LEFT_OUT

    for why, count in found.left_out.items():
        click.echo(f"Left out: {count:,} requests, {LEFT_OUT[why]}.")
    if not found.requests:
        click.echo(f"The ledger in {folder} holds no request that could be decided again.")
        return
    click.echo(
        f"Of {found.requests:,} requests {found.changed:.1%} would have gone elsewhere; {found.random:.1%} were "
        "decided with some chance."
    )
    show(
        ("deployment", "answered", "would have"),
        [[name, f"{was:,}", f"{now:,}"] for name, (was, now) in found.choices.items()],
        right=("answered", "would have"),
    )
    if found.asked_then is not None:
        click.echo(
            f"When they were decided {found.asked_then:.1%} of the best one's quality would do, on average; the new "
            "policy asks its keep_quality of each."
        )
    if found.impossible:
        click.echo(
            f"Of {found.impossible:.1%} the log cannot tell: chance could not have made the new choice. There the "
            f"doubly robust estimate is what {model} foresees, and no evidence."
        )
    columns = [("quality", found.quality, ".3f"), ("dollars a request", found.usd, ".6f")]
    known = [(title, figures, form) for title, figures, form in columns if figures is not None]
    if known:
        show(
            ("", *(title for title, _, _ in known)),
            [[words, *(_cell(figures, name, form) for _, figures, form in known)] for name, words in _ROWS],
        )
    if found.quality is None:
        click.echo(f"Nothing can be said of quality: fewer than {LEAST} of these requests were judged.")
    else:
        click.echo(
            f"{found.quality.requests:,} requests were judged, taken to be like the others; inverse propensity is as "
            f"good as {found.quality.effective_requests:,.0f} of them. The model is {model}."
        )
    for note in notes:
        click.echo(note)


def _cell(figures: Figures, name: str, form: str) -> str:
    estimate: Estimate | None = getattr(figures, name)
    if estimate is None:
        return "the log cannot tell"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:{form}} (no interval)"
    return f"{estimate.value:{form}} ({estimate.low:{form}} to {estimate.high:{form}})"
