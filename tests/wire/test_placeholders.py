"""Values back in the place of their placeholders, in any pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from twintrack.wire.placeholders import Placeholders

VALUES = {
    "EMAIL_k7q2mz9x": "bob@example.com",
    "EMAIL_xk7q2mz9": "ann@example.com",
    "US_SSN_xxxxxxx2": "078-05-1120",
    "US_d2222222": 'a "quoted"\nvalue\\',
    "ID_x9x9x9x9": "EMAIL_k7q2mz9x",
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
    st.text("emailus_\\kxzq279d İſ<>", max_size=6),
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
        ("Write to EMAIL_k7q2mz9x.", "Write to bob@example.com."),
        ("email_K7Q2MZ9X", "bob@example.com"),
        (r"EMAIL\_k7q2mz9x and US\_SSN\_xxxxxxx2", "bob@example.com and 078-05-1120"),
        ("<EMAIL_k7q2mz9x>", "<bob@example.com>"),
        ("k7q2mz9x", "bob@example.com"),
        ("Adresse: E-Mail k7q2mz9x", "Adresse: E-Mail bob@example.com"),
        ("https://x.example/?to=EMAIL_k7q2mz9x&cc=EMAIL_xk7q2mz9", "https://x.example/?to=bob@example.com&cc=ann@example.com"),
        ("EMAIL_k7q2mz9xs", "bob@example.coms"),
        ("EMAIL_EMAIL_k7q2mz9x", "EMAIL_bob@example.com"),
        ("US_SSN_k7q2mz9x", "US_SSN_bob@example.com"),
        ("ID_x9x9x9x9", "EMAIL_k7q2mz9x"),
        ("EMAIL_k7q2mz9", "EMAIL_k7q2mz9"),
        ("EMAIL_bbbbbbbb", "EMAIL_bbbbbbbb"),
        ("", ""),
    ],
)  # fmt: skip
def test_what_models_make_of_a_placeholder_is_its_value(said: str, restored: str) -> None:
    assert KNOWN.restore(said) == restored


def test_inside_json_a_value_stays_one() -> None:
    said = json.dumps({"to": "US_d2222222", "cc": r"US\_d2222222"})
    assert json.loads(KNOWN.restore(said, json=True)) == {"to": 'a "quoted"\nvalue\\', "cc": 'a "quoted"\nvalue\\'}


@given(pieces(), st.booleans())
@example(["EMAIL_k7q2mz9", "x"], False)
@example(["xEMAIL_xk7q2mz9", "x"], False)
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
    assert KNOWN.split("to EMAIL_k7q") == ("to ", "EMAIL_k7q")
    assert KNOWN.split("to EMAIL_k7q2mz9x") == ("to bob@example.com", "")


def test_without_values_nothing_changes() -> None:
    assert Placeholders({}).split("EMAIL_k7q2mz9x") == ("EMAIL_k7q2mz9x", "")
