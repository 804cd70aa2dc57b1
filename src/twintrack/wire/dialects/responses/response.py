"""A response as OpenAI's clients read it: the items of its output, and what stands around them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from twintrack.wire.canonical.answer import Finish, Reply
from twintrack.wire.canonical.losses import Losses
from twintrack.wire.canonical.parts import Logprob
from twintrack.wire.canonical.request import Request, Tool
from twintrack.wire.dialects.responses import shapes
from twintrack.wire.dialects.responses.annotations import URLCitation
from twintrack.wire.dialects.responses.write_request import TIERS, write_format, write_reasoning
from twintrack.wire.dialects.responses.write_tools import write_choice, write_tools
from twintrack.wire.reported.openai import as_responses
from twintrack.wire.responses import OUR_REASONING
from twintrack.wire.usage import Usage

encode = msgspec.json.Encoder().encode
_ODD = re.compile(r"[^A-Za-z0-9_]")
_LONGEST_BASE = 40
"""OpenAI takes ids back if they have up to 64 letters, digits, _ and -."""


# ---- items


class TopLogprob(msgspec.Struct, gc=False):
    token: str
    logprob: float
    bytes: tuple[int, ...]


class TokenLogprob(TopLogprob, gc=False):
    top_logprobs: list[TopLogprob]


class OutputText(msgspec.Struct, tag="output_text", gc=False):
    text: str
    annotations: list[URLCitation]
    logprobs: list[TokenLogprob]


class Refusal(msgspec.Struct, tag="refusal", gc=False):
    refusal: str


class Message(msgspec.Struct, tag="message", gc=False):
    id: str
    status: str
    content: list[OutputText | Refusal]
    role: str = "assistant"


class Reasoning(msgspec.Struct, tag="reasoning", omit_defaults=True, gc=False):
    id: str
    status: str
    summary: list[shapes.SummaryText]
    encrypted_content: str | None = None


class FunctionCall(msgspec.Struct, tag="function_call", omit_defaults=True, gc=False):
    id: str
    status: str
    call_id: str
    name: str
    arguments: str
    namespace: str | None = None


class CustomCall(msgspec.Struct, tag="custom_tool_call", omit_defaults=True, gc=False):
    id: str
    status: str
    call_id: str
    name: str
    input: str
    namespace: str | None = None


Item = Message | Reasoning | FunctionCall | CustomCall


class Ids:
    """Of the items of one response: unique in a conversation, since the gateway's id of the request is in them."""

    __slots__ = ("_base",)

    def __init__(self, reply: Reply) -> None:
        self._base = _ODD.sub("_", reply.id)[-_LONGEST_BASE:]

    def message(self, index: int) -> str:
        return f"msg_{self._base}_{index}"

    def reasoning(self, index: int) -> str:
        return f"{OUR_REASONING}{self._base}_{index}"

    def function_call(self, index: int) -> str:
        return f"fc_{self._base}_{index}"

    def custom_call(self, index: int) -> str:
        return f"ctc_{self._base}_{index}"


def logprobs(found: tuple[Logprob, ...]) -> list[TokenLogprob]:
    return [
        TokenLogprob(
            each.token,
            each.logprob,
            _bytes(each),
            [TopLogprob(top.token, top.logprob, _bytes(top)) for top in each.top],
        )
        for each in found
    ]


def _bytes(found: Logprob) -> tuple[int, ...]:
    return tuple(found.token.encode(errors="surrogatepass")) if found.bytes is None else found.bytes


class Names:
    """Which of the client's tools a call is of: providers know all as functions, and none of namespaces."""

    __slots__ = ("_tools",)

    def __init__(self, request: Request) -> None:
        self._tools = {tool.name: tool for tool in request.tools if tool.kind == "custom" or tool.namespace}

    def is_custom(self, name: str) -> bool:
        tool = self._tools.get(name)
        return tool is not None and tool.kind == "custom"

    def split(self, name: str) -> tuple[str, str | None]:
        """Name and namespace, as the client calls them."""
        tool = self._tools.get(name)
        if tool is None or not tool.namespace:
            return name, None
        return _own_name(tool), tool.namespace


def _own_name(tool: Tool) -> str:
    return tool.name[len(tool.namespace) :].removeprefix("__")


# ---- what stands around them


class _Echo(msgspec.Struct, kw_only=True, gc=False):
    """What was asked for, as far as it was carried."""

    instructions: str | None
    max_output_tokens: int | None
    metadata: dict[str, str]
    parallel_tool_calls: bool
    prompt_cache_key: str | None
    reasoning: dict[str, Any]
    temperature: float | None
    text: dict[str, Any]
    tool_choice: Any
    tools: list[Any]
    top_logprobs: int
    top_p: float | None
    user: str | None
    background: bool = False
    error: None = None
    max_tool_calls: None = None
    previous_response_id: None = None
    store: bool = False
    truncation: str = "disabled"


def _echo(request: Request) -> bytes:
    """JSON of the members, without braces."""
    options = None if request.reasoning is None else write_reasoning(request.reasoning)
    form = None if request.format is None else write_format(request.format)
    echo = _Echo(
        instructions=request.system[0].text if request.system else None,
        max_output_tokens=request.max_output_tokens,
        metadata=request.metadata,
        parallel_tool_calls=request.parallel_tool_calls is not False,
        prompt_cache_key=request.cache_key or None,
        reasoning={
            "effort": None if options is None else options.effort,
            "summary": None if options is None else options.summary,
        },
        temperature=request.temperature,
        text={"format": form or shapes.AnyText(), "verbosity": request.verbosity or "medium"},
        tool_choice=write_choice(request.tool_choice, request.tools) or "auto",
        tools=_tools(request.tools) if request.tools else [],
        top_logprobs=request.top_logprobs,
        top_p=request.top_p,
        user=request.user or None,
    )
    return encode(echo)[1:-1]


def _tools(tools: tuple[Tool, ...]) -> list[Any]:
    said: list[Any] = []
    groups: dict[str, list[Any]] = {}
    for tool in tools:
        if tool.kind == "server":
            said.append(tool.raw)
            continue
        written = write_tools((tool,), Losses())[0]
        if not tool.namespace:
            said.append(written)
            continue
        written.name = _own_name(tool)
        group = groups.get(tool.namespace)
        if group is None:
            group = groups[tool.namespace] = []
            said.append({"type": "namespace", "name": tool.namespace, "description": "", "tools": group})
        group.append(written)
    return said


_CUT_SHORT: dict[Finish, str] = {
    "length": "max_output_tokens",
    "context": "max_output_tokens",
    "pause": "max_output_tokens",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}


def cut_short(finish: Finish, refused: bool) -> str:
    """Why the response is incomplete; empty if it is complete. `refused`: it holds a refusal, which says all."""
    return "" if refused and finish == "refusal" else _CUT_SHORT.get(finish, "")


class Frame:
    """A response without its output, in each of its states."""

    __slots__ = ("_middle", "_start", "id")

    def __init__(self, reply: Reply, id: str, model: str, created: int) -> None:
        self.id = id if id.startswith("resp_") else f"resp_{id or _ODD.sub('_', reply.id)}"
        self._start = b'{"id":%b,"object":"response","created_at":%d,"model":%b,' % (
            encode(self.id),
            created or reply.now,
            encode(model or reply.request.model),
        )
        self._middle = _echo(reply.request)

    def begun(self) -> bytes:
        return (
            b'%b"status":"in_progress","incomplete_details":null,%b,"output":[],"usage":null,"service_tier":null}'
            % (
                self._start,
                self._middle,
            )
        )

    def ended(self, reason: str, output: list[bytes], usage: Usage, service_tier: str) -> bytes:
        """`reason`: why it is incomplete, if it is. `output`: JSON of each item."""
        if reason:
            status = b'"status":"incomplete","incomplete_details":{"reason":%b}' % encode(reason)
        else:
            status = b'"status":"completed","incomplete_details":null'
        return b'%b%b,%b,"output":[%b],"usage":%b,"service_tier":%b}' % (
            self._start,
            status,
            self._middle,
            b",".join(output),
            encode(as_responses(usage)),
            encode(service_tier if service_tier in TIERS else None),
        )
