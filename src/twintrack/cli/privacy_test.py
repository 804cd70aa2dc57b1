"""twintrack privacy test: do the rules find their own examples?"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from twintrack.cli import detectors
from twintrack.config.settings import Settings
from twintrack.signals.sensitivity.own_tests import outcomes


@click.command("test")
@detectors.option
@click.option("--json", "as_json", is_flag=True, help="For programs: every example and what was found in it.")
@click.pass_context
def command(ctx: click.Context, config: Path | None, as_json: bool) -> None:
    """Try all rules on their own examples, yours on the texts beside them. Exit code 1 if one fails."""
    found = detectors.configured(config)
    settings = Settings() if found is None else found[0]
    tried = list(outcomes(detectors.detector(settings.detect)))
    wrong = [one for one in tried if not one.right]
    if as_json:
        document = {"tried": len(tried), "failed": len(wrong), "examples": [one._asdict() for one in tried]}
        click.echo(msgspec.json.format(msgspec.json.encode(document)))
    else:
        for one in wrong:
            wanted = f"should find {one.wanted}" if one.wanted else "should find nothing of this rule"
            held = ", ".join(one.found) or "nothing"
            click.echo(f"{one.rule}: {wanted}, found {held}, in: {one.text[:100]}")
        click.echo(f"{len(tried) - len(wrong)} of {len(tried)} examples are right.")
    if wrong:
        ctx.exit(1)
