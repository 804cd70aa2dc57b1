"""What was found gives way to placeholders everywhere, and comes back from them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twintrack.config.settings import PSEUDONYMS
from twintrack.signals.sensitivity import whole
from twintrack.signals.sensitivity.detector import CustomRule, Detector
from twintrack.signals.sensitivity.grade import Grade, grade, ladder
from twintrack.signals.sensitivity.naming import Naming
from twintrack.signals.sensitivity.pseudonyms import Pseudonymised, Texts, pseudonymise, replaceable
from twintrack.signals.sensitivity.replaced import MOST_VALUES, REDACTED, Impossible
from twintrack.wire.placeholders import Placeholders
from twintrack.wire.restored import restored_answer

NAMING = Naming(b"k" * 32, "dev", "Hello")
MAIL, CARD, PHONE = "bob.baker@firma-bau.de", "4111 1111 1111 1111", "+49 30 901820"
EVERYTHING = frozenset((*PSEUDONYMS, "phi"))


def read(detector: Detector, body: bytes) -> tuple[Texts, Grade]:
    texts, verdicts = whole.read(detector, body)
    return texts, grade(verdicts, ladder())


def replaced(
    detector: Detector, body: Any, naming: Naming = NAMING, wanted: frozenset[str] = EVERYTHING
) -> Pseudonymised:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    texts, graded = read(detector, data)
    return pseudonymise(data, texts, replaceable(graded, texts, wanted), naming)


def chat(*contents: str, **more: Any) -> dict[str, Any]:
    turns = [{"role": ("user", "assistant")[at % 2], "content": each} for at, each in enumerate(contents)]
    return {"model": "auto", "messages": turns} | more


def contents(made: Pseudonymised) -> list[str]:
    return [turn["content"] for turn in json.loads(made.body)["messages"]]


def test_every_turn_has_the_same_placeholder_and_the_next_request_too(detector: Detector) -> None:
    first = replaced(detector, chat(f"Write to {MAIL}."))
    (said,) = contents(first)
    placeholder = said.removeprefix("Write to ").removesuffix(".")
    assert placeholder.startswith("EMAIL_")
    assert first.values == {placeholder: MAIL}
    second = replaced(detector, chat(f"Write to {MAIL}.", f"Done: {MAIL}.", f"And a card, {CARD}."))
    assert contents(second)[:2] == [said, f"Done: {placeholder}."]
    assert second.replaced == 2


def test_another_key_caller_or_conversation_has_other_placeholders(detector: Detector) -> None:
    body = chat(f"Write to {MAIL}.")
    others = [Naming(b"o" * 32, "dev", "Hello"), Naming(b"k" * 32, "ops", "Hello"), Naming(b"k" * 32, "dev", "Hi")]
    made = {contents(replaced(detector, body, naming))[0] for naming in [NAMING, *others]}
    assert len(made) == 4


def test_a_value_is_replaced_where_nothing_tells_what_it_is(detector: Detector) -> None:
    body = chat(f"My phone number is {PHONE}.", "I will dial 0049... no: +4930901820, or +49-30-90 18 20!", "Go.")
    made = replaced(detector, body)
    assert "18 20" not in made.body.decode()
    assert made.body.decode().count(next(iter(made.values))) == 3


def test_one_value_in_two_spellings_is_one_and_comes_back_as_it_was_first_written(detector: Detector) -> None:
    made = replaced(detector, chat(f"Pay with {CARD}.", "Paid with 4111111111111111.", "bob.Baker@Firma-Bau.de", MAIL))
    assert len(made.values) == 2
    assert set(made.values.values()) == {CARD, "bob.Baker@Firma-Bau.de"}


EVERYWHERE: dict[str, Any] = {
    "model": "auto",
    "messages": [
        {"role": "system", "content": f"You serve {MAIL}."},
        {"role": "user", "name": MAIL, "content": [{"type": "text", "text": f"Me: {MAIL}"}]},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "call_1", "type": "function", "function": {
            "name": "send", "arguments": json.dumps({"to": [MAIL], MAIL: "ünd", "text": f'"{MAIL}"\n'})}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": json.dumps({"sent": MAIL})},
        {"role": "user", "content": f"https://x.example/?to={MAIL.replace('@', '%40')}"},
    ],
    "tools": [{"type": "function", "function": {"name": "send", "description": f"For {MAIL}", "parameters": {
        "type": "object", "properties": {MAIL: {"type": "string", "enum": [MAIL]}}, "required": [MAIL]}}}],
    "metadata": {"owner": MAIL, MAIL: "x"},
    "user": MAIL,
    "unknown_member": {"deep": [[MAIL]], "file_name": f"{MAIL}.txt"},
    "temperature": 0.70,
}  # fmt: skip
MESSAGES: dict[str, Any] = {
    "model": "auto",
    "max_tokens": 9,
    "system": [{"type": "text", "text": MAIL}],
    "messages": [
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "toolu_1", "name": "x", "input": {"to": {MAIL: MAIL}}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": MAIL}]},
    ],
}  # fmt: skip
RESPONSES: dict[str, Any] = {
    "model": "auto",
    "instructions": MAIL,
    "input": [
        {"type": "function_call", "call_id": "call_1", "name": "x", "arguments": json.dumps({"to": MAIL})},
        {"type": "function_call_output", "call_id": "call_1", "output": MAIL},
        {"type": "custom_tool_call", "call_id": "call_2", "name": "y", "input": MAIL},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": MAIL}]},
    ],
}
EMBEDDINGS: dict[str, Any] = {"model": "auto", "input": [MAIL, f"also {MAIL}"]}


@pytest.mark.parametrize("body", [EVERYWHERE, MESSAGES, RESPONSES, EMBEDDINGS], ids=["chat", "msg", "resp", "emb"])
def test_nothing_is_left_anywhere_in_the_body_and_all_of_it_comes_back(detector: Detector, body: Any) -> None:
    made = replaced(detector, body)
    assert b"baker" not in made.body.lower()
    texts, graded = read(detector, made.body)
    assert replaceable(graded, texts, EVERYTHING) == ()
    back = json.loads(restored_answer(made.body, Placeholders(made.values), json_texts=False))
    assert _plain(back) == _plain(body)


def _plain(body: Any) -> str:
    return json.dumps(body).replace("%40", "@")


def test_a_value_escaped_in_arguments_is_the_same_value() -> None:
    detector = Detector([CustomRule(name="Bauplatz Nr.", category="pii", terms=("Zürich Süd",))])
    said = {"at": 'Zürich Süd "links"\n', "Zürich Süd": 1}
    calls = [
        {
            "id": f"call_{at}",
            "type": "function",
            "function": {"name": "x", "arguments": json.dumps(said, ensure_ascii=at)},
        }
        for at in (True, False)
    ]
    body = chat("Zürich Süd")
    body["messages"].append({"role": "assistant", "tool_calls": calls})
    made = replaced(detector, body)
    (placeholder,) = made.values
    assert placeholder.startswith("BAUPLATZ_NR_")
    for call in json.loads(made.body)["messages"][1]["tool_calls"]:
        arguments = call["function"]["arguments"]
        assert json.loads(arguments) == {"at": f'{placeholder} "links"\n', placeholder: 1}
        assert json.loads(Placeholders(made.values).restore(arguments, json=True)) == said


def test_signed_thinking_goes_back_as_its_provider_said_it(detector: Detector) -> None:
    first = replaced(detector, chat(f"Refund {CARD} and tell {MAIL}."))
    mail, card = (next(each for each in first.values if each.startswith(kind)) for kind in ("EMAIL", "CREDIT"))
    thought = f"{mail} paid with {card}; so {card} it is, told to {mail}"
    block = {"type": "thinking", "thinking": Placeholders(first.values).restore(thought), "signature": "c2lnbmVk" * 9}
    body = chat(f"Refund {CARD} and tell {MAIL}.") | {"max_tokens": 9}
    body["messages"].append({"role": "assistant", "content": [block, {"type": "text", "text": "Done."}]})
    sent = json.loads(replaced(detector, body).body)["messages"][1]["content"][0]
    assert sent == {"type": "thinking", "thinking": thought, "signature": "c2lnbmVk" * 9}


def test_secrets_go_and_do_not_come_back(detector: Detector) -> None:
    key = "sk-proj-" + "aB3dE5fG7hJ9kL1mN3pQ" + "T3BlbkFJ" + "rS5tU7vW9xY1zA3bC5dE"
    made = replaced(detector, chat(f"OPENAI_API_KEY={key} and {MAIL}"))
    assert contents(made)[0].startswith(f"OPENAI_API_KEY={REDACTED} and EMAIL_")
    assert key not in made.values.values()
    assert made.replaced == 2


def test_what_the_client_wrote_like_a_placeholder_stays_as_it_is(detector: Detector) -> None:
    taken = next(iter(replaced(detector, chat(f"Write to {MAIL}.")).values))
    made = replaced(detector, chat(f"Write to {MAIL}. It was called {taken}.", f"{taken.lower()}"))
    other = next(iter(made.values))
    assert other != taken
    assert contents(made) == [f"Write to {other}. It was called {taken}.", taken.lower()]
    assert Placeholders(made.values).restore(f"{taken} {other}") == f"{taken} {MAIL}"


RECORD = "MRN 93834701, diagnosed with diabetes."


@pytest.mark.parametrize(
    "body",
    [
        chat(f"Read this: {base64.b64encode(f'Please write to {MAIL} today, all is well'.encode()).decode()}"),
        {"model": "auto", "messages": [{"role": "user", "content": f"card {CARD}"}], "seed": 4111111111111111},
        chat(" ".join(f"user{at}@firma-bau.de" for at in range(MOST_VALUES + 1))),
        {"model": "auto", "messages": [{"role": "assistant", "content": CARD, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "x", "arguments": '{"n": 4111111111111111}'}}]}]},
        {"model": "auto", "messages": [{"role": "user", "content": [
            {"type": "image_url", "image_url": {"url": f"https://x.example/cat.png?for={MAIL}"}}]}]},
        chat(RECORD, f"see {base64.b64encode(b'the file of 93834701 is lost and nobody cares').decode()}"),
        chat(RECORD, base64.b64encode(b"the file of 93834701 is lost and nobody cares" * 9).decode()),
        chat(RECORD, "it is \uff19\uff13\uff18\uff13\uff14\uff17\uff10\uff11"),
        chat(RECORD, "it is 9383\u200b4701"),
        {"model": "auto", "messages": [{"role": "user", "content": RECORD}, {"role": "assistant", "content": [
            {"type": "tool_use", "id": "a", "name": "b", "input": {"x": 93834701.0}}]}]},
        {"model": "auto", "messages": [{"role": "user", "content": RECORD}, {
            "role": "tool", "tool_call_id": "call_93834701", "content": "Found."}]},
    ],
    ids=["in base64", "a number", "too many", "a number in arguments", "what a provider fetches", "again in base64",
         "again as base64", "again in wide digits", "again with an invisible letter", "again as a decimal",
         "again in an id"],
)  # fmt: skip
def test_what_cannot_be_replaced_for_sure_is_not_replaced_at_all(detector: Detector, body: Any) -> None:
    with pytest.raises(Impossible) as refused:
        replaced(detector, body)
    assert MAIL not in str(refused.value)


def test_members_without_a_value_travel_as_they_were_written(detector: Detector) -> None:
    body = (
        b'{"model": "auto", "temperature": 0.70, "messages": [{"role":"user","content":"to bob.baker@firma-bau.de"}]}'
    )
    assert b'"temperature":0.70' in replaced(detector, body).body


def test_patients_lose_what_identifies_them_and_words_of_care_stay(detector: Detector) -> None:
    note = (
        "Patient Allison Morris, MRN 84739201, DOB 03/14/1962, diagnosed with metastatic breast cancer, on tamoxifen."
    )
    made = replaced(detector, chat(note))
    (said,) = contents(made)
    assert "metastatic breast cancer" in said
    assert not any(word in said for word in ("Allison", "84739201", "1962"))
    _, graded = read(detector, made.body)
    assert graded.categories == ()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_values_anywhere_in_random_json_are_gone_and_come_back(detector: Detector, data: st.DataObject) -> None:
    values = [MAIL, CARD, "anna@firma-bau.de", "DE89 3704 0044 0532 0130 00"]
    text = st.lists(st.sampled_from([*values, " ", ", ", "ü", '"', "\\", "\n", "<b>", "EMAIL_"]), max_size=5).map(
        " ".join
    )
    leaf = st.recursive(
        text, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(text, inner, max_size=2), max_leaves=6
    )
    body = chat("Hello", "Yes?", data.draw(text), extra=data.draw(leaf))
    made = replaced(detector, body)
    assert not any(value in made.body.decode() for value in values)
    back = json.loads(restored_answer(made.body, Placeholders(made.values), json_texts=False))
    assert back == body
