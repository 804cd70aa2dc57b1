"""A snapshot, a ledger with a week of traffic, and the console over both."""

from __future__ import annotations

import asyncio
import datetime
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from twintrack.catalog import prices
from twintrack.config.compile import compile_snapshot
from twintrack.config.load import parse
from twintrack.config.snapshot import Snapshot
from twintrack.control.app import application
from twintrack.ledger.journal import Journal
from twintrack.ledger.load import Loader
from twintrack.ledger.records import Dispatch, Judged, Names, Refuse, Settle
from twintrack.ledger.segment import journal_folder

HOUR_US = 3_600_000_000
NOW_US = int(datetime.datetime(2027, 3, 4, 15, 42, 10, tzinfo=datetime.UTC).timestamp()) * 1_000_000

CONFIG = """\
[server]
listen = "127.0.0.1:8080"

[[keys]]
name = "support-bot"
key = "env:TWINTRACK_KEY"

[[providers]]
name = "gpu-room"
api = "vllm"
url = "http://10.0.0.5:8000/v1"
zone = "own"
region = "eu-west"

[[providers]]
name = "laptop"
api = "llama.cpp"
url = "http://127.0.0.1:9001/v1"
zone = "own"

[[providers]]
name = "together"
key = "env:TOGETHER_API_KEY"
zone = "contracted"
region = "eu-central"

[[providers]]
name = "openai"
key = "env:OPENAI_API_KEY"

[[providers]]
name = "pretend"
api = "llama.cpp"
url = "http://127.0.0.1:9002/v1"
zone = "third_party"
simulated = true

[[deployments]]
model = "llama-3.3-70b-instruct"
provider = "gpu-room"
name = "llama@gpu-room"
price = { per_hour_usd = 1.2 }

[[deployments]]
model = "mid"
provider = "together"
name = "mid@together"
price = { input_usd_per_mtok = 0.2, output_usd_per_mtok = 0.6 }
facts = { context_tokens = 32768, modalities = ["text"], tools = true, quality = 0.9 }

[[deployments]]
model = "gpt-5.4"
provider = "openai"
name = "gpt-5.4@openai"
price = { input_usd_per_mtok = 2.5, output_usd_per_mtok = 15 }

[[deployments]]
model = "new-model"
provider = "openai"
name = "new-model@openai"
facts = { context_tokens = 8192, modalities = ["text"], tools = true, quality = 0.9 }

[[deployments]]
model = "demo-nano"
provider = "laptop"
facts = { context_tokens = 512, modalities = ["text"], tools = true, quality = 0.7 }

[[deployments]]
model = "scripted-premium"
provider = "pretend"
price = { input_usd_per_mtok = 2.5, output_usd_per_mtok = 15 }
facts = { context_tokens = 512, modalities = ["text"], tools = true, quality = 0.7 }

[routes.auto]
tiers = [
  { name = "small", deployments = ["llama@gpu-room"] },
  { name = "balanced", deployments = ["mid@together", "new-model@openai"] },
  { name = "premium", deployments = ["gpt-5.4@openai"] },
]
max_usd_per_request = 0.05
max_ttft_ms = 2000

[routes.try]
tiers = [
  { name = "small", deployments = ["demo-nano@laptop"] },
  { name = "premium", deployments = ["scripted-premium@pretend"] },
]
"""
SECRETS = {
    "TWINTRACK_KEY": "tk-our-secret",
    "OPENAI_API_KEY": "sk-their-secret",
    "TOGETHER_API_KEY": "to-their-secret",
}
GPU, MID, GPT, NEW, NANO, PRETEND = range(6)


def make_snapshot(data: Path, text: str = CONFIG, **changes: Any) -> Snapshot:
    settings, source = parse(text, "twintrack.toml", environ=SECRETS)
    listed = prices.load(None, on=datetime.date(2027, 3, 4))
    compiled = compile_snapshot(
        settings,
        source,
        generation=3,
        prices=listed,
        secrets=lambda reference: SECRETS[reference.removeprefix("env:")],
    )
    return msgspec.structs.replace(compiled, data=str(data), **changes)


class Ledger:
    """Writes what a worker would have written."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.folder = Path(snapshot.data)
        self.now_us = NOW_US
        self._journal = Journal(journal_folder(self.folder), "w0", 1_048_576)
        self._journal.start(_names(snapshot))
        self.loader = Loader(self.folder, clock_us=lambda: self.now_us)

    def dispatch(self, request_id: str, at_us: int, deployment: int = MID, **changes: Any) -> None:
        facts: dict[str, Any] = {
            "attempt": 0,
            "generation": 3,
            "route": 1 if deployment in (NANO, PRETEND) else 0,
            "tier": {GPU: 0, MID: 1, NEW: 1, GPT: 2, NANO: 0, PRETEND: 1}[deployment],
            "key": 0,
            "endpoint": "chat",
            "stream": True,
            "data_class": 1,
            "reason": "good_enough",
            "chosen": deployment,
            "baseline": PRETEND if deployment in (NANO, PRETEND) else GPT,
            "prompt_tokens_est": 800,
            "predicted_nusd": 340_000,
            "p_good": 0.93,
            "complexity": 0.41,
            "propensity": 1.0,
            "task": "code",
            "language": "en",
            "ruled_out": (),
            "request_bytes": 4312,
        }
        self._journal.append(Dispatch(request_id=request_id, at_us=at_us, deployment=deployment, **(facts | changes)))

    def settle(self, request_id: str, at_us: int, **changes: Any) -> None:
        facts: dict[str, Any] = {
            "attempt": 0,
            "state": "settled",
            "outcome": "ok",
            "status": 200,
            "detail": "",
            "ttft_us": 310_000,
            "total_us": 2_000_000,
            "input_tokens": 812,
            "output_tokens": 301,
            "cache_read_tokens": 0,
            "cache_write_tokens": 0,
            "reasoning_tokens": None,
            "usage_source": "reported",
            "cost_nusd": 343_000,
            "baseline_nusd": 6_545_000,
            "energy_mj": None,
            "energy_source": "unknown",
            "response_bytes": 9000,
        }
        self._journal.append(Settle(request_id=request_id, at_us=at_us, **(facts | changes)))

    def failed(self, request_id: str, at_us: int, **changes: Any) -> None:
        facts: dict[str, Any] = {
            "state": "released",
            "outcome": "upstream_refused",
            "status": 503,
            "detail": "overloaded",
            "ttft_us": None,
            "total_us": 400_000,
            "input_tokens": None,
            "output_tokens": None,
            "usage_source": "none",
            "cost_nusd": 0,
            "baseline_nusd": None,
        }
        self.settle(request_id, at_us, **(facts | changes))

    def refuse(self, request_id: str, at_us: int, **changes: Any) -> None:
        facts: dict[str, Any] = {
            "generation": 3,
            "route": 0,
            "key": 0,
            "endpoint": "chat",
            "status": 422,
            "code": "no_eligible_model",
            "data_class": 3,
            "prompt_tokens_est": 64_000,
            "ruled_out": ((GPU, "context", 32_768, 64_000), (MID, "zone", 1, 25), (GPT, "zone", 2, 25)),
        }
        self._journal.append(Refuse(request_id=request_id, at_us=at_us, **(facts | changes)))

    def answered(self, request_id: str, at_us: int, deployment: int = MID, **changes: Any) -> None:
        """One attempt, and it went well."""
        took_us = changes.get("total_us", 2_000_000)
        if deployment == GPU:
            changes = {"cost_nusd": None} | changes
        if deployment == NEW:
            changes = {"cost_nusd": None} | changes
        self.dispatch(request_id, at_us, deployment)
        self.settle(request_id, at_us + took_us, **changes)

    def judged(self, request_id: str, at_us: int, score: float, label: str = "") -> None:
        """By the operator."""
        self._journal.append(Judged(request_id, at_us, -1, 1, "human", score, label))

    def load(self) -> None:
        assert self.loader.load().caught_up

    def close(self) -> None:
        self._journal.close()
        self.loader.load()
        self.loader.close()


def _names(snapshot: Snapshot) -> Names:
    return Names(
        schema=1,
        generation=snapshot.generation,
        policy_version=snapshot.policy_version,
        worker="w0",
        deployments=tuple((d.name, d.model, d.provider, d.zone, d.region, d.simulated) for d in snapshot.deployments),
        per_hour_nusd=tuple(d.per_hour_nusd for d in snapshot.deployments),
        routes=tuple((route.name, tuple(tier.name for tier in route.tiers)) for route in snapshot.routes),
        keys=tuple(key.name for key in snapshot.keys),
    )


def a_week(ledger: Ledger, snapshot: Snapshot) -> None:
    """Traffic with everything in it: all deployments, failures, refusals, unknown costs, idle engines."""
    chance = random.Random(4)
    number = 0
    for hours_ago in range(24 * 7, -1, -1):
        hour_us = (NOW_US // HOUR_US - hours_ago) * HOUR_US
        until_us = min(hour_us + HOUR_US, NOW_US)
        busy = 2 + round(6 * (1 - abs(hour_us // HOUR_US % 24 - 14) / 12))
        for place in range(busy):
            at_us = hour_us + (until_us - hour_us) * (2 * place + 1) // (2 * busy + 1)
            number += 1
            deployment = chance.choice((GPU, GPU, GPU, MID, MID, GPT, NEW if hours_ago % 9 == 0 else MID))
            tokens, answer = chance.randint(200, 6000), chance.randint(20, 900)
            rates = {GPU: None, NEW: None, MID: (200, 600), GPT: (2500, 15000)}[deployment]
            ledger.answered(
                f"tt-65f0a1b27c3d9e01-{number:x}",
                at_us,
                deployment,
                input_tokens=tokens,
                output_tokens=answer,
                cost_nusd=None if rates is None else tokens * rates[0] + answer * rates[1],
                baseline_nusd=tokens * 2500 + answer * 15000,
                ttft_us=chance.randint(90_000, 900_000),
                total_us=chance.randint(900_000, 9_000_000),
            )
        if hours_ago % 20 == 3:
            ledger.answered(f"tt-sim-{hours_ago}", hour_us + 5_000_000, PRETEND)
    ledger.load()
    gpu = [snapshot.deployments[GPU]]
    for hours_ago in (30, 29, 8, 7, 6, 5, 4, 3, 2):
        hour_us = (NOW_US // HOUR_US - hours_ago) * HOUR_US
        for second in range(0, 3601, 10):
            ledger.loader.mark_up(hour_us + second * 1_000_000, gpu)


def special_cases(ledger: Ledger) -> None:
    """The newest requests, each of its own kind."""
    at_us = NOW_US - 60_000_000
    ledger.dispatch(
        "tt-fallback",
        at_us,
        MID,
        ruled_out=((GPU, "busy", 64, 64), (NEW, "cost_unknown", 50_000_000, 0)),
    )
    ledger.failed("tt-fallback", at_us + 400_000)
    ledger.dispatch("tt-fallback", at_us + 410_000, GPT, attempt=1, chosen=MID)
    ledger.settle("tt-fallback", at_us + 3_000_000, attempt=1, cost_nusd=6_545_000, cache_read_tokens=512)
    ledger.refuse("tt-refused", at_us + 4_000_000)
    ledger.answered("tt-unpriced", at_us + 5_000_000, NEW)
    ledger.answered("tt-demo", at_us + 6_000_000, NANO, cost_nusd=None)
    ledger.answered("tt-pretend", at_us + 7_000_000, PRETEND)
    ledger.answered("tt-own", at_us + 8_000_000, GPU)
    ledger.answered('tt-<img src=x onerror="alert(1)">/../&', at_us + 9_000_000)
    ledger.dispatch("tt-running", at_us + 59_000_000, GPT)
    ledger.load()


class Answer:
    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


class Console:
    """The application, asked without a server between."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.app = application(lambda: self.snapshot, clock_us=lambda: NOW_US)

    def get(self, target: str, method: str = "GET", host: str | None = "127.0.0.1:8080") -> Answer:
        path, _, query = target.partition("?")
        headers = [] if host is None else [(b"host", host.encode())]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(path),
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "server": ("127.0.0.1", 8080),
            "client": ("127.0.0.1", 1),
        }
        return asyncio.run(_asked(self.app, scope))


async def _asked(app: Any, scope: dict[str, Any]) -> Answer:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert len(headers) == len(sent[0]["headers"]), "a header was sent twice"
    return Answer(sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:]))


@pytest.fixture(scope="session")
def now_us() -> int:
    return NOW_US


@pytest.fixture(scope="session")
def console_over() -> type[Console]:
    return Console


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    return make_snapshot(tmp_path / "data")


@pytest.fixture
def ledger(snapshot: Snapshot) -> Iterator[Ledger]:
    ledger = Ledger(snapshot)
    try:
        yield ledger
    finally:
        ledger.close()


@pytest.fixture
def console(snapshot: Snapshot) -> Console:
    return Console(snapshot)


@pytest.fixture(scope="session")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snapshot]:
    """The snapshot of a ledger with a week in it, for who only reads."""
    snapshot = make_snapshot(tmp_path_factory.mktemp("week") / "data")
    ledger = Ledger(snapshot)
    try:
        a_week(ledger, snapshot)
        special_cases(ledger)
        yield snapshot
    finally:
        ledger.close()
