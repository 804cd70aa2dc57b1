"""Secrets are found by reference, and never told."""

import pytest

from twintrack.config import secrets


def test_a_variable_gives_its_value():
    assert secrets.resolve("env:KEY", {"KEY": "hush"}) == "hush"


def test_a_file_gives_its_text_without_one_line_break_at_the_end(tmp_path):
    for text in ("hush", "hush\n", "hush\r\n"):
        (tmp_path / "key").write_bytes(text.encode())
        assert secrets.resolve(f"file:{tmp_path}/key") == "hush"


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "is empty"),
        ("hush\nX-Injected: 1", "holds more than one word of plain ASCII"),
        ("hush hush", "holds more than one word of plain ASCII"),
        ("hüsh", "holds more than one word of plain ASCII"),
    ],
)
def test_what_cannot_travel_in_a_header_is_no_secret(tmp_path, value, why):
    assert secrets.resolve("env:KEY", {"KEY": value}) is None
    assert secrets.trouble("env:KEY", {"KEY": value}) == f"the environment variable KEY {why}"
    (tmp_path / "key").write_text(value)
    assert secrets.resolve(f"file:{tmp_path}/key") is None
    assert secrets.trouble(f"file:{tmp_path}/key") == f"the file {tmp_path}/key {why}"


def test_bytes_that_are_no_text_are_no_secret(tmp_path):
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    assert secrets.resolve(f"file:{tmp_path}/key") is None


def test_what_is_missing_is_named(tmp_path):
    assert secrets.trouble("env:KEY", {}) == "the environment variable KEY is not set"
    assert (
        secrets.trouble(f"file:{tmp_path}/no") == f"the file {tmp_path}/no cannot be read (No such file or directory)"
    )
    assert secrets.trouble(f"file:{tmp_path}").endswith("cannot be read (Is a directory)")
    assert secrets.trouble("file:/dev/zero") == "the file /dev/zero cannot be read (too large for a secret)"
    assert secrets.resolve("env:KEY", {}) is None
    assert secrets.resolve(f"file:{tmp_path}/no") is None


def test_what_is_there_gives_no_trouble():
    assert secrets.trouble("env:KEY", {"KEY": "hush"}) == ""


@pytest.mark.parametrize("text", ["", "hush", "env:", "env:A-B", "env:1A", "file:", "file:\0", "ENV:A", "https://x"])
def test_anything_else_is_no_reference(text):
    assert not secrets.is_reference(text)
    assert secrets.resolve(text, {"A": "hush"}) is None
    assert secrets.trouble(text, {}) != ""


def test_a_file_open_to_everybody_gets_a_warning(tmp_path):
    key = tmp_path / "key"
    key.write_text("hush")
    key.chmod(0o644)
    assert secrets.warning(f"file:{key}") == f"Every user of this machine can read {key}. Run chmod 600 {key}."
    key.chmod(0o640)
    assert secrets.warning(f"file:{key}") == ""
    assert secrets.warning("env:KEY") == secrets.warning(f"file:{tmp_path}/no") == ""
