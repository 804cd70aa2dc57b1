"""The admin API: what the ledger and the snapshot say, as JSON, and errors that help."""

from __future__ import annotations

import msgspec
import pytest

from twintrack.config.snapshot import Tenant

HOUR_US = 3_600_000_000
MANAGED, PREMIUM, SIMULATED = 1, 2, 5
SECRETS = ("tk-our-secret", "sk-their-secret", "to-their-secret")


def test_the_summary_is_by_what_was_asked_for_since_then(console, ledger, now_us):
    ledger.answered("a", now_us - HOUR_US, MANAGED)
    ledger.answered("b", now_us - HOUR_US, PREMIUM, cost_nusd=6_545_000)
    ledger.answered("old", now_us - 30 * HOUR_US, PREMIUM, cost_nusd=6_545_000)
    ledger.load()
    found = console.get("/admin/api/summary?by=route,tier&since=1d").json()
    assert found["by"] == ["route", "tier"]
    rows = {row["group"]["tier"]: row["cost_nusd"] for row in found["rows"]}
    assert rows == {"balanced": 343_000, "premium": 6_545_000}
    assert found["total"]["savings"]["nusd"] == 6_202_000
    assert console.get("/admin/api/summary?by=").json()["total"]["requests"] == 3
    assert console.get("/admin/api/summary?since=2027-03-04").json()["total"]["requests"] == 2
    assert console.get("/admin/api/summary?until=2027-03-04T00:00").json()["total"]["requests"] == 1


def test_a_tenant_is_whom_the_configuration_says_its_keys_belong_to(console_over, snapshot, ledger, now_us):
    ledger.answered("a", now_us - HOUR_US, MANAGED)
    ledger.load()
    theirs = tuple(msgspec.structs.replace(key, tenant=0) for key in snapshot.keys)
    of_acme = msgspec.structs.replace(snapshot, keys=theirs, tenants=(Tenant(0, "acme"),))
    (row,) = console_over(of_acme).get("/admin/api/summary?by=month,tenant").json()["rows"]
    assert row["group"] == {"month": "2027-03", "tenant": "acme"}
    (row,) = console_over(snapshot).get("/admin/api/summary?by=tenant").json()["rows"]
    assert row["group"] == {"tenant": None}


def test_simulated_rows_stand_apart(console, ledger, now_us):
    ledger.answered("s", now_us - HOUR_US, SIMULATED)
    ledger.load()
    found = console.get("/admin/api/summary").json()
    assert found["total"]["requests"] == 0
    assert found["simulated_total"]["requests"] == 1


def test_what_was_said_about_answers_and_about_one(console, ledger, now_us):
    ledger.answered("a", now_us - HOUR_US, MANAGED)
    ledger.judged("a", now_us, 0.0, label="wrong")
    ledger.load()
    found = console.get("/admin/api/verdicts?since=1d").json()
    assert [(row["verdicts"], row["score"]) for row in found["rows"]] == [(1, 0.0)]
    assert console.get("/admin/api/verdicts?until=2027-03-01").json()["rows"] == []
    assert console.get("/admin/api/verdicts?since=yesterday").status == 400
    assert console.get("/admin/api/requests/a").json()["told"][-1].startswith("Judged 0 of 1, wrong (human) on ")
    assert "Judged 0 of 1, wrong" in console.get("/console/requests/a").text


@pytest.mark.parametrize(
    ("query", "param", "fix"),
    [
        ("by=rout", "by", "Did you mean route?"),
        ("by=route,teir", "by", "Did you mean tier?"),
        ("by=zzzz", "by", "Use month, day, hour, route"),
        ("since=yesterday", "since", "Use 30m, 12h, 7d"),
        ("since=9999999999d", "since", "Use 30m"),
        ("until=2026-13-01", "until", "Use 30m"),
        ("sinse=7d", "sinse", "Did you mean since?"),
    ],
)
def test_words_it_does_not_know_are_answered_with_the_nearest(console, query, param, fix):
    answer = console.get(f"/admin/api/summary?{query}")
    assert answer.status == 400
    error = answer.json()["error"]
    assert set(error) == {"code", "what", "why", "fix", "param"}
    assert error["param"] == param
    assert error["fix"].startswith(fix)


def test_requests_come_newest_first_in_pages(console, ledger, now_us):
    for number in range(5):
        ledger.answered(f"r{number}", now_us - HOUR_US + number)
    ledger.load()
    first = console.get("/admin/api/requests?limit=3").json()
    assert [entry["request_id"] for entry in first["entries"]] == ["r4", "r3", "r2"]
    second = console.get(f"/admin/api/requests?limit=3&before={first['next_before']}").json()
    assert [entry["request_id"] for entry in second["entries"]] == ["r1", "r0"]
    assert second["next_before"] is None


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=²", "before=x", "page=2"])
def test_limits_out_of_reach_are_refused(console, query):
    answer = console.get(f"/admin/api/requests?{query}")
    assert answer.status == 400
    assert answer.json()["error"]["fix"]


def test_a_request_is_told_and_listed(week, console_over):
    found = console_over(week).get("/admin/api/requests/tt-fallback").json()
    assert [entry["attempt"] for entry in found["entries"]] == [0, 1]
    assert (
        "Attempt 1: mid@together (mid at together) refused (HTTP 503, overloaded), done after 0.40 s. "
        "Its tokens are unknown. It was not charged."
    ) in found["told"]
    assert "  llama@gpu-room: it has 64 requests in flight, its limit is 64." in found["told"]
    refused = console_over(week).get("/admin/api/requests/tt-refused").json()
    assert refused["entries"][0]["type"] == "refusal"
    assert "Its data class is restricted; about 64,000 tokens." in refused["told"]


def test_an_unknown_request_is_a_404_in_json(console):
    answer = console.get("/admin/api/requests/none")
    assert answer.status == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_the_snapshot_shows_what_serves_and_no_secret(console, snapshot):
    answer = console.get("/admin/api/snapshot")
    shown = answer.json()
    assert shown["generation"] == 3
    assert shown["policy_version"] == snapshot.policy_version
    assert [each["name"] for each in shown["deployments"]] == [each.name for each in snapshot.deployments]
    assert shown["keys"] == [{"name": "support-bot", "data_class": "public", "models": ["*"]}]
    assert shown["deployments"][3]["price"] is None
    for secret in SECRETS:
        assert secret not in answer.text
    assert snapshot.keys[0].sha256.hex() not in answer.text
    assert "sha256" not in answer.text
    assert "env:" not in answer.text


def test_the_books_balance(week, console_over):
    assert console_over(week).get("/admin/api/balance").json() == {"balanced": True, "discrepancies": []}


def test_without_a_ledger_there_is_nothing_and_no_error(console):
    assert console.get("/admin/api/summary").json() is None
    assert console.get("/admin/api/requests").json() == {"entries": [], "next_before": None}
    assert console.get("/admin/api/balance").json() == {"balanced": True, "discrepancies": []}


def test_an_unknown_path_is_json_with_the_nearest(console):
    answer = console.get("/admin/api/sumary")
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["fix"] == "Did you mean /admin/api/summary?"
