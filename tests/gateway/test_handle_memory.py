"""What a request needed is free when it ends, however it ends, and not when the collector next comes round."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator

import pytest

from support.fuzzing.answers import good
from support.fuzzing.inside import Inside
from support.fuzzing.secrets import ENVIRON, MODELS, config
from support.raw import request
from twintrack.gateway.attempt import Attempt
from twintrack.gateway.handle import Inquiring
from twintrack.gateway.sending import Sending

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WORD = b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}\n\n'


DRAFTS = """
[[deployments]]
name = "cheap"
model = "cheap"
provider = "PROVIDER"
facts = { tools = true, quality = 0.3 }
price = { input_usd_per_mtok = 0.1, output_usd_per_mtok = 0.1 }
[routes.drafted]
tiers = [{ name = "small", deployments = ["cheap"] }, { name = "large", deployments = ["m"] }]
cascade = { check = ["match"], min_chars = 1 }
[routes.doubted]
tiers = [{ name = "small", deployments = ["cheap"] }, { name = "large", deployments = ["m"] }]
cascade = { check = ["match"], must_match = ["nobody says this"] }
[routes.sorted]
tiers = [{ name = "small", deployments = ["cheap"] }, { name = "large", deployments = ["m"] }]
classifier = { deployment = "cheap", max_ms = 2000 }
""".replace("PROVIDER", MODELS["m"])


@pytest.fixture(scope="module")
def inside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    found = Inside(config({}, keys=False) + DRAFTS, tmp_path_factory.mktemp("memory"), good, ENVIRON)
    with found.turning():
        yield found


@pytest.fixture(autouse=True)
def nobody_collects() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def kept() -> int:
    return sum(isinstance(each, (Inquiring, Sending, Attempt)) for each in gc.get_objects())


def chunked(*pieces: bytes) -> list[bytes]:
    return [HEAD, *[b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces]]


@pytest.mark.parametrize("model", ["m", "sonnet", "auto", "drafted", "doubted", "sorted"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_answered_request_is_forgotten(inside: Inside, model: str, stream: bool) -> None:
    inside.say = good
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    for _ in range(3):
        heard = inside.converse([request("POST", "/v1/chat/completions", json.dumps(body).encode())])
        assert heard.startswith(b"HTTP/1.1 200")
    assert kept() == 0


@pytest.mark.parametrize(
    "says",
    [
        [b"HTTP/1.1 500 No\r\ncontent-length: 2\r\n\r\n{}"],
        [b"HTTP/1.1 400 No\r\ncontent-length: 2\r\n\r\n{}"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n{"],
        [b"nonsense\r\n\r\n"],
        [b""],
        [*chunked(WORD), b""],
        [*chunked(WORD), b"nonsense\r\n"],
        chunked(WORD),
        chunked(b'data: {"error":{"message":"x"}}\n\n'),
    ],
    ids=["500", "400", "no JSON", "no HTTP", "nothing", "cut", "broken", "silent", "error"],
)
@pytest.mark.parametrize("model", ["m", "doubted"])
def test_a_failed_request_is_forgotten(inside: Inside, says: list[bytes], model: str) -> None:
    inside.say = lambda _: says
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hi"}], "stream": b"event" in says[0]})
    for _ in range(3):
        inside.converse([request("POST", "/v1/chat/completions", body.encode())])
    assert kept() == 0
