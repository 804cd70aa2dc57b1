"""Anthropic messages: what is read of a request and of an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twintrack.errors import (
    BadRequest,
    TooLarge,
    TwintrackError,
    Unauthorized,
    Unavailable,
    UpstreamError,
    UpstreamTimeout,
)
from twintrack.wire.dialect import Asked, decode
from twintrack.wire.messages import ENDPOINT, read_usage
from twintrack.wire.prompt import Prompt
from twintrack.wire.usage import Usage

HELLO = {"model": "m", "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}


def asked(**more: Any) -> Asked:
    return decode(ENDPOINT, json.dumps(HELLO | more).encode())


def test_a_prompt_holds_what_routing_may_read() -> None:
    prompt = asked(
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "See"}, {"type": "image", "source": {}}]},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "a cat"}]}]},
            {"role": "user", "content": [{"type": "tool_result", "content": "a dog"}, {"type": "document"}]},
        ],
    ).prompt()

    assert prompt == Prompt(
        texts=("Be brief.", "See", "", "a cat", "a dog"),
        first_user="See",
        last_user="a dog",
        modalities=("text", "file", "image"),
        tools=True,
        turns=4,
        max_output_tokens=50,
    )


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"max_tokens": None}, "$.max_tokens: Expected `int`, got `null`."),
        ({"max_tokens": 10**20}, "$.max_tokens: Expected `int` <="),
        ({"messages": [{"role": "user"}]}, "$.messages[0]: Object missing required field `content`."),
        ({"system": 5}, "$.system: Expected `str | array | null`, got `int`."),
        ({"api_key": "k"}, "$.api_key is not accepted."),
    ],
)
def test_a_wrong_request_is_refused_with_its_path(more: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(**more)
    assert str(refused.value).startswith(says)


def test_nothing_is_added_to_a_stream_since_usage_comes_anyway() -> None:
    body = json.dumps(HELLO | {"stream": True}).encode()
    request = decode(ENDPOINT, body)
    assert request.body_for(body, "m") is body
    assert request.wants_usage()


def test_the_users_metadata_stays_and_our_labels_go() -> None:
    body = json.dumps(HELLO | {"metadata": {"user_id": "u", "twintrack_class": "public"}}).encode()
    assert json.loads(decode(ENDPOINT, body).body_for(body, "m2")) == HELLO | {
        "model": "m2",
        "metadata": {"user_id": "u"},
    }


def test_cached_tokens_are_counted_in() -> None:
    usage = {
        "input_tokens": 10,
        "output_tokens": 5,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": None,
    }
    assert read_usage(json.dumps({"content": [], "usage": usage}).encode()) == Usage(110, 5, 100, None)
    assert read_usage(b'{"content":[]}') == Usage()


@pytest.mark.parametrize(
    "body", [b"", b'{"type":"error","error":{}}', b"[]", b'{"content":5}', b'{"\xff":0}', b"[" * 99_999]
)
def test_what_is_no_message_is_the_providers_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read_usage(body)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (BadRequest("x"), "invalid_request_error"),
        (Unauthorized("x"), "authentication_error"),
        (TooLarge("x"), "request_too_large"),
        (UpstreamError("x"), "api_error"),
        (UpstreamTimeout("x"), "timeout_error"),
        (Unavailable("x"), "overloaded_error"),
    ],
)
def test_errors_have_anthropics_shape(error: TwintrackError, kind: str) -> None:
    assert json.loads(ENDPOINT.error_body(error, "tt-1")) == {
        "type": "error",
        "error": {"type": kind, "message": "x."},
        "request_id": "tt-1",
    }
    assert ENDPOINT.error_event(error, "tt-1").startswith(b"event: error\ndata: {")
