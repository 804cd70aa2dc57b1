"""Where spans and metrics may be sent, and how a secret for it is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from twintrack.config.compile import compile_snapshot
from twintrack.config.load import parse
from twintrack.config.secrets import header_reference
from twintrack.config.source import InvalidConfig

ENVIRON = {"TOKEN": "of-the-collector"}


def complaint(text: str) -> str:
    with pytest.raises(InvalidConfig) as caught:
        parse(f"[telemetry]\n{text}", "t.toml", environ=ENVIRON)
    return str(caught.value)


def test_nothing_is_sent_unless_an_address_is_said() -> None:
    settings, _ = parse("", "t.toml", environ=ENVIRON)
    assert settings.telemetry.otlp == ""


@pytest.mark.parametrize(
    "text",
    [
        'otlp = "http://127.0.0.1:4318"\nheaders = { authorization = "Bearer env:TOKEN" }',
        'otlp = "https://otlp.example.com/some/path/"\nheaders = { x-team = "env:TOKEN" }',
        'otlp = "http://collector:4318"',
        "sample = 0",
    ],
)
def test_what_may_be_said(text: str) -> None:
    assert parse(f"[telemetry]\n{text}", "t.toml", environ=ENVIRON)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('otlp = "collector:4318"', "t.toml:2: $.telemetry.otlp is no address of a receiver"),
        ('otlp = "http://me:secret@collector:4318"', "$.telemetry.otlp is no address of a receiver"),
        ('otlp = "http://collector:4318?key=secret"', "$.telemetry.otlp is no address of a receiver"),
        (
            'otlp = "http://collector:4318"\nheaders = { authorization = "Bearer env:TOKEN" }',
            "is http, and a secret among its headers would travel in the open",
        ),
        ('headers = { authorization = "Bearer sk-live-secret" }', "holds something else than a reference to a secret"),
        ('headers = { authorization = "Bearer env:NOWHERE" }', "leads nowhere: the environment variable NOWHERE"),
        ('headers = { content-length = "env:TOKEN" }', "is no header that could be sent along"),
        ('headers = { "a b" = "env:TOKEN" }', "is no header that could be sent along"),
        ('headers = { a = "B: env:TOKEN" }', "has a sign in front of its secret"),
        ("headers = { a = 4242 }", "$.telemetry.headers.a is not what belongs there"),
        ("sample = 1.5", "Use a number from 0 to 1."),
        ('service = "two words"', "$.telemetry.service is 'two words'"),
        ("content = true", "$.telemetry.content is unknown"),
    ],
)
def test_what_may_not(text: str, said: str) -> None:
    told = complaint(text)
    assert said in told
    assert "secret@" not in told
    assert "key=secret" not in told
    assert "sk-live-secret" not in told
    assert "4242" not in told


def test_paths_of_secrets_start_at_the_folder_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a token").write_text("x\n")
    text = '[telemetry]\notlp = "https://a.example"\nheaders = { a = "file:a token", b = "Basic file:a token" }'
    settings, source = parse(text, str(tmp_path / "t.toml"), environ=ENVIRON)
    snapshot = compile_snapshot(settings, source, generation=1, prices=None, secrets=lambda name: None)  # type: ignore[arg-type]
    assert snapshot.telemetry.headers == {"a": f"file:{tmp_path}/a token", "b": f"Basic file:{tmp_path}/a token"}
    assert header_reference(snapshot.telemetry.headers["a"]) == ("", f"file:{tmp_path}/a token")
    assert header_reference(snapshot.telemetry.headers["b"]) == ("Basic", f"file:{tmp_path}/a token")
