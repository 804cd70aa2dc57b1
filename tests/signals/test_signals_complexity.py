"""The complexity score and its parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.signals.complexity import LOWEST, NAMES, PartsScorer, parts
from twintrack.signals.task import TASKS
from twintrack.wire.prompt import Prompt


def prompt(text, *, tools=False, turns=1, max_output_tokens=0):
    return Prompt((text,), text, text, ("text",), tools, turns, max_output_tokens)


def score(text, task="chat", tokens=50, **more):
    return PartsScorer().score(prompt(text, **more), task, tokens)


def named(text, task="chat", tokens=50, **more):
    return {part.name: part.contribution for part in parts(prompt(text, **more), task, tokens)}


@given(
    st.text(max_size=400),
    st.sampled_from(TASKS),
    st.integers(0, 10**7),
    st.booleans(),
    st.integers(0, 100),
    st.integers(0, 10**6),
)
def test_the_parts_add_up_to_the_score(text, task, tokens, tools, turns, allowed):
    the_prompt = prompt(text, tools=tools, turns=turns, max_output_tokens=allowed)
    total = sum(part.contribution for part in parts(the_prompt, task, tokens))
    assert PartsScorer().score(the_prompt, task, tokens) == pytest.approx(min(1.0, max(LOWEST, total)))
    assert {part.name for part in parts(the_prompt, task, tokens)} <= set(NAMES)


def test_a_greeting_is_easy_and_a_proof_about_code_is_not():
    assert score("Hi!", tokens=3) < 0.1
    hard = (
        "Prove that the algorithm below must terminate, and explain why exactly its running time is never more than "
        "n^2. Derive the constant. Compare with f(n) = 3n^2 + 12n and solve the equation for n = 1024.\n```python\n"
        "def f(n):\n    return g()\n```"
    )
    assert score(hard, "math", 120, tools=True) > 0.5


@pytest.mark.parametrize(
    ("part", "text", "more"),
    [
        ("questions", "Is it? Was it? Will it?", {}),
        ("code", "Debug this Python function.", {}),
        ("maths", "Solve the equation.", {}),
        ("numbers", "1200 and 3400", {}),
        ("constraints", "It must be exactly so.", {}),
        ("reasoning", "Explain why.", {}),
        ("negations", "Which is not true, except these?", {}),
        ("turns", "And then", {"turns": 5}),
        ("tools", "And then", {"tools": True}),
        ("output", "And then", {"max_output_tokens": 4096}),
        ("task", "And then", {"task": "math"}),
    ],
)
def test_each_part_answers_to_its_evidence(part, text, more):
    assert named(text, **more)[part] > 0
    assert part not in named("And then")


def test_longer_is_harder_and_summarising_is_easier_than_it_is_long():
    assert score("text", tokens=20) < score("text", tokens=300) < score("text", tokens=8_000)
    assert named("text", "summarise")["task"] < 0
