"""What a client of chat completions is streamed, read by OpenAI's own client."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pytest
from openai.lib.streaming._deltas import accumulate_delta
from openai.lib.streaming.chat import ChatCompletionStreamState

from twintrack.wire import sse
from twintrack.wire.canonical.answer import Finish, Reply
from twintrack.wire.canonical.parts import Citation, Logprob
from twintrack.wire.canonical.request import Reasoning, Request, Tool
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.chat import CLIENT
from twintrack.wire.dialects.chat.write_stream import ChatSink
from twintrack.wire.usage import Usage

ASKED = Request(model="asked", turns=(), stream=True)
WITH_USAGE = Request(model="asked", turns=(), stream=True, stream_usage=True)


def streamed(tell: Callable[[ChatSink], None], request: Request = ASKED, finish: Finish = "stop") -> bytes:
    sink = ChatSink(Reply(request, "r1", 99))
    sink.begin("x1", "up", 7)
    tell(sink)
    sink.finish(finish)
    sink.end()
    return sink.take()


def chunks(stream: bytes) -> list[dict[str, Any]]:
    events, rest = sse.split(stream)
    assert rest == b""
    payloads = [sse.payload(event) for event in events]
    assert payloads[-1] == b"[DONE]"
    return [json.loads(payload) for payload in payloads[:-1]]


def deltas(stream: bytes) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks(stream) if chunk["choices"]]


def final(stream: bytes, **asked: Any) -> Any:
    """The completion that OpenAI's client puts together, both ways it has."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    with openai.OpenAI(api_key="none", base_url="http://x/v1", http_client=http, max_retries=0) as client:
        state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
        for chunk in client.chat.completions.create(model="m", messages=[], stream=True):
            list(state.handle_chunk(chunk))
        with client.chat.completions.stream(model="m", messages=[], **asked) as events:
            for _ in events:
                pass
            completion = events.get_final_completion()
    assert completion.to_dict() == state.get_final_completion().to_dict()
    return completion


def test_a_stream_in_full() -> None:
    def tell(sink: ChatSink) -> None:
        sink.text("Hel")
        sink.text("lo")
        sink.usage(Usage(3, 2))

    stream = streamed(tell, WITH_USAGE)
    head = {"id": "x1", "object": "chat.completion.chunk", "created": 7, "model": "up"}

    def choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        said = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**head, "choices": [said], "usage": None}

    assert chunks(stream) == [
        choice({"role": "assistant", "content": "", "refusal": None}),
        choice({"content": "Hel"}),
        choice({"content": "lo"}),
        choice({}, "stop"),
        {**head, "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}},
    ]
    completion = final(stream)
    assert completion.choices[0].message.content == "Hello"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == 5


def test_usage_is_only_told_if_asked_for_and_known() -> None:
    assert all("usage" not in chunk for chunk in chunks(streamed(lambda sink: sink.usage(Usage(1, 1)))))
    assert chunks(streamed(lambda sink: sink.text("a"), WITH_USAGE))[-1]["choices"] != []
    assert chunks(streamed(lambda sink: sink.usage(Usage(0, 0)), WITH_USAGE))[-1]["usage"]["total_tokens"] == 0


def test_what_a_provider_left_out_is_filled_in() -> None:
    sink = ChatSink(Reply(ASKED, "r1", 99))
    sink.begin("", "", 0)
    sink.text("a")
    said = json.loads(sse.payload(sse.split(sink.take())[0][0]))
    assert (said["id"], said["created"], said["model"]) == ("chatcmpl-r1", 99, "asked")


def test_nothing_is_closed_that_the_provider_did_not_close() -> None:
    sink = ChatSink(Reply(WITH_USAGE, "r1", 99))
    sink.begin("x1", "up", 7)
    sink.text("a")
    taken = sink.take()
    assert taken.count(b"\n\n") == 2
    assert b"[DONE]" not in taken
    assert b'"finish_reason":"' not in taken
    assert sink.take() == b""


@pytest.mark.parametrize(
    "piece", ["😀", '"\\', "\u0000\u001f\u007f", "\u2028\u2029", "é\n\r\n\n", "\ufeff", "data: x\n\n"]
)
def test_any_text(piece: str) -> None:
    def tell(sink: ChatSink) -> None:
        sink.thinking(piece)
        sink.text(piece)
        sink.refusal(piece)

    message = final(streamed(tell)).choices[0].message
    assert (message.content, message.refusal, message.reasoning_content) == (piece, piece, piece)


def test_calls() -> None:
    def tell(sink: ChatSink) -> None:
        sink.call(0, "c1", "f", False)
        sink.arguments(0, '{"a"')
        sink.call(1, "c2", "g", False)
        sink.arguments(0, ":1}")
        sink.arguments(1, "")

    stream = streamed(tell, finish="tool_calls")
    assert deltas(stream)[0] == {"role": "assistant", "content": None, "refusal": None}
    (choice,) = final(stream).choices
    assert choice.message.content is None
    assert choice.finish_reason == "tool_calls"
    assert [(call.id, call.function.name, call.function.arguments) for call in choice.message.tool_calls] == [
        ("c1", "f", '{"a":1}'),
        ("c2", "g", "{}"),  # no arguments are an empty object
    ]


def test_thinking_before_a_call_leaves_the_content_null() -> None:
    def tell(sink: ChatSink) -> None:
        sink.thinking("Hm.")
        sink.call(0, "c1", "f", False)

    assert final(streamed(tell, finish="tool_calls")).choices[0].message.content is None


def test_text_before_a_call() -> None:
    def tell(sink: ChatSink) -> None:
        sink.text("Let me see.")
        sink.boundary()
        sink.call(0, "c1", "f", False)

    message = final(streamed(tell, finish="tool_calls")).choices[0].message
    assert message.content == "Let me see."
    assert message.tool_calls[0].function.arguments == "{}"


def test_custom_calls() -> None:
    """As a provider of custom tools makes them, and as one does that has only functions."""
    request = Request(model="m", turns=(), tools=(Tool("sh", kind="custom"), Tool("f")))

    def tell(sink: ChatSink) -> None:
        sink.call(0, "c1", "sh", True)
        sink.arguments(0, "l")
        sink.arguments(0, "s")
        sink.call(1, "c2", "sh", False)
        sink.arguments(1, '{"input":"pw')
        sink.call(2, "c3", "f", False)
        sink.arguments(2, "{}")
        sink.arguments(1, 'd \\u00e9"}')

    # OpenAI's client has no type for a custom call in a stream and fails to parse the last one; its pieces it joins.
    calls: dict[object, object] = {}
    for delta in deltas(streamed(tell, request, "tool_calls")):
        calls = accumulate_delta(calls, {"tool_calls": delta.get("tool_calls", [])})
    assert calls["tool_calls"] == [
        {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "sh", "input": "ls"}},
        {"index": 1, "id": "c2", "type": "custom", "custom": {"name": "sh", "input": "pwd é"}},
        {"index": 2, "id": "c3", "type": "function", "function": {"name": "f", "arguments": "{}"}},
    ]


def test_thinking_comes_back_as_it_went() -> None:
    def tell(sink: ChatSink) -> None:
        sink.thinking("I ")
        sink.thinking("think.")
        sink.signature("s1")
        sink.sealed("sealed", "rs_1")
        sink.thinking("More.")
        sink.signature("s2")
        sink.text("So.")

    message = final(streamed(tell)).choices[0].message.to_dict()
    del message["parsed"]  # the client itself leaves it out when it sends a message back
    assert message["reasoning_content"] == "I think.More."
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}, message]}
    request, _ = CLIENT.read_request(json.dumps(body).encode(), False)
    assert [(part.text, getattr(part, "signature", "")) for part in request.turns[1].parts] == [
        ("I think.", "s1"),
        ("", ""),
        ("More.", "s2"),
        ("So.", ""),
    ]
    assert request.turns[1].parts[1].sealed == "sealed"


def test_thinking_is_kept_back_if_the_client_wants_none() -> None:
    def tell(sink: ChatSink) -> None:
        sink.thinking("I think.")
        sink.signature("s1")
        sink.text("So.")

    silent = Request(model="m", turns=(), reasoning=Reasoning("low", show="none"))
    assert [set(delta) for delta in deltas(streamed(tell, silent))] == [
        {"role", "content", "refusal"},
        {"content"},
        set(),
    ]


def test_a_signature_of_another_maker_stands_on_its_call() -> None:
    signature = marked("gemini", "g", "s")

    def tell(sink: ChatSink) -> None:
        sink.thinking("")
        sink.signature(signature)
        sink.call(0, "c1", "f", False)
        sink.call(1, "c2", "f", False)

    message = final(streamed(tell)).choices[0].message.to_dict()
    assert message["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": signature}}
    assert "extra_content" not in message["tool_calls"][1]
    assert "thinking_blocks" not in message


def test_citations_come_in_one_chunk() -> None:
    def tell(sink: ChatSink) -> None:
        sink.text("One. ")
        sink.citation(Citation("https://a", "A"))
        sink.boundary()
        sink.citation(Citation("https://b", "B", start=1, end=2))
        sink.citation(Citation(quote="of a document"))
        sink.text("Two.")

    message = final(streamed(tell)).choices[0].message.to_dict()
    assert [each["url_citation"] for each in message["annotations"]] == [
        {"url": "https://a", "title": "A", "start_index": 0, "end_index": 5},
        {"url": "https://b", "title": "B", "start_index": 6, "end_index": 7},
    ]


def test_logprobs() -> None:
    def tell(sink: ChatSink) -> None:
        sink.text("a", (Logprob("a", -0.5, (97,), (Logprob("b", -1.0),)),))
        sink.text("b", (Logprob("b", -0.25),))

    completion = final(streamed(tell))
    assert [(each.token, each.logprob) for each in completion.choices[0].logprobs.content] == [
        ("a", -0.5),
        ("b", -0.25),
    ]


def test_a_client_of_functions_gets_a_function_call() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "functions": [{"name": "f"}]}
    request, _ = CLIENT.read_request(json.dumps(body).encode(), False)

    def tell(sink: ChatSink) -> None:
        sink.call(0, "c1", "f", False)
        sink.arguments(0, '{"a":1}')

    (choice,) = final(streamed(tell, request, "tool_calls")).choices
    assert choice.message.function_call.arguments == '{"a":1}'
    assert choice.message.tool_calls is None
    assert choice.finish_reason == "function_call"


@pytest.mark.parametrize(
    ("finish", "refused", "word"),
    [
        ("stop", False, "stop"),
        ("stop_sequence", False, "stop"),
        ("length", False, "length"),
        ("context", False, "length"),
        ("pause", False, "stop"),
        ("content_filter", False, "content_filter"),
        ("refusal", False, "content_filter"),
        ("refusal", True, "stop"),
    ],
)
def test_why_it_ended(finish: Finish, refused: bool, word: str) -> None:
    def tell(sink: ChatSink) -> None:
        sink.text("a")
        if refused:
            sink.refusal("no")

    stream = streamed(tell, finish=finish)
    assert chunks(stream)[-1]["choices"][0]["finish_reason"] == word
    if word == "stop":  # the others its client makes exceptions of
        assert final(stream).choices[0].finish_reason == word


def test_an_empty_answer_has_a_role_and_an_end() -> None:
    assert deltas(streamed(lambda sink: None)) == [{"role": "assistant", "content": "", "refusal": None}, {}]


def test_langchain_reads_it() -> None:
    from langchain_openai import ChatOpenAI

    def tell(sink: ChatSink) -> None:
        sink.text("Hi")
        sink.call(0, "c1", "f", False)
        sink.arguments(0, '{"a":1}')
        sink.usage(Usage(3, 2))

    stream = streamed(tell, WITH_USAGE, "tool_calls")

    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=stream)

    client = openai.OpenAI(
        api_key="none", base_url="http://x/v1", http_client=httpx2.Client(transport=httpx2.MockTransport(answer))
    )
    model = ChatOpenAI(model="m", api_key="none", client=client.chat.completions, stream_usage=True)
    total: Any = None
    for piece in model.stream("x"):
        total = piece if total is None else total + piece
    assert total.content == "Hi"
    assert total.tool_calls == [{"name": "f", "args": {"a": 1}, "id": "c1", "type": "tool_call"}]
    assert total.usage_metadata["total_tokens"] == 5
