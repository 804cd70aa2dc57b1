"""Checkpoints of the audit chain leave for where the configuration says, and a place that fails harms nothing."""

from __future__ import annotations

import datetime
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.waiting import eventually
from twintrack.catalog import prices
from twintrack.config.compile import compile_snapshot
from twintrack.config.load import parse
from twintrack.control.away import send
from twintrack.control.notary import Notary
from twintrack.errors import ConfigError, EnvironmentProblem
from twintrack.gateway.open import read_snapshot
from twintrack.ledger.audit import checkpoint, seal
from twintrack.ledger.audit.verify import verify
from twintrack.ledger.database import database, reading
from twintrack.ledger.journal import Journal
from twintrack.ledger.load import Loader
from twintrack.ledger.records import Names
from twintrack.ledger.secret import secret
from twintrack.providers.scripted import chat_answer

MADE = seal.checkpoint(seal.HmacSeal(b"k"), "c" * 32, 7, "ab" * 32, 1_800_000_000_000_000)


class Archive(HTTPServer):
    """Keeps what comes under a name that is new, as a store that is written once does."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.kept: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Archive

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.headers = dict(self.headers)
        there = self.path in self.server.kept
        self.server.kept.setdefault(self.path, body)
        self.send_response(409 if there else self.server.status)
        self.end_headers()

    do_POST = do_PUT

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def archive() -> Iterator[Archive]:
    with Archive() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_each_is_put_under_a_name_of_its_own(archive: Archive) -> None:
    for _ in range(2):  # the second time it is there already
        send(MADE, archive.url + "/twintrack/", {"authorization": "Bearer env:A"}, {"env:A": "token"}.get)
    assert archive.kept == {f"/twintrack/{'c' * 32}-000000000007-1800000000000000.json": checkpoint.line(MADE)}
    assert archive.headers["authorization"] == "Bearer token"


def test_each_is_posted_to_an_address(archive: Archive) -> None:
    send(MADE, archive.url + "/checkpoints", {}, {}.get)
    assert archive.kept == {"/checkpoints": checkpoint.line(MADE)}


@pytest.mark.parametrize(("status", "said"), [(302, "HTTP 302"), (500, "HTTP 500"), (403, "HTTP 403")])
def test_what_was_not_taken_did_not_arrive(archive: Archive, status: int, said: str) -> None:
    archive.status = status
    with pytest.raises(EnvironmentProblem, match=said):
        send(MADE, archive.url + "/checkpoints", {}, {}.get)


def test_lines_are_added_to_a_file_and_files_to_a_folder(tmp_path: Path) -> None:
    for _ in range(2):
        send(MADE, f"file:{tmp_path}/checkpoints.jsonl", {}, {}.get)
    assert checkpoint.read(tmp_path / "checkpoints.jsonl") == [MADE, MADE]
    (tmp_path / "worm").mkdir()
    for _ in range(2):
        send(MADE, f"file:{tmp_path}/worm/", {}, {}.get)
    assert checkpoint.read(tmp_path / "worm") == [MADE]
    with pytest.raises(EnvironmentProblem, match="did not arrive"):
        send(MADE, f"file:{tmp_path}/nowhere/file", {}, {}.get)


def test_a_file_with_something_else_says_which_line(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(checkpoint.line(MADE) + b"\n\n{}\n")
    with pytest.raises(EnvironmentProblem, match="line 3, is no checkpoint"):
        checkpoint.read(tmp_path / "x")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('checkpoint_to = "ftp://a"', r"\$\.audit\.checkpoint_to is no place for checkpoints"),
        ('checkpoint_to = "env:A"', r"\$\.audit\.checkpoint_to is no place"),
        ('checkpoint_to = "https://me:pw@a.example/"', r"\$\.audit\.checkpoint_to is no place"),
        (
            'checkpoint_to = "http://a.example/"\nheaders = { x-key = "env:A" }',
            r"\$\.audit\.checkpoint_to is http, and a secret",
        ),
        ('key = "env:A"', r"\$\.audit\.key is no reference to a file"),
        ('headers = { host = "env:A" }', r"\$\.audit\.headers\.host is no header"),
    ],
)
def test_a_wrong_place_is_named(text: str, fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        parse(f"[audit]\n{text}", "t.toml", environ={"A": "token"})


def test_a_signature_can_be_checked_by_whoever_has_the_public_key(tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    from cryptography.hazmat.primitives import serialization as s
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    pem = tmp_path / "audit.pem"
    pem.write_bytes(private.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
    public = tmp_path / "public.pem"
    public.write_bytes(private.public_key().public_bytes(s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo))
    made = seal.checkpoint(seal.signing(b"", f"file:{pem}"), "c", 7, "ab", 1)
    keys: list[seal.Seal] = [seal.public_seal(public)]
    assert seal.genuine(made, keys) is True
    assert seal.genuine(msgspec.structs.replace(made, entries=8), keys) is False
    assert seal.genuine(msgspec.structs.replace(made, signature="no hex"), keys) is False
    assert seal.genuine(MADE, keys) is None
    with pytest.raises(ConfigError, match="holds no Ed25519 private key"):
        seal.signing(b"", f"file:{public}")
    with pytest.raises(ConfigError, match="cannot be read"):
        seal.signing(b"", f"file:{tmp_path}/none")


def test_a_gateway_sends_checkpoints_while_it_serves_and_when_it_stops(archive: Archive, tmp_path: Path) -> None:
    with Provider() as mine:
        mine.scripts["small"] = chat_answer("hello")
        config = (
            provider("mine", mine.url)
            + deployment("small", "mine", quality=0.9)
            + route("auto", "small")
            + f'[audit]\ncheckpoint_every_s = 0.3\ncheckpoint_to = "{archive.url}/a/"\n'
        )
        with Served(tmp_path, config) as gateway:
            assert gateway.ask(question("auto")).status == 200
            eventually(lambda: len(archive.kept) >= 1)
            while_it_served = len(archive.kept)
            assert gateway.ask(question("auto")).status == 200
            data = gateway.data
    assert len(archive.kept) > while_it_served
    sent = [msgspec.json.decode(body, type=checkpoint.Checkpoint) for body in archive.kept.values()]
    with reading(database(data)) as db:
        found = verify(db, sent, [seal.secret_seal(secret(data))])
        (unsent,) = db.execute("SELECT count(*) FROM audit_checkpoints WHERE sent_us IS NULL").fetchone()
    assert found.problems == ()
    assert (found.checkpoints_elsewhere, found.unsigned, unsent) == (len(sent), 0, 0)
    assert max(each.entries for each in sent) == found.entries, "the last one saw all of it"


def test_a_place_that_is_not_there_is_said_once_and_gets_the_newest_when_it_is(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    audit = f'[audit]\ncheckpoint_every_s = 0.001\ncheckpoint_to = "file:{tmp_path}/a/b"'
    text = f'[server]\ndata = "{tmp_path}/data"\n{audit}'
    settings, source = parse(text, "t.toml", environ={})
    listed = prices.load(None, on=datetime.date(2027, 3, 4))
    snapshot = compile_snapshot(settings, source, generation=1, prices=listed, secrets=lambda reference: None)
    notary = Notary(snapshot, lambda reference: None)
    with Loader(snapshot.data) as loader:
        for number in range(3):
            journal = Journal(loader.journals, f"w{number}", 65_536)
            journal.start(Names(5, 1, "aaaa", f"w{number}", (), (), (), ()))
            loader.load()
            journal.close()
            if number == 2:
                (tmp_path / "a").mkdir()
            time.sleep(0.002)
            notary.look(loader)
            time.sleep(0.05)
        notary.last(loader)
        assert loader.unsent_checkpoints() == []
    assert capfd.readouterr().err.count("did not arrive") == 1
    (sent, *_) = checkpoint.read(tmp_path / "a" / "b")
    with reading(database(tmp_path / "data")) as db:
        assert verify(db, [sent], []).problems == ()


def test_a_missing_key_is_a_fault_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text('[audit]\nkey = "file:none.pem"')
    with pytest.raises(ConfigError, match="that signs checkpoints cannot be read"):
        read_snapshot(tmp_path / "t.toml")
