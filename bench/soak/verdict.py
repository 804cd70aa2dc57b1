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
"""Two stretches of equal traffic differ by less than this."""
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
    figures = {"answered": f"{found.rescued} of {trials} ({share:.3%})", "not": said, "its own fault": found.starved}
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
        before, after = (each / 1024 for each in growth.anonymous_kb)
        resident = " to ".join(f"{each / 1024:.1f}" for each in growth.rss_kb)
        figures[name] = f"{before:.1f} to {after:.1f} MB ({growth.share:+.2%}), with mapped files {resident}"
        if growth.share >= _MOST_GROWTH:
            complaints.append(f"{name} grew by {growth.share:.2%}")
    return Property("memory is flat over the last half", (not complaints) if known else None, figures, complaints)


def recovery(heard: list[Heard], asks: dict[int, Ask], phases: list[Phase]) -> Property:
    """The p95 of the ten seconds that begin ten seconds after the last fault, against the rest of the same calm.

    Neighbours on the same machine come and go, so what lies side by side is compared, and the median over all calms.
    """
    normal = [each for each in heard if not asks[each.number].leave and not asks[each.number].slow]
    quiet = _p95(normal, phases[0].begins_s, phases[0].ends_s)
    soon, later, ratios = [], [], []
    for phase in phases[1:]:
        at = phase.begins_s + _RECOVERY_S
        if phase.faults or phase.ends_s < at + 1.5 * _WINDOW_S:
            continue
        first, rest = _p95(normal, at, at + _WINDOW_S), _p95(normal, at + _WINDOW_S, phase.ends_s)
        if first is not None and rest is not None:
            soon.append(round(first, 1))
            later.append(round(rest, 1))
            ratios.append(first / rest)
    if not ratios:
        return Property("p95 is normal within 10 s of the last fault", None, {"quiet p95 ms": quiet})
    median = statistics.median(ratios)
    figures = {
        "p95 ms of the quiet beginning": quiet and round(quiet, 1),
        "10 to 20 s after the last fault": soon,
        "in the rest of the same calm": later,
        "median ratio": round(median, 3),
    }
    wrong = [f"the median ratio is {median:.2f}"] if median > _NOISE else []
    return Property("p95 is normal within 10 s of the last fault", not wrong, figures, wrong)


def _p95(heard: list[Heard], begins_s: float, ends_s: float) -> float | None:
    """In milliseconds, of what was answered; None for too few."""
    took = [each.total_ms for each in heard if begins_s <= each.sent_s < ends_s and each.ended == "ok"]
    return percentile(took, 0.95) if len(took) >= _LEAST_IN_WINDOW else None
