"""Task classes by counted evidence."""

from __future__ import annotations

import pytest

from twintrack.signals.evidence import of_text
from twintrack.signals.task import task


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hi, how is it going?", "chat"),
        ("Which river flows through Vienna?", "chat"),
        ("", "chat"),
        ("Write a Python function that merges two sorted lists.", "code"),
        ("What is wrong here?\n```\nfor (i = 0; i < n; i++) {\n  a[i] = b();\n}\n```", "code"),
        ("Why does pytest not find my module?", "code"),
        ("Solve the equation x^2 - 5x + 6 = 0.", "math"),
        ("Anna has 12 apples, gives away 5 and buys 20 more. How many apples are left in total?", "math"),
        (r"Show that $\sum_{k=1}^n k = \frac{n(n+1)}{2}$.", "math"),
        ("Prove that no argument of this kind can succeed, and explain the hypothesis.", "reasoning"),
        ("Summarise this function's documentation in two sentences.", "summarise"),
        ("Bitte fasse den folgenden Text in drei Sätzen zusammen.", "summarise"),
        ("Translate into French: the dog sleeps.", "translate"),
        ("Übersetze ins Englische: Der Hund schläft.", "translate"),
        ("Переведи на английский: собака спит.", "translate"),
        ("请把下面的句子翻译成英文：狗在睡觉。", "translate"),
        ("Classify the sentiment of this review.", "classify"),
        ("Extract all invoice numbers from the mail below.", "extract"),
        ("Write a poem about autumn.", "write"),
        ("Draft an email to my landlord about the heating.", "write"),
    ],
)
def test_task(text, expected):
    assert task(of_text(text)) == expected


def test_an_instruction_at_the_end_of_a_long_text_is_seen():
    filler = "The committee met again on Thursday and talked about the garden. " * 100
    assert task(of_text(filler + "Please summarize the above.")) == "summarise"


def test_numbers_alone_are_no_mathematics():
    assert task(of_text("Call me at 555 123 4567 after 18:00.")) == "chat"
