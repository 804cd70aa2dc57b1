"""From what the ledger stored to spans: one for each request, and below it one for each attempt.

Every word of a span comes from the configuration or from a fixed list: the one free text of a record, how a failure was
described, stays behind. What was asked and answered is in a record of its own, which is there only where a route wants
it told; the span of such a request waits for it.

The journal says when an attempt ends, not that no other follows. So the span of an attempt is made when it ends, and
that of a request at once where the attempt ended it (an answer, or a client that left), else when nothing has followed
for longer than the gateway pauses between two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from twintrack.ledger.records import Content, Dispatch, Refuse, Settle
from twintrack.ledger.words import Words, data_class
from twintrack.telemetry import content as contents
from twintrack.telemetry.conventions import Upstream, error_type, forgotten, operation
from twintrack.telemetry.joined import Begun, Ended, Event, Refused
from twintrack.telemetry.trace import Trace, attempt_id, trace_of

MOST_WAITING: Final = 50_000
"""Requests whose end is not certain; beyond it the oldest gets its span as it stands."""
_FINAL: Final = frozenset({"ok", "client_left", "lost"})

Attribute = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Span:
    name: str
    kind: str
    """client or server."""
    trace_id: int
    span_id: int
    parent_id: int | None
    remote_parent: bool
    start_ns: int
    end_ns: int
    error: str
    """Empty: it went well."""
    attributes: dict[str, Attribute]


@dataclass(slots=True)
class _Waiting:
    """A request between its first dispatch and its end."""

    trace: Trace
    first: Dispatch
    words: Words
    told: bool
    """What was asked and answered is to follow its end."""
    running: set[int] = field(default_factory=set)
    last: Settle | None = None
    last_dispatch: Dispatch | None = None
    ended_s: float = 0.0
    """When the last of it ended, on the clock of whoever calls."""


class SpanMaker:
    """Not for use from several threads."""

    def __init__(self, sample: float, patience_s: float) -> None:
        """
        Args:
            sample: share of requests, 0 to 1, that get spans where the caller does not say.
            patience_s: how long after a failed attempt another may follow.
        """
        self._sample = sample
        self._patience_s = patience_s
        self._waiting: dict[str, _Waiting] = {}

    def take(self, event: Event, known: Mapping[str, Upstream], now_s: float) -> Iterator[Span]:
        if isinstance(event, Begun):
            yield from self._begun(event, now_s)
        elif isinstance(event, Ended):
            yield from self._ended(event, known, now_s)
        elif isinstance(event, Content):
            waiting = self._waiting.pop(event.request_id, None)
            if waiting is not None:  # else it is too late, or comes twice
                yield _request(waiting, event)
        else:
            yield from self._refused(event)

    def overdue(self, now_s: float) -> Iterator[Span]:
        """Spans of requests that nothing followed for long enough; with infinity of all that do not run."""
        for request_id, waiting in list(self._waiting.items()):
            if not waiting.running and now_s - waiting.ended_s >= self._patience_s:
                del self._waiting[request_id]
                yield _request(waiting)

    def _begun(self, event: Begun, now_s: float) -> Iterator[Span]:
        dispatch = event.dispatch
        waiting = self._waiting.get(dispatch.request_id)
        if waiting is None:
            trace = trace_of(dispatch.request_id, dispatch.trace, self._sample)
            if not trace.sampled:
                return
            if len(self._waiting) >= MOST_WAITING:
                oldest = next(iter(self._waiting))
                yield _request(self._waiting.pop(oldest))
            waiting = self._waiting[dispatch.request_id] = _waiting(trace, event)
        waiting.running.add(dispatch.attempt)

    def _ended(self, event: Ended, known: Mapping[str, Upstream], now_s: float) -> Iterator[Span]:
        dispatch, settle = event.dispatch, event.settle
        waiting = self._waiting.get(dispatch.request_id)
        trace = waiting.trace if waiting else trace_of(dispatch.request_id, dispatch.trace, self._sample)
        if not trace.sampled:
            return
        yield _attempt(event, trace, known)
        if waiting is None:  # dispatched in an earlier life of ours: then the request ends with it, as far as we know
            waiting = self._waiting[dispatch.request_id] = _waiting(trace, event)
        waiting.running.discard(dispatch.attempt)
        waiting.last, waiting.last_dispatch, waiting.ended_s = settle, dispatch, now_s
        awaited = waiting.told and settle.outcome != "lost"
        if settle.outcome in _FINAL and not waiting.running and not awaited:
            del self._waiting[dispatch.request_id]
            yield _request(waiting)

    def _refused(self, event: Refused) -> Iterator[Span]:
        refuse, words = event.refuse, event.words
        trace = trace_of(refuse.request_id, refuse.trace, self._sample)
        if not trace.sampled:
            return
        at_ns = refuse.at_us * 1000
        attributes: dict[str, Attribute] = {
            "gen_ai.operation.name": operation(refuse.endpoint),
            "twintrack.request_id": refuse.request_id,
            "twintrack.outcome": "refused" if refuse.status < 500 else "unavailable",
            "twintrack.class": data_class(refuse.data_class),
            "twintrack.attempts": 0,
            "error.type": refuse.code,
            "http.response.status_code": refuse.status,
        }
        _say_route(attributes, words, refuse)
        name = f"{operation(refuse.endpoint)} {words.route(refuse.route) or 'refused'}"
        yield Span(
            name, "server", trace.trace_id, trace.root_id, trace.parent_id, True, at_ns, at_ns, refuse.code, attributes
        )


def _say_route(attributes: dict[str, Attribute], words: Words, record: Dispatch | Refuse) -> None:
    named = {"twintrack.route": words.route(record.route), "twintrack.key": words.key(record.key)}
    attributes.update({name: word for name, word in named.items() if word is not None})


def _waiting(trace: Trace, event: Begun | Ended) -> _Waiting:
    dispatch, words = event.dispatch, event.words
    told = words.tells_content(dispatch.route)
    told = told and contents.may_be_told(dispatch.endpoint, data_class(dispatch.data_class))
    return _Waiting(trace, dispatch, words, told)


def _request(waiting: _Waiting, content: Content | None = None) -> Span:
    first, words, trace = waiting.first, waiting.words, waiting.trace
    last, last_dispatch = waiting.last, waiting.last_dispatch or first
    start_ns = first.at_us * 1000
    asked = words.route(first.route) or words.deployment(first.deployment).name
    attributes: dict[str, Attribute] = {
        "gen_ai.operation.name": operation(first.endpoint),
        "gen_ai.request.stream": first.stream,
        "twintrack.request_id": first.request_id,
        "twintrack.class": data_class(first.data_class),
        "twintrack.reason": first.reason,
        "twintrack.decision": words.deployment(first.chosen).name,
        "twintrack.attempts": last_dispatch.attempt + 1,
        "twintrack.ruled_out": len(first.ruled_out),
        "twintrack.policy_version": words.policy_version,
        "twintrack.propensity": first.propensity,
    }
    _say_route(attributes, words, first)
    tier = words.tier(last_dispatch.route, last_dispatch.tier)
    optional: dict[str, Attribute | None] = {
        "twintrack.tier": tier,
        "twintrack.p_good": first.p_good,
        "twintrack.complexity": first.complexity,
        "twintrack.task": first.task or None,
        "twintrack.language": first.language or None,
        "twintrack.cost.predicted_usd": _usd(first.predicted_nusd),
        "twintrack.outcome": last.outcome if last else None,
        "twintrack.cost.baseline_usd": _usd(last.baseline_nusd) if last else None,
    }
    attributes.update({name: value for name, value in optional.items() if value is not None})
    error = error_type(last.outcome, last.status) if last is not None else "unknown"
    if error:
        attributes["error.type"] = error
    if content is not None and waiting.told:
        attributes.update(contents.attributes(content))
    elif waiting.told:
        attributes["twintrack.content.left_out"] = contents.LOST
    end_ns = start_ns
    if last is not None:
        end_ns = max(start_ns, last_dispatch.at_us * 1000 + last.total_us * 1000)
    name = f"{operation(first.endpoint)} {asked}"
    return Span(
        name, "server", trace.trace_id, trace.root_id, trace.parent_id, True, start_ns, end_ns, error, attributes
    )


def _attempt(event: Ended, trace: Trace, known: Mapping[str, Upstream]) -> Span:
    dispatch, settle, words = event.dispatch, event.settle, event.words
    deployment = words.deployment(dispatch.deployment)
    names = known.get(deployment.name) or forgotten(deployment)
    attributes: dict[str, Attribute] = {
        "gen_ai.operation.name": operation(dispatch.endpoint),
        "gen_ai.provider.name": names.provider,
        "gen_ai.request.model": names.model,
        "gen_ai.request.stream": dispatch.stream,
        "twintrack.request_id": dispatch.request_id,
        "twintrack.attempt": dispatch.attempt,
        "twintrack.deployment": deployment.name,
        "twintrack.zone": deployment.zone,
        "twintrack.outcome": settle.outcome,
        "twintrack.state": settle.state,
        "twintrack.usage_source": settle.usage_source,
        "twintrack.simulated": deployment.simulated,
    }
    if names.address:
        attributes["server.address"] = names.address
        attributes["server.port"] = names.port
    error = error_type(settle.outcome, settle.status)
    optional: dict[str, Attribute | None] = {
        "twintrack.tier": words.tier(dispatch.route, dispatch.tier),
        "twintrack.role": None if dispatch.role == "answer" else dispatch.role,
        "twintrack.region": deployment.region or None,
        "http.response.status_code": settle.status or None,
        "gen_ai.response.time_to_first_chunk": _s(settle.ttft_us) if dispatch.stream else None,
        "gen_ai.usage.input_tokens": settle.input_tokens,
        "gen_ai.usage.output_tokens": settle.output_tokens,
        "gen_ai.usage.cache_read.input_tokens": settle.cache_read_tokens,
        "gen_ai.usage.cache_creation.input_tokens": settle.cache_write_tokens,
        "gen_ai.usage.reasoning.output_tokens": settle.reasoning_tokens,
        "gen_ai.usage.audio.input_tokens": settle.input_audio_tokens,
        "gen_ai.usage.audio.output_tokens": settle.output_audio_tokens,
        "gen_ai.usage.image.input_tokens": settle.input_image_tokens,
        "twintrack.cost.usd": _usd(settle.cost_nusd),
        "twintrack.energy.joules": None if settle.energy_mj is None else settle.energy_mj / 1000,
        "error.type": error or None,
    }
    attributes.update({name: value for name, value in optional.items() if value is not None})
    start_ns = dispatch.at_us * 1000
    return Span(
        f"{operation(dispatch.endpoint)} {names.model}",
        "client",
        trace.trace_id,
        attempt_id(dispatch.request_id, dispatch.attempt),
        trace.root_id,
        False,
        start_ns,
        start_ns + settle.total_us * 1000,
        error,
        attributes,
    )


def _usd(nusd: int | None) -> float | None:
    return None if nusd is None else nusd / 1e9


def _s(duration_us: int | None) -> float | None:
    return None if duration_us is None else duration_us / 1e6
