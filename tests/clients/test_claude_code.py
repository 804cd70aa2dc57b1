"""Claude Code's requests, replayed.

Their shape: "Gateway protocol reference", code.claude.com/docs/en/llm-gateway-protocol, read on 20 November 2026 — the
paths, the headers, what must travel on, the probe at start and the discovery of models; the members of the body by
platform.claude.com/docs/en/api/messages of the same day, with the values that Claude Code 2.1 sends to a model whose
name it does not know. All texts are our own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from client_scripts import ANSWER, QUESTION, Call, Heard, Say, Think, broken, heard, plays

from support.gateway import Served
from support.provider import Provider
from support.raw import Answer, events

pytestmark = pytest.mark.engine

Json = dict[str, Any]

BETA = (
    "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,"
    "prompt-caching-scope-2026-01-05,mid-conversation-system-2026-04-07,effort-2025-11-24"
)
HEADERS = {
    "accept": "application/json",
    "authorization": "Bearer sk-dev",
    "anthropic-version": "2023-06-01",
    "anthropic-beta": BETA,
    "anthropic-dangerous-direct-browser-access": "true",
    "user-agent": "claude-cli/2.1.291 (external, cli)",
    "x-app": "cli",
    "x-claude-code-session-id": "5b1a8a3e-4d0f-4c57-9a67-0a35c1d2e3f4",
    "x-stainless-lang": "js",
    "x-stainless-package-version": "0.99.0",
    "x-stainless-retry-count": "0",
    "x-stainless-timeout": "600",
}
DROP = {"x-twintrack-drop-unsupported": "true"}
"""Claude Code sends it when ANTHROPIC_CUSTOM_HEADERS says so."""
CACHED = {"cache_control": {"type": "ephemeral"}}
REMINDER = "<system-reminder>\nToday is Friday.\n</system-reminder>"
PROMPT = "You write programs with the tools you have."
TOOLS: list[Json] = [
    {
        "name": "Bash",
        "description": "Runs a command.",
        "input_schema": {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "command": {"type": "string", "description": "What to run"},
                "timeout": {"type": "number", "description": "Milliseconds"},
                "run_in_background": {"type": "boolean"},
            },
            "required": ["command"],
            "additionalProperties": False,
        },
    },
    {
        "name": "TodoWrite",
        "description": "Keeps the list of what is to be done.",
        "input_schema": {
            "type": "object",
            "properties": {
                "todos": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "content": {"type": "string", "minLength": 1},
                            "status": {"type": "string", "enum": ["pending", "in_progress", "completed"]},
                        },
                        "required": ["content", "status"],
                    },
                }
            },
            "required": ["todos"],
        },
    },
]


def question(model: str, **more: Any) -> Json:
    """The first request of a session."""
    return {
        "model": model,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": REMINDER},
                    {"type": "text", "text": "How many files are here?", **CACHED},
                ],
            }
        ],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.291.650; cc_entrypoint=cli;"},
            {"type": "text", "text": PROMPT, **CACHED},
        ],
        "tools": TOOLS,
        "metadata": {"user_id": json.dumps({"device_id": "d" * 64, "account_uuid": "", "session_id": "5b1a8a3e"})},
        "max_tokens": 32000,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
    } | more


def next_question(model: str, said: list[Json]) -> Json:
    """The one behind a tool call, with what the model said before."""
    asked = question(model)
    (call,) = [block for block in said if block["type"] == "tool_use"]
    result = {"tool_use_id": call["id"], "type": "tool_result", "content": "3", "is_error": False}
    asked["messages"] += [
        {"role": "assistant", "content": said},
        {"role": "user", "content": [result | CACHED]},
        {"role": "system", "content": [{"type": "text", "text": "The user has opened README.md."}]},
    ]
    return asked


def ask(
    gateway: Served, body: Json, more: dict[str, str] | None = None, path: str = "/v1/messages?beta=true"
) -> Answer:
    return gateway.ask(body, path, HEADERS | (more or {}))


def put_together(answer: Answer) -> tuple[list[Json], Json]:
    """The blocks of a streamed answer and its message_delta, as Claude Code takes them up."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.complete
    found = [event for event in events(answer.body) if event["type"] != "ping"]
    assert found[0]["type"] == "message_start"
    assert found[0]["message"]["content"] == []
    assert {"input_tokens", "output_tokens"} <= found[0]["message"]["usage"].keys()
    assert found[-1]["type"] == "message_stop"
    blocks: list[Json] = []
    parts: list[list[str]] = []
    for event in found[1:-2]:
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks.append(event["content_block"])
            parts.append([])
        elif event["type"] == "content_block_delta":
            delta = event["delta"]
            match delta["type"]:
                case "text_delta" | "thinking_delta":
                    key = delta["type"].removesuffix("_delta")
                    blocks[event["index"]][key] += delta[key]
                case "signature_delta":
                    blocks[event["index"]]["signature"] = delta["signature"]
                case "input_json_delta":
                    parts[event["index"]].append(delta["partial_json"])
        else:
            assert event["type"] == "content_block_stop"
    for block, pieces in zip(blocks, parts, strict=True):
        if block["type"] == "tool_use":
            block["input"] = json.loads("".join(pieces) or "{}")
    last: Json = found[-2]
    assert last["type"] == "message_delta"
    return blocks, last


def test_a_session(gateway: Served, dialect: str, script: Provider) -> None:
    """Question, thought and tool call; result and answer. Every turn reaches whoever answers, in its own words."""
    thought = [] if dialect == "openai" else [Think("Counting needs a command.")]
    called = Call("Bash", {"command": "ls | wc -l", "timeout": 1000}, "toolu_01A")
    script.default = plays(dialect, [*thought, Say("I count them."), called], [Say("There are 3 files.")])
    model = f"scripted-{dialect}"

    said, last = put_together(ask(gateway, question(model)))
    kinds = {"openai": [], "responses": ["thinking", "redacted_thinking"], "anthropic": ["thinking"]}[dialect]
    assert [block["type"] for block in said] == [*kinds, "text", "tool_use"]
    assert said[-2]["text"] == "I count them."
    assert said[-1] == {"type": "tool_use", "id": "toolu_01A", "name": "Bash", "input": called.arguments}
    assert last["delta"]["stop_reason"] == "tool_use"
    assert last["usage"]["output_tokens"] == 9

    said, last = put_together(ask(gateway, next_question(model, said)))
    assert said == [{"type": "text", "text": "There are 3 files."}]
    assert last["delta"]["stop_reason"] == "end_turn"

    first, second = (heard(dialect, each) for each in script.received)
    for asked in (first, second):
        assert PROMPT in asked.system
        assert asked.users[:2] == [
            "<system-reminder>\nToday is Friday.\n</system-reminder>",
            "How many files are here?",
        ]
        assert asked.tools == ["Bash", "TodoWrite"]
        assert asked.body["stream"] is True
    assert "The user has opened README.md." in second.system + "".join(second.users)
    assert second.calls == [("Bash", called.arguments, "toolu_01A")]
    assert second.results == [("toolu_01A", "3")]
    _in_its_own_words(dialect, first)


def _in_its_own_words(dialect: str, asked: Heard) -> None:
    """Effort, schema and the longest answer, as each dialect calls them."""
    schema = TOOLS[0]["input_schema"]
    match dialect:
        case "openai":
            assert asked.body["tools"][0]["function"]["parameters"] == schema
            assert asked.body.get("max_completion_tokens", asked.body.get("max_tokens")) == 32000
            assert asked.body["reasoning_effort"] == "high"
        case "responses":
            assert asked.body["tools"][0]["parameters"] == schema
            assert asked.body["max_output_tokens"] == 32000
            assert asked.body["reasoning"]["effort"] == "high"
            assert asked.body["store"] is False
        case "anthropic":
            assert asked.body == question("upstream")


def test_headers_travel_on_to_anthropic(gateway: Served, scripted: dict[str, Provider]) -> None:
    script = scripted["anthropic"]
    script.default = plays("anthropic", [Say("Yes.")])
    put_together(ask(gateway, question("scripted-anthropic")))
    sent = script.received[-1]
    assert sent.target == "/v1/messages?beta=true" or sent.target == "/v1/messages"
    assert sent.headers["anthropic-beta"] == BETA
    assert sent.headers["anthropic-version"] == "2023-06-01"
    assert "sk-dev" not in str(sent.headers)


WEB_SEARCH: Json = {"type": "web_search_20250305", "name": "web_search", "max_uses": 8}


def test_tools_of_anthropic_itself(gateway: Served, dialect: str, script: Provider) -> None:
    """Its WebSearch asks for a tool that runs at Anthropic: nobody else has it, so it is refused or left out."""
    script.default = plays(dialect, [Say("Yes.")])
    asked = question(f"scripted-{dialect}", tools=[*TOOLS, WEB_SEARCH])
    answer = ask(gateway, asked)
    if dialect == "anthropic":
        assert put_together(answer)[0] == [{"type": "text", "text": "Yes."}]
        assert heard(dialect, script.received[-1]).body["tools"] == [*TOOLS, WEB_SEARCH]
        return
    assert answer.status == 400
    assert answer.json()["type"] == "error"
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert "$.tools[2]" in answer.json()["error"]["message"]
    assert script.received == []
    assert put_together(ask(gateway, asked, DROP))[0] == [{"type": "text", "text": "Yes."}]
    assert heard(dialect, script.received[-1]).tools == ["Bash", "TodoWrite"]


def test_manual_thinking(gateway: Served, dialect: str, script: Provider) -> None:
    """As older models are asked for it: a budget."""
    script.default = plays(dialect, [Say("Yes.")])
    asked = question(f"scripted-{dialect}", thinking={"type": "enabled", "budget_tokens": 31999})
    del asked["output_config"]
    said, _ = put_together(ask(gateway, asked))
    assert said == [{"type": "text", "text": "Yes."}]


def test_the_bundled_model_answers(gateway: Served, dialect: str, model: str) -> None:
    """Everything but what would not fit into its 512 tokens."""
    system = [{"type": "text", "text": "You are a helpful assistant.", **CACHED}]
    messages = [{"role": "user", "content": [{"type": "text", "text": QUESTION, **CACHED}]}]
    asked = question(model, system=system, messages=messages, tools=[], max_tokens=64, temperature=0)
    del asked["thinking"]
    said, last = put_together(ask(gateway, asked))
    assert said == [{"type": "text", "text": ANSWER}]
    assert last["usage"]["output_tokens"] > 5


def test_an_unstreamed_side_request(gateway: Served, dialect: str, script: Provider) -> None:
    """Titles and the like: small, unstreamed, with a schema for the answer."""
    schema = {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    }
    script.default = plays(dialect, [Say('{"title": "Files"}')])
    asked = question(f"scripted-{dialect}", stream=False, tools=[], max_tokens=512, temperature=1)
    asked["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    asked["thinking"] = {"type": "disabled"}
    answer = ask(gateway, asked)
    assert answer.status == 200, answer.body
    assert answer.json()["content"] == [{"type": "text", "text": '{"title": "Files"}'}]
    sent = heard(dialect, script.received[-1]).body
    kept = {
        "openai": lambda: sent["response_format"]["json_schema"]["schema"],
        "responses": lambda: sent["text"]["format"]["schema"],
        "anthropic": lambda: sent["output_config"]["format"]["schema"],
    }
    assert kept[dialect]() == schema


def test_counting_tokens(gateway: Served, dialect: str, model: str) -> None:
    asked = {
        name: value
        for name, value in question(model, tools=[]).items()
        if name in ("model", "messages", "system", "tools", "thinking")
    }
    answer = ask(gateway, asked, path="/v1/messages/count_tokens?beta=true")
    assert answer.status == 200, answer.body
    assert 10 < answer.json()["input_tokens"] < 400


def test_a_stream_that_breaks_off_never_ends_well(gateway: Served, dialect: str, script: Provider) -> None:
    """A body without message_delta is a dropped connection to Claude Code; a clean end would be a lie."""
    script.default = broken(plays(dialect, [Say("I count them one by one, which takes a while.")]))
    answer = ask(gateway, question(f"scripted-{dialect}"))
    kinds = [event["type"] for event in events(answer.body)]
    assert "content_block_delta" in kinds
    assert kinds[-1] == "error"
    assert "message_stop" not in kinds


def test_the_probe_at_start(gateway: Served) -> None:
    for target in ("/", "/api/hello"):
        with gateway.connect() as client:
            client.send(f"HEAD {target} HTTP/1.1\r\nhost: localhost\r\nuser-agent: claude-cli/2.1.291\r\n\r\n".encode())
            answer = client.answer(method="HEAD")
        assert answer.status < 500
        assert answer.body == b""


def test_discovery_of_models(gateway: Served) -> None:
    """With CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY=1; `id` and `display_name` are what it shows."""
    answer = gateway.get("/v1/models?limit=1000", HEADERS)
    assert answer.status == 200
    rows = {row["id"]: row for row in answer.json()["data"]}
    assert rows["auto"]["type"] == "model"
    assert rows["auto"]["display_name"]
    assert answer.json()["has_more"] is False
