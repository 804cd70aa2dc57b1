"""Chat completions: what is read of a request, what is changed in it, and what of an answer is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twintrack.errors import BadRequest, Forbidden, PromptTooLong, TwintrackError, Unauthorized, UpstreamError
from twintrack.wire.chat import ENDPOINT, read_usage
from twintrack.wire.dialect import Asked, decode
from twintrack.wire.prompt import Prompt
from twintrack.wire.usage import Usage

HELLO = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


def asked(**more: Any) -> Asked:
    return decode(ENDPOINT, json.dumps(HELLO | more).encode())


def sent(model: str = "m", **more: Any) -> dict[str, Any]:
    """What the provider gets, decoded."""
    body = json.dumps(HELLO | more).encode()
    found: dict[str, Any] = json.loads(decode(ENDPOINT, body).body_for(body, model))
    return found


# What is read


def test_a_prompt_holds_what_routing_may_read() -> None:
    prompt = asked(
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What is"}, {"type": "text", "text": "this?"}]},
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
            {"role": "tool", "tool_call_id": "1", "content": "a cat"},
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}, {"type": "file"}]},
        ],
        max_tokens=7,
    ).prompt()

    assert prompt == Prompt(
        texts=("Be brief.", "What is\nthis?", "a cat", ""),
        first_user="What is\nthis?",
        last_user="",
        modalities=("text", "file", "image"),
        tools=True,
        turns=5,
        max_output_tokens=7,
    )


@pytest.mark.parametrize(
    ("more", "tools"),
    [
        ({}, False),
        ({"tools": []}, False),
        ({"tools": [{"type": "function"}]}, True),
        ({"messages": [{"role": "assistant", "tool_calls": None, "content": "x"}]}, False),
        ({"messages": [{"role": "assistant", "tool_calls": []}]}, False),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1", "type": "function"}]}]}, True),
        ({"messages": [{"role": "tool", "tool_call_id": "1", "content": "a cat"}]}, True),
    ],
)
def test_tools_are_offered_or_stand_in_the_conversation(more: dict[str, Any], tools: bool) -> None:
    assert asked(**more).prompt().tools is tools


@pytest.mark.parametrize(
    ("more", "tokens"),
    [
        ({}, 0),
        ({"max_tokens": None}, 0),
        ({"max_tokens": 10}, 10),
        ({"max_tokens": 10, "max_completion_tokens": 20}, 20),
        ({"max_tokens": -1}, 0),  # what llama.cpp and vLLM take for no limit
    ],
)
def test_the_output_a_client_allows(more: dict[str, Any], tokens: int) -> None:
    assert asked(**more).prompt().max_output_tokens == tokens


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"model": 5}, "$.model: Expected `str`, got `int`."),
        ({"messages": "x"}, "$.messages: Expected `array`, got `str`."),
        (
            {"messages": [{"role": "user", "content": 5}]},
            "$.messages[0].content: Expected `str | array | null`, got `int`.",
        ),
        ({"messages": [{"content": "x"}]}, "$.messages[0]: Object missing required field `role`."),
        (
            {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
            "$.messages[0].content[0]: Object missing required",
        ),
        ({"stream": "yes"}, "$.stream: Expected `bool | null`, got `str`."),
        ({"max_tokens": 10**30}, "$.max_tokens: Expected `int` <="),
        ({"max_tokens": 1.5}, "$.max_tokens: Expected `int | null`, got `float`."),
        ({"metadata": [1]}, "$.metadata: Expected `object | null`, got `array`."),
        ({"stream_options": True}, "$.stream_options: Expected `object | null`, got `bool`."),
    ],
)
def test_a_wrong_type_is_refused_with_its_path(more: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(**more)
    assert str(refused.value).startswith(says)
    assert refused.value.param == says.partition(":")[0]


def test_a_missing_model_is_named() -> None:
    with pytest.raises(BadRequest, match="missing required field `model`"):
        decode(ENDPOINT, b'{"messages":[]}')


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "The body is not JSON: it ends too early, at byte 0."),
        (b'{"model":"m",', "The body is not JSON: it ends too early, at byte 13."),
        (b'{"model":"m","messages":[]} x', "The body is not JSON: trailing characters (byte 29)."),
        (b'{"model":nope}', "The body is not JSON: invalid character (byte 13)."),
        (b'{"model":"m","x":NaN}', "The body is not JSON: invalid character (byte 17)."),
        (b"\xef\xbb\xbf{}", "The body is not JSON: invalid character (byte 0)."),
        (b'{"model":"\xff","messages":[]}', "The body is not UTF-8: byte 10 begins no character."),
        (b"[]", "$: Expected `object`, got `array`."),
        (b'{"x":' + b"[" * 1_000_000, "The body is nested too deeply."),
        (b'{"messages":' + b'[{"a":' * 100_000, "The body is nested too deeply."),
        (b'{"metadata":{"a":' + b"[" * 100_000, "The body is nested too deeply."),
    ],
    ids=lambda value: repr(value[:20]) if isinstance(value, bytes) else "",
)
def test_what_is_no_json_is_refused_with_its_place(body: bytes, says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        decode(ENDPOINT, body)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize("name", ["api_base", "base_url", "api_key"])
@pytest.mark.parametrize("value", ["https://evil.example", None, {}])
def test_a_request_cannot_say_where_it_goes_or_with_which_key(name: str, value: object) -> None:
    with pytest.raises(BadRequest, match=rf"\$\.{name} is not accepted") as refused:
        asked(**{name: value})
    assert refused.value.param == f"$.{name}"


# What is changed


def test_a_body_that_needs_no_change_is_not_touched() -> None:
    body = b' {"model": "m", "messages": [], "x": 1.0 } '
    assert decode(ENDPOINT, body).body_for(body, "m") is body


def test_the_model_gets_the_providers_name() -> None:
    assert sent("vendor/m-2", temperature=0.5) == HELLO | {"model": "vendor/m-2", "temperature": 0.5}


@pytest.mark.parametrize(
    ("said", "sends"),
    [
        ({}, {"include_usage": True}),
        ({"stream_options": None}, {"include_usage": True}),
        ({"stream_options": {}}, {"include_usage": True}),
        ({"stream_options": {"include_usage": False}}, {"include_usage": True}),
        ({"stream_options": {"include_usage": True, "x": 1}}, {"include_usage": True, "x": 1}),
        ({"stream_options": {"include_obfuscation": False}}, {"include_obfuscation": False, "include_usage": True}),
    ],
)
def test_a_stream_always_asks_for_usage_and_keeps_the_clients_other_options(
    said: dict[str, Any], sends: dict[str, Any]
) -> None:
    assert sent(stream=True, **said) == HELLO | {"stream": True, "stream_options": sends}


def test_options_hidden_behind_escapes_do_not_stand_twice() -> None:
    body = b'{"model":"m","messages":[],"stream":true,"stream\\u005foptions":null}'
    changed = decode(ENDPOINT, body).body_for(body, "m")
    assert json.loads(changed, object_pairs_hook=list) == [
        ("model", "m"),
        ("messages", []),
        ("stream", True),
        ("stream_options", [("include_usage", True)]),
    ]


def test_an_unstreamed_request_is_not_asked_for_usage() -> None:
    assert sent() == HELLO
    assert sent(stream=False, stream_options={"include_usage": False})["stream_options"] == {"include_usage": False}


def test_only_a_client_that_said_true_wants_usage() -> None:
    assert asked(stream_options={"include_usage": True}).wants_usage()
    for options in (None, {}, {"include_usage": False}, {"include_usage": None}):
        assert not asked(stream_options=options).wants_usage()


def test_our_labels_do_not_travel_on() -> None:
    metadata = {"twintrack_class": "restricted", "user": "u1"}
    assert sent(metadata=metadata)["metadata"] == {"user": "u1"}
    assert "metadata" not in sent(metadata={"twintrack_class": "restricted"})
    assert sent(metadata={"user": "u1"})["metadata"] == {"user": "u1"}
    assert sent("m2", metadata=metadata, stream=True) == HELLO | {
        "model": "m2",
        "metadata": {"user": "u1"},
        "stream": True,
        "stream_options": {"include_usage": True},
    }


# What is believed


def test_usage_of_an_answer() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": None, "completion_tokens_details": {}}
    assert read_usage(json.dumps({"choices": [{}], "usage": usage}).encode()) == Usage(9, 3)
    assert read_usage(b'{"choices":[]}') == Usage()
    assert read_usage(b'{"choices":[],"usage":null}') == Usage()
    assert read_usage(b'{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}') == Usage(0, 0)


def test_an_answer_stays_one_though_its_usage_is_odd() -> None:
    assert read_usage(b'{"choices":[{}],"usage":{"prompt_tokens":"nine"}}') == Usage()
    assert read_usage(b'{"choices":[{}],"usage":[]}') == Usage()


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"choices":[', b'{"error":{"message":"x"}}', b"[]", b"null", b'{"\xff":1}', b"[" * 100_000],
    ids=["empty", "html", "cut", "error", "list", "null", "not UTF-8", "deep"],
)
def test_what_is_no_completion_is_the_providers_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read_usage(body)


# What errors look like


@pytest.mark.parametrize(
    ("error", "body"),
    [
        (
            BadRequest("Wrong", fix="Mend it.", param="$.x"),
            {"message": "Wrong. Mend it.", "type": "invalid_request_error", "param": "$.x", "code": "bad_request"},
        ),
        (
            Unauthorized("No key"),
            {"message": "No key.", "type": "authentication_error", "param": None, "code": "invalid_api_key"},
        ),
        (Forbidden("No"), {"message": "No.", "type": "permission_error", "param": None, "code": "forbidden"}),
        (
            PromptTooLong(9, 0, 8, why="", fix="Shorten it."),
            {
                "message": "This model's maximum context length is 8 tokens. However, your messages resulted in 9 "
                "tokens. Shorten it.",
                "type": "invalid_request_error",
                "param": None,
                "code": "context_length_exceeded",
            },
        ),
        (
            PromptTooLong(7, 2, 8, why="", fix="Shorten it."),
            {
                "message": "This model's maximum context length is 8 tokens. However, you requested 9 tokens (7 in the "
                "messages, 2 in the completion). Shorten it.",
                "type": "invalid_request_error",
                "param": None,
                "code": "context_length_exceeded",
            },
        ),
        (
            UpstreamError("It failed"),
            {"message": "It failed.", "type": "server_error", "param": None, "code": "upstream_error"},
        ),
    ],
)
def test_errors_have_openais_shape(error: TwintrackError, body: dict[str, Any]) -> None:
    assert json.loads(ENDPOINT.error_body(error, "tt-1")) == {"error": body}
    assert ENDPOINT.error_event(error, "tt-1") == b"data: " + ENDPOINT.error_body(error, "tt-1") + b"\n\n"
