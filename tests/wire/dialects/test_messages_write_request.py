"""Anthropic messages: the canonical form as a request to a provider, and what that loses."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest
from anthropic.types import beta
from pydantic import TypeAdapter

from twintrack.errors import BadRequest
from twintrack.wire.canonical import custom
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import (
    Audio,
    Citation,
    File,
    Image,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.messages import PROVIDER
from twintrack.wire.dialects.messages.model import model

NEWEST, ALWAYS, OPUS_5, SONNET_55, OPUS_48, SONNET_46, SONNET_45, OPUS_45, SONNET_4, HAIKU_3, OPEN = (
    "claude-opus-5-5",
    "claude-fable-5",
    "claude-opus-5",
    "claude-sonnet-5-5",
    "claude-opus-4-8",
    "claude-sonnet-4-6",
    "claude-sonnet-4-5-20250929",
    "claude-opus-4-5",
    "claude-sonnet-4-20250514",
    "claude-3-haiku-20240307",
    "qwen3-30b",
)
HELLO = (Turn("user", (Text("Hello"),)),)
F = Tool("f", "d", msgspec.Raw(b'{"type":"object"}'))
GRAMMAR = msgspec.Raw(b'{"type":"custom","format":{"type":"grammar","syntax":"lark","definition":"start: WORD"}}')
PNG = "iVBORw0KGgo="
CALLED = (
    Turn("user", (Text("Hello"),), 0),
    Turn("assistant", (ToolCall("a", "f", '{"x":1}'),), 1),
    Turn("tool", (ToolResult("a", (Text("ok"),)),), 2),
)


def write(name: str = SONNET_45, most: int = 0, **more: Any) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    losses = Losses()
    request = Request(**({"model": "m", "turns": HELLO} | more))
    body = json.loads(PROVIDER.write_request(request, Target(name, most), losses))
    return body, [(loss.member, loss.what) for loss in losses.found]


def written(name: str = SONNET_45, **more: Any) -> dict[str, Any]:
    body, lost = write(name, **more)
    assert lost == []
    assert body.pop("model") == name
    return body


def messages(*turns: Turn, name: str = SONNET_45) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written(name, turns=turns)["messages"]
    return found


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, {}),
        ({"system": (Text("A"),)}, {"system": "A"}),
        (
            {"system": (Text("A"), Text("B", "1h"))},
            {
                "system": [
                    {"type": "text", "text": "A"},
                    {"type": "text", "text": "B", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                ]
            },
        ),
        ({"max_output_tokens": 7}, {"max_tokens": 7}),
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}),
        ({"stop": ("a",)}, {"stop_sequences": ["a"]}),
        ({"stream": True}, {"stream": True}),
        ({"user": "u", "metadata": {"a": "b"}, "cache_key": "k", "verbosity": "low"}, {"metadata": {"user_id": "u"}}),
        ({"user": "u" * 300}, {}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"n": 1, "modalities": ("text",), "frequency_penalty": 0, "presence_penalty": 0.0}, {}),
        (
            {"format": Format("json_schema", msgspec.Raw(b'{"a":1}'), "n", "d", False)},
            {"output_config": {"format": {"type": "json_schema", "schema": {"a": 1}}}},
        ),
        (
            {"tools": (F,)},
            {"tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}]},
        ),
        (
            {"tools": (Tool("f", strict=True, cache="5m"), Tool("g", strict=False))},
            {
                "tools": [
                    {
                        "name": "f",
                        "input_schema": {"type": "object", "properties": {}},
                        "strict": True,
                        "cache_control": {"type": "ephemeral"},
                    },
                    {"name": "g", "input_schema": {"type": "object", "properties": {}}},
                ]
            },
        ),
        (
            {"tools": (Tool("f", kind="custom"),)},
            {"tools": [{"name": "f", "input_schema": json.loads(bytes(custom.SCHEMA))}]},
        ),
        (
            {"tools": (Tool("f", kind="custom", raw=GRAMMAR),)},
            {
                "tools": [
                    {
                        "name": "f",
                        "description": "The input must match this lark grammar:\nstart: WORD",
                        "input_schema": json.loads(bytes(custom.SCHEMA)),
                    }
                ]
            },
        ),
        ({"tools": (F,), "tool_choice": ToolChoice("auto")}, {"tools": 1, "tool_choice": {"type": "auto"}}),
        ({"tools": (F,), "tool_choice": ToolChoice("none")}, {"tools": 1, "tool_choice": {"type": "none"}}),
        ({"tools": (F,), "tool_choice": ToolChoice("required")}, {"tools": 1, "tool_choice": {"type": "any"}}),
        (
            {"tools": (F,), "tool_choice": ToolChoice("named", "f"), "parallel_tool_calls": False},
            {"tools": 1, "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
        ),
        (
            {"tools": (F,), "parallel_tool_calls": False},
            {"tools": 1, "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        ({"tools": (F,), "parallel_tool_calls": True}, {"tools": 1}),
        (
            {"tools": (F, Tool("g")), "tool_choice": ToolChoice("auto", allowed=("f",))},
            {"tools": 1, "tool_choice": {"type": "auto"}},
        ),
        ({"tool_choice": ToolChoice("none"), "parallel_tool_calls": False}, {}),
    ],
)
def test_each_word_has_its_member(more: dict[str, Any], says: dict[str, Any]) -> None:
    if says.get("tools") == 1:
        says = says | {"tools": [{"name": "f", "description": "d", "input_schema": {"type": "object"}}]}
    base = {"max_tokens": 8192, "messages": [{"role": "user", "content": "Hello"}]}
    assert written(**more) == base | says


@pytest.mark.parametrize(
    ("asked", "most", "sent"),
    [(None, 0, 8192), (None, 64000, 64000), (100, 64000, 100), (99999, 64000, 64000), (9, 0, 9)],
)
def test_an_answers_longest_length_is_always_said(asked: int | None, most: int, sent: int) -> None:
    assert write(most=most, max_output_tokens=asked)[0]["max_tokens"] == sent


@pytest.mark.parametrize(
    ("name", "reasoning", "says"),
    [
        (NEWEST, Reasoning("high"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (NEWEST, Reasoning("minimal"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        (
            NEWEST,
            Reasoning(budget_tokens=9000),
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}},
        ),
        (NEWEST, Reasoning(adaptive=True), {"thinking": {"type": "adaptive"}}),
        (NEWEST, Reasoning(show="auto"), {"thinking": {"type": "adaptive", "display": "summarized"}}),
        (NEWEST, Reasoning(adaptive=True, show="none"), {"thinking": {"type": "adaptive", "display": "omitted"}}),
        (OPUS_5, Reasoning("none"), {"thinking": {"type": "disabled"}}),
        (OPUS_5, Reasoning(budget_tokens=0), {"thinking": {"type": "disabled"}}),
        (SONNET_55, Reasoning("none"), {"thinking": {"type": "between_tools"}}),
        (OPUS_48, Reasoning("none"), {}),
        (OPUS_48, Reasoning("xhigh"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
        (SONNET_46, Reasoning("xhigh"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        (SONNET_46, Reasoning("max"), {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
        (SONNET_45, Reasoning("low"), {"thinking": {"type": "enabled", "budget_tokens": 2048}}),
        (SONNET_45, Reasoning("high"), {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        (SONNET_45, Reasoning(adaptive=True), {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        (SONNET_45, Reasoning(budget_tokens=500), {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (SONNET_45, Reasoning(budget_tokens=9999), {"thinking": {"type": "enabled", "budget_tokens": 8191}}),
        (
            OPUS_45,
            Reasoning("low", show="detailed"),
            {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "summarized"}},
        ),
        (OPEN, Reasoning("medium"), {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        (OPEN, Reasoning("none"), {}),
    ],
)
def test_how_long_to_think_is_said_in_the_words_of_the_models_generation(
    name: str, reasoning: Reasoning, says: dict[str, Any]
) -> None:
    body = written(name, reasoning=reasoning)
    assert {key: value for key, value in body.items() if key in ("thinking", "output_config")} == says


@pytest.mark.parametrize(
    ("name", "more", "lost"),
    [
        (NEWEST, {"reasoning": Reasoning("none")}, "this model always thinks"),
        (ALWAYS, {"reasoning": Reasoning("none")}, "this model always thinks"),
        (HAIKU_3, {"reasoning": Reasoning("low")}, "this model does not think"),
        (SONNET_45, {"reasoning": Reasoning("low"), "max_output_tokens": 1024}, "leave no room to think"),
        (
            SONNET_45,
            {"reasoning": Reasoning("low"), "tools": (F,), "tool_choice": ToolChoice("required")},
            "thinking together with a forced tool",
        ),
        (
            SONNET_45,
            {"reasoning": Reasoning("low"), "turns": (*HELLO, Turn("assistant", (Text("I"),)))},
            "thinking in mid-answer",
        ),
    ],
)
def test_where_a_model_cannot_think_as_asked_it_is_told(name: str, more: dict[str, Any], lost: str) -> None:
    body, found = write(name, **more)
    assert [member for member, _ in found] == ["reasoning"]
    assert lost in found[0][1]
    assert "thinking" not in body


def test_adaptive_thinking_goes_together_with_a_forced_tool() -> None:
    body = written(OPUS_5, reasoning=Reasoning("low"), tools=(F,), tool_choice=ToolChoice("required"))
    assert (body["thinking"], body["tool_choice"]) == ({"type": "adaptive"}, {"type": "any"})


@pytest.mark.parametrize(
    ("thoughts", "thinks"),
    [
        ((), False),
        ((Thinking("hm"),), False),
        ((Thinking("hm", marked("gemini", "g", "c2ln")),), False),
        ((Thinking("hm", "c2ln"),), True),
        ((Thinking(sealed="ZGF0YQ=="),), True),
    ],
)
def test_thinking_stays_off_behind_calls_whose_thinking_is_missing(thoughts: tuple[Part, ...], thinks: bool) -> None:
    question, call, result = CALLED
    turns = (question, Turn("assistant", (*thoughts, *call.parts)), result)
    assert ("thinking" in written(turns=turns, tools=(F,), reasoning=Reasoning("low"))) is thinks
    assert "thinking" in written(NEWEST, turns=turns, tools=(F,), reasoning=Reasoning("low"))
    later = (*turns, Turn("assistant", (Text("done"),)), Turn("user", (Text("And now?"),)))
    assert "thinking" in written(turns=later, tools=(F,), reasoning=Reasoning("low"))


@pytest.mark.parametrize(
    ("name", "more", "lost", "sent"),
    [
        (SONNET_45, {"temperature": 1.5}, "temperature", {}),
        (SONNET_45, {"temperature": 1}, "", {}),
        (SONNET_45, {"temperature": 0.5, "reasoning": Reasoning("low")}, "temperature", {}),
        (SONNET_45, {"top_p": 0.5, "reasoning": Reasoning("low")}, "top_p", {}),
        (SONNET_45, {"top_p": 0.96, "reasoning": Reasoning("low")}, "", {"top_p": 0.96}),
        (SONNET_45, {"top_k": 5, "reasoning": Reasoning("low")}, "top_k", {}),
        (NEWEST, {"temperature": 1.0, "top_p": 1.0}, "", {}),
        (NEWEST, {"temperature": 0.5}, "temperature", {}),
        (OPUS_48, {"top_p": 0.99}, "top_p", {}),
        (OPUS_48, {"top_k": 5}, "top_k", {}),
    ],
)
def test_sampling_is_said_where_the_model_takes_it(
    name: str, more: dict[str, Any], lost: str, sent: dict[str, Any]
) -> None:
    body, found = write(name, **more)
    assert [member for member, _ in found] == ([lost] if lost else [])
    assert {key: body[key] for key in ("temperature", "top_p", "top_k") if key in body} == sent


@pytest.mark.parametrize(
    ("more", "lost"),
    [
        ({"seed": 0}, [("seed", "")]),
        ({"min_p": 0.1}, [("min_p", "")]),
        ({"logit_bias": msgspec.Raw(b'{"1":2}')}, [("logit_bias", "")]),
        ({"frequency_penalty": 0.1}, [("frequency_penalty", "")]),
        ({"presence_penalty": -0.1}, [("presence_penalty", "")]),
        ({"n": 2}, [("n", "more than one answer")]),
        ({"logprobs": True, "top_logprobs": 3}, [("logprobs", "")]),
        ({"modalities": ("text", "audio")}, [("modalities", "")]),
        ({"format": Format("json")}, [("format", "any JSON")]),
        ({"service_tier": "flex"}, [("service_tier", "")]),
        ({"stop": ("\n", "a")}, [("stop", "a sequence of white space only")]),
        ({"tools": (Tool("w", kind="server", raw=msgspec.Raw(b"{}")),)}, [("tools", "a tool of one provider")]),
        ({"tools": (Tool("c", kind="custom", raw=msgspec.Raw(b"{}")),)}, [("tools", "a grammar")]),
        (
            {"tools": (Tool("w", kind="server"), F), "tool_choice": ToolChoice("named", "w")},
            [("tools", "a tool of one provider"), ("tool_choice", "a tool that is not carried")],
        ),
        ({"tool_choice": ToolChoice("required")}, [("tool_choice", "a tool that is not carried")]),
        ({"turns": (Turn("user", (Audio(Media("AA==", "audio/wav")), Text("a"))),)}, [("turns", "audio")]),
        (
            {"turns": (Turn("user", (Image(Media("AA==", "image/bmp")), Text("a"))),)},
            [("turns", "an image of type image/bmp")],
        ),
        (
            {"turns": (Turn("user", (Image(Media(file_id="f")), Text("a"))),)},
            [("turns", "an image uploaded to one provider")],
        ),
        (
            {"turns": (Turn("user", (File(Media(file_id="f")), Text("a"))),)},
            [("turns", "a file uploaded to one provider")],
        ),
        (
            {"turns": (Turn("user", (File(Media("AA==", "application/zip")), Text("a"))),)},
            [("turns", "a file of type application/zip")],
        ),
        (
            {"turns": (Turn("user", (File(Media("/w==", "text/plain")), Text("a"))),)},
            [("turns", "a text that is not UTF-8")],
        ),
        ({"turns": (Turn("user", (Text("a"),), name="Ann"),)}, [("turns", "the name of who speaks")]),
    ],
)
def test_what_the_dialect_cannot_say_is_told(more: dict[str, Any], lost: list[tuple[str, str]]) -> None:
    assert write(**more)[1] == lost


def test_where_an_earlier_answer_came_from_is_left_out() -> None:
    cited = Turn("assistant", (Text("a", citations=(Citation("https://x"),)),))
    body, lost = write(turns=(*HELLO, cited, *HELLO))
    assert lost == []
    assert body["messages"][1] == {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(("name", "choice"), [(NEWEST, ToolChoice("required")), (SONNET_55, ToolChoice("named", "f"))])
def test_models_that_cannot_be_made_to_call_are_asked_to_choose(name: str, choice: ToolChoice) -> None:
    body, lost = write(name, tools=(F,), tool_choice=choice)
    assert lost == [("tool_choice", "this model cannot be made to call a tool")]
    assert body["tool_choice"] == {"type": "auto"}


def test_older_models_cannot_be_held_to_a_schema() -> None:
    body, lost = write(SONNET_4, format=Format("json_schema", msgspec.Raw(b"{}")))
    assert lost == [("format", "this model cannot be held to a schema")]
    assert "output_config" not in body


# ---- the conversation


def test_a_conversation_is_written_block_by_block() -> None:
    question, _, _ = CALLED
    text = base64.b64encode("é".encode()).decode()
    assert messages(
        Turn("user", (Text("a"), Text(""), Image(Media(PNG, "image/png"), "low", "5m"))),
        Turn(
            "assistant",
            (
                Thinking("hm", "c2ln"),
                Thinking(sealed="eHl6"),
                Thinking("another's", "##"),
                Thinking("unsigned"),
                Text("b"),
                ToolCall("call.1", "f", ' {"x":1}'),
                ToolCall("b", "c", "text", custom=True, cache="1h"),
                ToolCall("c", "f", ""),
            ),
        ),
        Turn(
            "tool",
            (
                ToolResult("call.1", (Text("ok"),), error=True),
                ToolResult("b", (Text("see"), Image(Media(url="https://x/i"))), custom=True, cache="5m"),
                ToolResult("c", ()),
            ),
        ),
        Turn("user", (File(Media(text, "text/markdown"), "T", "C", True), File(Media(url="https://x/a.pdf")))),
        Turn("assistant", (Refusal("No."),)),
        question,
    ) == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "a"},
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PNG},
                    "cache_control": {"type": "ephemeral"},
                },
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "eHl6"},
                {"type": "text", "text": "b"},
                {"type": "tool_use", "id": "toolu_e8b7b7b3793f991dd79d37cb", "name": "f", "input": {"x": 1}},
                {
                    "type": "tool_use",
                    "id": "b",
                    "name": "c",
                    "input": {"input": "text"},
                    "cache_control": {"type": "ephemeral", "ttl": "1h"},
                },
                {"type": "tool_use", "id": "c", "name": "f", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_e8b7b7b3793f991dd79d37cb",
                    "content": "ok",
                    "is_error": True,
                },
                {
                    "type": "tool_result",
                    "tool_use_id": "b",
                    "content": [
                        {"type": "text", "text": "see"},
                        {"type": "image", "source": {"type": "url", "url": "https://x/i"}},
                    ],
                    "cache_control": {"type": "ephemeral"},
                },
                {"type": "tool_result", "tool_use_id": "c"},
                {
                    "type": "document",
                    "source": {"type": "text", "media_type": "text/plain", "data": "é"},
                    "title": "T",
                    "context": "C",
                    "citations": {"enabled": True},
                },
                {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}},
            ],
        },
        {"role": "assistant", "content": "No."},
        {"role": "user", "content": "Hello"},
    ]


def test_roles_alternate_and_results_come_first() -> None:
    found = messages(
        Turn("user", (Text("1"),)),
        Turn("user", (Text("2"),)),
        Turn("assistant", (Text("3"),)),
        Turn("assistant", (ToolCall("a", "f", "{}"), ToolCall("b", "f", "{}"))),
        Turn("tool", (ToolResult("a", ()),)),
        Turn("user", (Text("4"),)),
        Turn("tool", (ToolResult("b", ()),)),
    )
    assert [(message["role"], [block["type"] for block in message["content"]]) for message in found] == [
        ("user", ["text", "text"]),
        ("assistant", ["text", "tool_use", "tool_use"]),
        ("user", ["tool_result", "tool_result", "text"]),
    ]


def test_a_conversation_that_the_assistant_begins_gets_a_first_message() -> None:
    found = messages(Turn("assistant", (Text("Hi"),)), *HELLO)
    assert [message["role"] for message in found] == ["user", "assistant", "user"]


def test_instructions_alone_are_the_question() -> None:
    body = written(turns=(), system=(Text("Tell a joke."),))
    assert body["messages"] == [{"role": "user", "content": "Tell a joke."}]
    assert "system" not in body


@pytest.mark.parametrize("turns", [(), (Turn("user", (Text(""),)),), (Turn("assistant", ()),)])
def test_an_empty_conversation_is_refused(turns: tuple[Turn, ...]) -> None:
    with pytest.raises(BadRequest, match="The conversation is empty"):
        write(turns=turns)


@pytest.mark.parametrize("arguments", ["[]", "{", '"x"', "\ud800"])
def test_arguments_that_are_no_object_are_refused(arguments: str) -> None:
    with pytest.raises(BadRequest, match="are not the JSON text of an object"):
        write(turns=(Turn("assistant", (ToolCall("a", "f", arguments),), 3),))


SYSTEM = Turn("system", (Text("S"),), 7)


def test_a_system_message_stands_between_question_and_answer() -> None:
    question, call, result = CALLED
    found = messages(
        question, call, SYSTEM, result, SYSTEM, Turn("assistant", (Text("4"),)), SYSTEM, *HELLO, name=NEWEST
    )
    assert [(message["role"], message["content"]) for message in found if message["role"] == "system"] == [
        ("system", [{"type": "text", "text": "S"}, {"type": "text", "text": "S"}]),
        ("system", "S"),
    ]
    assert [message["role"] for message in found] == [
        "user",
        "assistant",
        "user",
        "system",
        "assistant",
        "user",
        "system",
    ]


@pytest.mark.parametrize("name", [SONNET_45, SONNET_46, OPEN])
def test_models_without_such_messages_hear_them_from_the_user_where_they_stand(name: str) -> None:
    body, lost = write(name, system=(Text("A"),), turns=(*HELLO, SYSTEM))
    assert lost == []
    assert body["system"] == "A"
    assert body["messages"][-1]["content"][-1]["text"] == "<system-reminder>\nS\n</system-reminder>"


def test_so_they_do_where_no_user_speaks_any_more() -> None:
    turns = (*HELLO, Turn("assistant", (Text("a"),)), SYSTEM)
    body, lost = write(NEWEST, turns=turns)
    assert lost == []
    assert body["messages"][-1] == {"role": "user", "content": "<system-reminder>\nS\n</system-reminder>"}


def test_older_models_go_on_with_an_answer_that_was_begun() -> None:
    turns = (*HELLO, Turn("assistant", (Text("I think \n"),), 1))
    assert messages(*turns)[-1] == {"role": "assistant", "content": "I think"}
    body, lost = write(SONNET_46, turns=turns)
    assert lost == [("turns", "the beginning of an answer, as the last message")]
    assert body["messages"] == [{"role": "user", "content": "Hello"}]


def test_calls_in_a_conversation_keep_their_tools_though_none_may_be_called() -> None:
    body = written(turns=CALLED)
    assert body["tools"] == [{"name": "f", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "none"}


def test_only_the_last_four_cache_markers_are_sent() -> None:
    body = written(
        tools=(Tool("f", cache="5m"), Tool("g", cache="5m")),
        system=(Text("A", "1h"), Text("B", "5m")),
        turns=(
            Turn("user", (Text("1", "5m"),)),
            Turn("assistant", (Text("2"),)),
            Turn("user", (Text("3", "5m"),)),
        ),
    )
    assert json.dumps(body).count("cache_control") == 4
    assert not any("cache_control" in tool for tool in body["tools"])


def test_the_same_id_always_becomes_the_same_id() -> None:
    one, two = messages(
        *CALLED[:1], Turn("assistant", (ToolCall("é", "f", "{}"),)), Turn("tool", (ToolResult("é", ()),))
    )[1:]
    assert one["content"][0]["id"] == two["content"][0]["tool_use_id"]
    assert one["content"][0]["id"].isascii()


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("anthropic.claude-opus-5-5", NEWEST),
        ("claude-fable-5-2", NEWEST),
        ("claude-mythos-5-1@20260901", NEWEST),
        ("us.anthropic.claude-fable-5-20260601-v1:0", ALWAYS),
        ("claude-haiku-5-5", OPUS_5),
        ("claude-opus-4.8", OPUS_48),
        ("claude-opus-4-5@20251101", SONNET_45),
        ("anthropic/claude-haiku-4.5", SONNET_45),
        ("claude-opus-4-1-20250805", SONNET_45),
        ("claude-3-7-sonnet-latest", SONNET_4),
        ("claude-3-5-haiku-20241022", HAIKU_3),
        ("MiniMax-M2", OPEN),
    ],
)
def test_a_models_generation_is_known_by_its_name(name: str, like: str) -> None:
    assert model(name) is model(like)


def test_a_claude_of_tomorrow_is_asked_as_the_newest_of_today() -> None:
    tomorrow, newest = model("claude-opus-7"), model(NEWEST)
    assert msgspec.structs.replace(tomorrow, names=()) == msgspec.structs.replace(newest, names=())


def test_requests_agree_with_the_vendors_own_types() -> None:
    everything = TypeAdapter(beta.message_create_params.MessageCreateParamsStreaming)
    body, _ = write(
        NEWEST,
        system=(Text("A", "1h"),),
        tools=(F, Tool("g", strict=True), Tool("c", kind="custom")),
        tool_choice=ToolChoice("auto"),
        parallel_tool_calls=False,
        reasoning=Reasoning("high", show="auto"),
        format=Format("json_schema", msgspec.Raw(b'{"type":"object"}')),
        stop=("a",),
        user="u",
        service_tier="default",
        stream=True,
        turns=(
            Turn("user", (Text("a"), Image(Media(PNG, "image/png")), File(Media("AA==", "application/pdf"), "T", "C"))),
            Turn("assistant", (Thinking("hm", "c2ln"), Thinking(sealed="eA=="), ToolCall("a", "f", '{"x":1}'))),
            Turn("tool", (ToolResult("a", (Text("ok"), Image(Media(url="https://x/i"))), error=True),)),
            Turn("user", (File(Media("YQ==", "text/plain"), citable=True),)),
            SYSTEM,
        ),
    )
    assert everything.validate_python(body, strict=False)
