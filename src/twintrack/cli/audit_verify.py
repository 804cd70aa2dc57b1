"""twintrack audit verify: whether the chain is what was written."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from twintrack.cli import audit_options as options
from twintrack.cli import data as data_folder
from twintrack.cli.audit_keys import known
from twintrack.ledger.audit import checkpoint
from twintrack.ledger.audit.verify import Verified, verify
from twintrack.ledger.database import reading
from twintrack.ledger.moment import moment


@click.command("verify")
@options.checkpoints
@options.public_key
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def command(
    ctx: click.Context,
    checkpoints: tuple[Path, ...],
    public_key: tuple[Path, ...],
    data: Path | None,
    as_json: bool,
) -> None:
    """Compute the chain again from its first entry, and hold it against checkpoints.

    Ends with exit code 1 if anything differs. Whoever may write to the database could have computed all of it anew:
    only checkpoints that were kept elsewhere show that. Without them, this says so.
    """
    folder = data_folder.served(data)
    path = data_folder.ledger(folder)
    if path is None:
        options.no_chain(folder, checkpoints, as_json=as_json)
        return
    outside = [each for file in checkpoints for each in checkpoint.read(file)]
    with reading(path) as db:
        found = verify(db, outside, known(folder, public_key))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
    else:
        for line in _told(found):
            click.echo(line)
    if found.problems:
        ctx.exit(1)


def _told(found: Verified) -> list[str]:
    if not found.entries and not found.problems:
        return ["The chain has no entry yet."]
    began = f", begun {moment(found.began_us)}" if found.began_us else ""
    lines = [f"Chain {found.chain}: {found.entries:,} entries{began}, the last with hash {found.hash}."]
    if found.erased:
        lines.append(f"{found.erased:,} entries no longer say whom they are about: that was erased.")
    lines += [f"What came after {each} was put in place is not in it." for each in found.restored]
    if found.problems:
        lines.append(f"It is not what was written ({len(found.problems)}):")
        return [*lines, *(f"  {problem}." for problem in found.problems)]
    lines.append("Every entry follows from the one before, and the ledger tells of the same attempts.")
    if found.unsigned:
        lines.append(f"{found.unsigned:,} checkpoints were signed with a key that is not here; their hashes fit.")
    if found.checkpoints_elsewhere:
        lines.append(
            f"{found.checkpoints_elsewhere:,} checkpoints from outside fit, the newest of {moment(found.newest_us)}."
        )
    else:
        lines.append(
            "Nothing from outside was compared: whoever may write to the database could have computed it anew. "
            "Name checkpoints that were kept elsewhere with --checkpoints."
        )
    return lines
