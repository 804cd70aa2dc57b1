"""Cursor's requests, replayed: what arrives where "Override OpenAI Base URL" points.

Cursor appends /chat/completions and sends from its own servers. Its Ask mode writes OpenAI's chat; its Agent writes a
body of OpenAI's *Responses* to the same path and reads *chat* chunks. Cursor's staff calls the latter known: Cursor
forum, topics 153019 ("Cursor Agent sends Responses API format to /chat/completions endpoint", 24 February 2026), 158939
and 159298 (April 2026, with the members below), read on 20 November 2026. There is no page that documents it. All
texts are our own.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from client_scripts import ANSWER, QUESTION, Call, Patch, Say, heard, plays

from support.gateway import Served
from support.provider import Provider
from support.raw import Answer, events, words

pytestmark = pytest.mark.engine

Json = dict[str, Any]

HEADERS = {
    "accept": "*/*",
    "authorization": "Bearer sk-dev",
    "user-agent": "Go-http-client/2.0",
}
PROMPT = "You help with code in an editor."
READ_FILE: Json = {
    "name": "read_file",
    "description": "Reads a file.",
    "parameters": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "limit": {"type": "integer"}},
        "required": ["path"],
    },
}
APPLY_PATCH: Json = {
    "type": "custom",
    "name": "ApplyPatch",
    "description": "Changes files by a patch.",
    "format": {"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch" /(.|\\n)+/'},
}


def chat(model: str, **more: Any) -> Json:
    """As Ask mode writes it."""
    return {
        "model": model,
        "temperature": 0,
        "user": "google-oauth2|user_01J",
        "messages": [
            {"role": "system", "content": PROMPT},
            {"role": "user", "content": "<user_info>\nOS: linux\n</user_info>"},
            {"role": "user", "content": [{"type": "text", "text": "What does main.py do?"}]},
        ],
        "tools": [{"type": "function", "function": READ_FILE}],
        "tool_choice": "auto",
        "stream": True,
        "stream_options": {"include_usage": True},
    } | more


def agent(model: str, **more: Any) -> Json:
    """As the Agent writes it."""
    return {
        "model": model,
        "user": "google-oauth2|user_01J",
        "input": [
            {"role": "system", "content": PROMPT},
            {"role": "user", "content": [{"type": "input_text", "text": "What does main.py do?"}]},
        ],
        "tools": [{"type": "function", **READ_FILE, "strict": False}],
        "tool_choice": "auto",
        "stream": True,
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "reasoning": {"effort": "medium", "summary": "auto"},
        "text": {"verbosity": "low"},
        "stream_options": {"include_usage": True},
        "metadata": {"cursorConversationId": "5b1a8a3e"},
    } | more


def ask(gateway: Served, body: Json) -> Answer:
    """Nobody can make Cursor send a header, so no label of ours helps it."""
    return gateway.ask(body, "/v1/chat/completions", HEADERS)


def calls(answer: Answer) -> list[Json]:
    """Tool calls of a streamed chat completion, put together by `index`."""
    found: dict[int, Json] = {}
    for event in events(answer.body):
        for choice in event["choices"] if isinstance(event, dict) else ():
            for piece in choice["delta"].get("tool_calls") or ():
                call = found.setdefault(piece["index"], {"id": piece.get("id"), "name": "", "text": ""})
                part = piece.get("function") or piece.get("custom") or {}
                call["name"] += part.get("name") or ""
                call["text"] += part.get("arguments") or part.get("input") or ""
    return [found[index] for index in sorted(found)]


def ended_well(answer: Answer) -> bool:
    assert answer.status == 200, answer.body
    *chunks, usage, done = events(answer.body)
    assert {chunk["object"] for chunk in [*chunks, usage]} == {"chat.completion.chunk"}
    assert usage["choices"] == []
    assert usage["usage"]["completion_tokens"] > 0
    return done == "[DONE]" and chunks[-1]["choices"][0]["finish_reason"] is not None


def test_ask_mode(gateway: Served, dialect: str, script: Provider) -> None:
    """Question and tool call; result and answer."""
    called = Call("read_file", {"path": "main.py", "limit": 100}, "call_c1")
    script.default = plays(dialect, [Say("I look."), called], [Say("It says hello.")])
    asked = chat(f"scripted-{dialect}")
    first = ask(gateway, asked)
    assert ended_well(first)
    assert words(first.body) == "I look."
    (call,) = calls(first)
    assert (call["id"], call["name"], json.loads(call["text"])) == ("call_c1", "read_file", called.arguments)

    function = {"name": call["name"], "arguments": call["text"]}
    asked["messages"] += [
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [{"id": "call_c1", "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": "call_c1", "content": [{"type": "text", "text": "print('hello')"}]},
    ]
    second = ask(gateway, asked)
    assert ended_well(second)
    assert words(second.body) == "It says hello."
    sent = heard(dialect, script.received[-1])
    assert PROMPT in sent.system
    assert sent.users == ["<user_info>\nOS: linux\n</user_info>", "What does main.py do?"]
    assert sent.calls == [("read_file", called.arguments, "call_c1")]
    assert sent.results == [("call_c1", "print('hello')")]


def test_the_agent(gateway: Served, dialect: str, script: Provider) -> None:
    """A body of one dialect, an answer of the other."""
    called = Call("read_file", {"path": "main.py", "limit": 100}, "call_c1")
    script.default = plays(dialect, [Say("I look."), called], [Say("It says hello.")])
    asked = agent(f"scripted-{dialect}")
    first = ask(gateway, asked)
    assert ended_well(first)
    assert words(first.body) == "I look."
    (call,) = calls(first)
    assert (call["id"], call["name"], json.loads(call["text"])) == ("call_c1", "read_file", called.arguments)

    asked["input"] += [
        {"type": "function_call", "call_id": "call_c1", "name": call["name"], "arguments": call["text"]},
        {"type": "function_call_output", "call_id": "call_c1", "output": "print('hello')"},
    ]
    second = ask(gateway, asked)
    assert ended_well(second)
    assert words(second.body) == "It says hello."
    sent = heard(dialect, script.received[-1])
    assert PROMPT in sent.system
    assert sent.users == ["What does main.py do?"]
    assert sent.tools == ["read_file"]
    assert sent.results == [("call_c1", "print('hello')")]


@pytest.mark.parametrize("dialect", ["openai", "responses"], ids="{}-provider".format)
def test_a_patch(gateway: Served, dialect: str, script: Provider) -> None:
    """A tool that takes any text by a grammar; Anthropic has none."""
    script.default = plays(dialect, [Patch("ApplyPatch", "*** Begin Patch\n*** End Patch\n", "call_p")])
    asked = agent(f"scripted-{dialect}")
    asked["tools"].append(APPLY_PATCH)
    answer = ask(gateway, asked)
    assert ended_well(answer)
    assert [(call["name"], call["text"]) for call in calls(answer)] == [
        ("ApplyPatch", "*** Begin Patch\n*** End Patch\n")
    ]
    assert heard(dialect, script.received[-1]).tools == ["read_file", "ApplyPatch"]


def test_a_body_of_chat_arrives_as_it_was(gateway: Served, scripted: dict[str, Provider]) -> None:
    """Ask mode mixes a tool of the other dialect in; what to do with it is the provider's to say."""
    script = scripted["openai"]
    script.default = plays("openai", [Say("Yes.")])
    asked = chat("scripted-openai")
    asked["tools"].append(APPLY_PATCH)
    assert ended_well(ask(gateway, asked))
    assert json.loads(script.received[-1].body) == asked | {"model": "upstream"}


@pytest.mark.parametrize("write", [chat, agent])
def test_the_bundled_model_answers(gateway: Served, model: str, write: Any) -> None:
    asked = write(model, temperature=0)
    asked["messages" if write is chat else "input"] = [{"role": "user", "content": QUESTION}]
    del asked["tools"], asked["tool_choice"]
    asked.pop("reasoning", None)  # where it is thinking, Anthropic's dialect has no temperature
    answer = ask(gateway, asked)
    assert ended_well(answer)
    assert words(answer.body) == ANSWER


def test_verifying_the_key(gateway: Served, model: str) -> None:
    """What the button beside the key sends: one short unstreamed question."""
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 10, "stream": False}
    assert gateway.ask(body, headers=HEADERS).status == 200
    assert gateway.ask(body, headers=HEADERS | {"authorization": "Bearer sk-wrong"}).status == 401
