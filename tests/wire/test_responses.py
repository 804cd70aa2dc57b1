"""OpenAI responses: what is read of a request and of an answer while both pass."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from openai.types.responses import ResponseErrorEvent
from stream_texts import event

from twintrack.errors import BadRequest, TwintrackError, Unauthorized, UpstreamError
from twintrack.wire.dialect import Asked, decode
from twintrack.wire.prompt import Prompt
from twintrack.wire.responses import ENDPOINT, ResponsesStream, read_usage
from twintrack.wire.usage import Usage

HELLO = {"model": "m", "input": "Hello"}
PNG = "data:image/png;base64,AAAA"


def asked(**more: Any) -> Asked:
    return decode(ENDPOINT, json.dumps(HELLO | more).encode())


def sent(**more: Any) -> dict[str, Any]:
    body = json.dumps(HELLO | more).encode()
    found = json.loads(decode(ENDPOINT, body).body_for(body, "m"))
    assert isinstance(found, dict)
    return found


# Requests


def test_a_prompt_of_one_text() -> None:
    assert asked(instructions="Be brief.", max_output_tokens=9).prompt() == Prompt(
        texts=("Be brief.", "Hello"),
        first_user="Hello",
        last_user="Hello",
        modalities=("text",),
        tools=False,
        turns=1,
        max_output_tokens=9,
    )


def test_a_prompt_holds_what_routing_may_read() -> None:
    items = [
        {"role": "developer", "content": "Be brief."},
        {
            "role": "user",
            "type": "message",
            "content": [
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": PNG},
                {"type": "input_file", "file_data": PNG, "filename": "x.pdf"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "content": None},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A cat"}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": '{"a":1}'},
        {"type": "function_call_output", "call_id": "c", "output": "fine"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "too"}]},
        {"role": "user", "content": "And now?"},
    ]
    assert asked(input=items).prompt() == Prompt(
        texts=("Be brief.", "See", "Hm.", "A cat", '{"a":1}', "fine", "too", "And now?"),
        first_user="See",
        last_user="And now?",
        modalities=("text", "file", "image"),
        tools=True,
        turns=8,
        max_output_tokens=0,
    )


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"type": "custom_tool_call", "input": "secret"}, ("secret",)),
        ({"type": "custom_tool_call_output", "output": "secret"}, ("secret",)),
        ({"type": "local_shell_call", "action": {"type": "exec", "command": ["cat", "x"]}}, ("cat\nx",)),
        ({"type": "shell_call_output", "output": [{"stdout": "secret", "stderr": ""}]}, ("secret\n",)),
        ({"type": "apply_patch_call", "operation": {"type": "create_file", "diff": "+a", "path": "p"}}, ("+a\np",)),
        ({"type": "code_interpreter_call", "code": "print()", "outputs": [{"type": "logs", "logs": "1"}]}, None),
        ({"type": "file_search_call", "queries": ["q"], "results": [{"text": "t", "file_id": "f"}]}, ("q\nt",)),
        ({"type": "computer_call", "actions": [{"type": "type", "text": "secret"}]}, ("secret",)),
        ({"type": "image_generation_call", "result": "AAAA"}, ()),
        ({"type": "program_output", "result": "secret"}, ("secret",)),
        ({"type": "unheard_of", "output": {"a": {"b": ["secret"]}}}, ("secret",)),
    ],
    ids=lambda item: item["type"] if isinstance(item, dict) else "",
)
def test_words_of_every_tool_are_read(item: dict[str, Any], words: tuple[str, ...] | None) -> None:
    prompt = asked(input=[item]).prompt()
    assert prompt.texts == (("print()\n1",) if words is None else words)
    assert prompt.tools


@pytest.mark.parametrize("kind", ["reasoning", "compaction", "item_reference", "configuration_update"])
def test_some_items_are_no_tools(kind: str) -> None:
    assert not asked(input=[{"type": kind, "id": "x"}]).prompt().tools


def test_a_screenshot_is_an_image_and_offered_tools_are_tools() -> None:
    item = {"type": "computer_call_output", "output": {"type": "computer_screenshot", "image_url": PNG}}
    prompt = asked(input=[item], tools=[{"type": "web_search"}]).prompt()
    assert prompt.modalities == ("text", "image")
    assert prompt.texts == ()
    assert asked(tools=[{"type": "web_search"}]).prompt().tools


def test_variables_of_a_stored_prompt_are_read() -> None:
    request = decode(ENDPOINT, b'{"model":"m","prompt":{"id":"p","variables":{"who":"Ada"}}}')
    assert "Ada" in request.prompt().texts


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"input": 5}, "$.input: Expected `str | array | null`, got `int`."),
        ({"input": ["x"]}, "$.input[0]: Expected `object`, got `str`."),
        ({"input": [{"role": "user", "content": 5}]}, "$.input[0].content: Expected"),
        ({"max_output_tokens": "9"}, "$.max_output_tokens: Expected"),
        ({"store": "no"}, "$.store: Expected"),
        ({"base_url": "k"}, "$.base_url is not accepted: "),
    ],
)
def test_a_wrong_request_is_refused_with_its_path(more: dict[str, Any], says: str) -> None:
    with pytest.raises(BadRequest) as refused:
        asked(**more)
    assert str(refused.value).startswith(says)


# State


def test_nothing_is_stored_unless_the_client_says_so() -> None:
    assert sent() == {"store": False} | HELLO
    assert sent(store=None) == {"store": False} | HELLO
    assert sent(store=True)["store"] is True
    body = b'{"model": "m", "input": "x", "store": false}'
    assert decode(ENDPOINT, body).body_for(body, "m") is body


def test_the_rest_of_the_body_travels_as_it_was_written() -> None:
    body = b' {"unknown": 1.50, "model":"m" ,"input": "x"}'
    assert (
        decode(ENDPOINT, body).body_for(body, "m2") == b' {"store":false,"unknown": 1.50, "model":"m2" ,"input": "x"}'
    )


def test_our_labels_go() -> None:
    assert sent(metadata={"a": "b", "twintrack_class": "public"})["metadata"] == {"a": "b"}
    assert "metadata" not in sent(metadata={"twintrack_class": "public"})


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({}, ""),
        ({"store": False, "background": False, "previous_response_id": None, "conversation": None}, ""),
        ({"input": [{"role": "user", "content": "x"}, {"type": "reasoning", "id": "rs_1"}]}, ""),
        ({"previous_response_id": "resp_1"}, "$.previous_response_id"),
        ({"conversation": "conv_1"}, "$.conversation"),
        ({"conversation": {"id": "conv_1"}}, "$.conversation"),
        ({"background": True}, "$.background"),
        ({"store": True}, "$.store"),
        ({"prompt": {"id": "pmpt_1"}}, "$.prompt"),
        ({"input": [{"role": "user", "content": "x"}, {"type": "item_reference", "id": "msg_1"}]}, "$.input[1]"),
        ({"input": [{"id": "msg_1"}]}, "$.input[0]"),
    ],
)
def test_what_one_provider_keeps_pins_the_request(more: dict[str, Any], path: str) -> None:
    assert asked(**more).pinned() == path


ASK = {"role": "user", "content": "x"}
OURS = [
    {"type": "reasoning", "id": "rs_tt_9_0", "summary": [{"type": "summary_text", "text": "Hm"}]},
    {"type": "reasoning", "summary": [], "encrypted_content": "twintrack.signature.x"},
]
SEALED = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAx"}
RAW = {"type": "reasoning", "id": "rs_2", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}
STORED = {"type": "reasoning", "id": "rs_3", "summary": [{"type": "summary_text", "text": "Hm"}]}


@pytest.mark.parametrize("store", [{}, {"store": None}])
def test_reasoning_that_openai_would_look_for_in_vain_is_taken_out(store: dict[str, Any]) -> None:
    found = sent(input=[ASK, *OURS, SEALED, RAW, STORED, ASK], **store)
    assert found == {"model": "m", "store": False, "input": [ASK, SEALED, RAW, ASK]}


@pytest.mark.parametrize("store", [True, False])
def test_what_a_client_keeps_or_lets_keep_stays_but_for_reasoning_of_other_dialects(store: bool) -> None:
    assert sent(input=[*OURS, SEALED, STORED], store=store)["input"] == [SEALED, STORED]
    body = json.dumps({"model": "m", "input": [SEALED, STORED], "store": store}).encode()
    assert decode(ENDPOINT, body).body_for(body, "m") is body


# Answers

USAGE = {
    "input_tokens": 12,
    "output_tokens": 7,
    "total_tokens": 19,
    "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 3},
}
COUNTED = Usage(12, 7, 4, 0, 3)


def test_usage_of_a_whole_answer() -> None:
    body = {"id": "resp_1", "object": "response", "status": "completed", "output": [], "usage": USAGE}
    assert read_usage(json.dumps(body).encode()) == COUNTED
    assert read_usage(b'{"output":[],"status":"incomplete"}') == Usage()
    assert read_usage(b'{"output":[],"usage":5}') == Usage()


@pytest.mark.parametrize(
    "body",
    [b"", b'{"error":{}}', b"[]", b'{"output":5}', b'{"\xff":0}', b"[" * 99_999, b'{"output":[],"status":"failed"}'],
)
def test_what_is_no_answer_is_the_providers_failure(body: bytes) -> None:
    with pytest.raises(UpstreamError):
        read_usage(body)


def typed(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\n".encode() + event({"type": kind, "sequence_number": 1} | more)


CREATED = typed("response.created", response={"id": "resp_1", "status": "in_progress", "usage": None, "output": []})
ITEM = typed("response.output_item.added", item={"type": "message", "id": "msg_1"})
TEXT = typed("response.output_text.delta", delta="Hi", logprobs=[])


def last(kind: str = "response.completed", **more: Any) -> bytes:
    return typed(kind, response={"id": "resp_1", "usage": USAGE} | more)


@pytest.mark.parametrize(
    "first",
    [
        TEXT,
        typed("response.refusal.delta", delta="No"),
        typed("response.reasoning_summary_text.delta", delta="Hm"),
        typed("response.reasoning_text.delta", delta="Hm"),
        typed("response.function_call_arguments.delta", delta="{"),
        typed("response.output_item.added", item={"type": "function_call", "name": "f"}),
        typed("response.output_item.added", item={"type": "web_search_call"}),
        typed("response.output_item.done", item={"type": "reasoning", "encrypted_content": "x"}),
        last(),
        last("response.incomplete"),
    ],
)
def test_everything_is_held_until_content(first: bytes) -> None:
    stream = ResponsesStream(strip_usage=False)
    assert stream.feed(CREATED) == b""
    assert stream.feed(ITEM + typed("response.output_text.delta", delta="") + b": ping\n\n") == b""
    assert not stream.content
    assert stream.feed(first).endswith(first)
    assert stream.content


def test_a_request_of_megabytes_may_be_repeated_before_content() -> None:
    echo = typed("response.created", response={"instructions": "x" * 2_000_000})
    stream = ResponsesStream(strip_usage=False)
    assert stream.feed(echo) == b""
    assert stream.feed(TEXT) == echo + TEXT


@pytest.mark.parametrize(
    "bad",
    [
        typed("error", code="server_error", message="x"),
        typed("error", error={"code": "insufficient_quota"}),
        event({"error": {"message": "x"}}),
        last("response.failed"),
        b"data: {nonsense\n\n",
        b"data: \xff\n\n",
        b"data: []\n\n",
    ],
)
def test_a_failure_before_content_is_one(bad: bytes) -> None:
    stream = ResponsesStream(strip_usage=False)
    stream.feed(CREATED)
    with pytest.raises(UpstreamError):
        stream.feed(bad)


@pytest.mark.parametrize("kind", ["response.completed", "response.incomplete"])
def test_usage_and_the_end_are_read_from_the_last_event(kind: str) -> None:
    stream = ResponsesStream(strip_usage=False)
    text = CREATED + ITEM + TEXT * 500 + last(kind)
    passed = b"".join(stream.feed(text[at : at + 700]) for at in range(0, len(text), 700)) + stream.close()
    assert passed == text
    assert stream.finished
    assert not stream.failure
    assert stream.usage() == COUNTED


def test_a_late_failure_has_its_usage_too() -> None:
    stream = ResponsesStream(strip_usage=False)
    stream.feed(CREATED + TEXT)
    stream.feed(last("response.failed"))
    stream.close()
    assert (stream.failure, stream.finished, stream.usage()) == ("response.failed", False, COUNTED)


@pytest.mark.parametrize("size", [10_000, 100_000, 1_000_000])
@pytest.mark.parametrize("after", [b"", b": ping\n\n" * 2000 + b"data: [DONE]\n\n"])
def test_a_last_event_of_any_length_is_read(size: int, after: bytes) -> None:
    end = typed("response.completed", response={"usage": USAGE, "output": ["x" * size], "tools": ["y" * size]})
    text = CREATED + ITEM + TEXT * 300 + end + after
    stream = ResponsesStream(strip_usage=False)
    rng = random.Random(size)
    passed, at = [], 0
    while at < len(text):
        step = rng.choice([100, 5_000, 65_536])
        passed.append(stream.feed(text[at : at + step]))
        at += step
    assert b"".join(passed) + stream.close() == text
    assert stream.usage() == COUNTED
    assert stream.finished


def test_a_long_last_event_whose_type_comes_last_is_read() -> None:
    end = event({"response": {"usage": USAGE, "output": ["x" * 90_000]}, "type": "response.completed"})
    stream = ResponsesStream(strip_usage=False)
    text = CREATED + TEXT + end
    for at in range(0, len(text), 1000):
        stream.feed(text[at : at + 1000])
    stream.close()
    assert stream.finished
    assert stream.usage() == COUNTED


def test_the_tail_of_a_long_answer_stays_short() -> None:
    stream = ResponsesStream(strip_usage=False)
    stream.feed(CREATED + TEXT)
    for _ in range(3_000):
        stream.feed(TEXT)
    assert stream._tail_bytes < 40_000


def test_a_stream_that_stops_is_not_finished() -> None:
    stream = ResponsesStream(strip_usage=False)
    stream.feed(CREATED + TEXT + last()[:-20])
    assert stream.close() == last()[:-20]
    assert not stream.finished


# Errors


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        (BadRequest("x", param="$.input"), "invalid_request_error", "bad_request"),
        (Unauthorized("x"), "authentication_error", "invalid_api_key"),
        (UpstreamError("x"), "server_error", "upstream_error"),
    ],
)
def test_errors_have_openais_shape(error: TwintrackError, kind: str, code: str) -> None:
    said = {"message": "x.", "type": kind, "param": getattr(error, "param", None), "code": code}
    assert json.loads(ENDPOINT.error_body(error, "tt-1")) == {"error": said}


def test_an_error_in_a_stream_has_the_members_of_the_reference_and_those_the_sdk_raises_by() -> None:
    text = ENDPOINT.error_event(UpstreamError("x"), "tt-1")
    assert text.startswith(b"event: error\ndata: {")
    assert text.endswith(b"}\n\n")
    said = json.loads(text.partition(b"data: ")[2])
    found = ResponseErrorEvent.model_validate(said)
    assert (found.type, found.code, found.message, found.param) == ("error", "upstream_error", "x.", None)
    assert said["error"] == {"message": "x.", "type": "server_error", "param": None, "code": "upstream_error"}
