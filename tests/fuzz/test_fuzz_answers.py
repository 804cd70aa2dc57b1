"""Whatever a provider says: the client gets a right answer or a well-formed error, never a cut one that looks whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

import pytest
from http1_corpus import attacked
from stream_texts import reference

from support.fuzzing.answers import STREAMED, WHOLE, chunk, cut, framed_head, good, spoilt
from support.fuzzing.bodies import GOOD
from support.fuzzing.campaign import Campaign
from support.fuzzing.inside import Inside, answers
from support.fuzzing.secrets import ENVIRON, PROMPT, SECRETS, config
from support.raw import request
from twintrack.wire import sse
from twintrack.wire.http1 import CHUNKED
from twintrack.wire.passage import TranslatedStream

SHORT, LONG = 2_000, 300_000
PATHS = {"chat": "/v1/chat/completions", "messages": "/v1/messages", "responses": "/v1/responses"}
SPEAKS = {"m": "chat", "sonnet": "messages", "resp": "responses", "gem": "generate"}
"""By model: the endpoint its provider is asked at."""
WAYS = [(client, model, streamed) for client in PATHS for model in SPEAKS for streamed in (False, True)]
WAYS += [("embeddings", "vectors", False), ("count_tokens", "sonnet", False)]


@pytest.fixture(scope="module")
def spoiling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """As `inside`; its providers say what a test lets them."""
    found = Inside(config({}, keys=False), tmp_path_factory.mktemp("spoiling"), good, ENVIRON)
    with found.turning():
        yield found


def question(client: str, model: str, streamed: bool) -> bytes:
    said: dict[str, Any] = {"model": model}
    if client in ("chat", "messages", "count_tokens"):
        said["messages"] = [{"role": "user", "content": PROMPT}]
    else:
        said["input"] = PROMPT
    if client == "messages":
        said["max_tokens"] = 9
    if streamed:
        said["stream"] = True
    paths = PATHS | {"embeddings": "/v1/embeddings", "count_tokens": "/v1/messages/count_tokens"}
    assert paths[client] in GOOD
    return request("POST", paths[client], json.dumps(said).encode())


# ---- what comes back


def ended(client: str, body: bytes) -> bool:
    """Whether a stream says that it is whole, as somebody reads it who goes by the standard."""
    for event in re.sub(rb"\r\n?", b"\n", body).split(b"\n\n")[:-1]:
        data = b"\n".join(line[5:] for line in event.split(b"\n") if line.startswith(b"data:"))
        if data.strip() == b"[DONE]":
            return True
        try:
            said = json.loads(data)
        except (ValueError, RecursionError):
            continue
        if not isinstance(said, dict):
            continue
        if client == "chat":
            choices = said.get("choices")
            if isinstance(choices, list) and any(
                isinstance(each, dict) and each.get("finish_reason") for each in choices
            ):
                return True
        elif said.get("type") in ("message_stop", "response.completed", "response.incomplete", "response.failed"):
            return True
    return False


def outcome(client: str, streamed: bool, heard: bytes, capsys: pytest.CaptureFixture[str]) -> str:
    """AssertionError: something is wrong with what a client heard."""
    for secret in SECRETS:
        assert secret not in heard, f"it comes out: {heard[:2000]!r}"
    said = capsys.readouterr()
    assert not said.err, said.err
    ((head, body),) = answers(heard)
    if head.status != 200:
        assert head.status in (502, 504), f"{head.status} {body[:600]!r}"
        error = json.loads(body)["error"]
        assert error["message"], body
        return str(head.status)
    if not streamed:
        assert head.length == len(body)
        json.loads(body)
        return "whole"
    assert head.length == CHUNKED
    if not heard.endswith(b"0\r\n\r\n"):
        assert b"error" in body, f"cut without a word: {body[-400:]!r}"
        return "broken"
    assert ended(client, body), f"a clean end behind {body[-600:]!r}"
    return "streamed"


# ---- bodies


def framed(random: Random, streamed: bool, body: bytes) -> list[bytes]:
    """As a provider sends it: by length or in chunks, the connection left open or not."""
    if random.random() < 0.5:
        pieces = [framed_head(streamed, len(body)) + body[:0], *cut(random, body)]
    else:
        sent = b"".join(map(chunk, cut(random, body, 4))) + b"0\r\n\r\n"
        pieces = [framed_head(streamed, None), *cut(random, sent)]
    return [*pieces, b""] if random.random() < 0.5 else pieces


def bodies(spoiling: Inside, capsys: pytest.CaptureFixture[str], seed: int) -> Campaign:
    """A case is the number of a way, and what a provider says on it."""

    def make(random: Random) -> bytes:
        way = random.randrange(len(WAYS))
        _, model, streamed = WAYS[way]
        endpoint = {"vectors": "embeddings"}.get(model, SPEAKS.get(model, ""))
        if WAYS[way][0] == "count_tokens":
            endpoint = "count_tokens"
        pieces = random.choice(STREAMED[endpoint]) if streamed else WHOLE[endpoint]
        return bytes((way,)) + spoilt(random, pieces)

    def check(case: bytes) -> str:
        client, model, streamed = WAYS[case[0] % len(WAYS)] if case else WAYS[0]
        body = case[1:]
        random = Random(len(body))
        asked = [question(client, model, streamed)]

        def hear() -> tuple[str, bytes]:
            spoiling.say = lambda _: framed(random, streamed, body)
            heard = spoiling.converse(asked)
            return outcome(client, streamed, heard, capsys), heard

        found, _ = hear()
        if len(body) % 4 == 0:  # cut elsewhere, it says the same
            again, _ = hear()
            assert again == found or {again, found} <= {"502", "broken"}, f"{found}, and cut elsewhere {again}"
        return f"{'streamed' if streamed else 'whole'} as {found}"

    return Campaign("provider bodies", seed, make, check)


def test_bodies_of_providers(spoiling: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = bodies(spoiling, capsys, 1).run(SHORT)
    assert min(outcomes[each] for each in ("whole as whole", "streamed as streamed", "streamed as broken")) > SHORT / 50


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 8))
def test_three_hundred_thousand_bodies_of_providers(
    spoiling: Inside, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    bodies(spoiling, capsys, seed).run(LONG // 6)


# ---- HTTP


def messages(spoiling: Inside, capsys: pytest.CaptureFixture[str], seed: int) -> Campaign:
    """A case is the number of a way, and the bytes of a whole HTTP answer."""

    def make(random: Random) -> bytes:
        way = random.randrange(len(WAYS) - 2)
        _, model, streamed = WAYS[way]
        pieces = random.choice(STREAMED[SPEAKS[model]]) if streamed else WHOLE[SPEAKS[model]]
        sent = b"".join(framed(random, streamed, b"".join(pieces)))
        if random.random() < 0.1:
            sent = b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" * random.choice((1, 2, 9)) + sent
        return bytes((way,)) + attacked(random, "response", sent)

    def check(case: bytes) -> str:
        client, model, streamed = WAYS[case[0] % (len(WAYS) - 2)] if case else WAYS[0]
        random = Random(len(case))
        spoiling.say = lambda _: [*cut(random, case[1:]), b""]
        heard = spoiling.converse([question(client, model, streamed)])
        ((head, body),) = answers(heard)
        if 300 <= head.status < 500:  # the attack made it an error of the provider's own, which is passed on
            assert json.loads(body)["error"]["message"]
            return "passed on"
        return outcome(client, streamed, heard, capsys)

    return Campaign("provider HTTP", seed, make, check)


def test_http_of_providers(spoiling: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    outcomes = messages(spoiling, capsys, 1).run(SHORT // 2)
    assert outcomes["502"] > SHORT / 50


@pytest.mark.long
def test_a_hundred_thousand_http_answers_of_providers(spoiling: Inside, capsys: pytest.CaptureFixture[str]) -> None:
    messages(spoiling, capsys, 2).run(LONG // 3)


# ---- events


class _Collects:
    """A reader and its sink that only remember."""

    content, finished, failure = True, False, ""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def see(self, payload: bytes) -> None:
        self.seen.append(payload)

    def close(self) -> None:
        return

    def take(self) -> bytes:
        return b""


_LINES = (
    b"data: a", b"data:b", b"data:  c", b"data", b"data:", b"data: {}", b": comment", b":", b"event: x", b"event:",
    b"id: 1", b"retry: 9", b"", b"", b"", b"Data: no", b" data: no", b"data : no", b"xdata: no", b"data: \xff",
    b"data: \0", b"data: \xe2\x80\xa8x", b"event: data: x", b"data: [DONE]", b"data: event: y", b"nonsense",
    b"data: \x0b\x0c\x1c\x85 z",
)  # fmt: skip
_ENDS = (b"\n", b"\n", b"\r\n", b"\r")


def said(payloads: Iterable[bytes]) -> list[bytes]:
    """Empty data counts for nothing with us, nor does an empty line in it: a `data` without a colon makes one."""
    return [found for data in payloads if (found := b"\n".join(line for line in data.split(b"\n") if line))]


def events(seed: int) -> Campaign:
    """A case is the text of a stream."""

    def make(random: Random) -> bytes:
        text = b""
        end = random.choice(_ENDS)
        for _ in range(random.randrange(1, 14)):
            text += random.choice(_LINES) + (random.choice(_ENDS) if random.random() < 0.3 else end)
        for _ in range(random.choice((0, 0, 0, 1, 3))):
            at = random.randrange(len(text) + 1)
            text = (
                text[:at]
                + random.choice((b"\n", b"\r", b"data:", b" ", b":", b"\0"))
                + text[at + random.randrange(2) :]
            )
        return text

    def check(case: bytes) -> str:
        expected = said(reference(case))
        assert said(sse.payloads(case)) == expected
        events, rest = sse.split(case)
        assert b"".join(events) + rest == case
        collects = _Collects()
        stream = TranslatedStream(collects, lambda sink: collects)  # type: ignore[arg-type,return-value]
        for piece in cut(Random(len(case)), case):
            stream.feed(piece)
        assert said(collects.seen) == expected
        return f"{len(expected)} events"

    return Campaign("server-sent events", seed, make, check)


def test_events_are_those_of_a_slow_reader(capsys: pytest.CaptureFixture[str]) -> None:
    events(1).run(SHORT)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 5))
def test_three_hundred_thousand_event_streams(seed: int) -> None:
    events(seed).run(LONG // 3)
