"""A real gateway under the same bytes: nothing falls, nothing complains, and the secrets stay where they belong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from random import Random

import pytest
from http1_corpus import attacked

from support.fuzzing.answers import STREAMED, WHOLE, endpoint_of
from support.fuzzing.bodies import GOOD, some_body
from support.fuzzing.campaign import Campaign
from support.fuzzing.checks import with_prompt
from support.fuzzing.secrets import CLIENT_KEY, ENVIRON, PROMPT, PROVIDER_KEY, PROVIDERS, SECRETS, config
from support.gateway import Served, rss_bytes
from support.provider import Provider
from support.raw import Raw, request
from twintrack.providers.scripted import Received, Script, stream

PAGES = (
    "/", "/metrics", "/v1/models", "/v1/models/m", "/openapi.json", "/healthz", "/readyz", "/nowhere",
    "/console/requests/x", "/admin/api/summary", "/admin/api/requests", "/admin/api/snapshot", "/admin/api/balance",
)  # fmt: skip
_QUIET_S = 0.25
"""A request that was cut is answered only when it is late, which is for other tests."""
AUTHORISED = {"authorization": f"Bearer {CLIENT_KEY}", "connection": "close"}
CLOSE = {"connection": "close"}
MB = 1024 * 1024


def answer(received: Received) -> Script:
    endpoint = endpoint_of(received.target)
    if b'"stream":true' in received.body.replace(b" ", b"") or "stream" in received.target:
        return stream(STREAMED.get(endpoint, STREAMED["chat"])[0])
    return Script(pieces=(WHOLE[endpoint][0],))


@pytest.fixture(scope="module")
def providers() -> Iterator[dict[str, Provider]]:
    with ExitStack() as stack:
        found = {name: stack.enter_context(Provider()) for name in PROVIDERS}
        for provider in found.values():
            provider.default = answer
        yield found


@pytest.fixture(scope="module")
def gateway(providers: dict[str, Provider], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    ports = {name: provider.port for name, provider in providers.items()}
    text = config(ports, keys=True) + "\n[server.deadlines]\nhead_s = 2.0\nbody_s = 2.0\n"
    with Served(tmp_path_factory.mktemp("fuzz"), text, env=ENVIRON) as gateway:
        yield gateway


def heard(gateway: Served, data: bytes) -> bytes:
    """All that comes back to `data` until the gateway closes, or says nothing for a while."""
    with Raw(gateway.port, _QUIET_S) as client:
        with suppress(OSError):  # it had heard enough
            client.send(data)
        with suppress(TimeoutError):
            return client.rest()
        return client.held


def check(gateway: Served, data: bytes) -> str:
    said = heard(gateway, data)
    assert not any(secret in said.replace(b"There is no model '%b'" % secret, b"") for secret in SECRETS), said
    statuses = [line[9:12] for line in said.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]
    assert not any(status.startswith(b"5") for status in statuses), said
    return statuses[0].decode() if statuses else "silence"


def bodies(gateway: Served, seed: int) -> Campaign:
    def make(random: Random) -> bytes:
        path = random.choice(list(GOOD))
        return request("POST", path, with_prompt(some_body(random, GOOD[path])), AUTHORISED)

    return Campaign("bodies over sockets", seed, make, lambda case: check(gateway, case))


def connections(gateway: Served, seed: int) -> Campaign:
    def make(random: Random) -> bytes:
        paths = [random.choice(list(GOOD)) for _ in range(random.randrange(1, 4))]
        key = {"x-api-key": CLIENT_KEY}
        stream = b"".join(request("POST", path, json.dumps(GOOD[path][0]).encode(), key) for path in paths)
        stream += request("GET", random.choice(PAGES), headers=AUTHORISED | {"content-length": "", "content-type": ""})
        return attacked(random, "request", stream)

    return Campaign("bytes over sockets", seed, make, lambda case: check(gateway, case))


def everything(gateway: Served) -> dict[str, bytes]:
    """Whatever a curious eye may read: pages, metrics, what it printed, every file it wrote."""
    found = {page: heard(gateway, request("GET", page, headers=AUTHORISED)) for page in PAGES}
    found |= {f"{page} without a key": heard(gateway, request("GET", page, headers=CLOSE)) for page in PAGES}
    ids = [row["request_id"] for row in gateway.query("SELECT request_id FROM entries ORDER BY id DESC LIMIT 3")]
    found |= {
        page: heard(gateway, request("GET", page, headers=CLOSE))
        for page in (f"/console/requests/{each}" for each in ids)
    }
    found["what it said"] = gateway.stderr().encode()
    for file in gateway.data.rglob("*"):
        if file.is_file():
            found[str(file)] = file.read_bytes()
    return found


def check_everything(gateway: Served, providers: dict[str, Provider]) -> None:
    keys = {value for each in providers["chatty"].received for value in each.headers.values()}
    assert f"Bearer {PROVIDER_KEY}" in keys  # where it belongs
    assert any(PROMPT.encode() in each.body for each in providers["chatty"].received)
    found = everything(gateway)
    assert any(b"twintrack_requests_total" in text for text in found.values())
    assert any("ledger.db" in name for name in found)
    leaks = [f"{secret.decode()} in {name}" for name, text in found.items() for secret in SECRETS if secret in text]
    assert leaks == []
    assert not any(b"Traceback" in text for text in found.values())


def run(gateway: Served, providers: dict[str, Provider], count: int, seed: int) -> None:
    before = gateway.children()
    secret = with_prompt(json.dumps(GOOD["/v1/chat/completions"][0]).encode())
    assert check(gateway, request("POST", "/v1/chat/completions", secret, AUTHORISED)) == "200"
    bodies(gateway, seed).run(count)
    connections(gateway, seed).run(count)
    assert gateway.children() == before, "a process fell and was started again"
    assert rss_bytes(before["worker 0"]) < 150 * MB
    check_everything(gateway, providers)


def test_nothing_falls_and_no_secret_comes_out(gateway: Served, providers: dict[str, Provider]) -> None:
    run(gateway, providers, 200, 1)


@pytest.mark.long
def test_nothing_falls_in_twenty_thousand(gateway: Served, providers: dict[str, Provider]) -> None:
    run(gateway, providers, 10_000, 2)
