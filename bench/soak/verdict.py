"""Each property of the run, whether it held, and by which figures."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from soak.books import Findings
from soak.clients import Heard
from soak.plan import Ask, Phase, Plan
from soak.watch import Watch

_RECOVERY_S = 10.0
_WINDOW_S = 10.0
_LEAST_IN_WINDOW = 30
_NOISE = 1.25
"""Windows of the quiet phase differ among themselves; beyond their worst by this much is no longer normal."""
_MOST_GROWTH = 0.05
_SHOWN = 5


class Property(NamedTuple):
    name: str
    held: bool | None
    """None: this run was too short to tell."""
    figures: dict[str, Any]
    complaints: Sequence[str] = ()

    def line(self) -> str:
        word = {True: "held", False: "FAILED", None: "not measured"}[self.held]
        figures = ", ".join(f"{name} {value}" for name, value in self.figures.items())
        rest = "".join(f"\n      {each}" for each in self.complaints[:_SHOWN])
        return f"  {word:<13} {self.name}: {figures}{rest}"


def bound(trials: int) -> str:
    """What no failure in so many trials says, with 95 % confidence (the rule of three)."""
    return f"none in {trials}, so at most {3 / trials:.1e} with 95 % confidence" if trials else "no trials"


def percentile(values: Sequence[float], share: float) -> float:
    """NaN for nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def traffic(heard: list[Heard], asks: dict[int, Ask], plan: Plan, harmed: int, odd: int) -> Property:
    """The run was what it should be. `harmed`: requests for which at least one answer was spoilt; `odd`: unusual."""
    left = sum(bool(asks[each.number].leave) for each in heard)
    figures = {
        "requests": len(heard),
        "with a fault": f"{harmed} ({harmed / len(heard):.1%})",
        "with an odd answer": f"{odd} ({odd / len(heard):.1%})",
        "clients that left": f"{left} ({left / len(heard):.1%})",
        "ends": dict(Counter(each.ended for each in heard).most_common()),
        "endpoints": dict(Counter(asks[each.number].endpoint for each in heard).most_common()),
        "streamed": sum(asks[each.number].stream for each in heard),
    }
    long = plan.minutes >= 5
    enough = not long or (harmed >= 0.3 * len(heard) and left >= 0.095 * len(heard))
    return Property("mixed traffic", enough, figures)


def answers(heard: list[Heard]) -> list[Property]:
    """Nobody is lied to, nobody is left waiting, nobody is dropped."""
    found = []
    for ended, name in (
        ("lied", "no answer is another's, cut short or malformed"),
        ("hung", "no client waits without end"),
        ("dropped", "no connection ends without a word"),
    ):
        bad = [
            f"{each.number} at {each.sent_s:.1f} s: {each.status} {each.note}" for each in heard if each.ended == ended
        ]
        figures = {"bad": len(bad)} if bad else {"bad": bound(len(heard))}
        found.append(Property(name, not bad, figures, bad))
    return found


def bookkeeping(found: Findings) -> list[Property]:
    rows: dict[str, Any] = {"rows": found.rows, "received by providers": found.dispatched, "never sent": found.unsent}
    rows |= {"left while being sent": found.unheard, "requests": found.requests, "states": found.states}
    agreed = sum(each.agreed for each in found.money.values())
    money: dict[str, Any] = {
        "rows agreed to the nano-dollar": agreed,
        "agreed": f"{sum(each.agreed_nusd for each in found.money.values())} n$",
        "billed beside them": f"{sum(each.unknown_billed_nusd for each in found.money.values())} n$",
    }
    return [
        Property("one row for each dispatch, one final state each", not found.recording,
                 rows | {"wrong": bound(found.rows) if not found.recording else len(found.recording)}, found.recording),
        Property("the ledger equals the invoices", not found.billing,
                 money | found.unknown | {"wrong": bound(agreed) if not found.billing else len(found.billing)},
                 found.billing),
        Property("clients heard what the ledger says", not found.hearing, {"requests": found.requests}, found.hearing),
    ]  # fmt: skip


def rescue(found: Findings) -> Property:
    trials = found.rescued + len(found.unrescued)
    if not trials:
        return Property("failover where a healthy alternative stands", None, {"trials": 0})
    share = found.rescued / trials
    said = bound(trials) if not found.unrescued else f"{len(found.unrescued)} of {trials}"
    figures = {"answered": f"{found.rescued} of {trials} ({share:.3%})", "not": said}
    return Property("failover where a healthy alternative stands", share >= 0.999, figures, found.unrescued)


def leftovers(before: dict[str, Any], after: dict[str, Any], metrics: dict[str, float]) -> Property:
    """`before`, `after`: by process its files, sockets and threads at rest."""
    complaints = [
        f"{name}: {what} {before[name][what]} before, {count} after"
        for name, held in after.items()
        for what, count in held.items()
        if name in before and count > before[name][what]
    ]
    complaints += [f"{name} is {value:g}, not {expected}" for name, expected in
                   (("twintrack_in_flight", 0), ("twintrack_connections", 1))
                   if (value := metrics.get(name, -1)) != expected]  # fmt: skip
    if before.keys() != after.keys():
        complaints.append(f"the processes were {sorted(before)}, and are {sorted(after)}")
    return Property("no stuck task or socket", not complaints, {"at rest": after} | metrics, complaints)


def memory(watch: Watch) -> Property:
    figures, complaints, known = {}, [], True
    for name in watch.samples:
        growth = watch.growth(name)
        if growth is None:
            known = False
            continue
        before, after = growth.rss_kb
        figures[name] = f"{before / 1024:.1f} to {after / 1024:.1f} MB ({growth.share:+.2%})"
        if growth.share >= _MOST_GROWTH:
            complaints.append(f"{name} grew by {growth.share:.2%}, without files {growth.anonymous_kb} kB")
    return Property("memory is flat over the last half", (not complaints) if known else None, figures, complaints)


def recovery(heard: list[Heard], asks: dict[int, Ask], phases: list[Phase]) -> Property:
    """The p95 of ten-second windows that begin ten seconds after the last fault, against windows of the quiet phase."""
    normal = [each for each in heard if not asks[each.number].leave and not asks[each.number].slow]
    quiet = _windows(normal, phases[0].begins_s + min(5.0, phases[0].ends_s / 2), phases[0].ends_s)
    calm = [_windows(normal, phase.begins_s + _RECOVERY_S, phase.ends_s) for phase in phases[1:] if phase.faults == 0]
    first = [window[0] for window in calm if window]
    if not quiet or not first:
        return Property("p95 is normal within 10 s of the last fault", None, {"calm phases": len(calm)})
    worst_quiet = max(p95 for p95, _ in quiet)
    figures = {
        "quiet p95 ms": [round(p95, 1) for p95, _ in quiet],
        "p95 ms from 10 s on": [[round(p95, 1) for p95, _ in window] for window in calm],
        "answered from 10 s on": f"{min(share for window in calm for _, share in window):.2%} at least",
    }
    median = statistics.median(p95 for p95, _ in first)
    wrong = [f"p95 is {median:.1f} ms, it was {worst_quiet:.1f} ms"] if median > worst_quiet * _NOISE else []
    return Property("p95 is normal within 10 s of the last fault", not wrong, figures, wrong)


def _windows(heard: list[Heard], begins_s: float, ends_s: float) -> list[tuple[float, float]]:
    """(p95 in ms, share answered) of each whole window."""
    found, at = [], begins_s
    while at < ends_s - 1.0:
        until = min(at + _WINDOW_S, ends_s)
        here = [each for each in heard if at <= each.sent_s < until]
        if len(here) >= _LEAST_IN_WINDOW:
            answered = [each.total_ms for each in here if each.ended == "ok"]
            found.append((percentile(answered, 0.95), len(answered) / len(here)))
        at = until
    return found
