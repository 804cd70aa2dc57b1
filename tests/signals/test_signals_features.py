"""The numbers that describe a request, and the hashes that a router weighs."""

from __future__ import annotations

import re
from bisect import bisect_right
from math import log2

from hypothesis import example, given
from hypothesis import strategies as st

from twintrack.signals.difficulty import difficulty
from twintrack.signals.evidence import evidence
from twintrack.signals.features import HEAD, NAMES, TAIL, features
from twintrack.signals.grams import grams
from twintrack.signals.predictor import beginnings
from twintrack.signals.tokens import prompt_tokens
from twintrack.signals.vocabulary import CODE, CODES, CONSTRAINT, EN, MATH, NEGATION, QUANTITY, REASON
from twintrack.wire.prompt import Prompt


def prompt(text, **change):
    values = {"texts": (text,), "first_user": text, "last_user": text, "modalities": ("text",), "tools": False}
    return Prompt(**values | {"turns": 1, "max_output_tokens": 0} | change)


def named(text, **change):
    made = prompt(text, **change)
    return dict(zip(NAMES, features(made, prompt_tokens(made), evidence(made)), strict=True))


@example(text="A" * 3_000, tools=False, turns=1, output=0)
@given(st.text(max_size=3_000), st.booleans(), st.integers(1, 10**6), st.integers(0, 10**7))
def test_any_text_gives_as_many_small_numbers_as_there_are_names(text, tools, turns, output):
    found = named(text, tools=tools, turns=turns, max_output_tokens=output)
    assert len(found) <= 64  # what a ledger row may keep
    assert all(0 <= value <= 32 for value in found.values())


def test_turns_tools_and_what_came_before_count_and_not_only_the_last_message():
    first, later = named("And now?"), named("And now?", texts=("system " * 500, "And now?"), turns=9, tools=True)
    assert later["earlier"] > first["earlier"]
    assert later["turns"] > first["turns"]
    assert (first["tools"], later["tools"]) == (0, 1)


def test_the_options_of_a_question_are_told_from_its_stem():
    found = named("Which of these is a prime number?\nA. 21\nB. 22\nC. 23\nD. 24")
    assert found["stem_chars"] < found["last_chars"]
    assert found["options"] > 0
    assert named("Which of these is a prime number?")["options"] == 0


def test_longer_and_negated_is_harder_and_to_recognise_is_easier_than_to_write():
    def of(text):
        return difficulty(tuple(named(text).values()))

    assert of("What is a prime?") < of("What is a prime, and which numbers below one hundred (all of them) are prime?")
    assert of("Which is true of lions?") < of("Which is not true of lions, except cubs?")
    question = "Which of these sorts a list of numbers by their size?"
    assert of(f"{question}\nA. sort\nB. hash\nC. map") - of(question) < of(f"{question} In words, hash and map") - of(
        question
    )


def test_hashes_are_of_a_bounded_sample_and_of_distinct_words():
    words = evidence(prompt(" ".join(map(str, range(5_000))))).terms
    assert len(grams(words)) <= 2 * len(words) <= 384
    assert grams(evidence(prompt("again " * 50)).terms) == grams([b"again", b"again"])
    assert grams([]) == set()


def test_marks_are_counted_in_more_of_a_text_than_its_words_are_looked_up_in():
    text = "plain words " * 30 + "must not, must not, " * 30 + "plain words " * 30
    found = named(text)
    assert found["commas"] == log2(1 + 60)
    assert found["words"] == log2(1 + 240)
    assert found["negations"] == found["constraints"] == 0
    assert named(text + "x, " * 5_000)["commas"] < log2(1 + HEAD + TAIL)


MARKS = {
    "lines": b"\n", "operators": b"+=*/<>", "formulas": b"\\$^_", "brackets": b"([", "braces": b"{`", "quotes": b"\"'",
    "commas": b",", "semicolons": b";", "colons": b":", "questions": b"?",
}  # fmt: skip
KNOWN = {
    "code": CODE, "maths": MATH, "quantities": QUANTITY, "constraints": CONSTRAINT, "reasoning": REASON,
    "negations": NEGATION,
}  # fmt: skip
TEXTS = st.text("aZ 09,;:?()[]{}`'\"\n\t\r+-=*/<>\\$^_|~ä中\u00a0\x1c\x85\ud800", max_size=1_700)
WORDS = st.lists(st.sampled_from(["the", "Not", "prove", "code", "3x", "12", "sum", "must", "né", "\n(A) ", "\na) "]))


@given(TEXTS | WORDS.map(" ".join))
def test_each_number_is_what_counting_one_by_one_gives(text):
    found, seen = named(text), evidence(prompt(text))
    data = (text if len(text) <= HEAD + TAIL else f"{text[:HEAD]} {text[-TAIL:]}").encode("utf-8", "replace")
    size = len(data) or 1
    words = re.findall(rb"[a-z0-9\x80-\xff]+", data.lower())
    near = re.findall(rb"[a-z0-9\x80-\xff]+", seen.data.lower())
    codes = [CODES.get(word) for word in near]
    counts = {name: sum(map(data.count, map(bytes, zip(marks)))) for name, marks in MARKS.items()}
    counts |= {name: codes.count(code) for name, code in KNOWN.items()}
    counts |= {"words": len(words), "digits": len(re.findall(rb"[0-9]", data))}
    counts["numbers"] = len(re.findall(rb"[0-9]+", data))
    assert seen.terms == near
    assert {name: found[name] for name in counts} == {name: log2(1 + count) for name, count in counts.items()}
    assert found["unique"] == len(set(near)) / (len(near) or 1)
    assert found["english"] == codes.count(EN) / (len(near) or 1)
    assert found["capitals"] == len(re.findall(rb"[A-Z]", data)) / size
    assert found["beyond_ascii"] == len(re.findall(rb"[\x80-\xff]", data)) / size
    letters = re.findall(rb"[A-Za-z\x80-\xff \t\r]", data)
    assert found["word_chars"] == min(len(letters) / (len(words) or 1), 32)


@given(st.floats(-20, 20), st.floats(0.001, 20), st.integers(1, 30), st.floats(-30, 30), st.integers(0, 30))
def test_a_bin_that_is_looked_up_is_the_one_that_is_computed(centre, spread, last, value, at):
    low, per_unit = centre - 3 * spread, last / (6 * spread)
    found = beginnings(low, per_unit, last)
    for number in (value, found[min(at, last - 1)], low):
        assert bisect_right(found, number) == (min(int((number - low) * per_unit + 0.5), last) if number > low else 0)
