"""What the gateway steers by: verdicts beside predictions, by the router that made them, and what a day has cost."""

from __future__ import annotations

import msgspec
import pytest
from ledger_records import HOUR_US, MANAGED, NAMES, PREMIUM, T0, Books, dispatch, names, released, settle

from twintrack.ledger.records import Judged
from twintrack.ledger.surplus import MOST_A_DAY, is_judged, newest_verdict, spent, surpluses
from twintrack.policy.controller import CHECKED

ROUTER = "8c1e77aa"


@pytest.fixture
def books(tmp_path) -> Books:
    books = Books(tmp_path)
    names = msgspec.structs.replace(NAMES, policy_version=f"0123456789ab+{ROUTER}")
    books.worker = books.new_worker("w1", names)
    return books


def judged(request_id: str, score: float, *, source: str = "check", at_us: int = T0, key: int = -1) -> Judged:
    return Judged(request_id, at_us, key, 1, source, score)


def test_verdicts_are_compared_with_what_was_predicted(books):
    books.load(
        dispatch("a", p_good=0.9), settle("a"), dispatch("b", p_good=0.6), settle("b"),
        dispatch("c", p_good=0.7, deployment=PREMIUM, chosen=PREMIUM), settle("c"),
        dispatch("d", p_good=0.5, route=1), settle("d"), dispatch("e"), settle("e"),
        judged("a", 0.0), judged("b", 1.0), judged("c", 1.0), judged("d", 0.5),
    )  # fmt: skip
    assert surpluses(books.path, ROUTER, 0, 100) == {
        "auto": {
            "mid@managed": (2.0, pytest.approx(-0.5), pytest.approx(0.81 + 0.16)),
            "gpt@openai": (1.0, pytest.approx(0.3), pytest.approx(0.09)),
        },
        "bot": {"mid@managed": (1.0, pytest.approx(0.0), pytest.approx(0.0))},
    }
    assert newest_verdict(books.path) == (4, T0)
    assert is_judged(books.path, T0)
    assert not is_judged(books.path, T0 + 1)


def test_one_answer_counts_once_by_its_most_trusted_source(books):
    books.load(
        dispatch("a", p_good=0.5), settle("a"),
        judged("a", 1.0, source="judge"), judged("a", 0.0, source="human"),
    )  # fmt: skip
    assert surpluses(books.path, ROUTER, 0, 100)["auto"]["mid@managed"] == (1.0, -0.5, 0.25)


def test_what_the_router_did_not_predict_says_nothing_of_it(books):
    observed = dispatch("b", chosen=PREMIUM)
    books.load(
        dispatch("a", route=-1, p_good=None), settle("a"), observed, settle("b"),
        dispatch("c"), released("c"), dispatch("c", 1, deployment=PREMIUM), settle("c", 1),
        *(judged(each, 0.0) for each in "abc"),
    )  # fmt: skip
    assert surpluses(books.path, ROUTER, 0, 100) == {}
    books.load(dispatch("d"), settle("d"), judged("d", 0.0))
    assert surpluses(books.path, "another1", 0, 100) == {}
    assert set(surpluses(books.path, ROUTER, 0, 100)) == {"auto"}


def test_drafts_that_a_check_let_through_are_compared_with_the_best_and_say_nothing_of_who_drafted(books):
    """Only those that pass are seen and judged, and the prediction for who drafted is of all."""
    books.load(
        dispatch("a", p_good=0.5, p_best=0.9, role="draft"), settle("a"), judged("a", 1.0),
        dispatch("b", p_good=0.5, p_best=0.9, role="draft", chosen=PREMIUM), settle("b"), judged("b", 0.0),
        dispatch("c", p_good=0.5, p_best=None, role="draft"), settle("c"), judged("c", 0.0),
    )  # fmt: skip
    assert surpluses(books.path, ROUTER, 0, 100) == {
        "auto": {CHECKED: (2.0, pytest.approx(0.1 - 0.9), pytest.approx(0.01 + 0.81))}
    }


def test_only_the_newest_verdicts_of_a_route_count(books):
    for place in range(6):
        books.load(
            dispatch(f"r{place}", p_good=0.5), settle(f"r{place}"), judged(f"r{place}", place % 2, at_us=T0 + place)
        )
    assert surpluses(books.path, ROUTER, 0, 2)["auto"]["mid@managed"] == (2.0, 0.0, 0.5)
    assert surpluses(books.path, ROUTER, T0 + 5, 100)["auto"]["mid@managed"] == (1.0, 0.5, 0.25)


def test_a_key_that_says_much_does_not_crowd_out_another(tmp_path):
    books = Books(tmp_path)
    both = names(keys=("one", "much"), tenants=("", ""))
    books.worker = books.new_worker("w1", msgspec.structs.replace(both, policy_version=f"0123456789ab+{ROUTER}"))
    for number in range(40):
        key = int(number >= 10)
        books.write(dispatch(f"r{number}", key=key, p_good=0.5), settle(f"r{number}"))
        books.write(judged(f"r{number}", 1.0 - key, source="feedback", key=key, at_us=T0 + number))
    books.load()
    assert surpluses(books.path, ROUTER, 0, 20)["auto"]["mid@managed"] == (20.0, 0.0, 5.0)
    books.load(judged("r39", 1.0, source="human"))
    assert surpluses(books.path, ROUTER, 0, 2)["auto"]["mid@managed"] == (2.0, pytest.approx(0.0), 0.5)


def test_what_one_key_or_tenant_says_on_a_day_has_a_bounded_weight(tmp_path):
    books = Books(tmp_path)
    three = names(keys=("one", "two", "other"), tenants=("acme", "acme", ""))
    books.worker = books.new_worker("w1", msgspec.structs.replace(three, policy_version=f"0123456789ab+{ROUTER}"))
    often = 4 * MOST_A_DAY
    for number in range(often + 1):
        key = 2 if number == often else number % 2
        books.write(dispatch(f"r{number}", key=key, p_good=0.5), settle(f"r{number}"))
        books.write(judged(f"r{number}", float(key == 2), source="feedback", key=key, at_us=T0 + number))
    books.load()

    def said(tenants: dict[str, str]) -> tuple[float, float, float]:
        return surpluses(books.path, ROUTER, 0, 1_000, tenants)["auto"]["mid@managed"]

    assert said({}) == pytest.approx((2 * MOST_A_DAY + 1, 0.5 - MOST_A_DAY, MOST_A_DAY / 2 + 0.25))
    assert said({"one": "acme", "two": "acme"})[:2] == pytest.approx((MOST_A_DAY + 1, 0.5 - MOST_A_DAY / 2))
    tomorrow = T0 + 24 * HOUR_US
    books.load(
        dispatch("t", key=0, p_good=0.5), settle("t"), judged("t", 0.0, source="feedback", key=0, at_us=tomorrow)
    )
    assert said({})[0] == pytest.approx(2 * MOST_A_DAY + 2)
    # Who may judge is not bounded: whoever runs the gateway says who that is.
    for number in range(often):
        books.write(judged(f"r{number}", 0.0, source="check", at_us=T0 + number))
    books.load()
    assert said({})[0] == often + 2


def test_what_a_day_cost_by_route(books):
    day = T0 // HOUR_US // 24
    midnight = (day + 1) * 24 * HOUR_US
    books.load(
        dispatch("a"), settle("a", cost_nusd=70), dispatch("b"), settle("b", cost_nusd=30),
        dispatch("c", route=1, deployment=MANAGED), settle("c", cost_nusd=5),
        dispatch("d"), settle("d", cost_nusd=None),
        dispatch("e", at_us=midnight), settle("e", at_us=midnight + 9, cost_nusd=1),
    )  # fmt: skip
    assert spent(books.path, day) == {"auto": 100, "bot": 5}
    assert spent(books.path, day + 1) == {"auto": 1}
    assert spent(books.path, day - 1) == {}
