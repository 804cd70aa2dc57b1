"""Codex's requests, replayed, and their answers read by the rules Codex reads by.

Their shape: github.com/openai/codex at rust-v0.159.2 — `ResponsesApiRequest` in codex-rs/codex-api/src/common.rs,
`ResponseItem` in codex-rs/protocol/src/models.rs, `ToolSpec` in codex-rs/tools/src/tool_spec.rs, the reader in
codex-rs/codex-api/src/sse/responses.rs, GET /v1/models in codex-rs/codex-api/src/endpoint/models.rs — read on 20
November 2026. All texts are our own.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from client_scripts import ANSWER, QUESTION, Call, Patch, Say, Think, broken, heard, plays

from support.gateway import Served
from support.provider import Provider
from support.raw import Answer, events

pytestmark = pytest.mark.engine

Json = dict[str, Any]

SESSION = "0199f3a2-7c11-7d52-9a0e-4f3b8a6d1c20"
HEADERS = {
    "accept": "text/event-stream",
    "authorization": "Bearer sk-dev",
    "originator": "codex_cli_rs",
    "user-agent": "codex_cli_rs/0.159.2 (Debian 12; x86_64) xterm-256color",
    "session_id": SESSION,
    "conversation_id": SESSION,
    "version": "0.159.2",
}
DROP = {"x-twintrack-drop-unsupported": "true"}
"""Codex sends it when `http_headers` of its provider table says so."""
PROMPT = "You change programs with the tools you have."
CONTEXT = "<environment_context>\n  <cwd>/srv/app</cwd>\n  <shell>bash</shell>\n</environment_context>"
PATCH = "*** Begin Patch\n*** Add File: count.txt\n+3\n*** End Patch\n"
EXEC: Json = {
    "type": "function",
    "name": "exec_command",
    "description": "Runs a command in a terminal.",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {
            "cmd": {"type": "string", "description": "What to run"},
            "yield_time_ms": {"type": "number"},
        },
        "required": ["cmd"],
        "additionalProperties": False,
    },
}
APPLY_PATCH: Json = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Changes files by a patch.",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch" /(.|\\n)+/'},
}
WEB_SEARCH: Json = {"type": "web_search", "external_web_access": False}


def message(role: str, text: str) -> Json:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def question(model: str, **more: Any) -> Json:
    """The first request of a session."""
    return {
        "model": model,
        "instructions": PROMPT,
        "input": [
            message("developer", "Commands need no approval."),
            message("user", CONTEXT),
            message("user", "How many files are here?"),
        ],
        "tools": [EXEC, APPLY_PATCH],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": SESSION,
        "text": {"verbosity": "low"},
        "client_metadata": {"x-codex-installation-id": SESSION},
    } | more


def ask(gateway: Served, body: Json, more: dict[str, str] | None = None) -> Answer:
    return gateway.ask(body, "/v1/responses", HEADERS | (more or {}))


@pytest.fixture
def label(dialect: str) -> dict[str, str]:
    """The grammar of `apply_patch` has no word in Anthropic's dialect, so Codex must allow that it is left out."""
    return DROP if dialect == "anthropic" else {}


@dataclass
class Read:
    """What Codex takes from a stream."""

    items: list[Json] = field(default_factory=list)
    text: str = ""
    thought: str = ""
    usage: Json | None = None
    failure: str = ""


NEEDED = {
    "message": {"role", "content"},
    "reasoning": {"summary"},
    "function_call": {"name", "arguments", "call_id"},
    "custom_tool_call": {"name", "input", "call_id"},
}
"""Without these an item is thrown away in silence."""


def read(answer: Answer) -> Read:
    """By Codex's rules: items come from `output_item.done`, and a stream without `response.completed` has failed."""
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = Read(failure="stream closed before response.completed")
    for event in events(answer.body):
        match event["type"]:
            case "response.created":
                assert event["response"]["id"]
            case "response.output_item.done":
                item = event["item"]
                assert NEEDED[item["type"]] <= item.keys()
                if item["type"] == "message":
                    assert {part["type"] for part in item["content"]} <= {"output_text"}
                found.items.append(item)
            case "response.output_text.delta":
                found.text += event["delta"]
            case "response.reasoning_summary_text.delta":
                assert isinstance(event["summary_index"], int)
                found.thought += event["delta"]
            case "response.failed":
                found.failure = event["response"]["error"]["message"]
            case "response.incomplete":
                found.failure = event["response"]["incomplete_details"]["reason"]
            case "response.completed":
                assert event["response"]["id"]
                usage = event["response"]["usage"]
                assert isinstance(usage["input_tokens_details"]["cached_tokens"], int)
                if "output_tokens_details" in usage:
                    assert isinstance(usage["output_tokens_details"]["reasoning_tokens"], int)
                assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
                found.usage, found.failure = usage, ""
    return found


def as_sent_back(item: Json) -> Json:
    """As Codex keeps an item: some members only, and no id of reasoning it cannot read."""
    kept = {
        "message": ("type", "role", "content"),
        "reasoning": ("type", "summary", "encrypted_content"),
        "function_call": ("type", "name", "arguments", "call_id"),
        "custom_tool_call": ("type", "status", "call_id", "name", "input"),
    }[item["type"]]
    sent = {name: item[name] for name in kept if name in item}
    if item["type"] == "message":
        sent["content"] = [{"type": part["type"], "text": part["text"]} for part in item["content"]]
    if item["type"] == "reasoning":
        sent = {"content": None, "encrypted_content": None} | sent
    return sent


def test_a_session(gateway: Served, dialect: str, script: Provider, label: dict[str, str]) -> None:
    """Question, thought and command; output and answer. Every turn reaches whoever answers, in its own words."""
    thought = [] if dialect == "openai" else [Think("Counting needs a command.")]
    called = Call("exec_command", {"cmd": "ls | wc -l", "yield_time_ms": 1000}, "call_9f")
    script.default = plays(dialect, [*thought, called], [Say("There are 3 files.")])
    asked = question(f"scripted-{dialect}")

    first = read(ask(gateway, asked, label))
    assert first.failure == ""
    assert [item["type"] for item in first.items] == [*["reasoning" for _ in thought], "function_call"]
    call = first.items[-1]
    assert (call["name"], json.loads(call["arguments"]), call["call_id"]) == (called.name, called.arguments, "call_9f")
    assert first.usage is not None
    assert (first.usage["input_tokens"], first.usage["output_tokens"]) == (40, 9)
    if thought:
        assert first.thought == "Counting needs a command."
        assert first.items[0]["encrypted_content"]

    result = {"type": "function_call_output", "call_id": "call_9f", "output": "Exit code: 0\nOutput:\n3\n"}
    asked["input"] += [*map(as_sent_back, first.items), result]
    second = read(ask(gateway, asked, label))
    assert (second.failure, second.text) == ("", "There are 3 files.")
    assert [item["type"] for item in second.items] == ["message"]

    for sent in (heard(dialect, each) for each in script.received):
        assert PROMPT in sent.system
        assert "Commands need no approval." in sent.system
        assert sent.users == [CONTEXT, "How many files are here?"]
        assert "exec_command" in sent.tools
    sent = heard(dialect, script.received[-1])
    assert sent.calls == [(called.name, called.arguments, "call_9f")]
    assert sent.results == [("call_9f", "Exit code: 0\nOutput:\n3\n")]
    match dialect:
        case "openai":
            assert sent.body["tools"][0]["function"]["parameters"] == EXEC["parameters"]
            assert sent.body["reasoning_effort"] == "medium"
        case "anthropic":
            assert sent.body["tools"][0]["input_schema"] == EXEC["parameters"]
            assert b"c2VhbGVk" in script.received[-1].body  # the thought, as the provider sealed it
        case "responses":
            assert sent.body == asked | {"model": "upstream"}


def test_a_patch(gateway: Served, dialect: str, script: Provider, label: dict[str, str]) -> None:
    """`apply_patch` takes any text, by a grammar; Anthropic hears of it as a function with one text."""
    wrapped = Call("apply_patch", {"input": PATCH}, "call_p")
    called = wrapped if dialect == "anthropic" else Patch("apply_patch", PATCH, "call_p")
    script.default = plays(dialect, [called], [Say("Written.")])
    asked = question(f"scripted-{dialect}")
    first = read(ask(gateway, asked, label))
    (call,) = first.items
    assert (call["type"], call["name"], call["input"], call["call_id"]) == (
        "custom_tool_call", "apply_patch", PATCH, "call_p",
    )  # fmt: skip
    result = {"type": "custom_tool_call_output", "call_id": "call_p", "output": "Success."}
    asked["input"] += [as_sent_back(call), result]
    assert read(ask(gateway, asked, label)).text == "Written."
    sent = heard(dialect, script.received[-1])
    assert sent.tools == ["exec_command", "apply_patch"]
    assert sent.calls == [("apply_patch", wrapped.arguments if dialect == "anthropic" else PATCH, "call_p")]
    assert sent.results == [("call_p", "Success.")]


def test_tools_of_openai_itself(gateway: Served, dialect: str, script: Provider) -> None:
    """`web_search` runs at OpenAI: nobody else has it, so it is refused or left out, never feigned."""
    script.default = plays(dialect, [Say("Yes.")])
    asked = question(f"scripted-{dialect}", tools=[EXEC, WEB_SEARCH])
    answer = ask(gateway, asked)
    if dialect == "responses":
        assert read(answer).text == "Yes."
        assert heard(dialect, script.received[-1]).body["tools"] == [EXEC, WEB_SEARCH]
        return
    assert answer.status == 400
    assert "$.tools[1]" in answer.json()["error"]["message"]
    assert script.received == []
    assert read(ask(gateway, asked, DROP)).text == "Yes."
    assert heard(dialect, script.received[-1]).tools == ["exec_command"]


def test_what_only_openai_reads_passes(gateway: Served, scripted: dict[str, Provider]) -> None:
    """Older calls of the local shell, namespaces of tools, compacted history: straight through, whatever it is."""
    script = scripted["responses"]
    script.default = plays("responses", [Say("Yes.")])
    action = {"type": "exec", "command": ["ls"], "timeout_ms": 1000, "working_directory": None, "env": None}
    asked = question(
        "scripted-responses",
        tools=[
            {"type": "local_shell"},
            {"type": "namespace", "name": "mcp__docs__", "description": "", "tools": [EXEC]},
        ],
        stream_options={"reasoning_summary_delivery": "sequential_cutoff"},
    )
    asked["input"] += [
        {"type": "compaction", "encrypted_content": "b2xk"},
        {"type": "local_shell_call", "call_id": "call_l", "status": "completed", "action": action},
        {"type": "function_call_output", "call_id": "call_l", "output": "README.md"},
    ]
    assert read(ask(gateway, asked)).text == "Yes."
    assert json.loads(script.received[-1].body) == asked | {"model": "upstream"}


def test_a_schema_for_the_last_answer(gateway: Served, dialect: str, script: Provider, label: dict[str, str]) -> None:
    """`codex exec --output-schema`."""
    schema = {
        "type": "object",
        "properties": {"files": {"type": "integer"}},
        "required": ["files"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "strict": True, "schema": schema, "name": "codex_output_schema"}
    script.default = plays(dialect, [Say('{"files": 3}')])
    asked = question(f"scripted-{dialect}", text={"verbosity": "low", "format": form})
    assert read(ask(gateway, asked, label)).text == '{"files": 3}'
    sent = heard(dialect, script.received[-1]).body
    kept = {
        "openai": lambda: sent["response_format"]["json_schema"]["schema"],
        "responses": lambda: sent["text"]["format"]["schema"],
        "anthropic": lambda: sent["output_config"]["format"]["schema"],
    }
    assert kept[dialect]() == schema


def test_the_bundled_model_answers(gateway: Served, dialect: str, model: str) -> None:
    """Everything but what would not fit into its 512 tokens."""
    asked = question(
        model, instructions="You are a helpful assistant.", input=[message("user", QUESTION)], temperature=0
    )
    del asked["tools"], asked["tool_choice"], asked["reasoning"]  # no tool choice without tools, no heat with thought
    found = read(ask(gateway, asked))
    assert (found.failure, found.text) == ("", ANSWER)
    assert found.items[-1]["content"][0]["text"] == ANSWER
    assert found.usage is not None
    assert found.usage["output_tokens"] > 5


def test_a_stream_that_breaks_off_never_ends_well(
    gateway: Served, dialect: str, script: Provider, label: dict[str, str]
) -> None:
    script.default = broken(plays(dialect, [Say("I count them one by one, which takes a while.")]))
    found = read(ask(gateway, question(f"scripted-{dialect}"), label))
    assert found.text
    assert found.failure
    assert found.usage is None


def test_a_failure_before_anything(gateway: Served, dialect: str, script: Provider) -> None:
    answer = gateway.ask(question("nobody"), "/v1/responses", HEADERS)
    assert answer.status == 404
    assert {"message", "type", "param", "code"} <= answer.json()["error"].keys()


def test_discovery_of_models(gateway: Served) -> None:
    answer = gateway.get("/v1/models?client_version=0.159.2", HEADERS)
    assert answer.status == 200
    assert "auto" in {row["id"] for row in answer.json()["data"]}
