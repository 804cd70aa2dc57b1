"""twintrack plan check: is what a text says about volumes, prices, machines, licences and energy right?"""

from __future__ import annotations

import datetime
import re
import sys

import click
import msgspec

from twintrack.economics.claims.check import Claim, check_text, overall
from twintrack.economics.claims.verdict import Check, span

_WORDS = {"right": "right", "wrong": "wrong", "depends": "depends", "cannot_check": "cannot check"}
_MOST_BYTES = 1 << 20
_EATEN = re.compile(r"(?:^|\s)-?(?:ba|z|da|fi|k)?sh(?=[.,\d]|\s+per\b|/)")
"""`$0.5` between double quotes becomes `bash.5`."""


@click.command("check")
@click.argument("text", metavar="TEXT|-")
@click.option(
    "--on",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DAY",
    help="Prices are those of this day. Default: today.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(text: str, on: datetime.datetime | None, as_json: bool) -> None:
    """Recompute what a text says, and say by what factor it is off.

    TEXT is one statement or several, or - for stdin. It may speak of token volumes, prices, savings, GPUs, memory,
    break-even, fine-tuning, energy, licences and what models there are. The arithmetic is shown, with the facts used
    and their dates. What cannot be checked is said to be so, with what is missing.
    """
    if text == "-":
        text = sys.stdin.buffer.read(_MOST_BYTES).decode("utf-8", "replace")
    if not text.strip():
        raise click.BadParameter(
            'Say something, as "10M tokens/day costs $50/day at $0.0003 per 1K".', param_hint="TEXT"
        )
    if _EATEN.search(text):
        click.echo("The shell seems to have replaced a $ in this text; put it between single quotes.", err=True)
    day = on.date() if on is not None else datetime.datetime.now(datetime.UTC).date()
    claims = check_text(text, on=day)
    if as_json:
        verdict, factor = overall(claims)
        document = {"verdict": verdict, "factor": factor, "claims": claims, "prices_on": day.isoformat()}
        click.echo(msgspec.json.format(msgspec.json.encode(document)))
        return
    for claim in claims:
        _tell(claim)


def _tell(claim: Claim) -> None:
    off = f", {_off(claim.factor)}" if claim.verdict == "wrong" and claim.factor else ""
    click.echo(f"{claim.text}\n  {_WORDS[claim.verdict]}{off}")
    for missing in claim.missing:
        click.echo(f"  missing: {missing}")
    for check in claim.checks:
        _tell_check(check)
    click.echo()


def _tell_check(check: Check) -> None:
    click.echo(f"  {check.relation}: {_WORDS[check.verdict]}" + (f" if {check.condition}" if check.condition else ""))
    for line in check.sums:
        click.echo(f"    {line}")
    if check.stated and check.computed:
        click.echo(f"    stated {span(check.stated)}, computed {span(check.computed)} {check.unit}")
    for fact in check.facts:
        click.echo(f"    from: {fact}")


def _off(factor: float) -> str:
    """`3.3 times too high`, `5 times too low`."""
    if factor >= 1:
        return f"{factor:.3g} times too high"
    return f"{1 / factor:.3g} times too low"
