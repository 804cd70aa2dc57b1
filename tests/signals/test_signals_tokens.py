"""The token estimate and its error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.signals.token_table import HIGH, LOW
from twintrack.signals.tokens import PER_MODALITY, PER_TOOLS, PER_TURN, output_tokens, prompt_tokens, text_tokens
from twintrack.wire.prompt import Prompt

_FILE = json.loads(Path(__file__).with_name("texts.json").read_text(encoding="utf-8"))
SAMPLES = {name: (each["text"], each["tokens"]) for kind in ("texts", "marked") for name, each in _FILE[kind].items()}


@pytest.mark.parametrize("name", list(SAMPLES))
def test_the_estimate_is_within_the_stated_band(name):
    text, counted = SAMPLES[name]
    assert LOW * text_tokens((text,)) <= counted <= HIGH * text_tokens((text,))


def test_over_all_scripts_the_errors_cancel():
    ratios = [text_tokens((text,)) / counted for text, counted in SAMPLES.values()]
    assert 0.95 < sum(ratios) / len(ratios) < 1.07


@pytest.mark.parametrize("name", ["en", "de", "ja", "python"])
def test_a_long_text_is_estimated_from_windows_as_if_it_were_read_whole(name):
    text = SAMPLES[name][0]
    copies = 20_000 // len(text)
    assert text_tokens((text * copies,)) == pytest.approx(text_tokens((text,)) * copies, rel=0.1)


def test_windows_see_every_part_of_a_conversation_by_its_length():
    english, chinese = SAMPLES["en"][0] * 60, SAMPLES["zh"][0] * 200
    apart = text_tokens((english,)) + text_tokens((chinese,))
    assert text_tokens((english, chinese)) == pytest.approx(apart, rel=0.15)


def test_many_short_turns_are_one_long_text():
    turns = ("Thanks, and what about Tuesday?",) * 2_000
    assert text_tokens(turns) == pytest.approx(2_000 * text_tokens(turns[:1]), rel=0.1)


def test_text_without_gaps_counts_as_encoded_bytes():
    assert 0.5 * 4_000 < text_tokens(("QmFzZTY0IGlzIGRlbnNl" * 200,)) < 4_000


def test_turns_tools_and_attachments_are_added():
    plain = Prompt(("Hi",), "Hi", "Hi", ("text",), False, 1, 0)
    assert prompt_tokens(plain) == text_tokens(("Hi",)) + PER_TURN
    rich = Prompt(("Hi",), "Hi", "Hi", ("text", "image"), True, 3, 0)
    assert prompt_tokens(rich) == text_tokens(("Hi",)) + 3 * PER_TURN + PER_TOOLS + PER_MODALITY["image"]


def test_nothing_has_no_tokens():
    assert text_tokens(()) == text_tokens(("", "")) == 0


def test_a_translation_is_as_long_as_its_text_and_a_class_is_short():
    assert output_tokens("translate", 900, 0) == 900
    assert output_tokens("classify", 900, 0) < 50
    assert output_tokens("chat", 900, 100) == 100


@given(st.lists(st.text(min_size=1, max_size=50), min_size=1, max_size=20), st.integers(2, 400))
def test_more_text_never_has_fewer_tokens(texts, times):
    assert text_tokens(tuple(texts) * times) >= 0.5 * text_tokens(tuple(texts)) * min(times, 10)
