"""What a client reads in an answer, dialect by dialect."""

from __future__ import annotations

import json
import re
from typing import Any

_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\n|\r(?!$))")
"""A line whose end is known: a carriage return at the end of what came may be half of one."""


class Said:
    """What a stream has told so far."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._held = b""
        self._data: list[bytes] = []
        self.text = ""
        self.words = 0
        self.ended = False
        self.failed = False
        self.garbled = False
        """It sent something that is no JSON: behind content a provider's own bytes go on as they come."""

    def __repr__(self) -> str:
        return f"{self.words} words, ended {self.ended}, failed {self.failed}, text {self.text[-80:]!r}"

    def feed(self, data: bytes) -> None:
        self._held += data
        at = 0
        for match in _LINE.finditer(self._held):
            at = match.end()
            line = match[1]
            if line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
            elif not line and self._data:
                self._see(b"\n".join(self._data))
                self._data = []
        self._held = self._held[at:]

    def close(self) -> None:
        """Nothing more comes."""
        if self._held.endswith(b"\r"):
            self.feed(b"\n")

    @property
    def inside(self) -> bool:
        """An event began and did not end."""
        return bool(self._data or self._held.strip())

    def _see(self, data: bytes) -> None:
        if data == b"[DONE]":
            self.ended = True
            return
        try:
            said = json.loads(data.decode())
        except ValueError:  # no JSON, or no UTF-8
            self.garbled = True
            return
        if self._endpoint == "chat":
            self._chat(said)
        elif self._endpoint == "messages":
            self._typed(said, "content_block_delta", "message_stop")
        else:
            self._typed(said, "response.output_text.delta", "response.completed")

    def _chat(self, said: dict[str, Any]) -> None:
        if "error" in said:
            self.failed = True
        for choice in said.get("choices", ()):
            self._word(choice["delta"].get("content"))
            if choice.get("finish_reason"):  # not every server sends [DONE]
                self.ended = True

    def _typed(self, said: dict[str, Any], word: str, end: str) -> None:
        kind = said["type"]
        if kind in ("error", "response.failed"):
            self.failed = True
        elif kind == end:
            self.ended = True
        elif kind == word:
            delta = said["delta"]
            self._word(delta if isinstance(delta, str) else delta.get("text"))

    def _word(self, text: str | None) -> None:
        if text:
            self.text += text
            self.words += 1


def is_error(endpoint: str, said: Any) -> bool:
    """Whether it is an error as the endpoint's dialect writes one."""
    error = said["error"]
    if endpoint == "messages" and said["type"] != "error":
        return False
    return isinstance(error["message"], str) and bool(error["message"]) and isinstance(error["type"], str)


def text_of(endpoint: str, said: dict[str, Any]) -> str:
    """Of a whole answer, chat, messages or responses; empty if it does not say that it is complete."""
    if endpoint == "chat":
        choice = said["choices"][0]
        return str(choice["message"]["content"]) if choice["finish_reason"] else ""
    if endpoint == "messages":
        return "".join(part["text"] for part in said["content"]) if said["stop_reason"] else ""
    parts = [part["text"] for item in said["output"] for part in item.get("content", ())]
    return "".join(parts) if said["status"] == "completed" else ""
