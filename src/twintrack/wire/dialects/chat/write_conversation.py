"""System text and turns to messages."""

from __future__ import annotations

import binascii
import hashlib
from typing import Literal

from twintrack.wire.canonical import custom
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.media import data_url
from twintrack.wire.canonical.parts import (
    Audio,
    File,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from twintrack.wire.canonical.request import Target, Turn
from twintrack.wire.canonical.signature import unmarked
from twintrack.wire.dialects.chat import shapes
from twintrack.wire.dialects.chat.media import AUDIO_FORMATS

_DETAILS: dict[str, Literal["auto", "low", "high", "original"]] = {
    "auto": "auto",
    "low": "low",
    "high": "high",
    "original": "original",
}
_LONGEST_ID = 40
"""OpenAI refuses longer ids of tool calls (string_above_max_length, seen 2025)."""


def write_conversation(
    system: tuple[Text, ...], turns: tuple[Turn, ...], target: Target, losses: Losses
) -> list[shapes.Message]:
    messages: list[shapes.Message] = []
    if system:
        messages.append(_system(system, "", target))
    for turn in turns:
        role = turn.role
        if role == "user":
            only = turn.parts[0] if len(turn.parts) == 1 else None
            if isinstance(only, Text):
                messages.append(shapes.User(only.text, turn.name or None))
            else:
                messages.append(shapes.User(_content(_user_parts(turn.parts, turn.at, losses)), turn.name or None))
        elif role == "assistant":
            messages.append(_assistant(turn, target, losses))
        elif role == "tool":
            _write_results(turn, messages, losses)
        else:
            texts = tuple(part for part in turn.parts if isinstance(part, Text))
            messages.append(_system(texts, turn.name, target))
    return messages


def _system(texts: tuple[Text, ...], name: str, target: Target) -> shapes.System | shapes.Developer:
    kind = shapes.Developer if target.developer else shapes.System
    if len(texts) == 1:
        return kind(texts[0].text, name or None)
    return kind([shapes.TextPart(text.text) for text in texts], name or None)


def _content(parts: list[shapes.UserPart]) -> str | list[shapes.UserPart]:
    """One text is written as text: not every server takes parts."""
    if not parts:
        return ""
    only = parts[0]
    return only.text if len(parts) == 1 and isinstance(only, shapes.TextPart) else parts


def _user_parts(parts: tuple[Part, ...], at: int, losses: Losses) -> list[shapes.UserPart]:
    written: list[shapes.UserPart] = []
    for part in parts:
        if isinstance(part, Text):
            written.append(shapes.TextPart(part.text))
        elif isinstance(part, Image):
            if part.media.file_id:
                losses.turn(at, "an image uploaded to one provider")
            else:
                url = part.media.url or data_url(part.media.media_type, part.media.data)
                written.append(shapes.ImagePart(shapes.ImageURL(url, _DETAILS.get(part.detail))))
        elif isinstance(part, Audio):
            form = AUDIO_FORMATS.get(part.media.media_type)
            if form is None or not part.media.data:
                losses.turn(at, f"audio as {part.media.media_type}" if part.media.data else "audio by address")
            else:
                written.append(shapes.AudioPart(shapes.InputAudio(part.media.data, form)))
        elif isinstance(part, File):
            _write_file(part, written, at, losses)
    return written


def _write_file(file: File, written: list[shapes.UserPart], at: int, losses: Losses) -> None:
    media = file.media
    if file.citable:
        losses.turn(at, "citations from a file")
    if file.context:
        written.append(shapes.TextPart(file.context))
    if media.media_type == "text/plain" and media.data:
        # Chat completions take PDF only; OpenAI's guide says to send text as text (file inputs, 2026-11).
        text = binascii.a2b_base64(media.data).decode(errors="replace")
        written.append(shapes.TextPart(f"{file.name}\n\n{text}" if file.name else text))
    elif media.data and media.media_type == "application/pdf":
        source = shapes.FileSource(data_url(media.media_type, media.data), None, file.name or "file.pdf")
        written.append(shapes.FilePart(source))
    elif media.data:
        losses.turn(at, f"a file of type {media.media_type}")
    else:
        losses.turn(at, "a file by address" if media.url else "a file uploaded to one provider")


def _assistant(turn: Turn, target: Target, losses: Losses) -> shapes.Assistant:
    """Where earlier text came from is left out: OpenAI reads nothing from it, and clients send back what they got."""
    texts: list[shapes.TextPart | shapes.RefusalPart] = []
    refusals = 0
    thoughts: list[str] = []
    calls: list[shapes.FunctionCall | shapes.CustomCall] = []
    signature = ""
    """Of the thinking directly before."""
    for part in turn.parts:
        if isinstance(part, Text):
            signature = ""
            texts.append(shapes.TextPart(part.text))
        elif isinstance(part, ToolCall):
            calls.append(_call(part, _own(part.signature, target.model) or signature, target))
            signature = ""
        elif isinstance(part, Thinking):
            signature = _own(part.signature, target.model)
            if part.text:
                thoughts.append(part.text)
        elif isinstance(part, Refusal):
            refusals += 1
            texts.append(shapes.RefusalPart(part.text))
        else:
            losses.turn(turn.at, "media in an assistant's turn")
    message = shapes.Assistant(name=turn.name or None, tool_calls=calls or None)
    if refusals == 1 and isinstance(last := texts[-1], shapes.RefusalPart):
        message.refusal = last.refusal
        texts.pop()
    only = texts[0] if texts else None
    if only is None:
        # Said as null, since many servers refuse a message without the member; "" where there is nothing else.
        message.content = None if calls or message.refusal else ""
    else:
        message.content = only.text if len(texts) == 1 and isinstance(only, shapes.TextPart) else texts
    if thoughts and target.thinking == "reasoning_content":
        message.reasoning_content = "\n\n".join(thoughts)
    elif thoughts and target.thinking == "reasoning":
        message.reasoning = "\n\n".join(thoughts)
    return message


def _own(signature: str, model: str) -> str:
    """Google's signature, if this model made it: only then its endpoint for OpenAI's clients wants it back."""
    if not signature:
        return ""
    maker, name, text = unmarked(signature)
    return text if maker == "gemini" and name and (model == name or model.endswith(f"/{name}")) else ""


def _call(call: ToolCall, signature: str, target: Target) -> shapes.FunctionCall | shapes.CustomCall:
    extra = shapes.ExtraContent(shapes.GoogleExtra(signature)) if signature else None
    if not call.custom:
        called = shapes.Called(call.name, call.arguments)
    elif target.custom_tools:
        return shapes.CustomCall(_id(call.id), shapes.CalledCustom(call.name, call.arguments), None, extra)
    else:
        called = shapes.Called(call.name, custom.wrapped(call.arguments))
    return shapes.FunctionCall(_id(call.id), called, None, extra)


def _id(said: str) -> str:
    """As said; one that is too long by a digest, the same for the call and its result."""
    if len(said) <= _LONGEST_ID:
        return said
    return "call_" + hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()[:32]


def _write_results(turn: Turn, messages: list[shapes.Message], losses: Losses) -> None:
    """One message each. Tool messages take text only, so images and files come behind them in a user's message that
    says whose they are: agents look at screenshots, and a model that sees them there goes on as well."""
    beside: list[shapes.UserPart] = []
    for result in turn.parts:
        if not isinstance(result, ToolResult):
            continue
        texts: list[shapes.ResultPart] = []
        media: list[Part] = []
        for part in result.parts:
            if isinstance(part, Text):
                texts.append(shapes.TextPart(part.text))
            else:
                media.append(part)
        if media:
            beside.append(shapes.TextPart(f"The result of the tool call {_id(result.id)} holds this:"))
            beside += _user_parts(tuple(media), turn.at, losses)
        content: str | list[shapes.ResultPart] = texts
        if not texts:
            content = "The result is in the next message." if media else ""
        elif len(texts) == 1 and isinstance(texts[0], shapes.TextPart):
            content = texts[0].text
        if result.error:
            content = _as_error(content)
        messages.append(shapes.ToolMessage(_id(result.id), content))
    if beside:
        messages.append(shapes.User(beside))


def _as_error(content: str | list[shapes.ResultPart]) -> str | list[shapes.ResultPart]:
    """There is no flag for it, but the model reads the text, so the text says it."""
    if isinstance(content, str):
        return content if content[:5].lower() == "error" else f"Error: {content}"
    return [shapes.TextPart("Error:"), *content]
