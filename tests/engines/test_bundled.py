from __future__ import annotations

import hashlib
import http.client
import importlib.util
import json
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from twintrack.engines.bundled import BundledModel, Prompt, bundled, bundled_models, bundled_prompts
from twintrack.engines.start import Engine
from twintrack.errors import ConfigError

SCRIPT = Path(__file__).parents[2] / "tools" / "make_tiny_model.py"
PROMPTS = bundled_prompts()


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The training script; torch is imported only when it trains."""
    spec = importlib.util.spec_from_file_location("make_tiny_model", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("model", bundled_models(), ids=lambda model: model.name)
def test_each_bundled_file_is_the_one_that_was_measured(model: BundledModel) -> None:
    assert hashlib.sha256(bundled(model.name).read_bytes()).hexdigest() == model.sha256


def test_the_two_demo_models_have_a_quality_gap_to_route_on() -> None:
    nano, small = bundled_models()
    assert (nano.name, small.name) == ("demo-nano", "demo-small")
    assert nano.parameters < small.parameters
    assert nano.quality < small.quality
    assert nano.skills.keys() == small.skills.keys()


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"No bundled model is called 'demo-smal'\. The nearest name is demo-small"):
        bundled("demo-smal")


def test_a_name_like_no_other_is_answered_with_all() -> None:
    with pytest.raises(ConfigError, match="There are demo-nano and demo-small"):
        bundled("gpt")


def test_prompts_are_balanced_over_the_skills() -> None:
    counts = Counter(prompt.skill for prompt in PROMPTS)
    assert counts.pop("tool") == 4
    assert set(counts.values()) == {16}
    assert counts.keys() | {"tool"} == bundled_models()[0].skills.keys()


def test_prompts_are_what_the_training_script_writes(script: ModuleType) -> None:
    chats = script.bundled_chats(script.eval_chats(seed=9))
    assert [chat.row() for chat in chats] == [
        {"skill": prompt.skill, "messages": list(prompt.messages), "expected": prompt.expected}
        | ({"tools": list(prompt.tools)} if prompt.tools else {})
        for prompt in PROMPTS
    ]


def test_open_ended_prompts_were_never_trained_on(script: ModuleType) -> None:
    for prompt in PROMPTS:
        chat = script.Chat(prompt.skill, list(prompt.messages), [], prompt.expected)
        assert script.held_out(chat) == (prompt.skill in script.OPEN_ENDED)


@pytest.mark.engine
def test_demo_small_answers_every_prompt_right(small: Engine) -> None:
    assert [prompt for prompt in PROMPTS if ask(small, prompt) != prompt.expected] == []


@pytest.mark.engine
def test_demo_nano_answers_most_prompts_right_and_json_hardly_ever(nano: Engine) -> None:
    right = Counter(prompt.skill for prompt in PROMPTS if ask(nano, prompt) == prompt.expected)
    assert 0.75 < right.total() / len(PROMPTS) < 0.85
    assert right["json"] <= 2


def ask(engine: Engine, prompt: Prompt) -> str:
    """The answer at temperature 0, with a parsed tool call written as the model wrote it."""
    body: dict[str, Any] = {"model": engine.name, "messages": prompt.messages, "temperature": 0, "max_tokens": 120}
    if prompt.tools:
        body["tools"] = prompt.tools
    connection = http.client.HTTPConnection(engine.host, engine.port, timeout=30)
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(body), {"content-type": "application/json"})
        message = json.loads(connection.getresponse().read())["choices"][0]["message"]
    finally:
        connection.close()
    text: str = message.get("content") or ""
    for call in message.get("tool_calls") or []:
        name, arguments = call["function"]["name"], json.dumps(json.loads(call["function"]["arguments"]))
        text += f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'
    return text.strip()
