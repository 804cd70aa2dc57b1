"""Languages by script and function words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from twintrack.signals.evidence import of_text
from twintrack.signals.language import language

SAMPLES = json.loads(Path(__file__).with_name("texts.json").read_text(encoding="utf-8"))
TEXTS = {name: sample["text"] for name, sample in SAMPLES["texts"].items()}
CSV = SAMPLES["marked"]["csv"]["text"]


@pytest.mark.parametrize("name", list(TEXTS))
def test_a_paragraph_is_recognised(name):
    assert language(of_text(TEXTS[name])) == name


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("How are you?", "en"),
        ("Wie geht es dir und was ist neu?", "de"),
        ("Translate to English: 你好世界，今天天气很好，我们去公园吧", "zh"),
        ("東京の天気はどうですか。", "ja"),
        ("机器学习（英语：Machine Learning）是人工智能的一个分支。「学习」指改进。", "zh"),
        ("안녕하세요", "ko"),
        ("வணக்கம், நூலகம் எப்போது திறக்கும்?", "ta"),
    ],
)
def test_short_and_mixed_texts(text, expected):
    assert language(of_text(text)) == expected


@pytest.mark.parametrize("text", ["", "42", CSV, "Xyzzy plugh", "Kirjasto on avoinna tiistaista lauantaihin klo 9–18."])
def test_what_it_does_not_know_is_undetermined(text):
    assert language(of_text(text)) == "und"
