"""twintrack plan licence: may this model be used so, under which duties, and where does it say so?"""

from __future__ import annotations

from typing import get_args

import click
import msgspec

from twintrack.catalog.licences import Field, Use
from twintrack.catalog.permission import Finding, Purpose, check

_WORDS = {
    "allowed": "Allowed.",
    "allowed_with_duties": "Allowed, with duties.",
    "needs_licence": "Not without another licence.",
    "not_allowed": "Not allowed.",
    "unknown": "Unknown; that does not count as allowed.",
}
_OPTIONS = {
    "users_at_release": "--users-at-release",
    "users_now": "--users",
    "revenue_usd_month": "--revenue",
    "domicile": "--domicile",
}


@click.command("licence")
@click.argument("model")
@click.option(
    "--use",
    type=click.Choice(get_args(Use)),
    required=True,
    metavar="USE",
    help=f"What the model is wanted for: {', '.join(get_args(Use))}.",
)
@click.option(
    "--users-at-release", type=int, metavar="N", help="Monthly users of all your products when the model came out."
)
@click.option("--users", "users_now", type=int, metavar="N", help="Monthly users today.")
@click.option("--revenue", type=float, metavar="USD", help="Revenue a month, in dollars.")
@click.option("--domicile", metavar="CC", help="Country of your seat, as DE or US, or EU.")
@click.option(
    "--field",
    "fields",
    type=click.Choice(get_args(Field)),
    multiple=True,
    metavar="FIELD",
    help=f"A special field of use: {', '.join(get_args(Field))}. May be given again.",
)
@click.option("--distil", is_flag=True, help="You train a model on its outputs.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def command(
    model: str,
    use: Use,
    users_at_release: int | None,
    users_now: int | None,
    revenue: float | None,
    domicile: str | None,
    fields: tuple[Field, ...],
    distil: bool,
    as_json: bool,
) -> None:
    """Say whether MODEL may be used so, under which duties, and which clause says it.

    MODEL is a model of the catalogue, any other name it is known by, or a licence. This is no legal advice: it checks
    conditions that were read in the texts, and says how much of each was read. Unknown never counts as allowed.
    """
    purpose = Purpose(
        use=use,
        users_at_release=users_at_release,
        users_now=users_now,
        revenue_usd_month=revenue,
        domicile=domicile.upper() if domicile else None,
        fields=fields,
        trains_on_outputs=distil,
    )
    finding = check(model, purpose)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(finding)))
    else:
        _tell(finding, use)


def _tell(finding: Finding, use: Use) -> None:
    click.echo(f"{finding.model} for {use.replace('_', ' ')}: {_WORDS[finding.verdict]}")
    if finding.title:
        kind = "an open-source licence by the OSI" if finding.osi_open_source else "no open-source licence by the OSI"
        click.echo(f"Text: {finding.title} ({finding.spdx}), {kind}.")
    for ground in finding.grounds:
        click.echo(f"- {ground.text}" + (f" [{ground.clause}]" if ground.clause else ""))
    if finding.missing:
        click.echo(f"{_WORDS[finding.otherwise or 'unknown']} That holds only if it is known:")
        for each in finding.missing:
            limit = "" if each.limit is None else f"; the limit is {each.limit:,}"
            click.echo(f"- {each.ask}: {_OPTIONS[each.input]}{limit}")
    for number, duty in enumerate(finding.duties, 1):
        click.echo(f"{number}. {duty.text} [{duty.clause}]")
    for text in finding.assumed:
        click.echo(f"Assumed: {text}.")
    if finding.read:
        how = {"full": "in full", "part": "in part", "no": "not at all: verify it"}[finding.read]
        click.echo(f"The text was read {how}, {finding.as_of}: {finding.source}. {finding.url}")
    click.echo("This is no legal advice.")
