"""What spans tell of a request, and when it counts as over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from ledger_records import NAMES, PREMIUM, SIMULATED, T0, dispatch, refuse, released, settle
from msgspec.structs import replace

from twintrack.config.settings import DATA_CLASSES
from twintrack.ledger.records import Content, Names, Record
from twintrack.ledger.words import Words
from twintrack.telemetry.conventions import Upstream
from twintrack.telemetry.joined import Joiner
from twintrack.telemetry.reference import ATTRIBUTES
from twintrack.telemetry.spans import Span, SpanMaker
from twintrack.telemetry.trace import attempt_id, trace_of

KNOWN = {"gpt@openai": Upstream("openai", "gpt-5.4-2026-03-01", "api.openai.com", 443)}
PATIENCE_S = 10.0
CALLER = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_ASKED = b'{"model": "auto", "messages": [{"role": "system", "content": "Be"}, {"role": "user", "content": "Hi"}]}'
_ANSWERED = b'{"choices": [{"index": 0, "message": {"content": "Ho"}, "finish_reason": "stop"}]}'
WHOLE = Content("a", "chat", False, _ASKED, len(_ASKED), _ANSWERED, len(_ANSWERED))
TOLD = replace(NAMES, content=(0,))
"""Requests of the route auto are followed by their content."""


class Stage:
    def __init__(self, sample: float = 1.0) -> None:
        self.joiner = Joiner()
        self.maker = SpanMaker(sample, PATIENCE_S)
        self.now_s = 0.0

    def play(self, *records: Record) -> list[Span]:
        names = next((record for record in records if isinstance(record, Names)), NAMES)
        events = list(self.joiner.take(records, {1: Words(names)}))
        return [span for event in events for span in self.maker.take(event, KNOWN, self.now_s)]

    def wait(self, seconds: float) -> list[Span]:
        self.now_s += seconds
        return list(self.maker.overdue(self.now_s))


def by_kind(spans: Iterable[Span]) -> tuple[list[Span], list[Span]]:
    spans = list(spans)
    return [each for each in spans if each.kind == "server"], [each for each in spans if each.kind == "client"]


def test_an_answered_request_is_a_span_with_one_below_it() -> None:
    spans = Stage().play(dispatch("a", deployment=PREMIUM, tier=2, trace=CALLER), settle("a"))
    (request,), (attempt,) = by_kind(spans)

    assert (request.name, attempt.name) == ("chat auto", "chat gpt-5.4-2026-03-01")
    assert f"{request.trace_id:032x}" == "4bf92f3577b34da6a3ce929d0e0e4736"
    assert (f"{request.parent_id:016x}", request.remote_parent) == ("00f067aa0ba902b7", True)
    assert (attempt.trace_id, attempt.parent_id) == (request.trace_id, request.span_id)
    assert (attempt.start_ns, attempt.end_ns) == (T0 * 1000, T0 * 1000 + 2_000_000_000)
    assert (request.start_ns, request.end_ns) == (attempt.start_ns, attempt.end_ns)
    assert (request.error, attempt.error) == ("", "")
    said = attempt.attributes
    assert {name: said[name] for name in said if name.startswith(("gen_ai.", "server.", "http."))} == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5.4-2026-03-01",
        "gen_ai.request.stream": dispatch().stream,
        "gen_ai.response.time_to_first_chunk": 0.3,
        "gen_ai.usage.input_tokens": 812,
        "gen_ai.usage.output_tokens": 301,
        "gen_ai.usage.cache_read.input_tokens": 0,
        "gen_ai.usage.cache_creation.input_tokens": 0,
        "server.address": "api.openai.com",
        "server.port": 443,
        "http.response.status_code": 200,
    }
    assert said["twintrack.cost.usd"] == 0.0001
    assert (said["twintrack.tier"], said["twintrack.zone"]) == ("premium", "third_party")
    asked = request.attributes
    assert (asked["twintrack.route"], asked["twintrack.tier"], asked["twintrack.key"]) == ("auto", "premium", "dev")
    assert (asked["twintrack.class"], asked["twintrack.attempts"], asked["twintrack.ruled_out"]) == ("internal", 1, 1)
    assert (asked["twintrack.p_good"], asked["twintrack.cost.baseline_usd"]) == (0.93, 0.001)


def test_a_second_attempt_hangs_below_the_same_request() -> None:
    stage = Stage()
    spans = stage.play(dispatch("a"), released("a", status=429))
    assert [span.kind for span in spans] == ["client"]  # another one may follow
    assert (spans[0].error, spans[0].attributes["error.type"]) == ("429", "429")
    spans += stage.play(dispatch("a", 1, deployment=PREMIUM, tier=2, at_us=T0 + 3_000_000), settle("a", 1))
    (request,), attempts = by_kind(spans)
    assert [each.span_id for each in attempts] == [attempt_id("a", 0), attempt_id("a", 1)]
    assert {each.parent_id for each in attempts} == {request.span_id}
    assert (request.error, request.attributes["twintrack.attempts"]) == ("", 2)
    assert (request.start_ns, request.end_ns) == (T0 * 1000, (T0 + 3_000_000 + 2_000_000) * 1000)


def test_a_failed_request_ends_when_nothing_follows() -> None:
    stage = Stage()
    stage.play(dispatch("a"), released("a"))
    assert stage.wait(PATIENCE_S - 1) == []
    (request,) = stage.wait(1)
    assert (request.kind, request.error, request.attributes["twintrack.outcome"]) == (
        "server",
        "5xx",
        "upstream_refused",
    )
    assert stage.wait(1_000) == []


def test_a_request_that_runs_is_not_over_however_long_it_takes() -> None:
    stage = Stage()
    stage.play(dispatch("a"), released("a"), dispatch("a", 1))
    assert stage.wait(10 * PATIENCE_S) == []
    (request,), _ = by_kind(stage.play(settle("a", 1)))
    assert request.attributes["twintrack.attempts"] == 2


def test_what_ran_before_we_were_started_again_gets_its_spans_all_the_same() -> None:
    stage = Stage()
    events = list(stage.joiner.take([dispatch("a"), settle("a")], {1: Words(NAMES)}))
    (request,), (attempt,) = by_kind(stage.maker.take(events[1], KNOWN, 0.0))
    assert attempt.parent_id == request.span_id == trace_of("a", "", 1.0).root_id


def test_a_refusal_is_a_span_with_none_below_it() -> None:
    (request,) = Stage().play(refuse("f"))
    assert (request.kind, request.name, request.error) == ("server", "chat auto", "no_eligible_model")
    assert (request.attributes["http.response.status_code"], request.attributes["twintrack.class"]) == (
        422,
        "restricted",
    )


def test_a_trace_that_is_not_kept_has_no_span_of_any_kind() -> None:
    off = CALLER[:-1] + "0"
    records = (dispatch("a", trace=off), released("a"), dispatch("a", 1, trace=off), settle("a", 1))
    stage = Stage()
    assert [*stage.play(*records, refuse("f", trace=off)), *stage.wait(1e9)] == []
    stage = Stage(sample=0.0)
    assert [*stage.play(dispatch("b"), settle("b"), refuse("g")), *stage.wait(1e9)] == []


def test_a_simulated_provider_is_said_to_be_one() -> None:
    _, (attempt,) = by_kind(Stage().play(dispatch("a", deployment=SIMULATED), settle("a")))
    assert attempt.attributes["twintrack.simulated"] is True


@pytest.mark.parametrize(
    ("outcome", "status", "error"),
    [
        ("ok", 200, ""),
        ("client_left", 200, "client_left"),
        ("upstream_refused", 402, "402"),
        ("upstream_refused", 418, "4xx"),
        ("upstream_refused", 599, "5xx"),
        ("upstream_refused", 7, "status"),
        ("upstream_failed", 0, "connection"),
        ("upstream_failed", 200, "broken_answer"),
        ("upstream_timeout", 0, "timeout"),
        ("lost", 0, "lost"),
    ],
)
def test_errors_have_few_names(outcome: Any, status: int, error: str) -> None:
    _, (attempt,) = by_kind(Stage().play(dispatch("a"), settle("a", outcome=outcome, status=status)))
    assert (attempt.error, attempt.attributes.get("error.type", "")) == (error, error)


def test_the_page_of_attributes_knows_each_and_no_other() -> None:
    counts = {name: 1 for name in settle().__struct_fields__ if name.endswith("_tokens")}
    stage = Stage()
    spans = stage.play(
        *(dispatch("a", deployment=PREMIUM, tier=2, role="draft"), settle("a", **counts)),
        *(dispatch("b", deployment=PREMIUM), released("b"), refuse("f")),
    )
    spans += stage.play(
        *(TOLD, dispatch("c"), settle("c"), replace(WHOLE, request_id="c")),
        *(dispatch("d"), settle("d"), replace(WHOLE, request_id="d", request=b"", request_bytes=70_000)),
    )
    requests, attempts = by_kind([*spans, *stage.wait(1e9)])
    told = {"request": requests, "attempt": attempts}
    for of, found in told.items():
        names = {name for span in found for name in span.attributes}
        assert names == {name for name, where, _ in ATTRIBUTES if where in (of, "both")}, of


def test_no_word_of_a_span_is_free_text() -> None:
    """Every text in it is a name of the configuration, a word of a fixed list, or an id of ours."""
    secret = "canary: the patient is called Jane Doe"
    records = (
        dispatch("a", deployment=PREMIUM),
        settle("a", outcome="upstream_failed", detail=secret),
        dispatch("b", trace=CALLER),
        settle("b", detail=secret),
    )
    stage = Stage()
    spans = [*stage.play(*records), *stage.wait(1e9)]
    assert len(spans) == 4
    configured = {word for each in NAMES.deployments for word in each if isinstance(word, str)}
    configured |= {word for name, tiers in NAMES.routes for word in (name, *tiers)} | set(NAMES.keys)
    configured |= {each.provider for each in KNOWN.values()} | {each.model for each in KNOWN.values()}
    configured |= {each.address for each in KNOWN.values()} | {NAMES.policy_version}
    fixed = {"chat", "ok", "upstream_failed", "settled", "reported", "code", "en", "broken_answer", dispatch().reason}
    for span in spans:
        words = {value for value in span.attributes.values() if isinstance(value, str)}
        assert words <= configured | fixed | set(DATA_CLASSES) | {"a", "b"}
        assert secret.encode() not in msgspec.json.encode([span.name, span.error, span.attributes])


def test_the_span_of_a_request_waits_for_its_content() -> None:
    stage = Stage()
    assert [span.kind for span in stage.play(TOLD, dispatch("a"), settle("a"))] == ["client"]
    (request,) = stage.play(TOLD, WHOLE)
    assert request.attributes["gen_ai.output.messages"] == (
        '[{"role":"assistant","parts":[{"type":"text","content":"Ho"}],"finish_reason":"stop"}]'
    )
    assert request.attributes["twintrack.content.left_out"] == 0
    assert stage.play(TOLD, WHOLE) == stage.wait(1e9) == []  # once


def test_content_that_does_not_come_is_not_waited_for_long() -> None:
    stage = Stage()
    stage.play(TOLD, dispatch("a"), settle("a"))
    assert stage.wait(PATIENCE_S - 1) == []
    (request,) = stage.wait(2)
    assert request.attributes["twintrack.content.left_out"] == 2
    assert not any(name.endswith("messages") for name in request.attributes)


def test_content_behind_a_failed_attempt_says_that_no_other_follows() -> None:
    stage = Stage()
    assert len(stage.play(TOLD, dispatch("a"), released("a", status=429))) == 1
    (request,) = stage.play(TOLD, replace(WHOLE, answer=b"", answer_bytes=0))
    assert (request.error, "gen_ai.output.messages" in request.attributes) == ("429", False)


@pytest.mark.parametrize(
    ("names", "more"),
    [(NAMES, {}), (TOLD, {"route": 1}), (TOLD, {"route": -1}), (TOLD, {"data_class": 2}), (TOLD, {"data_class": 3})],
)
def test_content_is_told_of_no_other_route_and_no_higher_class(names: Names, more: dict[str, int]) -> None:
    """Whatever a journal holds."""
    for records in ((dispatch("a", **more), settle("a"), WHOLE), (dispatch("a", **more), WHOLE, settle("a"))):
        requests, _ = by_kind(Stage().play(names, *records))
        assert requests
        assert not any(name.endswith(("messages", "left_out")) for each in requests for name in each.attributes)
