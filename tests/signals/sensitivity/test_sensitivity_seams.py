"""What stands in two texts of a request that follow each other is read where they meet."""

from __future__ import annotations

import json
from typing import Any

import pytest

from twintrack.signals.sensitivity.detector import Detector
from twintrack.signals.sensitivity.naming import Naming
from twintrack.signals.sensitivity.pseudonyms import pseudonymise
from twintrack.signals.sensitivity.replaced import Impossible
from twintrack.signals.sensitivity.seams import Seam
from twintrack.signals.sensitivity.surfaces import surfaces
from twintrack.signals.sensitivity.whole import read

CARD = "4111 1111 1111 1111"
IBAN = "DE89 3704 0044 0532 0130 00"
KEY = "ghp_a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
MAIL = "anna.bauer@example.org"
LONG = "This is a harmless paragraph about gardening. " * 60


def parts(*texts: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": text} for text in texts]}]}


def turns(*texts: str) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": text} for at, text in enumerate(texts)]}


def arguments(*texts: str) -> dict[str, Any]:
    calls = [{"id": "call_1", "type": "function", "function": {"name": "pay", "arguments": text}} for text in texts]
    return {"messages": [{"role": "assistant", "tool_calls": calls}]}


def fragments(*texts: str) -> dict[str, Any]:
    return {"input": [{"type": "function_call_arguments.delta", "delta": text} for text in texts]}


def system(*texts: str) -> dict[str, Any]:
    return {"system": [{"type": "text", "text": text} for text in texts], "messages": []}


def found(detector: Detector, body: dict[str, Any]) -> list[str]:
    return [
        one.type
        for _, findings in read(detector, json.dumps(body).encode())[0]
        for one in findings
        if one.category != "health"
    ]


@pytest.mark.parametrize("body", [parts, turns, arguments, fragments, system])
@pytest.mark.parametrize("before", ["", LONG])
@pytest.mark.parametrize(
    "value", [CARD, CARD.replace(" ", ""), IBAN, KEY, MAIL], ids=["card", "digits", "iban", "key", "mail"]
)
def test_a_value_cut_anywhere_is_found(detector: Detector, value: str, before: str, body: Any) -> None:
    after = f" {LONG}" if before else ""
    missed = [
        cut for cut in range(1, len(value)) if not found(detector, body(before + value[:cut], value[cut:] + after))
    ]
    assert missed == []


def test_a_value_in_more_than_two_texts_is_found(detector: Detector) -> None:
    assert found(detector, parts("4111", "1111 1111", "1111")) == ["credit_card"]
    assert found(detector, parts(*CARD.replace(" ", ""))) == ["credit_card"]
    assert found(detector, parts(f"{LONG}4111 1111  \n", " \n", f"\t1111 1111\n{LONG}")) == ["credit_card"]


def test_a_label_and_its_value_may_stand_in_two_texts(detector: Detector) -> None:
    assert found(detector, parts("My SSN is", "078051120")) == ["us_ssn"]
    assert found(detector, parts("078051120", "is my SSN")) == ["us_ssn"]
    assert found(detector, turns("Hello.", "What is your SSN?", "078051120")) == ["us_ssn"]
    assert found(detector, parts("password:", "hunter2Xk9")) == found(detector, parts("password: hunter2Xk9"))
    assert found(detector, parts("pass", "word: hunter2Xk9")) == found(detector, parts("password: hunter2Xk9"))


@pytest.mark.parametrize("others", [("Thanks", "4 5"), (LONG, "Thanks. "), ("12", LONG)])
def test_what_its_own_text_says_is_counted_once(detector: Detector, others: tuple[str, str]) -> None:
    before, after = others
    for value in (CARD, IBAN, MAIL, f"SSN: 078-05-1120 and {MAIL}"):
        alone = found(detector, parts(value))
        assert found(detector, parts(before, f" {value} ", after)) == alone
        assert found(detector, turns(before, f"My own: {value}.", after)) == alone


def test_texts_that_have_nothing_to_do_with_each_other_are_not_read_together(detector: Detector) -> None:
    assert found(detector, {"input": ["4111 1111", "1111 1111"]}) == []
    tools = [
        {"type": "function", "function": {"name": "f", "description": each}} for each in ("pass", "word: hunter2Xk9")
    ]
    assert found(detector, {"tools": tools}) == []


def test_most_texts_are_read_once() -> None:
    body = turns(*["Which of these two sorting algorithms is stable, and why?", "Merge sort is."] * 50)
    assert not any(isinstance(each, Seam) for each in surfaces(json.dumps(body).encode()))


@pytest.mark.parametrize("size", [1, 7, 40, 321, 5_000])
def test_no_more_is_read_again_than_so_much_for_each_text(size: int) -> None:
    """Whatever the texts are: here each may go on in the next."""
    body = json.dumps(parts(*[("7, " * size)[:size].rstrip(", ")] * 300)).encode()
    seams = [each for each in surfaces(body) if isinstance(each, Seam)]
    assert len(seams) <= 2 * 300
    assert max(len(each.text) for each in seams) <= 2 * 321 + 320


def test_what_stands_in_two_texts_is_not_replaced(detector: Detector) -> None:
    body = parts("4111 1111", "1111 1111")
    texts, _ = read(detector, json.dumps(body).encode())
    all_of_it = [one for _, findings in texts for one in findings]
    with pytest.raises(Impossible, match="two texts"):
        pseudonymise(json.dumps(body).encode(), texts, all_of_it, Naming(b"k" * 32, "", ""))


def test_what_another_text_tells_is_replaced_where_it_stands(detector: Detector) -> None:
    body = parts("My SSN is", "078051120")
    texts, _ = read(detector, json.dumps(body).encode())
    all_of_it = [one for _, findings in texts for one in findings]
    made = pseudonymise(json.dumps(body).encode(), texts, all_of_it, Naming(b"k" * 32, "", ""))
    assert b"078051120" not in made.body
