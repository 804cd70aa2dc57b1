"""Values back in the place of their placeholders, in any pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twintrack.wire.placeholders import Placeholders

VALUES = {
    "EMAIL_kgqjmznx": "bob@example.com",
    "EMAIL_xkgqjmzn": "ann@example.com",
    "US_SSN_xxxxxxxj": "078-05-1120",
    "US_djjjjjjj": 'a "quoted"\nvalue\\',
    "ID_xnxnxnxn": "EMAIL_kgqjmznx",
}
KNOWN = Placeholders(VALUES)

FRAGMENTS = st.one_of(
    st.sampled_from(
        [
            *VALUES,
            *(each[:size] for each in VALUES for size in (1, 3, -1, -3)),
            *(each[-8:] for each in VALUES),
            *(each.lower() for each in VALUES),
            *(each.replace("_", r"\_") for each in VALUES),
            *(each.replace("_", r"\\_") for each in VALUES),
            *(each[at:] for each in VALUES for at in (1, 2, 4)),
        ]
    ),
    st.text("emailus_\\kxzqjgnd İſ<>", max_size=6),
)
TEXTS = st.lists(FRAGMENTS, max_size=12).map("".join)


@st.composite
def pieces(draw: st.DrawFn) -> list[str]:
    text = draw(TEXTS)
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


@pytest.mark.parametrize(
    ("said", "restored"),
    [
        ("Write to EMAIL_kgqjmznx.", "Write to bob@example.com."),
        ("email_KGQJMZNX", "bob@example.com"),
        (r"EMAIL\_kgqjmznx and US\_SSN\_xxxxxxxj", "bob@example.com and 078-05-1120"),
        ("<EMAIL_kgqjmznx>", "<bob@example.com>"),
        ("kgqjmznx", "bob@example.com"),
        ("Adresse: E-Mail kgqjmznx", "Adresse: E-Mail bob@example.com"),
        ("https://x.example/?to=EMAIL_kgqjmznx&cc=EMAIL_xkgqjmzn", "https://x.example/?to=bob@example.com&cc=ann@example.com"),
        ("EMAIL_kgqjmznxs", "bob@example.coms"),
        ("EMAIL_EMAIL_kgqjmznx", "EMAIL_bob@example.com"),
        ("US_SSN_kgqjmznx", "US_SSN_bob@example.com"),
        ("ID_xnxnxnxn", "EMAIL_kgqjmznx"),
        ("EMAIL_kgqjmzn", "EMAIL_kgqjmzn"),
        ("EMAIL_bbbbbbbb", "EMAIL_bbbbbbbb"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_models_make_of_a_placeholder_is_its_value(said: str, restored: str) -> None:
    assert KNOWN.restore(said) == restored


def test_inside_json_a_value_stays_one() -> None:
    said = json.dumps({"to": "US_djjjjjjj", "cc": r"US\_djjjjjjj"})
    assert json.loads(KNOWN.restore(said, json=True)) == {"to": 'a "quoted"\nvalue\\', "cc": 'a "quoted"\nvalue\\'}


@given(pieces(), st.booleans())
@example(["EMAIL_kgqjmzn", "x"], False)
@example(["xEMAIL_xkgqjmzn", "x"], False)
def test_however_a_text_is_cut_the_same_comes_out(cut: list[str], quoted: bool) -> None:
    said, held = "", ""
    for piece in cut:
        more, held = KNOWN.split(held + piece, json=quoted)
        said += more
        assert len(held) < 32
    assert said + held == KNOWN.restore("".join(cut), json=quoted)


def test_only_what_may_become_a_placeholder_waits() -> None:
    assert KNOWN.split("Hello you") == ("Hello yo", "u")  # as US_SSN_ begins
    assert KNOWN.split("Hello!") == ("Hello!", "")
    assert KNOWN.split("to EMAIL_kgq") == ("to ", "EMAIL_kgq")
    assert KNOWN.split("to EMAIL_kgqjmznx") == ("to bob@example.com", "")


def test_without_values_nothing_changes() -> None:
    assert Placeholders({}).split("EMAIL_kgqjmznx") == ("EMAIL_kgqjmznx", "")
