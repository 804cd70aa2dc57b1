"""Every text of a request is read, in every dialect; what cannot be read is said."""

from __future__ import annotations

import base64
import json

import pytest

from twintrack.signals.sensitivity.surface import Surface, Unscannable
from twintrack.signals.sensitivity.surfaces import surfaces

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 2).decode()
PDF = base64.b64encode(b"%PDF-1.7" + bytes(range(256)) * 2).decode()


def read(body: object) -> tuple[str, list[str]]:
    """All text, and kinds of what is none."""
    found = surfaces(json.dumps(body).encode())
    texts = [one.text for one in found if isinstance(one, Surface)]
    return "\n".join(texts), [one.kind for one in found if isinstance(one, Unscannable)]


CHAT = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": "SYSTEM"},
        {"role": "user", "name": "NAME", "content": [{"type": "text", "text": "USER"}]},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "FUNC", "arguments": '{"ssn": "ARGUMENT"}'}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "RESULT"},
    ],
    "tools": [{"type": "function", "function": {"name": "TOOL", "description": "DESCRIPTION", "parameters": {
        "type": "object", "properties": {"PROPERTY": {"type": "string", "enum": ["CHOICE"]}}}}}],
    "metadata": {"KEY": "VALUE"},
    "user": "CALLER",
    "unknown_member": {"deep": [{"OTHER": ["LEAF"]}]},
    "prediction": {"type": "content", "content": "PREDICTION"},
}  # fmt: skip
RESPONSES = {
    "model": "auto",
    "instructions": "SYSTEM",
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "USER"}]},
        {"type": "function_call", "call_id": "call_1", "name": "FUNC", "arguments": '{"a": "ARGUMENT"}'},
        {"type": "function_call_output", "call_id": "call_1", "output": "RESULT"},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "SUMMARY"}], "encrypted_content": "c2Vhb"},
        {"type": "shell_call", "action": {"commands": ["COMMAND"]}},
    ],
    "tools": [{"type": "function", "name": "TOOL", "description": "DESCRIPTION", "parameters": {}}],
}
MESSAGES = {
    "model": "auto",
    "max_tokens": 100,
    "system": [{"type": "text", "text": "SYSTEM"}],
    "messages": [
        {"role": "user", "content": "USER"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "FUNC", "input": {
            "patient": {"mrn": 93834701, "NOTE": "ARGUMENT"}}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "RESULT"}]},
            {"type": "document", "title": "TITLE", "source": {
                "type": "text", "media_type": "text/plain", "data": "DOCUMENT"}}]},
    ],
    "tools": [{"name": "TOOL", "description": "DESCRIPTION", "input_schema": {"type": "object"}}],
}  # fmt: skip
GEMINI = {
    "systemInstruction": {"parts": [{"text": "SYSTEM"}]},
    "contents": [
        {"role": "user", "parts": [{"text": "USER"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "FUNC", "args": {"x": "ARGUMENT"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "FUNC", "response": {"y": "RESULT"}}}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "TOOL", "description": "DESCRIPTION"}]}],
}


@pytest.mark.parametrize("body", [CHAT, RESPONSES, MESSAGES, GEMINI], ids=["chat", "responses", "messages", "gemini"])
def test_every_text_stands_in_a_surface(body: dict):
    text, kinds = read(body)
    for word in ("SYSTEM", "USER", "FUNC", "ARGUMENT", "RESULT", "TOOL", "DESCRIPTION"):
        assert word in text, word
    assert kinds == []


def test_names_values_and_what_nobody_knows_are_read():
    text, _ = read(CHAT)
    for word in (
        "NAME",
        "PROPERTY",
        "CHOICE",
        "KEY",
        "VALUE",
        "CALLER",
        "OTHER",
        "LEAF",
        "PREDICTION",
        "unknown_member",
    ):
        assert word in text, word
    text, _ = read(MESSAGES)
    assert "patient mrn: 93834701" in text
    assert {"TITLE", "DOCUMENT", "NOTE"} <= set(text.replace(":", " ").split())
    assert "SUMMARY" in read(RESPONSES)[0]
    assert "COMMAND" in read(RESPONSES)[0]


def test_a_part_leads_back_to_its_value():
    for one in surfaces(json.dumps(MESSAGES).encode()):
        if isinstance(one, Surface):
            for part in one.parts:
                value = MESSAGES
                for step in part.path.removeprefix("$").replace("]", "").replace("[", ".").split(".")[1:]:
                    value = value[int(step)] if step.isdigit() else value[step]
                if not isinstance(value, dict):
                    assert one.text[part.start : part.end] == str(value)


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "image_url", "image_url": {"url": "https://host/x.png"}}, "image"),
        ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}, "image"),
        ({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}, "image"),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}, "image"),
        ({"type": "input_audio", "input_audio": {"data": PDF, "format": "wav"}}, "audio"),
        ({"type": "video_url", "video_url": {"url": "https://host/x.mp4"}}, "video"),
        ({"type": "file", "file": {"filename": "x.pdf", "file_data": f"data:application/pdf;base64,{PDF}"}}, "file"),
        ({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}, "file"),
        ({"type": ["file"], "file_id": "file-1"}, "elsewhere"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "elsewhere"),
        ({"type": "text", "text": f"look: data:image/png;base64,{PNG}"}, "image"),
        ({"type": "text", "text": PNG}, "image"),
        ({"type": "text", "text": base64.b64encode(bytes(range(128, 256)) * 8).decode()}, "encoded"),
    ],
)
def test_what_cannot_be_read_is_said(part: dict, kind: str):
    _, kinds = read({"messages": [{"role": "user", "content": [part]}]})
    assert kind in kinds


def test_text_that_travels_as_base64_is_read():
    data = base64.b64encode(b"name,mail\n" + b"Bob,bob@example.com\n" * 20).decode()
    text, kinds = read(
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {
            "filename": "people.csv", "file_data": f"data:text/csv;base64,{data}"}}]}]}
    )  # fmt: skip
    assert "bob@example.com" in text
    assert "people.csv" in text
    assert kinds == []


def test_what_a_provider_keeps_and_tokens_cannot_be_read():
    assert read({"model": "x", "input": "hi", "previous_response_id": "resp_1"})[1] == ["elsewhere"]
    assert read({"model": "x", "input": [list(range(20))]})[1] == ["tokens"]
    assert read({"model": "x", "input": ["hi", "there"]})[1] == []


def test_a_body_that_is_no_json_or_too_deep_is_unscannable():
    assert surfaces(b"{") == (Unscannable("$", "error"),)
    assert surfaces(b"[" * 100_000 + b"]" * 100_000) == (Unscannable("$", "error"),)
    assert surfaces(b'{"a":' * 900 + b"1" + b"}" * 900)


def test_a_turn_reads_the_same_when_the_conversation_goes_on():
    longer = {**CHAT, "messages": [*CHAT["messages"], {"role": "user", "content": "NEXT"}]}
    before, after = (surfaces(json.dumps(body).encode()) for body in (CHAT, longer))
    assert set(before) <= set(after)


def test_all_of_a_long_text_in_base64_is_read():
    data = base64.b64encode(b"Nothing happens in this town. " * 70_000 + b"Bob,bob@example.com\n").decode()
    for content in (data, [{"type": "file", "file": {"file_data": f"data:text/plain;base64,{data}"}}]):
        texts, unread = read({"messages": [{"role": "user", "content": content}]})
        assert "Bob,bob@example.com" in texts
        assert not unread
    lines = base64.encodebytes(b"Nothing happens in this town. " * 70_000 + b"Bob,bob@example.com\n").decode()
    source = {"type": "base64", "media_type": "text/plain", "data": lines}
    texts, _ = read({"messages": [{"role": "user", "content": [{"type": "document", "source": source}]}]})
    assert "Bob,bob@example.com" in texts


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ({"n": 4111111111111111}, "n: 4111111111111111"),
        ({"object": "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"}, "object: key-3ax6xnjp29jd6fds4gc373sgvjxteol0"),
        ({"card": 4111111111111111.0}, "card: 4111111111111111"),
        ({"of": [{"id": "run-536-22-8714"}]}, "of id: run-536-22-8714"),
    ],
)
def test_words_of_the_protocol_are_none_in_what_a_tool_is_given(members: dict, line: str):
    call = {"type": "tool_use", "id": "toolu_1", "name": "charge", "input": members}
    texts, _ = read({"model": "auto", "messages": [{"role": "assistant", "content": [call]}]})
    assert line in texts.splitlines()
    assert "toolu_1" not in texts
    texts, _ = read({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "charge", "args": members}}]}]})
    assert line in texts.splitlines()
    assert "model" not in texts


def test_what_follows_base64_without_a_blank_is_read():
    data = base64.b64encode(b"Nothing happens in this town. " * 20).decode()
    texts, _ = read({"messages": [{"role": "user", "content": f"{data}-4111-1111-1111-1111"}]})
    assert "-4111-1111-1111-1111" in texts
    assert "happens in this town" in texts
