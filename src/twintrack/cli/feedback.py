"""twintrack feedback: say whether an answer was good, with or without a running gateway."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import click

from twintrack.cli import complete
from twintrack.cli import data as data_folder
from twintrack.cli.numbers import Share
from twintrack.control.words import many
from twintrack.errors import BadRequest, TwintrackError
from twintrack.ledger.database import database
from twintrack.ledger.entries import entries
from twintrack.ledger.journal import SEGMENT_BYTES, Journal
from twintrack.ledger.records import SCHEMA, Judged, Names
from twintrack.ledger.segment import journal_folder
from twintrack.ledger.verdicts import STANDINGS, standings
from twintrack.wire.feedback import SOURCES, Source, Verdict, read_feedback

_THUMBS = ("up", "down")
_SMALL_BYTES = 65_536
"""Of a journal for a few verdicts."""
_MANY = 200
_MOST_TOLD = 20


@click.command("feedback")
@click.argument("request_id", metavar="[ID]", required=False, shell_complete=complete.requests)
@click.argument("thumbs", metavar="[up|down]", required=False, type=click.Choice(_THUMBS))
@click.option("--score", type=Share(), help="0 (of no use) to 1 (good), instead of up or down.")
@click.option("--correct/--incorrect", default=None, help="Whether the answer is right, instead of up or down.")
@click.option("--label", metavar="WORD", help="Why: wrong, incomplete, irrelevant, malformed, refused, unsafe, …")
@click.option(
    "--source",
    type=click.Choice(SOURCES),
    default="human",
    show_default=True,
    help="Who says so, where a line does not.",
)
@click.option(
    "--from",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="JSON lines as POST /v1/feedback takes them; - is stdin.",
)
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="For programs: how many were recorded, and what became of them.")
@click.pass_context
def command(
    ctx: click.Context,
    request_id: str | None,
    thumbs: str | None,
    score: float | None,
    correct: bool | None,
    label: str | None,
    source: Source,
    file: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Say whether an answer was good.

    ID is what the answer carried in its x-twintrack-id header. With --from, a line of FILE is a verdict, as
    {"id": "tt-…", "score": 0.5}; lines that are none are named, and nothing is recorded until all are right.
    """
    folder = data_folder.folder(data)
    if file is not None:
        if request_id is not None:
            raise click.UsageError("Give an ID or --from FILE, not both.", ctx)
        if score is not None or correct is not None or label is not None:
            raise click.UsageError("Each line of --from FILE says its own verdict: leave the others out.", ctx)
        said = _read(file, source)
    elif request_id is None:
        raise click.UsageError("Say which answer: its x-twintrack-id, or --from FILE.", ctx)
    else:
        one = {"id": request_id, "thumbs": thumbs, "score": score, "correct": correct, "label": label}
        given = {name: value for name, value in one.items() if value is not None}
        said = [read_feedback(json.dumps(given).encode(), source)]
    path = _ledger(folder)
    if file is None and not entries(path, said[0].request_id):
        raise TwintrackError(
            f"There is no request {request_id!r} in the ledger of {folder}",
            fix="Use the x-twintrack-id of an answer, and --data for another ledger",
        )
    found = _look(folder, _record(folder, said))
    if as_json:
        click.echo(json.dumps({"recorded": len(said), **found}))
        return
    click.echo(f"Recorded: {many(len(said), 'verdict')}.")
    for standing, count in found.items():
        if standing == "waiting":
            later = "will be in the ledger when the running gateway has loaded the journal"
            click.echo(f"{many(count, 'verdict')} {later}.")
        elif standing != "counts":
            click.echo(f"Apart: {count:,} {STANDINGS[standing]}.")


def _read(file: Path, source: Source) -> list[Verdict]:
    """Raises TwintrackError when it has named the lines that are no verdicts."""
    try:
        lines = (Path("/dev/stdin") if str(file) == "-" else file).read_bytes().splitlines()
    except OSError as error:
        raise TwintrackError(f"{file} cannot be read", why=error.strerror or "") from None
    said: list[Verdict] = []
    wrong = 0
    for number, line in enumerate(lines, 1):
        _progress("Read", number, len(lines))
        if not line.strip():
            continue
        try:
            said.append(read_feedback(line, source))
        except BadRequest as error:
            wrong += 1
            if wrong <= _MOST_TOLD:
                click.echo(f"{file}:{number}: {error}", err=True)
    if wrong:
        more = f", {wrong - _MOST_TOLD:,} of them not shown" if wrong > _MOST_TOLD else ""
        raise TwintrackError(
            f"{wrong:,} of {wrong + len(said):,} lines are no verdicts{more}",
            why="nothing was recorded",
            fix="Put them right or leave them out, and give the file again.",
        )
    return said


def _progress(what: str, number: int, of: int) -> None:
    """Where somebody watches."""
    if of >= _MANY and (number % _MANY == 0 or number == of) and sys.stderr.isatty():
        click.echo(f"\r{what} {number:,} of {of:,}", err=True, nl=number == of)


def _ledger(folder: Path) -> Path:
    """The database of a folder that a gateway writes to. Raises TwintrackError."""
    path = data_folder.ledger(folder)
    if path is None:
        raise TwintrackError(
            f"There is no ledger in {folder}",
            fix="Name the data folder of the gateway that answered: --data FOLDER, or TWINTRACK_HOME",
        )
    owner = path.stat().st_uid
    if owner != os.geteuid():
        # What we write now the gateway could not read, and it would load nothing that comes behind it.
        raise TwintrackError(
            f"The ledger in {folder} belongs to another user",
            why=f"its user id is {owner}, yours is {os.geteuid()}",
            fix=f"Run it as that user: sudo -u '#{owner}' twintrack feedback …",
        )
    return path


def _record(folder: Path, said: list[Verdict]) -> list[tuple[str, str, int]]:
    """Write to a journal of our own, as a worker does, and say what, as `standings` wants to know it: whoever loads
    that folder loads this too."""
    journal = Journal(journal_folder(folder), "feedback", _SMALL_BYTES if len(said) < _MANY else SEGMENT_BYTES)
    journal.start(Names(SCHEMA, 0, "", "feedback", (), (), (), ()))
    written: list[tuple[str, str, int]] = []
    try:
        for number, each in enumerate(said, 1):
            at_us = time.time_ns() // 1000
            journal.append(Judged(each.request_id, at_us, -1, 0, each.source, each.score, each.label or ""))
            written.append((each.request_id, each.source, at_us))
            _progress("Recorded", number, len(said))
    finally:
        journal.close()
    return written


def _look(folder: Path, written: list[tuple[str, str, int]]) -> dict[str, int]:
    """What became of them; where another process loads the ledger, after it had time to do so."""
    data_folder.load(folder)
    return standings(database(folder), written)
