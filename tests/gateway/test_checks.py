"""What stands against a draft, what two drafts agree about, and who is asked next."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from twintrack.config.snapshot import Cascade
from twintrack.gateway.agreement import final_answer, spelled
from twintrack.gateway.believed import Believed
from twintrack.gateway.checks import Wanted, incomplete, objection, unlike
from twintrack.gateway.panel import Panel, all_pairs
from twintrack.wire.canonical.fits import fits
from twintrack.wire.canonical.parts import Refusal, Text, Thinking, ToolCall
from twintrack.wire.held import Draft

RULES = Cascade(("schema",), (), None, (), -0.5, None, (), (), 0, -1, 0.2, 30_000)
NOTHING = Wanted(False, True, {}, False, False)


def draft(text: str, *logprobs: float, finish: Any = "stop") -> Draft:
    return Draft((Text(text),), finish, logprobs)


def call(name: str, arguments: str) -> Draft:
    return Draft((Thinking("hm"), ToolCall("1", name, arguments)), "tool_calls")


# ---- one draft


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (draft("Hello."), None),
        (call("f", "{}"), None),
        (draft("Hello", finish="length"), "it was cut off at its limit"),
        (draft("Hello", finish="content_filter"), "it was refused or filtered"),
        (draft(" \n"), "it is empty"),
        (Draft((Thinking("I wonder"),), "stop"), "it is empty"),
        (Draft((Refusal("No."),), "stop"), "it is a refusal"),
    ],
)
def test_an_answer_must_be_one(said: Draft, why: str | None) -> None:
    assert incomplete(said) == why


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (call("f", '{"n": 1}'), None),
        (call("f", '{"n": "1"}'), "the arguments of its tool call do not fit the tool's parameters"),
        (call("f", '{"n": 1'), "the arguments of its tool call are no JSON"),
        (call("f", "[1]"), "the arguments of its tool call do not fit the tool's parameters"),
        (call("g", '{"n": 1}'), "it calls a tool that was not offered"),
        (draft("words"), "it calls no tool, and has to"),
    ],
)
def test_a_tool_call_must_be_one_that_can_be_made(said: Draft, why: str | None) -> None:
    tools = {"f": {"type": "object", "properties": {"n": {"type": "integer"}}}}
    assert objection(said, Wanted(False, True, tools, True, False), RULES) == why


def test_rules_of_a_route_hold_for_its_text() -> None:
    rules = msgspec.structs.replace(
        RULES, check=("match",), must_match=(r"\d+", "(?i)total"), must_not_match=("sorry",), min_chars=5, max_chars=40
    )
    assert unlike("The Total is 12.", rules) is None
    assert unlike("The sum is 12.", rules) == "it does not match what it must"
    assert unlike("I am sorry, the total of 12", rules) == "it matches what it must not"
    assert unlike("12", rules) == "it has 2 characters, at least 5 are asked for"
    assert unlike("total 12" * 9, rules) == "it has 72 characters, at most 40 are asked for"
    assert objection(draft("The sum is 12."), NOTHING, RULES) is None


def test_a_pattern_takes_no_longer_than_the_text_is_long() -> None:
    rules = msgspec.structs.replace(RULES, must_match=("(a+)+$",))
    began = time.process_time()
    unlike("a" * 50_000 + "b", rules)
    assert time.process_time() - began < 2.0


def test_how_sure_a_model_must_be_is_said_for_all_tokens_and_for_each() -> None:
    rules = msgspec.structs.replace(RULES, check=("logprobs",), min_logprob=-2.0)
    assert objection(draft("x", -0.1, -0.3), NOTHING, rules) is None
    assert objection(draft("x", -0.1, -1.3), NOTHING, rules) == (
        "its log-probability is -0.70 a token, at least -0.50 is asked for"
    )
    assert objection(draft("x", *[-0.01] * 99, -2.5), NOTHING, rules) == (
        "its least probable token has log-probability -2.50, at least -2.00 is asked for"
    )
    assert objection(draft("x"), NOTHING, rules) == "its provider told no log-probabilities"
    assert objection(draft("x", float("nan")), NOTHING, rules) is not None


# ---- schemas

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": ["integer", "null"], "minimum": 0, "exclusiveMaximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "maxItems": 2},
        "friend": {"$ref": "#/$defs/person"},
    },
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"person": {"$ref": "#"}},
}


@pytest.mark.parametrize(
    ("value", "schema", "fit"),
    [
        ({"name": "x", "age": 3, "tags": ["a", "b"], "friend": {"name": "y"}}, PERSON, True),
        ({"name": "x", "age": None}, PERSON, True),
        ({"age": 3}, PERSON, False),
        ({"name": ""}, PERSON, False),
        ({"name": "x", "age": 3.5}, PERSON, False),
        ({"name": "x", "age": True}, PERSON, False),
        ({"name": "x", "age": 150}, PERSON, False),
        ({"name": "x", "tags": ["c"]}, PERSON, False),
        ({"name": "x", "tags": ["a"] * 3}, PERSON, False),
        ({"name": "x", "more": 1}, PERSON, False),
        ({"name": "x", "friend": {"name": "y", "friend": {}}}, PERSON, False),
        (3.0, {"type": "integer"}, True),
        (10**400, {"type": "integer"}, True),
        (1, {"const": True}, False),
        ([1, "x"], {"prefixItems": [{"type": "integer"}, {"type": "integer"}]}, False),
        ("x", {"anyOf": [{"type": "integer"}, {"type": "string"}]}, True),
        ([], {"anyOf": [{"type": "integer"}, {"type": "string"}]}, False),
        ("x", {"allOf": [{"type": "string"}, {"minLength": 2}]}, False),
        ({"a": 1}, {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]}, True),
        ("anything", False, False),
        # What is not understood is not checked.
        ("x", {"type": "colour", "pattern": "(a+)+$", "not": {}}, True),
        ("x", {"$ref": "https://example.com/schema"}, True),
        ("x", "no schema", True),
        ({"x": 1}, {"patternProperties": {"^x$": {}}, "additionalProperties": False}, True),
    ],
)
def test_a_value_fits_its_schema(value: Any, schema: Any, fit: bool) -> None:
    assert fits(value, schema) is fit


def test_a_schema_that_leads_to_itself_comes_to_an_end() -> None:
    twice = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}
    began = time.process_time()
    assert fits(1, twice)
    assert fits({"a": [1]}, {"$ref": "#"})
    assert time.process_time() - began < 2.0


# ---- agreement


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("18", "18.0"),
        ("1,200", "1200"),
        ("$18", "18 dollars"),
        ("-.5", "-0.50"),
        ("Paris.", "**paris**"),
        ("I think so.\n#### 7", "Some words first, then more of them. The final answer is: 7."),
        ("So we get \\boxed{12}.", '```json\n{"answer": 12, "why": "it is"}\n```'),
        ('{"b": [1, 2], "a": 1}', '{"a": 1, "b": [1, 2]}'),
        ("A long way of saying it, with reasons that go on and on. Answer: (B)", "(b)"),
    ],
)
def test_two_ways_of_saying_the_same_agree(one: str, other: str) -> None:
    assert final_answer(draft(one)) == final_answer(draft(other)) is not None


@pytest.mark.parametrize(("one", "other"), [("18", "-18"), ("1.5", "15"), ("yes", "no"), ("1e3", "13"), ("x1", "x")])
def test_two_that_say_something_else_do_not(one: str, other: str) -> None:
    assert spelled(one) != spelled(other)


def test_an_answer_that_marks_no_result_agrees_with_nobody() -> None:
    assert final_answer(draft("It depends.\n" * 20)) is None
    assert final_answer(draft("")) is None


def test_tool_calls_agree_whatever_order_their_arguments_have() -> None:
    assert final_answer(call("f", '{"a": 1, "b": 2}')) == final_answer(call("f", '{"b":2,"a":1}'))
    assert final_answer(call("f", '{"a": 1}')) != final_answer(call("g", '{"a": 1}'))


# ---- who is next


def test_without_agreement_the_first_good_draft_is_believed() -> None:
    panel = Panel(2, None)
    assert panel.heard(0, False, None) == (False, 1)
    assert panel.heard(1, True, None) == (True, None)
    assert Panel(1, None).heard(0, False, None) == (False, None)


def test_with_two_one_that_says_nothing_spares_the_other() -> None:
    assert Panel(2, all_pairs(2)).heard(0, True, None) == (False, None)
    assert Panel(2, all_pairs(2)).heard(0, False, "7") == (False, None)
    panel = Panel(2, all_pairs(2))
    assert panel.heard(0, True, "7") == (False, 1)
    assert panel.heard(1, True, "7") == (True, None)


def test_of_three_any_two_or_those_that_are_named() -> None:
    panel = Panel(3, all_pairs(3))
    assert panel.heard(0, True, "7") == (False, 1)
    assert panel.heard(1, True, "8") == (False, 2)
    assert panel.heard(2, True, "8") == (True, None)
    panel = Panel(3, [(2, 0), (1, 2)])
    assert panel.heard(0, True, "7") == (False, 1)
    assert panel.heard(1, True, "7") == (False, 2)
    assert panel.heard(2, True, "7") == (True, None)
    panel = Panel(3, [(0, 1)])
    assert panel.heard(0, True, None) == (False, None)


# ---- how often drafts are believed


def test_what_was_guessed_gives_way_to_what_was_seen_and_comes_back() -> None:
    believed = Believed()
    believed.tick(1_000.0)
    assert believed.p_pass("auto", 0.8) == pytest.approx(0.8)
    for _ in range(180):
        believed.note("auto", False)
    assert believed.p_pass("auto", 0.8) == pytest.approx(0.08)
    assert believed.p_pass("other", 0.8) == pytest.approx(0.8)
    for hour in range(4):
        believed.tick(1_000.0 + 3_600 * (hour + 1))
    assert believed.p_pass("auto", 0.8) > 0.79
