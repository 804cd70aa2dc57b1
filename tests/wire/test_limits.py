"""How much more a client may ask, said in the client's own dialect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.wire.limits import carried

NOW = 1_795_132_800.0  # 2026-11-20T00:00:00Z
OPENAI = {
    b"content-type": b"application/json",
    b"x-ratelimit-limit-requests": b"5000",
    b"x-ratelimit-remaining-requests": b"4999",
    b"x-ratelimit-reset-requests": b"12ms",
    b"x-ratelimit-limit-tokens": b"160000",
    b"x-ratelimit-remaining-tokens": b"159976",
    b"x-ratelimit-reset-tokens": b"6m0s",
    b"x-request-id": b"req_1",
}
ANTHROPIC = {
    b"anthropic-ratelimit-requests-limit": b"50",
    b"anthropic-ratelimit-requests-remaining": b"49",
    b"anthropic-ratelimit-requests-reset": b"2026-11-20T00:00:01Z",
    b"anthropic-ratelimit-tokens-limit": b"40000",
    b"anthropic-ratelimit-tokens-remaining": b"39000",
    b"anthropic-ratelimit-tokens-reset": b"2026-11-20T00:01:30Z",
    b"anthropic-ratelimit-input-tokens-limit": b"30000",
    b"request-id": b"req_2",
}


def lines(data: bytes) -> dict[bytes, bytes]:
    assert data.endswith(b"\r\n") or not data
    return dict(line.split(b": ", 1) for line in data.split(b"\r\n") if line)


@pytest.mark.parametrize(
    ("client", "provider"), [("openai", "openai"), ("responses", "openai"), ("openai", "responses")]
)
def test_the_same_names_travel_on_as_they_are(client: str, provider: str) -> None:
    expected = {name: value for name, value in OPENAI.items() if name.startswith(b"x-ratelimit")}

    assert lines(carried(OPENAI, provider, client, NOW)) == expected


def test_anthropics_names_travel_on_to_its_clients() -> None:
    expected = {name: value for name, value in ANTHROPIC.items() if name.startswith(b"anthropic-")}

    assert lines(carried(ANTHROPIC, "anthropic", "anthropic", NOW)) == expected


def test_a_duration_becomes_a_time() -> None:
    assert lines(carried(OPENAI, "openai", "anthropic", NOW)) == {
        b"anthropic-ratelimit-requests-limit": b"5000",
        b"anthropic-ratelimit-requests-remaining": b"4999",
        b"anthropic-ratelimit-requests-reset": b"2026-11-20T00:00:00Z",
        b"anthropic-ratelimit-tokens-limit": b"160000",
        b"anthropic-ratelimit-tokens-remaining": b"159976",
        b"anthropic-ratelimit-tokens-reset": b"2026-11-20T00:06:00Z",
    }


def test_a_time_becomes_a_duration() -> None:
    assert lines(carried(ANTHROPIC, "anthropic", "openai", NOW)) == {
        b"x-ratelimit-limit-requests": b"50",
        b"x-ratelimit-remaining-requests": b"49",
        b"x-ratelimit-reset-requests": b"1s",
        b"x-ratelimit-limit-tokens": b"40000",
        b"x-ratelimit-remaining-tokens": b"39000",
        b"x-ratelimit-reset-tokens": b"1m30s",
    }


def test_a_limit_on_input_stands_in_for_one_on_all_tokens() -> None:
    headers = {b"anthropic-ratelimit-input-tokens-limit": b"7", b"anthropic-ratelimit-input-tokens-remaining": b"3"}

    assert lines(carried(headers, "anthropic", "openai", NOW)) == {
        b"x-ratelimit-limit-tokens": b"7",
        b"x-ratelimit-remaining-tokens": b"3",
    }


def test_when_to_come_back_reaches_every_client() -> None:
    headers = {b"retry-after": b"7", b"retry-after-ms": b"6500"}

    assert lines(carried(headers, "openai", "openai", NOW)) == headers
    assert lines(carried(headers, "openai", "anthropic", NOW)) == {b"retry-after": b"7"}
    assert lines(carried({b"retry-after-ms": b"6500"}, "openai", "anthropic", NOW)) == {b"retry-after": b"7"}
    assert lines(carried({b"retry-after": b"7"}, "gemini", "openai", NOW)) == {b"retry-after": b"7"}
    assert lines(carried({b"retry-after": b"7"}, "anthropic", "gemini", NOW)) == {b"retry-after": b"7"}


@pytest.mark.parametrize(
    ("provider", "client"), [("openai", "openai"), ("anthropic", "openai"), ("gemini", "anthropic")]
)
def test_without_such_headers_there_is_nothing_to_say(provider: str, client: str) -> None:
    assert carried({b"content-type": b"text/event-stream"}, provider, client, NOW) == b""


@pytest.mark.parametrize("odd", [b"", b"soon", b"-1", b"1e400s", b"9" * 60, b"2026-11-20T00:00:00", b"99999999999d"])
def test_what_cannot_be_translated_is_left_out(odd: bytes) -> None:
    asked = {b"x-ratelimit-reset-tokens": odd, b"x-ratelimit-limit-tokens": b"many"}
    answered = {b"anthropic-ratelimit-tokens-reset": odd, b"anthropic-ratelimit-tokens-limit": b"many"}

    assert carried(asked, "openai", "anthropic", NOW) == b""
    assert carried(answered, "anthropic", "openai", NOW) == b""


@given(st.integers(0, 3 * 86_400))
def test_a_reset_comes_back_as_it_went(seconds: int) -> None:
    """Through a client's dialect and back the moment is the same, to the second."""
    there = lines(carried({b"x-ratelimit-reset-tokens": b"%ds" % seconds}, "openai", "anthropic", NOW))
    back = lines(carried(there, "anthropic", "openai", NOW))
    again = lines(carried(back, "openai", "anthropic", NOW))

    assert again == there
