"""twintrack privacy erase: remove what leads to somebody, and keep what is counted."""

from __future__ import annotations

import hmac
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import get_args

import click
import msgspec

from twintrack.cli import data as data_folder
from twintrack.control.words import many
from twintrack.errors import EnvironmentProblem, LedgerError
from twintrack.ledger.database import explained, open_writer
from twintrack.ledger.erase import Erasure, Kind, Subject, erase, kinds_of
from twintrack.ledger.folder import BACKUPS, loading
from twintrack.ledger.hours import HOUR_US
from twintrack.ledger.moment import FORMS, moment, moment_us
from twintrack.ledger.secret import secret
from twintrack.ledger.segment import journal_folder


def _before(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    if value is None:
        return None
    try:
        at_us = moment_us(value, time.time_ns() // 1000)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no time. {FORMS}", ctx, param) from None
    return at_us - at_us % HOUR_US


@click.command("erase")
@click.option("--subject", required=True, help="Name of a key or tenant, or a request's x-twintrack-id.")
@click.option("--kind", type=click.Choice(get_args(Kind)), help="What the name is of, where it could be several.")
@click.option(
    "--before", callback=_before, metavar="TIME", help="Only what came before: 90d, 2026-11-01; in whole UTC hours."
)
@click.option("--dry-run", is_flag=True, help="Say what would go, and change nothing.")
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def command(
    ctx: click.Context,
    subject: str,
    kind: Kind | None,
    before: int | None,
    dry_run: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Remove from ledger and audit chain what leads to a key, a tenant or one request.

    Rows about money stay under a name that means nobody, so that every sum stays what it was; ids of requests become
    random, fingerprints of bodies, verdicts' authors and numbers that describe a request go. The chain still verifies,
    and says that it was done. The output says what is not reached.
    """
    folder = data_folder.served(data)
    path = data_folder.ledger(folder)
    if path is None:
        raise LedgerError(f"There is no ledger in {folder}", fix="Name its folder with --data")
    with closing(open_writer(path)) as db:
        try:
            found = kinds_of(db, subject)
            if kind is None and len(found) > 1:
                raise click.UsageError(f"{subject!r} is the name of a {' and of a '.join(found)}: say --kind.", ctx)
            if not found or (kind is not None and kind not in found):
                raise LedgerError(
                    f"The ledger in {folder} knows nothing of {subject!r}",
                    why=f"it is no {kind}" if kind else "it is no key, tenant or request in it",
                    fix="It may have been erased before: `twintrack audit list` shows whom it knows",
                )
            done = _erased(db, folder, Subject(kind or found[0], subject), before, dry_run=dry_run)
            emptied = dry_run or db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        except sqlite3.Error as error:
            raise explained(error, path) from error
        except msgspec.MsgspecError as error:
            raise LedgerError(
                f"The audit chain in {path} cannot be read, so nothing was erased",
                why=str(error),
                fix="`twintrack audit verify` says where it is damaged",
            ) from error
    left = [*_not_reached(folder)]
    if not emptied:
        left.append(f"{path.name}-wal, until whoever reads the ledger is done")
    if as_json:
        value = msgspec.to_builtins(done) | {"not_reached": left, "dry_run": dry_run}
        click.echo(msgspec.json.format(msgspec.json.encode(value)))
    else:
        for line in _told(done, left, before, dry_run=dry_run):
            click.echo(line)
    if done.running and not dry_run:
        ctx.exit(1)


def _erased(db: sqlite3.Connection, folder: Path, subject: Subject, before: int | None, *, dry_run: bool) -> Erasure:
    named = b"twintrack erased\0" + subject.kind.encode() + b"\0" + subject.name.encode()
    fingerprint = hmac.digest(secret(folder), named, "sha256")[:16].hex()

    def do(alone: bool) -> Erasure:
        now_us = time.time_ns() // 1000
        return erase(
            db, subject, before_us=before, now_us=now_us, fingerprint=fingerprint, alone=alone, dry_run=dry_run
        )

    try:
        with loading(folder):
            return do(True)
    except BlockingIOError:
        return do(False)
    except OSError as error:
        raise EnvironmentProblem(f"The data folder {folder} cannot be used", why=str(error)) from None


def _told(done: Erasure, left: list[str], before: int | None, *, dry_run: bool) -> Iterator[str]:
    if done.running:
        yield (
            f"Of it {many(done.running, 'attempt')} still going on{', so nothing was erased' * (not dry_run)}. Wait "
            "until none is, or name a time with --before."
        )
        if not dry_run:
            return
    would = "Would go" if dry_run else "Gone"
    until = f" from before {moment(before)}" if before is not None else ""
    yield (
        f"{would}{until}: from the audit chain whom {many(done.entries, 'entry')} told of, the ids of "
        f"{many(done.attempts, 'attempt')} and {many(done.refusals, 'refused request')}, who gave "
        f"{many(done.verdicts, 'verdict')}, and {many(done.features, 'row')} of numbers about requests."
    )
    if done.keys:
        yield f"Their costs and counts stay, under a name that means nobody instead of {', '.join(done.keys)}."
    if done.name_stays:
        yield "The name itself stays in a table of words while a gateway runs: repeat this once it has stopped."
    if done.logged_as:
        yield f"Entry {done.logged_as:,} of the chain says so, without the name. `twintrack audit verify` still holds."
    yield "Not reached:"
    yield from (f"  {each}." for each in left)


def _not_reached(folder: Path) -> Iterator[str]:
    """Where else something may be, as far as that can be seen from here."""
    try:
        names = sorted(os.listdir(journal_folder(folder)))
    except FileNotFoundError:
        names = []
    aside = [name for name in names if name.endswith(".damaged")]
    if len(names) > len(aside):
        yield (
            f"{len(names) - len(aside)} journal files in use by a gateway: ids and names of keys, and what was asked "
            "and answered where a route has trace_content; they go when they are full, or the gateway stops"
        )
    if aside:
        yield f"{len(aside)} damaged journal files that were put aside: {', '.join(aside)}; remove them yourself"
    kept = sorted(each.name for each in (folder / BACKUPS).glob("*")) if (folder / BACKUPS).exists() else []
    if kept:
        yield f"copies in {BACKUPS}/, made before an upgrade or a restore: {', '.join(kept)}; remove them yourself"
    yield "the names of keys and tenants in records of what a policy version said, and in the configuration"
    yield "backups you made, what a collector of [telemetry] was told, what providers keep, and logs of your clients"
