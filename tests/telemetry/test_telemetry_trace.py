"""Whose span it is: the caller's trace where it sent one, else one of our own that follows from the request's id."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twintrack.telemetry.trace import attempt_id, trace_of, traceparent

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize(
    ("header", "kept"),
    [
        (GOOD, GOOD),
        (f"00-{TRACE}-{SPAN}-00", f"00-{TRACE}-{SPAN}-00"),
        (f"00-{TRACE}-{SPAN}-03", f"00-{TRACE}-{SPAN}-03"),  # the random flag of level 2
        (f"cc-{TRACE}-{SPAN}-01", f"cc-{TRACE}-{SPAN}-01"),  # a later version
        (f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like", f"cc-{TRACE}-{SPAN}-01"),
    ],
)
def test_what_callers_send(header: str, kept: str) -> None:
    assert traceparent(header.encode()) == kept


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"cc-{TRACE}-{SPAN}-01more",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f" 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01, 00-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0\u0661",
        f"cc-{TRACE}-{SPAN}-01-{'x' * 1000}",
        "tell me about my medical record, please: I am Jane Doe",
    ],
)
def test_what_is_no_traceparent_leaves_nothing_behind(header: str) -> None:
    assert traceparent(header.encode()) == ""


@given(st.binary(max_size=200))
def test_whatever_comes_only_55_characters_of_hex_are_kept(header: bytes) -> None:
    assert traceparent(header) == "" or len(traceparent(header)) == 55


def test_the_callers_trace_goes_on_and_its_word_on_sampling_holds() -> None:
    trace = trace_of("tt-1", GOOD, 0.0)
    assert (f"{trace.trace_id:032x}", f"{trace.parent_id:016x}", trace.sampled) == (TRACE, SPAN, True)
    assert trace_of("tt-1", GOOD[:-1] + "0", 1.0).sampled is False


def test_ids_follow_from_the_requests_id() -> None:
    first, again, other = trace_of("tt-1", "", 1.0), trace_of("tt-1", "", 1.0), trace_of("tt-2", "", 1.0)
    assert first == again
    assert first.parent_id is None
    ids = {first.trace_id, first.root_id, other.trace_id, other.root_id, attempt_id("tt-1", 0), attempt_id("tt-1", 1)}
    assert len(ids) == 6
    assert 0 not in ids


def test_a_share_of_the_traces_is_kept() -> None:
    kept = sum(trace_of(f"tt-{number}", "", 0.25).sampled for number in range(4_000))
    assert 900 < kept < 1_100
    assert not any(trace_of(f"tt-{number}", "", 0.0).sampled for number in range(100))
    assert all(trace_of(f"tt-{number}", "", 1.0).sampled for number in range(100))
