from __future__ import annotations

import tomllib
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.config.moving import write

_TEXT = st.text(st.characters(exclude_categories=("Cs",)))
_VALUE = st.recursive(
    _TEXT | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(_TEXT, _VALUE, st.text())
def test_what_is_written_reads_back(name, value, comment):
    assert tomllib.loads(write.pair(name, value, comment)) == {name: value}


@given(st.text())
def test_comments_are_comments(text):
    assert tomllib.loads("\n".join(write.comment(text))) == {}


@pytest.mark.parametrize(
    ("number", "text"),
    [(0.15, "0.15"), (3e-6, "0.000003"), (Decimal("3.0"), "3.0"), (1e9, "1000000000.0"), (Decimal(2), "2.0")],
)
def test_prices_have_no_exponent(number, text):
    assert write.value(number) == text


def test_half_of_a_pair_is_no_character():
    assert tomllib.loads(write.pair("a", "x\ud800y")) == {"a": "x\ufffdy"}


def test_long_comments_are_wrapped():
    lines = write.comment("word " * 60, indent="  ", hang="  ")
    assert len(lines) > 2
    assert all(len(line) <= write.COLUMNS for line in lines)
    assert lines[0].startswith("#   word")
    assert lines[1].startswith("#     word")
