"""Items to system text and turns, and the rules between them."""

from __future__ import annotations

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical.parts import Part, Refusal, Text, Thinking, ToolCall, ToolResult
from twintrack.wire.canonical.request import Effort, Turn
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.responses import shapes
from twintrack.wire.dialects.responses.annotations import read_annotation
from twintrack.wire.dialects.responses.media import life_of, read_audio, read_file, read_image
from twintrack.wire.dialects.responses.read_tools import T, ToolReader, full_name, kind_of, strictly_at, unknown
from twintrack.wire.dialects.responses.sealing import open_sealed

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
KEPT_BY_PROVIDER = frozenset(("item_reference", "compaction", "compaction_summary", "context_compaction"))
"""Items that stand for a part of the conversation that only OpenAI has or can read."""


class _Opaque(msgspec.Struct, gc=False):
    call_id: str | None = None


_OPAQUE = msgspec.json.Decoder(_Opaque)


class _Open:
    """A turn that items still come to."""

    __slots__ = ("at", "parts", "results", "results_at", "role", "waiting")

    def __init__(self, role: str, at: int) -> None:
        self.role = role
        self.at = at
        self.parts: list[Part] = []
        self.results: list[ToolResult] = []
        self.results_at = 0
        self.waiting: dict[str, int] = {}
        """Calls without a result, and the items they stand at."""


class InputReader:
    """Items one after the other. What the model said in one go becomes one turn, with the results of its calls behind
    it, also where something else stands between call and result: OpenAI finds a result by its `call_id` alone."""

    __slots__ = (
        "_calls",
        "_drop",
        "_dropped",
        "_kept_elsewhere",
        "_opaque_calls",
        "_tools",
        "_turns",
        "_unsaid",
        "effort",
        "format",
        "system",
    )

    def __init__(
        self, tools: ToolReader, drop: bool, dropped: list[str], unsaid: list[str], kept_elsewhere: str
    ) -> None:
        """`kept_elsewhere`: path of the member that says where the conversation began, if the body does not hold it."""
        self._tools = tools
        self._drop = drop
        self._dropped = dropped
        self._unsaid = unsaid
        self._kept_elsewhere = kept_elsewhere
        self._turns: list[_Open] = []
        self._calls: dict[str, tuple[_Open, bool]] = {}
        """Turn of each call, and whether its tool is custom."""
        self._opaque_calls: set[str] = set()
        """Of tools that only OpenAI knows; the client may answer them as any other."""
        self.system: list[Text] = []
        self.effort: Effort | None = None
        """As the last configuration update said."""
        self.format: shapes.AnyText | shapes.AnyJson | shapes.SchemaJson | None = None

    def read(self, items: list[msgspec.Raw]) -> None:
        for at, raw in enumerate(items):
            kind = kind_of(raw, f"$.input[{at}]")
            type_ = kind.type
            if type_ is None:
                type_ = "item_reference" if kind.role is None else "message"
            if type_ == "message":
                self._message(self._decode(shapes.Message, raw, at), at)
            elif type_ == "function_call":
                self._function_call(self._decode(shapes.FunctionCall, raw, at), at)
            elif type_ == "function_call_output":
                self._result(self._decode(shapes.FunctionResult, raw, at), at)
            elif type_ == "reasoning":
                self._reasoning(self._decode(shapes.Reasoning, raw, at), at)
            elif type_ == "custom_tool_call":
                self._custom_call(self._decode(shapes.CustomCall, raw, at), at)
            elif type_ == "custom_tool_call_output":
                self._result(self._decode(shapes.CustomResult, raw, at), at)
            else:
                self._rare(type_, raw, at)

    def read_text(self, text: str) -> None:
        turn = _Open("user", 0)
        turn.parts.append(Text(text))
        self._turns.append(turn)

    def turns(self) -> tuple[Turn, ...]:
        turns: list[Turn] = []
        for turn in self._turns:
            if turn.waiting:
                raise _unanswered(turn)
            turns.append(Turn(turn.role, tuple(turn.parts), turn.at))  # type: ignore[arg-type]  # one of the roles
            if turn.results:
                turns.append(Turn("tool", tuple(turn.results), turn.results_at))
        return tuple(turns)

    def _decode(self, type_: type[T], raw: msgspec.Raw, at: int) -> T:
        return strictly_at(type_, raw, f"$.input[{at}]", self._drop, self._dropped)

    # ---- messages

    def _message(self, said: shapes.Message, at: int) -> None:
        """`phase` is a hint, to models of OpenAI that think aloud."""
        content = said.content
        if not content and not isinstance(content, str):
            path = f"$.input[{at}].content"
            raise BadRequest(f"{path}: an array of parts needs at least one", param=path)
        if said.role == "user":
            turn = _Open("user", at)
            self._turns.append(turn)
            if isinstance(content, str):
                turn.parts.append(Text(content))
            else:
                for number, part in enumerate(content):
                    turn.parts.append(_user_part(part, at, number))
        elif said.role == "assistant":
            parts = self._assistant(at).parts
            if isinstance(content, str):
                parts.append(Text(content))
            else:
                for number, part in enumerate(content):
                    parts.append(_assistant_part(part, at, number))
        else:
            texts = [Text(content)] if isinstance(content, str) else _texts(content, said.role, at)
            if self._turns:
                turn = _Open("system", at)
                turn.parts += texts
                self._turns.append(turn)
            else:
                self.system += texts

    def _assistant(self, at: int) -> _Open:
        """The turn that the model is in."""
        if self._turns:
            last = self._turns[-1]
            if last.role == "assistant" and not last.results:
                return last
        turn = _Open("assistant", at)
        self._turns.append(turn)
        return turn

    def _reasoning(self, said: shapes.Reasoning, at: int) -> None:
        opened = open_sealed(said.encrypted_content) if said.encrypted_content else None
        text = "".join(part.text for part in said.content) if said.content else ""
        text = text or "\n\n".join([part.text for part in said.summary])
        if opened is None or not (opened.signature or opened.sealed):
            if text:
                self._assistant(at).parts.append(Thinking(text, id=said.id or ""))
            return
        sealed = opened.sealed
        if sealed and not opened.foreign:
            sealed = marked("responses", "", sealed)
        self._assistant(at).parts.append(Thinking(text, opened.signature, sealed, said.id or ""))

    # ---- calls and results

    def _function_call(self, said: shapes.FunctionCall, at: int) -> None:
        arguments = said.arguments
        if not _is_object(arguments):
            if arguments.strip():
                path = f"$.input[{at}].arguments"
                raise BadRequest(f"{path}: not the JSON text of an object", param=path)
            arguments = "{}"  # how some models call a function without parameters
        self._call(said, arguments, False, at)

    def _custom_call(self, said: shapes.CustomCall, at: int) -> None:
        self._call(said, said.input, True, at)

    def _call(self, said: shapes.FunctionCall | shapes.CustomCall, text: str, custom: bool, at: int) -> None:
        call_id = said.call_id
        turn = self._assistant(at)
        if not call_id or call_id in turn.waiting:
            path = f"$.input[{at}].call_id"
            why = "an earlier call of this turn has the same" if call_id else "must not be empty"
            raise BadRequest(f"{path}: {why}", param=path)
        if said.async_:
            self._unsaid.append(f"$.input[{at}].async")
        name = full_name(said.namespace, said.name) if said.namespace else said.name
        turn.parts.append(ToolCall(call_id, name, text, custom))
        turn.waiting[call_id] = at
        self._calls[call_id] = (turn, custom)

    def _result(self, said: shapes.FunctionResult | shapes.CustomResult, at: int) -> None:
        found = self._calls.get(said.call_id or "")
        call_id = said.call_id or ""
        if found is None:
            if not call_id or call_id not in self._opaque_calls:
                raise self._orphan(call_id, at)
            self._unsaid.append(f"$.input[{at}] (the output of a call that cannot be carried)")
            return
        turn, custom = found
        if turn.waiting.pop(call_id, None) is None:
            path = f"$.input[{at}].call_id"
            raise BadRequest(f"{path}: call {call_id[:60]!r} has its output already", param=path)
        output = said.output
        parts: tuple[Part, ...]
        if isinstance(output, str):
            parts = (Text(output),) if output else ()
        else:
            parts = tuple([_result_part(part, at, number) for number, part in enumerate(output)])
        if not turn.results:
            turn.results_at = at
        turn.results.append(ToolResult(call_id, parts, custom=custom))  # type: ignore[arg-type]  # text, image, file

    def _orphan(self, call_id: str, at: int) -> BadRequest:
        if self._kept_elsewhere:
            return BadRequest(
                f"{self._kept_elsewhere} cannot be carried to a provider of another dialect",
                why=f"the call that $.input[{at}] answers is not in this request",
                fix="Send the whole conversation.",
                param=self._kept_elsewhere,
            )
        path = f"$.input[{at}].call_id"
        return BadRequest(f"{path}: no call before it has call_id {call_id[:60]!r}", param=path)

    # ---- what is seldom

    def _rare(self, type_: str, raw: msgspec.Raw, at: int) -> None:
        path = f"$.input[{at}]"
        if type_ in KEPT_BY_PROVIDER:
            # At once and whatever may be dropped: the answer would be to another conversation.
            raise BadRequest(
                f"{path} ({type_}) cannot be carried to a provider of another dialect",
                why="it stands for a part of the conversation that only OpenAI has",
                fix="Send the items themselves, or name a model whose provider speaks your dialect.",
                param=path,
            )
        if type_ == "additional_tools":
            self._tools.read(self._decode(shapes.AdditionalTools, raw, at).tools, f"{path}.tools")
        elif type_ == "configuration_update":
            update = self._decode(shapes.ConfigurationUpdate, raw, at)
            if update.reasoning is not None and update.reasoning.effort is not None:
                self.effort = update.reasoning.effort
            if update.text is not None and update.text.format is not None:
                self.format = update.text.format
        elif type_ in shapes.OPAQUE_ITEMS:
            self._unsaid.append(f"{path} ({type_})")
            self._opaque_calls.add(_opaque_call(raw))
        elif self._drop:
            self._dropped.append(path)
        else:
            raise unknown(f"{path}.type", type_)


def _opaque_call(raw: msgspec.Raw) -> str:
    try:
        return _OPAQUE.decode(raw).call_id or ""
    except UNREADABLE:
        return ""


def _unanswered(turn: _Open) -> BadRequest:
    call_id, at = next(iter(turn.waiting.items()))
    path = f"$.input[{at}]"
    return BadRequest(f"{path}: an output for call {call_id[:60]!r} must follow, and there is none", param=path)


def _is_object(arguments: str) -> bool:
    try:
        _OBJECT.decode(arguments)
    except (*UNREADABLE, UnicodeEncodeError):
        return False
    return True


# ---- parts


def _user_part(part: shapes.Part, at: int, number: int) -> Part:
    if isinstance(part, shapes.InputText):
        return Text(part.text, life_of(part.prompt_cache_breakpoint))
    path = f"$.input[{at}].content[{number}]"
    if isinstance(part, shapes.InputImage):
        return read_image(part, path)
    if isinstance(part, shapes.InputFile):
        return read_file(part, path)
    if isinstance(part, shapes.InputAudio):
        return read_audio(part, path)
    raise _misplaced(part, "a user's message holds input_text, input_image, input_file and input_audio", path)


def _assistant_part(part: shapes.Part, at: int, number: int) -> Part:
    if isinstance(part, shapes.OutputText):
        if not part.annotations:
            return Text(part.text)
        path = f"$.input[{at}].content[{number}].annotations"
        try:
            return Text(part.text, citations=tuple([read_annotation(raw) for raw in part.annotations]))
        except UNREADABLE as error:
            raise BadRequest(f"{path}: {str(error).partition(' - at')[0]}", param=path) from None
    if isinstance(part, shapes.Refused):
        return Refusal(part.refusal)
    if isinstance(part, shapes.InputText):
        return Text(part.text, life_of(part.prompt_cache_breakpoint))
    path = f"$.input[{at}].content[{number}]"
    raise _misplaced(part, "an assistant's message holds output_text and refusal", path)


def _texts(content: list[shapes.Part], role: str, at: int) -> list[Text]:
    texts: list[Text] = []
    for number, part in enumerate(content):
        if not isinstance(part, shapes.InputText):
            raise _misplaced(part, f"a {role} message holds input_text", f"$.input[{at}].content[{number}]")
        texts.append(Text(part.text, life_of(part.prompt_cache_breakpoint)))
    return texts


def _result_part(part: shapes.ResultPart, at: int, number: int) -> Part:
    if isinstance(part, shapes.InputText):
        return Text(part.text, life_of(part.prompt_cache_breakpoint))
    path = f"$.input[{at}].output[{number}]"
    return read_image(part, path) if isinstance(part, shapes.InputImage) else read_file(part, path)


def _misplaced(part: shapes.Part, rule: str, path: str) -> BadRequest:
    return BadRequest(f"{path}.type: {rule}, not {part.__struct_config__.tag}", param=f"{path}.type")
