"""From a request and what was found out about it to an accepted one; what was read of it goes on record either way."""

from __future__ import annotations

import time

from twintrack.gateway import override
from twintrack.gateway.accepted import Accepted
from twintrack.gateway.advice import advise
from twintrack.gateway.cascade import drafted
from twintrack.gateway.checks import Wanted
from twintrack.gateway.choosing import RUNG, Refused, choose
from twintrack.gateway.outgoing import caller_trace
from twintrack.gateway.undecided import Report, Undecided
from twintrack.ledger.records import Refuse


def decided(undecided: Undecided) -> tuple[Accepted, Wanted | None]:
    """Who answers, and if there are drafts what is wanted of their form.

    Raises:
        Refused, TwintrackError: as `choose` does, and the journal's if it has no room.
    """
    serving, endpoint, labels, gateway = undecided.serving, undecided.endpoint, undecided.labels, undecided.gateway
    report: Report | None = None if undecided.reported else undecided.report
    try:
        route, signals, prompt_tokens_est, decision = choose(
            serving,
            endpoint,
            undecided.asked,
            labels,
            undecided.key,
            len(undecided.body),
            undecided.found,
            undecided.categories,
            undecided.kind,
        )
    except Refused as refused:
        advise(undecided, refused)
        if report is not None:
            gateway.note(report.record(refused.route, refused.signals.data_class))
        raise
    if labels.override is not None:
        gateway.count_override(signals.data_class)
        if undecided.report is None:
            report = override.Unread(undecided)
    if report is not None:
        gateway.journal.append(report.record(route, signals.data_class))
    wanted = None
    if route is not None and route.cascade is not None:
        decision, wanted = drafted(undecided, route, signals, decision)
    accepted = Accepted(
        undecided.request_id,
        gateway,
        serving,
        endpoint,
        undecided.headers,
        undecided.key,
        labels,
        undecided.asked,
        route,
        signals,
        prompt_tokens_est,
        decision,
    )
    return accepted, wanted if decision.drafting is not None else None


def note_refused(request: Undecided | Accepted, refused: Refused) -> None:
    """Nobody may answer. What was understood of the request stays on record."""
    error, route, signals = refused.error, refused.route, refused.signals
    gateway, snapshot = request.gateway, request.serving.snapshot
    gateway.note(
        Refuse(
            request.request_id,
            time.time_ns() // 1000,
            snapshot.generation,
            route.index if route else -1,
            request.key,
            request.endpoint.name,
            error.status,
            error.code,
            RUNG[signals.data_class],
            signals.prompt_tokens_est,
            getattr(error, "ruled_out", ()),
            caller_trace(request.headers, snapshot),
        )
    )
    outcome = "refused" if error.status < 500 else "unavailable"
    gateway.count_request((route.name if route else "", "", signals.data_class, outcome))
