"""Whatever does not add up is found and named."""

from __future__ import annotations

import pytest
from ledger_records import T0, Books, dispatch, on_own_engine, refuse, released, settle

from twintrack.ledger.balance import balance


@pytest.fixture
def full(books: Books) -> Books:
    books.load(
        dispatch("a"), settle("a"), dispatch("b"), released("b"), dispatch("b", 1), settle("b", 1), refuse("f"),
        dispatch("open"), *on_own_engine("own", T0, 5_000_000),
    )  # fmt: skip
    return books


def test_good_books_balance(full: Books):
    assert balance(full.path) == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE attempts SET cost_nusd = cost_nusd + 1 WHERE request_id = 'a'", "cost_nusd of"),
        ("UPDATE attempts SET input_tokens = 0 WHERE request_id = 'a'", "input_tokens of"),
        ("UPDATE attempts SET baseline_nusd = NULL WHERE request_id = 'a'", "saving_nusd of"),
        ("DELETE FROM attempts WHERE request_id = 'a'", "attempts of"),
        ("DELETE FROM attempts WHERE request_id = 'b' AND attempt = 0", "after an attempt that is missing"),
        ("DELETE FROM refusals", "requests of"),
        ("DELETE FROM rollups WHERE cost_nusd > 0", "in the roll-up and"),
        ("UPDATE rollups SET energy_estimated_mj = 1", "energy_estimated_mj of"),
        ("UPDATE rollups SET hourly_us = hourly_us + 1 WHERE hourly_us > 0", "is booked for"),
        ("UPDATE engine_hours SET busy_us = 4000000000", "in one hour"),
        ("UPDATE attempts SET ending = NULL WHERE request_id = 'a'", "parts of an end but no state"),
        ("UPDATE attempts SET ending = 999 WHERE request_id = 'a'", "a state that does not exist"),
        ("UPDATE attempts SET context = 999 WHERE request_id = 'a'", "a way that is not recorded"),
        ("UPDATE attempts SET writer = NULL WHERE request_id = 'open'", "neither an end nor a worker"),
        ("UPDATE attempts SET writer = 'w' WHERE request_id = 'a'", "still listed as running"),
        ("UPDATE attempts SET settled_us = NULL WHERE request_id = 'a'", "ended at no time"),
        ("UPDATE refusals SET request_id = 'a'", "its request was refused"),
    ],
)
def test_a_planted_discrepancy_is_found(full: Books, statement, found):
    full.change(statement)
    discrepancies = balance(full.path)
    assert any(found in each for each in discrepancies), discrepancies
