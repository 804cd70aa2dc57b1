"""Answers as a strict client of each dialect reads them: an answer, an error, or one that is said to be broken."""

from __future__ import annotations

import json
import re
from typing import Any, Literal, NamedTuple

from support.raw import Answer

_ENDS = re.compile(rb"\r\n|\r|\n")


class Read(NamedTuple):
    kind: Literal["answer", "error", "broken"]
    """broken: it began as an answer, and an error event of the dialect says that it will not end as one."""
    text: str
    message: str = ""
    """Of the error."""


class NotWellFormed(AssertionError):
    """A client could not tell what this is, or would take it for something it is not."""


def read(answer: Answer, endpoint: str, *, streamed: bool) -> Read:
    """Raises NotWellFormed."""
    if answer.status != 200:
        if not answer.complete:
            raise NotWellFormed(f"an error of status {answer.status} that breaks off")
        return Read("error", "", _error(_json(answer.body), endpoint))
    if streamed:
        return _stream(answer, endpoint)
    if not answer.complete:
        raise NotWellFormed("a whole answer that breaks off")
    return Read("answer", _text(_json(answer.body), endpoint))


def events(body: bytes) -> list[tuple[str, str]]:
    """Kind and data of server-sent events (WHATWG HTML §9.2.6); what is left of an unfinished one is none."""
    found: list[tuple[str, str]] = []
    kind, data = "", []
    for line in _ENDS.split(body):
        name, _, value = line.decode("utf-8", "replace").partition(":")
        if not line:
            if data:
                found.append((kind, "\n".join(data)))
            kind, data = "", []
        elif name == "event":
            kind = value.removeprefix(" ")
        elif name == "data":
            data.append(value.removeprefix(" "))
    return found


def _stream(answer: Answer, endpoint: str) -> Read:
    text, over, failed, wrong = "", False, "", ""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        raise NotWellFormed(f"a stream of {answer.headers['content-type']}")
    for kind, data in events(answer.body):
        if endpoint == "chat" and data == "[DONE]":
            over = True
            continue
        try:
            event = _json(data.encode())
            if "\ufffd" in data:
                raise NotWellFormed(f"no UTF-8: {data[:100]}")
        except NotWellFormed as error:
            wrong = str(error)  # the provider's own, in the midst of an answer: behind it must stand that it broke
            continue
        if endpoint == "messages" and kind != event.get("type"):
            raise NotWellFormed(f"an event {kind!r} of type {event.get('type')!r}")
        if isinstance(event.get("error"), dict) and (kind == "error" or endpoint == "chat"):
            failed = _error(event, endpoint)  # behind the provider's own there may be the gateway's
        elif failed:
            raise NotWellFormed("something follows the error event")
        elif over:
            continue  # behind the end no client reads on
        elif endpoint == "chat":
            for choice in event["choices"]:
                text += choice["delta"].get("content") or ""
                over = over or choice["finish_reason"] is not None
        elif event["type"] == "content_block_delta":
            text += event["delta"]["text"]
        elif event["type"] == "response.output_text.delta":
            text += event["delta"]
        over = over or event.get("type") in ("message_stop", "response.completed")
    if failed:
        return Read("broken" if text else "error", text, failed)
    if wrong:
        raise NotWellFormed(f"{wrong} in a stream that does not say it is broken")
    if not over:
        raise NotWellFormed("a stream without an end")
    if not answer.complete:
        raise NotWellFormed("a stream that says it is whole and breaks off without an error event")
    return Read("answer", text)


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        raise NotWellFormed(f"no JSON: {body[:100]!r}") from None
    if not isinstance(found, dict):
        raise NotWellFormed(f"no object: {body[:100]!r}")
    return found


def _text(body: dict[str, Any], endpoint: str) -> str:
    try:
        if endpoint == "chat":
            return str(body["choices"][0]["message"]["content"])
        if endpoint == "messages":
            return str(body["content"][0]["text"])
        return str(body["output"][0]["content"][0]["text"])
    except (LookupError, TypeError):
        raise NotWellFormed(f"no answer of {endpoint}: {str(body)[:200]}") from None


def _error(body: dict[str, Any], endpoint: str) -> str:
    """The message of an error in the dialect's form."""
    error = body.get("error")
    if not isinstance(error, dict) or not isinstance(error.get("message"), str) or not error["message"]:
        raise NotWellFormed(f"no error of {endpoint}: {str(body)[:200]}")
    if not isinstance(error.get("type"), str):
        raise NotWellFormed(f"an error without its type: {error}")
    if endpoint == "messages" and body.get("type") != "error":
        raise NotWellFormed(f"no error of messages: {str(body)[:200]}")
    return str(error["message"])
