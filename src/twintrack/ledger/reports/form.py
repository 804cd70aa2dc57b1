"""What a report is made of, and how it is written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from twintrack.catalog.frameworks import Framework

UNKNOWN = "unknown"


class Table(msgspec.Struct, frozen=True):
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(msgspec.Struct, frozen=True, kw_only=True):
    title: str
    text: str = ""
    table: Table | None = None
    none: str = ""
    """Said instead of a table without rows."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    framework: Framework
    since: str
    until: str
    made: str
    program: str
    sections: tuple[Section, ...]
    chain: str
    """Whether the audit chain verifies, in a sentence."""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table(tuple(columns), tuple(tuple(row) for row in rows))


def as_json(report: Report) -> bytes:
    """With `to_be_filled_in` beside what was."""
    framework = report.framework
    value = {
        "report": framework.name,
        "title": framework.title,
        "what_it_is_not": framework.not_this,
        "period": {"from": report.since, "to": report.until},
        "made": report.made,
        "program": report.program,
        "chain": report.chain,
        "sections": [{"title": each.title, "text": each.text, "rows": _rows(each.table)} for each in report.sections],
        "to_be_filled_in": framework.blanks,
        "sources": framework.sources,
    }
    return msgspec.json.format(msgspec.json.encode(value))


def _rows(table: Table | None) -> list[dict[str, str]]:
    return [] if table is None else [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def as_markdown(report: Report) -> str:
    return "\n".join(_lines(report)) + "\n"


_CHECKED = {
    "official": "read there",
    "copy": "a copy of the text was read; compare before you rely on it",
    "recalled": "from memory; to be verified",
}


def _lines(report: Report) -> Iterator[str]:
    framework = report.framework
    yield f"# {framework.title}\n"
    yield f"{framework.not_this}\n"
    yield f"Period: {report.since} to {report.until}. Made {report.made} by Twintrack {report.program}."
    yield f"{report.chain}\n"
    for section in report.sections:
        yield f"## {section.title}\n"
        if section.text:
            yield f"{section.text}\n"
        if section.table is not None and section.table.rows:
            yield _row(section.table.columns)
            yield _row(["---"] * len(section.table.columns))
            yield from (_row(row) for row in section.table.rows)
            yield ""
        elif section.table is not None:
            yield f"{section.none or 'Nothing.'}\n"
    yield "## To be filled in by you\n"
    yield from (f"- [ ] {blank}" for blank in framework.blanks)
    yield "\n## Sources\n"
    for source in framework.sources:
        yield f"- {source.what}: <{source.address}> ({_CHECKED[source.checked]}, {source.as_of})"


def _row(cells: Sequence[str]) -> str:
    said = " | ".join(cell.replace("|", "\\|").replace("\n", " ") or "-" for cell in cells)
    return f"| {said} |"
