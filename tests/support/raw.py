"""One client connection by its bytes, for what no HTTP library would send or accept."""

from __future__ import annotations

import json
import socket
import time
from types import TracebackType
from typing import Any, NamedTuple, Self

from twintrack.wire.http1 import Chunked


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool
    """The body ended as its framing says it should."""

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["x-twintrack-id"]


class Raw:
    """Sends bytes and reads framed answers."""

    def __init__(self, port: int, timeout_s: float = 20.0, *, receive_buffer: int = 0) -> None:
        """`receive_buffer`: bytes the kernel may take for us, 0 for its default."""
        self.socket = socket.socket()
        self.socket.settimeout(timeout_s)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError:
            self.socket.close()
            raise
        self.held = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))

    def post(self, path: str, body: dict[str, Any] | bytes, headers: dict[str, str] | None = None) -> None:
        self.send(request("POST", path, body if isinstance(body, bytes) else json.dumps(body).encode(), headers))

    def reset(self) -> None:
        """Leave as a crashed client does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def until(self, mark: bytes) -> bytes:
        """Everything up to and with `mark`; AssertionError if the connection ends before."""
        while mark not in self.held:
            if not self._more():
                raise AssertionError(f"the connection ended before {mark!r}: {self.held!r}")
        found, _, self.held = self.held.partition(mark)
        return found + mark

    def rest(self) -> bytes:
        """Everything until the server closes."""
        while self._more():
            pass
        found, self.held = self.held, b""
        return found

    def closed(self, within_s: float = 5.0) -> bool:
        """Whether the server closes, without another byte."""
        self.socket.settimeout(within_s)
        try:
            return not self.held and not self._more()
        except TimeoutError:
            return False

    def answer(self, *, method: str = "POST") -> Answer:
        """The next whole answer; one that breaks off is not `complete`."""
        head = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        status = int(head[0].split()[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        if method == "HEAD":
            return Answer(status, headers, b"", True)
        if "content-length" in headers:
            length = int(headers["content-length"])
            while len(self.held) < length and self._more():
                pass
            body, self.held = self.held[:length], self.held[length:]
            return Answer(status, headers, body, len(body) == length)
        if headers.get("transfer-encoding") == "chunked":
            chunked, body = Chunked(), b""
            while True:
                body += b"".join(chunked.feed(self.held))
                self.held = chunked.rest
                if chunked.done or not self._more():
                    return Answer(status, headers, body, chunked.done)
        return Answer(status, headers, self.rest(), True)

    def _more(self) -> bool:
        try:
            data = self.socket.recv(65_536)
        except ConnectionResetError:
            return False
        self.held += data
        return bool(data)


def request(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    said = {"host": "localhost", "content-type": "application/json", "content-length": str(len(body))} | (headers or {})
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in said.items() if value), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def events(body: bytes) -> list[Any]:
    """Data of the server-sent events of a stream: JSON where it is JSON, else text."""
    found: list[Any] = []
    for event in body.split(b"\n\n"):
        for line in event.splitlines():
            if line.startswith(b"data: "):
                text = line[6:].decode()
                try:
                    found.append(json.loads(text))
                except ValueError:
                    found.append(text)
    return found


def words(body: bytes) -> str:
    """The text of a streamed chat completion."""
    return "".join(
        choice["delta"].get("content") or ""
        for event in events(body)
        if isinstance(event, dict)
        for choice in event.get("choices", ())
    )


def now() -> float:
    return time.monotonic()
