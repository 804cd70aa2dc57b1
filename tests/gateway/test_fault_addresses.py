"""Faults that lie in a deployment's address or certificate: nobody hears a word of the request, and another answers."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.reading import read
from twintrack.providers.scripted import WORDS, Playbook
from twintrack.providers.scripted.addresses import NAMELESS, refusing, tls
from twintrack.providers.scripted.faults import ADDRESSES

PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
APIS = {"chat": ("openai", "openai"), "messages": ("anthropic", "anthropic"), "responses": ("openai", "responses")}
ATTEMPTS = 2
"""Of one request, where nobody else may be asked."""
NOW = datetime.datetime.now(datetime.UTC)


def _certified(
    folder: Path, name: str, authority: trustme.CA, host: str, until: datetime.datetime
) -> tuple[Path, Path]:
    """Files of a certificate and its key."""
    leaf = authority.issue_cert(host, not_before=NOW - datetime.timedelta(days=9), not_after=until)
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    leaf.cert_chain_pems[0].write_to_path(str(certificate))
    leaf.private_key_pem.write_to_path(str(key))
    return certificate, key


class Street:
    """One bad address of each kind, and a good one."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        authority, stranger = trustme.CA(), trustme.CA()
        later, before = NOW + datetime.timedelta(days=9), NOW - datetime.timedelta(days=1)
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        self.heard: list[Provider] = []
        self.urls = {"refused": stack.enter_context(refusing()), "unnamed": NAMELESS}
        for name, signs, host, until in (
            ("expired", authority, "localhost", before),
            ("elsewhere", authority, "elsewhere.example", later),
            ("stranger", stranger, "localhost", later),
            ("good", authority, "localhost", later),
        ):
            served = stack.enter_context(Provider(tls(*_certified(folder, name, signs, host, until))))
            self._serve(name, served, "https://localhost")
        self._serve("plain", stack.enter_context(Provider()), "https://localhost")

    def _serve(self, name: str, served: Provider, at: str) -> None:
        served.default = Playbook().answer
        self.urls[name] = f"{at}:{served.port}/v1"
        if name != "good":
            self.heard.append(served)


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Street]:
    with ExitStack() as stack:
        yield Street(tmp_path_factory.mktemp("street"), stack)


@pytest.fixture(scope="module")
def gateway(street: Street, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("addresses")
    ca = next(folder.parent.glob("street*/ca.pem"))
    config = f'[server]\nca = "{ca}"\n[server.deadlines]\nconnect_s = 3.0\n'
    config += f"[server.failover]\nmax_attempts = {ATTEMPTS}\nbackoff_s = 0.05\n"
    for endpoint, (api, dialect) in APIS.items():
        speaks = f'dialects = ["{dialect}"]'
        for name, url in street.urls.items():
            config += provider(f"{name}-{endpoint}", url, api=api, more=speaks)
            for way in ("alone", "backed", "alone.s", "backed.s"):  # one that fails often is passed over
                config += deployment(f"{name}.{endpoint}.{way}", f"{name}-{endpoint}")
                if name != "good":
                    more = (f"good.{endpoint}.alone",) if way.startswith("backed") else ()
                    config += route(f"to.{name}.{endpoint}.{way}", f"{name}.{endpoint}.{way}", *more)
    with Served(folder, config) as gateway:
        yield gateway


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("endpoint", PATHS)
@pytest.mark.parametrize("name", ADDRESSES)
def test_a_bad_address_hears_nothing_and_another_answers(
    gateway: Served, street: Street, name: str, endpoint: str, streamed: bool
) -> None:
    outcome = ADDRESSES[name].of(endpoint, streamed=streamed)
    suffix = ".s" if streamed else ""
    asked = (
        question("", stream=streamed, max_tokens=9) if endpoint != "responses" else {"input": "x", "stream": streamed}
    )

    alone = gateway.ask(asked | {"model": f"to.{name}.{endpoint}.alone{suffix}"}, PATHS[endpoint])
    backed = gateway.ask(asked | {"model": f"to.{name}.{endpoint}.backed{suffix}"}, PATHS[endpoint])

    assert (read(alone, endpoint, streamed=streamed).kind, alone.status) == (outcome.client, outcome.status)
    assert read(backed, endpoint, streamed=streamed) == ("answer", "".join(WORDS), "")
    for answer in (alone, backed):
        rows = gateway.entries(answer.id)
        good = [row for row in rows if row["deployment"].startswith("good")]
        for bad in rows[: len(rows) - len(good)]:
            assert (bad["state"], bad["outcome"], bad["cost_nusd"]) == (outcome.state, outcome.outcome, 0)
        assert [row["outcome"] for row in good] == (["ok"] if answer is backed else [])
        assert len(rows) == (2 if answer is backed else ATTEMPTS)
    assert [each.requests for each in street.heard] == [0] * len(street.heard)
