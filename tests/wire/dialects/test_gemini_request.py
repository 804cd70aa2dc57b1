"""What a conversation becomes as generateContent. Shapes: google-genai 3.4.0, Gemini API reference, 2026-11-20."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Raw

from twintrack.errors import BadRequest
from twintrack.wire.canonical.losses import Loss, Losses
from twintrack.wire.canonical.parts import (
    Audio,
    Citation,
    File,
    Image,
    Media,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from twintrack.wire.canonical.request import Format, Reasoning, Request, Target, Tool, ToolChoice, Turn
from twintrack.wire.canonical.signature import marked
from twintrack.wire.dialects.gemini import PROVIDER
from twintrack.wire.dialects.gemini.request import UNSIGNED

NEW, OLD = "gemini-3.8-flash", "gemini-2.5-flash"
HELLO = Turn("user", (Text("Hello"),))
HELLO_WRITTEN = {"parts": [{"text": "Hello"}], "role": "user"}
WEATHER = Tool("weather", "Of a city", Raw(b'{"type":"object", "$defs": {"big": 12345678901234567890}}'))
CALL = ToolCall("c1", "weather", '{"city": "Bern", "at": 1.50}')
RESULT = ToolResult("c1", (Text("sunny"),))


def request(*turns: Turn, **members: Any) -> Request:
    return Request(model="auto", turns=turns or (HELLO,), **members)


def write(asked: Request, model: str = NEW, lost: tuple[Loss, ...] = ()) -> dict[str, Any]:
    losses = Losses()
    body = PROVIDER.write_request(asked, Target(model), losses)
    assert tuple(losses.found) == lost
    written: dict[str, Any] = json.loads(body)
    return written


def config(asked: Request, model: str = NEW, lost: tuple[Loss, ...] = ()) -> Any:
    return write(asked, model, lost).get("generationConfig")


def test_a_plain_question_says_nothing_else():
    assert write(request()) == {"contents": [HELLO_WRITTEN]}


def test_system_prompts_stand_apart():
    written = write(request(system=(Text("Be brief."), Text("Be kind."))))
    assert written == {
        "contents": [HELLO_WRITTEN],
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Be kind."}]},
    }


def test_a_system_message_in_the_middle_is_said_where_it_stands():
    written = write(request(HELLO, Turn("system", (Text("Now in French."),), 2), HELLO, system=(Text("Be brief."),)))
    reminder = {"role": "user", "parts": [{"text": "<system-reminder>\nNow in French.\n</system-reminder>"}]}
    assert written["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert written["contents"] == [HELLO_WRITTEN, reminder, HELLO_WRITTEN]


def test_a_conversation_of_system_prompts_alone_is_a_loss_and_asked_as_a_user():
    written = write(
        Request(model="", turns=(), system=(Text("Tell a joke."),)),
        lost=(Loss("system", -1, "with no message beside it"),),
    )
    assert written == {"contents": [{"parts": [{"text": "Tell a joke."}], "role": "user"}]}


def test_messages_that_say_nothing_are_refused():
    with pytest.raises(BadRequest, match="say nothing"):
        write(request(Turn("user", (Text(""),))))


@pytest.mark.parametrize(
    ("part", "written"),
    [
        (Text("ünï 😀 \x00\u2028"), {"text": "ünï 😀 \x00\u2028"}),
        (Text("kept", "1h"), {"text": "kept"}),
        (Image(Media("QUJD", "image/png"), "low", "5m"), {"inlineData": {"mimeType": "image/png", "data": "QUJD"}}),
        (
            Image(Media(url="https://example.org/a/b.webp?x=1.png#y")),
            {"fileData": {"fileUri": "https://example.org/a/b.webp?x=1.png#y", "mimeType": "image/webp"}},
        ),
        (
            Image(Media(url="https://example.org/picture")),
            {"fileData": {"fileUri": "https://example.org/picture", "mimeType": "image/jpeg"}},
        ),
        (
            Image(Media(url="gs://bucket/p.png", media_type="image/heic")),
            {"fileData": {"fileUri": "gs://bucket/p.png", "mimeType": "image/heic"}},
        ),
        (Audio(Media("QUJD", "audio/mp3")), {"inlineData": {"mimeType": "audio/mp3", "data": "QUJD"}}),
        (File(Media("QUJD", "text/plain")), {"inlineData": {"mimeType": "text/plain", "data": "QUJD"}}),
        (
            File(Media(url="https://[broken/x")),
            {"fileData": {"fileUri": "https://[broken/x", "mimeType": "application/pdf"}},
        ),
    ],
)
def test_parts_of_a_user(part: Any, written: Any):
    assert write(request(Turn("user", (part,))))["contents"] == [{"parts": [written], "role": "user"}]


def test_a_files_name_and_context_stand_in_front_of_it():
    file = File(Media("QUJD", "application/pdf"), "report.pdf", "of last year")
    (content,) = write(request(Turn("user", (file,))))["contents"]
    assert content["parts"][0] == {"text": "report.pdf\nof last year"}
    assert content["parts"][1] == {"inlineData": {"mimeType": "application/pdf", "data": "QUJD"}}


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (Image(Media(file_id="file-1")), "a file uploaded to another provider"),
        (File(Media(file_id="file-1")), "a file uploaded to another provider"),
        (Image(Media("QUJD", "image/gif")), "an image of type image/gif"),
        (File(Media("QUJD", "application/pdf"), citable=True), "citations of a document"),
    ],
)
def test_what_a_user_cannot_send(part: Any, what: str):
    written = write(request(Turn("user", (Text("See"), part), 4)), lost=(Loss("turns", 4, what),))
    assert written["contents"][0]["parts"][0] == {"text": "See"}


def test_a_speakers_name_is_a_loss():
    write(request(Turn("user", (Text("Hi"),), 3, "Ada")), lost=(Loss("turns", 3, "the speaker's name"),))


# ---- assistants and tools


def test_an_assistants_words_and_refusals_are_a_models_text():
    said = Turn("assistant", (Text("Hi", citations=(Citation("https://a"),)), Refusal("No."), Thinking("hm", "sig")))
    assert write(request(HELLO, said, HELLO))["contents"] == [
        HELLO_WRITTEN,
        {"parts": [{"text": "Hi"}, {"text": "No."}], "role": "model"},
        HELLO_WRITTEN,
    ]


def test_schemas_and_arguments_travel_as_they_were_written():
    asked = request(HELLO, Turn("assistant", (CALL,)), Turn("tool", (RESULT,)), tools=(WEATHER,))
    body = PROVIDER.write_request(asked, Target(OLD), Losses())
    assert bytes(WEATHER.schema) in body
    assert CALL.arguments.encode() in body


def test_calls_and_results():
    turns = (
        HELLO,
        Turn("assistant", (Text("Let me see"), CALL, ToolCall("c2", "weather", "", cache="5m"))),
        Turn("tool", (ToolResult("c2", (Text("no such"), Text("city")), error=True), RESULT)),
        Turn("user", (Text("And?"),)),
    )
    assert write(request(*turns, tools=(Tool("weather"),)), OLD) == {
        "contents": [
            HELLO_WRITTEN,
            {
                "parts": [
                    {"text": "Let me see"},
                    {"functionCall": {"name": "weather", "args": {"city": "Bern", "at": 1.5}, "id": "c1"}},
                    {"functionCall": {"name": "weather", "args": {}, "id": "c2"}},
                ],
                "role": "model",
            },
            {
                "parts": [
                    {"functionResponse": {"name": "weather", "response": {"output": "sunny"}, "id": "c1"}},
                    {"functionResponse": {"name": "weather", "response": {"error": ["no such", "city"]}, "id": "c2"}},
                ],
                "role": "user",
            },
            {"parts": [{"text": "And?"}], "role": "user"},
        ],
        "tools": [{"functionDeclarations": [{"name": "weather"}]}],
    }


def test_a_call_may_follow_an_assistants_message_of_its_own():
    turns = (HELLO, Turn("assistant", (Text("Let me see"),)), Turn("assistant", (CALL,)), Turn("tool", (RESULT,)))
    assert [content["role"] for content in write(request(*turns), OLD)["contents"]] == ["user", "model", "user"]


def test_images_in_results_stand_inside_them():
    result = ToolResult("c1", (Text("here"), Image(Media("QUJD", "image/png")), File(Media("QUJD"), "a.pdf")))
    turns = (HELLO, Turn("assistant", (CALL,)), Turn("tool", (result,), 2))
    response = write(request(*turns))["contents"][2]["parts"][0]["functionResponse"]
    assert response["response"] == {"output": ["here", "a.pdf"]}
    assert response["parts"] == [
        {"inlineData": {"mimeType": "image/png", "data": "QUJD"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "QUJD"}},
    ]
    lost = Loss("turns", 2, "an image or a file in a tool's result")
    old = write(request(*turns), OLD, (lost, lost))
    assert old["contents"][2]["parts"][0]["functionResponse"]["response"] == {"output": "here"}


def test_tools_that_take_any_text_are_functions_with_one_property():
    form = b'{"type":"grammar","syntax":"regex","definition":"a+"}'
    grammar = Tool("patch", "Patches.", kind="custom", raw=Raw(b'{"type":"custom","format":%b}' % form))
    call = ToolCall("c1", "patch", '*** "Begin"', custom=True)
    written = write(
        request(
            HELLO,
            Turn("assistant", (call,)),
            Turn("tool", (ToolResult("c1", (Text("ok"),), custom=True),)),
            tools=(Tool("note", kind="custom"), grammar),
        ),
        OLD,
    )
    assert written["contents"][1]["parts"][0]["functionCall"]["args"] == {"input": '*** "Begin"'}
    for declared in written["tools"][0]["functionDeclarations"]:
        assert declared["parametersJsonSchema"]["required"] == ["input"]
    assert declared["description"] == "Patches.\n\nThe input must match this regular expression:\na+"


def test_tools_of_other_providers_are_a_loss():
    server = Tool("web_search", kind="server", raw=Raw(b'{"type":"web_search"}'))
    asked = request(tools=(server,), tool_choice=ToolChoice("auto"))
    assert write(asked, lost=(Loss("tools", 0, "a tool of another provider"),)) == {"contents": [HELLO_WRITTEN]}


@pytest.mark.parametrize("name", ["1st", "-x", "a b", "é", "a" * 129, ""])
def test_names_that_no_function_can_have_are_refused(name: str):
    with pytest.raises(BadRequest, match="a function's name"):
        write(request(tools=(Tool(name),)))


@pytest.mark.parametrize("arguments", ["[]", "{", '"a"', "null", '{"a":}', "nul"])
def test_arguments_that_are_no_object_are_refused(arguments: str):
    with pytest.raises(BadRequest, match="no JSON object"):
        write(request(HELLO, Turn("assistant", (ToolCall("c1", "f", arguments),)), Turn("tool", (RESULT,))))


@pytest.mark.parametrize(
    "turns",
    [
        (HELLO, Turn("assistant", (CALL,))),
        (HELLO, Turn("assistant", (CALL,)), HELLO),
        (HELLO, Turn("assistant", (CALL, ToolCall("c2", "weather", "{}"))), Turn("tool", (RESULT,)), HELLO),
    ],
)
def test_calls_without_results_are_refused(turns: tuple[Turn, ...]):
    with pytest.raises(BadRequest, match="has no result"):
        write(request(*turns))


def test_results_without_calls_are_refused():
    with pytest.raises(BadRequest, match="follows no such call"):
        write(request(HELLO, Turn("tool", (RESULT,))))


@pytest.mark.parametrize(
    ("choice", "strict", "written"),
    [
        (None, None, None),
        (None, True, {"mode": "VALIDATED"}),
        (ToolChoice("auto"), False, None),
        (ToolChoice("auto"), True, {"mode": "VALIDATED"}),
        (ToolChoice("auto", allowed=("weather",)), None, {"mode": "VALIDATED", "allowedFunctionNames": ["weather"]}),
        (ToolChoice("none"), True, {"mode": "NONE"}),
        (ToolChoice("required"), None, {"mode": "ANY"}),
        (ToolChoice("required", allowed=("weather",)), None, {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
        (ToolChoice("named", "weather"), None, {"mode": "ANY", "allowedFunctionNames": ["weather"]}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, strict: bool | None, written: Any):
    asked = request(tools=(Tool("weather", strict=strict),), tool_choice=choice)
    assert write(asked).get("toolConfig") == (None if written is None else {"functionCallingConfig": written})


def test_the_beginning_of_an_answer_is_a_loss_where_models_refuse_it():
    turns = (HELLO, Turn("assistant", (Text("Once"),), 1))
    assert write(request(*turns), OLD)["contents"][1]["role"] == "model"
    lost = (Loss("turns", 1, "the beginning of the answer, as the last message"),)
    assert write(request(*turns), NEW, lost) == {"contents": [HELLO_WRITTEN]}


# ---- thought signatures


def signatures(*turns: Turn, model: str = NEW) -> list[str | None]:
    contents = write(request(*turns), model)["contents"]
    return [part.get("thoughtSignature") for content in contents for part in content["parts"] if "functionCall" in part]


def calling(*parts: Any) -> tuple[Turn, Turn]:
    called = [part for part in parts if isinstance(part, ToolCall)]
    return Turn("assistant", parts), Turn("tool", tuple(ToolResult(call.id, (Text("ok"),)) for call in called))


def test_a_models_own_signature_comes_back_to_it():
    signed = ToolCall("c1", "f", "{}", signature=marked("gemini", NEW, "Sg=="))
    assert signatures(HELLO, *calling(signed, ToolCall("c2", "f", "{}"))) == ["Sg==", None]


def test_a_signature_may_stand_on_the_thinking_in_front_of_a_call():
    thought = Thinking("Let me see", marked("gemini", NEW, "Sg=="))
    assert signatures(HELLO, *calling(thought, ToolCall("c1", "f", "{}"))) == ["Sg=="]
    assert signatures(HELLO, *calling(thought, Text("So"), ToolCall("c1", "f", "{}"))) == [UNSIGNED]


@pytest.mark.parametrize(
    "signature", ["", "EqQBCg…bare", marked("anthropic", "", "x"), marked("gemini", "gemini-3.1-pro-preview", "x")]
)
def test_what_another_model_signed_is_replaced_by_the_word_for_that(signature: str):
    assert signatures(HELLO, *calling(ToolCall("c1", "f", "{}", signature=signature))) == [UNSIGNED]
    assert signatures(HELLO, *calling(ToolCall("c1", "f", "{}", signature=signature)), model=OLD) == [None]


def test_aliases_and_versions_are_the_same_model():
    for asked, answered in [
        ("gemini-flash-latest", "gemini-3.8-flash"),
        ("models/gemini-3.8-flash", "gemini-3.8-flash"),
        ("gemini-3.8-flash", "gemini-3.8-flash-002"),
        ("gemini-3.8-flash", ""),
    ]:
        signed = ToolCall("c1", "f", "{}", signature=marked("gemini", answered, "S"))
        assert signatures(HELLO, *calling(signed), model=asked) == ["S"]


def test_only_calls_of_the_current_turn_are_checked():
    earlier, now = calling(ToolCall("c1", "f", "{}")), calling(ToolCall("c2", "f", "{}"))
    assert signatures(HELLO, *earlier, Turn("assistant", (Text("so"),)), HELLO, *now) == [None, UNSIGNED]
    assert signatures(HELLO, *earlier, *now) == [UNSIGNED, UNSIGNED]
    assert signatures(HELLO, *earlier, HELLO, *now) == [UNSIGNED, UNSIGNED]  # words behind results begin no turn


# ---- what is asked of the answer


def test_sampling():
    asked = request(
        max_output_tokens=100,
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop=("a", "b"),
        seed=7,
        presence_penalty=0.1,
        frequency_penalty=-0.2,
        logprobs=True,
        top_logprobs=3,
        stream=True,
        stream_usage=True,
    )
    assert config(asked) == {
        "maxOutputTokens": 100,
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 40,
        "stopSequences": ["a", "b"],
        "seed": 7,
        "presencePenalty": 0.1,
        "frequencyPenalty": -0.2,
        "responseLogprobs": True,
        "logprobs": 3,
    }


def test_zero_is_said():
    assert config(request(temperature=0.0, seed=0, top_k=0)) == {"temperature": 0.0, "seed": 0, "topK": 0}


def test_hints_are_left_out_without_a_word():
    asked = request(
        user="u", metadata={"a": "b"}, cache_key="k", verbosity="low", service_tier="auto", sealed_reasoning=True
    )
    assert write(asked) == {"contents": [HELLO_WRITTEN]}


@pytest.mark.parametrize(
    ("members", "lost"),
    [
        ({"n": 2}, Loss("n", -1, "one answer a request")),
        ({"min_p": 0.1}, Loss("min_p")),
        ({"logit_bias": Raw(b'{"1":2}')}, Loss("logit_bias")),
        ({"parallel_tool_calls": False}, Loss("parallel_tool_calls")),
        ({"modalities": ("text", "audio")}, Loss("modalities")),
        ({"seed": 2**31}, Loss("seed", -1, "more than 32 bits")),
        ({"service_tier": "scale"}, Loss("service_tier", -1, "scale")),
    ],
)
def test_what_gemini_has_no_word_for(members: Any, lost: Loss):
    assert write(request(**members), lost=(lost,)) == {"contents": [HELLO_WRITTEN]}


def test_what_means_nothing_is_no_loss():
    assert write(request(parallel_tool_calls=True, modalities=("text",))) == {"contents": [HELLO_WRITTEN]}


def test_more_stop_sequences_than_it_takes_are_a_loss():
    asked = request(stop=tuple("abcdef"))
    assert config(asked, lost=(Loss("stop", -1, "more than 5"),)) == {"stopSequences": list("abcde")}


@pytest.mark.parametrize(
    ("tier", "written"), [("flex", "flex"), ("priority", "priority"), ("standard_only", "standard"), ("default", None)]
)
def test_service_tiers(tier: str, written: str | None):
    assert write(request(service_tier=tier)).get("serviceTier") == written


def test_forms_of_the_answer():
    schema = Raw(b'{"type": "object", "additionalProperties": false}')
    assert config(request(format=Format("json"))) == {"responseMimeType": "application/json"}
    assert config(request(format=Format("json_schema", schema, "answer", strict=True))) == {
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "additionalProperties": False},
    }


def test_a_form_together_with_tools_is_a_loss_before_gemini_3():
    asked = request(format=Format("json"), tools=(WEATHER,))
    assert config(asked) == {"responseMimeType": "application/json"}
    assert config(asked, OLD, (Loss("format", -1, "together with tools"),)) is None


ALWAYS = (Loss("reasoning", -1, "this model always thinks"),)


@pytest.mark.parametrize(
    ("model", "reasoning", "written", "lost"),
    [
        (NEW, Reasoning(), None, ()),
        (NEW, Reasoning("minimal"), {"thinkingLevel": "LOW"}, ()),
        (NEW, Reasoning("low", show="auto"), {"thinkingLevel": "LOW", "includeThoughts": True}, ()),
        (NEW, Reasoning("medium", show="none"), {"thinkingLevel": "MEDIUM", "includeThoughts": False}, ()),
        (NEW, Reasoning("max"), {"thinkingLevel": "HIGH"}, ()),
        (NEW, Reasoning("none"), {"thinkingLevel": "LOW"}, ALWAYS),
        (NEW, Reasoning(budget_tokens=4_096), {"thinkingLevel": "MEDIUM"}, ()),
        (NEW, Reasoning(adaptive=True), None, ()),
        (NEW, Reasoning("high", None, True, "auto"), {"thinkingLevel": "HIGH", "includeThoughts": True}, ()),
        ("gemini-4-argon", Reasoning("none"), {"thinkingLevel": "LOW"}, ALWAYS),
        ("gemini-3.1-pro-preview", Reasoning("minimal"), {"thinkingLevel": "LOW"}, ()),
        ("gemini-3.5-flash-lite", Reasoning("none"), {"thinkingLevel": "MINIMAL"}, ()),
        ("gemini-3.6-flash", Reasoning("minimal"), {"thinkingLevel": "MINIMAL"}, ()),
        ("publishers/google/models/gemini-3.6-flash", Reasoning("minimal"), {"thinkingLevel": "MINIMAL"}, ()),
        ("gemini-flash-latest", Reasoning("minimal"), {"thinkingLevel": "LOW"}, ()),
        (OLD, Reasoning("none"), {"thinkingBudget": 0}, ()),
        (OLD, Reasoning(budget_tokens=0), {"thinkingBudget": 0}, ()),
        (OLD, Reasoning("minimal"), {"thinkingBudget": 1024}, ()),
        (OLD, Reasoning("high", show="concise"), {"thinkingBudget": 16384, "includeThoughts": True}, ()),
        (OLD, Reasoning("xhigh"), {"thinkingBudget": 24576}, ()),
        (OLD, Reasoning(budget_tokens=2_000), {"thinkingBudget": 2000}, ()),
        (OLD, Reasoning(adaptive=True), {"thinkingBudget": -1}, ()),
        (OLD, Reasoning(show="auto"), {"includeThoughts": True}, ()),
        ("gemini-2.5-flash-lite", Reasoning(budget_tokens=100), {"thinkingBudget": 512}, ()),
        ("gemini-2.5-pro", Reasoning("none"), {"thinkingBudget": 128}, ALWAYS),
        ("gemini-2.5-pro", Reasoning("max"), {"thinkingBudget": 32768}, ()),
    ],
)  # fmt: skip
def test_thinking(model: str, reasoning: Reasoning, written: Any, lost: tuple[Loss, ...]):
    found = config(request(reasoning=reasoning), model, lost)
    assert (found or {}).get("thinkingConfig") == written
