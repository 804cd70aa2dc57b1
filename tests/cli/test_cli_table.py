"""Tables in terminals of every width, and into pipes: nothing that is said is cut off."""

from __future__ import annotations

import re

import pytest

from twintrack.cli.table import say, show

TEXTS = ("state", "about", "found")
LONG = "a sentence of some length that has to be broken somewhere to be read at all in a terminal"
MONEY = ("route", "tier", "requests", "cost", "baseline", "saved")
SUMS = [("auto", "small", "12,000", "$1.20", "$12.00", "+$10.80"), ("auto", "premium", "3", "$9.00", "$9.00", "$0.00")]


@pytest.fixture
def printed(capfd, monkeypatch):
    """What a terminal of so many columns gets; None: a pipe."""

    def run(columns: int | None, function, *args, **options) -> list[str]:
        if columns is not None:
            monkeypatch.setenv("FORCE_COLOR", "1")
            monkeypatch.setenv("TERM", "xterm")  # a dumb one is taken to have 80 columns
            monkeypatch.setenv("COLUMNS", str(columns))
        function(*args, **options)
        return re.sub(r"\x1b\[\d*m", "", capfd.readouterr().out).splitlines()

    return run


@pytest.mark.parametrize("columns", [None, 20, 40, 60, 80, 120, 200])
def test_every_cell_is_there_at_any_width(printed, columns):
    sums = printed(columns, show, MONEY, SUMS, right=MONEY[2:], keys=2, footer=("all", "", "12,003", "$10.20", "", ""))
    for cell in (*SUMS[0], *SUMS[1], *MONEY, "12,003", "$10.20"):
        assert any(cell in line for line in sums), cell
    texts = " ".join(" ".join(printed(columns, show, TEXTS, [("problem", "configuration", LONG)])).split())
    assert {*LONG.split(), "problem", "configuration", *TEXTS[1:]} <= set(texts.split())


@pytest.mark.parametrize("columns", [32, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(printed, columns):
    shown = printed(columns, show, MONEY, SUMS, right=MONEY[2:], keys=2)
    shown += printed(columns, show, TEXTS, [("problem", "configuration", LONG)])
    shown += printed(columns, say, LONG)
    assert max(map(len, shown)) <= columns


def test_numbers_that_do_not_fit_continue_below_with_their_names(printed):
    lines = [line.split() for line in printed(40, show, MONEY, SUMS, right=MONEY[2:], keys=2)]
    begins = [number for number, line in enumerate(lines) if line[:2] == ["route", "tier"]]
    assert len(begins) == 2
    assert [line[:2] for line in lines[begins[1] + 1 :]] == [["auto", "small"], ["auto", "premium"]]
    assert [title for number in begins for title in lines[number][2:]] == list(MONEY[2:])


def test_keys_that_leave_no_room_for_numbers_become_paragraphs(printed):
    rows = [("a-route-with-a-name", "a-tier-with-another-name", *SUMS[0][2:])]
    lines = printed(40, show, MONEY, rows, right=MONEY[2:], keys=2, footer=("all", "", *SUMS[0][2:]))
    assert lines[:3] == ["a-route-with-a-name", "  tier      a-tier-with-another-name", "  requests  12,000"]
    assert lines[-5:-2] == ["all", "  requests  12,000", "  cost      $1.20"]


def test_texts_that_do_not_fit_become_paragraphs_without_empty_lines_in_them(printed):
    lines = printed(
        36, show, ("state", "about", "found", "to do"), [("ok", "clock", LONG, ""), ("note", "disk", "b", "c")]
    )
    assert lines[0] == "ok"
    assert lines[1] == "  about  clock"
    assert lines[2].startswith("  found  a sentence")
    assert lines[lines.index("") + 1 :] == ["note", "  about  disk", "  found  b", "  to do  c"]


def test_a_pipe_gets_a_row_a_line_and_a_sentence_a_line(printed):
    assert printed(None, show, TEXTS, [("problem", "configuration", LONG)])[1] == f"problem  configuration  {LONG}"
    assert printed(None, say, LONG * 4) == [LONG * 4]
