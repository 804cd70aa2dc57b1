"""What a client of chat completions can say, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from twintrack.errors import BadRequest
from twintrack.wire.canonical.parts import (
    Audio,
    File,
    Image,
    Media,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from twintrack.wire.canonical.request import Format, Reasoning, Request, Tool, ToolChoice, Turn
from twintrack.wire.dialects.chat import CLIENT

HI = {"role": "user", "content": "hi"}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
SHELL = {"type": "custom", "custom": {"name": "shell", "description": "Runs."}}
SCHEMA = msgspec.Raw(b'{"type": "object", "properties": {}}')
PNG = "iVBORw0KGgo="
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}


def read(members: dict[str, Any] | None = None, messages: list[Any] | None = None, drop: bool = False) -> Request:
    body = {"model": "m", "messages": [HI] if messages is None else messages, **(members or {})}
    return CLIENT.read_request(json.dumps(body).encode(), drop)[0]


def turns(*messages: Any) -> tuple[Turn, ...]:
    return read(messages=list(messages)).turns


def user(*parts: Any) -> tuple[Any, ...]:
    return turns({"role": "user", "content": list(parts)})[0].parts


# ---- members

MEMBERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"max_completion_tokens": 5}, {"max_output_tokens": 5}),
    ({"max_tokens": 5}, {"max_output_tokens": 5}),
    ({"max_tokens": 5, "max_completion_tokens": 5}, {"max_output_tokens": 5}),
    ({"max_tokens": -1}, {}),
    ({"temperature": 0.2, "top_p": 0.5}, {"temperature": 0.2, "top_p": 0.5}),
    ({"temperature": 0}, {"temperature": 0.0}),
    ({"temperature": 1, "top_p": 1, "frequency_penalty": 0, "presence_penalty": 0, "n": 1}, {}),
    ({"top_k": 40, "min_p": 0.1}, {"top_k": 40, "min_p": 0.1}),
    ({"top_k": -1, "min_p": 0}, {}),
    ({"frequency_penalty": -2, "presence_penalty": 2}, {"frequency_penalty": -2.0, "presence_penalty": 2.0}),
    ({"logit_bias": {"50256": -100}}, {"logit_bias": msgspec.Raw(b'{"50256": -100}')}),
    ({"logit_bias": {}}, {}),
    ({"seed": 7}, {"seed": 7}),
    ({"stop": "END"}, {"stop": ("END",)}),
    ({"stop": ["a", "b"]}, {"stop": ("a", "b")}),
    ({"n": 3}, {"n": 3}),
    ({"logprobs": True, "top_logprobs": 5}, {"logprobs": True, "top_logprobs": 5}),
    ({"logprobs": False}, {}),
    ({"response_format": {"type": "text"}}, {}),
    ({"response_format": {"type": "json_object"}}, {"format": Format("json")}),
    (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {}, "strict": True}}},
        {"format": Format("json_schema", msgspec.Raw(b"{}"), "x", "", True)},
    ),
    ({"reasoning_effort": "high"}, {"reasoning": Reasoning("high")}),
    ({"reasoning_effort": "none"}, {"reasoning": Reasoning("none")}),
    ({"reasoning": {"max_tokens": 2000, "exclude": True}}, {"reasoning": Reasoning(None, 2000, False, "none")}),
    ({"reasoning": {"enabled": True}}, {"reasoning": Reasoning("medium")}),
    ({"reasoning": {"enabled": False}}, {"reasoning": Reasoning("none")}),
    ({"reasoning": {"effort": "low", "summary": "auto"}}, {"reasoning": Reasoning("low", show="auto")}),
    ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, {"reasoning": Reasoning(None, 4096)}),
    ({"thinking": {"type": "enabled"}}, {"reasoning": Reasoning(adaptive=True)}),
    (
        {"thinking": {"type": "adaptive", "display": "omitted"}, "reasoning_effort": "max"},
        {"reasoning": Reasoning("max", None, True, "none")},
    ),
    ({"thinking": {"type": "disabled"}}, {"reasoning": Reasoning("none")}),
    ({"verbosity": "low"}, {"verbosity": "low"}),
    ({"modalities": ["text"]}, {}),
    ({"modalities": ["text", "audio"]}, {"modalities": ("text", "audio")}),
    ({"service_tier": "flex"}, {"service_tier": "flex"}),
    ({"user": "u"}, {"user": "u"}),
    ({"user": "u", "safety_identifier": "s"}, {"user": "s"}),
    ({"metadata": {"a": "b", "twintrack_class": "internal"}}, {"metadata": {"a": "b"}}),
    ({"metadata": {"twintrack_deadline_ms": 5}}, {}),
    ({"prompt_cache_key": "k"}, {"cache_key": "k"}),
    ({"prompt_cache_retention": "24h", "prompt_cache_options": {"mode": "explicit", "ttl": "30m"}}, {}),
    ({"stream": True}, {"stream": True}),
    ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True, "stream_usage": True}),
    ({"stream": True, "stream_options": {"include_obfuscation": False}}, {"stream": True}),
    ({"stream": False, "stream_options": None}, {}),
    ({"store": False}, {}),
    ({"store": True}, {"unsaid": ("$.store",)}),
    ({"prediction": {"type": "content", "content": "x"}}, {"unsaid": ("$.prediction",)}),
    ({"web_search_options": {}}, {"unsaid": ("$.web_search_options",)}),
    ({"moderation": {"model": "omni-moderation-latest"}}, {"unsaid": ("$.moderation",)}),
    ({"audio": {"format": "wav", "voice": "alloy"}}, {"unsaid": ("$.audio",)}),
    ({"tools": []}, {}),
    ({"parallel_tool_calls": False}, {}),
    ({"tool_choice": "auto"}, {}),
    ({"tool_choice": "none"}, {}),
]


@pytest.mark.parametrize(("members", "said"), MEMBERS, ids=lambda value: msgspec.json.encode(value).decode()[:60])
def test_members(members: dict[str, Any], said: dict[str, Any]) -> None:
    assert read(members) == Request(model="m", turns=(Turn("user", (Text("hi"),)),), **said)


def test_null_is_as_good_as_nothing() -> None:
    names = [
        *("audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "top_logprobs"),
        *("max_completion_tokens", "max_tokens", "metadata", "modalities", "moderation", "n", "parallel_tool_calls"),
        *("prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention"),
        *("reasoning_effort", "response_format", "safety_identifier", "seed", "service_tier", "stop", "store"),
        *("stream", "stream_options", "temperature", "tool_choice", "tools", "top_p", "user", "verbosity"),
        *("web_search_options", "top_k", "min_p", "reasoning", "thinking"),
    ]
    assert read(dict.fromkeys(names)) == read()


# ---- tools

GRAMMAR = {
    "type": "custom",
    "custom": {"name": "g", "format": {"type": "grammar", "grammar": {"definition": "d", "syntax": "lark"}}},
}


def test_tools_and_which_of_them() -> None:
    named = {"type": "function", "function": {"name": "weather"}}
    request = read({"tools": [WEATHER, SHELL], "tool_choice": named, "parallel_tool_calls": False})
    assert request.tools == (Tool("weather", schema=SCHEMA), Tool("shell", "Runs.", kind="custom"))
    assert request.tool_choice == ToolChoice("named", "weather")
    assert request.parallel_tool_calls is False


@pytest.mark.parametrize(
    ("choice", "read_as"),
    [
        ("auto", None),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "custom", "custom": {"name": "shell"}}, ToolChoice("named", "shell")),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [
                        {"type": "function", "function": {"name": "weather"}},
                        {"type": "custom", "custom": {"name": "shell"}},
                    ],
                },
            },
            ToolChoice("required", allowed=("weather", "shell")),
        ),
    ],
)
def test_tool_choice(choice: Any, read_as: ToolChoice | None) -> None:
    assert read({"tools": [WEATHER, SHELL], "tool_choice": choice}).tool_choice == read_as


@pytest.mark.parametrize(
    ("parameters", "schema"),
    [
        (None, b""),
        ({}, b""),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, None),
        ({"properties": {}}, b'{"type":"object","properties": {}}'),
    ],
)
def test_a_schema_travels_as_it_was_written(parameters: Any, schema: bytes | None) -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": parameters, "strict": True}}
    expected = json.dumps(parameters).encode() if schema is None else schema
    assert read({"tools": [tool]}).tools == (Tool("f", schema=msgspec.Raw(expected), strict=True),)


def test_a_grammar_is_kept() -> None:
    (tool,) = read({"tools": [GRAMMAR]}).tools
    assert tool.kind == "custom"
    assert json.loads(bytes(tool.raw)) == GRAMMAR


def test_a_tool_may_be_marked_for_the_cache() -> None:
    marked = {**WEATHER, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert read({"tools": [marked]}).tools[0].cache == "1h"


def test_functions_are_tools() -> None:
    request = read(
        {"functions": [WEATHER["function"]], "function_call": {"name": "weather"}},
        [
            HI,
            {"role": "assistant", "content": None, "function_call": {"name": "weather", "arguments": "{}"}},
            {"role": "function", "name": "weather", "content": "sun"},
        ],
    )
    assert request.tools == (Tool("weather", schema=SCHEMA),)
    assert request.tool_choice == ToolChoice("named", "weather")
    assert request.parallel_tool_calls is False
    assert request.turns[1:] == (
        Turn("assistant", (ToolCall("function_call_1", "weather", "{}"),), 1),
        Turn("tool", (ToolResult("function_call_1", (Text("sun"),)),), 2),
    )


# ---- messages


def test_leading_instructions_are_the_system_text_and_later_ones_turns() -> None:
    request = read(
        messages=[
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
            {**HI, "name": "ann"},
            {"role": "system", "content": "d", "name": "n"},
        ]
    )
    assert request.system == (Text("a"), Text("b"), Text("c"))
    assert request.turns == (Turn("user", (Text("hi"),), 2, "ann"), Turn("system", (Text("d"),), 3, "n"))


def test_a_name_on_the_system_text_has_no_word() -> None:
    assert read(messages=[{"role": "system", "content": "a", "name": "n"}, HI]).unsaid == ("$.messages[0].name",)


def test_what_a_user_sends() -> None:
    assert user(
        {"type": "text", "text": "look \ud83d\ude00 \u0000\u2028", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": f"data:image/jpg;base64,{PNG}", "detail": "low"}},
        {
            "type": "image_url",
            "image_url": {"url": "https://a.example/b.png"},
            "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"},
        },
        {"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "JVBE"}},
        {"type": "file", "file": {"file_data": "https://a.example/b.pdf"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ) == (
        Text("look 😀 \u0000\u2028", "5m"),
        Image(Media(PNG, "image/jpeg"), "low"),
        Image(Media(url="https://a.example/b.png"), cache="1h"),
        Audio(Media("UklG", "audio/mpeg")),
        File(Media("JVBE", "application/pdf"), "a.pdf"),
        File(Media("JVBE", "application/pdf")),
        File(Media(url="https://a.example/b.pdf")),
        File(Media(file_id="file-1")),
    )


def test_parallel_calls_and_their_results_are_one_turn_each() -> None:
    second = {
        "id": "c2",
        "type": "custom",
        "custom": {"name": "shell", "input": "ls"},
        "extra_content": {"google": {"thought_signature": "gemini#g#s"}},
    }
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    assert turns(
        HI,
        {"role": "assistant", "content": "", "tool_calls": [{**CALL, "index": 0}, second]},
        {"role": "tool", "tool_call_id": "c2", "content": "a b", "name": "shell"},
        {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "sun"}, image]},
        HI,
    )[1:] == (
        Turn(
            "assistant",
            (
                ToolCall("c1", "weather", '{"city":"Rome"}'),
                ToolCall("c2", "shell", "ls", custom=True, signature="gemini#g#s"),
            ),
            1,
        ),
        Turn(
            "tool",
            (
                ToolResult("c2", (Text("a b"),), custom=True),
                ToolResult("c1", (Text("sun"), Image(Media(PNG, "image/png")))),
            ),
            2,
        ),
        Turn("user", (Text("hi"),), 4),
    )


def test_a_call_without_arguments_has_an_empty_object() -> None:
    call = {**CALL, "function": {"name": "weather", "arguments": " "}}
    result = {"role": "tool", "tool_call_id": "c1", "content": ""}
    assert turns(HI, {"role": "assistant", "tool_calls": [call]}, result)[1].parts == (ToolCall("c1", "weather", "{}"),)


@pytest.mark.parametrize(
    ("message", "parts"),
    [
        ({"content": "a"}, (Text("a"),)),
        ({"content": ""}, (Text(""),)),
        (
            {"content": [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}]},
            (Text("a"), Refusal("b")),
        ),
        ({"content": None, "refusal": "no"}, (Refusal("no"),)),
        ({"content": "a", "reasoning_content": "t"}, (Thinking("t"), Text("a"))),
        ({"content": "a", "reasoning": "t"}, (Thinking("t"), Text("a"))),
        (
            {
                "content": "a",
                "reasoning_content": "t",
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "t", "signature": "s", "index": 0},
                    {"type": "redacted_thinking", "data": "d", "id": "rs_1"},
                ],
            },
            (Thinking("t", "s"), Thinking(sealed="d", id="rs_1"), Text("a")),
        ),
        (
            {
                "content": "a",
                "reasoning_content": "t",
                "thinking_blocks": [{"type": "redacted_thinking", "data": "d", "id": "rs_1"}],
            },
            (Thinking("t", sealed="d", id="rs_1"), Text("a")),
        ),
        (
            {"content": "a", "annotations": [], "audio": None, "function_call": None, "tool_calls": None},
            (Text("a"),),
        ),
        ({"content": "a", "tool_calls": []}, (Text("a"),)),
    ],
)
def test_what_an_assistant_said(message: dict[str, Any], parts: tuple[Any, ...]) -> None:
    assert turns(HI, {"role": "assistant", **message})[1].parts == parts


def test_sound_of_an_earlier_answer_has_no_word() -> None:
    request = read(messages=[HI, {"role": "assistant", "audio": {"id": "audio_1"}}])
    assert request.unsaid == ("$.messages[1].audio",)
    assert request.turns[1].parts == ()


def test_a_marker_on_a_message_stands_on_its_last_part() -> None:
    message = {**HI, "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    assert turns({**message, **mark})[0].parts == (Text("a"), Text("b", "1h"))
    assert read(messages=[{"role": "system", "content": "s", **mark}, HI]).system == (Text("s", "1h"),)


# ---- refusals


def assistant(*calls: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": list(calls)}


RESULT = {"role": "tool", "tool_call_id": "c1", "content": "x"}
TEXT = {"type": "text", "text": "a"}


def part(value: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [value]}]}


def tool(**function: Any) -> dict[str, Any]:
    return {"tools": [{"type": "function", "function": {"name": "f", **function}}]}


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no messages", {"messages": []}, "$.messages"),
    ("an unknown member", {"colour": "red"}, "$.colour"),
    ("an unknown member of a message", {"messages": [{**HI, "colour": "red"}]}, "$.messages[0].colour"),
    ("an unknown role", {"messages": [{"role": "bot", "content": "x"}]}, "$.messages[0].role"),
    ("no content", {"messages": [{"role": "user", "content": None}]}, "$.messages[0].content"),
    ("no parts", {"messages": [{"role": "user", "content": []}]}, "$.messages[0].content"),
    ("no parts in the system text", {"messages": [{"role": "system", "content": []}]}, "$.messages[0].content"),
    ("an unknown part", part({"type": "video_url", "video_url": {"url": "x"}}), "$.messages[0].content[0].type"),
    (
        "an image in the system text",
        {"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "$.messages[0].content[0].type",
    ),
    (
        "an image type",
        part({"type": "image_url", "image_url": {"url": f"data:image/tiff;base64,{PNG}"}}),
        "$.messages[0].content[0].image_url.url",
    ),
    (
        "base64 of an image",
        part({"type": "image_url", "image_url": {"url": "data:image/png;base64,a*=="}}),
        "$.messages[0].content[0].image_url.url",
    ),
    (
        "a data URL that is none",
        part({"type": "image_url", "image_url": {"url": "data:image/png,abc"}}),
        "$.messages[0].content[0].image_url.url",
    ),
    (
        "an address",
        part({"type": "image_url", "image_url": {"url": "gs://bucket/a.png"}}),
        "$.messages[0].content[0].image_url.url",
    ),
    (
        "base64 of sound",
        part({"type": "input_audio", "input_audio": {"data": "abc", "format": "wav"}}),
        "$.messages[0].content[0].input_audio.data",
    ),
    (
        "a format of sound",
        part({"type": "input_audio", "input_audio": {"data": "UklG", "format": "ogg"}}),
        "$.messages[0].content[0].input_audio.format",
    ),
    (
        "a file type",
        part({"type": "file", "file": {"file_data": "data:application/zip;base64,UklG"}}),
        "$.messages[0].content[0].file.file_data",
    ),
    ("a file without anything", part({"type": "file", "file": {"filename": "a"}}), "$.messages[0].content[0].file"),
    (
        "a file twice",
        part({"type": "file", "file": {"file_id": "a", "file_data": "UklG"}}),
        "$.messages[0].content[0].file",
    ),
    ("an assistant who says nothing", {"messages": [HI, {"role": "assistant"}]}, "$.messages[1].content"),
    ("a result without a call", {"messages": [HI, RESULT]}, "$.messages[1].tool_call_id"),
    (
        "a result of an earlier turn",
        {"messages": [HI, assistant(CALL), RESULT, {"role": "assistant", "content": "a"}, RESULT]},
        "$.messages[4].tool_call_id",
    ),
    ("a result twice", {"messages": [HI, assistant(CALL), RESULT, RESULT]}, "$.messages[3].tool_call_id"),
    ("a call without a result", {"messages": [HI, assistant(CALL), HI]}, "$.messages[1].tool_calls"),
    ("a call without a result at the end", {"messages": [HI, assistant(CALL)]}, "$.messages[1].tool_calls"),
    (
        "one of two calls without a result",
        {"messages": [HI, assistant(CALL, {**CALL, "id": "c2"}), RESULT, HI]},
        "$.messages[1].tool_calls",
    ),
    ("two calls with one id", {"messages": [HI, assistant(CALL, CALL), RESULT]}, "$.messages[1].tool_calls[1].id"),
    (
        "arguments that are no JSON",
        {"messages": [HI, assistant({**CALL, "function": {"name": "f", "arguments": "{"}}), RESULT]},
        "$.messages[1].tool_calls[0].function.arguments",
    ),
    (
        "arguments that are no object",
        {"messages": [HI, assistant({**CALL, "function": {"name": "f", "arguments": "[1]"}}), RESULT]},
        "$.messages[1].tool_calls[0].function.arguments",
    ),
    (
        "a function's result without a call",
        {"messages": [HI, {"role": "function", "name": "f", "content": "x"}]},
        "$.messages[1].name",
    ),
    (
        "a function call beside tool calls",
        {"messages": [HI, {**assistant(CALL), "function_call": {"name": "f", "arguments": "{}"}}, RESULT]},
        "$.messages[1].function_call",
    ),
    ("a schema that is no object", tool(parameters=[1]), "$.tools[0].function.parameters"),
    ("a schema of a text", tool(parameters={"type": "string"}), "$.tools[0].function.parameters"),
    ("a schema of nothing", tool(parameters={"type": None}), "$.tools[0].function.parameters"),
    ("a tool's name", tool(name="a.b"), "$.tools[0].function.name"),
    ("an empty name", tool(name=""), "$.tools[0].function.name"),
    ("a long name", tool(name="a" * 65), "$.tools[0].function.name"),
    ("a name twice", {"tools": [WEATHER, WEATHER]}, "$.tools[1].function.name"),
    ("a kind of tool", {"tools": [{"type": "web_search"}]}, "$.tools[0].type"),
    ("functions beside tools", {"tools": [WEATHER], "functions": [{"name": "g"}]}, "$.functions"),
    ("a choice without tools", {"tool_choice": "required"}, "$.tool_choice"),
    (
        "a choice that is not offered",
        {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "x"}}},
        "$.tool_choice.function.name",
    ),
    (
        "an allowed tool that is not offered",
        {
            "tools": [WEATHER],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "x"}}]},
            },
        },
        "$.tool_choice.allowed_tools.tools[0].function.name",
    ),
    ("temperature", {"temperature": 2.1}, "$.temperature"),
    ("top_p", {"top_p": 1.1}, "$.top_p"),
    ("penalty", {"frequency_penalty": 3}, "$.frequency_penalty"),
    ("n", {"n": 0}, "$.n"),
    ("many answers", {"n": 129}, "$.n"),
    ("top_logprobs", {"logprobs": True, "top_logprobs": 21}, "$.top_logprobs"),
    ("top_logprobs alone", {"top_logprobs": 2}, "$.top_logprobs"),
    ("five stops", {"stop": list("abcde")}, "$.stop"),
    ("no tokens", {"max_tokens": 0}, "$.max_tokens"),
    ("two limits", {"max_tokens": 1, "max_completion_tokens": 2}, "$.max_tokens"),
    ("bias", {"logit_bias": {"1": 101}}, "$.logit_bias"),
    ("bias of another kind", {"logit_bias": [1]}, "$.logit_bias"),
    ("a note that is no text", {"metadata": {"a": 1}}, "$.metadata"),
    ("many notes", {"metadata": {str(n): "x" for n in range(17)}}, "$.metadata"),
    ("a format", {"response_format": {"type": "xml"}}, "$.response_format.type"),
    (
        "a format's name",
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "schema": {}}}},
        "$.response_format.json_schema.name",
    ),
    (
        "a format's schema",
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": 1}}},
        "$.response_format.json_schema.schema",
    ),
    ("effort", {"reasoning_effort": "huge"}, "$.reasoning_effort"),
    ("two efforts", {"reasoning_effort": "low", "reasoning": {"effort": "high"}}, "$.reasoning.effort"),
    ("to think and not to", {"reasoning_effort": "none", "thinking": {"type": "enabled"}}, "$.thinking"),
    ("not to think and to", {"reasoning_effort": "low", "thinking": {"type": "disabled"}}, "$.thinking"),
    ("two choices", {"tools": [WEATHER], "tool_choice": "auto", "function_call": "auto"}, "$.function_call"),
]


@pytest.mark.parametrize(("members", "path"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_what_breaks_a_rule_is_named(members: dict[str, Any], path: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(members)
    assert refused.value.param == path
    assert str(refused.value).startswith(path)


def test_unknown_members_can_be_left_out() -> None:
    body = {"model": "m", "messages": [{**HI, "colour": "red"}], "chat_template_kwargs": {"x": 1}, "seed": 3}
    request, dropped = CLIENT.read_request(json.dumps(body).encode(), True)
    assert request == read({"seed": 3})
    assert set(dropped) == {"$.messages[0].colour", "$.chat_template_kwargs"}
