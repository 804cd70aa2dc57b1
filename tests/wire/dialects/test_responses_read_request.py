"""A client's request for a response, read: each member where it goes, each rule by its path."""

from __future__ import annotations

import json
import typing
from typing import Any

import msgspec
import pytest
from openai.types.responses import response_create_params, response_input_item_param, tool_param

from twintrack.errors import BadRequest
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
from twintrack.wire.canonical.request import Format, Reasoning, Request, ToolChoice, Turn
from twintrack.wire.dialects.responses import CLIENT, shapes
from twintrack.wire.dialects.responses.read_input import KEPT_BY_PROVIDER

PNG = "data:image/png;base64,iVBORw0="
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def read(drop: bool = False, **members: Any) -> tuple[Request, tuple[str, ...]]:
    body = {"model": "m", "input": "Hello"} | members
    return CLIENT.read_request(json.dumps(body).encode(), drop)


def asked(**members: Any) -> Request:
    request, dropped = read(**members)
    assert dropped == ()
    return request


def turns(*items: dict[str, Any], **members: Any) -> tuple[Turn, ...]:
    return asked(input=list(items), **members).turns


def user(*content: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(content)}


def call(call_id: str = "c", name: str = "f", arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments} | more


def output(call_id: str = "c", said: Any = "ok", **more: Any) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": call_id, "output": said} | more


def function(name: str = "f", **more: Any) -> dict[str, Any]:
    return {"type": "function", "name": name, "parameters": SCHEMA} | more


# ---- the types agree with OpenAI's


def test_every_member_of_the_request_is_known() -> None:
    theirs = set(typing.get_type_hints(response_create_params.ResponseCreateParamsStreaming))
    ours = {field.encode_name for field in msgspec.structs.fields(shapes.ResponsesRequest)}
    assert theirs <= ours
    assert ours - theirs == {"client_metadata"}


def kinds(union: Any) -> set[str]:
    found = set()
    for each in typing.get_args(union):
        hints = typing.get_type_hints(each, include_extras=False)
        for value in typing.get_args(hints.get("type", None)):
            found |= set(typing.get_args(value)) or {value}
    return {kind for kind in found if isinstance(kind, str)}


def test_every_kind_of_item_and_tool_is_known() -> None:
    read_items = {
        "message", "reasoning", "function_call", "function_call_output", "custom_tool_call",
        "custom_tool_call_output", "additional_tools", "configuration_update",
    }  # fmt: skip
    items = kinds(response_input_item_param.ResponseInputItemParam)
    assert len(items) > 30
    assert items <= read_items | shapes.OPAQUE_ITEMS
    tools = kinds(tool_param.ToolParam)
    assert len(tools) > 10
    assert tools <= {"function", "custom", "namespace"} | shapes.OPAQUE_TOOLS


# ---- what is carried


def test_a_text_is_a_users_turn() -> None:
    assert asked(instructions="Be brief.") == Request(
        model="m", system=(Text("Be brief."),), turns=(Turn("user", (Text("Hello"),)),)
    )


def test_messages() -> None:
    request = asked(
        instructions="A",
        input=[
            {"role": "system", "content": "B"},
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "C"}]},
            user({"type": "input_text", "text": "D"}, {"type": "input_text", "text": "E"}),
            {"role": "developer", "content": "F"},
            {"role": "assistant", "content": "G"},
            {
                "type": "message",
                "id": "msg_1",
                "status": "completed",
                "role": "assistant",
                "phase": "commentary",
                "content": [
                    {"type": "output_text", "text": "H", "annotations": [], "logprobs": [{"token": "H"}]},
                    {"type": "refusal", "refusal": "I"},
                ],
            },
        ],
    )
    assert request.system == (Text("A"), Text("B"), Text("C"))
    assert request.turns == (
        Turn("user", (Text("D"), Text("E")), 2),
        Turn("system", (Text("F"),), 3),
        Turn("assistant", (Text("G"), Text("H"), Refusal("I")), 4),
    )


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"type": "input_image", "image_url": PNG}, Image(Media("iVBORw0=", "image/png"))),
        (
            {"type": "input_image", "image_url": "data:image/jpg;base64,iVBORw0=", "detail": "low"},
            Image(Media("iVBORw0=", "image/jpeg"), "low"),
        ),
        ({"type": "input_image", "image_url": "https://a.example/x"}, Image(Media(url="https://a.example/x"))),
        ({"type": "input_image", "file_id": "file_1", "detail": "auto"}, Image(Media(file_id="file_1"), "auto")),
        (
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
            File(Media("JVBERi0=", "application/pdf"), "a.pdf"),
        ),
        (
            {"type": "input_file", "filename": "a.txt", "file_data": "JVBERi0="},
            File(Media("JVBERi0=", "text/plain"), "a.txt"),
        ),
        ({"type": "input_file", "file_data": "JVBERi0="}, File(Media("JVBERi0=", "application/pdf"))),
        ({"type": "input_file", "file_url": "https://a.example/x.pdf"}, File(Media(url="https://a.example/x.pdf"))),
        ({"type": "input_file", "file_id": "file_1", "detail": "high"}, File(Media(file_id="file_1"))),
        (
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            Audio(Media("UklGRg==", "audio/wav")),
        ),
        ({"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit"}}, Text("x", "5m")),
        (
            {"type": "input_text", "text": "x", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
            Text("x", "1h"),
        ),
        ({"type": "input_text", "text": "é\u2028\x00😀"}, Text("é\u2028\x00😀")),
    ],
)  # fmt: skip
def test_parts(part: dict[str, Any], found: object) -> None:
    assert turns(user(part))[0].parts == (found,)


def test_what_the_model_said_in_one_go_is_one_turn() -> None:
    assert turns(
        {"role": "user", "content": "Hi"},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm"}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "I look"}]},
        call("c1", "f", '{"a":1}', id="fc_1", status="completed"),
        {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "any text", "id": "ctc_1"},
        output("c1"),
        {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "fine"}]},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done"}]},
    ) == (
        Turn("user", (Text("Hi"),), 0),
        Turn(
            "assistant",
            (
                Thinking("Hm", id="rs_1"),
                Text("I look"),
                ToolCall("c1", "f", '{"a":1}'),
                ToolCall("c2", "g", "any text", custom=True),
            ),
            1,
        ),
        Turn("tool", (ToolResult("c1", (Text("ok"),)), ToolResult("c2", (Text("fine"),), custom=True)), 5),
        Turn("assistant", (Text("Done"),), 7),
    )


def test_results_with_images_and_files_and_none() -> None:
    said = [{"type": "input_image", "image_url": PNG}, {"type": "input_file", "file_url": "https://a.example/x"}]
    found = turns(call("c1"), call("c2"), output("c1", said), output("c2", ""))
    assert found[1].parts == (
        ToolResult("c1", (Image(Media("iVBORw0=", "image/png")), File(Media(url="https://a.example/x")))),
        ToolResult("c2", ()),
    )


def test_a_result_stands_behind_its_call_wherever_it_came() -> None:
    """OpenAI pairs them by `call_id`; the other dialects want them side by side."""
    found = turns(
        call("c1"),
        call("c2"),
        output("c2"),
        {"role": "user", "content": "Wait"},
        {"role": "assistant", "content": "Yes"},
        output("c1"),
        call("c3"),
        output("c3"),
    )
    assert [(turn.role, len(turn.parts)) for turn in found] == [
        ("assistant", 2), ("tool", 2), ("user", 1), ("assistant", 2), ("tool", 1),
    ]  # fmt: skip


def test_ids_of_calls_may_come_again() -> None:
    found = turns(call("call_0"), output("call_0", "a"), call("call_0"), output("call_0", "b"))
    assert [turn.parts for turn in found if turn.role == "tool"] == [
        (ToolResult("call_0", (Text("a"),)),), (ToolResult("call_0", (Text("b"),)),),
    ]  # fmt: skip


def test_a_call_without_arguments_has_none() -> None:
    assert turns(call(arguments=""), output())[0].parts == (ToolCall("c", "f", "{}"),)


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (
            {"summary": [{"type": "summary_text", "text": "a"}, {"type": "summary_text", "text": "b"}]},
            Thinking("a\n\nb"),
        ),
        ({"summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]}, Thinking("raw")),
        (
            {"id": "rs_1", "summary": [], "encrypted_content": "gAAAAx", "content": None},
            Thinking("", "", "responses##gAAAAx", "rs_1"),
        ),
        (
            {"summary": [{"type": "summary_text", "text": "a"}], "encrypted_content": "twintrack.signature.sig=="},
            Thinking("a", "sig=="),
        ),
        (
            {"summary": [], "encrypted_content": "twintrack.signature.gemini#g-3#sig"},
            Thinking("", "gemini#g-3#sig"),
        ),
        ({"summary": [], "encrypted_content": "twintrack.sealed.data"}, Thinking("", "", "data")),
        (
            {"summary": [{"type": "summary_text", "text": "a"}], "encrypted_content": "twintrack.text"},
            Thinking("a"),
        ),
    ],
)
def test_reasoning(item: dict[str, Any], found: Thinking) -> None:
    assert turns({"type": "reasoning"} | item)[0].parts == (found,)


def test_reasoning_that_says_nothing_is_nothing() -> None:
    assert [turn.role for turn in turns({"type": "reasoning", "summary": []}, {"role": "user", "content": "x"})] == [
        "user"
    ]


def test_citations_of_what_was_said() -> None:
    url = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 1, "end_index": 3}
    file = {"type": "file_citation", "file_id": "f", "filename": "x", "index": 0}
    found = turns(
        {"role": "assistant", "content": [{"type": "output_text", "text": "abc", "annotations": [url, file]}]}
    )
    (text,) = found[0].parts
    assert isinstance(text, Text)
    assert text.citations[0] == Citation("https://a.example", "A", start=1, end=3)
    assert json.loads(bytes(text.citations[1].raw)) == file


def test_tools() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}
    request = asked(
        tools=[
            function("a", description="A", strict=True),
            {"type": "function", "name": "b", "parameters": {}, "strict": None, "defer_loading": True},
            {"type": "function", "name": "c", "parameters": {"properties": {}}},
            {"type": "custom", "name": "d", "description": "D", "format": {"type": "text"}},
            {"type": "custom", "name": "e", "format": grammar},
            {"type": "web_search", "filters": {"allowed_domains": ["a.example"]}},
        ]
    )
    tools = request.tools
    assert [(tool.name, tool.kind, tool.strict) for tool in tools] == [
        ("a", "function", True), ("b", "function", None), ("c", "function", None), ("d", "custom", None),
        ("e", "custom", None), ("web_search", "server", None),
    ]  # fmt: skip
    assert json.loads(bytes(tools[0].schema)) == SCHEMA
    assert bytes(tools[1].schema) == b""
    assert json.loads(bytes(tools[2].schema)) == {"type": "object", "properties": {}}
    assert (tools[3].description, bytes(tools[3].raw)) == ("D", b"")
    assert json.loads(bytes(tools[4].raw))["format"] == grammar
    assert json.loads(bytes(tools[5].raw))["filters"] == {"allowed_domains": ["a.example"]}


def test_a_namespace_is_said_in_front_of_the_names_and_other_tools_keep_their_places() -> None:
    group = {"type": "namespace", "name": "mcp__docs__", "description": "x", "tools": [function("a"), function("b")]}
    other = {"type": "namespace", "name": "crm", "description": "x", "tools": [{"type": "custom", "name": "a"}]}
    request = asked(
        input=[call(name="a", namespace="crm"), output()],
        tools=[function("a"), group, {"type": "mcp", "server_label": "x"}, other],
        tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "mcp__docs__b"}]},
    )
    assert [(tool.name, tool.namespace) for tool in request.tools] == [
        ("a", ""), ("mcp__docs__a", "mcp__docs__"), ("mcp", ""), ("crm__a", "crm"), ("mcp__docs__b", "mcp__docs__"),
    ]  # fmt: skip
    assert request.turns[0].parts == (ToolCall("c", "crm__a", "{}"),)


def test_tools_that_an_item_adds() -> None:
    item = {"type": "additional_tools", "role": "developer", "tools": [function("b")]}
    request = asked(input=[item, {"role": "user", "content": "x"}], tools=[function("a")])
    assert [tool.name for tool in request.tools] == ["a", "b"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ("auto", None),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "name": "a"}, ToolChoice("named", "a")),
        ({"type": "custom", "name": "b"}, ToolChoice("named", "b")),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "custom", "name": "b"}, {"type": "function", "name": "a"}],
            },
            ToolChoice("required", allowed=("b", "a")),
        ),
        (None, None),
    ],
)
def test_tool_choice(said: Any, found: ToolChoice | None) -> None:
    assert asked(tools=[function("a"), {"type": "custom", "name": "b"}], tool_choice=said).tool_choice == found


def test_without_tools_there_is_nothing_to_choose() -> None:
    request = asked(tools=[], tool_choice="auto", parallel_tool_calls=False)
    assert (request.tools, request.tool_choice, request.parallel_tool_calls) == ((), None, None)


@pytest.mark.parametrize(
    ("members", "name", "found"),
    [
        ({"max_output_tokens": 20}, "max_output_tokens", 20),
        ({"temperature": 0}, "temperature", 0),
        ({"temperature": 1}, "temperature", None),
        ({"top_p": 0.5}, "top_p", 0.5),
        ({"top_p": 1}, "top_p", None),
        ({"tools": [function()], "parallel_tool_calls": False}, "parallel_tool_calls", False),
        ({"tools": [function()], "parallel_tool_calls": True}, "parallel_tool_calls", None),
        ({"include": ["message.output_text.logprobs"]}, "logprobs", True),
        ({"top_logprobs": 3}, "top_logprobs", 3),
        ({"top_logprobs": 3}, "logprobs", True),
        ({"top_logprobs": 0}, "logprobs", False),
        ({"include": ["reasoning.encrypted_content"]}, "sealed_reasoning", True),
        ({"text": {"format": {"type": "text"}}}, "format", None),
        ({"text": {"format": {"type": "json_object"}}}, "format", Format("json")),
        ({"text": {"verbosity": "low"}}, "verbosity", "low"),
        ({"reasoning": {"effort": "xhigh"}}, "reasoning", Reasoning("xhigh")),
        ({"reasoning": {"effort": "none", "summary": "auto"}}, "reasoning", Reasoning("none", show="auto")),
        ({"reasoning": {"generate_summary": "concise"}}, "reasoning", Reasoning(show="concise")),
        ({"reasoning": {"context": "auto", "mode": "standard"}}, "reasoning", None),
        ({"service_tier": "flex"}, "service_tier", "flex"),
        ({"user": "u"}, "user", "u"),
        ({"user": "u", "safety_identifier": "s"}, "user", "s"),
        ({"metadata": {"a": "b", "twintrack_class": "public", "twintrack_deadline_ms": 5}}, "metadata", {"a": "b"}),
        ({"metadata": {"twintrack_class": "public"}}, "metadata", {}),
        ({"prompt_cache_key": "k"}, "cache_key", "k"),
        ({"stream": True}, "stream", True),
        ({"stream": True}, "stream_usage", True),
    ],
)
def test_members(members: dict[str, Any], name: str, found: object) -> None:
    assert getattr(asked(**members), name) == found


def test_a_schema_for_the_answer_is_not_touched() -> None:
    body = (
        b'{"model":"m","input":"x","text":{"format":{"type":"json_schema","name":"n","strict":true,'
        b'"description":"d","schema":{ "type":"object","const":1.50 }}}}'
    )
    found = CLIENT.read_request(body, False)[0].format
    assert found == Format("json_schema", msgspec.Raw(b'{ "type":"object","const":1.50 }'), "n", "d", True)


def test_a_configuration_update_holds_from_then_on() -> None:
    update = {
        "type": "configuration_update",
        "reasoning": {"effort": "low"},
        "text": {"format": {"type": "json_object"}},
    }
    request = asked(input=[{"role": "user", "content": "x"}, update], reasoning={"effort": "high", "summary": "auto"})
    assert request.reasoning == Reasoning("low", show="auto")
    assert request.format == Format("json")


@pytest.mark.parametrize(
    "members",
    [
        {"store": False},
        {"truncation": "disabled"},
        {"background": False},
        {"previous_response_id": None, "conversation": None, "prompt": None, "moderation": None},
        {"prompt_cache_retention": "24h", "prompt_cache_options": {"mode": "implicit", "ttl": "12h"}},
        {"stream_options": {"include_obfuscation": False, "reasoning_summary_delivery": "x"}},
        {"client_metadata": {"a": "b"}},
        {"image": {"context_compression": "auto"}},
        {"include": ["web_search_call.action.sources", "message.input_image.image_url"]},
    ],
)
def test_hints_are_left_out_in_silence(members: dict[str, Any]) -> None:
    assert asked(**members) == asked()


# ---- what is understood and cannot be carried


@pytest.mark.parametrize(
    ("members", "unsaid"),
    [
        ({"store": True}, "$.store"),
        ({"truncation": "auto"}, "$.truncation"),
        ({"background": True}, "$.background"),
        ({"previous_response_id": "resp_1"}, "$.previous_response_id"),
        ({"conversation": "conv_1"}, "$.conversation"),
        ({"conversation": {"id": "conv_1"}}, "$.conversation"),
        ({"prompt": {"id": "pmpt_1"}, "input": None}, "$.prompt"),
        ({"max_tool_calls": 3}, "$.max_tool_calls"),
        ({"context_management": [{"type": "compaction"}]}, "$.context_management"),
        ({"moderation": {"model": "x"}}, "$.moderation"),
        ({"access_programs": {"cyber": "standard"}}, "$.access_programs"),
        ({"image": {"context_compression": "enabled"}}, "$.image.context_compression"),
        ({"prompt_cache_options": {"prewarm": True}}, "$.prompt_cache_options.prewarm"),
        (
            {"prompt_cache_options": {"comparison_response_id": "resp_1"}},
            "$.prompt_cache_options.comparison_response_id",
        ),
        ({"reasoning": {"context": "all_turns"}}, "$.reasoning.context"),
        ({"reasoning": {"mode": "pro"}}, "$.reasoning.mode"),
        ({"tools": [function(allowed_callers=["programmatic"])]}, "$.tools[0].allowed_callers"),
        ({"tools": [function(**{"async": True})]}, "$.tools[0].async"),
        (
            {"tools": [{"type": "web_search"}], "tool_choice": {"type": "web_search_preview"}},
            "$.tool_choice (web_search_preview)",
        ),
        (
            {
                "tools": [{"type": "mcp"}],
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "auto",
                    "tools": [{"type": "mcp", "server_label": "x"}],
                },
            },
            "$.tool_choice.tools[0] (mcp)",
        ),
    ],
)
def test_members_no_other_dialect_has(members: dict[str, Any], unsaid: str) -> None:
    assert asked(**members).unsaid == (unsaid,)


@pytest.mark.parametrize("kind", sorted(shapes.OPAQUE_ITEMS - KEPT_BY_PROVIDER))
def test_items_of_openais_own_tools(kind: str) -> None:
    items = [{"type": kind, "id": "x", "anything": {"a": [1]}}, {"role": "user", "content": "Hi"}]
    request = asked(input=items)
    assert request.unsaid == (f"$.input[0] ({kind})",)
    assert request.turns == (Turn("user", (Text("Hi"),), 1),)


def test_a_reference_may_leave_its_type_out() -> None:
    for drop in (False, True):
        with pytest.raises(BadRequest, match=r"\$\.input\[0\] \(item_reference\) cannot be carried"):
            read(drop=drop, input=[{"id": "msg_1"}])


def test_the_output_of_such_a_call_goes_with_it() -> None:
    items = [{"type": "local_shell_call", "call_id": "c"}, output("c"), {"role": "user", "content": "Hi"}]
    assert asked(input=items).unsaid == (
        "$.input[0] (local_shell_call)",
        "$.input[1] (the output of a call that cannot be carried)",
    )


# ---- what is refused


@pytest.mark.parametrize(
    ("members", "param", "says"),
    [
        ({"foo": 1}, "$.foo", "is not known"),
        ({"text": {"foo": 1}}, "$.text.foo", "is not known"),
        ({"input": [{"role": "user", "content": "x", "foo": 1}]}, "$.input[0].foo", "is not known"),
        ({"input": [user({"type": "input_text", "text": "x", "foo": 1})]}, "$.input[0].content[0].foo", "is not known"),
        ({"input": [{"type": "foo"}]}, "$.input[0].type", "'foo' is not known"),
        ({"tools": [{"type": "foo"}]}, "$.tools[0].type", "'foo' is not known"),
        ({"tools": [{"name": "f"}]}, "$.tools[0].type", "must be there"),
        ({"tools": [function(foo=1)]}, "$.tools[0].foo", "is not known"),
        ({"input": None}, "$.input", "must be there"),
        ({"input": []}, "$.input", "holds no message"),
        ({"input": [5]}, "$.input[0]", "Expected `object`"),
        ({"input": [{"type": 5}]}, "$.input[0].type", "Expected `str"),
        ({"input": 5}, "$.input", "Expected"),
        ({"input": [{"role": "tool", "content": "x"}]}, "$.input[0].role", "Invalid enum value"),
        ({"input": [{"role": "user"}]}, "$.input[0]", "missing required field `content`"),
        ({"input": [{"role": "user", "content": []}]}, "$.input[0].content", "needs at least one"),
        ({"input": [user({"type": "output_text", "text": "x"})]}, "$.input[0].content[0].type", "not output_text"),
        (
            {"input": [{"role": "assistant", "content": [{"type": "input_image", "image_url": PNG}]}]},
            "$.input[0].content[0].type",
            "not input_image",
        ),
        (
            {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": PNG}]}]},
            "$.input[0].content[0].type",
            "a system message holds input_text",
        ),
        ({"input": [user({"type": "text", "text": "x"})]}, "$.input[0].content[0].type", "Invalid value 'text'"),
        ({"input": [output("c9")]}, "$.input[0].call_id", "no call before it has call_id 'c9'"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "$.input[0].call_id", "no call before it"),
        ({"input": [output("c"), call("c")]}, "$.input[0].call_id", "no call before it"),
        ({"input": [call("c"), output("c"), output("c")]}, "$.input[2].call_id", "has its output already"),
        ({"input": [call("c")]}, "$.input[0]", "an output for call 'c' must follow"),
        ({"input": [call("a"), call("b"), output("a")]}, "$.input[1]", "an output for call 'b' must follow"),
        ({"input": [call("a"), call("a")]}, "$.input[1].call_id", "an earlier call of this turn has the same"),
        ({"input": [call("")]}, "$.input[0].call_id", "must not be empty"),
        ({"input": [call(arguments="{"), output()]}, "$.input[0].arguments", "not the JSON text of an object"),
        ({"input": [call(arguments="[]"), output()]}, "$.input[0].arguments", "not the JSON text of an object"),
        (
            {"input": [output("c")], "previous_response_id": "resp_1"},
            "$.previous_response_id",
            "cannot be carried",
        ),
        ({"input": [{"id": "fc_1"}, output("c")]}, "$.input[0]", "cannot be carried"),
        ({"input": [user({"type": "input_image"})]}, "$.input[0].content[0]", "exactly one of image_url and file_id"),
        (
            {"input": [user({"type": "input_image", "image_url": "data:image/tiff;base64,AAAA"})]},
            "$.input[0].content[0].image_url",
            "media type 'image/tiff' is not supported",
        ),
        (
            {"input": [user({"type": "input_image", "image_url": "data:image/png;base64,A*=="})]},
            "$.input[0].content[0].image_url",
            "invalid base64",
        ),
        (
            {"input": [user({"type": "input_image", "image_url": "data:image/png;base64,"})]},
            "$.input[0].content[0].image_url",
            "it is empty",
        ),
        (
            {"input": [user({"type": "input_image", "image_url": "data:image/png,xyz"})]},
            "$.input[0].content[0].image_url",
            "a data URL begins with",
        ),
        (
            {"input": [user({"type": "input_image", "image_url": "file:///etc/passwd"})]},
            "$.input[0].content[0].image_url",
            "neither an http(s) address nor a data URL",
        ),
        (
            {"input": [call(), output(said=[{"type": "input_image", "image_url": "x"}])]},
            "$.input[1].output[0].image_url",
            "neither",
        ),
        (
            {"input": [user({"type": "input_file", "file_id": "a", "file_url": "https://a.example"})]},
            "$.input[0].content[0]",
            "exactly one of file_data",
        ),
        (
            {"input": [user({"type": "input_file", "file_data": "data:;base64,AAAA"})]},
            "$.input[0].content[0].file_data",
            "media type '' is not supported",
        ),
        (
            {"input": [user({"type": "input_audio", "input_audio": {"data": "A", "format": "wav"}})]},
            "$.input[0].content[0].input_audio.data",
            "invalid base64",
        ),
        ({"tools": [function("a b")]}, "$.tools[0].name", "is not of 1 to 128 letters"),
        ({"tools": [function("a"), function("a")]}, "$.tools[1].name", "another tool is called 'a'"),
        ({"tools": [function("a"), {"type": "custom", "name": "a"}]}, "$.tools[1].name", "another tool"),
        ({"tools": [function(parameters=[])]}, "$.tools[0].parameters", "a JSON Schema is an object"),
        ({"tools": [function(parameters={"type": "string"})]}, "$.tools[0].parameters", 'must be of type "object"'),
        (
            {"tools": [{"type": "namespace", "name": "n", "description": "", "tools": [{"type": "mcp"}]}]},
            "$.tools[0].tools[0].type",
            "'mcp' is not known",
        ),
        ({"tools": [{"type": "custom", "name": "x", "format": {"type": "ebnf"}}]}, "$.tools[0].format.type", "Invalid"),
        ({"tool_choice": "required"}, "$.tool_choice", "required needs tools"),
        ({"tool_choice": "any"}, "$.tool_choice", "'any' is none of"),
        ({"tool_choice": {"type": "function", "name": "f"}}, "$.tool_choice.name", "no tool of this request"),
        ({"tool_choice": {"type": "foo"}}, "$.tool_choice.type", "is not known"),
        (
            {"tools": [function()], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
            "$.tool_choice.tools",
            "needs at least one",
        ),
        ({"temperature": 2.1}, "$.temperature", "<= 2"),
        ({"top_p": -0.1}, "$.top_p", ">= 0"),
        ({"top_logprobs": 21}, "$.top_logprobs", "<= 20"),
        ({"max_output_tokens": 0}, "$.max_output_tokens", ">= 1"),
        ({"include": ["foo"]}, "$.include[0]", "'foo' is not known"),
        ({"text": {"format": {"type": "json_schema", "name": "a b", "schema": {}}}}, "$.text.format.name", "letters"),
        ({"text": {"format": {"type": "json_schema", "name": "a", "schema": []}}}, "$.text.format.schema", "object"),
        ({"text": {"verbosity": "loud"}}, "$.text.verbosity", "Invalid enum value"),
        ({"reasoning": {"effort": "huge"}}, "$.reasoning.effort", "Invalid enum value"),
        ({"metadata": {"a": 1}}, "$.metadata", "values are texts"),
        ({"metadata": {"a" * 65: "x"}}, "$.metadata", "names up to 64"),
        ({"safety_identifier": "x" * 129}, "$.safety_identifier", "length <= 128"),
    ],
)
def test_a_wrong_request_is_refused_with_its_path(members: dict[str, Any], param: str, says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        read(**members)
    assert refused.value.param == param
    assert refused.value.what.startswith(param)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"model":"m","input":"\\ud800"}',
        b'{"model":"m","input":[{"role":"user","content":"\xff"}]}',
        b'{"model":"m","input":[{"type":"\xff"}]}',
        b'{"model":"m","input":[{"type":"local_shell_call","call_id":"\xff"}],"x":1}',
        b'{"model":"m","input":"x","metadata":{"a":"\xff"}}',
        b'{"model":"m","input":"x","tools":[{"type":"function","name":"f","parameters":{"type":"\xff"}}]}',
        b'{"model":"m","input":' + b"[" * 5000,
    ],
)
def test_bytes_that_are_no_request(body: bytes) -> None:
    with pytest.raises(BadRequest):
        CLIENT.read_request(body, False)


def test_what_is_not_known_is_left_out_if_the_client_says_so() -> None:
    request, dropped = read(
        drop=True,
        foo=1,
        input=[
            {"role": "user", "content": [{"type": "input_text", "text": "x", "foo": 1}], "bar": 2},
            {"type": "foo"},
        ],
        tools=[function("a", foo=1), {"type": "foo"}],
        tool_choice={"type": "function", "name": "a", "foo": 1},
    )
    assert set(dropped) == {
        "$.foo", "$.input[0].content[0].foo", "$.input[0].bar", "$.input[1]", "$.tools[0].foo", "$.tools[1]",
        "$.tool_choice.foo",
    }  # fmt: skip
    assert request.turns == (Turn("user", (Text("x"),), 0),)
    assert [tool.name for tool in request.tools] == ["a"]
