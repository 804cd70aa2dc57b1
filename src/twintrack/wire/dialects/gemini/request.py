"""A conversation as generateContent takes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec
from msgspec import Raw

from twintrack.errors import BadRequest
from twintrack.wire.canonical import custom
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import (
    Audio,
    File,
    Image,
    Media,
    Part,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from twintrack.wire.canonical.reminder import as_users
from twintrack.wire.canonical.request import Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.canonical.signature import unmarked
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.gemini.model import Model, model
from twintrack.wire.dialects.gemini.shapes import (
    Blob,
    BlobPart,
    Body,
    CallPart,
    Content,
    FileData,
    FilePart,
    FunctionCall,
    FunctionCallingConfig,
    FunctionDeclaration,
    FunctionResponse,
    GenerationConfig,
    RequestPart,
    ResponsePart,
    TextPart,
    ToolConfig,
    Tools,
)
from twintrack.wire.dialects.gemini.thinking import thinking

UNSIGNED: Final = "skip_thought_signature_validator"
"""What Google tells to send as the signature of a call that no Gemini model made, or another one
(ai.google.dev/gemini-api/docs/thought-signatures, read on 2026-11-20)."""

_MOST_STOPS: Final = 5
_MOST_LOGPROBS: Final = 20
_SEEDS: Final = range(-(2**31), 2**31)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_IMAGES: Final = frozenset(("image/png", "image/jpeg", "image/webp", "image/heic", "image/heif"))
"""docs.cloud.google.com/gemini-enterprise-agent-platform/models/capabilities/image-understanding, 2026-11-20."""
_TYPE_OF_SUFFIX: Final = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".heic": "image/heic",
    ".heif": "image/heif",
    ".gif": "image/gif",
    ".pdf": "application/pdf",
    ".txt": "text/plain",
    ".md": "text/markdown",
    ".html": "text/html",
    ".csv": "text/csv",
    ".wav": "audio/wav",
    ".mp3": "audio/mp3",
    ".flac": "audio/flac",
    ".ogg": "audio/ogg",
    ".aac": "audio/aac",
    ".aiff": "audio/aiff",
}
_TIERS: Final[dict[str, Literal["flex", "standard", "priority"]]] = {
    "flex": "flex",
    "priority": "priority",
    "standard": "standard",
    "standard_only": "standard",
}
_NO_CONFIG: Final = GenerationConfig()
_OBJECT = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder().encode


def write_request(request: Request, target: Target, losses: Losses) -> bytes:
    """Raises BadRequest: a tool's name, a call's arguments or a missing result that Gemini takes in no form."""
    known = model(target.model)
    conversation = _Conversation(known, losses)
    conversation.read(request)
    config = _config(request, known, losses)
    tier = request.service_tier
    if tier not in ("", "auto", "default", *_TIERS):
        losses.member("service_tier", tier)
    body = Body(
        contents=conversation.contents,
        system_instruction=Content(conversation.system) if conversation.system else None,
        generation_config=None if config == _NO_CONFIG else config,
        service_tier=_TIERS.get(tier, ""),
    )
    if request.tools:
        declared = _declared(request.tools, losses)
        if declared:
            body.tools = [Tools(declared)]
            body.tool_config = _tool_config(request.tool_choice, request.tools)
    return _encode(body)


# ---- what is asked of the answer


def _config(request: Request, known: Model, losses: Losses) -> GenerationConfig:
    if request.n > 1:
        losses.member("n", "one answer a request")
    if request.min_p is not None:
        losses.member("min_p")
    if request.logit_bias is not None:
        losses.member("logit_bias")
    if request.parallel_tool_calls is False:
        losses.member("parallel_tool_calls")
    if any(each != "text" for each in request.modalities):
        losses.member("modalities")
    stops = list(request.stop)
    if len(stops) > _MOST_STOPS:
        losses.member("stop", f"more than {_MOST_STOPS}")
        del stops[_MOST_STOPS:]
    seed = request.seed
    if seed is not None and seed not in _SEEDS:
        losses.member("seed", "more than 32 bits")
        seed = None
    config = GenerationConfig(
        max_output_tokens=request.max_output_tokens,
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k,
        stop_sequences=stops,
        seed=seed,
        presence_penalty=request.presence_penalty,
        frequency_penalty=request.frequency_penalty,
    )
    if request.logprobs:
        config.response_logprobs = True
        config.logprobs = min(request.top_logprobs, _MOST_LOGPROBS)
    if request.format is not None:
        if request.tools and not known.formats_with_tools:
            losses.member("format", "together with tools")
        else:
            config.response_mime_type = "application/json"
            config.response_json_schema = request.format.schema or None
    if request.reasoning is not None:
        config.thinking_config = thinking(request.reasoning, known, losses)
    return config


def _declared(tools: Sequence[Tool], losses: Losses) -> list[FunctionDeclaration]:
    declared = []
    for at, tool in enumerate(tools):
        if tool.kind == "server":
            losses.tool(at, "a tool of another provider")
            continue
        schema, description = tool.schema, tool.description
        if tool.kind == "custom":
            schema, description = custom.SCHEMA, custom.description(tool, at, losses)
        _check_name(tool.name)
        declared.append(FunctionDeclaration(tool.name, description, schema or None))
    return declared


def _check_name(name: str) -> None:
    if _NAME.fullmatch(name) is None:
        raise BadRequest(
            f"A Gemini model cannot be offered a tool named {name[:80]!r}",
            why="a function's name begins with a letter or underscore and has letters, digits and _ . : - after it",
            fix="Name the tool so, or choose another model.",
            param="$.tools",
        )


def _tool_config(choice: ToolChoice | None, tools: Sequence[Tool]) -> ToolConfig | None:
    """VALIDATED is AUTO with arguments that are sure to follow the schema, and with names to choose from."""
    strict = any(tool.strict for tool in tools)
    if choice is None or (choice.mode == "auto" and not choice.allowed):
        return ToolConfig(FunctionCallingConfig("VALIDATED")) if strict else None
    if choice.mode == "none":
        return ToolConfig(FunctionCallingConfig("NONE"))
    if choice.mode == "named":
        return ToolConfig(FunctionCallingConfig("ANY", [choice.name]))
    return ToolConfig(FunctionCallingConfig("VALIDATED" if choice.mode == "auto" else "ANY", list(choice.allowed)))


# ---- the conversation


class _Conversation:
    """Turns become contents. Results of tools stay in one content of their own, directly behind their calls: the
    service counts them there, and answers nothing where they do not match."""

    __slots__ = ("_calls", "_checked_from", "_losses", "_model", "contents", "system")

    def __init__(self, model: Model, losses: Losses) -> None:
        self._model = model
        self._losses = losses
        self._calls: dict[str, str] = {}
        """Names by id, of the calls without a result so far."""
        self._checked_from = 0
        """Index of the turn from which on the service looks for signatures."""
        self.contents: list[Content] = []
        self.system: list[RequestPart] = []

    def read(self, request: Request) -> None:
        turns = request.turns
        self.system = [TextPart(each.text) for each in request.system if each.text]
        if self._model.checks_signatures:
            self._checked_from = _current(turns)
        for index, turn in enumerate(turns):
            if turn.name:
                self._losses.turn(turn.at, "the speaker's name")
            if turn.role == "tool":
                self._results(turn)
                continue
            if self._calls and turn.role != "assistant":
                self._check_answered()
            if turn.role == "user":
                self._user(turn)
            elif turn.role == "assistant":
                self._assistant(turn, self._model.checks_signatures and index >= self._checked_from)
            else:
                self._user(as_users(turn))
        self._check_answered()
        self._close(turns)

    def _close(self, turns: Sequence[Turn]) -> None:
        contents = self.contents
        if contents and contents[-1].role == "model" and not self._model.continues_answers:
            self._losses.turn(turns[-1].at, "the beginning of the answer, as the last message")
            contents.pop()
        if contents:
            return
        if not self.system:
            raise BadRequest(
                "A Gemini model cannot be asked with messages that say nothing",
                fix="Send at least one message with text, an image or a file in it.",
                param="$.messages",
            )
        self._losses.member("system", "with no message beside it")
        contents.append(Content(self.system, "user"))
        self.system = []

    def _user(self, turn: Turn) -> None:
        parts: list[RequestPart] = []
        for part in turn.parts:
            if isinstance(part, Text):
                if part.text:
                    parts.append(TextPart(part.text))
            else:
                parts += self._media(part, turn.at)
        if parts:
            self.contents.append(Content(parts, "user"))

    def _assistant(self, turn: Turn, checked: bool) -> None:
        parts: list[RequestPart] = []
        signature = ""
        """Of the thinking that stands directly before a call."""
        unsigned = checked
        for part in turn.parts:
            if isinstance(part, ToolCall):
                signature = self._own(part.signature) or signature
                if unsigned:  # of calls made together only the first one is signed
                    unsigned = False
                    signature = signature or UNSIGNED
                parts.append(CallPart(_call(part), signature))
                self._calls[part.id] = part.name
                signature = ""
            elif isinstance(part, Thinking):
                signature = self._own(part.signature)
            elif isinstance(part, (Text, Refusal)):
                signature = ""
                if part.text:
                    parts.append(TextPart(part.text))
            else:
                parts += self._media(part, turn.at)
        if not parts:
            return
        if self.contents and self.contents[-1].role == "model":
            self.contents[-1].parts += parts  # a call must follow what a user said, not another answer
        else:
            self.contents.append(Content(parts, "model"))

    def _own(self, signature: str) -> str:
        """The signature, if this model made it."""
        if not signature:
            return ""
        maker, name, text = unmarked(signature)
        return text if maker == "gemini" and self._model.made(name) else ""

    def _results(self, turn: Turn) -> None:
        found: dict[str, ResponsePart] = {}
        for part in turn.parts:
            if not isinstance(part, ToolResult):
                continue
            name = self._calls.get(part.id)
            if name is None:
                raise BadRequest(
                    f"The result of tool call {part.id[:80]!r} follows no such call",
                    fix="Send it directly behind the assistant's message with the call.",
                    param="$.messages",
                )
            found[part.id] = ResponsePart(self._response(part, name, turn.at))
        ordered: list[RequestPart] = [found[id] for id in self._calls if id in found]
        for id in found:
            del self._calls[id]
        if ordered:
            self.contents.append(Content(ordered, "user"))

    def _check_answered(self) -> None:
        if self._calls:
            raise BadRequest(
                f"Tool call {next(iter(self._calls))[:80]!r} has no result",
                why="a Gemini model takes calls of tools only with all their results directly behind them",
                fix="Send a result for each call, be it an error.",
                param="$.messages",
            )

    def _response(self, result: ToolResult, name: str, at: int) -> FunctionResponse:
        texts = []
        media: list[BlobPart | FilePart] = []
        for part in result.parts:
            if isinstance(part, Text):
                texts.append(part.text)
            elif not self._model.sees_results:
                self._losses.turn(at, "an image or a file in a tool's result")
            else:
                for each in self._media(part, at):
                    if isinstance(each, TextPart):
                        texts.append(each.text)
                    elif isinstance(each, (BlobPart, FilePart)):
                        media.append(each)
        output: str | list[str] = "".join(texts) if len(texts) < 2 else texts
        return FunctionResponse(name, {"error" if result.error else "output": output}, result.id, media)

    def _media(self, part: Part, at: int) -> list[RequestPart]:
        """As it can be said: with its title in front, or not at all."""
        if isinstance(part, Image):
            said = self._place(part.media, "image/jpeg", at)
            kind = said.inline_data.mime_type if isinstance(said, BlobPart) else ""
            if kind and kind not in _IMAGES:
                self._losses.turn(at, f"an image of type {kind}")
                return []
            return [said] if said is not None else []
        if isinstance(part, Audio):
            said = self._place(part.media, "audio/wav", at)
            return [said] if said is not None else []
        if isinstance(part, File):
            if part.citable:
                self._losses.turn(at, "citations of a document")
            said = self._place(part.media, "application/pdf", at)
            if said is None:
                return []
            title = "\n".join(each for each in (part.name, part.context) if each)
            return [TextPart(title), said] if title else [said]
        self._losses.turn(at, f"a part of another role ({part.__struct_config__.tag})")
        return []

    def _place(self, media: Media, usual: str, at: int) -> BlobPart | FilePart | None:
        """`usual`: the type to name where none was said, since one must be."""
        if media.file_id:
            self._losses.turn(at, "a file uploaded to another provider")
            return None
        if media.url:
            return FilePart(FileData(media.url, media.media_type or _TYPE_OF_SUFFIX.get(_suffix(media.url), usual)))
        return BlobPart(Blob(media.media_type or usual, media.data))


def _current(turns: Sequence[Turn]) -> int:
    """Where the current turn, in Google's sense, begins: with the last message of a user that is no tool's result.

    What a user says directly behind results may count as part of them, so it begins none.
    """
    for index in range(len(turns) - 1, 0, -1):
        if turns[index].role == "user" and turns[index - 1].role != "tool":
            return index
    return 0


def _suffix(url: str) -> str:
    """As .png, of the last name in the path; empty if there is none."""
    name = url.partition("?")[0].partition("#")[0].rpartition("/")[2]
    return name[name.rfind(".") :].lower() if "." in name else ""


def _call(call: ToolCall) -> FunctionCall:
    _check_name(call.name)
    if call.custom:
        return FunctionCall(call.name, Raw(custom.wrapped(call.arguments).encode()), call.id)
    arguments = call.arguments.encode()
    if not arguments or arguments.isspace():
        return FunctionCall(call.name, Raw(b"{}"), call.id)
    try:
        _OBJECT.decode(arguments)
    except UNREADABLE as error:
        raise BadRequest(
            f"The arguments of tool call {call.id[:80]!r} are no JSON object", why=str(error), param="$.messages"
        ) from None
    return FunctionCall(call.name, Raw(arguments), call.id)
