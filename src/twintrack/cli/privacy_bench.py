"""twintrack privacy bench: how much of what is in labelled documents is found."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from twintrack.cli import detectors
from twintrack.cli.table import show
from twintrack.config.settings import Settings
from twintrack.errors import TwintrackError
from twintrack.signals.sensitivity.measure import Bench, Document, Rate, Rates, bench


@click.command("bench")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False), metavar="FILE…")
@detectors.option
@click.option("--json", "as_json", is_flag=True, help="For programs: all rates with their intervals.")
def command(files: tuple[Path, ...], config: Path | None, as_json: bool) -> None:
    """Measure on labelled documents what is found, and what is found that is not there.

    FILE holds a JSON object a line, gzipped or not: `text`, `spans` (start, end, label), `lang`, `source`, `strong`
    (holds something sensitive by itself). Intervals are Wilson's, of 95 %.
    """
    found = detectors.configured(config)
    settings = Settings() if found is None else found[0]
    documents = [document for file in files for document in _documents(file)]
    measured = bench(detectors.detector(settings.detect), detectors.steps(settings.detect), documents)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(measured)))
        return
    _tell(measured)


def _documents(file: Path) -> Iterator[Document]:
    decoder = msgspec.json.Decoder(Document)
    try:
        with gzip.open(file) if file.suffix == ".gz" else open(file, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    try:
                        yield decoder.decode(line)
                    except (msgspec.DecodeError, UnicodeDecodeError) as error:
                        raise TwintrackError(f"{file}:{number} is no labelled document", why=str(error)) from None
    except (OSError, EOFError) as error:
        raise TwintrackError(f"{file} cannot be read", why=str(error)) from None


def _tell(measured: Bench) -> None:
    click.echo(f"{measured.documents} documents, detector {measured.detector}")
    rows: list[tuple[str, Rates]] = [("all", measured)]
    groups = (measured.by_category, measured.by_language, measured.by_source, measured.by_kind)
    for title, group in zip(("category", "language", "source", "kind"), groups, strict=True):
        rows += [(f"{title} {name}", rates) for name, rates in group.items()]
    show(("documents", "found", "right span", "false positives"), [_row(name, rates) for name, rates in rows])
    cpu = measured.cpu_ms_per_kb
    click.echo(f"CPU a kilobyte: {cpu.p50:.3f} ms (median), {cpu.p99:.3f} ms (99th percentile of {cpu.n})")
    if measured.unscanned:
        click.echo(f"{measured.unscanned} documents could not be read, which counts as sensitive.", file=sys.stderr)


def _row(name: str, rates: Rates) -> tuple[str, str, str, str]:
    return name, _said(rates.found), _said(rates.found_right_span), _said(rates.false_positives)


def _said(rate: Rate) -> str:
    if rate.rate is None or rate.low is None or rate.high is None:
        return "-"
    return f"{rate.rate:.2%} [{rate.low:.2%}, {rate.high:.2%}] of {rate.n}"
