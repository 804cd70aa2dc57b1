"""When a provider wants to be asked again, from whatever it says, and whether its account is empty."""

from __future__ import annotations

import json

import pytest

from twintrack.wire.wish import Wish, wish

NOW = 1_796_000_000.0  # Mon, 30 Nov 2026 00:53:20 GMT


def read(status: int = 429, body: object = b"", **headers: str) -> Wish:
    lines = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return wish(status, lines, body if isinstance(body, bytes) else json.dumps(body).encode(), NOW)


@pytest.mark.parametrize(
    ("said", "wait_s"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("-30", 0.0),
        ("Mon, 30 Nov 2026 00:54:20 GMT", 60.0),
        ("Mon, 30 Nov 2020 00:54:20 GMT", 0.0),
        ("9" * 200, float("9" * 200)),
        ("soon", None),
        ("", None),
        ("1e9", None),
        ("Mon, 99 Nov 2026 00:54:20 GMT", None),
        ("x" * 5_000, None),
    ],
)
def test_retry_after(said: str, wait_s: float | None) -> None:
    assert read(retry_after=said).wait_s == wait_s


def test_milliseconds_are_more_exact() -> None:
    assert read(retry_after="2", retry_after_ms="1200").wait_s == 1.2
    assert read(retry_after="2", retry_after_ms="never").wait_s == 2.0


def test_google_says_it_in_the_body() -> None:
    body = {
        "error": {"code": 429, "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"}]}
    }
    assert read(body=body).wait_s == 34.0
    assert read(body=body, retry_after="3").wait_s == 3.0
    assert read(body=[body]).wait_s == 34.0


def test_what_a_refusal_quotes_of_the_request_is_no_wish() -> None:
    quoted = {"tools": [{"parameters": {"retryDelay": "300s"}}]}
    for body in (
        {"error": {"message": "flagged"}, "input": quoted},
        {"error": {"message": "flagged", "details": [{"input": quoted}]}},
        {"error": {"message": "flagged", "details": "none"}, "retryDelay": "300s"},
        b'{"error": {"details": [{"retryDelay": "300s"',
    ):
        assert read(403, body).wait_s is None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (402, {"error": {"message": "Insufficient Balance"}}),
        (402, b""),
        (
            429,
            {
                "error": {
                    "message": "You exceeded your current quota, please check your plan",
                    "code": "insufficient_quota",
                }
            },
        ),
        (429, {"error": {"message": "x", "code": "enforced_spend_limit_reached"}}),
        (403, {"error": {"message": "x", "code": "credit_balance_exhausted"}}),
        (
            400,
            {
                "type": "error",
                "error": {
                    "type": "invalid_request_error",
                    "message": "Your credit balance is too low to access the Anthropic API.",
                },
            },
        ),
    ],
)
def test_an_empty_account(status: int, body: object) -> None:
    assert read(status, body).spent


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, {"error": {"message": "Rate limit reached for requests"}}),
        (500, {"error": {"message": "insufficient funds"}}),
        (400, {"error": {"message": "messages[0].role: 'Your credit balance is too low' is none of user, assistant"}}),
        (403, {"error": {"message": "flagged: insufficient credits"}}),
        (429, b"<html>"),
        (429, b"\xff{"),
    ],
)
def test_what_a_client_wrote_or_a_busy_server_says_is_not_one(status: int, body: object) -> None:
    assert not read(status, body).spent
