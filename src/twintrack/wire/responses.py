"""OpenAI responses: POST /v1/responses (OpenAI API reference, spec 2.3.0)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from twintrack.errors import TwintrackError, UpstreamError
from twintrack.wire import chat
from twintrack.wire.body import member, with_first, with_members, with_model
from twintrack.wire.dialect import UNREADABLE, Asked, Endpoint, Tokens, has_labels, without_labels
from twintrack.wire.prompt import Prompt
from twintrack.wire.reported.openai import ResponsesUsage, responses_usage
from twintrack.wire.stream import TAIL_BYTES, PassingStream
from twintrack.wire.usage import Odd, Usage

OUR_MARK = "twintrack."
"""How `encrypted_content` begins that stands for what another dialect's provider wants back."""
OUR_REASONING = "rs_tt_"
"""How the id of a reasoning item begins that was made here."""

_MODALITY_OF_PART = {
    "input_image": "image",
    "computer_screenshot": "image",
    "input_audio": "audio",
    "input_file": "file",
}
_NO_TOOL = frozenset(
    (
        "message",
        "reasoning",
        "item_reference",
        "configuration_update",
        "compaction",
        "compaction_summary",
        "compaction_trigger",
    )
)
"""Items that are neither a call of a tool nor its result."""
_NO_WORDS = frozenset(("type", "image_url", "file_id", "file_data", "encrypted_content"))


class Part(msgspec.Struct):
    type: str = ""
    text: str | None = None


class Item(msgspec.Struct):
    type: str | None = None
    """A message may leave it out; a reference to a stored item as well."""
    role: str = ""
    id: str | None = None
    encrypted_content: str | None = None
    content: str | list[Part] | None = None
    output: Any = None
    arguments: Any = None
    input: Any = None
    summary: Any = None
    action: Any = None
    actions: Any = None
    operation: Any = None
    code: Any = None
    queries: Any = None
    results: Any = None
    outputs: Any = None
    result: Any = None
    """An image's base64, or what a program returned."""

    def is_reference(self) -> bool:
        return self.type == "item_reference" or (self.type is None and not self.role)

    def is_ours(self) -> bool:
        """Reasoning of another dialect, written here: no provider could check it."""
        return self.type == "reasoning" and (
            (self.encrypted_content or "").startswith(OUR_MARK) or (self.id or "").startswith(OUR_REASONING)
        )

    def is_kept_elsewhere(self) -> bool:
        """Reasoning of which only the id came back: OpenAI would look for it among what it stored."""
        return self.type == "reasoning" and not self.encrypted_content and not self.content


class ResponsesRequest(Asked, kw_only=True):
    input: str | list[Item] | None = None
    instructions: str | None = None
    tools: list[msgspec.Raw] | None = None
    max_output_tokens: Tokens | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    background: bool | None = None
    prompt_template: Any = msgspec.field(default=None, name="prompt")
    store: bool | msgspec.UnsetType | None = msgspec.UNSET

    def prompt(self) -> Prompt:
        texts: list[str] = []
        seen = {"text"}
        first_user = last_user = ""
        tools = bool(self.tools)
        if self.instructions:
            texts.append(self.instructions)
        if self.prompt_template is not None:
            texts.extend(_words(self.prompt_template))
        items = self.input
        if isinstance(items, str):
            texts.append(items)
            first_user = last_user = items
            items = [Item()]
        else:
            items = items or []
            for item in items:
                content = item.content
                if content is None:
                    text = ""
                elif isinstance(content, str):
                    text = content
                else:
                    text = "\n".join(part.text for part in content if part.text is not None)
                    seen.update(_MODALITY_OF_PART[part.type] for part in content if part.type in _MODALITY_OF_PART)
                if item.role:
                    if item.role == "user":
                        first_user = first_user or text
                        last_user = text
                else:
                    text = _text_of(item, text, seen)
                    tools = tools or item.type not in _NO_TOOL
                if text:
                    texts.append(text)
        return Prompt(
            tuple(texts),
            first_user,
            last_user,
            ("text",) if len(seen) == 1 else ("text", *sorted(seen - {"text"})),
            tools,
            len(items),
            max(self.max_output_tokens or 0, 0),
        )

    def pinned(self) -> str:
        if self.previous_response_id is not None:
            return "$.previous_response_id"
        if self.conversation is not None:
            return "$.conversation"
        if self.background:
            return "$.background"
        if self.store is True:
            return "$.store"
        if self.prompt_template is not None:
            return "$.prompt"
        if isinstance(self.input, list):
            for at, item in enumerate(self.input):
                if item.is_reference():
                    return f"$.input[{at}]"
        return ""

    def continues(self) -> tuple[str, ...]:
        conversation = self.conversation
        if isinstance(conversation, dict):
            conversation = conversation.get("id")
        return tuple(each for each in (self.previous_response_id, conversation) if isinstance(each, str))

    def body_for(self, body: bytes, model: str) -> bytes:
        if self.model != model:
            body = with_model(body, model)
        if self.metadata and has_labels(self.metadata):
            body = with_members(body, {"metadata": without_labels(self.metadata)})
        body = self._without_lost_reasoning(body)
        if self.store is msgspec.UNSET:
            return with_first(body, b'"store":false')
        if self.store is None:  # OpenAI reads it as not said, and would store
            return with_members(body, {"store": b"false"})
        return body

    def _without_lost_reasoning(self, body: bytes) -> bytes:
        """OpenAI answers 404 to the id of an item it does not have ("Items are not persisted when `store` is set to
        false"), and clients that let it store send ids alone: what we keep it from storing must not be asked for."""
        items = self.input
        if not isinstance(items, list):
            return body
        unsaid = self.store is msgspec.UNSET or self.store is None
        lost = [item.is_ours() or (unsaid and item.is_kept_elsewhere()) for item in items]
        if True not in lost:
            return body
        raw = _ITEMS.decode(member(body, "input"))
        kept = [each for each, is_lost in zip(raw, lost, strict=True) if not is_lost]
        return with_members(body, {"input": msgspec.json.encode(kept)})


def _text_of(item: Item, content: str, seen: set[str]) -> str:
    """Of an item that is no message: all its words, since what a tool said may be as private as what a user says."""
    output = item.output
    if isinstance(output, str):
        return output
    if isinstance(output, (list, dict)):
        for part in output if isinstance(output, list) else (output,):
            kind = part.get("type") if isinstance(part, dict) else None
            if isinstance(kind, str) and kind in _MODALITY_OF_PART:
                seen.add(_MODALITY_OF_PART[kind])
    parts = [output, item.arguments, item.input, item.summary, item.action, item.actions, item.operation, item.code]
    parts += [item.queries, item.results, item.outputs]
    if item.type != "image_generation_call":
        parts.append(item.result)
    words = [word for part in parts if part is not None for word in _words(part)]
    return "\n".join([content, *words] if content else words)


def _words(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, list):
        for each in value:
            yield from _words(each)
    elif isinstance(value, dict):
        for name, each in value.items():
            if name not in _NO_WORDS:
                yield from _words(each)


class _Answer(msgspec.Struct):
    output: list[msgspec.Raw]
    status: str | None = None
    usage: ResponsesUsage | Odd = None


class _Response(msgspec.Struct):
    usage: ResponsesUsage | Odd = None


class _Item(msgspec.Struct):
    type: str = ""


class _Event(msgspec.Struct):
    type: str = ""
    delta: object = None
    item: _Item | Odd = None
    response: _Response | Odd = None
    error: object = None


_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_ANSWER = msgspec.json.Decoder(_Answer)
_EVENT = msgspec.json.Decoder(_Event)


def read_usage(body: bytes) -> Usage:
    try:
        answer = _ANSWER.decode(body)
    except msgspec.ValidationError as error:
        raise UpstreamError("The provider's answer is no response", why=str(error)) from None
    except UNREADABLE as error:
        raise UpstreamError("The provider's answer is not JSON", why=str(error)) from None
    if answer.status == "failed":
        raise UpstreamError("The provider failed", why="its response has the status failed")
    return responses_usage(answer.usage)


_OPENING_BYTES = 8_388_608
"""The first events repeat the request's instructions and tools, and are held until content comes."""
_LONGEST_EVENT = 16_777_216
"""The last event repeats these and the whole answer; usage may stand anywhere in it."""
_LAST = re.compile(rb'"type"[ \t]*:[ \t]*"response\.(?:completed|incomplete|failed)"')
_ANSWERS = frozenset(("response.completed", "response.incomplete"))
_WITHOUT_CONTENT = frozenset(("", "message", "reasoning"))
"""Items whose beginning says nothing yet."""


class ResponsesStream(PassingStream):
    __slots__ = ("_most",)

    def __init__(self, strip_usage: bool) -> None:
        super().__init__()
        self._held_bytes = -_OPENING_BYTES
        self._most = TAIL_BYTES
        """Bytes kept before the tail is cut again."""

    def see(self, text: bytes) -> None:
        if text == b"[DONE]":  # OpenAI sends none here, others do
            return
        try:
            event = _EVENT.decode(text)
        except UNREADABLE as error:
            raise UpstreamError("The provider's stream holds an event of another dialect", why=str(error)) from None
        kind = event.type
        if kind in _ANSWERS:
            self.finished = self.content = True
        elif kind == "response.failed":
            self.failure = "response.failed"
        elif kind == "error" or event.error is not None:
            self.failure = "error event"
        elif not self.content:
            if kind.endswith(".delta"):
                self.content = bool(event.delta)
            elif kind == "response.output_item.added":
                self.content = isinstance(event.item, _Item) and event.item.type not in _WITHOUT_CONTENT
            elif kind == "response.output_item.done":
                self.content = True
        if isinstance(event.response, _Response) and event.response.usage is not None:
            self._usage = responses_usage(event.response.usage)

    def keep(self, data: bytes) -> None:
        self._tail.append(data)
        self._tail_bytes += len(data)
        if self._tail_bytes > self._most:
            self.trim()

    def trim(self) -> None:
        """Cut the tail, but not the answer's last event, nor one that may become it."""
        tail = b"".join(self._tail)
        start = min(len(tail) - TAIL_BYTES // 2, max(tail.rfind(b"\ndata:"), 0))
        last = _LAST.search(tail)
        if last is not None:
            start = min(start, max(tail.rfind(b"\ndata:", 0, last.start()), 0))
        tail = tail[max(start, len(tail) - _LONGEST_EVENT) :]
        self._tail = [tail]
        self._tail_bytes = len(tail)
        self._most = max(TAIL_BYTES, 2 * len(tail))


class _Error(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str


class _ErrorEvent(msgspec.Struct):
    code: str
    message: str
    param: str | None
    error: msgspec.Raw
    """The reference (spec 2.3.0) has the members above and not this one; OpenAI's servers send this one instead
    (vercel/ai#21360, September 2026), and its SDKs raise only if it is there."""
    sequence_number: int = 2**31 - 1
    """Behind whatever came before."""
    type: str = "error"


def error_event(error: TwintrackError, request_id: str) -> bytes:
    nested = msgspec.json.decode(chat.error_body(error, request_id), type=dict[str, msgspec.Raw])["error"]
    event = _ErrorEvent(error.code, str(error), getattr(error, "param", None), nested)
    return b"event: error\ndata: " + msgspec.json.encode(event) + b"\n\n"


ENDPOINT = Endpoint(
    name="responses",
    dialect="responses",
    path="/v1/responses",
    decoder=msgspec.json.Decoder(ResponsesRequest),
    read_usage=read_usage,
    open_stream=ResponsesStream,
    error_body=chat.error_body,
    error_event=error_event,
    forwarded=(b"openai-organization", b"openai-project", b"openai-beta"),
)
