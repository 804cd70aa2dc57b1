"""twintrack plan throughput: how fast engines will be, next to how fast they were."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from twintrack.cli.table import show
from twintrack.errors import TwintrackError

if TYPE_CHECKING:  # numpy takes 0.1 s that --help does not spend
    from twintrack.economics.calibration import Calibration
    from twintrack.economics.points import Point, Unread


@click.command("throughput")
@click.argument("points", type=click.Path(path_type=Path, dir_okay=False), metavar="POINTS.csv")
@click.option("--json", "as_json", is_flag=True, help="For programs: tokens per second, 80 % intervals.")
def command(points: Path, as_json: bool) -> None:
    """Predict output tokens per second of the engines in a table, and compare with what was measured.

    POINTS.csv has the columns of the ML.ENERGY leaderboard (an engine at a known batch) or of MLPerf's result tables
    (a tuned engine at full load). Latencies in it are not looked at.
    """
    from twintrack.economics import calibration
    from twintrack.economics.points import rows as read

    made = calibration.shipped()
    rows = [_compared(made, point) for point in read(points)]
    if rows and not any(isinstance(row.predicted, float) for row in rows):
        raise TwintrackError(f"Nothing in {points} can be predicted", why=rows[0].why or "")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"points": rows})))
        return
    _print(rows)


class Compared(msgspec.Struct, frozen=True):
    """Tokens per second of all GPUs together; None: not said."""

    model: str
    gpu: str
    gpus: float
    batch: float | None
    """None: as full as it gets."""
    measured: float | None
    predicted: float | None
    """None: nothing can be said, `why` says the reason."""
    low: float | None
    high: float | None
    j_per_output_token_measured: float | None
    j_per_output_token: float | None
    """GPUs only. None: nobody measured engines of that kind."""
    why: str | None = None


def _compared(made: Calibration, point: Point | Unread) -> Compared:
    from twintrack.economics import calibration
    from twintrack.economics.points import Unread

    if isinstance(point, Unread):
        return Compared("", "", 0, None, point.measured_tok_s, None, None, None, None, None, str(point.why))
    expected = calibration.predict(made, point)
    energy = None
    if point.batch is not None:
        energy = calibration.joules_per_token(
            made, point.setup, point.batch, point.input_tokens, point.output_tokens
        ).value
    return Compared(
        model=point.setup.shape.name,
        gpu=point.setup.gpu.name,
        gpus=point.setup.gpus * point.replicas,
        batch=point.batch,
        measured=point.measured_tok_s,
        predicted=expected.value,
        low=expected.low,
        high=expected.high,
        j_per_output_token_measured=point.measured_j_per_token,
        j_per_output_token=energy,
    )


def _print(rows: list[Compared]) -> None:
    show(
        ("model", "GPUs", "batch", "measured", "predicted", "80 % interval", "error"),
        [
            (
                row.model,
                f"{row.gpus:g} x {row.gpu}",
                "full" if row.batch is None else f"{row.batch:,.0f}",
                "-" if row.measured is None else f"{row.measured:,.0f}",
                f"{row.predicted:,.0f}",
                f"{row.low:,.0f} to {row.high:,.0f}",
                f"{row.predicted / row.measured - 1:+.0%}" if row.measured else "-",
            )
            for row in rows
            if row.predicted is not None
        ],
        right=("batch", "measured", "predicted", "80 % interval", "error"),
        whole=("model",),
    )
    known = [(row.measured, row.predicted, row.low, row.high) for row in rows if row.measured and row.predicted]
    errors = sorted(abs(predicted / measured - 1) for measured, predicted, _, _ in known)
    if errors:
        inside = sum((low or 0) <= measured <= (high or 0) for measured, _, low, high in known)
        click.echo(
            f"Output tokens per second. Half of the {len(errors):,} measured points are within "
            f"{errors[len(errors) // 2]:.0%}; the interval holds {inside / len(errors):.0%} of them."
        )
    for row in rows:
        if row.why is not None:
            click.echo(f"twintrack: {row.why}", err=True)
