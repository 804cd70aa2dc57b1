"""What a client says and we do not know reaches a provider of the same dialect, byte for byte."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest

from twintrack.wire.dialect import decode
from twintrack.wire.endpoints import BY_NAME

BODIES = 10_000
"""Of all endpoints together."""
ENDPOINTS = ("chat", "responses", "messages", "embeddings", "count_tokens")
OURS = {
    "chat": {"model", "stream_options"},
    "responses": {"model", "store"},
    "messages": {"model"},
    "embeddings": {"model"},
    "count_tokens": {"model"},
}
"""Members that may change: the model's name, what makes usage come, what keeps answers from being stored."""
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXTS = ('"', "\\", "\u0000", "\n", "é", "\u2028", "🦊", "model", "</script>", " ", "a", "Z9", "/")
_NUMBERS = ("0", "-0", "1.0", "1e5", "1E-7", "12345678901234567890123", "0.1000", "-3")


def _text(dice: random.Random) -> str:
    said = json.dumps("".join(dice.choices(_TEXTS, k=dice.randrange(6))), ensure_ascii=dice.random() < 0.5)
    return said.replace("/", "\\/") if dice.random() < 0.2 else said


def _value(dice: random.Random, depth: int = 0) -> str:
    """JSON text as somebody may write it, with spaces where they are allowed."""
    kind = dice.randrange(6 if depth < 3 else 4)
    gap = dice.choice(("", " ", "\n\t"))
    if kind == 4:
        return f"[{gap}" + f"{gap},".join(_value(dice, depth + 1) for _ in range(dice.randrange(4))) + f"{gap}]"
    if kind == 5:
        return f"{{{gap}" + f",{gap}".join(_members(dice, depth + 1)) + f"{gap}}}"
    return (_text(dice), dice.choice(_NUMBERS), dice.choice(("true", "false")), "null")[kind]


def _members(dice: random.Random, depth: int) -> list[str]:
    return [f'"x{number}{dice.choice(("", "-", "_é", "model"))}":{_value(dice, depth)}' for number in range(3)]


def _body(dice: random.Random, endpoint: str) -> bytes:
    model = dice.choice(('"auto"', '"a\\u002fb"', '"mod\\u00e9l"'))
    inner = ",".join(_members(dice, 1))
    members = [f'"model" : {model}', *_members(dice, 0)]
    if endpoint in ("chat", "messages", "count_tokens"):
        content = dice.choice((_text(dice), f'[{{"type":"text","text":{_text(dice)},{inner}}}]'))
        members.append(f'"messages":[{{"role":"user","content":{content},{inner}}}]')
    else:
        members.append(f'"input":{_text(dice)}')
    if endpoint == "messages":
        members.append('"max_tokens":5')
    if endpoint not in ("embeddings", "count_tokens"):
        members += dice.choice(([], ['"stream":true'], ['"stream": false']))
    if endpoint == "chat":
        members += dice.choice(([], [f'"stream_options":{{"include_usage":false,{inner}}}']))
    if endpoint == "responses":
        members += dice.choice(([], ['"store":null'], ['"store":true']))
    dice.shuffle(members)
    return f"{{{dice.choice(('', ' '))}{','.join(members)}}}".encode()


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_member_survives(endpoint: str) -> None:
    dice = random.Random(f"unknown members of {endpoint}")
    for _ in range(BODIES // len(ENDPOINTS)):
        body = _body(dice, endpoint)
        asked = decode(BY_NAME[endpoint], body)
        sent = asked.body_for(body, "vendor/model-7b")
        before, after = _MEMBERS.decode(body), _MEMBERS.decode(sent)
        assert after.keys() - before.keys() <= OURS[endpoint], body
        for name, value in before.items():
            if name not in OURS[endpoint]:
                assert bytes(after[name]) == bytes(value), body
        assert json.loads(sent)["model"] == "vendor/model-7b"


def test_of_stream_options_only_the_usage_flag_changes() -> None:
    body = b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":false,"x":[1.0]}}'
    sent: dict[str, Any] = json.loads(decode(BY_NAME["chat"], body).body_for(body, "m"))
    assert sent["stream_options"] == {"include_usage": True, "x": [1.0]}
