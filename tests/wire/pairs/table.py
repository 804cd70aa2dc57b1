"""The table in docs/dialects.md, from what happens to each feature.

PYTHONPATH=tests/wire python -m pairs.table prints the whole page with the table as it is now.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from pairs.features import FEATURES
from pairs.outcomes import BY_MODEL, COLUMNS, LEFT_OUT, REFUSED, REWORDED, STRAIGHT, YES, cell, outcomes

PAGE = Path(__file__).parents[3] / "docs" / "dialects.md"
_TABLE = re.compile(r"(?<=<!-- table -->\n).*?(?=<!-- end -->)", re.DOTALL)


def table() -> str:
    found = {feature.name: outcomes(feature) for feature in FEATURES}
    lines = [
        _row("", *COLUMNS),
        _row(*["---"] * (len(COLUMNS) + 1)),
        *(_row(each.what, *(cell(found[each.name][column]) for column in COLUMNS)) for each in FEATURES),
    ]
    lines += ["", f"Where it says *{BY_MODEL}*, and of the straight way *by client*:", ""]
    for feature in FEATURES:
        notes = list(_notes(found[feature.name]))
        if notes:
            lines.append(f"- {feature.what}: {'; '.join(notes)}")
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _notes(found: dict[str, dict[str, str]]) -> Iterator[str]:
    """Ways that end at the same provider in the same way are told once."""
    ways: dict[str, list[str]] = {}
    for column, outcome in found.items():
        if len(set(outcome.values())) > 1:
            said = ", ".join(
                f"{word} for {' and '.join(who)}"
                for word in (YES, REWORDED, LEFT_OUT, REFUSED)
                if (who := [name for name, each in outcome.items() if each == word])
            )
            ways.setdefault(said, []).append(column)
    for said, columns in ways.items():
        provider = columns[0].rpartition(" → ")[2]
        clients = [column.rpartition(" → ")[0] for column in columns]
        way = STRAIGHT if columns == [STRAIGHT] else f"{', '.join(clients)} → {provider}"
        yield f"{way}: {said}"


def page(text: str) -> str:
    """`text` with the table as it is now."""
    new, count = _TABLE.subn(lambda match: table(), text)
    assert count == 1
    return new


if __name__ == "__main__":
    sys.stdout.write(page(PAGE.read_text()))
