"""twintrack audit export: the chain for other programs, with what it takes to check it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec.structs import asdict

from twintrack.cli import audit_options as options
from twintrack.cli import data as data_folder
from twintrack.config.recorded import plain
from twintrack.ledger.audit.blocks import block_entries, blocks, to_bodies, to_sealed
from twintrack.ledger.audit.entry import Personal, Policy, commitment, link
from twintrack.ledger.audit.opened import reading_chain

_BEFORE = "SELECT hash FROM audit WHERE seq < ? ORDER BY seq DESC LIMIT 1"


@click.command("export")
@options.since
@options.until
@click.option("--format", "form", type=click.Choice(("jsonl",)), default="jsonl", show_default=True)
@data_folder.option
def command(since: int, until: int, form: str, data: Path | None) -> None:
    """Write entries to the output, one JSON object a line, each with what another program needs to check it.

    The hash of an entry is SHA-256 over the hash before it, `commitment` and `body`, all as bytes; that before the
    first is 32 zero bytes. `commitment` is the SHA-256 of `personal`, which is gone where that was erased.
    """
    path = data_folder.ledger(data_folder.served(data))
    if path is None:
        return
    with reading_chain(path) as db:
        for block in blocks(db, since, until):
            before = bytes(32)
            if block.seq > 1:
                found = db.execute(_BEFORE, (block.seq,)).fetchone()
                if found is None:
                    raise ValueError(f"what was before entry {block.seq:,} is missing")
                (before,) = found
            bodies, sealed = to_bodies(block.bodies), to_sealed(block.personal)
            for entry, body, who in zip(
                block_entries(block.seq, block.bodies, block.personal), bodies, sealed, strict=True
            ):
                committed = commitment(who) if isinstance(who, bytes) else who[0]
                before = link(before, committed, body)
                line: dict[str, Any] = {
                    "entry": entry.seq,
                    "kind": type(entry.body).__name__.lower(),
                    "says": _says(entry.body),
                    "about": _about(entry.personal),
                    "erased": entry.erased,
                    "body": body.hex(),
                    "personal": who.hex() if isinstance(who, bytes) else None,
                    "commitment": committed.hex(),
                    "hash": before.hex(),
                }
                click.echo(msgspec.json.encode(line))


def _says(body: Any) -> Any:
    if isinstance(body, Policy):
        return {"at_us": body.at_us, "version": body.version, "content": plain(body.content) if body.content else None}
    return asdict(body)


def _about(personal: Personal | None) -> dict[str, Any] | None:
    if personal is None:
        return None
    return asdict(personal) | {"body_hmac": personal.body_hmac.hex() if personal.body_hmac is not None else None}
