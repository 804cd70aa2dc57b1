"""What is looked for only where its literals stand is found as if all of the text were searched."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.signals.sensitivity import rules
from twintrack.signals.sensitivity.demands import PARSER
from twintrack.signals.sensitivity.fold import view
from twintrack.signals.sensitivity.own_tests import drawn
from twintrack.signals.sensitivity.sought import Alternatives, at, at_any, beginnings, first_of

_WORDS = sorted(
    {word for rule in rules.markings().marking for word in re.findall(r"[^\W_]{2,}", rule.regex.replace("\\", " "))}
)
_EXAMPLES = [rule.example for rule in rules.markings().marking]
_CASES = st.sampled_from([str, str.upper, str.lower, str.title])
_PIECES = st.one_of(
    st.builds(lambda word, case: case(word), st.sampled_from(_WORDS), _CASES),
    st.builds(lambda word, case: case(word), st.sampled_from(_EXAMPLES), _CASES),
    st.sampled_from(["3A001", "22 CFR 120", "(", ")", "//", ".", "ı", "ſ"]),
)
_TEXTS = st.builds(str.join, st.sampled_from([" ", "\n", "//", "-", ": "]), st.lists(_PIECES, max_size=14))


@pytest.mark.parametrize("rule", rules.markings().marking, ids=lambda rule: rule.id)
@settings(max_examples=40, deadline=None)
@given(text=_TEXTS)
def test_alternatives_find_what_the_whole_pattern_does(rule: rules.Marking, text: str):
    seen = view(text)
    flags = re.MULTILINE if "m" in rule.flags else re.NOFLAG
    found = [each.span() for each in Alternatives(rule.regex, flags).finditer(seen.plain, seen.low)]
    assert found == [each.span() for each in re.finditer(rule.regex, seen.plain, flags)]


_TOKENS = [rule for rule in rules.secrets().token if rule.example and "i" not in rule.flags]


@settings(max_examples=200, deadline=None)
@given(
    rule=st.sampled_from(_TOKENS),
    others=st.lists(st.one_of(st.sampled_from(_TOKENS).map(lambda one: drawn(one.example)), st.text(max_size=9))),
    mark=st.sampled_from([" ", "", "\n", "="]),
    case=_CASES,
)
def test_a_token_is_found_where_it_begins(rule: rules.TokenRule, others: list[str], mark: str, case):
    seen = view(mark.join([case(drawn(rule.example)), *others, drawn(rule.example)]))
    pattern = re.compile(rule.regex)
    literals, any_case = beginnings(PARSER.parse(rule.regex))
    if not literals:
        return
    where = seen.low if any_case else seen.plain
    expected = [each.span() for each in pattern.finditer(seen.plain)]
    assert [each.span() for each in at(pattern, seen.plain, literals, where)] == expected
    together = re.compile("|".join(map(re.escape, literals)))
    assert [each.span() for each in at_any(pattern, seen.plain, together, where)] == expected


_STREETS = rules.addresses().street


@settings(max_examples=200, deadline=None)
@given(
    street=st.sampled_from(_STREETS),
    words=st.lists(st.builds(lambda one, case: case(one), st.sampled_from([s.example for s in _STREETS]), _CASES)),
    mark=st.sampled_from([" ", "", "\n", ", 12 "]),
    start=st.integers(0, 20),
    end=st.integers(0, 120),
)
def test_a_street_is_found_where_it_begins(street: rules.Street, words: list[str], mark: str, start: int, end: int):
    seen = view(mark.join([*words, street.example, street.example.upper(), street.example]))
    pattern = re.compile(street.regex)
    literals, any_case = beginnings(PARSER.parse(street.regex))
    if literals:
        together = re.compile("|".join(map(re.escape, literals)))
        found = at_any(pattern, seen.plain, together, seen.low if any_case else seen.plain, start, end)
        assert [each.span() for each in found] == [each.span() for each in pattern.finditer(seen.plain, start, end)]


def test_most_streets_that_begin_with_their_word_are_looked_for_there():
    begin = {street.languages[0] for street in _STREETS if beginnings(PARSER.parse(street.regex))[0]}
    assert {"es", "it", "pt", "pl"} <= begin


@settings(max_examples=200, deadline=None)
@given(text=st.text("ab0 ", max_size=30), start=st.integers(0, 5), end=st.integers(0, 30))
def test_the_first_of_several_patterns_is_that_of_one_with_bars(text: str, start: int, end: int):
    sources = ["ab+", "b0|a", "(?<=a)0+", "a b"]
    together = re.compile("|".join(f"(?:{each})" for each in sources))
    found = [each.span() for _, each in first_of([re.compile(each) for each in sources], text, start, end)]
    assert found == [each.span() for each in together.finditer(text, start, end)]
