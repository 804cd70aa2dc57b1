"""What a request can ask for, one row each: its name, what it is, and the smallest canonical request that shows it.

`without` is the same request with the one thing taken away, so that whoever looks at a provider's body can see whether
it arrived. The page docs/dialects.md has a row for each, in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec import Raw

from twintrack.wire.canonical.parts import (
    Audio,
    Citation,
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
from twintrack.wire.canonical.request import Format, Reasoning, Request, Role, Tool, ToolChoice, Turn
from twintrack.wire.canonical.signature import marked


@dataclass(frozen=True)
class Feature:
    name: str
    what: str
    """For the page."""
    request: Request
    without: Request


def say(role: Role, *parts: Part | str, name: str = "") -> Turn:
    return Turn(role, tuple(Text(part) if isinstance(part, str) else part for part in parts), 0, name)


def asked(*turns: Turn, **members: Any) -> Request:
    members = {"max_output_tokens": 4096} | members
    return Request(model="any", turns=turns or (say("user", "Hello"),), **members)


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="  # one red dot
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA="  # no sound
PDF = "JVBERi0xLjQKJSVFT0YK"  # no page
NOTE = "VGhlIHNreSBpcyBncmVlbi4="  # The sky is green.
ODD = 'Zürich 東京 \U0001f98a\u200d "\\/\b\t\n\r\x00\x1f\u2028'

SCHEMA = Raw(
    b'{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
)
WEATHER = Tool("weather", "Weather of a city", SCHEMA)
TIME = Tool("time", "Time of a city", SCHEMA)
QUERY = Tool("query", "Runs SQL", kind="custom")
GRAMMAR = Tool(
    "query",
    "Runs SQL",
    kind="custom",
    raw=Raw(b'{"type":"custom","name":"query","format":{"type":"grammar","syntax":"lark","definition":"start: WORD"}}'),
)
SEARCH = Tool("web_search", kind="server", raw=Raw(b"{}"))

BERN = ToolCall("call_1", "weather", '{"city":"Bern"}')
BONN = ToolCall("call_2", "time", '{"city":"Bonn"}')
SELECT = ToolCall("call_3", "query", "SELECT 1", custom=True)
BASE = asked()
TALK = (say("user", "Hello"), say("assistant", "Hi."), say("user", "Go on."))
OFFERED = asked(tools=(WEATHER, TIME))


def attached(part: Part) -> Request:
    return asked(say("user", "Look:", part))


def thought(*parts: Part | str) -> Request:
    return asked(say("user", "Hello"), say("assistant", *parts), say("user", "Go on."))


def called(*parts: Part, results: tuple[ToolResult, ...], tools: tuple[Tool, ...] = (WEATHER,)) -> Request:
    return asked(say("user", "Hello"), say("assistant", *parts), say("tool", *results), tools=tools)


def result(*parts: Text | Image | File, error: bool = False) -> Request:
    return called(BERN, results=(ToolResult("call_1", parts, error),))


IMAGE = Image(Media(PNG, "image/png"))
DOCUMENT = File(Media(PDF, "application/pdf"), "sky.pdf")
LOOK = asked(say("user", "Look:"))
SUNNY = result(Text("sunny"))
THOUGHTFUL = thought("Hi.")


def _row(name: str, what: str, request: Request, without: Request = BASE) -> Feature:
    return Feature(name, what, request, without)


FEATURES = (
    # the conversation
    _row("text", "text", BASE, asked(say("user", "Goodbye"))),
    _row("unicode", "any character, also control characters", asked(say("user", ODD))),
    _row("turns", "several turns", asked(*TALK)),
    _row("system", "a system prompt", asked(system=(Text("Be brief."),))),
    _row("system_parts", "a system prompt in several parts", asked(system=(Text("Be brief."), Text("Be kind.")))),
    _row(
        "system_later",
        "a system message in the middle of the conversation",
        asked(*TALK, say("system", "Be kind.")),
        asked(*TALK),
    ),
    _row("speaker", "names of speakers", asked(say("user", "Hello", name="ann"))),
    _row("prefill", "the beginning of the answer as the last message", asked(*TALK[:2]), asked(TALK[0])),
    _row("refusal_said", "an earlier refusal", thought(Refusal("I cannot.")), asked(*TALK[::2])),
    _row(
        "citations_said",
        "citations in an earlier answer",
        thought(Text("Hi.", citations=(Citation("https://a.example/sky", "Sky", "", 0, 3),))),
        THOUGHTFUL,
    ),
    # images, sound, files
    _row("image_data", "an image", attached(IMAGE), LOOK),
    _row("image_url", "an image by address", attached(Image(Media(url="https://a.example/sky.png"))), LOOK),
    _row("image_detail", "an image's detail", attached(Image(Media(PNG, "image/png"), "low")), attached(IMAGE)),
    _row("image_id", "an image uploaded before", attached(Image(Media(file_id="file_1"))), LOOK),
    _row("audio", "sound", attached(Audio(Media(WAV, "audio/wav"))), LOOK),
    _row("pdf", "a PDF", attached(DOCUMENT), LOOK),
    _row("pdf_url", "a PDF by address", attached(File(Media(url="https://a.example/sky.pdf"))), LOOK),
    _row("file_text", "a text file", attached(File(Media(NOTE, "text/plain"), "sky.txt")), LOOK),
    _row(
        "file_context",
        "what the client says about a file",
        attached(File(Media(PDF, "application/pdf"), "sky.pdf", "Of June")),
        attached(DOCUMENT),
    ),
    _row(
        "file_citable",
        "citations from a file wanted",
        attached(File(Media(PDF, "application/pdf"), "sky.pdf", citable=True)),
        attached(DOCUMENT),
    ),
    _row("file_id", "a file uploaded before", attached(File(Media(file_id="file_1"))), LOOK),
    # tools
    _row("tools", "tools", asked(tools=(WEATHER, TIME))),
    _row(
        "tools_strict",
        "tools with strict arguments",
        asked(tools=(Tool("weather", "Weather of a city", SCHEMA, strict=True),)),
        asked(tools=(WEATHER,)),
    ),
    _row("tools_custom", "custom tools, which take any text", asked(tools=(QUERY,))),
    _row("tools_grammar", "custom tools with a grammar", asked(tools=(GRAMMAR,)), asked(tools=(QUERY,))),
    _row("tools_server", "tools of the provider itself", asked(tools=(SEARCH,))),
    _row(
        "calls",
        "calls of tools and their results",
        called(BERN, results=(ToolResult("call_1", (Text("sunny"),)),)),
        asked(tools=(WEATHER,)),
    ),
    _row(
        "calls_parallel",
        "several calls at once",
        called(
            BERN,
            BONN,
            results=(ToolResult("call_1", (Text("sunny"),)), ToolResult("call_2", (Text("noon"),))),
            tools=(WEATHER, TIME),
        ),
        called(BERN, results=(ToolResult("call_1", (Text("sunny"),)),), tools=(WEATHER, TIME)),
    ),
    _row(
        "calls_custom",
        "calls of custom tools",
        called(SELECT, results=(ToolResult("call_3", (Text("1"),), custom=True),), tools=(QUERY,)),
        asked(tools=(QUERY,)),
    ),
    _row("result_parts", "a result in several parts", result(Text("sunny"), Text("25 °C")), SUNNY),
    _row(
        "result_error",
        "a result that is an error",
        result(Text("no such city"), error=True),
        result(Text("no such city")),
    ),
    _row("result_image", "an image in a result", result(Text("sunny"), IMAGE), SUNNY),
    _row("result_file", "a file in a result", result(Text("sunny"), DOCUMENT), SUNNY),
    _row("choice_auto", "tool choice: auto", asked(tools=(WEATHER, TIME), tool_choice=ToolChoice("auto")), OFFERED),
    _row("choice_none", "tool choice: none", asked(tools=(WEATHER, TIME), tool_choice=ToolChoice("none")), OFFERED),
    _row(
        "choice_required", "tool choice: any", asked(tools=(WEATHER, TIME), tool_choice=ToolChoice("required")), OFFERED
    ),
    _row(
        "choice_named",
        "tool choice: one by name",
        asked(tools=(WEATHER, TIME), tool_choice=ToolChoice("named", "time")),
        OFFERED,
    ),
    _row(
        "choice_allowed",
        "tool choice: some of them",
        asked(tools=(WEATHER, TIME), tool_choice=ToolChoice("auto", allowed=("time",))),
        OFFERED,
    ),
    _row("calls_single", "one call at a time", asked(tools=(WEATHER, TIME), parallel_tool_calls=False), OFFERED),
    # the answer
    _row("max_tokens", "the most tokens of an answer", BASE, asked(max_output_tokens=None)),
    _row("json", "some JSON", asked(format=Format("json"))),
    _row("json_schema", "JSON of a schema", asked(format=Format("json_schema", SCHEMA, "answer", "", True))),
    _row("stop", "stop sequences", asked(stop=("END", "###"))),
    _row("stop_space", "stop sequences of white space", asked(stop=("\n\n",))),
    _row("n", "several answers", asked(n=2)),
    _row("modalities", "a spoken answer", asked(modalities=("text", "audio"), unsaid=("$.audio",))),
    _row("logprobs", "log probabilities", asked(logprobs=True, top_logprobs=3)),
    _row("stream", "streaming, with usage", asked(stream=True, stream_usage=True)),
    # sampling
    _row("temperature", "temperature", asked(temperature=0.5)),
    _row("temperature_high", "temperature above 1", asked(temperature=1.5)),
    _row("top_p", "top_p", asked(top_p=0.9)),
    _row("top_k", "top_k", asked(top_k=40)),
    _row("min_p", "min_p", asked(min_p=0.1)),
    _row("penalties", "penalties", asked(frequency_penalty=0.5, presence_penalty=-0.5)),
    _row("logit_bias", "logit_bias", asked(logit_bias=Raw(b'{"42":-100}'))),
    _row("seed", "a seed", asked(seed=7)),
    # reasoning
    _row("effort", "how hard to think", asked(reasoning=Reasoning("high"))),
    _row("effort_none", "not to think", asked(reasoning=Reasoning("none"))),
    _row("budget", "how many tokens to think", asked(reasoning=Reasoning(budget_tokens=2048))),
    _row("adaptive", "thinking as the model likes", asked(reasoning=Reasoning(adaptive=True))),
    _row(
        "thinking_shown",
        "a summary of the thinking wanted",
        asked(reasoning=Reasoning("high", show="auto")),
        asked(reasoning=Reasoning("high")),
    ),
    _row("thinking_sealed", "reasoning in its sealed form wanted", asked(sealed_reasoning=True)),
    _row("thought", "earlier thinking without a signature", thought(Thinking("Hm."), "Hi."), THOUGHTFUL),
    _row("thought_claude", "earlier thinking of Claude, signed", thought(Thinking("Hm.", "c2ln"), "Hi."), THOUGHTFUL),
    _row(
        "thought_redacted",
        "earlier thinking of Claude, redacted",
        thought(Thinking(sealed="c2VhbGVk"), "Hi."),
        THOUGHTFUL,
    ),
    _row(
        "thought_openai",
        "earlier reasoning of OpenAI, sealed",
        thought(Thinking("Hm.", sealed=marked("responses", "", "gAAAAA")), "Hi."),
        THOUGHTFUL,
    ),
    _row(
        "thought_gemini",
        "the thought signature of a call by Gemini",
        called(
            ToolCall("call_1", "weather", '{"city":"Bern"}', signature=marked("gemini", "", "c2ln")),
            results=(ToolResult("call_1", (Text("sunny"),)),),
        ),
        SUNNY,
    ),
    _row("verbosity", "verbosity", asked(verbosity="low")),
    # around it
    _row("tier_auto", "service tier: auto", asked(service_tier="auto")),
    _row("tier_default", "service tier: default", asked(service_tier="default")),
    _row("tier_flex", "service tier: flex", asked(service_tier="flex")),
    _row("tier_priority", "service tier: priority", asked(service_tier="priority")),
    _row("user", "who the user is", asked(user="user-7")),
    _row("metadata", "metadata", asked(metadata={"job": "7"})),
    _row(
        "cache_marks",
        "prompt cache markers",
        asked(say("user", Text("Hello", "5m")), system=(Text("Be brief.", "1h"),)),
        asked(system=(Text("Be brief."),)),
    ),
    _row("cache_key", "prompt_cache_key", asked(cache_key="key-7")),
    _row("store", "an answer kept by the provider", asked(unsaid=("$.store",))),
    _row("previous", "an earlier answer by its id", asked(unsaid=("$.previous_response_id",))),
    _row("prediction", "a predicted answer", asked(unsaid=("$.prediction",))),
)
