"""Reports are filled from what happened, name what is left blank, and say what they are not."""

from __future__ import annotations

import json
import zlib

import msgspec
import pytest
from ledger_records import (
    DEPLOYMENTS,
    HOUR_US,
    MANAGED,
    OWN,
    PREMIUM,
    SIMULATED,
    T0,
    Books,
    dispatch,
    names,
    screened,
    settle,
)

from twintrack.catalog.frameworks import frameworks
from twintrack.config import settings
from twintrack.ledger.audit.entry import Erased
from twintrack.ledger.audit.note import note
from twintrack.ledger.database import open_writer, reading
from twintrack.ledger.reports.form import Report, as_json, as_markdown
from twintrack.ledger.reports.gathered import changes
from twintrack.ledger.reports.sections import REPORTS
from twintrack.ledger.reports.written import reports

RULES = {
    "public": {"zones": ["own", "contracted", "third_party"], "regions": ["*"]},
    "restricted": {"zones": ["own"], "regions": ["*"]},
}
AGREED = settings.Terms(
    entity="Managed GmbH", baa=True, dpa=True, retention_days=30, evidence="contract 7", expires_on="2031-01-01"
)
SIGNED = settings.Provider(name="managed", terms=AGREED)


def policy(**more: object) -> bytes:
    known = {"llama": "llama-3.3-70b-instruct"}
    deployments = [
        {"name": name, "model": known.get(model, model), "provider": provider, "zone": zone, "region": region}
        for name, model, provider, zone, region, _ in DEPLOYMENTS
    ]
    routes = [{"name": "auto", "tiers": [{"name": "small", "deployments": [0, 1]}]}]
    content = {"privacy": RULES, "deployments": deployments, "routes": routes} | more
    return zlib.compress(msgspec.json.encode(content))


@pytest.fixture
def busy(books: Books) -> Books:
    books.worker.names(names(policy_version="aaaa", policy=policy(), at_us=T0))
    books.write(
        screened("a", categories=("phi", "pii")), dispatch("a", deployment=MANAGED, data_class=2), settle("a"),
        screened("b", categories=("export",)), dispatch("b", deployment=PREMIUM, data_class=1), settle("b"),
        dispatch("c", deployment=OWN, data_class=3), settle("c"),
        dispatch("d", deployment=SIMULATED), settle("d"),
    )  # fmt: skip
    books.load()
    stricter = policy(privacy=RULES | {"public": {"zones": ["own"], "regions": ["eu-*"]}})
    books.worker.names(names(policy_version="bbbb", policy=stricter, at_us=T0 + HOUR_US))
    books.load(dispatch("e", at_us=T0 + HOUR_US + 5, deployment=OWN), settle("e", at_us=T0 + HOUR_US + 9))
    return books


def made(books: Books, name: str, since: int = 0, until: int = T0 * 2) -> Report:
    with reading(books.path) as db:
        (report,) = reports(db, [name], since, until, now_us=T0, program="0", providers={"managed": SIGNED})
    return report


def rows(report: Report, title: str) -> list[dict[str, str]]:
    (found,) = [each for each in json.loads(as_json(report))["sections"] if each["title"].startswith(title)]
    return found["rows"]


@pytest.mark.parametrize("name", REPORTS)
def test_each_says_what_it_is_not_and_what_is_left_to_fill_in(busy: Books, name: str):
    report = made(busy, name)
    text = as_markdown(report)
    assert "no legal advice" in text
    framework = frameworks()[name]
    assert all(f"- [ ] {blank}" in text for blank in framework.blanks)
    assert all(source.address in text and source.as_of in text for source in framework.sources)
    assert framework.blanks
    assert "The audit chain verifies" in text
    assert json.loads(as_json(report))["report"] == name
    assert "demo@demo" not in text, "what was only pretended went nowhere"


def test_every_framework_has_its_report():
    assert list(frameworks()) == list(REPORTS)


def test_recipients_come_with_what_they_got_and_under_which_terms(busy: Books):
    recipients = {row["provider"]: row for row in rows(made(busy, "gdpr-art30"), "Recipients")}
    assert recipients["managed"]["classes"] == "confidential 1"
    assert recipients["managed"]["categories found"] == "phi 1, pii 1"
    assert (recipients["managed"]["legal entity"], recipients["managed"]["DPA stated"]) == ("Managed GmbH", "yes")
    assert recipients["managed"]["keeps"] == "30 days"
    assert recipients["openai"]["DPA stated"] == "no"
    transfers = {row["provider"]: row for row in rows(made(busy, "gdpr-art30"), "Transfers")}
    assert "gpu-room" not in transfers
    assert transfers["openai"]["attempts"] == "1"


def test_agreements_stand_beside_what_was_found(busy: Books):
    register = {row["provider"]: row for row in rows(made(busy, "hipaa"), "Who received")}
    assert register["managed"]["BAA stated"] == "yes"
    assert register["managed"]["with PHI found"] == "1"
    assert register["managed"]["evidence"] == "contract 7"
    assert register["openai"]["BAA stated"] == "no"
    assert register["openai"]["BAA offered"] == "yes"
    assert register["gpu-room"]["BAA stated"] == "not needed"
    assert "without a stated agreement: 0" in as_markdown(made(busy, "hipaa"))


def test_versions_come_with_their_times_and_what_changed(busy: Books):
    report = made(busy, "sox")
    versions = {row["version"]: row for row in rows(report, "Versions")}
    assert list(versions)[-2:] == ["aaaa", "bbbb"]
    assert versions["aaaa"]["ended"] == versions["bbbb"]["began"]
    assert versions["bbbb"]["ended"] == "serves"
    changed = [row["change"] for row in rows(report, "What changed") if row["version"] == "bbbb"]
    assert "privacy.public.zones: own, contracted, third_party → own" in changed
    assert "privacy.public.regions: * → eu-*" in changed


def test_a_version_that_began_before_the_time_is_listed(busy: Books):
    report = made(busy, "sox", since=T0 + HOUR_US // 2)
    assert [row["version"] for row in rows(report, "Versions")] == ["aaaa", "bbbb"]


def test_classes_stand_beside_places_and_who_can_reach_them(busy: Books):
    went = {row["provider"]: row for row in rows(made(busy, "export-control"), "Where each")}
    assert went["openai"]["with a marking found"] == "1"
    assert went["gpu-room"]["restricted"] == "1"
    assert went["openai"]["persons with access"] == "unknown"


def test_models_come_with_what_the_catalogue_knows(busy: Books):
    known = {row["model"]: row for row in rows(made(busy, "ai-act-annex-xii"), "Models")}
    assert known["llama-3.3-70b-instruct"]["licence"] != "unknown"
    assert known["mid"]["source"] == "not in the catalogue"


def test_what_was_erased_is_told(busy: Books):
    db = open_writer(busy.path)
    db.execute("BEGIN IMMEDIATE")
    note(db, Erased(T0 + 5, "key", "ff", 0, 3, 2, 0), T0 + 5)
    db.execute("COMMIT")
    db.close()
    assert rows(made(busy, "hipaa"), "Events")[0]["what"] == "erased: key, 3 entries, 2 attempts"


def test_a_chain_that_was_touched_is_said_first(busy: Books):
    busy.change("UPDATE audit SET hash = zeroblob(32) WHERE seq = 1")
    assert "none of this is to be relied on" in as_markdown(made(busy, "sox"))


def test_changes_name_the_place():
    before = {"routes": [{"name": "auto", "keep": 0.9}], "keys": 1}
    assert changes(before, {"routes": [{"name": "auto", "keep": 0.8}], "keys": 1}) == ["routes[auto].keep: 0.9 → 0.8"]
    assert changes(before, before) == []
