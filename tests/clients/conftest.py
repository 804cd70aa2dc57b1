"""One gateway for all clients: each meets providers of its own dialect and of every other.

`make clients` installs the two clients that need an environment of their own; the rest is in the tests' own. Run one
client with `pytest tests/clients/test_openai.py`, and one kind of provider with `-k anthropic-provider`.

Behind the gateway stands the bundled engine, which speaks all three dialects, listed once for each of them with no
other allowed; and beside it a scripted provider for each, for what a tiny model never says. What a client asks of
`small-<dialect>` the engine answers, what it asks of `scripted-<dialect>` the script.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from client_scripts import small

from support.gateway import Served, deployment, provider, route
from support.processes import free_port
from support.provider import Provider
from twintrack.engines.start import Engine, EngineProcess, bundled
from twintrack.providers.scripted import chat_answer

DIALECTS = ("openai", "responses", "anthropic")
"""Of providers. A client whose own dialect it is is passed on as it is; any other is translated."""
KEY = "sk-dev"
CONFIG = """
[server.deadlines]
keepalive_after_s = 0.4
[[keys]]
name = "dev"
key = "env:DEV_KEY"
"""
NO_PROXY_ANSWERS = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever would download something fails at once; nobody reports to anybody, and no key of the machine is used."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, NO_PROXY_ANSWERS)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
        monkeypatch.setenv(name, "false")
    for name in (
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "ANTHROPIC_BASE_URL",
    ):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def engine(needs: Callable[..., None]) -> Iterator[Engine]:
    needs("xllamacpp", "runs the bundled model")
    process = EngineProcess(Engine("demo-small", bundled("demo-small"), free_port()))
    process.start()
    try:
        process.wait_ready(30.0)
        yield process.engine
    finally:
        process.stop()


@pytest.fixture(scope="session")
def scripted() -> Iterator[dict[str, Provider]]:
    """One for each dialect."""
    with Provider() as openai, Provider() as responses, Provider() as anthropic:
        yield {"openai": openai, "responses": responses, "anthropic": anthropic}


@pytest.fixture(scope="session")
def gateway(
    engine: Engine, scripted: dict[str, Provider], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    config = CONFIG
    for dialect in DIALECTS:
        only = f'dialects = ["{dialect}"]'
        config += provider(f"engine-{dialect}", engine.url, api="llama.cpp", more=only)
        config += f'[[deployments]]\nmodel = "demo-small"\nprovider = "engine-{dialect}"\n'
        config += route(f"small-{dialect}", f"demo-small@engine-{dialect}")
        config += provider(f"script-{dialect}", scripted[dialect].url, more=only)
        config += deployment(f"scripted-{dialect}", f"script-{dialect}", model="upstream")
    config += deployment("vectors", "script-openai", facts=", embeddings = true")
    config += route("auto", "scripted-openai") + route("bot", "scripted-anthropic")
    with Served(tmp_path_factory.mktemp("clients"), config, {"DEV_KEY": KEY}) as gateway:
        yield gateway


@pytest.fixture(params=[pytest.param(dialect, id=f"{dialect}-provider") for dialect in DIALECTS])
def dialect(request: pytest.FixtureRequest) -> str:
    """Of the provider that answers."""
    spoken: str = request.param
    return spoken


@pytest.fixture
def model(dialect: str) -> str:
    """A name for the bundled model."""
    return f"small-{dialect}"


@pytest.fixture
def strict(dialect: str, scripted: dict[str, Provider]) -> str:
    """The same, or who says the same where the client minds that llama.cpp's Responses are not quite the vendor's.

    Its events have no `output_index`, it takes no item without `type`, and it never says that it cut an answer
    (xllamacpp 2026.10).
    """
    if dialect != "responses":
        return f"small-{dialect}"
    scripted["responses"].default = small("responses")
    return "scripted-responses"


@pytest.fixture
def script(dialect: str, scripted: dict[str, Provider]) -> Provider:
    """Who answers `scripted-<dialect>`."""
    fresh = scripted[dialect]
    fresh.scripts.clear()
    fresh.received.clear()
    fresh.default = chat_answer("nobody said what to answer")
    return fresh
