"""What is asked of a provider of chat completions, and what it cannot be asked."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from twintrack.wire.canonical.losses import Loss, Losses
from twintrack.wire.canonical.parts import (
    Audio,
    Citation,
    File,
    Image,
    Media,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.chat import PROVIDER

HI = Turn("user", (Text("hi"),))
SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"a":{}}}')
TARGET = Target("up", thinking="reasoning_content", custom_tools=True)


def written(*turns: Turn, target: Target = TARGET, **members: Any) -> tuple[dict[str, Any], list[Loss]]:
    losses = Losses()
    said = PROVIDER.write_request(Request(model="m", turns=turns or (HI,), **members), target, losses)
    return json.loads(said), losses.found


def messages(*turns: Turn, **members: Any) -> list[dict[str, Any]]:
    said, losses = written(*turns, **members)
    assert losses == []
    return said["messages"]


MEMBERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"max_output_tokens": 9}, {"max_completion_tokens": 9}),
    (
        {"temperature": 0.0, "top_p": 0.5, "top_k": 5, "min_p": 0.1},
        {"temperature": 0, "top_p": 0.5, "top_k": 5, "min_p": 0.1},
    ),
    ({"frequency_penalty": 1.5, "presence_penalty": -1.0}, {"frequency_penalty": 1.5, "presence_penalty": -1}),
    ({"logit_bias": msgspec.Raw(b'{"1":2}')}, {"logit_bias": {"1": 2}}),
    ({"seed": 0, "stop": ("a",)}, {"seed": 0, "stop": ["a"]}),
    ({"logprobs": True, "top_logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
    ({"logprobs": True}, {"logprobs": True}),
    ({"format": Format("json")}, {"response_format": {"type": "json_object"}}),
    (
        {"format": Format("json_schema", msgspec.Raw(b'{"type":"object"}'), strict=True)},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
            }
        },
    ),
    ({"reasoning": Reasoning("xhigh", show="auto")}, {"reasoning_effort": "xhigh"}),
    ({"reasoning": Reasoning(None, 1023)}, {"reasoning_effort": "minimal"}),
    ({"reasoning": Reasoning(None, 2048)}, {"reasoning_effort": "low"}),
    ({"reasoning": Reasoning(None, 8192)}, {"reasoning_effort": "medium"}),
    ({"reasoning": Reasoning(None, 31999)}, {"reasoning_effort": "high"}),
    ({"reasoning": Reasoning(None, 0)}, {"reasoning_effort": "none"}),
    ({"reasoning": Reasoning(adaptive=True)}, {}),
    ({"verbosity": "high", "user": "u", "cache_key": "k"}, {"verbosity": "high", "user": "u", "prompt_cache_key": "k"}),
    ({"metadata": {"a": "b"}, "sealed_reasoning": True}, {}),
    ({"service_tier": "priority"}, {"service_tier": "priority"}),
    ({"modalities": ("text",)}, {}),
    ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    ({"parallel_tool_calls": False}, {}),
    ({"tool_choice": ToolChoice("auto")}, {}),
]


@pytest.mark.parametrize(("members", "said"), MEMBERS, ids=lambda value: msgspec.json.encode(value).decode()[:60])
def test_members(members: dict[str, Any], said: dict[str, Any]) -> None:
    assert written(**members) == ({"model": "up", "messages": [{"role": "user", "content": "hi"}], **said}, [])


def test_tools() -> None:
    tools = (
        Tool("f", "does", SCHEMA, True, cache="5m"),
        Tool("g"),
        Tool("h", schema=msgspec.Raw(b'{"type":"object"}')),
        Tool("c", kind="custom"),
    )
    said, losses = written(tools=tools, parallel_tool_calls=False, tool_choice=ToolChoice("named", "c"))
    assert losses == []
    assert said["tools"] == [
        {
            "type": "function",
            "function": {"name": "f", "description": "does", "parameters": json.loads(bytes(SCHEMA)), "strict": True},
        },
        {"type": "function", "function": {"name": "g"}},
        {"type": "function", "function": {"name": "h", "parameters": {"properties": {}, "type": "object"}}},
        {"type": "custom", "custom": {"name": "c"}},
    ]
    assert said["tool_choice"] == {"type": "custom", "custom": {"name": "c"}}
    assert said["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    "raw",
    [
        {
            "type": "custom",
            "custom": {"name": "c", "format": {"type": "grammar", "grammar": {"definition": "d", "syntax": "regex"}}},
        },
        {"type": "custom", "name": "c", "format": {"type": "grammar", "definition": "d", "syntax": "regex"}},
    ],
    ids=["chat", "responses"],
)
def test_a_grammar_is_carried_from_either_dialect(raw: Any) -> None:
    said, losses = written(tools=(Tool("c", kind="custom", raw=msgspec.Raw(json.dumps(raw).encode())),))
    assert losses == []
    assert said["tools"][0]["custom"]["format"] == {
        "type": "grammar",
        "grammar": {"definition": "d", "syntax": "regex"},
    }


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        (ToolChoice("auto"), "auto"),
        (ToolChoice("none"), "none"),
        (ToolChoice("required"), "required"),
        (ToolChoice("named", "f"), {"type": "function", "function": {"name": "f"}}),
        (
            ToolChoice("auto", allowed=("f", "c")),
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "auto",
                    "tools": [
                        {"type": "function", "function": {"name": "f"}},
                        {"type": "custom", "custom": {"name": "c"}},
                    ],
                },
            },
        ),
    ],
)
def test_tool_choice(choice: ToolChoice, said: Any) -> None:
    assert written(tools=(Tool("f"), Tool("c", kind="custom")), tool_choice=choice)[0]["tool_choice"] == said


def test_the_system_text_is_one_message() -> None:
    assert messages(HI, Turn("system", (Text("b"),), 1, "n"), system=(Text("a", "1h"),)) == [
        {"role": "system", "content": "a"},
        {"role": "user", "content": "hi"},
        {"role": "system", "content": "b", "name": "n"},
    ]
    assert messages(HI, system=(Text("a"), Text("b")))[0]["content"] == [
        {"type": "text", "text": "a"},
        {"type": "text", "text": "b"},
    ]


def test_what_a_user_sends() -> None:
    note = base64.b64encode("Grüße 😀".encode()).decode()
    parts = (
        Text("a\ud7ff😀\u0001", "5m"),
        Image(Media("aGk=", "image/png"), "low", "1h"),
        Image(Media(url="https://a.example/b.png"), "unheard"),
        Audio(Media("aGk=", "audio/mp3")),
        File(Media("JVBE", "application/pdf"), "a.pdf", "Read this."),
        File(Media("JVBE", "application/pdf")),
        File(Media(note, "text/plain"), "note.txt"),
    )
    assert messages(Turn("user", parts, 0, "ann")) == [
        {
            "role": "user",
            "name": "ann",
            "content": [
                {"type": "text", "text": "a\ud7ff😀\u0001"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "low"}},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png"}},
                {"type": "input_audio", "input_audio": {"data": "aGk=", "format": "mp3"}},
                {"type": "text", "text": "Read this."},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "file.pdf"}},
                {"type": "text", "text": "note.txt\n\nGrüße 😀"},
            ],
        }
    ]


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((Text("a"),), {"content": "a"}),
        ((Text("a"), Text("b")), {"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}),
        ((Thinking("t", "s"), Thinking("u"), Text("a")), {"content": "a", "reasoning_content": "t\n\nu"}),
        ((Thinking(sealed="x"), Text("a")), {"content": "a"}),
        ((Refusal("no"),), {"content": None, "refusal": "no"}),
        ((Text("a"), Refusal("no")), {"content": "a", "refusal": "no"}),
        (
            (Refusal("no"), Text("a")),
            {"content": [{"type": "refusal", "refusal": "no"}, {"type": "text", "text": "a"}]},
        ),
        ((), {"content": ""}),
        (
            (Text("a"), ToolCall("c1", "f", '{"x":1}'), ToolCall("c2", "g", "ls", custom=True)),
            {
                "content": "a",
                "tool_calls": [
                    {"type": "function", "id": "c1", "function": {"name": "f", "arguments": '{"x":1}'}},
                    {"type": "custom", "id": "c2", "custom": {"name": "g", "input": "ls"}},
                ],
            },
        ),
        (
            (ToolCall("c1", "f", "{}"),),
            {
                "content": None,
                "tool_calls": [{"type": "function", "id": "c1", "function": {"name": "f", "arguments": "{}"}}],
            },
        ),
    ],
)
def test_what_an_assistant_said(parts: tuple[Any, ...], message: dict[str, Any]) -> None:
    assert messages(Turn("assistant", parts)) == [{"role": "assistant", **message}]


def test_results() -> None:
    results = (
        ToolResult("c1", (Text("a"),)),
        ToolResult("c2", (Text("a"), Text("b"))),
        ToolResult("c3", (), cache="5m"),
        ToolResult("c4", (Text("no such city"),), error=True),
        ToolResult("c5", (Text("ERROR 5"),), error=True),
        ToolResult("c6", (Text("a"), Text("b")), error=True),
    )
    assert [(each["tool_call_id"], each["content"]) for each in messages(Turn("tool", results))] == [
        ("c1", "a"),
        ("c2", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        ("c3", ""),
        ("c4", "Error: no such city"),
        ("c5", "ERROR 5"),
        ("c6", [{"type": "text", "text": each} for each in ("Error:", "a", "b")]),
    ]


def test_an_image_in_a_result_follows_in_a_users_message() -> None:
    result = ToolResult("c1", (Text("see"), Image(Media("aGk=", "image/png"))))
    said, losses = written(Turn("tool", (result, ToolResult("c2", (Text("b"),))), 4))
    assert [message["role"] for message in said["messages"]] == ["tool", "tool", "user"]
    said_of, image = said["messages"][2]["content"]
    assert said_of == {"type": "text", "text": "The result of the tool call c1 holds this:"}
    assert image["type"] == "image_url"
    assert losses == []


def test_an_id_that_is_too_long_is_replaced_in_call_and_result() -> None:
    long = "x" * 41
    call, result = messages(Turn("assistant", (ToolCall(long, "f", "{}"),)), Turn("tool", (ToolResult(long, ()),)))
    assert call["tool_calls"][0]["id"] == result["tool_call_id"] != long
    assert len(result["tool_call_id"]) <= 40


@pytest.mark.parametrize(
    ("signature", "kept"),
    [
        (marked("gemini", "gemini-3-pro", "sig"), True),
        (marked("gemini", "gemini-2.5-pro", "sig"), False),
        ("anthropics", False),
    ],
)
def test_a_call_is_signed_for_the_model_that_signed_it(signature: str, kept: bool) -> None:
    call = ToolCall("c1", "f", "{}")
    for parts in ((ToolCall("c1", "f", "{}", signature=signature),), (Thinking("", signature), call)):
        said, _ = written(Turn("assistant", parts), target=Target("models/gemini-3-pro", thinking="reasoning_content"))
        extra = said["messages"][0]["tool_calls"][0].get("extra_content")
        assert extra == ({"google": {"thought_signature": "sig"}} if kept else None)


LOSSES: list[tuple[str, Turn, dict[str, Any], Loss]] = [
    ("answers", HI, {"n": 2}, Loss("n", -1, "more than one answer")),
    ("sound", HI, {"modalities": ("text", "audio")}, Loss("modalities")),
    ("stops", HI, {"stop": tuple("abcde")}, Loss("stop", -1, "more than four")),
    ("tier", HI, {"service_tier": "standard_only"}, Loss("service_tier")),
    ("server tool", HI, {"tools": (Tool("f"), Tool("w", kind="server"))}, Loss("tools", 1, "a tool of one provider")),
    ("choice", HI, {"tool_choice": ToolChoice("required")}, Loss("tool_choice")),
    (
        "chosen tool",
        HI,
        {"tools": (Tool("f"),), "tool_choice": ToolChoice("named", "w")},
        Loss("tool_choice", -1, "a tool that is not carried"),
    ),
    (
        "allowed tool",
        HI,
        {"tools": (Tool("f"),), "tool_choice": ToolChoice("auto", allowed=("w",))},
        Loss("tool_choice", -1, "a tool that is not carried"),
    ),
    (
        "uploaded image",
        Turn("user", (Image(Media(file_id="x")),), 3),
        {},
        Loss("turns", 3, "an image uploaded to one provider"),
    ),
    ("ogg", Turn("user", (Audio(Media("aGk=", "audio/ogg")),), 3), {}, Loss("turns", 3, "audio as audio/ogg")),
    ("file address", Turn("user", (File(Media(url="https://a")),), 3), {}, Loss("turns", 3, "a file by address")),
    (
        "uploaded file",
        Turn("user", (File(Media(file_id="x")),), 3),
        {},
        Loss("turns", 3, "a file uploaded to one provider"),
    ),
    (
        "citable file",
        Turn("user", (File(Media("JVBE", "application/pdf"), citable=True),), 3),
        {},
        Loss("turns", 3, "citations from a file"),
    ),
]


@pytest.mark.parametrize(("turn", "members", "loss"), [row[1:] for row in LOSSES], ids=[row[0] for row in LOSSES])
def test_what_has_no_word_is_a_loss(turn: Turn, members: dict[str, Any], loss: Loss) -> None:
    assert written(turn, **members)[1] == [loss]


def test_where_an_earlier_answer_came_from_is_left_out() -> None:
    cited = Text("a", citations=(Citation("https://a"),))
    body, lost = written(Turn("assistant", (cited,)))
    assert body["messages"] == [{"role": "assistant", "content": "a"}]
    assert lost == []


def test_other_spellings() -> None:
    target = Target("up", thinking="reasoning", max_tokens="max_tokens", developer=True)
    request = Request(
        model="m",
        system=(Text("s"),),
        turns=(HI, Turn("assistant", (Thinking("t"), ToolCall("c1", "c", 'say "hi"', custom=True)))),
        max_output_tokens=3,
        tools=(
            Tool("c", kind="custom"),
            Tool("g", "Does.", kind="custom", raw=msgspec.Raw(b'{"format":{"definition":"d","syntax":"lark"}}')),
            Tool("h", kind="custom", raw=msgspec.Raw(b'{"format":{"definition":"d","syntax":"ebnf"}}')),
        ),
        tool_choice=ToolChoice("named", "c"),
    )
    losses = Losses()
    said = json.loads(PROVIDER.write_request(request, target, losses))
    assert said["max_tokens"] == 3
    assert said["messages"][0] == {"role": "developer", "content": "s"}
    assert said["messages"][2]["reasoning"] == "t"
    assert said["messages"][2]["tool_calls"][0]["function"] == {"name": "c", "arguments": '{"input":"say \\"hi\\""}'}
    assert said["tools"][0]["function"]["parameters"]["required"] == ["input"]
    assert said["tool_choice"] == {"type": "function", "function": {"name": "c"}}
    assert said["tools"][1]["function"]["description"] == "Does.\n\nThe input must match this lark grammar:\nd"
    assert losses.found == [Loss("tools", 2, "a grammar")]


def test_nobody_is_asked_with_custom_tools_who_is_not_known_to_have_them() -> None:
    said, losses = written(tools=(Tool("c", kind="custom"),), target=Target("up"))
    assert said["tools"][0]["type"] == "function"
    assert losses == []


@pytest.mark.parametrize("form", [b"null", b'{"type":"text"}', b'{"syntax":"lark"}', b"3"])
def test_what_is_no_grammar_is_a_loss(form: bytes) -> None:
    tool = Tool("c", kind="custom", raw=msgspec.Raw(b'{"format":%b}' % form))
    for target in (TARGET, Target("up")):
        said, losses = written(tools=(tool,), target=target)
        assert len(said["tools"]) == 1
        assert losses == [Loss("tools", 0, "a grammar")]
