"""`twintrack doctor`: each thing that can be wrong on a machine is found, with what to do about it."""

from __future__ import annotations

import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from support.gateway import Served, deployment, provider
from support.processes import free_port
from support.provider import Provider, listening, refusing_port
from support.web import Server
from twintrack.ledger.database import open_writer
from twintrack.ledger.load import Loader
from twintrack.ledger.schema import MIGRATIONS, VERSION

CANARY = "sk-canary-77aa01"


@pytest.fixture
def mine() -> Iterator[Provider]:
    with Provider() as provider_:
        yield provider_


@pytest.fixture(autouse=True)
def a_port_of_our_own() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{free.getsockname()[1]}"


@pytest.fixture
def examine(cli, a_port_of_our_own):
    """Write a configuration, run the doctor; what it found by state and about, and all of it as text."""

    def run(text: str | None, *options: str, server: str = "") -> Found:
        if text is not None:
            Path("twintrack.toml").write_text(f'[server]\nlisten = "{a_port_of_our_own}"\n{server}\n{text}')
            Path("twintrack.toml").chmod(0o600)
        ran = cli("doctor", "--json", *options)
        assert ran.err == ""
        found = Found(ran.code, ran.json())
        assert found.code == (1 if found.by("problem") else 0)
        assert all(each["fix"] for each in found.by("problem")), "what is wrong has a remedy"
        return found

    return run


class Found:
    def __init__(self, code: int, findings: list[dict[str, Any]]) -> None:
        self.code = code
        self.findings = findings

    def by(self, state: str, about: str = "") -> list[dict[str, Any]]:
        return [each for each in self.findings if each["state"] == state and about in ("", each["about"])]

    def one(self, state: str, about: str, part: str) -> dict[str, Any]:
        """The one finding of that kind that says `part`."""
        fitting = [each for each in self.by(state, about) if part in each["what"]]
        assert len(fitting) == 1, [tuple(each.values()) for each in self.findings if each["about"] == about]
        return fitting[0]


def good(mine: Provider) -> str:
    return provider("mine", mine.url) + deployment("m", "mine")


# Everything is right


def test_where_all_is_right_it_says_what_it_looked_at_and_leaves_with_0(examine, mine):
    found = examine(good(mine))
    assert found.code == 0
    assert {each["about"] for each in found.by("ok")} == {
        "configuration",
        "keys",
        "clock",
        "files",
        "disk",
        "database",
        "journal",
        "prices",
        "port",
        "provider",
    }
    assert not Path(".twintrack").exists(), "it changes nothing"
    assert mine.requests == 0


def test_for_people_it_is_a_line_each_and_a_sum(cli, examine, mine):
    examine(good(mine))
    ran = cli("doctor")
    lines = ran.out.splitlines()
    assert lines[1].startswith("ok")
    assert "twintrack.toml is right: no route, 1 deployment" in lines[1]
    assert lines[-1].startswith("No problem found in ")
    assert cli("doctor", "--problems").out.splitlines()[-1] == lines[-1]


def test_before_the_first_configuration_it_says_how_to_come_by_one(cli):
    ran = cli("doctor", "--json")
    assert [each for each in ran.json() if str(Path("home").absolute()) in each["what"]], "where up keeps its data"
    (said,) = [each for each in ran.json() if each["about"] == "configuration"]
    assert said["state"] == "note"
    assert "twintrack init" in said["fix"]
    named = cli("doctor", "--json", "--config", "none.toml")
    assert named.code == 1
    assert "none.toml cannot be read" in named.json()[0]["what"]


# Configuration


@pytest.mark.parametrize(
    ("text", "line", "said", "fix"),
    [
        ("[[keys]\n", 4, "Expected", "Correct that line"),
        ("[[keys]]\nname = 5\n", 5, "$.keys[0].name is 5", "Use text in quotes."),
        (
            '[routes.auto]\ntiers = [{ name = "a", deployments = ["m2"] }]\n',
            5,
            "'m2', which is not the name",
            "Did you",
        ),
    ],
    ids=["not toml", "wrong type", "dangling"],
)
def test_a_broken_configuration_is_said_and_the_rest_is_looked_at(examine, mine, text, line, said, fix):
    found = examine(text + good(mine))
    wrong = found.by("problem", "configuration")[0]
    assert f"twintrack.toml:{line}" in wrong["what"]
    assert said in wrong["what"]
    assert fix in wrong["fix"] + wrong["what"]
    assert found.one("ok", "disk", "are left")
    assert [each for each in found.findings if each["about"] == "port"]
    if "[[keys]]" in text or "routes" in text:
        assert found.one("ok", "provider", "mine: 127.0.0.1:"), "what can be read is looked at"


@pytest.mark.parametrize("name", ["x" * 300, "a\\u0000b"], ids=["too long", "a null"])
def test_a_data_folder_that_no_folder_can_be_is_said(examine, mine, name):
    assert examine(good(mine), server=f'data = "{name}"').one("problem", "configuration", "no folder can have the name")


def test_one_that_is_not_text_is_said(examine):
    Path("twintrack.toml").write_bytes(b"\xff\xfe")
    assert examine(None).one("problem", "configuration", "is not UTF-8")


# Keys


def test_a_key_that_is_not_there_and_one_that_others_can_read(examine, mine, monkeypatch):
    for name, mode in (("mine", 0o600), ("everybody", 0o644), ("group", 0o640)):
        Path(name).write_text(CANARY + name)
        Path(name).chmod(mode)
    monkeypatch.setenv("SET", CANARY)
    keys = "".join(
        f'[[keys]]\nname = "{name}"\nkey = "{key}"\n'
        for name, key in (
            ("a", "env:SET"),
            ("b", "env:UNSET"),
            ("c", "file:mine"),
            ("d", "file:everybody"),
            ("e", "file:group"),
            ("f", "file:nowhere"),
        )
    )
    found = examine(keys + good(mine))
    assert found.one("ok", "keys", "client key a: env:SET is there")
    assert found.one("ok", "keys", f"client key c: file:{Path('mine').absolute()} is there")
    assert found.one("problem", "keys", "the environment variable UNSET is not set")
    assert found.one("problem", "keys", "nowhere cannot be read")
    assert found.one("problem", "keys", "every user of this machine can read")["fix"].startswith("chmod 600 ")
    assert found.one("note", "keys", "client key e: its group can read")
    assert CANARY not in str(found.findings)


def test_a_configuration_that_others_can_change_decides_where_requests_go(examine, cli, mine):
    examine(good(mine))
    Path("twintrack.toml").chmod(0o666)
    found = examine(None)
    assert found.one("problem", "files", "every user of this machine can change")["fix"] == "chmod go-w twintrack.toml"


# Files, disk, database


def test_a_ledger_that_others_can_read_is_said(examine, mine):
    with Loader(Path(".twintrack")):
        pass
    assert examine(good(mine)).one("ok", "files", "is for its owner alone")
    Path(".twintrack/ledger.db").chmod(0o644)
    found = examine(None)
    assert found.one("problem", "files", "others can read")["fix"].startswith("chmod go-rwx ")


def test_a_folder_that_cannot_be_made_is_said(examine, mine):
    Path("plain").write_text("")
    found = examine(good(mine), server='data = "plain"')
    assert found.one("problem", "files", "cannot be used")


def test_an_older_a_newer_a_foreign_and_a_broken_ledger(examine, mine, monkeypatch):
    ledger = Path(".twintrack/ledger.db")
    with monkeypatch.context() as before:
        before.setattr("twintrack.ledger.database.MIGRATIONS", MIGRATIONS[:1])
        before.setattr("twintrack.ledger.database.VERSION", 1)
        open_writer(ledger).close()
    assert examine(good(mine)).one("note", "database", f"has schema 1, and {VERSION} is the newest")
    with Loader(Path(".twintrack")):
        pass
    assert examine(None).one("ok", "database", f"has schema {VERSION}, the newest")
    with sqlite3.connect(ledger) as db:
        db.execute("INSERT INTO schema_version VALUES (99, '')")
    db.close()
    newer = examine(None).one("problem", "database", "was written by a newer version")
    assert "twintrack restore" in newer["fix"]
    ledger.unlink()
    ledger.touch()
    assert examine(None).one("ok", "database", "there is no ledger")  # a gateway is about to make one of it
    with sqlite3.connect(ledger) as db:
        db.execute("CREATE TABLE t (x)")
    db.close()
    assert examine(None).one("problem", "database", "some other SQLite database")
    ledger.write_bytes(b"nonsense" * 2_000)
    assert examine(None).one("problem", "database", "is broken")


def test_a_page_that_is_damaged_is_found(examine, mine):
    ledger = Path(".twintrack/ledger.db")
    connection = open_writer(ledger)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    with ledger.open("r+b") as file:
        file.seek(5 * 8192)
        file.write(b"\xff" * 8192)
    assert examine(good(mine)).by("problem", "database")


def test_rows_from_tomorrow_mean_that_the_clock_was_set_back(examine, mine):
    with Served(Path("g").absolute(), good(mine)) as gateway:
        gateway.entries(gateway.chat("m").id)
    with sqlite3.connect(gateway.data / "ledger.db") as db:
        db.execute("UPDATE attempts SET at_us = ?", (int((time.time() + 86_400 * 3) * 1e6),))
    db.close()
    found = examine(good(mine), "--data", str(gateway.data))
    assert "3 days later" in found.one("problem", "clock", "the ledger's newest row")["what"]


# Port


def test_the_port_of_our_own_gateway_is_ours(cli, mine):
    with Served(Path("g").absolute(), good(mine), workers=2) as gateway:
        text = f'[server]\nlisten = "127.0.0.1:{gateway.port}"\n' + good(mine)
        Path("other.toml").write_text(text)
        Path("other.toml").chmod(0o600)
        found = Found(0, cli("doctor", "--json", "--config", "other.toml", "--data", str(gateway.data)).json())
        assert found.one("ok", "port", f"served by our own gateway (process {gateway.process.pid}), which is ready")
        assert found.one("ok", "journal", f"the gateway (process {gateway.process.pid}) loads")
        assert found.by("problem") == []
        foreign = Found(0, cli("doctor", "--json", "--config", "other.toml", "--data", "elsewhere").json())
        assert "ss -ltnp" in foreign.one("problem", "port", "is taken by another program")["fix"]
        other = free_port()
        Path("other.toml").write_text(text.replace(str(gateway.port), str(other), 1))
        moved = Found(0, cli("doctor", "--json", "--config", "other.toml", "--data", str(gateway.data)).json())
        assert moved.one("note", "port", f"but does not listen on 127.0.0.1:{other}")


def test_the_port_of_somebody_else_s_gateway_is_not_ours(cli, mine):
    with Served(Path("g").absolute(), good(mine)) as ours, Served(Path("h").absolute(), good(mine)) as theirs:
        Path("other.toml").write_text(f'[server]\nlisten = "127.0.0.1:{theirs.port}"\n' + good(mine))
        Path("other.toml").chmod(0o600)
        found = Found(0, cli("doctor", "--json", "--config", "other.toml", "--data", str(ours.data)).json())
        assert found.one(
            "problem", "port", f"another gateway than the one that uses this data folder (process {ours.process.pid})"
        )


def test_an_address_that_this_machine_does_not_have(cli, mine):
    key = '[[keys]]\nname = "me"\nkey = "env:PATH"\n'
    Path("twintrack.toml").write_text(f'[server]\nlisten = "192.0.2.1:8080"\n{key}' + good(mine))
    found = Found(0, cli("doctor", "--json", "--offline").json())
    assert found.one("problem", "port", "is no address of this machine")


# TLS


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def written(leaf: trustme.LeafCert) -> str:
    leaf.cert_chain_pems[0].write_to_path("cert.pem")
    leaf.private_key_pem.write_to_path("key.pem")
    Path("key.pem").chmod(0o600)
    return "[server.tls]\ncert = 'cert.pem'\nkey = 'key.pem'\n"


def test_a_certificate_is_looked_at_as_clients_do(examine, mine, authority):
    tls = written(authority.issue_cert("localhost", "gw.example", "127.0.0.1"))
    found = examine(good(mine), server=tls)
    assert found.one("ok", "tls", "cert.pem is good for localhost, gw.example, 127.0.0.1")
    assert found.one("ok", "tls", "is valid for")
    Path("key.pem").chmod(0o644)
    assert examine(None).one("problem", "tls", "every user of this machine can read the private key")


def test_a_key_of_another_certificate_one_that_ended_and_one_that_is_none(examine, mine, authority):
    tls = written(authority.issue_cert("localhost"))
    authority.issue_cert("localhost").private_key_pem.write_to_path("key.pem")
    assert examine(good(mine), server=tls).one("problem", "tls", "is not the key of")
    long_ago = datetime_of(2020)
    written(authority.issue_cert("localhost", not_before=long_ago, not_after=datetime_of(2021)))
    assert examine(None).one("problem", "tls", "certificate has expired")
    Path("cert.pem").write_text("nothing")
    assert examine(None).one("problem", "tls", "cannot be loaded")
    Path("cert.pem").unlink()
    assert examine(None).by("problem")


def datetime_of(year: int) -> Any:
    import datetime

    return datetime.datetime(year, 1, 1, tzinfo=datetime.UTC)


def test_beyond_this_machine_plain_http_is_noted(cli, mine, a_port_of_our_own):
    key = '[[keys]]\nname = "me"\nkey = "env:PATH"\n'
    port = a_port_of_our_own.partition(":")[2]
    Path("twintrack.toml").write_text(f'[server]\nlisten = "0.0.0.0:{port}"\n{key}' + good(mine))
    found = Found(0, cli("doctor", "--json", "--offline").json())
    assert found.one("note", "tls", "keys of clients pass over the network")


# Prices


def test_facts_that_were_imported_and_cannot_be_read_are_said(examine, mine):
    folder = Path(".twintrack/catalog")
    folder.mkdir(parents=True)
    (folder / "current").write_text("nonsense")
    assert examine(good(mine)).one("problem", "prices", "The imported facts in")


def test_what_has_no_price_is_named(examine, mine):
    unpriced = good(mine) + deployment("free", "mine", more="max_in_flight = 3")
    route = '[routes.auto]\nmax_usd_per_request = 0.1\ntiers = [{ name = "a", deployments = ["m", "free"] }]\n'
    found = examine(unpriced + route)
    assert "passes it over" in found.one("note", "prices", "the price of free is unknown")["what"]
    assert found.one("ok", "prices", "1 of 2 deployments have one")


# Providers


def test_providers_are_reached_all_at_once_and_none_is_asked_anything(examine, mine):
    def silent(connection: socket.socket) -> None:
        while connection.recv(65_536):
            pass

    with ExitStack() as stack:
        ports = [stack.enter_context(listening(silent)) for _ in range(6)]
        text = good(mine) + "[server.deadlines]\nconnect_s = 1.5\n"
        text += provider("gone", f"http://127.0.0.1:{refusing_port()}/v1", api="vllm")
        text += provider("nowhere", "http://host.invalid/v1")
        text += "".join(provider(f"mute{number}", f"https://127.0.0.1:{port}/v1") for number, port in enumerate(ports))
        began = time.monotonic()
        found = examine(text)
        took_s = time.monotonic() - began
    assert found.one("ok", "provider", f"mine: 127.0.0.1:{mine.port} is reached")
    gone = found.one("problem", "provider", "gone: 127.0.0.1:")
    assert gone["what"].endswith("is not reached: nobody listens there")
    assert gone["fix"] == "Start the vllm server, or correct url of gone."
    assert "DNS" in found.one("problem", "provider", "nowhere: host.invalid:80 is not reached")["fix"]
    assert all("firewall" in found.one("problem", "provider", f"mute{number}: ")["fix"] for number in range(6))
    assert took_s < 6 * 1.5, "one after the other they would take longer"
    assert mine.bytes_in == 0


def test_offline_nobody_is_called(examine, mine):
    assert examine(good(mine), "--offline").by("ok", "provider") == []


def test_a_provider_whose_certificate_nobody_vouches_for(examine, authority):
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(1)

    with listening(serve) as port:
        text = provider("p", f"https://localhost:{port}/v1") + deployment("m", "p")
        assert "server.ca" in examine(text).one("problem", "provider", "its certificate is not trusted")["fix"]
        authority.cert_pem.write_to_path("ca.pem")
        found = examine(text, server='ca = "ca.pem"')
    assert found.one("ok", "provider", f"p: localhost:{port} is reached with TLS")
    assert found.one("ok", "tls", "adds 1 authorities")


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (401, "problem"), (500, "note")])
def test_with_keys_each_is_tried_without_cost(examine, monkeypatch, status, state):
    monkeypatch.setenv("PAID", CANARY)
    server = Server()
    server.answer = lambda: (status, "{}")
    try:
        text = provider("p", f"http://{server.address}/v1", more='key = "env:PAID"') + deployment("m", "p")
        assert examine(text).one("ok", "provider", "is reached")
        assert server.asked == [], "without being asked to it sends no key"
        found = examine(text, "--with-keys")
        (asked,) = server.asked
    finally:
        server.close()
    assert (asked[0], asked[1], asked[2]["authorization"], asked[3]) == ("GET", "/v1/models", f"Bearer {CANARY}", b"")
    assert len([each for each in found.by(state, "provider") if each["what"].startswith("p: ")]) >= 1
    assert CANARY not in str(found.findings)


def test_where_requests_are_signed_the_credentials_are_fetched_when_that_is_asked(examine, mine, cli, monkeypatch):
    for name, value in (
        ("ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("SECRET_ACCESS_KEY", CANARY),
        ("EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    text = provider("bedrock", mine.url, api="bedrock", more='auth = "aws-sigv4"\nregion = "eu-west-1"')
    text += deployment("m", "bedrock")
    assert examine(text).one("ok", "provider", "bedrock: requests are signed (aws-sigv4)")
    found = examine(text, "--with-keys")
    assert found.one("ok", "provider", "bedrock: there are credentials to sign with")
    assert CANARY not in str(found.findings)
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.delenv(f"AWS_{name}")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "nowhere")
    ran = cli("doctor", "--json", "--with-keys")
    assert ran.code == 1
    assert Found(1, ran.json()).one("problem", "provider", "bedrock: AWS has no credentials here")
