"""Certificates on both sides, and a proxy in between."""

from __future__ import annotations

import asyncio
import base64
import http.client
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
import uvloop

from support.gateway import Served, deployment, provider
from support.provider import Provider, listening
from support.raw import Raw, words
from support.street import snapshot
from twintrack.errors import TwintrackError
from twintrack.providers.scripted import chat_answer, chat_events, stream
from twintrack.server.http import ClientConnection
from twintrack.wire.http1 import RequestHead


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@contextmanager
def behind_tls(plain_port: int, certificate: trustme.LeafCert) -> Iterator[int]:
    """A port that speaks TLS and hands what it hears to `plain_port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)

    def serve(connection: socket.socket) -> None:
        with (
            context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True) as outer,
            socket.create_connection(("127.0.0.1", plain_port)) as inner,
        ):
            _both_ways(outer, inner)

    with listening(serve) as port:
        yield port


def _both_ways(one: socket.socket, two: socket.socket) -> None:
    def carry(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
        except OSError:
            pass
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    back = threading.Thread(target=carry, args=(two, one), daemon=True)
    back.start()
    carry(one, two)
    back.join()


class Proxy:
    """An HTTP proxy that takes CONNECT."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n", lead_to: int = 0) -> None:
        self.heads: list[str] = []
        self._answer = answer
        self._lead_to = lead_to

    def __call__(self, connection: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += connection.recv(1)
        self.heads.append(head.decode())
        connection.sendall(self._answer)
        if b" 200 " in self._answer:
            with socket.create_connection(("127.0.0.1", self._lead_to)) as inner:
                _both_ways(connection, inner)


# We serve TLS


@pytest.fixture
def served(mine: Provider, authority: trustme.CA, tmp_path: Path) -> Iterator[Served]:
    leaf = authority.issue_cert("localhost", "127.0.0.1")
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    config = '[server.tls]\ncert = "cert.pem"\nkey = "key.pem"\n[server.deadlines]\nhead_s = 1.0\n'
    with Served(tmp_path, config + provider("mine", mine.url) + deployment("m", "mine")) as gateway:
        yield gateway


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_a_client_that_trusts_us_is_served(served: Served, mine: Provider, authority: trustme.CA) -> None:
    mine.default = stream(chat_events(["safe"]))
    connection = http.client.HTTPSConnection("localhost", served.port, context=client_context(authority), timeout=10)
    body = b'{"model":"m","stream":true,"messages":[]}'
    for _ in range(2):
        connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        assert answer.status == 200
        assert words(answer.read()) == "safe"
    connection.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_are_not_spoken(served: Served, authority: trustme.CA, version: ssl.TLSVersion) -> None:
    context = client_context(authority)
    with pytest.warns(DeprecationWarning, match=r"TLSv1"):
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    with socket.create_connection(("127.0.0.1", served.port), 5) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


class Counted:
    """Whom a connection serves, for as long as it has not sent a whole request."""

    outbox = None
    now = 0.0

    def __init__(self) -> None:
        self.snapshot = snapshot(provider("p", "http://127.0.0.1:1/v1") + deployment("m", "p"))
        self.made: list[ClientConnection] = []
        self.refused: list[str] = []

    def on_made(self, connection: ClientConnection) -> bool:
        self.made.append(connection)
        return True

    def on_lost(self, connection: ClientConnection) -> None:
        """Nothing is kept of it."""

    def check(self, head: RequestHead) -> None:
        raise NotImplementedError

    def handle(self, connection: ClientConnection, head: RequestHead, body: bytes) -> None:
        raise NotImplementedError

    def refuse(self, connection: ClientConnection, head: RequestHead | None, error: TwintrackError) -> None:
        self.refused.append(str(error))
        connection.answer(error.status, b"", b"")


def test_half_a_request_is_refused_once_when_the_gateway_ends(authority: trustme.CA) -> None:
    """However often it is looked at while the client takes its time to say goodbye."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    front = Counted()

    async def main() -> bytes:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: ClientConnection(front), "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        trusting = client_context(authority)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="localhost")
        writer.write(b"POST /v1/chat")
        async with asyncio.timeout(20):
            while not front.made or not front.made[0]._held:
                await asyncio.sleep(0.01)
            for _ in range(3):
                front.made[0].drain(last=True)
            heard = await reader.read()
        writer.close()
        server.close()
        return heard

    heard = uvloop.run(main())
    assert heard.startswith(b"HTTP/1.1 503 ")
    assert heard.count(b"HTTP/1.1") == len(front.refused) == 1


def test_plain_text_and_silence_end_there(served: Served) -> None:
    with Raw(served.port) as client:
        client.send(b"GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n")
        assert b"HTTP" not in client.rest()
    with Raw(served.port, 5.0) as client:
        assert client.rest() == b""


def test_a_certificate_that_is_none_is_found_at_the_start(mine: Provider, tmp_path: Path) -> None:
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).write_text("nothing")
    config = '[server.tls]\ncert = "cert.pem"\nkey = "key.pem"\n' + provider("p", mine.url) + deployment("m", "p")
    (tmp_path / "twintrack.toml").write_text(config)
    done = subprocess.run(
        [sys.executable, "-m", "twintrack", "serve", "--config", str(tmp_path / "twintrack.toml")],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 4
    assert done.stderr.startswith("twintrack: The TLS certificate cannot be loaded.")


# Providers behind TLS


def test_a_provider_our_authority_vouches_for(mine: Provider, authority: trustme.CA, tmp_path: Path) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    mine.default = chat_answer("safe")
    with behind_tls(mine.port, authority.issue_cert("localhost")) as port:
        config = '[server]\nca = "ca.pem"\n' + provider("p", f"https://localhost:{port}/v1") + deployment("m", "p")
        with Served(tmp_path, config) as gateway:
            for _ in range(2):
                assert gateway.chat("m").json()["choices"][0]["message"]["content"] == "safe"
    assert mine.received[-1].headers["host"] == f"localhost:{port}"


@pytest.mark.parametrize(
    ("names", "trusted", "says"),
    [
        (("localhost",), False, "its certificate is not trusted: unable to get local issuer certificate"),
        (("elsewhere.example",), True, "its certificate is not trusted: Hostname mismatch"),
    ],
    ids=["unknown authority", "wrong name"],
)
def test_nothing_is_said_to_a_provider_that_cannot_prove_who_it_is(
    mine: Provider, authority: trustme.CA, tmp_path: Path, names: tuple[str, ...], trusted: bool, says: str
) -> None:
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    asked = mine.bytes_in
    with behind_tls(mine.port, authority.issue_cert(*names)) as port:
        config = '[server]\nca = "ca.pem"\n' + provider("p", f"https://localhost:{port}/v1") + deployment("m", "p")
        with Served(tmp_path, config) as gateway:
            answer = gateway.chat("m")
            assert answer.status == 502
            assert says in answer.json()["error"]["message"]
            assert gateway.entries(answer.id)[0]["state"] == "released"
    assert mine.bytes_in == asked


def test_a_provider_that_speaks_no_tls(tmp_path: Path) -> None:
    def plain(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listening(plain) as port:
        config = provider("p", f"https://127.0.0.1:{port}/v1") + deployment("m", "p")
        with Served(tmp_path, config) as gateway:
            assert gateway.chat("m").status == 502


# Through a proxy


@contextmanager
def proxied(
    mine: Provider, authority: trustme.CA, folder: Path, proxy: Proxy, env: dict[str, str] | None = None
) -> Iterator[Served]:
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    mine.default = chat_answer("by detour")
    with behind_tls(mine.port, authority.issue_cert("llm.example")) as port, listening(proxy) as proxy_port:
        proxy._lead_to = port
        config = '[server]\nca = "ca.pem"\n[server.deadlines]\nconnect_s = 2.0\n'
        config += provider("p", "https://llm.example/v1") + deployment("m", "p")
        config += provider("plain", mine.url) + deployment("direct", "plain")
        said = {"HTTPS_PROXY": f"http://me:p%40ss@127.0.0.1:{proxy_port}"} | (env or {})
        with Served(folder, config, said) as gateway:
            yield gateway


def test_a_provider_behind_tls_is_reached_through_the_proxy(
    mine: Provider, authority: trustme.CA, tmp_path: Path
) -> None:
    proxy = Proxy()
    with proxied(mine, authority, tmp_path, proxy) as gateway:
        for _ in range(2):
            assert gateway.chat("m").json()["choices"][0]["message"]["content"] == "by detour"
        login = base64.b64encode(b"me:p@ss").decode()
        assert proxy.heads == [
            f"CONNECT llm.example:443 HTTP/1.1\r\nhost: llm.example:443\r\nproxy-authorization: Basic {login}\r\n\r\n"
        ]
        assert mine.received[-1].headers["host"] == "llm.example"
        assert "proxy-authorization" not in mine.received[-1].headers
        # A provider on plain http is not.
        assert gateway.chat("direct").status == 200
        assert len(proxy.heads) == 1


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "The proxy refused a connection to llm.example:443."),
        (b"HTTP/1.1 200 OK\r\n\r\nand more", "The proxy refused a connection"),
        (b"", "The proxy did not answer CONNECT."),
        (b"nonsense\r\n\r\n", "The proxy refused a connection"),
    ],
)
def test_a_proxy_that_refuses(mine: Provider, authority: trustme.CA, tmp_path: Path, answer: bytes, says: str) -> None:
    with proxied(mine, authority, tmp_path, Proxy(answer)) as gateway:
        refused = gateway.chat("m")
        assert refused.status == 502
        assert says in refused.json()["error"]["message"]
        assert gateway.entries(refused.id)[0]["state"] == "released"


def test_hosts_that_the_environment_excepts_are_dialled_directly(
    mine: Provider, authority: trustme.CA, tmp_path: Path
) -> None:
    proxy = Proxy()
    with proxied(mine, authority, tmp_path, proxy, {"NO_PROXY": "example"}) as gateway:
        assert gateway.chat("m").status in (502, 504)  # llm.example is nowhere
        assert proxy.heads == []
