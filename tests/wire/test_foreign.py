"""Other vendors' thinking in a body that goes to Anthropic as it came."""

from __future__ import annotations

import json
from typing import Any

from twintrack.wire.foreign import without_foreign_thinking


def body(*messages: Any) -> bytes:
    return json.dumps({"model": "m", "messages": list(messages), "max_tokens": 1.0}).encode()


OWN = {"type": "thinking", "thinking": "hm # not foreign", "signature": "c2ln"}
SEALED = {"type": "redacted_thinking", "data": "eA=="}
CALL = {"type": "tool_use", "id": "a", "name": "f", "input": {"signature": "#", "data": "#1"}}


def test_a_body_without_any_stays_as_it_is() -> None:
    for said in (
        body({"role": "user", "content": "# Title"}),
        body({"role": "assistant", "content": [OWN, SEALED]}),
        body({"role": "assistant", "content": [OWN, CALL]}),
    ):
        assert without_foreign_thinking(said) is said


def test_what_anthropic_did_not_sign_is_taken_out() -> None:
    said = body(
        {"role": "user", "content": "# Title"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "a", "signature": "##"},
                {"signature": "gemini#g#c2ln", "thinking": "", "type": "thinking"},
                {"type": "redacted_thinking", "data": "responses##gAAA"},
                OWN,
                SEALED,
                CALL,
            ],
        },
        {"role": "user", "content": [{"type": "text", "text": "#"}]},
    )
    found = json.loads(without_foreign_thinking(said))
    assert found["messages"][1]["content"] == [OWN, SEALED, CALL]
    assert found["messages"][0] == {"role": "user", "content": "# Title"}
    assert found["max_tokens"] == 1.0


def test_a_message_of_nothing_else_goes_as_a_whole() -> None:
    said = body(
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "##"}]},
        {"role": "user", "content": "2"},
    )
    assert [each["content"] for each in json.loads(without_foreign_thinking(said))["messages"]] == ["1", "2"]
