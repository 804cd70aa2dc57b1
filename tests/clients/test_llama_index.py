"""LlamaIndex: `llama-index-llms-openai-like` for chat, `llama-index-llms-openai` for responses.

They hold the `openai` package below version 3, so these tests also say that its version 2 works. One run of
`apart/llama_index_program.py` asks everything; each test looks at one answer.
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

pytestmark = [pytest.mark.engine, pytest.mark.needs("clients", reason="runs LlamaIndex")]

MODELS = {"openai": "small-openai", "responses": "scripted-responses", "anthropic": "small-anthropic"}
"""By the provider's dialect. llama.cpp's own Responses dialect takes no history of this client's form."""
PROGRAM = Path(__file__).parent / "apart" / "llama_index_program.py"
NO_PROXY_ANSWERS = "http://127.0.0.1:9"

api = pytest.mark.parametrize("api", ["chat", "responses"])


@pytest.fixture(scope="module")
def said(gateway: Served, scripted: dict[str, Provider]) -> Any:
    """{model: {"api: what": answer}}."""
    scripted["responses"].default = small("responses")
    python = Path(sys.prefix) / "clients" / "bin" / "python"
    done = subprocess.run(
        [str(python), "-W", "error::DeprecationWarning", str(PROGRAM), f"{gateway.url}/v1", "sk-dev", *MODELS.values()],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(gateway.folder),
            "HTTPS_PROXY": NO_PROXY_ANSWERS,  # what it would download fails
            "NO_PROXY": "127.0.0.1",
        },
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def heard(said: Any, api: str, dialect: str) -> dict[str, Any]:
    """{what: answer} of one API and one provider."""
    found: dict[str, Any] = said[MODELS[dialect]]
    return {what.removeprefix(f"{api}: "): answer for what, answer in found.items() if what.startswith(f"{api}:")}


@api
def test_chat(heard: dict[str, Any]) -> None:
    assert heard["chat"] == {"text": ANSWER, "usage": True}


@api
def test_a_conversation(heard: dict[str, Any]) -> None:
    assert heard["conversation"] == "11"


@api
def test_stream_chat(heard: dict[str, Any]) -> None:
    assert "".join(heard["stream"]) == ANSWER
    assert len(heard["stream"]) > 3


@api
def test_async_chat_and_stream(heard: dict[str, Any]) -> None:
    assert heard["from_async_code"] == [ANSWER, ANSWER]


@api
def test_a_tool_and_its_result(heard: dict[str, Any]) -> None:
    assert heard["tool"] == ["get_weather", {"city": "Kesti"}, TOLD]
    assert heard["streamed_tool"] == ["get_weather", {"city": "Kesti"}]


@api
def test_structured_predict(heard: dict[str, Any]) -> None:
    assert heard["structured"] == KAI.model_dump()
