"""An answer to a client of chat completions, chunk by chunk.

Text and thinking are written by putting bytes together: what a chunk repeats is made once a stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from twintrack.wire.canonical import custom
from twintrack.wire.canonical.answer import Finish, Reply
from twintrack.wire.canonical.parts import Citation, Logprob, Thinking
from twintrack.wire.canonical.signature import unmarked
from twintrack.wire.dialects.chat.read_request import FunctionsRequest
from twintrack.wire.dialects.chat.write_answer import (
    annotation,
    custom_names,
    finish_word,
    logprob,
    shows_thinking,
    thinking_block,
)
from twintrack.wire.dialects.untaken import Untaken
from twintrack.wire.reported.openai import as_openai
from twintrack.wire.usage import NO_USAGE, Usage

_encode = msgspec.json.Encoder().encode


class ChatSink(Untaken):
    __slots__ = (
        "_argued",
        "_cited",
        "_custom_names",
        "_finish_tail",
        "_finished",
        "_functions",
        "_head",
        "_inputs",
        "_part_begin",
        "_refused",
        "_reply",
        "_role_due",
        "_shows",
        "_signature",
        "_signed",
        "_signed_at",
        "_tail",
        "_text_head",
        "_thinking_head",
        "_thoughts",
        "_usage",
        "_written",
    )

    def __init__(self, reply: Reply) -> None:
        request = reply.request
        self._reply = reply
        super().__init__()
        """What was left to take at the end: anything told behind it is not written."""
        self._role_due = True
        self._refused = False
        self._finished = False
        self._usage = NO_USAGE
        self._shows = shows_thinking(request)
        self._functions = isinstance(request, FunctionsRequest)
        self._custom_names = custom_names(request) if request.tools else frozenset()
        self._thoughts: list[str] = []
        """Thinking since the last signature."""
        self._signature = ""
        """Google's, of the call that comes next, unless text comes first."""
        self._signed_at = 0
        self._signed = 0
        """Thinking blocks written."""
        self._argued: list[int] = []
        """By call: how many pieces of arguments were written; -1: it is custom and may have none."""
        self._inputs: dict[int, list[str]] = {}
        """Arguments of calls that a provider made as functions and the client declared as custom tools: held back,
        until the end, since their text is known only when they are complete."""
        self._written = 0
        """Characters of text."""
        self._part_begin = 0
        self._cited: list[tuple[Citation, int, int]] = []
        """With where its text part begins and ends; an end of -1 is not known yet."""
        usage = b',"usage":null' if request.stream_usage else b""
        self._tail = b'},"logprobs":null,"finish_reason":null}]%b}\n\n' % usage
        self._finish_tail = b'"}]%b}\n\n' % usage
        self._head = self._text_head = self._thinking_head = b""
        self._set_head("", "", 0)

    def _set_head(self, id: str, model: str, created: int) -> None:
        reply = self._reply
        self._head = b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":[' % (
            _encode(id or f"chatcmpl-{reply.id}"),
            created or reply.now,
            _encode(model or reply.request.model),
        )
        self._text_head = self._head + b'{"index":0,"delta":{"content":'
        self._thinking_head = self._head + b'{"index":0,"delta":{"reasoning_content":'

    def begin(self, id: str, model: str, created: int) -> None:
        self._set_head(id, model, created)

    def text(self, piece: str, logprobs: tuple[Logprob, ...] = ()) -> None:
        if self._role_due:
            self._write_role(b'""')
        self._written += len(piece)
        if logprobs:
            self._write_probable(piece, logprobs)
        elif piece:
            self._out.append(b"%b%b%b" % (self._text_head, _encode(piece), self._tail))

    def thinking(self, piece: str) -> None:
        if not self._shows or not piece:
            return
        if self._role_due:
            self._write_role(b"null")
        self._thoughts.append(piece)
        self._out.append(b"%b%b%b" % (self._thinking_head, _encode(piece), self._tail))

    def signature(self, signature: str) -> None:
        text = "".join(self._thoughts)
        self._thoughts.clear()
        if unmarked(signature).maker:
            self._signature, self._signed_at = signature, self._written
            if not text:
                return
        self._write_block(Thinking(text, signature))

    def sealed(self, data: str, id: str) -> None:
        self._write_block(Thinking(sealed=data, id=id))

    def citation(self, citation: Citation) -> None:
        """All are written at the end, in one chunk: OpenAI's own client cannot join several."""
        if citation.url:
            self._cited.append((citation, self._part_begin, -1))

    def refusal(self, piece: str) -> None:
        if piece:
            self._refused = True
            self._delta({"refusal": piece})

    def call(self, call: int, id: str, name: str, custom: bool) -> None:
        if custom or name in self._custom_names:
            self._argued.append(-1)
            if not custom:
                self._inputs[call] = []
            said: dict[str, Any] = {"type": "custom", "custom": {"name": name, "input": ""}}
        else:
            self._argued.append(0)
            if self._functions and call == 0:
                self._delta({"function_call": {"name": name, "arguments": ""}})
                return
            said = {"type": "function", "function": {"name": name, "arguments": ""}}
        if self._signature and self._signed_at == self._written:
            said["extra_content"] = {"google": {"thought_signature": self._signature}}
        self._signature = ""
        self._delta({"tool_calls": [{"index": self._index(call), "id": id, **said}]})

    def arguments(self, call: int, piece: str) -> None:
        if call in self._inputs:
            self._inputs[call].append(piece)
        elif piece:
            self._write_arguments(call, piece)

    def boundary(self) -> None:
        end = self._written
        self._cited = [(cited, begin, end if to < 0 else to) for cited, begin, to in self._cited]
        self._part_begin = end

    def usage(self, usage: Usage) -> None:
        self._usage = usage

    def finish(self, reason: Finish, stop_sequence: str = "") -> None:
        if self._finished:
            return
        self._finished = True
        for call, held in self._inputs.items():
            if text := custom.unwrapped("".join(held)):
                self._write_arguments(call, text)
        for call, pieces in enumerate(self._argued):
            if pieces == 0:  # a call without parameters is one with an empty object
                self._write_arguments(call, "{}")
        if self._cited:
            self.boundary()
            self._delta({"annotations": [annotation(cited, begin, end) for cited, begin, end in self._cited]})
        if self._role_due:
            self._write_role(b'""')
        word = finish_word(reason, self._refused)
        if self._functions and word == "tool_calls" and len(self._argued) == 1:
            word = "function_call"
        self._out.append(
            b'%b{"index":0,"delta":{},"logprobs":null,"finish_reason":"%b%b'
            % (
                self._head,
                word.encode(),
                self._finish_tail,
            )
        )

    def end(self) -> None:
        if self._last is not None:
            return
        if self._reply.request.stream_usage:
            usage = as_openai(self._usage)
            if usage is not None:
                self._out.append(b'%b],"usage":%b}\n\n' % (self._head, _encode(usage)))
        self._out.append(b"data: [DONE]\n\n")
        self._last = b"".join(self._out)

    def _write_role(self, content: bytes) -> None:
        self._role_due = False
        self._out.append(
            b'%b{"index":0,"delta":{"role":"assistant","content":%b,"refusal":null%b'
            % (
                self._head,
                content,
                self._tail,
            )
        )

    def _delta(self, delta: Mapping[str, Any]) -> None:
        if self._role_due:
            self._write_role(b"null")
        self._out.append(b'%b{"index":0,"delta":%b%b' % (self._head, _encode(delta), self._tail[1:]))

    def _write_probable(self, piece: str, logprobs: tuple[Logprob, ...]) -> None:
        said = {"content": [logprob(each) for each in logprobs], "refusal": None}
        tail = self._tail.replace(b'"logprobs":null', b'"logprobs":%b' % _encode(said), 1)
        self._out.append(b"%b%b%b" % (self._text_head, _encode(piece), tail))

    def _write_block(self, thinking: Thinking) -> None:
        if not self._shows:
            return
        self._delta({"thinking_blocks": [{"index": self._signed, **thinking_block(thinking)}]})
        self._signed += 1

    def _index(self, call: int) -> int:
        """The first call of a client that knows no `tool_calls` is its `function_call`."""
        return call - 1 if self._functions else call

    def _write_arguments(self, call: int, piece: str) -> None:
        pieces = self._argued[call]
        if pieces < 0:
            self._delta({"tool_calls": [{"index": self._index(call), "custom": {"input": piece}}]})
            return
        self._argued[call] = pieces + 1
        if self._functions and call == 0:
            self._delta({"function_call": {"arguments": piece}})
            return
        self._out.append(
            b'%b{"index":0,"delta":{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]%b'
            % (
                self._head,
                self._index(call),
                _encode(piece),
                self._tail,
            )
        )
