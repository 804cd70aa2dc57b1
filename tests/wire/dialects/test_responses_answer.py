"""A whole response, read from a provider and written for a client."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from openai.types.responses import Response

from twintrack.errors import UpstreamError
from twintrack.wire.canonical.answer import Answer, Finish, Reply
from twintrack.wire.canonical.parts import Citation, Logprob, Part, Refusal, Text, Thinking, ToolCall
from twintrack.wire.canonical.request import Format, Reasoning, Request, Tool, ToolChoice, Turn
from twintrack.wire.dialects.responses import CLIENT, PROVIDER
from twintrack.wire.usage import Usage

HELLO = Request(model="auto", turns=(Turn("user", (Text("Hello"),)),))
USAGE = {
    "input_tokens": 12,
    "output_tokens": 7,
    "total_tokens": 19,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 3},
}


def read(*output: Any, **members: Any) -> Answer:
    said = {"id": "resp_1", "object": "response", "created_at": 5.0, "model": "gpt", "status": "completed"}
    return PROVIDER.read_answer(json.dumps(said | {"output": list(output), "usage": USAGE} | members).encode())


def write(*parts: Part, request: Request = HELLO, **members: Any) -> dict[str, Any]:
    answer = Answer(**({"id": "a1", "model": "claude", "created": 5, "parts": parts} | members))
    body = json.loads(CLIENT.write_answer(answer, Reply(request, "tt-9.8", 7)))
    Response.model_validate(body)
    assert isinstance(body, dict)
    return body


def message(*content: Any) -> dict[str, Any]:
    return {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": list(content)}


def text(said: str, **more: Any) -> dict[str, Any]:
    return {"type": "output_text", "text": said, "annotations": [], "logprobs": []} | more


# ---- reading


def test_everything_a_response_says() -> None:
    url = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
    logprob = {
        "token": "H",
        "logprob": -0.5,
        "bytes": [72],
        "top_logprobs": [{"token": "B", "logprob": -1, "bytes": []}],
    }
    answer = read(
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "a"}, {"text": "b"}]},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAA"},
        {"type": "reasoning", "id": "rs_3", "summary": [], "content": [{"type": "reasoning_text", "text": "raw"}]},
        {"type": "reasoning", "id": "rs_4", "summary": []},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}},
        message(text("Hé", annotations=[url], logprobs=[logprob]), text("")),
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a":1}'},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "g", "input": "any"},
        service_tier="flex",
    )
    assert answer == Answer(
        id="resp_1",
        model="gpt",
        created=5,
        parts=(
            Thinking("a\n\nb", id="rs_1"),
            Thinking("", sealed="responses#gpt#gAAAA", id="rs_2"),
            Thinking("raw", id="rs_3"),
            Text(
                "Hé",
                "",
                (Citation("https://a.example", "A", start=0, end=2),),
                (Logprob("H", -0.5, (72,), (Logprob("B", -1.0),)),),
            ),
            ToolCall("c1", "f", '{"a":1}'),
            ToolCall("c2", "g", "any", custom=True),
        ),
        finish="tool_calls",
        usage=Usage(12, 7, 4, 0, 3),
        service_tier="flex",
    )


@pytest.mark.parametrize(
    ("members", "content", "finish"),
    [
        ({}, text("x"), "stop"),
        ({}, {"type": "refusal", "refusal": "No"}, "refusal"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, text("x"), "length"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, text("x"), "content_filter"),
        ({"status": "incomplete", "incomplete_details": None}, text("x"), "length"),
    ],
)
def test_why_it_ended(members: dict[str, Any], content: dict[str, Any], finish: Finish) -> None:
    assert read(message(content), **members).finish == finish


def test_what_is_odd_but_understood() -> None:
    answer = read(created_at="now", usage=5, id=None, model=None, service_tier=None)
    assert (answer.created, answer.usage, answer.id, answer.model) == (0, Usage(), "", "")
    assert read(created_at=1e300).created == 0
    assert read({"type": "function_call", "call_id": "c", "name": "f"}).parts == (ToolCall("c", "f", "{}"),)


@pytest.mark.parametrize(
    "members",
    [
        {"status": "failed", "error": {"code": "server_error", "message": "secret prompt"}},
        {"status": "completed", "error": {"code": "server_error"}, "output": None},
        {"status": "cancelled"},
        {"status": "in_progress"},
        {"status": "queued"},
        {"status": None},
        {"output": 5},
        {"output": None},
        {"output": [5]},
        {"output": [{"type": "message", "content": "x"}]},
        {"output": [{"type": "function_call", "arguments": "{}"}]},
        {"output": [{"type": "message", "content": [{"type": "output_text", "text": "x", "annotations": [5]}]}]},
    ],
)
def test_what_is_no_complete_answer(members: dict[str, Any]) -> None:
    with pytest.raises(UpstreamError) as failed:
        read(**members)
    assert "secret" not in str(failed.value)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"error":{"message":"x"}}', b'{"output":[{"id":"\xff"}],"status":"completed"}', b"[" * 99_999],
)
def test_bytes_that_are_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        PROVIDER.read_answer(body)


# ---- writing


def test_everything_an_answer_says() -> None:
    body = write(
        Thinking("Hm", "sig=="),
        Text("Hé", "", (Citation("https://a.example", "A"), Citation(quote="unplaced")), (Logprob("H", -0.5),)),
        Text("more"),
        ToolCall("c1", "f", '{"a":1}'),
        Refusal("No"),
        finish="tool_calls",
        usage=Usage(12, 7, 4, None, 3),
        service_tier="flex",
    )
    assert body["output"] == [
        {
            "type": "reasoning",
            "id": "rs_tt_tt_9_8_0",
            "status": "completed",
            "summary": [{"type": "summary_text", "text": "Hm"}],
            "encrypted_content": "twintrack.signature.sig==",
        },
        {
            "type": "message",
            "id": "msg_tt_9_8_1",
            "status": "completed",
            "role": "assistant",
            "content": [
                {
                    "type": "output_text",
                    "text": "Hé",
                    "annotations": [
                        {
                            "type": "url_citation",
                            "url": "https://a.example",
                            "title": "A",
                            "start_index": 0,
                            "end_index": 2,
                        }
                    ],
                    "logprobs": [{"token": "H", "logprob": -0.5, "bytes": [72], "top_logprobs": []}],
                },
                text("more"),
            ],
        },
        {
            "type": "function_call",
            "id": "fc_tt_9_8_2",
            "status": "completed",
            "call_id": "c1",
            "name": "f",
            "arguments": '{"a":1}',
        },
        {
            "type": "message",
            "id": "msg_tt_9_8_3",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "No"}],
        },
    ]
    assert (body["id"], body["created_at"], body["model"], body["status"]) == ("resp_a1", 5, "claude", "completed")
    assert body["usage"] == USAGE
    assert body["service_tier"] == "flex"
    assert Response.model_validate(body).output_text == "Hémore"


def test_an_answer_of_few_words() -> None:
    body = write(id="", model="", created=0)
    assert (body["id"], body["created_at"], body["model"]) == ("resp_tt_9_8", 7, "auto")
    assert (body["output"], body["usage"], body["error"], body["incomplete_details"]) == ([], None, None, None)
    assert write(id="resp_kept")["id"] == "resp_kept"
    assert write(service_tier="standard")["service_tier"] is None


def test_what_was_asked_for_stands_in_the_response() -> None:
    schema = msgspec.Raw(b'{"type":"object"}')
    tools = (
        Tool("f", "F", schema),
        Tool("mcp__a", namespace="mcp__"),
        Tool("web_search", kind="server", raw=msgspec.Raw(b'{"type":"web_search"}')),
        Tool("crm__a", namespace="crm"),
        Tool("mcp__b", namespace="mcp__", kind="custom"),
    )
    request = Request(
        model="auto",
        turns=HELLO.turns,
        system=(Text("Be brief."), Text("Very.")),
        tools=tools,
        tool_choice=ToolChoice("named", "f"),
        parallel_tool_calls=False,
        max_output_tokens=50,
        temperature=0.5,
        top_p=0.9,
        top_logprobs=2,
        format=Format("json_schema", schema, "n"),
        verbosity="low",
        reasoning=Reasoning("low", show="auto"),
        metadata={"a": "b"},
        user="u",
        cache_key="k",
    )
    body = write(request=request)
    assert {name: body[name] for name in body if name not in ("id", "model", "created_at", "object", "output")} == {
        "status": "completed",
        "incomplete_details": None,
        "error": None,
        "instructions": "Be brief.",
        "max_output_tokens": 50,
        "max_tool_calls": None,
        "metadata": {"a": "b"},
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "prompt_cache_key": "k",
        "reasoning": {"effort": "low", "summary": "auto"},
        "temperature": 0.5,
        "text": {
            "format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}},
            "verbosity": "low",
        },
        "tool_choice": {"type": "function", "name": "f"},
        "tools": [
            {"type": "function", "name": "f", "description": "F", "parameters": {"type": "object"}, "strict": False},
            {
                "type": "namespace",
                "name": "mcp__",
                "description": "",
                "tools": [
                    {
                        "type": "function",
                        "name": "a",
                        "parameters": {"type": "object", "properties": {}},
                        "strict": False,
                    },
                    {"type": "custom", "name": "b"},
                ],
            },
            {"type": "web_search"},
            {
                "type": "namespace",
                "name": "crm",
                "description": "",
                "tools": [
                    {
                        "type": "function",
                        "name": "a",
                        "parameters": {"type": "object", "properties": {}},
                        "strict": False,
                    }
                ],
            },
        ],
        "top_logprobs": 2,
        "top_p": 0.9,
        "truncation": "disabled",
        "usage": None,
        "user": "u",
        "background": False,
        "store": False,
        "service_tier": None,
    }


@pytest.mark.parametrize(
    ("finish", "refused", "status", "reason"),
    [
        ("stop", False, "completed", None),
        ("stop_sequence", False, "completed", None),
        ("tool_calls", False, "completed", None),
        ("refusal", True, "completed", None),
        ("refusal", False, "incomplete", "content_filter"),
        ("length", False, "incomplete", "max_output_tokens"),
        ("context", False, "incomplete", "max_output_tokens"),
        ("pause", False, "incomplete", "max_output_tokens"),
        ("content_filter", True, "incomplete", "content_filter"),
    ],
)
def test_status(finish: Finish, refused: bool, status: str, reason: str | None) -> None:
    body = write(Text("x"), *([Refusal("No")] if refused else []), ToolCall("c", "f", "{"), finish=finish)
    assert body["status"] == status
    assert (body["incomplete_details"] or {}).get("reason") == reason
    assert [item["status"] for item in body["output"]] == ["completed", status]


def test_calls_are_of_the_clients_own_tools() -> None:
    tools = (
        Tool("patch", kind="custom"),
        Tool("mcp__a", namespace="mcp__"),
        Tool("crm__p", kind="custom", namespace="crm"),
    )
    body = write(
        ToolCall("c1", "patch", '{"input":"*** \\u00e9"}'),
        ToolCall("c2", "patch", "not wrapped"),
        ToolCall("c3", "patch", "any", custom=True),
        ToolCall("c4", "mcp__a", ""),
        ToolCall("c5", "crm__p", '{"input":"x"}'),
        ToolCall("c6", "unheard_of", "{}"),
        request=Request(model="m", turns=HELLO.turns, tools=tools),
    )
    assert [
        (item["type"], item["name"], item.get("namespace"), item.get("input", item.get("arguments")))
        for item in body["output"]
    ] == [
        ("custom_tool_call", "patch", None, "*** é"),
        ("custom_tool_call", "patch", None, "not wrapped"),
        ("custom_tool_call", "patch", None, "any"),
        ("function_call", "a", "mcp__", "{}"),
        ("custom_tool_call", "p", "crm", "x"),
        ("function_call", "unheard_of", None, "{}"),
    ]


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize(
    "part",
    [
        Thinking("Hm", "sig=="),
        Thinking("", "gemini#g-3#sig"),
        Thinking("", sealed="data=="),
        Thinking("", sealed="responses#gpt#gAAAA", id="rs_1"),
        Thinking("Hm"),
    ],
)
def test_reasoning_comes_home_unharmed(part: Thinking, sealed: bool) -> None:
    """Also through Codex, which sends it back without its id."""
    request = Request(model="m", turns=HELLO.turns, sealed_reasoning=sealed)
    (item,) = write(part, request=request)["output"]
    assert ("encrypted_content" in item) == (sealed or part != Thinking("Hm"))
    del item["id"]
    body = {"model": "m", "input": [item, {"role": "user", "content": "Go on"}]}
    back = CLIENT.read_request(json.dumps(body).encode(), False)[0].turns[0].parts
    assert back == (msgspec.structs.replace(part, id="", sealed=part.sealed.replace("gpt", "")),)


def test_the_signature_of_a_call_stands_in_front_of_it_once() -> None:
    signed = ToolCall("c1", "f", "{}", signature="gemini#g#sig")
    alone = write(signed, ToolCall("c2", "f", "{}"))
    assert [item["type"] for item in alone["output"]] == ["reasoning", "function_call", "function_call"]
    assert alone["output"][0]["encrypted_content"] == "twintrack.signature.gemini#g#sig"
    behind = write(Thinking("", "gemini#g#sig"), signed)
    assert [item["type"] for item in behind["output"]] == ["reasoning", "function_call"]


def test_ids_are_such_as_openai_takes_back() -> None:
    body = json.loads(CLIENT.write_answer(Answer(parts=(Text("x"),)), Reply(HELLO, "tt-" + "ä.9" * 40, 7)))
    (item,) = body["output"]
    assert len(item["id"]) <= 64
    assert item["id"].replace("_", "").isascii()
    assert item["id"].replace("_", "").isalnum()
