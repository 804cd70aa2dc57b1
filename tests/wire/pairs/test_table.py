"""The page about dialects tells what happens."""

from __future__ import annotations

from pairs.features import FEATURES
from pairs.outcomes import COLUMNS, LEFT_OUT, REFUSED, REWORDED, UNSAID, YES, cell, outcomes
from pairs.table import PAGE, page


def test_the_page_holds_the_table_as_it_is_now() -> None:
    text = PAGE.read_text()
    assert text == page(text), "make docs writes it again"


def test_every_feature_can_be_asked_for_and_reaches_its_own_dialect() -> None:
    for feature in FEATURES:
        found = outcomes(feature)
        assert found["straight"], feature.name
        if not feature.name.startswith("thought"):  # of another vendor, so it is taken out
            assert cell(found["straight"]) == YES, feature.name


def test_outcomes_are_found_out() -> None:
    """One of each kind, by name, so that a mistake in finding them out is seen."""
    by_name = {feature.name: outcomes(feature) for feature in FEATURES}
    for name, column, word in (
        ("seed", "chat → gemini", YES),
        ("seed", "chat → messages", REFUSED),
        ("seed", "messages → chat", UNSAID),
        ("tools_custom", "chat → messages", REWORDED),
        ("verbosity", "responses → messages", LEFT_OUT),
    ):
        assert column in COLUMNS
        assert cell(by_name[name][column]) == word, (name, column)
