"""What a row of a file asks: a text, or a conversation whose turns routing tells apart."""

from __future__ import annotations

from typing import Any

import msgspec

from twintrack.errors import TwintrackError
from twintrack.wire.chat import ChatRequest
from twintrack.wire.prompt import Prompt


def asked(value: Any, where: str) -> str | Prompt:
    """A text as it is; a list of messages, or of texts by turns of the user, as the gateway reads a conversation.

    Raises TwintrackError.
    """
    if isinstance(value, dict):
        raise _neither(where, "it is an object")
    if not isinstance(value, list):
        return str(value)
    turns = [{"role": "user", "content": each} if isinstance(each, str) else each for each in value]
    try:
        prompt = msgspec.convert({"model": "", "messages": turns}, ChatRequest).prompt()
    except msgspec.ValidationError as error:
        raise _neither(where, str(error)) from None
    if not any(prompt.texts) and not any(isinstance(each, dict) and each.get("content") for each in turns):
        raise _neither(where, "none of its messages has content")
    # One question and nothing else is the same however it is written down.
    return prompt.last_user if prompt.turns == 1 and prompt.texts == (prompt.last_user,) else prompt


def _neither(where: str, why: str) -> TwintrackError:
    return TwintrackError(
        f"{where}: a prompt is neither a text nor a conversation",
        why=why,
        fix='Give a text, or a list of {"role": …, "content": …}.',
    )


def as_prompt(of: str | Prompt) -> Prompt:
    """A text is the last and only user turn."""
    return of if isinstance(of, Prompt) else Prompt((of,), of, of, ("text",), False, 1, 0)


def text_of(of: str | Prompt) -> str:
    """What tells it from others: a question alone, without what a system says before each; else the newest turn first,
    since conversations begin alike."""
    if isinstance(of, str):
        return of
    if of.first_user == of.last_user:
        return of.last_user
    return "\n".join(reversed(of.texts))


def chars(of: str | Prompt) -> int:
    """Of all turns: what is paid for."""
    return len(of) if isinstance(of, str) else sum(map(len, of.texts))
