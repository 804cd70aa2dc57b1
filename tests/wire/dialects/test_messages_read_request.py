"""Anthropic messages: what a client's request means, and what is refused of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import msgspec
import pytest

from twintrack.errors import BadRequest
from twintrack.wire.canonical.parts import (
    Citation,
    File,
    Image,
    Media,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from twintrack.wire.canonical.request import Format, Reasoning, Request, Tool, ToolChoice, Turn
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.messages import CLIENT

HELLO = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}
F = {"name": "f", "input_schema": {"type": "object"}}
PNG = "iVBORw0KGgo="
PDF = base64.b64encode(b"%PDF-1.7").decode()
CACHE = {"type": "ephemeral"}


def read(drop: bool = False, **more: Any) -> Request:
    return CLIENT.read_request(json.dumps(HELLO | more).encode(), drop)[0]


def raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def user(*blocks: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(blocks)}]


def called(*blocks: Any, **result: Any) -> list[dict[str, Any]]:
    """A conversation in which the assistant calls f, once."""
    return [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [*blocks, {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"} | result]},
    ]


@pytest.mark.parametrize(
    ("more", "meant"),
    [
        ({}, {}),
        ({"system": "Be brief."}, {"system": (Text("Be brief."),)}),
        (
            {"system": [{"type": "text", "text": "A", "cache_control": CACHE | {"ttl": "1h", "scope": "global"}}]},
            {"system": (Text("A", "1h"),)},
        ),
        (
            {"system": [{"type": "text", "text": "x-anthropic-billing-header: v=1;"}, {"type": "text", "text": "A"}]},
            {"system": (Text("A"),)},
        ),
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 5}, {"temperature": 0.5, "top_p": 0.9, "top_k": 5}),
        ({"temperature": 1.0, "top_p": 1, "top_k": 0}, {}),
        ({"stop_sequences": ["a", "b"]}, {"stop": ("a", "b")}),
        ({"stream": True}, {"stream": True, "stream_usage": True}),
        ({"stream": False}, {}),
        ({"metadata": {"user_id": "u", "twintrack_class": "public"}}, {"user": "u"}),
        ({"metadata": {"user_id": None}}, {}),
        ({"service_tier": "auto"}, {"service_tier": "auto"}),
        ({"service_tier": "standard_only"}, {"service_tier": "default"}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"reasoning": Reasoning(budget_tokens=1024)}),
        ({"thinking": {"type": "adaptive"}}, {"reasoning": Reasoning(adaptive=True)}),
        (
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "xhigh"}},
            {"reasoning": Reasoning("xhigh", adaptive=True, show="auto")},
        ),
        (
            {"thinking": {"type": "adaptive", "display": "omitted", "block_binding": {}}},
            {"reasoning": Reasoning(adaptive=True, show="none")},
        ),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, {"reasoning": Reasoning("none")}),
        ({"thinking": {"type": "between_tools"}}, {"reasoning": Reasoning("none")}),
        ({"output_config": {"effort": "max"}}, {"reasoning": Reasoning("max")}),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "array"}}}},
            {"format": Format("json_schema", raw({"type": "array"}), strict=True)},
        ),
        (
            {"output_format": {"type": "json_schema", "schema": {"a": 1}}},
            {"format": Format("json_schema", raw({"a": 1}), strict=True)},
        ),
        (
            {
                "tools": [
                    F
                    | {
                        "type": "custom",
                        "description": "d",
                        "strict": True,
                        "cache_control": CACHE,
                        "eager_input_streaming": True,
                        "defer_loading": True,
                        "allowed_callers": ["direct"],
                        "input_examples": [],
                    }
                ]
            },
            {"tools": (Tool("f", "d", raw({"type": "object"}), True, cache="5m"),)},
        ),
        ({"tools": [F], "tool_choice": {"type": "auto"}}, {"tools": 1, "tool_choice": ToolChoice("auto")}),
        ({"tools": [F], "tool_choice": {"type": "none"}}, {"tools": 1, "tool_choice": ToolChoice("none")}),
        (
            {"tools": [F], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
            {"tools": 1, "tool_choice": ToolChoice("required"), "parallel_tool_calls": False},
        ),
        (
            {"tools": [F], "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": False}},
            {"tools": 1, "tool_choice": ToolChoice("named", "f")},
        ),
        (
            {"tools": [{"type": "web_search_20260318", "name": "web_search", "max_uses": 3}]},
            {
                "tools": (
                    Tool(
                        "web_search",
                        kind="server",
                        raw=raw({"type": "web_search_20260318", "name": "web_search", "max_uses": 3}),
                    ),
                )
            },
        ),
    ],
)
def test_each_member_has_its_canonical_word(more: dict[str, Any], meant: dict[str, Any]) -> None:
    if meant.get("tools") == 1:
        meant = meant | {"tools": (Tool("f", schema=raw({"type": "object"})),)}
    base = Request(model="m", turns=(Turn("user", (Text("Hello"),)),), max_output_tokens=50)
    assert read(**more) == msgspec.structs.replace(base, **meant)


@pytest.mark.parametrize(
    "more",
    [
        {"cache_control": CACHE},
        {"context_management": {"edits": [{"type": "clear_tool_uses_20250919", "trigger": {"value": 1}}]}},
        {"speed": "fast"},
        {"diagnostics": {"previous_message_id": None}},
        {"fallbacks": "default", "fallback_credit_token": "t"},
        {"inference_geo": "global"},
        {"mcp_servers": [], "container": None, "thread": None},
    ],
)
def test_a_hint_is_left_out_in_silence(more: dict[str, Any]) -> None:
    assert read(**more) == read()


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"container": "c"}, "$.container"),
        ({"mcp_servers": [{"type": "url", "name": "n", "url": "https://x"}]}, "$.mcp_servers"),
        ({"inference_geo": "us"}, "$.inference_geo"),
        ({"compaction": {"type": "summarize"}}, "$.compaction"),
        ({"billing_policy": {"type": "billing_policy"}}, "$.billing_policy"),
        ({"output_config": {"task_budget": {"type": "tokens", "total": 20000}}}, "$.output_config.task_budget"),
        ({"max_tokens": 0}, "$.max_tokens"),
        ({"tools": [F | {"input_examples": [{"x": 1}]}]}, "$.tools[0].input_examples"),
        ({"tools": [F | {"allowed_callers": ["code_execution_20260521"]}]}, "$.tools[0].allowed_callers"),
        ({"messages": user({"type": "container_upload", "file_id": "f"})}, "$.messages[0].content[0]"),
        (
            {
                "messages": [
                    *HELLO["messages"],
                    {"role": "assistant", "content": [{"type": "server_tool_use", "id": 1}]},
                ]
            },  # type: ignore[misc]
            "$.messages[1].content[0]",
        ),
        (
            {"messages": called(content=[{"type": "browser_state", "tabs": []}])},
            "$.messages[2].content[0].content[0]",
        ),
        (
            {"messages": [*HELLO["messages"], {"role": "system", "content": [{"type": "tool_addition", "tool": {}}]}]},  # type: ignore[misc]
            "$.messages[1].content[0]",
        ),
    ],
)
def test_what_has_no_canonical_word_is_told(more: dict[str, Any], path: str) -> None:
    assert read(**more).unsaid == (path,)


@pytest.mark.parametrize("drop", [False, True])
def test_a_thread_is_refused_before_what_it_is_continued_with(drop: bool) -> None:
    """Which is no conversation, here a result without its call: the answer would be to something else."""
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "12 °C"}
    for thread in ({"type": "create"}, {"type": "continue", "previous_message_id": "msg_1"}):
        with pytest.raises(BadRequest) as refused:
            read(drop, thread=thread, messages=user(result))
        assert refused.value.param == "$.thread"


def test_a_request_that_only_fills_the_cache_writes_at_most_one_token() -> None:
    assert read(max_tokens=0).max_output_tokens == 1


def parts_of(*blocks: Any) -> tuple[Part, ...]:
    return read(messages=user(*blocks)).turns[0].parts


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": "a\u0000\U0001f600\u2028é", "cache_control": None}, Text("a\u0000\U0001f600\u2028é")),
        ({"type": "text", "text": "a", "cache_control": CACHE}, Text("a", "5m")),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            Image(Media(PNG, "image/png")),
        ),
        (
            {
                "type": "image",
                "source": {"type": "url", "url": "https://x/a.png"},
                "transformations": {"oversized_image": "downsize"},
                "cache_control": CACHE | {"ttl": "5m"},
            },
            Image(Media(url="https://x/a.png"), cache="5m"),
        ),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, Image(Media(file_id="f"))),
        (
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                "title": "T",
                "context": "C",
                "citations": {"enabled": True},
                "cache_control": CACHE,
            },
            File(Media(PDF, "application/pdf"), "T", "C", True, "5m"),
        ),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "é"}},
            File(Media("w6k=", "text/plain")),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "a"}},
            File(Media("YQ==", "text/plain")),
        ),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
                },
            },
            File(Media(base64.b64encode(b"a\n\nb").decode(), "text/plain")),
        ),
        (
            {"type": "document", "source": {"type": "url", "url": "https://x/a.pdf"}},
            File(Media(media_type="application/pdf", url="https://x/a.pdf")),
        ),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, File(Media(file_id="f"))),
        (
            {
                "type": "search_result",
                "source": "https://x",
                "title": "T",
                "content": [{"type": "text", "text": "a"}],
                "citations": {"enabled": True},
            },
            File(Media("YQ==", "text/plain"), "T", "https://x", True),
        ),
        ({"type": "compaction", "content": "so far"}, Text("so far")),
    ],
)
def test_each_block_of_a_user_is_a_part(block: dict[str, Any], part: Part) -> None:
    assert parts_of(block) == (part,)


def test_a_conversation_with_tools_is_turns() -> None:
    messages = [
        {"role": "user", "content": "1"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm", "signature": "sig"},
                {"type": "redacted_thinking", "data": "xyz"},
                {"type": "text", "text": "Look", "citations": None},
                {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1.50}, "caller": {"type": "direct"}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {}, "cache_control": CACHE},
                {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "b", "content": "no", "is_error": True},
                {"type": "text", "text": "Go on"},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "a",
                    "content": [
                        {"type": "text", "text": "see"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                        {"type": "tool_reference", "tool_name": "g"},
                    ],
                    "cache_control": CACHE,
                }
            ],
        },
        {"role": "system", "content": "Be quick."},
        {"role": "assistant", "content": "4"},
    ]
    assert read(messages=messages).turns == (
        Turn("user", (Text("1"),), 0),
        Turn(
            "assistant",
            (
                Thinking("hm", "sig"),
                Thinking(sealed="xyz"),
                Text("Look"),
                ToolCall("a", "f", '{"x": 1.5}'),
                ToolCall("b", "f", "{}", cache="5m"),
            ),
            1,
        ),
        Turn(
            "tool",
            (
                ToolResult("b", (Text("no"),), error=True),
                ToolResult("a", (Text("see"), Image(Media(PNG, "image/png")), Text("g")), cache="5m"),
            ),
            2,
        ),
        Turn("user", (Text("Go on"),), 2),
        Turn("system", (Text("Be quick."),), 4),
        Turn("assistant", (Text("4"),), 5),
    )


def test_arguments_keep_their_digits() -> None:
    body = json.dumps(HELLO | {"messages": called()}).encode().replace(b'{"x": 1}', b'{"x": 1.000, "y":1e400}')
    call = CLIENT.read_request(body, False)[0].turns[1].parts[0]
    assert call == ToolCall("a", "f", '{"x": 1.000, "y":1e400}')


def test_messages_of_the_assistant_in_a_row_are_one_turn() -> None:
    first, second, result = called()
    messages = [first, {"role": "assistant", "content": "Well"}, second, {"role": "assistant", "content": "so"}, result]
    assert [turn.role for turn in read(messages=messages).turns] == ["user", "assistant", "tool"]


def test_thinking_of_another_vendor_comes_back_as_it_was() -> None:
    gemini = marked("gemini", "g", "c2ln")
    messages = called(
        {"type": "thinking", "thinking": "plain", "signature": marked("", "", "")},
        {"type": "thinking", "thinking": "", "signature": gemini},
        {"type": "thinking", "thinking": "summary", "signature": "##"},
        {"type": "redacted_thinking", "data": marked("responses", "", "gAAAA")},
        {"type": "thinking", "thinking": "", "signature": ""},
    )
    assert read(messages=messages).turns[1].parts[:-1] == (
        Thinking("plain"),
        Thinking("", gemini),
        Thinking("summary", sealed=marked("responses", "", "gAAAA")),
    )


def test_citations_of_an_earlier_answer_are_kept() -> None:
    location = {
        "type": "web_search_result_location",
        "cited_text": "q",
        "encrypted_index": "e",
        "title": "T",
        "url": "https://x",
    }
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": [{"type": "text", "text": "abc", "citations": [location]}]},
        {"role": "user", "content": "Hello"},
    ]
    citation = Citation("https://x", "T", "q", 0, 3, raw(location))
    assert read(messages=messages).turns[1].parts == (Text("abc", citations=(citation,)),)


@pytest.mark.parametrize(
    ("clear_at", "follows", "shown"),
    [("next_user_message", True, False), ("next_user_message", False, True), ("never", True, True), (None, True, True)],
)
def test_an_instruction_for_one_turn_is_not_shown_after_it(clear_at: str | None, follows: bool, shown: bool) -> None:
    messages: list[Any] = [{"role": "user", "content": "1"}, {"role": "system", "content": "S", "clear_at": clear_at}]
    if follows:
        messages += [{"role": "assistant", "content": "2"}, {"role": "user", "content": "3"}]
    assert any(turn.role == "system" for turn in read(messages=messages).turns) is shown


def test_a_message_may_change_the_effort_from_there_on() -> None:
    messages: list[Any] = [
        {"role": "system", "output_config": {"effort": "low"}},
        {"role": "user", "content": "1"},
        {"role": "system", "content": [], "output_config": {"effort": "max"}},
    ]
    request = read(messages=messages, output_config={"effort": "high"}, thinking={"type": "adaptive"})
    assert request.reasoning == Reasoning("max", adaptive=True)
    assert request.turns == (Turn("user", (Text("1"),), 1),)


def test_an_empty_last_message_of_the_assistant_says_nothing() -> None:
    for content in ("", []):
        assert read(messages=[*HELLO["messages"], {"role": "assistant", "content": content}]) == read()  # type: ignore[misc]


def _result(**more: Any) -> dict[str, Any]:
    return {"messages": called(**more)}


ASSISTANT = [{"role": "user", "content": "1"}]
BIG = "A" * (10 * 1024 * 1024 + 4)


@pytest.mark.parametrize(
    ("more", "path", "says"),
    [
        ({"messages": []}, "$.messages", "at least one message"),
        ({"messages": [{"role": "user", "content": ""}]}, "$.messages[0].content", "non-empty"),
        ({"messages": user()}, "$.messages[0].content", "non-empty"),
        ({"messages": user({"type": "text", "text": ""})}, "$.messages[0].content[0].text", "non-empty"),
        ({"system": [{"type": "text", "text": ""}]}, "$.system[0].text", "non-empty"),
        (
            {"messages": [{"role": "assistant", "content": ""}, *ASSISTANT]},
            "$.messages[0].content",
            "non-empty",
        ),
        ({"messages": [{"role": "developer", "content": "x"}]}, "$.messages[0].role", "Invalid value 'developer'"),
        ({"messages": [{"role": "system", "content": "x"}, *ASSISTANT]}, "$.messages[0].role", "cannot be the first"),
        ({"messages": [*ASSISTANT, {"role": "system"}]}, "$.messages[1].content", "non-empty"),
        ({"messages": [{"role": "user"}]}, "$.messages[0]", "missing required field `content`"),
        ({"messages": user({"type": "video"})}, "$.messages[0].content[0].type", "Invalid value 'video'"),
        (
            {"messages": user({"type": "tool_use", "id": "a", "name": "f", "input": {}})},
            "$.messages[0].content[0].type",
            "tool_use blocks can only be in assistant messages",
        ),
        (
            {"messages": [*ASSISTANT, {"role": "assistant", "content": user({"type": "text"})}]},
            "$.messages[1].content[0]",
            "missing required field `type`",
        ),
        (
            {"messages": called({"type": "image", "source": {"type": "file", "file_id": "f"}})},
            "$.messages[1].content[0].type",
            "image blocks can only be in user messages",
        ),
        (_result(tool_use_id="b"), "$.messages[2].content[0].tool_use_id", "answers a tool_use"),
        ({"messages": called()[:2]}, "$.messages[1]", "there is none for a"),
        ({"messages": [*called()[:2], *ASSISTANT]}, "$.messages[1]", "there is none for a"),
        ({"messages": [*called()[:2], {"role": "system", "content": "x"}]}, "$.messages[1]", "there is none for a"),
        (
            {"messages": [*called(), {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]},
            "$.messages[3].content[0].tool_use_id",
            "once",
        ),
        (
            {"messages": called({"type": "tool_use", "id": "a", "name": "f", "input": {}})},
            "$.messages[1].content[1].id",
            "unique",
        ),
        (
            {"messages": called({"type": "tool_use", "id": "a.b", "name": "f", "input": {}})},
            "$.messages[1].content[0].id",
            "'a.b' is not of letters",
        ),
        (
            {"messages": called({"type": "tool_use", "id": "b", "name": "f", "input": "{}"})},
            "$.messages[1].content[0].input",
            "must be a JSON object",
        ),
        (
            {"messages": user({"type": "image", "source": {"type": "base64", "media_type": "image/bmp", "data": PNG}})},
            "$.messages[0].content[0].source.media_type",
            "Use image/jpeg, image/png, image/gif, image/webp",
        ),
        (
            {"messages": user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "a"}})},
            "$.messages[0].content[0].source.data",
            "no base64",
        ),
        (
            {"messages": user({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": BIG}})},
            "$.messages[0].content[0].source.data",
            "at most 10485760 bytes",
        ),
        (
            _result(
                content=[{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "a\nb="}}]
            ),
            "$.messages[2].content[0].content[0].source.data",
            "no base64",
        ),
        (
            {"messages": user({"type": "image", "source": {"type": "url", "url": "file:///etc/passwd"}})},
            "$.messages[0].content[0].source.url",
            "https://",
        ),
        (
            {"messages": user({"type": "document", "source": {"type": "base64", "media_type": "a/b", "data": PDF}})},
            "$.messages[0].content[0].source.media_type",
            "application/pdf",
        ),
        (
            {"messages": user({"type": "document", "source": {"type": "text", "media_type": "a/b", "data": "x"}})},
            "$.messages[0].content[0].source.media_type",
            "text/plain",
        ),
        ({"max_tokens": -1}, "$.max_tokens", "at least 0"),
        ({"max_tokens": None}, "$.max_tokens", "Expected `int`"),
        ({"temperature": 1.5}, "$.temperature", "<= 1"),
        ({"top_p": -0.1}, "$.top_p", ">= 0"),
        ({"top_k": -1}, "$.top_k", ">= 0"),
        ({"stop_sequences": ["a", " \n"]}, "$.stop_sequences[1]", "white space"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "$.thinking.budget_tokens", "at least 1024"),
        ({"thinking": {"type": "enabled"}}, "$.thinking", "missing required field `budget_tokens`"),
        ({"thinking": {"type": "maybe"}}, "$.thinking.type", "Invalid value 'maybe'"),
        ({"output_config": {"effort": "minimal"}}, "$.output_config.effort", "Invalid enum value 'minimal'"),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": "x"}}},
            "$.output_config.format.schema",
            "an object",
        ),
        (
            {
                "output_format": {"type": "json_schema", "schema": {}},
                "output_config": {"format": {"type": "json_schema", "schema": {}}},
            },
            "$.output_format",
            "cannot stand beside",
        ),
        ({"metadata": {"user": "u"}}, "$.metadata.user", "is not known"),
        ({"metadata": {"user_id": 5}}, "$.metadata.user_id", "must be a text"),
        ({"service_tier": "flex"}, "$.service_tier", "Invalid enum value 'flex'"),
        ({"tools": [F, F]}, "$.tools[1].name", "unique"),
        ({"tools": [F | {"name": "a b"}]}, "$.tools[0].name", "'a b' is not of 1 to 128"),
        ({"tools": [F | {"name": "a" * 129}]}, "$.tools[0].name", "1 to 128"),
        ({"tools": [F | {"input_schema": "x"}]}, "$.tools[0].input_schema", "an object"),
        ({"tools": [F | {"input_schema": {"type": "string"}}]}, "$.tools[0].input_schema", '"string"'),
        ({"tools": [{"name": "f"}]}, "$.tools[0]", "missing required field `input_schema`"),
        ({"tools": [F | {"colour": "red"}]}, "$.tools[0].colour", "is not known"),
        ({"tools": [F | {"strict": "yes"}]}, "$.tools[0].strict", "Expected `bool | null`"),
        ({"tools": ["f"]}, "$.tools[0]", "Expected `object`"),
        ({"tool_choice": {"type": "any"}}, "$.tool_choice", "only together with tools"),
        ({"tools": [F], "tool_choice": {"type": "tool", "name": "g"}}, "$.tool_choice.name", "no name of a tool"),
        ({"tools": [F], "tool_choice": {"type": "required"}}, "$.tool_choice.type", "Invalid value 'required'"),
        ({"frequency_penalty": 1}, "$.frequency_penalty", "is not known"),
        (
            {"messages": user({"type": "text", "text": "a", "colour": 1})},
            "$.messages[0].content[0].colour",
            "is not known",
        ),
    ],
)
def test_a_wrong_request_is_refused_with_path_and_rule(more: dict[str, Any], path: str, says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**more)
    assert refused.value.param == path
    assert str(refused.value).startswith(path)
    assert says in str(refused.value)


def test_unknown_members_are_left_out_where_the_client_allows_it() -> None:
    more = {
        "colour": 1,
        "tools": [F, F | {"name": "g", "colour": 1}],
        "metadata": {"user_id": "u", "team": "t"},
        "messages": user({"type": "text", "text": "a", "colour": 1}, {"type": "video"}),
    }
    request, dropped = CLIENT.read_request(json.dumps(HELLO | more).encode(), True)
    assert set(dropped) == {
        "$.colour",
        "$.messages[0].content[0].colour",
        "$.messages[0].content[1]",
        "$.tools[1].colour",
        "$.metadata.team",
    }
    assert request.turns == (Turn("user", (Text("a"),)),)
    assert [tool.name for tool in request.tools] == ["f", "g"]
    assert request.user == "u"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"model":"\xff"}', b"[" * 99_999, b'{"model":"\\ud800"}'])
def test_what_is_no_request_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        CLIENT.read_request(body, False)


CLAUDE_CODE = {
    "model": "claude-opus-5-5",
    "max_tokens": 64000,
    "stream": True,
    "system": [
        {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.251; cch=1f2;"},
        {"type": "text", "text": "You are Claude Code.", "cache_control": CACHE | {"scope": "global"}},
        {"type": "text", "text": "Tools …", "cache_control": CACHE | {"ttl": "1h"}},
    ],
    "tools": [
        {
            "name": "Bash",
            "description": "Runs a command",
            "input_schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {"command": {"type": "string"}},
                "required": ["command"],
                "additionalProperties": False,
            },
            "eager_input_streaming": True,
            "cache_control": CACHE,
        }
    ],
    "thinking": {"type": "adaptive", "display": "summarized"},
    "output_config": {"effort": "high"},
    "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    "metadata": {"user_id": '{"device_id":"d","session_id":"s"}'},
    "diagnostics": {"previous_message_id": None},
    "messages": [
        {
            "role": "user",
            "content": [{"type": "text", "text": "<system-reminder>"}, {"type": "text", "text": "Fix it"}],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": "##"},
                {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "content": "a.py",
                    "is_error": False,
                    "cache_control": CACHE,
                }
            ],
        },
        {"role": "system", "content": "The user opened a.py."},
    ],
}


def test_claude_codes_requests_can_be_said_in_any_dialect() -> None:
    request, dropped = CLIENT.read_request(json.dumps(CLAUDE_CODE).encode(), False)
    assert (request.unsaid, dropped) == ((), ())
    assert [turn.role for turn in request.turns] == ["user", "assistant", "tool", "system"]
    assert request.system == (Text("You are Claude Code.", "5m"), Text("Tools …", "1h"))
    assert request.reasoning == Reasoning("high", adaptive=True, show="auto")
