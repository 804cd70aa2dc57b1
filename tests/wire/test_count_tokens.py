"""Anthropic token counting: what is read of a request, and what an answer means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic.types import MessageTokensCount

from twintrack.errors import BadRequest, UpstreamError
from twintrack.wire import messages
from twintrack.wire.count_tokens import ENDPOINT, counted, read_usage
from twintrack.wire.dialect import Asked, decode
from twintrack.wire.prompt import Prompt
from twintrack.wire.usage import Usage

HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def asked(**more: Any) -> Asked:
    return decode(ENDPOINT, json.dumps(HELLO | more).encode())


def test_a_request_is_routed_by_the_same_words_as_a_message() -> None:
    prompt = asked(system="Be brief.", tools=[{"name": "f", "input_schema": {"type": "object"}}]).prompt()
    assert prompt == Prompt(("Be brief.", "Hello"), "Hello", "Hello", ("text",), True, 1, 0)


def test_the_body_travels_on_with_the_providers_name_of_the_model() -> None:
    body = json.dumps(HELLO | {"thinking": {"type": "adaptive"}, "metadata": {"twintrack_class": "public"}}).encode()
    request = decode(ENDPOINT, body)
    assert json.loads(request.body_for(body, "m2")) == HELLO | {"model": "m2", "thinking": {"type": "adaptive"}}


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"stream": True}, "$: stream is true, and counts are not streamed."),
        ({"messages": None}, "$.messages: Expected `array`, got `null`."),
        ({"base_url": "http://x"}, "$.base_url is not accepted:"),
    ],
)
def test_a_wrong_request_is_refused_with_its_path(more: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(**more)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize("tokens", [0, 2095, 999_999])
def test_counting_is_free_of_charge(tokens: int) -> None:
    assert read_usage(json.dumps({"input_tokens": tokens, "context_management": None}).encode()) == Usage(0, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"input_tokens":null}',
        b'{"input_tokens":-1}',
        b'{"input_tokens":1.5}',
        b'{"input_tokens":1e30}',
        b'{"type":"error","error":{}}',
        b'{"\xff":0}',
        b"[" * 99_999,
    ],
)
def test_what_is_no_count_is_the_providers_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read_usage(body)


def test_our_own_count_is_what_the_vendors_sdk_reads() -> None:
    assert MessageTokensCount.model_validate_json(counted(2095)).input_tokens == 2095
    assert json.loads(counted(0)) == {"input_tokens": 0}
    assert read_usage(counted(7)) == Usage(0, 0)


def test_there_is_no_stream_and_the_head_is_that_of_messages() -> None:
    with pytest.raises(UpstreamError, match="not streamed"):
        ENDPOINT.open_stream(False)
    assert ENDPOINT.path == "/v1/messages/count_tokens"
    assert ENDPOINT.forwarded == (b"anthropic-beta", b"anthropic-version")
    assert ENDPOINT.id_lines == messages.ENDPOINT.id_lines
