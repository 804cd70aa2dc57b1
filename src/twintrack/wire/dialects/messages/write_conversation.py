"""System text and turns to messages."""

from __future__ import annotations

import hashlib
import re

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical import custom
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import Audio, File, Image, Part, Refusal, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.reminder import as_users
from twintrack.wire.canonical.request import Request, Turn
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.messages import shapes
from twintrack.wire.dialects.messages.marks import Marks
from twintrack.wire.dialects.messages.media import write_document, write_image
from twintrack.wire.dialects.messages.model import Model
from twintrack.wire.dialects.messages.thinking import is_ours

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_BEGINNING = "(The conversation begins.)"
"""The first message must be the user's; where it is not, this stands in."""


class Written:
    """Messages in the making. Roles must alternate, so what follows in one role joins the message before it."""

    __slots__ = ("_losses", "_making", "_marks", "_model", "_waiting", "messages", "system")

    def __init__(self, model: Model, marks: Marks, losses: Losses) -> None:
        self._model = model
        self._marks = marks
        self._losses = losses
        self.system: list[shapes.Text] = []
        self.messages: list[shapes.AnyMessage] = []
        self._making: list[tuple[shapes.User | shapes.Assistant, list[shapes.AnyBlock], list[shapes.AnyBlock]]] = []
        """Messages that get their content at the end: results of tools, and whatever else."""
        self._waiting: list[tuple[Turn, list[shapes.Text]]] = []
        """System messages; they may stand only between a user's message and the answer to it."""

    def write(self, request: Request) -> None:
        for text in request.system:
            if text.text:
                self.system.append(shapes.Text(text.text, cache_control=self._marks.control(text.cache)))
        for turn in request.turns:
            if turn.role == "system":
                texts = [shapes.Text(part.text) for part in turn.parts if isinstance(part, Text) and part.text]
                if not self._model.system_turns:
                    self._user(as_users(turn))
                elif texts:
                    self._waiting.append((turn, texts))
            elif turn.role == "assistant":
                self._assistant(turn)
            else:
                self._user(turn)
        self._place_waiting()
        for message, results, blocks in self._making:
            message.content = _content(results + blocks)
        if not self.messages and self.system:
            # Instructions alone are a question, too, but at least one message is required.
            self.messages.append(shapes.User(_content(list(self.system))))
            self.system = []

    def _place_waiting(self) -> None:
        if not self._waiting:
            return
        if self.messages and isinstance(self.messages[-1], shapes.User):
            texts = [text for _, each in self._waiting for text in each]
            self.messages.append(shapes.System(texts[0].text if len(texts) == 1 else list(texts)))
        else:
            for turn, _ in self._waiting:
                self._user(as_users(turn))
        self._waiting = []

    # ---- users and results

    def _user(self, turn: Turn) -> None:
        if turn.name:
            self._losses.turn(turn.at, "the name of who speaks")
        results: list[shapes.AnyBlock] = []
        blocks: list[shapes.AnyBlock] = []
        for part in turn.parts:
            if isinstance(part, Text):
                if part.text:
                    blocks.append(shapes.Text(part.text, cache_control=self._marks.control(part.cache)))
            elif isinstance(part, ToolResult):
                results.append(self._result(part, turn.at))
            else:
                block = self._medium(part, turn.at)
                if block is not None:
                    blocks.append(block)
        if not results and not blocks:
            return
        last = self.messages[-1] if self.messages else None
        if isinstance(last, shapes.User):
            _, earlier, said = self._making[-1]
            earlier += results  # they come first, whatever was said meanwhile
            said += blocks
        else:
            self._begin(shapes.User([]), results, blocks)

    def _medium(self, part: Part, at: int) -> shapes.Image | shapes.Document | None:
        if isinstance(part, Image):
            written: shapes.Image | shapes.Document | str = write_image(part, self._marks.control(part.cache))
        elif isinstance(part, File):
            written = write_document(part, self._marks.control(part.cache))
        else:
            written = "audio" if isinstance(part, Audio) else f"{part.__struct_config__.tag} where it cannot stand"
        if isinstance(written, str):
            self._losses.turn(at, written)
            return None
        return written

    def _result(self, result: ToolResult, at: int) -> shapes.ToolResult:
        blocks: list[shapes.ResultBlock] = []
        for part in result.parts:
            if isinstance(part, Text):
                if part.text:
                    blocks.append(shapes.Text(part.text, cache_control=self._marks.control(part.cache)))
            else:
                block = self._medium(part, at)
                if block is not None:
                    blocks.append(block)
        only = blocks[0] if len(blocks) == 1 else None
        plain = isinstance(only, shapes.Text) and only.cache_control is None
        return shapes.ToolResult(
            fitting_id(result.id),
            only.text if plain and isinstance(only, shapes.Text) else blocks or None,
            result.error or None,
            cache_control=self._marks.control(result.cache),
        )

    # ---- the assistant

    def _assistant(self, turn: Turn) -> None:
        """Where earlier text came from is left out: Anthropic takes back only what it itself has sealed."""
        if turn.name:
            self._losses.turn(turn.at, "the name of who speaks")
        blocks: list[shapes.AnyBlock] = []
        for part in turn.parts:
            if isinstance(part, Text):
                if part.text:
                    blocks.append(shapes.Text(part.text, cache_control=self._marks.control(part.cache)))
            elif isinstance(part, ToolCall):
                blocks.append(self._call(part, turn.at))
            elif isinstance(part, Thinking):
                if is_ours(part):
                    blocks.append(
                        shapes.RedactedThinking(part.sealed)
                        if part.sealed
                        else shapes.Thinking(part.text, part.signature)
                    )
            elif isinstance(part, Refusal):
                if part.text:
                    blocks.append(shapes.Text(part.text))
            else:
                self._losses.turn(turn.at, f"{part.__struct_config__.tag} of the assistant")
        if not blocks:
            return
        self._place_waiting()
        last = self.messages[-1] if self.messages else None
        if isinstance(last, shapes.Assistant):
            self._making[-1][2].extend(blocks)
            return
        if last is None:
            self.messages.append(shapes.User(_BEGINNING))
        self._begin(shapes.Assistant([]), [], blocks)

    def _begin(
        self,
        message: shapes.User | shapes.Assistant,
        results: list[shapes.AnyBlock],
        blocks: list[shapes.AnyBlock],
    ) -> None:
        self.messages.append(message)
        self._making.append((message, results, blocks))

    def _call(self, call: ToolCall, at: int) -> shapes.ToolUse:
        arguments = custom.wrapped(call.arguments) if call.custom else call.arguments
        return shapes.ToolUse(
            fitting_id(call.id),
            call.name,
            _object(arguments, call, at),
            cache_control=self._marks.control(call.cache),
        )


def _content(blocks: list[shapes.AnyBlock] | list[shapes.Text]) -> str | list[shapes.AnyBlock]:
    only = blocks[0] if len(blocks) == 1 else None
    if isinstance(only, shapes.Text) and only.cache_control is None:
        return only.text
    return list(blocks)


def fitting_id(id: str) -> str:
    """As it is where the vendor takes it, else one that is always the same for it."""
    if _ID.fullmatch(id) is not None:
        return id
    return "toolu_" + hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:24]


class _Members(msgspec.Struct):
    """An object, whatever it holds."""


_OBJECT = msgspec.json.Decoder(_Members)


def _object(arguments: str, call: ToolCall, at: int) -> msgspec.Raw:
    text = arguments.encode("utf-8", "surrogatepass")
    if not text.strip():
        return msgspec.Raw(b"{}")
    try:
        _OBJECT.decode(text)
    except UNREADABLE:
        raise BadRequest(
            f"Message {at}: the arguments of the call of {call.name[:80]} are not the JSON text of an object"
        ) from None
    return msgspec.Raw(text)
