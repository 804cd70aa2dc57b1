"""Who answers: the cheapest tier with a deployment that is allowed, able, ready and good enough.

    hard objections    from privacy rules, the request and the moment; nothing overrides them
    good enough        p_good at least `keep_quality` of the best of the dearest tier that is allowed, or what the
                       route's controller says is enough
    cheapest           tiers are ordered by the operator; inside one by cost, and conversations stick to a deployment

`decide` is pure: the same arguments give the same decision in every process. What is random is drawn outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeAlias

import msgspec

from twintrack.config.snapshot import Route
from twintrack.policy.admitted import Admitted
from twintrack.policy.affinity import conversation as conversation_of
from twintrack.policy.checks import (
    Lately,
    lasting_objection,
    modality_bits,
    passing_objection,
    predicted_nusd,
)
from twintrack.policy.compiled import Policy, for_endpoint
from twintrack.policy.explain import BELOW_QUALITY, EXPLORED, NAMED, ONLY_ONE, STAKES
from twintrack.policy.objections import BUSY, CONTEXT, RuledOut
from twintrack.policy.ranking import Ready, Warm, best_first, cheapest_first, expected_nusd
from twintrack.policy.refusal import KeyMayNot as KeyMayNot
from twintrack.policy.refusal import NobodyMay as NobodyMay
from twintrack.policy.refusal import NobodyReady as NobodyReady
from twintrack.policy.refusal import TooLongForAll as TooLongForAll
from twintrack.policy.refusal import refusal
from twintrack.signals.signals import Signals

Load: TypeAlias = Sequence[Lately]
"""By deployment index."""

_TEXT_ONLY = modality_bits(("text",))
_EXPLORED_CLASSES = frozenset(("public", "internal"))
_NOT_COMPARABLE = frozenset(("embeddings", "count_tokens"))
"""Vectors of two models have nothing in common, and a count is no answer."""
_NOT_EXPLORED = frozenset((ONLY_ONE, STAKES))
"""There is no choice, or it is not the route's to make."""


class Steer(Protocol):
    """What a route's controller says; see `controller.py`."""

    @property
    def shifts(self) -> Sequence[float]: ...
    @property
    def trusted(self) -> Sequence[bool]: ...
    def floor(self, best: float, cost: float) -> float: ...


class Reference(NamedTuple):
    """Whom a choice is measured against: the best of the last tier that is allowed."""

    deployment: int
    p_good: float
    nusd: int
    """What the request would cost there; 0: unknown, or charged by the hour."""


class Drafting(msgspec.Struct, frozen=True, gc=False):
    """That cheaper deployments answer first, and are checked (`drafting.py`)."""

    count: int
    """So many of the decision's order draft, from its start; who follows answers if none of them is believed."""
    p_pass: float
    """Probability that one is."""
    p_good: float | None
    """Of who answers otherwise, as the next; the decision's own are of the first draft."""
    predicted_nusd: int | None


class Decision(msgspec.Struct, frozen=True):
    deployment: int
    """The chosen one."""
    tier: int
    """-1: the client named the deployment."""
    order: tuple[Admitted, ...]
    """The chosen one and whom to ask if it fails: its tier, dearer tiers, cheaper ones that are good enough, and
    rather than an error those of its own and dearer tiers that are not."""
    ruled_out: tuple[RuledOut, ...]
    p_good: float | None
    """None: not predicted, since the client named the deployment."""
    predicted_nusd: int | None
    """None: unknown, or charged by the hour."""
    propensity: float
    """Probability of this choice under this policy; 1 where nothing is random."""
    reason: str
    """A code for `explain.reason_sentence`."""
    baseline: int
    """Who would have answered without routing."""
    allowed: frozenset[int]
    """The privacy set of the request's class: every later hop draws from it."""
    measured: bool = False
    """Verdicts speak in `p_good`."""
    reference: Reference | None = None
    """None: the choice was not the route's to make, or it has no controller."""
    conversation: int = 0
    """By which `affinity.py` knows it."""
    drafting: Drafting | None = None
    """None: who is chosen answers."""
    p_enough: float | None = None
    """The least p_good that was good enough, of who is chosen; None: not predicted, as the next."""
    p_best: float | None = None
    """Of the best of the last tier that may answer."""


def decide(
    policy: Policy,
    route: Route,
    signals: Signals,
    load: Load,
    *,
    key: int,
    affinity: bytes,
    steer: Steer | None = None,
    pressure: float = 0.0,
    warm: Warm | None = None,
    draw: float = 1.0,
) -> Decision:
    """Choose for a request that names a route.

    Args:
        key: index of the caller's key, -1 where none is configured.
        affinity: what a conversation keeps: key and first user turn, shortened as the caller likes.
        steer: the route's controller, where it has one.
        pressure: share of the quality to keep that a budget takes.
        warm: where the conversation was answered lately.
        draw: a random number from 0 to 1; below the route's `explore` the choice is random.
    Raises:
        NobodyMay: 422, no deployment can ever answer this as it is.
        TooLongForAll: 400, a shorter prompt could be answered.
        NobodyReady: 503, those that could are busy, unhealthy or slow.
        KeyMayNot: 403, the key covers none of them.
    """
    lane = policy.lane(route, signals.data_class, signals.endpoint, key, signals.categories)
    ruled_out = lane.ruled_out
    limit_nusd = _limit_nusd(route.max_nusd_per_request, signals.max_cost_nusd)
    max_ttft_ms = route.max_ttft_ms
    deadline_ms = -1 if signals.deadline_ms is None else signals.deadline_ms
    any_pace = max_ttft_ms < 0 and deadline_ms < 0
    modalities = signals.modalities
    bits = _TEXT_ONLY if modalities == ("text",) else modality_bits(modalities)
    judge = policy.judge
    p_good = judge.p_good
    key_matters = key >= 0 and policy.key_objection(key, -1, route.index) is not None
    # Most requests suit even the least able of the candidates; then there is no need to look at each.
    worst = lane.worst
    all_able = worst is not None and lasting_objection(worst, signals, bits, limit_nusd) is None

    if signals.reading is None:
        steer = None  # it steers what a fitted router said
    shifts = None if steer is None else steer.shifts
    ready: Ready = []
    said: dict[int, float] = {}
    """Of each, not shifted."""
    last_tier = -1
    best_of_last = 0.0
    best = None
    for candidate in lane.candidates:
        index = candidate.index
        objection = policy.key_objection(key, index) if key_matters else None
        if objection is None and not all_able:
            objection = lasting_objection(candidate, signals, bits, limit_nusd)
        if objection is None:
            p = p_good(candidate.deployment, signals)
            if shifts is not None:
                said[index] = p
                p += shifts[index]
            # A busy last tier still says what quality is to be kept.
            if candidate.last_tier > last_tier:
                last_tier, best_of_last, best = candidate.last_tier, p, candidate
            elif candidate.last_tier == last_tier and p > best_of_last:
                best_of_last, best = p, candidate
            lately = load[index]
            if any_pace and lately.healthy and lately.in_flight < candidate.max_in_flight:
                ready.append((p, candidate))
                continue
            objection = passing_objection(candidate, lately, max_ttft_ms, deadline_ms)
            if objection is None:
                ready.append((p, candidate))
                continue
        ruled_out += ((index, *objection),)
    if not ready:
        raise refusal(policy, ruled_out, signals, lane.view, route, key)

    conversation = conversation_of(affinity)
    floor = each_keeps = route.keep_quality * best_of_last
    reference = None
    lower = 1.0
    if steer is not None and best is not None and steer.trusted[best.index]:
        at_stake = expected_nusd(best, signals, warm) or 0
        floor = steer.floor(best_of_last, at_stake)
        reference = Reference(best.index, best_of_last - steer.shifts[best.index], at_stake)
        if floor < each_keeps and not all(steer.trusted):
            # Where no verdict speaks, a request keeps the promise by itself.
            lower = floor / each_keeps
            ready = [(p if steer.trusted[each.index] else p * lower, each) for p, each in ready]
    if pressure:
        floor *= 1.0 - pressure
    if len(ready) == 1:
        reason = ONLY_ONE if ready[0][0] >= floor else BELOW_QUALITY
        order = ready
    elif signals.stakes_high:
        reason = STAKES
        order = best_first(ready, signals, conversation)
    else:
        reason, order = cheapest_first(ready, floor, signals, last_tier, conversation, lane.tiers, warm)
    propensity = 1.0
    if route.explore and reason not in _NOT_EXPLORED and _may_explore(route, signals):
        reason, order, propensity = _explored(ready, order, reason, route.explore, draw)
    p, chosen = order[0]
    if reason in _NOT_EXPLORED or reason == BELOW_QUALITY:
        reference = None
    p_enough, p_best = floor, best_of_last
    if shifts is not None and steer is not None and best is not None:
        p = said[chosen.index]
        p_best -= shifts[best.index]
        p_enough = (floor if steer.trusted[chosen.index] else floor / lower) - shifts[chosen.index]
    return Decision(
        chosen.index,
        chosen.tier,
        tuple([candidate.admitted for _, candidate in order]),
        ruled_out,
        p,
        predicted_nusd(chosen, signals) if warm is None or chosen.per_hour else expected_nusd(chosen, signals, warm),
        propensity,
        reason,
        route.baseline,
        lane.view.allowed,
        judge.measured(chosen.deployment, signals),
        reference,
        conversation,
        None,
        p_enough,
        p_best,
    )


def _may_explore(route: Route, signals: Signals) -> bool:
    return signals.data_class in _EXPLORED_CLASSES and signals.endpoint not in _NOT_COMPARABLE and route.observe < 0


def _explored(ready: Ready, order: Ready, reason: str, share: float, draw: float) -> tuple[str, Ready, float]:
    """Reason, order and propensity where a share of the choices is made at random, each of `ready` as likely as any."""
    each = share / len(ready)
    if draw >= share:
        return reason, order, 1.0 - share + each
    found = ready[min(int(draw / each), len(ready) - 1)]
    if found[1].index == order[0][1].index:
        return reason, order, 1.0 - share + each
    return EXPLORED, [found, *(entry for entry in order if entry[1].index != found[1].index)], each


def decide_named(policy: Policy, deployment: int, signals: Signals, load: Load, *, key: int) -> Decision:
    """Check a request that names its deployment.

    Lasting objections hold, privacy above all, and so does what it may be asked at once. Health and speed do not: the
    client asked for this one, so it is tried. Nor does the window: the estimate is too rough to overrule a client that
    chose, and the provider counts exactly.

    Raises:
        NobodyMay: 422.
        NobodyReady: 503, it is busy.
        KeyMayNot: 403.
    """
    view = policy.view(signals.data_class, key=key, categories=signals.categories)
    found = for_endpoint(view.candidates[deployment], signals.endpoint)
    if isinstance(found, tuple):
        raise refusal(policy, ((deployment, *found),), signals, view, None, key)
    objection = policy.key_objection(key, deployment) or lasting_objection(
        found, signals, modality_bits(signals.modalities), _limit_nusd(-1, signals.max_cost_nusd)
    )
    if objection is not None and objection[0] != CONTEXT:
        raise refusal(policy, ((deployment, *objection),), signals, view, None, key)
    in_flight = load[deployment].in_flight
    if in_flight >= found.max_in_flight:
        raise refusal(policy, ((deployment, BUSY, in_flight, found.max_in_flight),), signals, view, None, key)
    return Decision(
        deployment,
        -1,
        (found.admitted,),
        (),
        None,
        predicted_nusd(found, signals),
        1.0,
        NAMED,
        deployment,
        view.allowed,
    )


def _limit_nusd(route: int, label: int | None) -> int:
    """The stricter of the two; -1 is none."""
    if label is None:
        return route
    return label if route < 0 else min(route, label)
