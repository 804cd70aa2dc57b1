"""What the doctor and `config check` say of records: missing, ended, ending, and more than is known to be offered."""

from __future__ import annotations

import datetime

import pytest

from twintrack.cli.doctor.records import check
from twintrack.config.load import parse

TODAY = datetime.date(2026, 11, 30)
OPENAI = '[[providers]]\nname = "openai"\nzone = "contracted"\n'


def said(terms: str | None, provider: str = OPENAI) -> list[tuple[str, str]]:
    text = provider if terms is None else f"{provider}terms = {{ {terms} }}\n"
    settings, _ = parse(text, "twintrack.toml", environ=None)
    return [(each.state, each.what) for each in check(settings, TODAY)]


@pytest.mark.parametrize(
    ("terms", "state", "what"),
    [
        (None, "note", "openai counts as contracted, and there is no record of what is agreed with it"),
        ('baa = true, expires_on = "2027-06-30"', "ok", "what is agreed with openai is on record, until 2027-06-30"),
        ("baa = true", "note", "the record of openai has no end"),
        ('baa = true, expires_on = "2026-11-29"', "problem", "the record of openai expired on 2026-11-29"),
        ('baa = true, expires_on = "2026-11-30"', "note", "the record of openai ends today"),
        ('baa = true, expires_on = "2026-12-01"', "note", "the record of openai ends in 1 day, on 2026-12-01"),
        ('baa = true, expires_on = "2026-12-30"', "note", "the record of openai ends in 30 days"),
        ('baa = true, expires_on = "2026-12-31"', "ok", "what is agreed with openai is on record"),
        ('retention_days = 0, expires_on = "2027-06-30"', "note", "you say 0 days of retention, the catalogue 30"),
    ],
)
def test_a_record_is_looked_at(terms: str | None, state: str, what: str) -> None:
    (found,) = said(terms)
    assert found[0] == state
    assert what in found[1]


@pytest.mark.parametrize(
    ("name", "terms", "what"),
    [
        ("deepseek", "baa = true", "and the catalogue knows that it is not offered"),
        ("mistral", "baa = true", "a business associate agreement is agreed, and the catalogue knows of no such offer"),
        ("openrouter", "dpa = true", "a data processing agreement is agreed, and the catalogue knows of no such offer"),
        ("mistral", "zdr = true", "zero data retention is agreed, and the catalogue knows of no such offer"),
    ],
)
def test_more_than_is_known_to_be_offered_is_asked_about(name: str, terms: str, what: str) -> None:
    provider = f'[[providers]]\nname = "{name}"\nzone = "contracted"\n'
    found = said(f'{terms}, expires_on = "2027-06-30"', provider)
    assert any(state == "note" and what in text for state, text in found), found


def test_own_machines_and_third_parties_need_none() -> None:
    own = '[[providers]]\nname = "gpu"\napi = "vllm"\nurl = "http://10.0.0.5:8000/v1"\nzone = "own"\n'
    assert said(None, own + '[[providers]]\nname = "openai"\n') == []
