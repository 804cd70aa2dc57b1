"""`twintrack audit` and `privacy erase` over what a real gateway did."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from twintrack.ledger.database import database
from twintrack.providers.scripted import chat_answer, error_answer

KEYS = """
[[keys]]
name = "alice"
key = "env:ALICE"
tenant = "acme"
[[keys]]
name = "bob"
key = "env:BOB"
[tenants.acme]
"""
ENV = {"ALICE": "sk-alice", "BOB": "sk-bob"}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, list[str]]:
    """A data folder, a folder of checkpoints, and ids: two of alice's, one of bob's."""
    folder = tmp_path_factory.mktemp("gateway")
    with Provider() as mine, Provider() as theirs:
        mine.scripts["small"] = chat_answer("hello")
        theirs.scripts["big"] = error_answer(500)
        config = (
            KEYS
            + provider("mine", mine.url)
            + provider("theirs", theirs.url, zone="third_party")
            + deployment("big", "theirs", quality=0.9)
            + deployment("small", "mine", quality=0.5)
            + route("auto", "big", "small")
            + '[audit]\ncheckpoint_every_s = 0.2\ncheckpoint_to = "file:worm/"\n'
        )
        (folder / "worm").mkdir()
        with Served(folder, config, env=ENV) as gateway:
            ids = []
            for secret, data_class in (("sk-alice", "restricted"), ("sk-alice", "public"), ("sk-bob", "restricted")):
                headers = {"authorization": f"Bearer {secret}", "x-twintrack-class": data_class}
                answer = gateway.ask(question("auto"), headers=headers)
                assert answer.status == 200
                ids.append(answer.id)
    return gateway.data, folder / "worm", ids


@pytest.mark.parametrize("command", [("verify",), ("prove", "--class", "restricted")])
def test_a_ledger_that_is_gone_does_not_pass_where_checkpoints_tell_of_one(cli, served, tmp_path, command):
    _, worm, _ = served
    assert cli("audit", *command, "--data", str(tmp_path)).code == 0
    ran = cli("audit", *command, "--data", str(tmp_path), "--checkpoints", str(worm))
    assert ran.code > 0
    assert "the checkpoints tell of one" in ran.err


def test_an_export_of_a_chain_without_its_beginning_is_no_defect_of_ours(cli, served, tmp_path):
    data, _, _ = served
    for file in data.glob("ledger.db*"):
        shutil.copy(file, tmp_path)
    with closing(sqlite3.connect(database(tmp_path))) as db:
        db.execute("UPDATE audit SET seq = seq + 1000")
        db.commit()
    ran = cli("audit", "export", "--data", str(tmp_path))
    assert ran.code > 0
    assert "is missing" in ran.err
    assert "internal error" not in ran.err


def test_explain_says_what_was_read(cli, served):
    data, _, ids = served
    ran = cli("explain", ids[1], "--data", str(data))
    assert "It was read for what must not leave; nothing was found." in ran.out.splitlines()
    assert "It was read" not in cli("explain", ids[0], "--data", str(data)).out  # labelled as high as can be


def test_the_chain_of_a_gateway_verifies_against_its_checkpoints(cli, served):
    data, worm, _ = served
    ran = cli("audit", "verify", "--data", str(data), "--checkpoints", str(worm))
    assert ran.code == 0, ran
    assert "Every entry follows from the one before" in ran.out
    assert "checkpoints from outside fit" in ran.out
    found = json.loads(cli("audit", "verify", "--data", str(data), "--json").out)
    assert (found["problems"], found["checkpoints_elsewhere"]) == ([], 0)


def test_restricted_data_is_proven_to_have_stayed_at_home(cli, served):
    data, worm, _ = served
    ran = cli("audit", "prove", "--class", "restricted", "--data", str(data), "--checkpoints", str(worm))
    assert ran.code == 0, ran
    assert "2 requests of class restricted" in ran.out
    assert "none outside the policy valid at the time" in ran.out
    assert "does not say that no other request held such data" in ran.out
    proof = json.loads(cli("audit", "prove", "--class", "public", "--data", str(data), "--json").out)
    assert {place["zone"] for place in proof["places"]} == {"own", "third_party"}
    assert proof["reading"]["requests"] == 3


def test_one_that_left_is_found(cli, served, tmp_path):
    """Planted: the same chain, with a rule that held all the time and that somebody broke."""
    data, _, _ = served
    copy = tmp_path / "ledger.db"
    with closing(sqlite3.connect(database(data))) as db, closing(sqlite3.connect(copy)) as to:
        db.backup(to)
    from audit_attacks import rewrite

    def plant(entry: list[object]) -> None:
        if entry[0] == 2 and "public" in entry:
            entry[entry.index("public")] = "restricted"

    rewrite(copy, plant)
    ran = cli("audit", "prove", "--class", "restricted", "--data", str(tmp_path))
    assert ran.code == 1
    assert "big (third_party)" in ran.out
    assert "Not shown to be within policy" in ran.out


def test_decisions_are_listed_and_shown(cli, served):
    data, _, ids = served
    listed = cli("audit", "list", "--data", str(data), "--class", "restricted").out
    assert ids[0] in listed
    assert ids[1] not in listed
    shown = json.loads(cli("audit", "show", ids[1], "--data", str(data)).out)
    assert [each["deployment"] for each in shown["asked"]] == ["big", "small"]
    assert [each["zone"] for each in shown["asked"]] == ["third_party", "own"]
    assert (shown["key"], shown["tenant"]) == ("alice", "acme")
    ran = cli("audit", "show", "nobody", "--data", str(data))
    assert ran.code == 4
    assert "has no request nobody" in ran.err


def test_what_is_exported_can_be_checked_by_a_few_lines(cli, served):
    data, worm, _ = served
    last = bytes(32)
    lines = [json.loads(line) for line in cli("audit", "export", "--data", str(data)).out.splitlines()]
    for line in lines:
        committed = hashlib.sha256(bytes.fromhex(line["personal"])).digest()
        assert committed.hex() == line["commitment"]
        last = hashlib.sha256(last + committed + bytes.fromhex(line["body"])).digest()
        assert last.hex() == line["hash"]
    sent = json.loads(sorted(worm.iterdir())[-1].read_text())
    assert sent["hash"] == lines[sent["entries"] - 1]["hash"]


def test_all_reports_are_written(cli, served, tmp_path):
    data, worm, _ = served
    ran = cli("report", "all", "--data", str(data), "--output", str(tmp_path / "r"), "--checkpoints", str(worm))
    assert ran.code == 0, ran
    written = sorted((tmp_path / "r").iterdir())
    assert len(written) == len(ran.out.splitlines()) == 6
    assert all("fits checkpoints from outside" in path.read_text() for path in written)
    one = cli("report", "sox", "--data", str(data), "--format", "json").json()
    assert one["report"] == "sox"
    assert len(cli("report", "all", "--data", str(data), "--format", "json").json()) == 6
    assert cli("report", "sox", "--data", str(tmp_path / "none")).code == 4


def test_a_key_is_erased_and_the_chain_still_verifies(cli, served):
    data, worm, ids = served
    dry = cli("privacy", "erase", "--subject", "alice", "--data", str(data), "--dry-run")
    assert "Would go" in dry.out
    ran = cli("privacy", "erase", "--subject", "alice", "--data", str(data))
    assert ran.code == 0, ran
    assert "Not reached:" in ran.out
    assert cli("audit", "verify", "--data", str(data), "--checkpoints", str(worm)).code == 0
    assert cli("ledger", "--check", "--data", str(data)).code == 0
    assert cli("audit", "show", ids[0], "--data", str(data)).code == 4
    assert cli("audit", "show", ids[2], "--data", str(data)).code == 0
    proof = cli("audit", "prove", "--class", "restricted", "--data", str(data))
    assert proof.code == 0, proof
    assert "2 requests of class restricted" in proof.out
    again = cli("privacy", "erase", "--subject", "alice", "--data", str(data))
    assert again.code == 4
    assert "knows nothing of 'alice'" in again.err


def test_a_checkpoint_is_printed_to_be_pasted_elsewhere(cli, served, tmp_path):
    data, _, _ = served
    printed = cli("audit", "checkpoint", "--data", str(data)).out
    (tmp_path / "kept").write_text(printed)
    assert cli("audit", "verify", "--data", str(data), "--checkpoints", str(tmp_path / "kept")).code == 0
