"""Anthropic messages: what is read of a request and of an answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twintrack.errors import (
    BadRequest,
    PromptTooLong,
    ProviderRefused,
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
        ({"api_key": "k"}, "$.api_key is not accepted: "),
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


def message(error: TwintrackError) -> str:
    said: str = json.loads(ENDPOINT.error_body(error, "tt-1"))["error"]["message"]
    return said


def test_a_prompt_that_is_too_long_is_refused_in_anthropics_words() -> None:
    why, fix = "m0: its window is 2000", "Shorten it."
    assert message(PromptTooLong(2100, 0, 2000, why=why, fix=fix)) == (
        "prompt is too long: 2100 tokens > 2000 maximum. m0: its window is 2000. Shorten it."
    )
    assert message(PromptTooLong(1500, 600, 2000, why=why, fix=fix)).startswith(
        "input length and `max_tokens` exceed context limit: 1500 + 600 > 2000, decrease input length or `max_tokens` "
        "and try again. m0"
    )
    body = json.loads(ENDPOINT.error_body(PromptTooLong(2100, 0, 2000, why=why, fix=fix), "tt-1"))
    assert body["error"]["type"] == "invalid_request_error"


def test_so_is_one_that_a_provider_refused_in_its_own() -> None:
    assert message(ProviderRefused(400, "Too much", too_long=(9, 8))) == (
        "prompt is too long: 9 tokens > 8 maximum. Too much."
    )
    assert message(ProviderRefused(400, "Too much", too_long=(0, 0))) == "prompt is too long. Too much."
    assert message(ProviderRefused(400, "Too odd")) == "Too odd."


def test_a_thread_that_cannot_be_kept_is_refused_so_that_clients_send_everything() -> None:
    body = json.loads(ENDPOINT.error_body(BadRequest("No", param="$.thread"), "tt-1"))
    assert body["error"]["details"] == {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
    assert "details" not in json.loads(ENDPOINT.error_body(BadRequest("No", param="$.system"), "tt-1"))["error"]


@pytest.mark.parametrize(("thread", "pinned"), [({"type": "create"}, "$.thread"), (None, "")])
def test_a_thread_is_kept_by_one_provider(thread: object, pinned: str) -> None:
    assert asked(thread=thread).pinned() == pinned
    assert asked().pinned() == ""
