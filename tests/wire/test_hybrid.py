"""A body of Responses at the path of chat completions: when it is taken for one, and what is read of it."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from twintrack.errors import BadRequest
from twintrack.wire import chat, embeddings, responses
from twintrack.wire.canonical.answer import Answer, Reply
from twintrack.wire.canonical.parts import Text
from twintrack.wire.dialect import decode
from twintrack.wire.endpoints import BY_NAME, ENDPOINTS
from twintrack.wire.hybrid import ENDPOINT, meant
from twintrack.wire.translators import SPOKEN, client_side

ASKED = {"model": "m", "input": [{"role": "user", "content": "Hello"}]}


def encoded(**more: Any) -> bytes:
    return json.dumps(ASKED | more).encode()


@pytest.mark.parametrize("more", [{}, {"input": "Hello"}, {"stream_options": {"include_usage": True}}])
def test_it_has_input_and_no_messages(more: dict[str, Any]) -> None:
    assert meant(chat.ENDPOINT, encoded(**more)) is ENDPOINT
    assert decode(ENDPOINT, encoded(**more)).prompt().last_user == "Hello"


@pytest.mark.parametrize(
    "body",
    [b'{"model":"m"}', b'{"model":"m","messages":3,"input":"a"}', b'{"input":', b"[]", b"3"],
)
def test_anything_else_is_a_chat_that_is_wrong(body: bytes) -> None:
    assert meant(chat.ENDPOINT, body) is None


def test_at_other_paths_it_is_wrong() -> None:
    assert meant(responses.ENDPOINT, encoded()) is None
    assert meant(embeddings.ENDPOINT, encoded()) is None


def test_no_provider_is_asked_so_and_no_path_is_its_own() -> None:
    assert ENDPOINT.name not in BY_NAME
    assert all(ENDPOINT.name not in spoken for spoken in SPOKEN.values())
    assert ENDPOINT.path in {endpoint.path for endpoint in ENDPOINTS}


@pytest.mark.parametrize(
    ("more", "usage"),
    [
        ({"stream": True, "stream_options": {"include_usage": True}}, True),
        ({"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}}, True),
        ({"stream": True, "stream_options": {"include_usage": False}}, False),
        ({"stream": True, "stream_options": {"include_usage": None}}, False),
        ({"stream": True, "stream_options": None}, False),
        ({"stream": True}, False),
        ({"stream_options": {"include_usage": True}}, False),
    ],
)
def test_usage_in_the_stream_is_asked_for_as_in_a_chat(more: dict[str, Any], usage: bool) -> None:
    request, dropped = client_side(ENDPOINT.name).read_request(encoded(**more), False)
    assert (request.stream_usage, dropped) == (usage, ())
    assert request.stream is bool(more.get("stream"))


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"stream_options": {"include_usage": 3}}, "$.stream_options.include_usage"),
        ({"stream_options": {"include_usage": True, "other": 1}}, "$.stream_options.other"),
        ({"max_tokens": 5}, "$.max_tokens"),
    ],
)
def test_everything_else_is_read_as_responses(more: dict[str, Any], param: str) -> None:
    with pytest.raises(BadRequest) as refused:
        client_side(ENDPOINT.name).read_request(encoded(**more), False)
    assert refused.value.param == param
    assert client_side(ENDPOINT.name).names["turns"] == "input"


def test_the_answer_is_a_chat_completion() -> None:
    client = client_side(ENDPOINT.name)
    request, _ = client.read_request(encoded(), False)
    answer = msgspec.json.decode(client.write_answer(Answer(parts=(Text("Hi"),)), Reply(request, "tt-1", 0)))
    assert (answer["object"], answer["choices"][0]["message"]["content"]) == ("chat.completion", "Hi")
