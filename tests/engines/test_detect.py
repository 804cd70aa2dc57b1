from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from support.processes import free_port
from twintrack.engines.detect import Found, FoundModel, candidates_from, find
from twintrack.engines.start import Engine

Handler = Callable[[str, asyncio.StreamWriter], Awaitable[None]]
KINDS = ["llama_cpp", "lmstudio", "ollama", "sglang", "tgi", "vllm"]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """A server that hands each request's path to `handler` and closes the connection after it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            await handler(head.split()[1].decode(), writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the prober hung up, as it may, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def find_with(*handlers: Handler, timeout_s: float = 2.0) -> list[Found]:
    async def scenario() -> list[Found]:
        async with AsyncExitStack() as stack:
            bases = [await stack.enter_async_context(listening(handler)) for handler in handlers]
            return await find(bases, timeout_s)

    return asyncio.run(scenario())


def reply(writer: asyncio.StreamWriter, body: bytes, status: str = "200 OK", headers: str = "") -> None:
    writer.write(f"HTTP/1.1 {status}\r\n{headers}content-length: {len(body)}\r\n\r\n".encode() + body)


def recorded(name: str) -> Handler:
    shapes = json.loads((Path(__file__).parent / "data" / f"{name}.json").read_text())["answers"]

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        if path in shapes:
            reply(writer, json.dumps(shapes[path]).encode())
        else:
            reply(writer, b'{"detail":"Not Found"}', "404 Not Found")

    return handler


async def page(path: str, writer: asyncio.StreamWriter) -> None:
    reply(writer, b"<!doctype html><title>a web application</title>")


async def ok_to_all(path: str, writer: asyncio.StreamWriter) -> None:
    reply(writer, b'{"ok":true}')


async def silence(path: str, writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(2)


async def drip(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def garbage(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(bytes(range(256)) * 8 + b"\r\n\r\n")


async def odd_length(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: -7\r\n\r\n")


async def cut_off(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{"data":[')


async def ten_megabytes(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(160):
        writer.write(b"[" * 65_536)
        await writer.drain()


async def endless_head(path: str, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000)


LOOK_ALIKES = [page, ok_to_all, silence, drip, garbage, odd_length, cut_off, ten_megabytes, endless_head]


def test_all_six_kinds_are_found_at_once_in_the_order_asked() -> None:
    found = find_with(*map(recorded, KINDS))
    assert [server.api for server in found] == ["llama.cpp", "lmstudio", "ollama", "sglang", "tgi", "vllm"]
    assert all(server.url.startswith("http://127.0.0.1:") and server.url.endswith("/v1") for server in found)


@pytest.mark.parametrize("look_alike", LOOK_ALIKES, ids=lambda handler: handler.__name__)
def test_a_look_alike_is_not_found_and_raises_nothing(look_alike: Handler) -> None:
    assert find_with(look_alike, timeout_s=0.3) == []


@pytest.mark.alone
def test_slow_servers_cost_one_timeout_together_and_hide_nobody() -> None:
    begun = time.monotonic()
    found = find_with(silence, drip, silence, recorded("vllm"), timeout_s=2.0)
    assert time.monotonic() - begun < 5.0, "one after the other they would take six seconds"
    assert [server.api for server in found] == ["vllm"]


def test_a_server_that_hangs_on_what_it_does_not_know_is_still_found() -> None:
    shaped = recorded("ollama")

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        await (shaped if path.startswith(("/v1/models", "/api/version", "/api/tags")) else silence)(path, writer)

    assert [server.api for server in find_with(handler, timeout_s=0.5)] == ["ollama"]


def test_our_own_gateway_is_passed_over() -> None:
    shaped = recorded("vllm")

    async def gateway(path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/healthz":
            reply(writer, b"ok", headers="X-Twintrack: 0.1.0\r\n")
        else:
            await shaped(path, writer)

    assert find_with(gateway) == []


def test_a_web_application_is_asked_once_and_left_alone() -> None:
    asked: list[str] = []

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        asked.append(path)
        await page(path, writer)

    find_with(handler)
    assert asked == ["/v1/models"]


def test_a_server_behind_a_path_is_asked_there() -> None:
    shaped = recorded("vllm")

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        await shaped(path.removeprefix("/models"), writer)

    async def scenario() -> list[Found]:
        async with listening(handler) as base:
            return await find([f"{base}/models/v1/"], 2.0)

    (server,) = asyncio.run(scenario())
    assert server.url.endswith("/models/v1")


def test_nobody_listening_is_nobody_found() -> None:
    assert asyncio.run(find([f"http://127.0.0.1:{free_port()}"])) == []


def test_nothing_beyond_this_machine_is_asked() -> None:
    assert asyncio.run(find(["http://192.0.2.1:8000", "https://127.0.0.1", "http://example.com", "nonsense:x"])) == []


def test_candidates_are_the_usual_ports() -> None:
    ports = (11434, 1234, 8000, 8080, 3000, 30000, 1337)
    assert candidates_from({}) == tuple(f"http://127.0.0.1:{port}" for port in ports)


@pytest.mark.parametrize(
    ("variable", "value", "candidate"),
    [
        ("OLLAMA_HOST", "127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("OLLAMA_HOST", "0.0.0.0:5000", "http://127.0.0.1:5000"),
        ("OLLAMA_HOST", ":5000", "http://127.0.0.1:5000"),
        ("OLLAMA_HOST", "[::1]", "http://[::1]:11434"),
        ("OLLAMA_HOST", "http://localhost", "http://127.0.0.1:80"),
        ("OPENAI_BASE_URL", "http://localhost:5000/v1", "http://127.0.0.1:5000"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:5000/models/v1/", "http://127.0.0.1:5000/models"),
    ],
)
def test_a_variable_that_names_this_machine_adds_a_candidate(variable: str, value: str, candidate: str) -> None:
    assert candidates_from({variable: value}) == (candidate, *candidates_from({}))


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "10.0.0.5:11434",
        "https://127.0.0.1:443",
        "https://api.openai.com/v1",
        "127.0.0.1:port",
        "[::1",
        "127.0.0.1",
    ],
)
def test_a_variable_that_names_another_machine_or_nothing_new_adds_none(value: str) -> None:
    assert candidates_from({"OLLAMA_HOST": value}) == candidates_from({})


@pytest.mark.engine
def test_the_bundled_engine_is_found_with_its_model_and_context(nano: Engine, small: Engine) -> None:
    found = asyncio.run(find([nano.url, small.url], timeout_s=2.0))
    assert [(server.api, server.url) for server in found] == [("llama.cpp", nano.url), ("llama.cpp", small.url)]
    assert [server.models for server in found] == [
        (FoundModel("demo-nano", 512, ("text",)),),
        (FoundModel("demo-small", 512, ("text",)),),
    ]
