"""twintrack catalog price: what requests cost, to the last digit."""

from __future__ import annotations

import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import msgspec

from twintrack.catalog import revisions
from twintrack.catalog.own import OwnRows
from twintrack.catalog.pricing import Priced, case_usd
from twintrack.cli import data as data_folder
from twintrack.cli.table import show
from twintrack.errors import BadRequest

_CLOSE = Decimal("0.000001")
"""Dollars a case may be away from what it expects."""
_MOST_BYTES = 64 << 20


@click.command("price")
@click.argument("cases", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True), metavar="CASES.json")
@data_folder.option
@click.option("--json", "as_json", is_flag=True, help="For programs: the cases again, each with usd, source and why.")
@click.option("--check", is_flag=True, help="Exit code 1 if a case expects another sum, or has none.")
@click.pass_context
def command(ctx: click.Context, cases: Path, data: Path | None, as_json: bool, check: bool) -> None:
    """Say what requests cost, to the last digit.

    CASES.json is {"cases": [...]}, or - for stdin. A case names provider, model and timestamp, and counts
    input_tokens and output_tokens, of the input cache_read_tokens, cache_write_tokens, cache_write_1h_tokens,
    input_audio_tokens and so on. It may say batch, service_tier or speed, and the expected_usd it is compared with.

    The price is the one of that moment: history, hours of the day, long prompts and your own imported rows count.
    What nobody lists a price for is null, never 0.
    """
    found = _read(cases)
    own = revisions.current(str(data_folder.folder(data))).rows
    rows = [_priced(number, case, own) for number, case in enumerate(found)]
    wrong = [row for row in rows if not _agrees(row)]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode({"cases": [_json(row) for row in rows]})))
    else:
        _tell(rows, wrong)
    if check and wrong:
        ctx.exit(1)


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        data = sys.stdin.buffer.read(_MOST_BYTES) if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read: {error.strerror}.", param_hint="CASES.json") from None
    try:
        document = msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"{path} is no JSON: {error}.", param_hint="CASES.json") from None
    found = document.get("cases") if isinstance(document, dict) else document
    if not isinstance(found, list) or not all(isinstance(case, dict) for case in found):
        raise click.BadParameter(f'{path} is not {{"cases": [{{…}}, …]}}.', param_hint="CASES.json")
    return found


def _priced(number: int, case: dict[str, Any], own: OwnRows) -> tuple[dict[str, Any], Priced]:
    try:
        expected = case.get("expected_usd")
        if isinstance(expected, bool) or not isinstance(expected, int | float | None):
            raise BadRequest(f"expected_usd is {expected!r}", fix="Write a number", param="expected_usd")
        return case, case_usd(case, own)
    except BadRequest as error:
        raise BadRequest(f"cases[{number}]: {error.what}", why=error.why, fix=error.fix, param=error.param) from None


def _agrees(row: tuple[dict[str, Any], Priced]) -> bool:
    case, priced = row
    expected = case.get("expected_usd")
    if expected is None:
        return priced.usd is not None
    return priced.usd is not None and abs(priced.usd - Decimal(repr(expected))) <= _CLOSE


def _json(row: tuple[dict[str, Any], Priced]) -> dict[str, Any]:
    case, priced = row
    value = {
        **case,
        "usd": None if priced.usd is None else float(priced.usd),
        "expected_usd": case.get("expected_usd"),
        "source": priced.source or None,
    }
    return {**value, "why": priced.why} if priced.why else value


def _tell(rows: list[tuple[dict[str, Any], Priced]], wrong: list[tuple[dict[str, Any], Priced]]) -> None:
    show(
        ("provider", "model", "input", "output", "USD", "expected", "source"),
        [
            (
                case["provider"],
                case["model"],
                f"{case.get('input_tokens', 0):,}",
                f"{case.get('output_tokens', 0):,}",
                "unknown" if priced.usd is None else f"{priced.usd.normalize():f}",
                "" if case.get("expected_usd") is None else f"{Decimal(repr(case['expected_usd'])):f}",
                priced.source or priced.why,
            )
            for case, priced in rows
        ],
        right=("input", "output", "USD", "expected"),
    )
    known = [priced.usd for _, priced in rows if priced.usd is not None]
    click.echo(f"\n{len(rows)} requests, ${sum(known, Decimal()):,.6f}.")
    if len(known) < len(rows):
        click.echo(f"Nobody lists a price for {len(rows) - len(known)} of them; they are not in the sum.")
    differ = [case for case, priced in wrong if priced.usd is not None]
    if differ:
        click.echo(f"{len(differ)} differ from what they expect by more than ${_CLOSE:f}.")
