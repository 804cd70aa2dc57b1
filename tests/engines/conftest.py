from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator

import pytest

from support.processes import free_port
from twintrack.engines.start import Engine, EngineProcess, bundled


@pytest.fixture(scope="session")
def llama_installed() -> None:
    """Skips where the extra is missing; with REQUIRE_ALL=1 that is a failure, so that CI cannot skip unnoticed."""
    if importlib.util.find_spec("xllamacpp") is None:
        reason = "needs a local engine: pip install 'twintrack[local]'"
        if os.environ.get("REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def nano(llama_installed: None) -> Iterator[Engine]:
    """demo-nano, running; not for tests that stop or kill it."""
    yield from _running("demo-nano")


@pytest.fixture(scope="session")
def small(llama_installed: None) -> Iterator[Engine]:
    yield from _running("demo-small")


@pytest.fixture
def own_engine(llama_installed: None) -> Iterator[EngineProcess]:
    """demo-nano, not started, to be stopped and killed at will."""
    process = EngineProcess(Engine("demo-nano", bundled("demo-nano"), free_port()))
    yield process
    process.stop()


def _running(name: str) -> Iterator[Engine]:
    process = EngineProcess(Engine(name, bundled(name), free_port()))
    process.start()
    try:
        process.wait_ready()
        yield process.engine
    finally:
        process.stop()
