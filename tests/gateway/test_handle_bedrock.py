"""Amazon Bedrock, asked with the credentials of the AWS chain: each request is signed as botocore would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from support.gateway import Served, deployment, provider, question, route
from support.provider import Provider
from support.raw import Answer, events, words
from support.waiting import eventually
from twintrack.errors import MissingExtra
from twintrack.gateway.open import dialing, read_snapshot
from twintrack.providers.scripted import (
    Received,
    chat_answer,
    chat_events,
    message_answer,
    message_events,
    stream,
)

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2Vj//+==")
SIGNED = 'auth = "aws-sigv4"\nregion = "eu-west-1"'


def environment(folder: Path, keys: Credentials | None) -> dict[str, str]:
    """No credentials but these, and no look at the machine's metadata address."""
    given = {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
        "AWS_CONFIG_FILE": str(folder / "config"),
    }
    if keys is not None:
        given["AWS_ACCESS_KEY_ID"] = keys.access_key
        given["AWS_SECRET_ACCESS_KEY"] = keys.secret_key
        given["AWS_SESSION_TOKEN"] = keys.token
    return given


def settled(gateway: Served, model: str) -> Answer:
    """The first answer after the credentials were looked for."""

    def ask() -> Answer | None:
        answer = gateway.chat(model)
        return None if b"being fetched" in answer.body else answer

    answer = eventually(ask)
    assert answer is not None
    return answer


@pytest.fixture(scope="module")
def gateway(mine: Provider, claude: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("bedrock")
    config = provider("bedrock", mine.url, api="bedrock", more=SIGNED) + deployment("gpt", "bedrock")
    config += provider("claude-there", claude.url, api="bedrock-anthropic", more=SIGNED)
    config += deployment("sonnet", "claude-there", model="anthropic.claude-sonnet-5:0")
    with Served(folder, config, environment(folder, KEYS)) as gateway:
        settled(gateway, "gpt")
        claude.default = message_answer("hello")
        settled(gateway, "sonnet")
        yield gateway


def check_signature(received: Received, at: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against what botocore signs for what arrived, at the time it says."""
    said = received.headers
    when = datetime.strptime(said["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs((datetime.now(UTC) - when).total_seconds()) < 60
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: when)
    assert said["host"] == f"127.0.0.1:{at.port}"
    url = f"http://{said['host']}{received.target}"
    headers = {"host": said["host"], "X-Amz-Content-SHA256": said["x-amz-content-sha256"]}
    request = AWSRequest(received.method, url, headers=headers, data=received.body)
    SigV4Auth(KEYS, "bedrock", "eu-west-1").add_auth(request)
    assert said["authorization"] == request.headers["Authorization"]
    assert said["x-amz-security-token"] == KEYS.token
    assert "x-api-key" not in said


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages", "/v1/responses"])
@pytest.mark.parametrize("model", ["gpt", "sonnet"])
def test_a_request_is_signed_straight_and_translated(
    gateway: Served,
    mine: Provider,
    claude: Provider,
    monkeypatch: pytest.MonkeyPatch,
    model: str,
    path: str,
    streamed: bool,
) -> None:
    mine.default = stream(chat_events(["Hello"])) if streamed else chat_answer("Hello")
    claude.default = stream(message_events(["Hello"])) if streamed else message_answer("Hello")
    asked: dict[str, Any] = {"model": model, "stream": streamed}
    if path == "/v1/responses":
        asked |= {"input": "é 🦊"}
    else:
        asked |= {"messages": [{"role": "user", "content": "é 🦊"}], "max_tokens": 50}
    answer = gateway.ask(asked, path, {"anthropic-beta": "a-2026", "authorization": "Bearer sk-client"})
    assert (answer.status, answer.complete) == (200, True), answer.body
    assert b"Hello" in answer.body
    if model == "gpt":
        assert mine.received[-1].target == "/v1/chat/completions"
        check_signature(mine.received[-1], mine, monkeypatch)
    else:
        received = claude.received[-1]
        assert (received.target, received.headers["anthropic-version"]) == ("/v1/messages", "2023-06-01")
        assert json.loads(received.body)["model"] == "anthropic.claude-sonnet-5:0"
        assert received.headers.get("anthropic-beta") == ("a-2026" if path == "/v1/messages" else None)
        check_signature(received, claude, monkeypatch)
    (row,) = gateway.entries(answer.id)
    assert (row["state"], row["outcome"]) == ("settled", "ok")


def test_a_stream_is_whole(gateway: Served, mine: Provider) -> None:
    mine.default = stream(chat_events(["one", " two"]))
    answer = gateway.chat("gpt", stream=True)
    assert (words(answer.body), events(answer.body)[-1]) == ("one two", "[DONE]")


def test_each_attempt_is_signed_anew(gateway: Served, mine: Provider) -> None:
    mine.default = chat_answer("Hello")
    signatures = set()
    for text in ("a", "b"):
        gateway.ask(question("gpt", user=text))
        signatures.add(mine.received[-1].headers["authorization"])
    assert len(signatures) == 2


# Without credentials


def test_without_credentials_the_next_one_answers_or_nobody_is_asked(
    mine: Provider, other: Provider, tmp_path: Path
) -> None:
    config = provider("bedrock", mine.url, api="bedrock", more=SIGNED) + deployment("gpt", "bedrock")
    config += provider("other", other.url) + deployment("spare", "other")
    config += route("auto", "gpt", "spare", more="keep_quality = 0.5") + route("alone", "gpt")
    before = mine.requests
    with Served(tmp_path, config, environment(tmp_path, None), clean=False) as gateway:
        answer = settled(gateway, "gpt")
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        message = answer.json()["error"]["message"]
        assert "There are no AWS credentials: " in message
        assert "Set AWS_ACCESS_KEY_ID" in message
        assert gateway.chat("alone", stream=True).status == 503

        asked = gateway.chat("auto")
        assert (asked.status, asked.headers["x-twintrack-model"]) == (200, "spare")
        (row,) = gateway.entries(asked.id)
        assert (row["attempt"], row["deployment"], row["outcome"]) == (0, "spare", "ok")
    assert mine.requests == before


def test_a_configuration_read_again_keeps_asking(mine: Provider, tmp_path: Path) -> None:
    """New credentials take a moment, in which the old ones serve."""
    helper = tmp_path / "helper"
    said = json.dumps({"Version": 1, "AccessKeyId": "AKIDHELPER", "SecretAccessKey": "s"})
    helper.write_text(f"#!/bin/sh\nsleep 0.7\necho '{said}'\n")
    helper.chmod(0o700)
    (tmp_path / "config").write_text(f"[default]\ncredential_process = {helper}\n")
    mine.default = chat_answer("hello")
    config = provider("bedrock", mine.url, api="bedrock", more=SIGNED) + deployment("gpt", "bedrock")
    with Served(tmp_path, config, environment(tmp_path, None)) as gateway:
        assert settled(gateway, "gpt").status == 200
        gateway.file.write_text(config + provider("p", mine.url) + deployment("new", "p"))

        def reloaded() -> bool:
            assert gateway.chat("gpt").status == 200
            return gateway.chat("new").status == 200

        eventually(reloaded)
        for _ in range(20):
            assert gateway.chat("gpt").status == 200


# Before anything starts


def written(folder: Path, more: str) -> Path:
    file = folder / "twintrack.toml"
    file.write_text(f'[[providers]]\nname = "bedrock"\n{more}\n' + deployment("gpt", "bedrock"))
    return file


def check(file: Path, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    command = [sys.executable, "-m", "twintrack", "config", "check", str(file)]
    return subprocess.run(command, env=kept | env, capture_output=True, text=True, timeout=60)


def test_at_bedrock_itself_signing_needs_no_api_key(tmp_path: Path) -> None:
    told = check(written(tmp_path, 'auth = "aws-sigv4"\nregion = "eu-west-1"'))
    assert told.returncode == 0, told.stdout + told.stderr
    told = check(written(tmp_path, 'region = "eu-west-1"'))
    assert (told.returncode, "AWS_BEARER_TOKEN_BEDROCK is not set" in told.stdout) == (3, True)


def test_a_region_nobody_said_is_asked_for(tmp_path: Path) -> None:
    said = 'api = "bedrock"\nurl = "http://127.0.0.1:9/v1"\nzone = "own"\nauth = "aws-sigv4"'
    told = check(written(tmp_path, said))
    assert (told.returncode, told.stderr) == (3, "")
    assert "The AWS region of 127.0.0.1 is not known: " in told.stdout
    assert "Say region in the provider's table." in told.stdout


def test_without_botocore_check_and_serve_name_the_extra(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked" / "botocore"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text('raise ImportError("not here")\n')
    file = written(tmp_path, f'api = "bedrock"\nurl = "http://127.0.0.1:9/v1"\nzone = "own"\n{SIGNED}')
    told = check(file, PYTHONPATH=str(blocked.parent))
    assert told.returncode == 3
    assert "botocore is not installed: " in told.stdout
    assert "pip install 'twintrack[bedrock]'" in told.stdout

    gateway = Served(tmp_path / "served", file.read_text(), {"PYTHONPATH": str(blocked.parent)})
    gateway.start()
    assert gateway.process is not None
    assert gateway.process.wait(20) == MissingExtra.exit_code
    assert "pip install 'twintrack[bedrock]'" in gateway.stderr()
    assert "Traceback" not in gateway.stderr()


def test_so_does_whoever_holds_the_gateway_as_a_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = written(tmp_path, f'api = "bedrock"\nurl = "http://127.0.0.1:9/v1"\nzone = "own"\n{SIGNED}')
    snapshot = read_snapshot(file)
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    with pytest.raises(MissingExtra, match=r"twintrack\[bedrock\]"):
        dialing(snapshot)
