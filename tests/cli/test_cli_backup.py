"""`twintrack backup` and `restore`, beside a gateway that serves and into one that will."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_records import left_by

from support.gateway import Served, deployment, provider
from support.processes import free_port
from support.provider import Provider
from twintrack.cli.interrupt import orderly
from twintrack.ledger.copies import upgrades_kept
from twintrack.ledger.schema import VERSION

CANARY = "sk-canary-2b1946"
KEYED = '[[keys]]\nname = "me"\nkey = "env:ME"\n'


@pytest.fixture
def mine() -> Iterator[Provider]:
    with Provider() as provider_:
        yield provider_


def config(mine: Provider, more: str = "") -> str:
    return more + provider("mine", mine.url, more='key = "file:key"') + deployment("m", "mine")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of a gateway: its configuration, its secret and, after it ran, its data."""
    made = tmp_path / "gateway"
    made.mkdir()
    (made / "key").touch(0o600)
    (made / "key").write_text(CANARY)
    return made


def test_a_backup_made_under_load_is_served_again_somewhere_else(cli, mine, folder, tmp_path):
    with Served(folder, config(mine), workers=2) as gateway:
        early = [gateway.chat("m").id for _ in range(5)]
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                gateway.chat("m")

        load = threading.Thread(target=ask)
        load.start()
        try:
            ran = cli("backup", "backup", "--config", str(gateway.file), "--data", str(gateway.data))
        finally:
            stop.set()
            load.join()
        assert ran.code == 0, ran.err
        assert "with references to secrets but no secret" in ran.out
        assert f"Keep these apart, they are not in it: {folder / 'key'}." in ran.out
        assert "twintrack restore backup --check" in ran.out
        late = gateway.chat("m").id
    assert CANARY.encode() not in Path("backup").read_bytes()

    again = tmp_path / "again"
    ran = cli("restore", "backup", "--to", str(again / "data"), "--config", "again/twintrack.toml")
    assert ran.code == 0, ran.err
    assert (again / "twintrack.toml").read_text() == config(mine)
    (again / "key").touch(0o600)
    (again / "key").write_text(CANARY)
    with Served(again, config(mine)) as gateway:
        assert [gateway.entries(each)[0]["outcome"] for each in early] == ["ok"] * 5
        assert gateway.query("SELECT * FROM entries WHERE request_id = ?", late) == []
        assert gateway.entries(gateway.chat("m").id)[0]["outcome"] == "ok"


def test_an_older_program_is_refused_at_its_start_and_serves_again_after_a_restore(cli, mine, folder):
    with Served(folder, config(mine)) as gateway:
        kept = gateway.chat("m").id
        gateway.entries(kept)
    assert cli("backup", "backup", "--data", str(gateway.data)).code == 0
    with sqlite3.connect(gateway.data / "ledger.db") as db:  # as the next version leaves it
        db.execute("INSERT INTO schema_version VALUES (?, '2027-01-01T00:00:00Z')", (VERSION + 1,))
    db.close()

    ran = cli(
        "serve", "--config", str(gateway.file), "--listen", f"127.0.0.1:{free_port()}", "--data", str(gateway.data)
    )
    assert (ran.code, ran.out) == (4, "")
    assert "was written by a newer version of Twintrack" in ran.err
    assert f"twintrack restore FILE --to {gateway.data} --replace" in ran.err

    ran = cli("restore", "backup", "--to", str(gateway.data), "--replace")
    assert ran.code == 0, ran.err
    assert "holds the ledger of backup now" in ran.out
    assert f"What was there before lies in {gateway.data}/backups/replaced-" in ran.out
    with Served(folder, config(mine)) as gateway:
        assert gateway.entries(kept)[0]["outcome"] == "ok"
        assert gateway.entries(gateway.chat("m").id)[0]["outcome"] == "ok"


@pytest.mark.parametrize("earlier", range(1, VERSION))
def test_a_gateway_over_an_earlier_ledger_serves_and_can_be_taken_back(cli, mine, folder, earlier):
    old = {"a", "b", "late", "open", "own"}
    left_by(earlier, folder / "data")
    with Served(folder, config(mine)) as gateway:
        new = gateway.chat("m").id
        assert gateway.entries(new)[0]["outcome"] == "ok"
        assert {row["request_id"] for row in gateway.query("SELECT * FROM entries")} == old | {new}
    (kept,) = upgrades_kept(gateway.data / "ledger.db")
    ran = cli("restore", str(kept), "--to", str(gateway.data), "--replace")
    assert ran.code == 0, ran.err
    with Served(folder, config(mine)) as gateway:
        again = gateway.chat("m").id
        assert gateway.entries(again)[0]["outcome"] == "ok"
        found = {row["request_id"] for row in gateway.query("SELECT * FROM entries")}
    assert found == old - {"late"} | {again}, "the copy is of before the journal was loaded; that is kept aside"


def test_a_gateway_that_runs_keeps_its_folder(cli, mine, folder):
    with Served(folder, config(mine)) as gateway:
        assert cli("backup", "backup", "--data", str(gateway.data)).code == 0
        ran = cli("restore", "backup", "--to", str(gateway.data), "--replace")
        assert ran.code == 4
        assert "Another gateway (process" in ran.err
        assert gateway.chat("m").status == 200


def test_both_find_the_folder_by_the_configuration_that_lies_there(cli, mine, folder, monkeypatch):
    with Served(folder, config(mine, '[server]\ndata = "data"\n')) as gateway:
        gateway.entries(gateway.chat("m").id)
    monkeypatch.chdir(folder)
    ran = cli("backup", "--json")
    assert (ran.json()["attempts"], ran.json()["data"]) == (1, str(gateway.data))
    ran = cli("restore", ran.json()["file"], "--replace", "--json")
    assert (ran.json()["data"], ran.json()["attempts"]) == (str(gateway.data), 1)
    assert ran.json()["replaced"].startswith(str(gateway.data / "backups"))


# Secrets


def test_a_secret_that_stands_in_the_configuration_keeps_it_out(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("ME", CANARY)
    Path("twintrack.toml").write_text(f"# once it was {CANARY}\n{KEYED}")
    Path(".twintrack").mkdir()
    ran = cli("backup", "backup")
    assert ran.code == 0
    assert "the secret of the variable ME stands in twintrack.toml itself. Take it out there." in ran.err
    assert CANARY not in ran.out + ran.err
    assert CANARY.encode() not in Path("backup").read_bytes()
    assert cli("restore", "backup", "--check", "--json").json()["backup"]["needs"] == []


def test_one_written_where_a_reference_belongs_too(cli, tmp_path):
    Path("twintrack.toml").write_text(f'[[keys]]\nname = "me"\nkey = "{CANARY}"\n')
    Path("data").mkdir()
    ran = cli("backup", "backup")
    assert ran.code == 3, "without it nobody knows where the data is"
    ran = cli("backup", "backup", "--data", "data")
    assert ran.code == 0
    assert "the configuration is left out, since it cannot be read" in ran.err
    assert CANARY not in ran.out + ran.err
    assert CANARY.encode() not in Path("backup").read_bytes()


# What is asked for cannot be had


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("backup", "new", "--data", "nowhere"), 4, "There is no data folder nowhere. Name it with --data."),
        (("backup", "old", "--data", "data"), 4, "old exists already. Name a new file, or say --replace."),
        (("backup", "no/where", "--data", "data"), 4, "The backup no/where cannot be written. No such file"),
        (("backup", "new", "--config", "none.toml"), 3, "There is no configuration none.toml."),
        (("restore", "none"), 4, "There is no backup none. Name the file that twintrack backup wrote."),
        (("restore", "none", "--check"), 4, "There is no backup none."),
        (("restore", "old", "--to", "new"), 1, "old is not a whole backup: "),
        (("restore", "old", "--config", "old"), 4, "old exists already. Name a new file for the configuration."),
        (("restore",), 2, "Missing argument 'FILE'"),
    ],
)
def test_it_is_said_what_and_what_to_do(cli, arguments, code, said):
    Path("data").mkdir()
    Path("old").write_text("something else")
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert sorted(each.name for each in Path().iterdir() if each.name != "home") == ["data", "old"]


def test_it_checks_without_touching_anything(cli):
    Path("data").mkdir()
    cli("backup", "backup", "--data", "data")
    ran = cli("restore", "backup", "--to", "data", "--check")
    assert ran.code == 0
    assert ran.out.startswith("backup is whole, made on ")
    assert list(Path("data").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_told_to_stop_it_cleans_up_and_leaves_with_130(number):
    code = (
        "import sys, time, click\n"
        "from twintrack.cli.interrupt import orderly\n"
        "import twintrack.cli as cli\n"
        "@cli.command.command('wait')\n"
        "def wait():\n"
        "    with orderly():\n"
        "        try:\n"
        "            print('ready', flush=True); time.sleep(30)\n"
        "        finally:\n"
        "            print('clean', flush=True)\n"
        "cli.command.get_command = lambda ctx, name: wait\n"
        "cli.command.resolve_command = lambda ctx, args: ('wait', wait, [])\n"
        "cli.main(['wait'])\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "clean\n"
        assert process.wait(20) == 130


def test_afterwards_signals_mean_what_they_did():
    before = signal.getsignal(signal.SIGTERM)
    with orderly(), pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
