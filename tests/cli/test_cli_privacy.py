"""twintrack privacy, as a person and as a script."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

CARD = "4111 1111 1111 1111"


def test_scan_says_class_findings_and_who_may_see_it(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text(f"refund card {CARD} to anna@example.org")
    ran = cli("privacy", "scan", "note.txt")
    assert ran.code == 0
    assert ran.out.startswith("Class: confidential (financial, pii)\n")
    assert "May be seen by: own, contracted; regions *" in ran.out
    assert CARD not in ran.out
    assert "anna@example.org" not in ran.out


def test_scan_for_scripts(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = f"refund card {CARD} ok"
    Path("note.txt").write_text(text)
    report = json.loads(cli("privacy", "scan", "note.txt", "--json").out)
    assert report["class"] == "confidential"
    (found,) = report["findings"]
    assert (found["type"], text[found["start"] : found["end"]]) == ("credit_card", CARD)
    assert 0.5 < found["score"] <= 1
    assert report["decision"] == {"zones": ["own", "contracted"], "regions": ["*"], "deployments": None}


def test_scan_shows_what_would_leave_with_placeholders(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("note.txt").write_text(f"refund card {CARD} to anna@example.org")
    shown = cli("privacy", "scan", "note.txt", "--pseudonyms").out.splitlines()[-1]
    assert shown.startswith("refund card CREDIT_CARD_")
    assert CARD not in shown
    assert "@" not in shown
    left = json.loads(cli("privacy", "scan", "note.txt", "--pseudonyms", "--json").out)["pseudonymised"]
    assert left == {"text": shown, "replaced": 2, "class": "public", "why": ""}
    Path("note.txt").write_text("U2VuZCBpdCB0byBhbm5hQGV4YW1wbGUub3JnIHRvZGF5")  # Send it to anna@example.org today
    assert (
        "Nothing would be replaced, for a finding inside encoded text"
        in cli("privacy", "scan", "note.txt", "--pseudonyms").out
    )
    Path("note.txt").write_text("nothing here")
    assert "Nothing in it would be replaced." in cli("privacy", "scan", "note.txt", "--pseudonyms").out


def test_scan_says_what_the_policy_does_with_each_deployment(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("twintrack.toml").write_text(
        """
[[providers]]
name = "near"
api = "vllm"
url = "http://127.0.0.1:1/v1"
zone = "own"

[[providers]]
name = "far"
api = "openai"
url = "http://127.0.0.1:2/v1"
zone = "third_party"

[[deployments]]
name = "ours"
model = "llama-3.3-70b-instruct"
provider = "near"

[[deployments]]
name = "theirs"
model = "llama-3.3-70b-instruct"
provider = "far"

[detect]
classes = { projects = "restricted" }

[[detect.rules]]
name = "project"
category = "projects"
terms = ["Blue Heron"]
finds = ["a heron"]
"""
    )
    Path("note.txt").write_text("about Blue Heron")
    report = json.loads(cli("privacy", "scan", "note.txt", "--json").out)
    assert (report["class"], report["categories"]) == ("restricted", ["projects"])
    assert [(each["deployment"], each["allowed"]) for each in report["decision"]["deployments"]] == [
        ("ours", True),
        ("theirs", False),
    ]
    ran = cli("privacy", "test")
    assert ran.code == 1
    assert "project: should find project, found nothing, in: a heron" in ran.out


def test_scan_of_a_file_that_is_not_there_says_so(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = cli("privacy", "scan", "nothing.txt")
    assert (ran.code, ran.out) == (1, "")
    assert "nothing.txt cannot be read" in ran.err


def test_a_rule_that_is_none_is_named(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("twintrack.toml").write_text('[[detect.rules]]\nname = "odd"\npattern = "(["\n')
    ran = cli("privacy", "test")
    assert ran.code == 3
    assert "'odd'" in ran.err


@pytest.mark.parametrize("suffix", ["jsonl", "jsonl.gz"])
def test_bench_counts_what_is_found_and_what_is_not_there(cli, tmp_path, monkeypatch, suffix):
    monkeypatch.chdir(tmp_path)
    documents = [
        {"text": "mail anna@example.org", "strong": True, "lang": "en", "source": "a", "classes": ["pii"],
         "spans": [{"start": 5, "end": 21, "label": "EMAIL"}]},
        {"text": "nothing that is known here", "strong": True, "lang": "de", "source": "a", "classes": ["pii"],
         "spans": [{"start": 0, "end": 7, "label": "NATIONAL_ID"}]},
        {"text": "hello", "strong": False, "lang": "en", "source": "b", "neg_kind": "chat"},
        {"text": "write to bob@example.org", "strong": False, "lang": "en", "source": "b", "neg_kind": "chat"},
        {"text": "John", "strong": False, "soft": True, "lang": "en", "source": "b",
         "spans": [{"start": 0, "end": 4, "label": "USERNAME"}]},
    ]  # fmt: skip
    data = "\n".join(map(json.dumps, documents)).encode()
    file = Path(f"mine.{suffix}")
    file.write_bytes(gzip.compress(data) if suffix.endswith("gz") else data)
    measured = json.loads(cli("privacy", "bench", str(file), "--json").out)
    for name, rate, n in (("found", 0.5, 2), ("found_right_span", 0.5, 2), ("false_positives", 0.5, 2)):
        assert measured[name]["rate"] == rate
        assert measured[name]["n"] == n
        assert 0 <= measured[name]["low"] < rate < measured[name]["high"] <= 1
    assert measured["by_category"]["pii"]["found"]["n"] == 2
    assert measured["by_language"]["de"]["found"]["rate"] == 0
    assert measured["by_source"]["b"]["false_positives"]["rate"] == 0.5
    assert set(measured["cpu_ms_per_kb"]) >= {"p50", "p99"}
    assert "found" in cli("privacy", "bench", str(file)).out


def test_bench_names_the_line_that_is_no_document(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.jsonl").write_text('{"text": "a"}\n{"txt": 1}\n')
    ran = cli("privacy", "bench", "mine.jsonl")
    assert ran.code == 1
    assert "mine.jsonl:2" in ran.err
