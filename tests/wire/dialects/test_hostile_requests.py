"""Requests and refusals made to hurt: refused in words, or read in a time that grows with their length."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from twintrack.errors import BadRequest
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.request import Target
from twintrack.wire.dialect import decode
from twintrack.wire.dialects.responses.read_input import KEPT_BY_PROVIDER
from twintrack.wire.endpoints import BY_NAME
from twintrack.wire.foreign import without_foreign_thinking
from twintrack.wire.refusal import refusal
from twintrack.wire.translators import client_side, provider_side

FAST_S = 3.0
"""Generous: what grows with the square takes longer."""


def translate(endpoint: str, body: dict[str, Any], dialect: str) -> Any:
    request, _ = client_side(endpoint).read_request(json.dumps(body).encode(), False)
    return json.loads(provider_side(dialect).write_request(request, Target("claude-sonnet-4-5"), Losses()))


# ---- bytes that are no text


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize(
    ("endpoint", "body"),
    [
        (
            "chat",
            b'{"model":"sonnet","messages":[{"role":"user","content":"Hello"}],"tools":[{"type":"function",'
            b'"function":{"name":"t","parameters":{"type":"obje\x82t"}}}]}',
        ),
        ("responses", b'{"model":"m","input":"Hello","tools":[{"type":"web_search"}],"tool_choice":"aut\x87"}'),
        ("messages", b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":"Hello"}],"\xc6ax_tokens":1}'),
    ],
)
def test_what_is_not_utf8_is_refused_with_its_place(endpoint: str, body: bytes, drop: bool) -> None:
    at = next(at for at, byte in enumerate(body) if byte > 127)
    with pytest.raises(BadRequest, match=f"not UTF-8.*byte {at} begins no character"):
        client_side(endpoint).read_request(body, drop)


def test_thinking_in_a_body_that_cannot_be_read_is_left_to_the_provider() -> None:
    body = (
        b'{"model":"m","messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"x",'
        b'"signature":"gemini#x"}]}],"\xc6ax_tokens":1}'
    )
    assert without_foreign_thinking(body) is body


# ---- time


def test_many_messages_of_one_role_are_joined_in_time() -> None:
    for role in ("user", "assistant"):
        messages = [{"role": "user", "content": "Hello"}] + [{"role": role, "content": f"{n}"} for n in range(30_000)]
        began = time.process_time()
        written = translate("messages", {"model": "m", "max_tokens": 5, "messages": messages}, "anthropic")
        assert time.process_time() - began < FAST_S
        texts = [block["text"] for block in written["messages"][-1]["content"]]
        assert texts[-30_000:] == [f"{n}" for n in range(30_000)]
        assert len(written["messages"]) == (1 if role == "user" else 2)


def test_results_come_first_in_joined_messages() -> None:
    calls = [{"type": "function", "id": f"c{n}", "function": {"name": "f", "arguments": "{}"}} for n in range(2)]
    said = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "a"},
        {"role": "assistant", "content": "b", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c0", "content": "0"},
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "user", "content": "x"},
        {"role": "user", "content": "y"},
    ]
    user, assistant, answered = translate("chat", {"model": "m", "messages": said}, "anthropic")["messages"]
    assert user == {"role": "user", "content": "Hello"}
    assert [block["type"] for block in assistant["content"]] == ["text", "text", "tool_use", "tool_use"]
    assert [block.get("text", block.get("tool_use_id")) for block in answered["content"]] == ["c0", "c1", "x", "y"]


def test_many_allowed_tools_are_found_in_time() -> None:
    names = [f"f{n}" for n in range(10_000)]
    began = time.process_time()
    chosen = [{"type": "function", "name": name} for name in names]
    body = {
        "model": "m",
        "input": "Hello",
        "tools": [{"type": "function", "name": name, "parameters": {}} for name in names],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": chosen},
    }
    request, _ = client_side("responses").read_request(json.dumps(body).encode(), False)
    assert request.tool_choice is not None
    assert request.tool_choice.allowed == tuple(names)
    functions = [{"type": "function", "function": {"name": name}} for name in names]
    body = {
        "model": "m",
        "messages": [{"role": "user", "content": "Hello"}],
        "tools": functions,
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": functions}},
    }
    request, _ = client_side("chat").read_request(json.dumps(body).encode(), False)
    assert request.tool_choice is not None
    assert request.tool_choice.allowed == tuple(names)
    assert time.process_time() - began < FAST_S


@pytest.mark.parametrize("page", ["<title>" * 300_000, "<title" * 300_000, "<html>" + "</title>" * 300_000])
def test_a_page_of_nothing_but_titles_is_read_in_time(page: str) -> None:
    began = time.process_time()
    assert refusal(502, page.encode()).message == "The answer is a page: without a title"
    assert time.process_time() - began < FAST_S / 10


def test_the_title_of_a_page() -> None:
    page = b'<!doctype html><HEAD><Title lang="en">Bad &amp; worse</TITLE></HEAD>'
    assert refusal(502, page).message == "The answer is a page: Bad & worse"


# ---- values and names


def test_the_type_of_a_part_of_an_output_may_be_anything() -> None:
    for kind in ([], {}, None, 5):
        items = [{"type": "function_call_output", "call_id": "c", "output": [{"type": kind, "text": "x"}]}]
        asked = decode(BY_NAME["responses"], json.dumps({"model": "auto", "input": items}).encode())
        assert "x" in "".join(asked.prompt().texts)


def test_a_long_name_is_not_repeated() -> None:
    hello = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    for more in ({"x" * 1_000_000: 1}, {"reasoning_effort": "x" * 1_000_000}):
        with pytest.raises(BadRequest) as refused:
            client_side("chat").read_request(json.dumps(hello | more).encode(), False)
        assert len(str(refused.value)) < 1000
        assert len(refused.value.param or "") < 300


# ---- what a provider keeps


@pytest.mark.parametrize("drop", [False, True])
@pytest.mark.parametrize("kind", sorted(KEPT_BY_PROVIDER))
def test_what_only_the_provider_has_is_never_left_out(kind: str, drop: bool) -> None:
    items = [{"role": "user", "content": "Hi"}, {"type": kind, "id": "x", "encrypted_content": "b2xk"}]
    with pytest.raises(BadRequest, match="only OpenAI has") as refused:
        client_side("responses").read_request(json.dumps({"model": "m", "input": items}).encode(), drop)
    assert refused.value.param == "$.input[1]"


@pytest.mark.parametrize(
    ("client", "body"),
    [
        ("chat", b'{"model":"m","messages":[{"role":"%b"}]}'),
        ("responses", b'{"model":"m","input":[{"role":"%b","content":"x"}]}'),
        ("messages", b'{"model":"m","max_tokens":5,"messages":[{"role":"%b","content":"x"}]}'),
    ],
)
def test_a_wrong_word_is_repeated_and_a_text_in_its_place_is_not(client: str, body: bytes) -> None:
    """An error stands in the logs of whoever asked; what was asked need not."""
    with pytest.raises(BadRequest, match="value 'usr'"):
        client_side(client).read_request(body % b"usr", False)
    with pytest.raises(BadRequest) as refused:
        client_side(client).read_request(body % b"My password is in this very sentence", False)
    assert "password" not in str(refused.value)
