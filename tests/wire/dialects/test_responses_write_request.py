"""A request written for a provider of the dialect, and what is lost on the way."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from openai.types.responses.response_create_params import ResponseCreateParamsNonStreaming
from pydantic import TypeAdapter

from twintrack.wire.canonical.losses import Loss, Losses
from twintrack.wire.canonical.parts import (
    Audio,
    Citation,
    File,
    Image,
    Logprob,
    Media,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.dialects.responses import PROVIDER

SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"a":{"type":"string"}}}')
HELLO = Turn("user", (Text("Hello"),))
THEIRS = TypeAdapter(ResponseCreateParamsNonStreaming)


def write(request: Request) -> tuple[dict[str, Any], list[Loss]]:
    losses = Losses()
    body = json.loads(PROVIDER.write_request(request, Target("upstream"), losses))
    checked = {name: value for name, value in body.items() if name != "stream"}
    checked["input"] = [_as_kept(item) for item in body["input"]]
    THEIRS.validate_python(checked)
    return body, losses.found


def _as_kept(item: dict[str, Any]) -> dict[str, Any]:
    """With the members that items of an earlier answer have in OpenAI's types; its servers need none of them."""
    if item["type"] == "reasoning" or (item["type"] == "message" and isinstance(item["content"], list)):
        return {"id": "x", "status": "completed"} | item
    return item


def written(**members: Any) -> dict[str, Any]:
    body, lost = write(Request(**({"model": "auto", "turns": (HELLO,)} | members)))
    assert lost == []
    return body


def lost(**members: Any) -> list[Loss]:
    return write(Request(**({"model": "auto", "turns": (HELLO,)} | members)))[1]


def items(*turns: Turn, **members: Any) -> list[dict[str, Any]]:
    found = written(turns=turns, **members)["input"]
    assert isinstance(found, list)
    return found


def test_the_least_that_is_said() -> None:
    assert written() == {
        "model": "upstream",
        "input": [{"type": "message", "role": "user", "content": "Hello"}],
        "store": False,
    }


def test_system_text() -> None:
    assert written(system=(Text("A"),))["instructions"] == "A"
    body = written(system=(Text("A", cache="1h"), Text("B")), turns=(HELLO, Turn("system", (Text("C"),)), HELLO))
    assert body["instructions"] == "A"
    assert [(item["role"], item["content"]) for item in body["input"]] == [
        ("system", "B"), ("user", "Hello"), ("system", "C"), ("user", "Hello"),
    ]  # fmt: skip


def test_parts_of_a_users_turn() -> None:
    turn = Turn(
        "user",
        (
            Text("é\u0000😀", cache="5m"),
            Image(Media("AAAA", "image/png"), "low"),
            Image(Media(url="https://a.example/x"), "strange"),
            File(Media("AAAA", "application/pdf"), "a.pdf"),
            File(Media("AAAA", "text/plain")),
            File(Media(url="https://a.example/x.pdf"), context="The contract"),
        ),
    )
    assert items(turn)[0]["content"] == [
        {"type": "input_text", "text": "é\u0000😀"},
        {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
        {"type": "input_image", "image_url": "https://a.example/x", "detail": "auto"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"},
        {"type": "input_file", "filename": "file.txt", "file_data": "data:text/plain;base64,AAAA"},
        {"type": "input_text", "text": "The contract"},
        {"type": "input_file", "file_url": "https://a.example/x.pdf"},
    ]


def test_what_the_model_said_before() -> None:
    turn = Turn(
        "assistant",
        (
            Thinking("Hm", sealed="responses#gpt#gAAAAx", id="rs_1"),
            Text("A", citations=(Citation(url="https://a.example"),), logprobs=(Logprob("A", -0.1),)),
            Refusal("B"),
            ToolCall("c1", "f", '{"a":1}'),
            Text("C"),
            ToolCall("c2", "g", "any", custom=True),
        ),
    )
    results = Turn("tool", (ToolResult("c1", (Text("x"),)), ToolResult("c2", (), custom=True)))
    assert items(HELLO, turn, results)[1:] == [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "gAAAAx"},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "A", "annotations": []}, {"type": "refusal", "refusal": "B"}],
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
        {"type": "message", "role": "assistant", "content": "C"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "any"},
        {"type": "function_call_output", "call_id": "c1", "output": "x"},
        {"type": "custom_tool_call_output", "call_id": "c2", "output": ""},
    ]


@pytest.mark.parametrize(
    "thinking",
    [
        Thinking("Hm"),
        Thinking("Hm", "anthropics=="),
        Thinking("", "gemini#g#sig"),
        Thinking("", sealed="anthropics=="),
        Thinking("Hm", id="rs_1"),
    ],
)
def test_thinking_that_openai_could_not_check_is_left_out_in_silence(thinking: Thinking) -> None:
    assert len(items(HELLO, Turn("assistant", (thinking,)))) == 1


def test_results_with_images_and_errors() -> None:
    calls = Turn("assistant", tuple(ToolCall(f"c{n}", "f", "{}") for n in range(5)))
    results = Turn(
        "tool",
        (
            ToolResult("c0", (Text("a"), Image(Media("AAAA", "image/png")))),
            ToolResult("c1", (Text("no such file"),), error=True),
            ToolResult("c2", (Text("error 5"),), error=True),
            ToolResult("c3", (), error=True),
            ToolResult("c4", (Image(Media("AAAA", "image/png")),), error=True),
        ),
    )
    image = {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto"}
    assert [item["output"] for item in items(HELLO, calls, results)[6:]] == [
        [{"type": "input_text", "text": "a"}, image],
        "Error: no such file",
        "error 5",
        "Error: ",
        [{"type": "input_text", "text": "Error:"}, image],
    ]


def test_an_id_that_is_too_long_is_another_one_everywhere() -> None:
    said = "call_" + "x" * 200
    call, result = items(
        Turn("assistant", (ToolCall(said, "f", "{}"),)), Turn("tool", (ToolResult(said, (Text("x"),)),))
    )
    assert call["call_id"] == result["call_id"]
    assert len(call["call_id"]) <= 64


def test_tools() -> None:
    flat = b'{"type":"custom","name":"e","format":{"type":"grammar","syntax":"lark","definition":"start: /x/"}}'
    grammar = b'{"type":"grammar","grammar":{"syntax":"regex","definition":"x"}}'
    deep = b'{"type":"custom","custom":{"name":"f","format":%b}}' % grammar
    body = written(
        tools=(
            Tool("a", "A", SCHEMA, strict=True),
            Tool("b", schema=SCHEMA),
            Tool("c", strict=False, cache="5m"),
            Tool("d", "D", kind="custom"),
            Tool("e", kind="custom", raw=msgspec.Raw(flat)),
            Tool("f", kind="custom", raw=msgspec.Raw(deep)),
        ),
        parallel_tool_calls=False,
    )
    schema = json.loads(bytes(SCHEMA))
    assert body["tools"] == [
        {"type": "function", "name": "a", "description": "A", "parameters": schema, "strict": True},
        {"type": "function", "name": "b", "parameters": schema, "strict": False},
        {"type": "function", "name": "c", "parameters": {"type": "object", "properties": {}}, "strict": False},
        {"type": "custom", "name": "d", "description": "D"},
        {"type": "custom", "name": "e", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}},
        {"type": "custom", "name": "f", "format": {"type": "grammar", "syntax": "regex", "definition": "x"}},
    ]
    assert body["parallel_tool_calls"] is False


def test_a_schema_is_not_touched() -> None:
    schema = msgspec.Raw(b'{ "type":"object", "x": 1.50 }')
    request = Request(
        model="m", turns=(HELLO,), tools=(Tool("a", schema=schema),), format=Format("json_schema", schema)
    )
    assert PROVIDER.write_request(request, Target("m"), Losses()).count(bytes(schema)) == 2


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "required"),
        (ToolChoice("named", "a"), {"type": "function", "name": "a"}),
        (ToolChoice("named", "b"), {"type": "custom", "name": "b"}),
        (
            ToolChoice("required", allowed=("a", "b")),
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "a"}, {"type": "custom", "name": "b"}],
            },
        ),
    ],
)
def test_tool_choice(choice: ToolChoice, said: object) -> None:
    assert written(tools=(Tool("a"), Tool("b", kind="custom")), tool_choice=choice)["tool_choice"] == said


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"max_output_tokens": 100}, {"max_output_tokens": 100}),
        ({"max_output_tokens": 1}, {"max_output_tokens": 16}),
        ({"temperature": 0.0, "top_p": 0.5}, {"temperature": 0.0, "top_p": 0.5}),
        ({"logprobs": True}, {"include": ["message.output_text.logprobs"]}),
        ({"logprobs": True, "top_logprobs": 2}, {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
        ({"sealed_reasoning": True}, {"include": ["reasoning.encrypted_content"]}),
        ({"format": Format("json")}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"format": Format("json_schema", SCHEMA, "n", "d", True), "verbosity": "low"},
            {
                "text": {
                    "format": {
                        "type": "json_schema", "name": "n", "description": "d", "strict": True,
                        "schema": json.loads(bytes(SCHEMA)),
                    },
                    "verbosity": "low",
                }
            },
        ),
        (
            {"format": Format("json_schema")},
            {"text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}}},
        ),
        ({"reasoning": Reasoning("high", show="detailed")}, {"reasoning": {"effort": "high", "summary": "detailed"}}),
        ({"reasoning": Reasoning(budget_tokens=5000)}, {"reasoning": {"effort": "medium"}}),
        ({"reasoning": Reasoning("none")}, {"reasoning": {"effort": "none"}}),
        ({"reasoning": Reasoning(adaptive=True, show="none")}, {}),
        ({"user": "u", "cache_key": "k"}, {"user": "u", "prompt_cache_key": "k"}),
        ({"metadata": {"a": "b"}}, {}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"stream": True, "stream_usage": True}, {"stream": True}),
        ({"modalities": ("text",)}, {}),
    ],
)  # fmt: skip
def test_members(members: dict[str, Any], said: dict[str, Any]) -> None:
    assert written(**members) == written() | said


@pytest.mark.parametrize(
    ("members", "loss"),
    [
        ({"top_k": 5}, Loss("top_k")),
        ({"min_p": 0.1}, Loss("min_p")),
        ({"frequency_penalty": 0.5}, Loss("frequency_penalty")),
        ({"presence_penalty": 0.5}, Loss("presence_penalty")),
        ({"logit_bias": msgspec.Raw(b'{"5":1}')}, Loss("logit_bias")),
        ({"seed": 0}, Loss("seed")),
        ({"stop": ("x",)}, Loss("stop")),
        ({"n": 2}, Loss("n", -1, "more than one answer")),
        ({"modalities": ("text", "audio")}, Loss("modalities")),
        ({"service_tier": "standard_only"}, Loss("service_tier")),
        ({"tools": (Tool("web_search", kind="server"),)}, Loss("tools", 0, "web_search")),
        ({"turns": (Turn("user", (Text("x"),), 3, name="ann"),)}, Loss("turns", 3, "the name of who speaks")),
        ({"turns": (Turn("user", (Audio(Media("AAAA", "audio/wav")),), 3),)}, Loss("turns", 3, "audio")),
        (
            {"turns": (Turn("user", (Image(Media(file_id="f")),), 3),)},
            Loss("turns", 3, "a file uploaded to one provider"),
        ),
        (
            {"turns": (Turn("user", (File(Media("AAAA", "application/pdf"), citable=True),), 3),)},
            Loss("turns", 3, "citations from a file"),
        ),
    ],
)
def test_what_is_lost(members: dict[str, Any], loss: Loss) -> None:
    assert lost(**members) == [loss]


def test_nothing_is_chosen_among_tools_that_are_gone() -> None:
    tools = (Tool("web_search", kind="server"),)
    body, _ = write(
        Request(model="m", turns=(HELLO,), tools=tools, tool_choice=ToolChoice("required"), parallel_tool_calls=False)
    )
    assert {"tools", "tool_choice", "parallel_tool_calls"}.isdisjoint(body)
