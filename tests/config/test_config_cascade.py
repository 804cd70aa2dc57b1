"""What a route's cascade may say, and what is said of the rest."""

from __future__ import annotations

import pytest

from twintrack.config.load import parse
from twintrack.config.source import InvalidConfig

BASE = """\
[[providers]]
name = "here"
api = "vllm"
url = "http://127.0.0.1:8000/v1"
zone = "own"
[[providers]]
name = "claude"
api = "anthropic"
url = "http://127.0.0.1:8001/v1"
zone = "own"
"""
BASE += '[[providers]]\nname = "groq"\napi = "groq"\nurl = "http://127.0.0.1:8002/v1"\nzone = "own"\n'
for _name, _provider in (("a", "here"), ("b", "here"), ("haiku", "claude"), ("quick", "groq"), ("large", "here")):
    BASE += (
        f'[[deployments]]\nname = "{_name}"\nmodel = "{_name}"\nprovider = "{_provider}"\nfacts = {{ quality = 0.8 }}\n'
    )


def text(rules: str, *tiers: str, more: str = "") -> str:
    steps = ", ".join(f'{{ name = "{each}", deployments = ["{each}"] }}' for each in tiers or ("a", "b", "large"))
    return f"{BASE}[routes.auto]\ntiers = [{steps}]\n{more}\n[routes.auto.cascade]\n{rules}\n"


def complaint(*arguments: str, **more: str) -> str:
    with pytest.raises(InvalidConfig) as caught:
        parse(text(*arguments, **more), "twintrack.toml")
    return "\n".join(caught.value.problems)


@pytest.mark.parametrize(
    "rules",
    [
        'check = ["schema"]',
        'check = ["logprobs"]\nmin_mean_logprob = -0.4\nmin_logprob = -3.0',
        'check = ["match", "schema"]\nmust_match = ["(?i)total: \\\\d+"]\nmust_not_match = ["sorry"]\nmax_chars = 900',
        'check = ["agreement"]\ndrafts = ["a", "a", "b"]\nbelieve = [["a", "a"]]\nrepeat_temperature = 0.7',
        'check = ["agreement"]\ndrafts = ["b", "a"]\nbelieve = [["a", "b"]]\nmin_p_good = 0.3\nmax_draft_ms = 5000',
    ],
)
def test_what_can_be_meant_is_accepted(rules: str) -> None:
    settings, _ = parse(text(rules), "twintrack.toml")
    assert settings.routes["auto"].cascade is not None


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("check = []", "$.routes.auto.cascade.check is empty, so every draft would be believed"),
        ('check = ["vibes"]', "$.routes.auto.cascade.check[0]"),
        (
            'check = ["schema"]\ndrafts = ["aa"]',
            "drafts[0] is 'aa', which is not the name of a deployment of the tiers",
        ),
        ('check = ["schema"]\ndrafts = ["large"]', "drafts[0] is 'large', which is not the name of a deployment"),
        ('check = ["schema"]\ndrafts = ["a", "a"]', "drafts names a deployment twice, and whether they agree"),
        (
            'check = ["agreement"]\nrepeat_temperature = 0.7',
            "repeat_temperature is set, and no deployment drafts twice",
        ),
        ('check = ["agreement"]\ndrafts = ["a", "a"]\nrepeat_temperature = 0', "repeat_temperature is 0"),
        ('check = ["agreement"]\ndrafts = ["a"]', "check asks for agreement, and only one deployment could draft"),
        ('check = ["schema"]\ndrafts = ["a", "b"]\nbelieve = [["a", "b"]]', "believe is set, but agreement is not"),
        ('check = ["agreement"]\nbelieve = [["a", "b"]]', "believe is set, and drafts are not named"),
        ('check = ["agreement"]\ndrafts = ["a", "b"]\nbelieve = [["a", "a"]]', "believe[0] is a deployment and itself"),
        ('check = ["agreement"]\ndrafts = ["a", "b"]\nbelieve = [["a", "c"]]', "believe[0][1] is 'c'"),
        ('check = ["agreement"]\nbelieve = [["a"]]', "believe[0] is a list. Use a list of 2"),
        ('chek = ["agreement"]\nbelieve = [["a", 3]]', "believe[0][1] is 3. Use text in quotes."),
        ('check = ["schema"]\nmust_match = ["x"]', "check does not name match, and rules for it are set"),
        ('check = ["match"]', "check names match, and no rule is set"),
        ('check = ["match"]\nmust_match = ["("]', "must_match[0] is no regular expression"),
        (
            'check = ["match"]\nmust_match = ["a(?=b)"]',
            "must_match[0] is a regular expression that cannot be matched in",
        ),
        (
            'check = ["match"]\nmust_not_match = ["(a)\\\\1"]',
            "must_not_match[0] is a regular expression that cannot be",
        ),
        ('check = ["match"]\nmin_chars = 9\nmax_chars = 3', "max_chars is less than min_chars"),
        ('check = ["logprobs"]\nmin_mean_logprob = 0.5', "min_mean_logprob"),
    ],
)
def test_what_cannot_is_named(rules: str, said: str) -> None:
    assert said in complaint(rules)


def test_who_cannot_draft_is_named() -> None:
    assert "has nobody to draft: the route has one tier" in complaint('check = ["schema"]', "large")
    assert "which haiku does not tell: its dialect has no word" in complaint('check = ["logprobs"]', "haiku", "large")
    assert "which quick does not tell: its provider refuses" in complaint('check = ["logprobs"]', "quick", "large")
    assert "drafts nothing: the route observes" in complaint('check = ["schema"]', more='mode = "observe"')
