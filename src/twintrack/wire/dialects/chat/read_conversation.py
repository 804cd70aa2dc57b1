"""Messages to system text and turns, and the rules between them."""

from __future__ import annotations

import msgspec

from twintrack.errors import BadRequest
from twintrack.wire.canonical.media import checked_base64, from_data_url
from twintrack.wire.canonical.parts import (
    Audio,
    CacheLife,
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
from twintrack.wire.canonical.request import Turn
from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.dialects.chat import shapes
from twintrack.wire.dialects.chat.media import (
    AUDIO_TYPES,
    FILE_TYPES,
    IMAGE_TYPES,
    is_address,
    is_data_url,
)

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def read_conversation(messages: list[shapes.Message], unsaid: list[str]) -> tuple[tuple[Text, ...], tuple[Turn, ...]]:
    """System text and turns; what the canonical form cannot say is added to `unsaid`."""
    system: list[Text] = []
    turns: list[Turn] = []
    calls: dict[str, ToolCall] = {}
    """Calls of the last assistant message without a result."""
    called_at = 0
    results: list[ToolResult] = []
    results_at = 0
    for at, message in enumerate(messages):
        if isinstance(message, (shapes.ToolMessage, shapes.FunctionMessage)):
            if not results:
                results_at = at
            results.append(
                _result(message, calls, at)
                if isinstance(message, shapes.ToolMessage)
                else _function_result(message, calls, at)
            )
            continue
        if calls:
            raise _unanswered(calls, called_at)
        if results:
            turns.append(Turn("tool", tuple(results), results_at))
            results = []
        if isinstance(message, shapes.User):
            turns.append(Turn("user", _user_parts(message, at), at, message.name or ""))
        elif isinstance(message, shapes.Assistant):
            called_at = at
            turns.append(Turn("assistant", _assistant_parts(message, calls, at, unsaid), at, message.name or ""))
        else:
            texts = _texts(message.content, at, message.cache_control)
            if turns:
                turns.append(Turn("system", texts, at, message.name or ""))
            else:
                system += texts
                if message.name:
                    unsaid.append(f"$.messages[{at}].name")
    if calls:
        raise _unanswered(calls, called_at)
    if results:
        turns.append(Turn("tool", tuple(results), results_at))
    return tuple(system), tuple(turns)


def _unanswered(calls: dict[str, ToolCall], at: int) -> BadRequest:
    path = f"$.messages[{at}].tool_calls"
    missing = ", ".join(call_id[:60] for call_id in list(calls)[:4])
    return BadRequest(
        f"{path}: tool messages with a result for each call must follow; none has tool_call_id {missing}", param=path
    )


# ---- what a message holds


def _life(part: shapes.TextPart | shapes.ImagePart | shapes.FilePart) -> CacheLife:
    control = part.cache_control
    if control is not None:
        return control.ttl or "5m"
    point = part.prompt_cache_breakpoint
    if point is None:
        return ""
    return "1h" if point.ttl == "12h" else "5m"


def _whole_life(control: shapes.CacheControl | None) -> CacheLife:
    return "" if control is None else control.ttl or "5m"


def _none(at: int) -> BadRequest:
    path = f"$.messages[{at}].content"
    return BadRequest(f"{path}: an array of parts needs at least one", param=path)


def _texts(content: str | list[shapes.TextPart], at: int, control: shapes.CacheControl | None) -> tuple[Text, ...]:
    if isinstance(content, str):
        return (Text(content, _whole_life(control)),)
    if not content:
        raise _none(at)
    texts = [Text(part.text, _life(part)) for part in content]
    if control is not None:
        texts[-1] = Text(texts[-1].text, _whole_life(control))
    return tuple(texts)


def _user_parts(message: shapes.User, at: int) -> tuple[Part, ...]:
    content = message.content
    if isinstance(content, str):
        return (Text(content, _whole_life(message.cache_control)),)
    if not content:
        raise _none(at)
    parts: list[Part] = []
    for number, part in enumerate(content):
        if isinstance(part, shapes.TextPart):
            parts.append(Text(part.text, _life(part)))
        elif isinstance(part, shapes.ImagePart):
            parts.append(_image(part, at, number))
        elif isinstance(part, shapes.FilePart):
            parts.append(_file(part, at, number))
        else:
            path = f"$.messages[{at}].content[{number}].input_audio.data"
            sound = part.input_audio
            parts.append(Audio(Media(checked_base64(sound.data, path), AUDIO_TYPES[sound.format])))
    if message.cache_control is not None and isinstance(parts[-1], (Text, Image, File)):
        parts[-1] = msgspec.structs.replace(parts[-1], cache=_whole_life(message.cache_control))
    return tuple(parts)


def _image(part: shapes.ImagePart, at: int, number: int) -> Image:
    url = part.image_url.url
    path = f"$.messages[{at}].content[{number}].image_url.url"
    if is_data_url(url):
        media = from_data_url(url, IMAGE_TYPES, path)
    elif is_address(url):
        media = Media(url=url)
    else:
        raise BadRequest(f"{path}: neither an http(s) address nor a data URL", param=path)
    return Image(media, part.image_url.detail or "", _life(part))


def _file(part: shapes.FilePart, at: int, number: int) -> File:
    source = part.file
    data = source.file_data
    path = f"$.messages[{at}].content[{number}].file"
    if bool(data) == bool(source.file_id):
        raise BadRequest(f"{path}: exactly one of file_data and file_id must be there", param=path)
    if not data:
        media = Media(file_id=source.file_id or "")
    elif is_data_url(data):
        media = from_data_url(data, FILE_TYPES, f"{path}.file_data")
    elif is_address(data):  # as OpenRouter takes it
        media = Media(url=data)
    else:
        media = Media(checked_base64(data, f"{path}.file_data"), "application/pdf")
    return File(media, source.filename or "", cache=_life(part))


def _assistant_parts(
    message: shapes.Assistant, calls: dict[str, ToolCall], at: int, unsaid: list[str]
) -> tuple[Part, ...]:
    parts: list[Part] = _thoughts(message)
    content = message.content
    says_nothing = content is None or content is msgspec.UNSET
    called = bool(message.tool_calls) or message.function_call is not None
    if isinstance(content, str):
        if content or not (called or message.refusal):
            parts.append(Text(content, _whole_life(message.cache_control)))
    elif isinstance(content, list):
        if not content:
            raise _none(at)
        parts += [
            Refusal(part.refusal) if isinstance(part, shapes.RefusalPart) else Text(part.text, _life(part))
            for part in content
        ]
    if message.refusal:
        parts.append(Refusal(message.refusal))
    if shapes.is_said(message.audio):
        unsaid.append(f"$.messages[{at}].audio")
    elif says_nothing and not called and not message.refusal:
        path = f"$.messages[{at}].content"
        raise BadRequest(f"{path}: required unless tool_calls, function_call or a refusal is there", param=path)
    if message.tool_calls:
        _read_calls(message, parts, calls, at)
    elif message.function_call is not None:
        name, arguments = message.function_call.name, message.function_call.arguments
        path = f"$.messages[{at}].function_call.arguments"
        call = ToolCall(f"function_call_{at}", name, _arguments(arguments, path))
        calls[call.id] = call
        parts.append(call)
    return tuple(parts)


def _thoughts(message: shapes.Assistant) -> list[Part]:
    """The blocks say more than the text beside them, but where their maker sealed them: then only that can be read."""
    text = message.reasoning_content or message.reasoning or ""
    if not message.thinking_blocks:
        return [Thinking(text)] if text else []
    blocks = [_thinking(block) for block in message.thinking_blocks]
    if text and not any(block.text for block in blocks):
        blocks[0] = msgspec.structs.replace(blocks[0], text=text)
    return list(blocks)


def _thinking(block: shapes.ThinkingBlock | shapes.SealedBlock) -> Thinking:
    if isinstance(block, shapes.SealedBlock):
        return Thinking(sealed=block.data, id=block.id or "")
    return Thinking(block.thinking, block.signature or "")


def _read_calls(message: shapes.Assistant, parts: list[Part], calls: dict[str, ToolCall], at: int) -> None:
    if message.function_call is not None:
        path = f"$.messages[{at}].function_call"
        raise BadRequest(f"{path}: cannot stand beside tool_calls", param=path)
    for number, said in enumerate(message.tool_calls or ()):
        extra = said.extra_content
        signature = extra.google.thought_signature if extra is not None and extra.google is not None else ""
        if isinstance(said, shapes.FunctionCall):
            # The path is made only where it is needed: a long conversation has hundreds of calls.
            text = said.function.arguments
            if not _is_object(text):
                text = _arguments(text, f"$.messages[{at}].tool_calls[{number}].function.arguments")
            call = ToolCall(said.id, said.function.name, text, signature=signature)
        else:
            call = ToolCall(said.id, said.custom.name, said.custom.input, custom=True, signature=signature)
        if call.id in calls:
            path = f"$.messages[{at}].tool_calls[{number}].id"
            raise BadRequest(f"{path}: {call.id[:60]!r} is the id of an earlier call in this message", param=path)
        calls[call.id] = call
        parts.append(call)


def _is_object(arguments: str) -> bool:
    try:
        _OBJECT.decode(arguments)
    except (*UNREADABLE, UnicodeEncodeError):
        return False
    return True


def _arguments(arguments: str, path: str) -> str:
    if not arguments.strip():  # how some models call a function without parameters
        return "{}"
    if not _is_object(arguments):
        raise BadRequest(f"{path}: not the JSON text of an object", param=path)
    return arguments


# ---- results


def _result(message: shapes.ToolMessage, calls: dict[str, ToolCall], at: int) -> ToolResult:
    call = calls.pop(message.tool_call_id, None)
    if call is None:
        path = f"$.messages[{at}].tool_call_id"
        raise BadRequest(
            f"{path}: a tool message answers a call of the assistant message before it, once; "
            f"none there waits for {message.tool_call_id[:60]!r}",
            param=path,
        )
    content = message.content
    if isinstance(content, str):
        return ToolResult(call.id, (Text(content),), custom=call.custom, cache=_whole_life(message.cache_control))
    if not content:
        raise _none(at)
    parts: list[Text | Image | File] = []
    for number, part in enumerate(content):
        if isinstance(part, shapes.TextPart):
            parts.append(Text(part.text, _life(part)))
        elif isinstance(part, shapes.ImagePart):
            parts.append(_image(part, at, number))
        else:
            parts.append(_file(part, at, number))
    return ToolResult(call.id, tuple(parts), custom=call.custom, cache=_whole_life(message.cache_control))


def _function_result(message: shapes.FunctionMessage, calls: dict[str, ToolCall], at: int) -> ToolResult:
    for call in calls.values():
        if call.name == message.name:
            del calls[call.id]
            return ToolResult(call.id, (Text(message.content or ""),))
    path = f"$.messages[{at}].name"
    raise BadRequest(
        f"{path}: a function message answers the function_call before it; none there calls {message.name[:60]!r}",
        param=path,
    )
