"""Vertex AI, asked with tokens of a service account: Gemini and Claude, at Google's paths and with Google's members."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.gateway import Served, deployment, provider, question
from support.provider import Provider
from support.raw import events, words
from support.waiting import eventually
from support.web import Server
from twintrack.errors import MissingExtra
from twintrack.providers.scripted import Received, Script, message_answer, message_events, stream

GEMINI = {
    "candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 7, "totalTokenCount": 19},
    "modelVersion": "gemini-test",
}
PEM = (
    rsa.generate_private_key(public_exponent=65537, key_size=2048)
    .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    .decode()
)
ENVIRONMENT = {"NO_GCE_CHECK": "true"}
GOOGLE, ANTHROPIC = (f"/v1/projects/p/locations/eu/publishers/{name}" for name in ("google", "anthropic"))


@contextmanager
def token_server() -> Iterator[Server]:
    """Its tokens are numbered from 0."""
    server = Server()
    server.answer = lambda: (200, json.dumps({"access_token": f"ya29.{len(server.asked) - 1}", "expires_in": 3_600}))
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def tokens() -> Iterator[Server]:
    with token_server() as server:
        yield server


def written(folder: Path, tokens: Server) -> str:
    """A service account's file, which is no single word as other keys are."""
    account = {
        "type": "service_account",
        "client_email": "gateway@p.iam.gserviceaccount.com",
        "private_key_id": "k1",
        "private_key": PEM,
        "token_uri": f"http://{tokens.address}/token",
    }
    folder.mkdir(exist_ok=True)
    (folder / "account.json").write_text(json.dumps(account, indent=2))
    (folder / "account.json").chmod(0o600)
    return 'key = "file:account.json"'


def configured(mine: Provider, claude: Provider, more: str) -> str:
    config = provider("vertex", mine.url.removesuffix("/v1") + GOOGLE, more=more, api="vertex")
    config += deployment("gemini", "vertex", model="gemini-3.8-flash")
    config += provider("there", claude.url.removesuffix("/v1") + ANTHROPIC, more=more, api="vertex-anthropic")
    return config + deployment("sonnet", "there", model="claude-sonnet-5@20260929")


def until_asked(gateway: Served, model: str) -> None:
    eventually(lambda: gateway.chat(model).status == 200)


@pytest.fixture(scope="module")
def gateway(mine: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("vertex")
    mine.default = Script(pieces=(json.dumps(GEMINI).encode(),))
    claude.default = message_answer("Hello")
    with (
        token_server() as tokens,
        Served(folder, configured(mine, claude, written(folder, tokens)), ENVIRONMENT) as gateway,
    ):
        until_asked(gateway, "gemini")
        until_asked(gateway, "sonnet")
        yield gateway


def bearer(received: Received) -> str:
    assert not received.headers.keys() & {"x-api-key", "x-goog-api-key"}
    return received.headers["authorization"]


def test_gemini_is_asked_at_its_path_by_a_bearer(gateway: Served, mine: Provider) -> None:
    mine.default = Script(pieces=(json.dumps(GEMINI).encode(),))
    answer = gateway.chat("gemini", temperature=0.5)
    assert answer.json()["choices"][0]["message"]["content"] == "Hello"
    received = mine.received[-1]
    assert received.target == f"{GOOGLE}/models/gemini-3.8-flash:generateContent"
    assert bearer(received).startswith("Bearer ya29.")
    asked = json.loads(received.body)
    assert "model" not in asked
    assert asked["generationConfig"]["temperature"] == 0.5
    (row,) = gateway.entries(answer.id)
    assert (row["state"], row["input_tokens"], row["output_tokens"]) == ("settled", 12, 7)

    mine.default = stream([b"data: " + json.dumps(GEMINI).encode() + b"\r\n\r\n"])
    answer = gateway.chat("gemini", stream=True)
    assert (words(answer.body), answer.complete) == ("Hello", True)
    assert mine.received[-1].target == f"{GOOGLE}/models/gemini-3.8-flash:streamGenerateContent?alt=sse"


def test_claude_is_asked_without_a_model_and_with_the_version(gateway: Served, claude: Provider) -> None:
    claude.default = message_answer("Hello")
    messages = '[ {"role":"user","content":"\\u00e9","x-ray":[1.0,1e5]} ]'
    body = f'{{"model":"sonnet","max_tokens": 50,"messages":{messages},"new":{{"a" : 1.0}}}}'
    answer = gateway.ask(body.encode(), "/v1/messages", {"anthropic-beta": "context-1m"})
    assert answer.body == message_answer("Hello").pieces[0]
    received = claude.received[-1]
    assert received.target == f"{ANTHROPIC}/models/claude-sonnet-5@20260929:rawPredict"
    assert bearer(received).startswith("Bearer ya29.")
    assert received.headers["anthropic-beta"] == "context-1m"
    rest = f'"max_tokens":50,"messages":{messages},"new":{{"a" : 1.0}}'
    assert received.body == f'{{{rest},"anthropic_version":"vertex-2023-10-16"}}'.encode()


def test_claude_streamed(gateway: Served, claude: Provider) -> None:
    claude.default = stream(message_events(["Hel", "lo"]))
    answer = gateway.ask(question("sonnet", stream=True, max_tokens=50), "/v1/messages")
    assert (answer.body, answer.complete) == (b"".join(message_events(["Hel", "lo"])), True)
    received = claude.received[-1]
    assert received.target.endswith(":streamRawPredict")
    assert json.loads(received.body)["stream"] is True


@pytest.mark.parametrize("streamed", [False, True])
def test_claude_asked_by_a_client_of_another_dialect(gateway: Served, claude: Provider, streamed: bool) -> None:
    claude.default = stream(message_events(["Hello"])) if streamed else message_answer("Hello")
    answer = gateway.chat("sonnet", stream=streamed, max_tokens=50)
    said = words(answer.body) if streamed else answer.json()["choices"][0]["message"]["content"]
    assert (answer.status, said) == (200, "Hello")
    received = claude.received[-1]
    assert received.target.endswith(":streamRawPredict" if streamed else ":rawPredict")
    asked: dict[str, Any] = json.loads(received.body)
    assert (asked.get("model"), asked["anthropic_version"], asked["max_tokens"]) == (None, "vertex-2023-10-16", 50)
    assert not streamed or events(answer.body)[-1] == "[DONE]"


def test_its_tokens_are_counted_there(gateway: Served, claude: Provider) -> None:
    claude.default = Script(pieces=(b'{"input_tokens":14}',))
    answer = gateway.ask(question("sonnet"), "/v1/messages/count_tokens")
    assert answer.json() == {"input_tokens": 14}
    received = claude.received[-1]
    assert received.target == f"{ANTHROPIC}/models/count-tokens:rawPredict"
    asked = json.loads(received.body)
    assert (asked["model"], asked["anthropic_version"]) == ("claude-sonnet-5@20260929", "vertex-2023-10-16")


def test_a_thread_is_refused_by_name(gateway: Served, claude: Provider) -> None:
    before = claude.requests
    answer = gateway.ask(question("sonnet", max_tokens=5, thread={"type": "create"}), "/v1/messages")
    assert answer.status == 400
    assert "$.thread" in answer.json()["error"]["message"]
    assert claude.requests == before


# Tokens


def test_a_token_is_renewed_and_nobody_waits(mine: Provider, claude: Provider, tokens: Server, tmp_path: Path) -> None:
    tokens.answer = lambda: (200, json.dumps({"access_token": f"ya29.{len(tokens.asked) - 1}", "expires_in": 4}))
    mine.default = Script(pieces=(json.dumps(GEMINI).encode(),))
    config = provider("vertex", mine.url, more=written(tmp_path, tokens), api="vertex") + deployment("gemini", "vertex")
    with Served(tmp_path, config, ENVIRONMENT) as gateway:
        until_asked(gateway, "gemini")
        first = bearer(mine.received[-1])

        def renewed() -> bool:
            assert gateway.chat("gemini").status == 200
            return bearer(mine.received[-1]) != first

        eventually(renewed, every_s=0.05)
    assert (first, bearer(mine.received[-1])) == ("Bearer ya29.0", "Bearer ya29.1")


def test_a_token_server_that_refuses_is_told_and_nothing_sent(
    mine: Provider, claude: Provider, tokens: Server, tmp_path: Path
) -> None:
    tokens.answer = lambda: (400, '{"error":"invalid_grant","error_description":"Invalid JWT Signature."}')
    before = mine.requests, claude.requests
    with Served(tmp_path, configured(mine, claude, written(tmp_path, tokens)), ENVIRONMENT, clean=False) as gateway:
        for model in ("gemini", "sonnet"):
            eventually(lambda model=model: b"could not be" in gateway.chat(model).body)  # type: ignore[misc]
            answer = gateway.chat(model)
            assert (answer.status, answer.headers["retry-after"]) == (503, "1")
            assert "Invalid JWT" not in answer.json()["error"]["message"], "that is for whoever runs the gateway"
            assert "GOOGLE_APPLICATION_CREDENTIALS" in answer.json()["error"]["message"]
            assert b"PRIVATE" not in answer.body
        assert "Invalid JWT Signature" in gateway.stderr()
    assert (mine.requests, claude.requests) == before


# Before anything starts


def check(file: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOOGLE_")}
    command = [sys.executable, "-m", "twintrack", "config", "check", str(file)]
    return subprocess.run(command, env=kept | env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("file:missing.json", "missing.json"),
        ("env:GOOGLE_TOKEN", "a service account's file"),
    ],
)
def test_a_file_that_is_none_is_found_before(tmp_path: Path, key: str, says: str) -> None:
    file = tmp_path / "twintrack.toml"
    config = provider("vertex", "http://127.0.0.1:9/v1", more=f'key = "{key}"', api="vertex")
    file.write_text(config + deployment("gemini", "vertex"))
    told = check(file, GOOGLE_TOKEN="ya29")
    assert (told.returncode, says in told.stdout) == (3, True), told.stdout + told.stderr
    assert "$.providers[0].key" in told.stdout


def test_without_google_auth_the_extra_is_named(tokens: Server, tmp_path: Path) -> None:
    blocked = tmp_path / "blocked" / "google" / "auth"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text('raise ImportError("not here")\n')
    (blocked.parent / "__init__.py").write_text("")
    file = tmp_path / "twintrack.toml"
    config = provider("vertex", "http://127.0.0.1:9/v1", more=written(tmp_path, tokens), api="vertex")
    file.write_text(config + deployment("gemini", "vertex"))
    told = check(file)
    assert (told.returncode, told.stderr) == (0, ""), told.stdout
    told = check(file, PYTHONPATH=str(tmp_path / "blocked"))
    assert told.returncode == 3
    assert "pip install 'twintrack[vertex]'" in told.stdout

    written(tmp_path / "served", tokens)
    gateway = Served(tmp_path / "served", file.read_text(), {"PYTHONPATH": str(tmp_path / "blocked")})
    gateway.start()
    assert gateway.process is not None
    assert gateway.process.wait(20) == MissingExtra.exit_code
    assert "pip install 'twintrack[vertex]'" in gateway.stderr()
    assert "Traceback" not in gateway.stderr()
