"""Messages to turns, and the rules between them."""

from __future__ import annotations

import re

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical.parts import Citation, File, Image, Part, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.request import Effort, Turn
from twintrack.wire.canonical.signature import unmarked
from twintrack.wire.dialects.messages import shapes
from twintrack.wire.dialects.messages.citations import read_citation
from twintrack.wire.dialects.messages.media import life, read_document, read_image, read_search_result

_ID = re.compile(r"[a-zA-Z0-9_-]+")
_MOST_MESSAGES = 100_000
_OF_USERS = (shapes.Image, shapes.Document, shapes.SearchResult, shapes.ToolResult, shapes.ContainerUpload)
_OF_ASSISTANTS = (shapes.ToolUse, shapes.Thinking, shapes.RedactedThinking)


class Conversation:
    """Reads messages one by one.

    Several messages of one role in a row are one to the vendor, so all results of tools that stand in a row of user
    messages answer the calls before it, and come first.
    """

    __slots__ = (
        "_called_at",
        "_calls",
        "_longer",
        "_results",
        "_results_at",
        "_users",
        "_was_assistant",
        "effort",
        "turns",
        "unsaid",
    )

    def __init__(self, unsaid: list[str]) -> None:
        self.turns: list[Turn] = []
        self.unsaid = unsaid
        self.effort: Effort | None = None
        """The last that a message asked for."""
        self._calls: set[str] = set()
        """Of the assistant, without a result yet."""
        self._called_at = 0
        self._results: list[ToolResult] = []
        self._results_at = 0
        self._users: list[Turn] = []
        """Since the last turn of another role."""
        self._was_assistant = False
        self._longer: dict[int, list[Part]] = {}
        """All parts of the turns, by their place, that several messages made."""

    def read(self, messages: list[shapes.AnyMessage]) -> tuple[Turn, ...]:
        if not messages:
            raise BadRequest("$.messages: at least one message is required", param="$.messages")
        if len(messages) > _MOST_MESSAGES:
            raise BadRequest(f"$.messages: at most {_MOST_MESSAGES} messages", param="$.messages")
        last = len(messages) - 1
        last_user = last
        while last_user >= 0 and not isinstance(messages[last_user], shapes.User):
            last_user -= 1
        for at, message in enumerate(messages):
            if isinstance(message, shapes.User):
                self._was_assistant = False
                self._read_user(message, at)
            elif isinstance(message, shapes.Assistant):
                self._flush_users()
                self._read_assistant(message, at, at == last)
                self._was_assistant = True
            else:
                self._was_assistant = False
                self._read_system(message, at, at < last_user)
        self._was_assistant = False
        self._flush_users()
        for place, parts in self._longer.items():
            self.turns[place] = Turn("assistant", tuple(parts), self.turns[place].at)
        return tuple(self.turns)

    def _flush_users(self) -> None:
        if self._was_assistant:
            return  # the assistant goes on
        if self._calls:
            raise self._unanswered()
        if self._results:
            self.turns.append(Turn("tool", tuple(self._results), self._results_at))
            self._results = []
        if self._users:
            self.turns += self._users
            self._users = []

    def _unanswered(self) -> BadRequest:
        path = f"$.messages[{self._called_at}]"
        ids = ", ".join(call[:60] for call in sorted(self._calls)[:4])
        return BadRequest(
            f"{path}: each tool_use needs a tool_result in the next message; there is none for {ids}", param=path
        )

    # ---- the roles

    def _read_user(self, message: shapes.User, at: int) -> None:
        content = message.content
        if isinstance(content, str):
            if not content:
                raise _empty(at)
            self._users.append(Turn("user", (Text(content),), at))
            return
        if not content:
            raise _empty(at)
        parts: list[Part] = []
        for number, block in enumerate(content):
            if isinstance(block, shapes.Text):
                parts.append(self._text(block, at, number))
            elif isinstance(block, shapes.ToolResult):
                if not self._results:
                    self._results_at = at
                self._results.append(self._result(block, at, number))
            elif isinstance(block, shapes.Image):
                parts.append(read_image(block, _path(at, number)))
            elif isinstance(block, shapes.Document):
                file = read_document(block, _path(at, number), self.unsaid)
                if file is not None:
                    parts.append(file)
            elif isinstance(block, shapes.SearchResult):
                parts.append(read_search_result(block))
            elif isinstance(block, _OF_ASSISTANTS):
                raise _misplaced(block, "assistant", at, number)
            else:
                self._other(block, parts, at, number)
        if parts:
            self._users.append(Turn("user", tuple(parts), at))

    def _read_assistant(self, message: shapes.Assistant, at: int, last: bool) -> None:
        content = message.content
        if not content:
            if not last:
                raise _empty(at)
            return
        parts: list[Part] = []
        if isinstance(content, str):
            parts.append(Text(content))
        else:
            for number, block in enumerate(content):
                if isinstance(block, shapes.Text):
                    parts.append(self._text(block, at, number))
                elif isinstance(block, shapes.ToolUse):
                    parts.append(self._call(block, at, number))
                elif isinstance(block, shapes.Thinking):
                    _read_thinking(block, parts)
                elif isinstance(block, shapes.RedactedThinking):
                    _read_sealed(block, parts)
                elif isinstance(block, _OF_USERS):
                    raise _misplaced(block, "user", at, number)
                else:
                    self._other(block, parts, at, number)
        if not parts:
            return
        if self._was_assistant and self.turns and self.turns[-1].role == "assistant":
            place = len(self.turns) - 1
            if place not in self._longer:
                self._longer[place] = list(self.turns[place].parts)
            self._longer[place] += parts
        else:
            self.turns.append(Turn("assistant", tuple(parts), at))

    def _read_system(self, message: shapes.System, at: int, user_follows: bool) -> None:
        """`clear_at` next_user_message: what the model is no longer shown is not read."""
        config = message.output_config
        if config is not None and config.effort is not None:
            self.effort = config.effort
        content = message.content
        if not content:
            if config is None:
                raise _empty(at)
            return
        if at == 0:
            raise BadRequest(
                "$.messages[0].role: a system message cannot be the first",
                fix="Use the top-level system.",
                param="$.messages[0].role",
            )
        self._flush_users()
        if isinstance(content, str):
            texts = [Text(content)]
        else:
            texts = []
            for number, block in enumerate(content):
                if isinstance(block, shapes.Text):
                    texts.append(self._text(block, at, number))
                else:
                    self.unsaid.append(_path(at, number))
        if texts and not (user_follows and message.clear_at == "next_user_message"):
            self.turns.append(Turn("system", tuple(texts), at))

    # ---- the blocks

    def _text(self, block: shapes.Text, at: int, number: int) -> Text:
        if not block.text:
            path = f"{_path(at, number)}.text"
            raise BadRequest(f"{path}: text blocks must be non-empty", param=path)
        control = block.cache_control
        if control is None and not block.citations:
            return Text(block.text)
        return Text(block.text, life(control), _citations(block, at, number) if block.citations else ())

    def _call(self, block: shapes.ToolUse, at: int, number: int) -> ToolCall:
        if _ID.fullmatch(block.id) is None:
            path = f"{_path(at, number)}.id"
            raise BadRequest(f"{path}: {block.id[:60]!r} is not of letters a-z and A-Z, digits, _ and -", param=path)
        if block.id in self._calls:
            path = f"{_path(at, number)}.id"
            raise BadRequest(f"{path}: ids of tool_use blocks must be unique; {block.id[:60]} is not", param=path)
        self._calls.add(block.id)
        self._called_at = at
        return ToolCall(block.id, block.name, json_object(block.input, at, number), cache=life(block.cache_control))

    def _result(self, block: shapes.ToolResult, at: int, number: int) -> ToolResult:
        if block.tool_use_id not in self._calls:
            path = f"{_path(at, number)}.tool_use_id"
            raise BadRequest(
                f"{path}: each tool_result answers a tool_use of the message before it, once; none there waits for "
                f"{block.tool_use_id[:60]!r}",
                param=path,
            )
        self._calls.remove(block.tool_use_id)
        content = block.content
        parts: tuple[Text | Image | File, ...] = ()
        if isinstance(content, str):
            if content:
                parts = (Text(content),)
        elif content:
            parts = self._result_parts(content, at, number)
        return ToolResult(block.tool_use_id, parts, block.is_error is True, cache=life(block.cache_control))

    def _result_parts(self, content: list[shapes.ResultBlock], at: int, number: int) -> tuple[Text | Image | File, ...]:
        parts: list[Text | Image | File] = []
        for inner, block in enumerate(content):
            if isinstance(block, shapes.Text):
                if block.text:
                    parts.append(Text(block.text, life(block.cache_control)))
            elif isinstance(block, shapes.Image):
                parts.append(read_image(block, f"{_path(at, number)}.content[{inner}]"))
            elif isinstance(block, shapes.Document):
                file = read_document(block, f"{_path(at, number)}.content[{inner}]", self.unsaid)
                if file is not None:
                    parts.append(file)
            elif isinstance(block, shapes.SearchResult):
                parts.append(read_search_result(block))
            elif isinstance(block, shapes.ToolReference):
                # What a search for tools found. All tools are shown to the model, so a name says the same.
                parts.append(Text(block.tool_name))
            else:
                self.unsaid.append(f"{_path(at, number)}.content[{inner}]")
        return tuple(parts)

    def _other(self, block: shapes.AnyBlock, parts: list[Part], at: int, number: int) -> None:
        if isinstance(block, shapes.Fallback):
            return
        if isinstance(block, shapes.Compaction) and block.content:
            # A summary; what it stands for may be gone from the conversation.
            parts.append(Text(block.content, life(block.cache_control)))
            return
        self.unsaid.append(_path(at, number))


def _path(at: int, number: int) -> str:
    return f"$.messages[{at}].content[{number}]"


def _empty(at: int) -> BadRequest:
    path = f"$.messages[{at}].content"
    return BadRequest(f"{path}: all messages but a last one of the assistant must be non-empty", param=path)


def _misplaced(block: shapes.AnyBlock, role: str, at: int, number: int) -> BadRequest:
    kind = block.__struct_config__.tag
    path = f"{_path(at, number)}.type"
    return BadRequest(f"{path}: {kind} blocks can only be in {role} messages", param=path)


def _citations(block: shapes.Text, at: int, number: int) -> tuple[Citation, ...]:
    try:
        return tuple(read_citation(raw, 0, len(block.text)) for raw in block.citations or ())
    except msgspec.ValidationError as error:
        path = f"{_path(at, number)}.citations"
        raise BadRequest(f"{path}: {str(error).partition(' - at')[0]}", param=path) from None


def _read_thinking(block: shapes.Thinking, parts: list[Part]) -> None:
    signature = block.signature
    if "#" in signature and not unmarked(signature).text:
        signature = ""
    if block.thinking or signature:
        parts.append(Thinking(block.thinking, signature))


def _read_sealed(block: shapes.RedactedThinking, parts: list[Part]) -> None:
    """What another provider sealed was written behind the text that may be shown of it."""
    before = parts[-1] if parts else None
    if isinstance(before, Thinking) and not before.signature and not before.sealed:
        parts[-1] = Thinking(before.text, sealed=block.data)
    else:
        parts.append(Thinking(sealed=block.data))


class _Members(msgspec.Struct):
    """An object, whatever it holds."""


_OBJECT = msgspec.json.Decoder(_Members)


def json_object(raw: msgspec.Raw, at: int, number: int) -> str:
    try:
        _OBJECT.decode(raw)
        return bytes(raw).decode()
    except (msgspec.ValidationError, UnicodeDecodeError):
        path = f"{_path(at, number)}.input"
        raise BadRequest(f"{path}: must be a JSON object", param=path) from None
