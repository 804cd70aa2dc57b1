"""What providers do wrong, as scripts, with what the ledger should say about it."""

from __future__ import annotations

from typing import NamedTuple

from twintrack.providers.scripted import Script, chat_answer, chat_events, error_answer, message_events, stream


class Fault(NamedTuple):
    script: Script
    state: str
    outcome: str
    """Of the ledger's row."""


_FAILED = ("unknown", "upstream_failed")
_LATE = ("unknown", "upstream_timeout")
_REFUSED = ("released", "upstream_refused")
_HEAD = b"HTTP/1.1 200 OK\r\n"


def raw(*pieces: bytes | float, end: str = "close") -> Script:
    return Script(framing="raw", pieces=pieces, end=end)  # type: ignore[arg-type]


_CHAT = chat_answer("too late")
_ROLE, *_ = chat_events([])

BEFORE_CONTENT: dict[str, Fault] = {
    "401": Fault(error_answer(401), *_REFUSED),
    "403": Fault(error_answer(403), *_REFUSED),
    "404": Fault(error_answer(404), *_REFUSED),
    "408": Fault(error_answer(408), *_REFUSED),
    "429": Fault(error_answer(429, retry_after="1"), *_REFUSED),
    "402": Fault(error_answer(402), *_REFUSED),
    "500": Fault(error_answer(500), *_REFUSED),
    "503": Fault(error_answer(503), *_REFUSED),
    "529": Fault(error_answer(529), *_REFUSED),
    "redirect": Fault(Script(status=302, headers=(("location", "http://169.254.169.254/latest"),)), *_REFUSED),
    "created": Fault(Script(status=201, pieces=_CHAT.pieces), *_REFUSED),
    "nothing": Fault(raw(), *_FAILED),
    "reset": Fault(raw(end="reset"), *_FAILED),
    "reset in the head": Fault(raw(_HEAD + b"content-ty", end="reset"), *_FAILED),
    "reset in the body": Fault(raw(_HEAD + b'content-length: 90\r\n\r\n{"choices', end="reset"), *_FAILED),
    "too short": Fault(Script(pieces=_CHAT.pieces, claim=5_000, end="close"), *_FAILED),
    "no json": Fault(Script(pieces=(b'{"choices": [',)), *_FAILED),
    "html": Fault(Script(headers=(("content-type", "text/html"),), pieces=(b"<html>502</html>",)), *_FAILED),
    "empty": Fault(Script(), *_FAILED),
    "no utf-8": Fault(Script(pieces=(b'{"\xff": 1}',)), *_FAILED),
    "error in a 200": Fault(Script(pieces=(b'{"error": {"message": "overloaded"}}',)), *_FAILED),
    "compressed": Fault(
        Script(headers=(("content-type", "application/json"), ("content-encoding", "gzip")), pieces=(b"\x1f\x8b",)),
        *_FAILED,
    ),
    "too large": Fault(Script(pieces=(b" " * 100_000,) * 30), *_FAILED),
    "both lengths": Fault(raw(_HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}"), *_FAILED),
    "bad chunk": Fault(raw(_HEAD + b"transfer-encoding: chunked\r\n\r\nxyz\r\n"), *_FAILED),
    "header flood": Fault(raw(_HEAD + b"x: 1\r\n" * 500 + b"\r\n"), *_FAILED),
    "head without end": Fault(raw(_HEAD + b"x: " + b"1" * 200_000), *_FAILED),
    "1xx flood": Fault(raw(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 50), *_FAILED),
    "upgrade": Fault(raw(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n"), *_FAILED),
    "no http": Fault(raw(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"), *_FAILED),
    "silent": Fault(Script(framing="raw", end="hang"), *_LATE),
    "silent behind its head": Fault(raw(_HEAD + b"content-length: 10\r\n\r\n", end="hang"), *_LATE),
}
"""For an unstreamed answer. A gateway that meets these needs `max_answer_bytes` of 2 MB and short deadlines."""

BEFORE_STREAMED_CONTENT: dict[str, Fault] = {
    name: BEFORE_CONTENT[name] for name in ("401", "429", "500", "redirect", "nothing", "reset", "silent", "compressed")
} | {
    "no stream": Fault(_CHAT, *_FAILED),
    "error event": Fault(stream([b'data: {"error": {"message": "overloaded"}}\n\n']), *_FAILED),
    "error event behind the role": Fault(stream([_ROLE, b'data: {"error": {"message": "x"}}\n\n']), *_FAILED),
    "no json event": Fault(stream([_ROLE, b"data: {nonsense\n\n"]), *_FAILED),
    "no utf-8 event": Fault(stream([b'data: {"choices":[{"finish_reason":"\xff"}]}\n\n']), *_FAILED),
    "no content": Fault(stream([_ROLE]), *_FAILED),
    "only done": Fault(stream([b"data: [DONE]\n\n"]), *_FAILED),
    "only comments": Fault(stream([b": x\n\n"] * 3), *_FAILED),
    "endless prelude": Fault(stream([b": " + b"x" * 60_000 + b"\n\n"] * 20), *_FAILED),
    "endless line": Fault(stream([b"data: " + b"x" * 600_000]), *_FAILED),
    "breaks behind the role": Fault(stream([_ROLE], end="reset"), *_FAILED),
    "stalls behind the role": Fault(stream([_ROLE], end="hang"), *_LATE),
}
"""For a streamed one."""

_WORDS = chat_events(["one", " two"], usage=None, done=False)
_MESSAGE = message_events(["one", " two"])[:5]
_WITH_USAGE = chat_events(["one", " two"])
"""Up to and with [DONE]."""

AFTER_CONTENT: dict[str, Fault] = {
    "reset": Fault(stream(_WORDS, end="reset"), *_FAILED),
    "closed": Fault(stream(_WORDS, end="close"), *_FAILED),
    "ends without a finish": Fault(stream(_WORDS), *_FAILED),
    "error event": Fault(stream([*_WORDS, b'data: {"error": {"message": "out of memory"}}\n\n']), *_FAILED),
    "half an event": Fault(stream([*_WORDS, b'data: {"choices":[{"ind']), *_FAILED),
    "half an event and a reset": Fault(stream([*_WORDS, b'data: {"choices":[{"ind'], end="reset"), *_FAILED),
    "half a long event": Fault(stream([*_WORDS, b'data: {"choices":[' + b" " * 40_000], end="close"), *_FAILED),
    "stalls": Fault(stream(_WORDS, end="hang"), *_LATE),
    "bad chunk": Fault(
        raw(
            _HEAD + b"content-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n",
            *[b"%x\r\n%b\r\n" % (len(each), each) for each in _WORDS],
            0.1,  # else all of it is read at once, and none of it believed
            b"nonsense\r\n",
        ),
        *_FAILED,
    ),
    "reset behind its usage": Fault(stream(_WITH_USAGE[:-1], end="reset"), "settled", "upstream_failed"),
}
"""Each has sent the words `one two` before."""

AFTER_MESSAGE_CONTENT: dict[str, Fault] = {
    "reset": Fault(stream(_MESSAGE, end="reset"), *_FAILED),
    "closed": Fault(stream(_MESSAGE, end="close"), *_FAILED),
    "ends without a stop": Fault(stream(_MESSAGE), *_FAILED),
    "error event": Fault(
        stream(
            [*_MESSAGE, b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n']
        ),
        *_FAILED,
    ),
    "half an event": Fault(stream([*_MESSAGE, b"event: content_block_delta\ndata: {"]), *_FAILED),
    "stalls": Fault(stream(_MESSAGE, end="hang"), *_LATE),
}
