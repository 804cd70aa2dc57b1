"""Every rule finds its own example, and says where it comes from."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.errors import ConfigError
from twintrack.signals.sensitivity import rules
from twintrack.signals.sensitivity.checks import check
from twintrack.signals.sensitivity.demands import for_bytes
from twintrack.signals.sensitivity.detector import CustomRule, Detector
from twintrack.signals.sensitivity.finding import Scanned
from twintrack.signals.sensitivity.linear import Linear
from twintrack.signals.sensitivity.own_tests import Outcome, outcomes
from twintrack.signals.sensitivity.reference import reference
from twintrack.signals.sensitivity.scan import scan


@pytest.fixture(scope="module")
def tried(detector: Detector) -> list[Outcome]:
    return list(outcomes(detector))


def test_every_rule_finds_its_own_example(tried: list[Outcome]):
    assert [(one.rule, one.text, one.found) for one in tried if not one.right] == []


def test_there_are_at_least_200_credential_formats_each_with_an_id_and_a_source_of_its_own():
    secrets = rules.secrets()
    ids = [rule.id for rule in (*secrets.token, *secrets.keyed)]
    assert len(ids) == len(set(ids)) >= 200
    assert all(rule.source for rule in (*secrets.token, *secrets.keyed))


def test_identifiers_of_at_least_30_countries_and_most_have_check_digits():
    types = rules.identifiers().type
    assert len({rule.id.partition("_")[0] for rule in types}) >= 30
    assert sum(bool(rule.check) for rule in types) >= 70


_RANGES = frozenset(("us.ssn", "us.itin", "us.ein", "in_.pan", "my.nric", "pk.cnic", "bic"))
"""Checks of what is issued at all, since the number has no check digit."""


@pytest.mark.parametrize("rule", [rule for rule in rules.identifiers().type if rule.check], ids=lambda rule: rule.id)
def test_a_valid_number_passes_its_check_and_a_typing_error_does_not(rule: rules.Number):
    holds = check(rule.check)
    assert holds(rule.number)
    if rule.check in _RANGES:
        return
    changed = [_with_digit(rule.number, at) for at, char in enumerate(rule.number) if char.isdigit()]
    assert sum(not _quietly(holds, number) for number in changed) > len(changed) / 2


def _with_digit(number: str, at: int) -> str:
    return f"{number[:at]}{(int(number[at]) + 1) % 10}{number[at + 1 :]}"


def _quietly(holds, number: str) -> bool:
    try:
        return holds(number)
    except ValueError:
        return False


def test_context_words_stand_in_twelve_languages_and_more_for_what_is_asked_most():
    least = {"en", "de", "fr", "es", "it", "nl", "pl", "pt", "cs", "tr", "ja", "zh"}
    for concept in (
        "national_id",
        "tax_id",
        "mrn",
        "passport",
        "bank_account",
        "card",
        "phone",
        "birth",
        "secret_word",
    ):
        assert least <= set(rules.vocabulary().concept[concept]), concept
    assert least <= set(rules.health().strong)


@pytest.mark.parametrize("rule", [rule for rule in rules.identifiers().type if rule.alone], ids=lambda rule: rule.id)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_number_that_needs_no_word_beside_it_is_looked_for_wherever_it_may_stand(
    rule: rules.Number, data: st.DataObject
):
    """The pattern for a text's bytes holds wherever the rule's own does."""
    own = rule.alone.replace(r"\1", r"(?:[-–])").replace("–", "")
    number = data.draw(st.from_regex(own, fullmatch=True, alphabet=st.characters(codec="ascii")))
    assert re.fullmatch(for_bytes(own).encode(), number.encode()) is not None


def test_a_prefix_stands_in_every_match_so_that_nothing_is_missed(tried: list[Outcome]):
    """A rule whose nominating literal were wrong would never be asked: its example would not be found."""
    for token in rules.secrets().token:
        if not token.nominate:
            example = next(one.text for one in tried if one.rule == token.id)
            assert any(prefix in example.lower() for prefix in token.prefix), token.id


def test_patterns_for_words_hold_only_what_all_three_libraries_read_alike(detector: Detector):
    for pattern in detector.lexicon.patterns:
        assert re.search(rb"\\[dDwWsSbBAZpP]|\(\?[^:]", pattern) is None, pattern


def test_a_custom_rule_is_tried_on_the_texts_beside_it():
    rule = CustomRule(
        name="project",
        category="projects",
        terms=("Blue Heron",),
        pattern=r"PRJ-\d{4}",
        finds=("the Blue Heron launch", "see PRJ-1234", "blue heron"),
        ignores=("a blue bird", "PRJ-12"),
    )
    own = [one for one in outcomes(Detector([rule])) if one.rule == "project"]
    assert len(own) == 5
    assert all(one.right for one in own)


def test_a_custom_rule_that_finds_what_it_should_leave_alone_fails_its_test():
    rule = CustomRule(name="greedy", category="own", pattern=r"\d+", finds=("no figure",), ignores=("7 apples",))
    assert [one.right for one in outcomes(Detector([rule])) if one.rule == "greedy"] == [False, False]


def test_the_reference_is_written_from_the_rules(request: pytest.FixtureRequest):
    page = request.config.rootpath / "docs" / "privacy-rules.md"
    assert page.read_text() == reference(), "run: make docs"


def test_what_a_vendor_prints_for_everybody_is_no_secret_and_its_neighbour_is(detector: Detector):
    printed = "sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc"
    assert not _secrets(detector, f"curl https://api.stripe.com/v1/charges -u {printed}:")
    assert _secrets(detector, f"curl https://api.stripe.com/v1/charges -u {printed[:-1]}d:")


@pytest.mark.parametrize(
    "text",
    [
        "curl --user neo4j:[PASSWORD] http://[IP]:7474/db/data/",
        'curl -u "${{needs.vault.outputs.id}}:${{needs.vault.outputs.password}}"',
        "AKIA" + "IOSFODNN7EXAMPLE",
        "s.makeKubeConfigController = args",
        '"key_vault_name": "web21prqodx24021",',
        'publicToken = "9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit"',
        "https://host.example/API-BD80F56CDC1441E6BF6011AB6D852875",
    ],
)
def test_what_only_stands_where_a_secret_would_is_none(detector: Detector, text: str):
    assert not _secrets(detector, text)


def _secrets(detector: Detector, text: str) -> list[str]:
    verdict = scan(detector, text)
    assert isinstance(verdict, Scanned)
    return [one.rule for one in verdict.findings if one.category == "secret"]


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*b", r"(\w+\s?)*z", r"(x+x+)+y"])
def test_no_text_makes_a_pattern_of_an_operator_take_long(pattern: str):
    detector = Detector([CustomRule(name="slow", category="own", pattern=pattern)])
    text = "a" * 400 + "! " + "x" * 400 + "! " + "word " * 100
    began = time.process_time()
    assert isinstance(scan(detector, text * 10), Scanned)
    assert time.process_time() - began < 2.0


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        (r"(?<=x)y", "looks ahead or back"),
        (r"x(?!y)", "looks ahead or back"),
        (r"(a)\1", "refers to a group"),
        (r"(a", "is no regular expression"),
        (r"a*", "nothing at all"),
        (r"(a{500}){500}", "too large"),
    ],
)
def test_a_pattern_that_cannot_be_looked_for_in_one_pass_is_refused(pattern: str, says: str):
    with pytest.raises(ConfigError, match=says):
        Detector([CustomRule(name="odd", category="own", pattern=pattern)])


_PIECES = [
    r"K-\d{6}", r"a+b?", r"(?i)projekt\s+\w+", r"\bx\d*\b", r"[À-ÿ]+\w*", "é+", r"^x.{2,5}", r"(?m)^\w+$",
    r"[^a-c\s]{2,3}", r"(?:ab|c)+d", r"\Bb\B", r"(?i)[a-f0-9]{2}(?::[A-F0-9]{2})+", r"(?s)a.b", r"\D\d\D",
    r"(?x) a b # c", r"\Ax+", r"\d+\Z",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(_PIECES), st.text(alphabet="abcdxKÉé01-6: \nprojektPÜ_", max_size=60))
def test_a_pattern_finds_what_python_finds(pattern: str, text: str):
    """Where no two matches from one place are of different length, or the longest is what Python takes as well."""
    wanted = [found.span() for found in re.finditer(pattern, text) if found[0]]
    assert list(Linear(pattern).spans(text)) == wanted
