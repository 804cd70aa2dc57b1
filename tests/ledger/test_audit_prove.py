"""What the chain proves: everybody who saw data of a class was allowed to, by the rules of that time."""

from __future__ import annotations

import zlib

import msgspec
import pytest
from audit_attacks import rewrite
from ledger_records import (
    DEPLOYMENTS,
    MANAGED,
    OWN,
    PREMIUM,
    T0,
    Books,
    dispatch,
    names,
    refuse,
    released,
    screened,
    settle,
)

from twintrack.config.settings import DataClass
from twintrack.ledger.audit.decisions import decision_of, decisions
from twintrack.ledger.audit.prove import Proof, prove
from twintrack.ledger.audit.told import told
from twintrack.ledger.database import reading
from twintrack.signals.sensitivity.measured import measured, misses

RULES = {
    "public": {"zones": ["own", "contracted", "third_party"], "regions": ["*"]},
    "internal": {"zones": ["own", "contracted", "third_party"], "regions": ["*"]},
    "confidential": {"zones": ["own", "contracted"], "regions": ["eu-*"]},
    "restricted": {"zones": ["own"], "regions": ["*"]},
}


def places(deployments: tuple[tuple[str, str, str, str, str, bool], ...], **more: object) -> list[dict[str, object]]:
    return [
        {"name": name, "provider": provider, "zone": zone, "region": region} | more
        for name, _, provider, zone, region, _ in deployments
    ]


def policy(**more: object) -> bytes:
    routes = [{"name": "auto"}, {"name": "bot"}]
    content = {"privacy": RULES, "deployments": places(DEPLOYMENTS), "routes": routes} | more
    return zlib.compress(msgspec.json.encode(content))


def use(books: Books, content: bytes, version: str = "aaaa", **changes: object) -> None:
    """The worker serves another policy."""
    books.worker.names(names(policy_version=version, policy=content, at_us=T0, **changes))


def proof(books: Books, data_class: DataClass = "restricted", since: int = 0, until: int = T0 * 2) -> Proof:
    with reading(books.path) as db:
        return prove(db, data_class, since, until)


def test_it_holds_where_everybody_was_allowed_to(books: Books):
    use(books, policy())
    books.load(
        dispatch("a", data_class=3, deployment=OWN),
        settle("a"),
        dispatch("b", data_class=2, deployment=MANAGED),
        settle("b"),
        dispatch("c", data_class=1, deployment=PREMIUM),
        settle("c"),
        refuse("d", data_class=3),
    )
    found = proof(books)
    assert found.holds
    assert (found.requests, found.attempts, found.refused) == (2, 1, 1)
    assert [(place.zone, place.deployment) for place in found.places] == [("own", "llama@gpu")]
    wider = proof(books, "confidential")
    assert wider.holds
    assert (wider.requests, wider.attempts) == (3, 2)
    assert wider.statement.startswith("3 requests of class confidential or above from ")
    assert proof(books, "internal").attempts == 3


def test_one_attempt_outside_policy_is_a_violation(books: Books):
    use(books, policy())
    books.load(
        dispatch("a", data_class=3, deployment=OWN), released("a"),
        dispatch("a", 1, data_class=3, deployment=PREMIUM), settle("a", 1),
    )  # fmt: skip
    found = proof(books)
    assert not found.holds
    assert (found.violations, found.attempts) == (1, 2)
    (breach,) = found.breaches
    assert (breach.request_id, breach.deployment, breach.zone) == ("a", "gpt@openai", "third_party")
    assert "restricted" in breach.why


def test_the_rules_are_those_of_the_time(books: Books):
    use(books, policy())
    books.load(dispatch("a", data_class=3, deployment=OWN), settle("a"))
    strict = policy(privacy=RULES | {"restricted": {"zones": [], "regions": ["*"]}})
    use(books, strict, version="bbbb")
    assert proof(books).holds
    books.load(dispatch("b", data_class=3, deployment=OWN), settle("b"))
    found = proof(books)
    assert (found.violations, found.policies) == (1, {"aaaa": 1, "bbbb": 1})
    assert found.breaches[0].policy == "bbbb"


def test_a_region_counts_as_it_was(books: Books):
    use(books, policy())
    books.load(dispatch("a", data_class=2, deployment=MANAGED), settle("a"))
    moved = tuple((*words[:4], "us", words[5]) if words[0] == "mid@managed" else words for words in DEPLOYMENTS)
    use(books, policy(deployments=places(moved)), version="bbbb", deployments=moved)
    books.load(dispatch("b", data_class=2, deployment=MANAGED), settle("b"))
    found = proof(books, "confidential")
    assert [(place.region, place.attempts) for place in found.places] == [("eu-west", 1), ("us", 1)]
    assert found.violations == 1


def test_rules_of_a_route_and_of_a_key_narrow(books: Books):
    own = {"classes": {"internal": {"zones": ["own"], "regions": ["*"]}}}
    routes = [{"name": "auto"}, {"name": "bot", "privacy": own}]
    use(books, policy(routes=routes, keys=[{"name": "dev"}, {"name": "app", "privacy": own}]))
    books.load(
        dispatch("a", deployment=PREMIUM, route=0, key=0), settle("a"),
        dispatch("b", deployment=PREMIUM, route=1, tier=0, key=0), settle("b"),
        dispatch("c", deployment=PREMIUM, route=0, key=1), settle("c"),
    )  # fmt: skip
    found = proof(books, "internal")
    assert sorted(breach.request_id or "" for breach in found.breaches) == ["b", "c"]


def test_rules_for_what_was_found_narrow(books: Books):
    use(books, policy(categories={"export": {"zones": ["own"], "regions": ["*"]}}))
    books.load(
        screened("a", categories=("export",)), dispatch("a", deployment=PREMIUM), settle("a"),
        screened("b", categories=("pii",)), dispatch("b", deployment=PREMIUM), settle("b"),
    )  # fmt: skip
    assert [breach.request_id for breach in proof(books, "internal").breaches] == ["a"]


def test_terms_that_ended_before_the_request_are_a_violation(books: Books):
    today = T0 // 86_400_000_000
    agreed = {"storage_region": "", "retention_days": 0, "trains_on_data": False, "baa": True, "dpa": True}
    terms = agreed | {"persons": [], "until_day": today}
    use(books, policy(deployments=places(DEPLOYMENTS, terms=terms)))
    books.load(dispatch("a", data_class=2), settle("a"))
    assert proof(books, "confidential").holds
    later = T0 + 2 * 86_400_000_000
    books.load(dispatch("b", data_class=2, at_us=later), settle("b", at_us=later + 5))
    assert [breach.request_id for breach in proof(books, "confidential").breaches] == ["b"]


def test_a_request_sent_below_the_class_it_was_read_as_is_a_violation(books: Books):
    use(books, policy())
    books.load(
        screened("a", data_class=3), dispatch("a", data_class=1, deployment=PREMIUM), settle("a"),
        screened("b", found=3, data_class=1), dispatch("b", data_class=1, deployment=PREMIUM), settle("b"),
        screened("c", found=3, data_class=1, mode="observe"), dispatch("c", data_class=1), settle("c"),
        screened("d", found=3, data_class=1, override="chief"), dispatch("d", data_class=1), settle("d"),
        screened("e", found=2, data_class=1, pseudonyms=4), dispatch("e", data_class=1), settle("e"),
    )  # fmt: skip
    found = proof(books, "internal")
    assert sorted(breach.request_id or "" for breach in found.breaches) == ["a", "b"]
    assert (found.reading.found_higher, found.reading.overridden, found.reading.replaced) == (4, 1, 1)


def test_what_cannot_be_checked_is_not_proven(books: Books):
    books.load(dispatch("a", data_class=3, deployment=OWN), settle("a"))  # under a policy nobody recorded
    books.load(settle("b"))  # whose dispatch lay in a damaged part
    found = proof(books)
    assert not found.holds
    assert found.unknown == 2


def test_a_forged_chain_proves_nothing(books: Books):
    use(books, policy())
    books.load(dispatch("a", data_class=3, deployment=PREMIUM), settle("a"))

    def forge(entry: list[object]) -> None:
        if entry[0] == 2:
            entry[entry.index("third_party")] = "own"

    rewrite(books.path, forge)
    found = proof(books)
    assert not found.holds
    assert found.violations == 1, "the policy says where it is"
    assert found.chain.problems, "and so does the ledger"


def test_what_was_not_read_is_said(books: Books):
    use(books, policy())
    for number in range(10):
        if number < 6:
            books.write(screened(f"r{number}", categories=("pii",), unscanned=("image",) if number < 3 else ()))
        books.write(dispatch(f"r{number}"), settle(f"r{number}"))
    books.load()
    reading_ = proof(books).reading
    assert (reading_.requests, reading_.read, reading_.not_read, reading_.with_unscanned) == (10, 6, 4, 3)
    assert (reading_.unscanned_share, reading_.unscanned_kinds, reading_.detectors) == (0.5, {"image": 3}, {"d1": 6})
    (pii,) = [each for each in proof(books).misses if each.category == "pii"]
    assert pii.found == 3, "where something could not be read it is not known what was found"
    assert pii.missed_low <= pii.missed <= pii.missed_high


def test_only_what_lies_in_the_time_counts(books: Books):
    use(books, policy())
    for number in range(10):
        books.write(dispatch(f"r{number}", at_us=T0 + number), settle(f"r{number}", at_us=T0 + number + 1))
    books.load()
    assert proof(books, "internal", T0 + 3, T0 + 7).attempts == 4


def test_a_request_over_several_loads_is_one_decision(books: Books):
    use(books, policy())
    books.load(screened("a", found=2, data_class=2, counts=(("email", 1),)))
    books.load(dispatch("a", data_class=2, deployment=OWN))
    books.load(released("a"))
    books.load(dispatch("a", 1, data_class=2, deployment=MANAGED), settle("a", 1))
    with reading(books.path) as db:
        (one,) = decisions(db)
        same = decision_of(db, "a")
        assert same is not None
        assert told(one) == told(same)
        assert [each.about.deployment for each in one.asked] == ["llama@gpu", "mid@managed"]
        assert told(one)["read"]["counts"] == {"email": 1}
        assert [each["outcome"] for each in told(one)["asked"]] == ["upstream_refused", "ok"]
        assert decision_of(db, str(one.seq)) is not None
        assert decision_of(db, "nobody") is None
        (continued,) = decisions(db, since_us=T0 + 1)
        assert continued.continues
        assert continued.screen == one.screen


@pytest.mark.parametrize("category", ["pii", "phi", "financial", "secret", "export"])
def test_misses_grow_with_what_was_found_and_never_go_below_what_could_be_unseen(category: str):
    nothing, some, many = (misses(category, found) for found in (0, 100, 10_000))
    assert nothing is not None
    assert some is not None
    assert many is not None
    assert nothing.missed == 0 < nothing.missed_high
    assert some.missed_high < many.missed_high
    assert misses("own words", 3) is None
    assert all(0 < row.found <= row.documents for row in measured())
