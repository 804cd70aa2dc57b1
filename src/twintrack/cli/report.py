"""twintrack report: what reviewers ask for, filled in as far as ledger, catalogue and configuration know it."""

from __future__ import annotations

import time
from pathlib import Path

import click
import msgspec

from twintrack import __version__
from twintrack.cli import audit_options as options
from twintrack.cli import data as data_folder
from twintrack.cli import detectors
from twintrack.cli.audit_keys import known
from twintrack.errors import EnvironmentProblem, LedgerError
from twintrack.ledger.audit import checkpoint
from twintrack.ledger.audit.opened import reading_chain
from twintrack.ledger.reports.form import Report, as_json, as_markdown
from twintrack.ledger.reports.sections import REPORTS
from twintrack.ledger.reports.written import reports

_ALL = "all"
_SUFFIX = {"markdown": ".md", "json": ".json"}


@click.command("report")
@click.argument("name", type=click.Choice((*REPORTS, _ALL)), metavar="REPORT")
@options.since
@options.until
@click.option("--format", "form", type=click.Choice(tuple(_SUFFIX)), default="markdown", show_default=True)
@click.option(
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write a file for each into this folder, instead of to the output.",
)
@options.checkpoints
@options.public_key
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Configuration with the terms of providers. Default: ./twintrack.toml if it is there.",
)
@data_folder.option
def command(
    name: str,
    since: int,
    until: int,
    form: str,
    output: Path | None,
    checkpoints: tuple[Path, ...],
    public_key: tuple[Path, ...],
    config: Path | None,
    data: Path | None,
) -> None:
    """Write a report for reviewers: gdpr-art30, ai-act-art50, ai-act-annex-xii, hipaa, sox, export-control, or all.

    What the ledger, the catalogue and the configuration know is filled in; what only you know is listed. Each says what
    it is not, and what it rests on. None of it is legal advice.
    """
    folder = data_folder.served(data)
    path = data_folder.ledger(folder)
    if path is None:
        raise LedgerError(f"There is no ledger in {folder}", fix="Send requests first, or name its folder with --data")
    configured = detectors.configured(config)
    providers = {each.name: each for each in configured[0].providers} if configured is not None else {}
    outside = [each for file in checkpoints for each in checkpoint.read(file)]
    with reading_chain(path) as db:
        made = reports(
            db,
            tuple(REPORTS) if name == _ALL else (name,),
            since,
            until,
            now_us=time.time_ns() // 1000,
            program=__version__,
            providers=providers,
            outside=outside,
            seals=known(folder, public_key),
        )
    if output is not None:
        for each in made:
            click.echo(_write(output, each, form))
    elif form == "json":
        texts = [as_json(each) for each in made]
        click.echo(texts[0] if len(texts) == 1 else msgspec.json.format(b"[" + b",".join(texts) + b"]"))
    else:
        click.echo("\n".join(as_markdown(each) for each in made), nl=False)


def _write(folder: Path, report: Report, form: str) -> str:
    path = folder / f"{report.framework.name}{_SUFFIX[form]}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_json(report) + b"\n" if form == "json" else as_markdown(report).encode())
    except OSError as error:
        raise EnvironmentProblem(f"{path} cannot be written", why=error.strerror or str(error)) from None
    return f"Wrote {path}: {len(report.framework.blanks)} points are left for you to fill in."
