"""twintrack catalog list: what tables of facts there are, and what stands in one."""

from __future__ import annotations

import click
import msgspec

from twintrack.catalog.tables import TABLES, value
from twintrack.cli.table import show
from twintrack.errors import nearest

_LONGEST = 60


@click.command("list")
@click.argument("table", required=False)
@click.option("--search", metavar="TEXT", help="Only rows that say TEXT.")
@click.option("--json", "as_json", is_flag=True, help="For programs: whole rows.")
@click.pass_context
def command(ctx: click.Context, table: str | None, search: str | None, as_json: bool) -> None:
    """List the tables of facts, or the rows of one, each with source and date.

    Prices are in `twintrack models`, and what a request costs in `twintrack catalog price`.
    """
    if table is None:
        _tables(as_json)
        return
    if table not in TABLES:
        close = nearest(table, TABLES, 1)
        hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(TABLES)}."
        raise click.BadParameter(f"There is no table {table!r}. {hint}", ctx, param_hint="TABLE")
    rows = [(TABLES[table].title(row), value(row)) for row in TABLES[table].rows()]
    if search is not None:
        rows = [(title, row) for title, row in rows if search.lower() in f"{title} {row}".lower()]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode([row for _, row in rows])))
    elif rows:
        show(
            ("name", "says", "as of", "source"),
            [(title, _says(row), str(row.get("as_of", "")), str(row.get("source", ""))) for title, row in rows],
            whole=("name", "as of"),
        )
    if not rows:
        click.echo("Nothing here matches.", err=True)
        ctx.exit(1)


def _tables(as_json: bool) -> None:
    found = []
    for name, table in TABLES.items():
        days = sorted(str(value(row).get("as_of", "")) for row in table.rows())
        found.append({"table": name, "what": table.what, "rows": len(days), "oldest": days[0], "newest": days[-1]})
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(found)))
        return
    show(
        ("table", "rows", "oldest", "newest", "what"),
        [
            (str(each["table"]), f"{each['rows']:,}", *(str(each[word]) for word in ("oldest", "newest", "what")))
            for each in found
        ],
        right=("rows",),
    )


def _says(row: dict[str, object]) -> str:
    """The first few numbers and words of a row."""
    parts = [
        f"{name} {word}"
        for name, word in row.items()
        if name not in ("name", "source", "as_of", "title", "place")
        and isinstance(word, int | float | str)
        and word != ""
    ]
    text = ", ".join(parts)
    return text if len(text) <= _LONGEST else text[:_LONGEST].rsplit(",", 1)[0] + " …"
