"""twintrack audit prove: a statement about who saw data of a class, to be checked again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from twintrack.cli import audit_options as options
from twintrack.cli import data as data_folder
from twintrack.cli.audit_keys import known
from twintrack.cli.table import show
from twintrack.config.settings import DATA_CLASSES, DataClass
from twintrack.ledger.audit import checkpoint
from twintrack.ledger.audit.opened import reading_chain
from twintrack.ledger.audit.prove import Proof, prove
from twintrack.ledger.moment import moment


@click.command("prove")
@click.option(
    "--class",
    "data_class",
    type=click.Choice(DATA_CLASSES),
    required=True,
    help="This class and those above it.",
)
@options.since
@options.until
@options.checkpoints
@options.public_key
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.pass_context
def command(
    ctx: click.Context,
    data_class: DataClass,
    since: int,
    until: int,
    checkpoints: tuple[Path, ...],
    public_key: tuple[Path, ...],
    data: Path | None,
    as_json: bool,
) -> None:
    """State whether any request of a class met a deployment that the policy valid then did not allow.

    Each attempt is checked again: where it was sent, as its entry says, against the rules and providers' terms that
    were recorded with its policy version. Ends with exit code 1 if one was outside, if one cannot be checked, or if
    the chain does not verify.
    """
    folder = data_folder.served(data)
    path = data_folder.ledger(folder)
    if path is None:
        options.no_chain(folder, checkpoints, as_json=as_json)
        return
    outside = [each for file in checkpoints for each in checkpoint.read(file)]
    with reading_chain(path) as db:
        proof = prove(db, data_class, since, until, outside, known(folder, public_key))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(proof)))
    else:
        click.echo(proof.statement)
        if proof.places:
            rows = [(p.zone, p.region or "-", p.provider, p.deployment, f"{p.attempts:,}") for p in proof.places]
            show(("zone", "region", "provider", "deployment", "attempts"), rows)
        for line in _told(proof):
            click.echo(line)
    if not proof.holds:
        ctx.exit(1)


def _told(proof: Proof) -> Iterator[str]:
    for breach in proof.breaches:
        who = f"request {breach.request_id}" if breach.request_id else "a request that was erased"
        where = f"{breach.deployment} ({breach.zone}{', ' if breach.region else ''}{breach.region})"
        yield f"  Entry {breach.entry:,}, {breach.at}: {who}, {breach.data_class}, at {where}: {breach.why}."
    more = proof.violations + proof.unknown - len(proof.breaches)
    if more > 0:
        yield f"  … and {more:,} more."
    if proof.refused:
        yield f"{proof.refused:,} of these requests were sent to nobody."
    for version, attempts in proof.policies.items():
        yield f"Policy {version}: {attempts:,} attempts."
    if proof.not_fully_checked:
        yield f"Who made {proof.not_fully_checked:,} of them was erased: rules of a key or tenant were left out."
    yield from _read(proof)
    chain = proof.chain
    if chain.problems:
        yield f"The chain does not verify ({len(chain.problems)}):"
        yield from (f"  {problem}." for problem in chain.problems)
    elif chain.checkpoints_elsewhere:
        newest = moment(chain.newest_us)
        yield f"The chain verifies ({chain.entries:,} entries), and fits checkpoints from outside up to {newest}."
    else:
        yield (
            f"The chain verifies ({chain.entries:,} entries). No checkpoint from outside was compared: whoever may "
            "write to the database could have made it anew."
        )
    yield proof.does_not_say


def _read(proof: Proof) -> Iterator[str]:
    reading = proof.reading
    yield (
        f"Of all {reading.requests:,} requests in that time, {reading.read:,} were read for sensitive data and "
        f"{reading.not_read:,} were not: their class is what label, key and route said."
    )
    if reading.with_unscanned and reading.unscanned_share is not None:
        kinds = ", ".join(f"{kind} {count:,}" for kind, count in reading.unscanned_kinds.items())
        share = f"{reading.unscanned_share:.1%}"
        yield f"{reading.with_unscanned:,} of those read ({share}) had parts that could not be: {kinds}."
    if reading.found_higher:
        yield (
            f"In {reading.found_higher:,} the findings make a higher class than the one that held; operators lowered "
            f"{reading.overridden:,} of them; elsewhere findings were only observed, or gave way to placeholders."
        )
    if reading.replaced:
        yield f"In {reading.replaced:,} placeholders took the place of what was found before it left."
    for version, requests in reading.detectors.items():
        yield f"Detector {version}: {requests:,} requests."
    for each in proof.misses:
        yield (
            f"{each.category}: found in {each.found:,}; {each.missed:,.1f} missed are to be expected, at most "
            f"{each.missed_high:,.1f} (95 %; found were {each.recall:.1%} "
            f"[{each.recall_low:.1%}, {each.recall_high:.1%}] of {each.measured_on}, {each.as_of})."
        )
    others = sorted({each.detector for each in proof.misses} - reading.detectors.keys())
    if others:
        yield f"These shares were measured with detector {', '.join(others)}, not with the one that read the requests."
