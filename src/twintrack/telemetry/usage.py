"""Counts what finished attempts used and cost, from the groups in which the ledger sums them."""

from __future__ import annotations

from collections.abc import Mapping

from twintrack.config.snapshot import Snapshot
from twintrack.ledger.rollup import NO_ANSWER
from twintrack.ledger.watcher import Group
from twintrack.telemetry.buckets import TOKENS, US, add_all, empty
from twintrack.telemetry.conventions import Upstream, error_type, forgotten, operation, upstream
from twintrack.telemetry.counters import Counters, Money, Use, UseKind, no_use

Upstreams = dict[str, Upstream]
"""By deployment."""
_LONGEST_GAP_US = 10_000_000
"""A longer silence of the control plane counts as down, as in the ledger."""


def upstreams(snapshot: Snapshot) -> Upstreams:
    return {each.name: upstream(each) for each in snapshot.deployments}


def count(counters: Counters, group: Group, known: Mapping[str, Upstream]) -> None:
    """Add attempts that were the same kind of request and ended the same way."""
    deployment, basis, ending = group.deployment, group.basis, group.ending
    names = known.get(deployment.name) or forgotten(deployment)
    simulated = deployment.simulated
    kind: UseKind = (deployment.name, operation(basis.endpoint), names.provider, names.model, simulated)
    use = counters.uses.get(kind)
    if use is None:
        use = counters.uses[kind] = no_use()
    columns = tuple(zip(*group.rows, strict=True))
    error = error_type(ending.outcome, ending.status)
    durations = use.durations_us.get(error)
    if durations is None:
        durations = use.durations_us[error] = empty()
    add_all(durations, US, columns[17])
    add_all(use.first_chunk_us, US, columns[16])  # only streams have one
    add_all(use.input_tokens, TOKENS, columns[18])
    add_all(use.output_tokens, TOKENS, columns[19])
    use.cache_read_tokens += sum(filter(None, columns[20]))
    use.cache_write_tokens += sum(filter(None, columns[21]))
    use.reasoning_tokens += sum(filter(None, columns[22]))
    costs: tuple[int | None, ...] = columns[23]
    if ending.state == "released":
        costs = tuple([0 if cost is None else cost for cost in costs])
    hourly = deployment.per_hour_nusd > 0
    if not hourly:  # else its hours are counted, whoever used them
        _spend(use, columns[2], costs)
    if basis.route is not None:
        baselines = columns[24] if basis.baseline_counts else (None,) * len(costs)
        if ending.outcome in NO_ANSWER:
            baselines = tuple([baseline or 0 for baseline in baselines])
        money = counters.money.get((basis.route, simulated))
        if money is None:
            money = counters.money[basis.route, simulated] = Money()
        _compare(money, costs, baselines, hourly=hourly)


def _spend(use: Use, attempts: tuple[int, ...], costs: tuple[int | None, ...]) -> None:
    for attempt, cost in zip(attempts, costs, strict=True):
        if cost is None:
            use.unpriced += 1
        else:
            purpose = "answer" if attempt == 0 else "retry"
            use.cost_nusd[purpose] = use.cost_nusd.get(purpose, 0) + cost


def _compare(money: Money, costs: tuple[int | None, ...], baselines: tuple[int | None, ...], *, hourly: bool) -> None:
    for cost, baseline in zip(costs, baselines, strict=True):
        if baseline is None:
            continue
        if hourly:
            money.hourly_baseline_nusd += baseline
        elif cost is not None:
            money.cost_nusd += cost
            money.baseline_nusd += baseline


def count_engines(counters: Counters, snapshot: Snapshot, since_us: int, until_us: int) -> None:
    """Add the hours of engines between two moments at which the gateway was seen to be up."""
    if not 0 < until_us - since_us <= _LONGEST_GAP_US:
        return
    for each in snapshot.deployments:
        if each.per_hour_nusd > 0:
            key = (each.name, each.simulated)
            spent = each.per_hour_nusd * (until_us - since_us) // 3_600_000_000
            counters.engines_nusd[key] = counters.engines_nusd.get(key, 0) + spent
