"""What is read from a request, and which class it gets."""

from __future__ import annotations

import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.config.settings import DATA_CLASSES
from twintrack.signals.read import data_class, read
from twintrack.signals.signals import Signals
from twintrack.signals.task import TASKS
from twintrack.wire.prompt import NO_LABELS, Labels, Prompt

CLASSES = st.sampled_from(DATA_CLASSES)
RUNG = {name: rung for rung, name in enumerate(DATA_CLASSES)}


def prompt(*texts, modalities=("text",), tools=False, turns=None, max_output_tokens=0):
    return Prompt(
        texts,
        texts[0] if texts else "",
        texts[-1] if texts else "",
        modalities,
        tools,
        len(texts) if turns is None else turns,
        max_output_tokens,
    )


def read_prompt(the_prompt, labels=NO_LABELS, *, endpoint="chat", floor="public", default_class="internal", **more):
    return read(the_prompt, labels, endpoint=endpoint, stream=False, floor=floor, default_class=default_class, **more)


# ---- class


def test_a_request_without_a_label_gets_the_routes_default():
    signals = read_prompt(prompt("Hello"), default_class="confidential")
    assert (signals.data_class, signals.labelled) == ("confidential", False)


def test_a_label_raises_the_class():
    signals = read_prompt(prompt("Hello"), Labels(data_class="restricted"))
    assert (signals.data_class, signals.labelled) == ("restricted", True)


def test_a_label_may_say_less_than_the_default_which_speaks_for_those_who_say_nothing():
    signals = read_prompt(prompt("Hello"), Labels(data_class="public"), default_class="confidential")
    assert signals.data_class == "public"


def test_no_label_goes_below_the_class_of_the_key():
    signals = read_prompt(prompt("Hello"), Labels(data_class="public"), floor="confidential", default_class="public")
    assert signals.data_class == "confidential"


def test_the_key_raises_a_request_without_label_too():
    assert read_prompt(prompt("Hello"), floor="restricted", default_class="public").data_class == "restricted"


def test_a_word_that_is_no_class_counts_as_the_highest():
    assert data_class("secret-ish", "public", "public") == "restricted"


@given(label=st.none() | CLASSES, floor=CLASSES, default=CLASSES)
def test_the_class_is_never_below_the_keys_and_never_below_what_was_said(label, floor, default):
    got = RUNG[data_class(label, floor, default)]
    assert got >= RUNG[floor]
    assert got >= RUNG[default if label is None else label]


# ---- the rest


def test_labels_limits_and_shape_are_passed_on():
    labels = Labels(None, 1_500, 2_000_000, True)
    signals = read_prompt(prompt("Hello", modalities=("text", "image"), tools=True, max_output_tokens=77), labels)
    assert (signals.deadline_ms, signals.max_cost_nusd, signals.stakes_high) == (1_500, 2_000_000, True)
    assert (signals.modalities, signals.tools, signals.max_output_tokens) == (("text", "image"), True, 77)
    assert signals.output_tokens_est == 77


def test_an_embedding_request_has_no_difficulty_and_no_output():
    signals = read_prompt(prompt("Why is the sky blue? Prove it."), endpoint="embeddings")
    assert (signals.task, signals.complexity, signals.output_tokens_est) == ("embed", 0.0, 0)


def test_a_learned_scorer_takes_the_place_of_the_shipped_one():
    class Always:
        def score(self, prompt: Prompt, task: str, tokens: int) -> float:
            return 0.42

    assert read_prompt(prompt("Hello"), scorer=Always()).complexity == 0.42


@given(
    st.lists(st.text(max_size=300) | st.just("\ud800 broken"), max_size=5),
    st.lists(st.sampled_from(["text", "image", "audio", "video", "file", "smell"]), max_size=3),
    st.booleans(),
    st.integers(0, 100_000),
)
def test_any_text_can_be_read(texts, modalities, tools, max_output_tokens):
    signals = read_prompt(
        prompt(*texts, modalities=tuple(modalities), tools=tools, max_output_tokens=max_output_tokens)
    )
    assert isinstance(signals, Signals)
    assert 0 <= signals.complexity <= 1
    assert signals.prompt_tokens_est >= 0
    assert signals.task in TASKS


@pytest.mark.parametrize(("size", "limit_us"), [(1_000, 12), (27_000, 60)])
def test_reading_is_quick(size, limit_us):
    """A smoke test, five times the budget: machines that run tests are busy."""
    text = ("Please compare the notes below and say which of the decisions of 2024 must be revised and why. " * 400)[
        :size
    ]
    the_prompt = prompt(text)
    best_s = min(timeit.repeat(lambda: read_prompt(the_prompt), number=10, repeat=140)) / 10
    assert best_s * 1e6 < 5 * limit_us


def test_a_prompt_of_megabytes_costs_no_more_than_a_long_one():
    huge = prompt("Read this and tell me what is odd about it. " * 200_000)
    best_s = min(timeit.repeat(lambda: read_prompt(huge), number=20, repeat=5)) / 20
    assert best_s * 1e6 < 300
