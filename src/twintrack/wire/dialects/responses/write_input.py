"""System text and turns to items."""

from __future__ import annotations

import hashlib

import msgspec

from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.media import data_url
from twintrack.wire.canonical.parts import File, Image, Media, Refusal, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.request import Turn
from twintrack.wire.dialects.responses import shapes
from twintrack.wire.dialects.responses.sealing import own_token


class Sealed(msgspec.Struct, tag="reasoning", gc=False):
    """Without an id: for that OpenAI would look among what it stored."""

    summary: list[shapes.SummaryText]
    encrypted_content: str


Item = shapes.Message | shapes.FunctionCall | shapes.CustomCall | shapes.FunctionResult | shapes.CustomResult | Sealed

_LONGEST_ID = 64
"""Of a call_id (OpenAI API reference, spec 2.3.0)."""
_ENDINGS = {"application/pdf": "pdf", "text/plain": "txt", "text/csv": "csv", "text/markdown": "md"}


def write_input(system: tuple[Text, ...], turns: tuple[Turn, ...], losses: Losses) -> list[Item]:
    """`system`: without the text that stands in `instructions`."""
    items: list[Item] = [shapes.Message("system", text.text) for text in system]
    for turn in turns:
        if turn.name:
            losses.turn(turn.at, "the name of who speaks")
        if turn.role == "assistant":
            _assistant(turn, items, losses)
        elif turn.role == "tool":
            _results(turn, items, losses)
        else:
            items.append(shapes.Message(turn.role, _content(turn, losses)))
    return items


def _content(turn: Turn, losses: Losses) -> str | list[shapes.Part]:
    if len(turn.parts) == 1 and isinstance(turn.parts[0], Text):
        return turn.parts[0].text
    written: list[shapes.Part] = []
    for part in turn.parts:
        if isinstance(part, Text):
            written.append(shapes.InputText(part.text))
        elif isinstance(part, (Image, File)):
            _write_media(part, written, turn.at, losses)
        else:
            losses.turn(turn.at, "audio")
    return written or ""


def _assistant(turn: Turn, items: list[Item], losses: Losses) -> None:
    """Citations and log probabilities of what was said before are its provider's, and no one asks for them again. So
    is reasoning that another dialect signed."""
    said: list[shapes.Part] = []
    for part in turn.parts:
        if isinstance(part, Text):
            said.append(shapes.OutputText(part.text, []))
            continue
        if isinstance(part, Refusal):
            said.append(shapes.Refused(part.text))
            continue
        if said:
            items.append(_message(said))
            said = []
        if isinstance(part, ToolCall):
            items.append(_call(part))
        elif isinstance(part, Thinking):
            token = own_token(part.sealed)
            if token:
                summary = [shapes.SummaryText(part.text)] if part.text else []
                items.append(Sealed(summary, token))
        else:
            losses.turn(turn.at, "media in an assistant's turn")
    if said:
        items.append(_message(said))


def _message(said: list[shapes.Part]) -> shapes.Message:
    """Plain text in the short form: in the long one servers that check by OpenAI's types ask for an id."""
    only = said[0]
    return shapes.Message("assistant", only.text if len(said) == 1 and isinstance(only, shapes.OutputText) else said)


def _call(call: ToolCall) -> Item:
    if call.custom:
        return shapes.CustomCall(call_id=_id(call.id), name=call.name, input=call.arguments)
    return shapes.FunctionCall(call_id=_id(call.id), name=call.name, arguments=call.arguments)


def _id(said: str) -> str:
    """As said; one that is too long by a digest, the same for the call and its result."""
    if len(said) <= _LONGEST_ID:
        return said
    return "call_" + hashlib.sha256(said.encode(errors="surrogatepass")).hexdigest()[:32]


def _results(turn: Turn, items: list[Item], losses: Losses) -> None:
    for result in turn.parts:
        if not isinstance(result, ToolResult):
            continue
        output: str | list[shapes.ResultPart]
        if not result.parts:
            output = ""
        elif len(result.parts) == 1 and isinstance(result.parts[0], Text):
            output = result.parts[0].text
        else:
            output = []
            for part in result.parts:
                if isinstance(part, Text):
                    output.append(shapes.InputText(part.text))
                else:
                    _write_media(part, output, turn.at, losses)
        if result.error:
            output = _as_error(output)
        written = shapes.CustomResult if result.custom else shapes.FunctionResult
        items.append(written(call_id=_id(result.id), output=output))


def _as_error(output: str | list[shapes.ResultPart]) -> str | list[shapes.ResultPart]:
    """There is no flag for it, but the model reads the text, so the text says it."""
    if isinstance(output, str):
        return output if output[:5].lower() == "error" else f"Error: {output}"
    return [shapes.InputText("Error:"), *output]


def _write_media(
    part: Image | File, written: list[shapes.Part] | list[shapes.ResultPart], at: int, losses: Losses
) -> None:
    media = part.media
    if media.file_id:
        losses.turn(at, "a file uploaded to one provider")
        return
    if isinstance(part, Image):
        detail = part.detail if part.detail in ("low", "high", "original") else "auto"
        written.append(shapes.InputImage(_address(media), detail=detail))  # type: ignore[arg-type]  # just compared
        return
    if part.citable:
        losses.turn(at, "citations from a file")
    if part.context:
        written.append(shapes.InputText(part.context))
    if media.url:
        written.append(shapes.InputFile(part.name or None, file_url=media.url))
    else:
        name = part.name or f"file.{_ENDINGS.get(media.media_type, 'bin')}"
        written.append(shapes.InputFile(name, file_data=_address(media)))


def _address(media: Media) -> str:
    return media.url or data_url(media.media_type, media.data)
