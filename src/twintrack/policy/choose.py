"""Who answers: the cheapest tier with a deployment that is allowed, able, ready and good enough.

    hard objections    from privacy rules, the request and the moment; nothing overrides them
    good enough        p_good at least `keep_quality` of the best of the dearest tier that is allowed
    cheapest           tiers are ordered by the operator; inside one, conversations stick to a deployment

`decide` is pure: the same arguments give the same decision in every process.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias
from zlib import crc32

import msgspec

from twintrack.config.snapshot import Route
from twintrack.policy.admitted import Admitted
from twintrack.policy.affinity import weight
from twintrack.policy.checks import (
    Candidate,
    Lately,
    lasting_objection,
    modality_bits,
    passing_objection,
    predicted_nusd,
)
from twintrack.policy.compiled import Policy, for_endpoint
from twintrack.policy.explain import BELOW_QUALITY, GOOD_ENOUGH, NAMED, ONLY_ONE, STAKES, TOP_TIER
from twintrack.policy.objections import BUSY, CONTEXT, RuledOut
from twintrack.policy.refusal import KeyMayNot as KeyMayNot
from twintrack.policy.refusal import NobodyMay as NobodyMay
from twintrack.policy.refusal import NobodyReady as NobodyReady
from twintrack.policy.refusal import TooLongForAll as TooLongForAll
from twintrack.policy.refusal import refusal
from twintrack.signals.signals import Signals

Load: TypeAlias = Sequence[Lately]
"""By deployment index."""

_TEXT_ONLY = modality_bits(("text",))
_DEARER, _CHEAPER, _LAST = 0, 1_000, 2_000
"""Groups of the order, with the distance in tiers added."""


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
    """Probability of this choice under this policy; 1, as nothing is random."""
    reason: str
    """A code for `explain.reason_sentence`."""
    baseline: int
    """Who would have answered without routing."""
    allowed: frozenset[int]
    """The privacy set of the request's class: every later hop draws from it."""
    measured: bool = False
    """Verdicts speak in `p_good`."""


def decide(policy: Policy, route: Route, signals: Signals, load: Load, *, key: int, affinity: bytes) -> Decision:
    """Choose for a request that names a route.

    Args:
        key: index of the caller's key, -1 where none is configured.
        affinity: what a conversation keeps: key and first user turn, shortened as the caller likes.
    Raises:
        NobodyMay: 422, no deployment can ever answer this as it is.
        TooLongForAll: 400, a shorter prompt could be answered.
        NobodyReady: 503, those that could are busy, unhealthy or slow.
        KeyMayNot: 403, the key covers none of them.
    """
    lane = policy.lane(route, signals.data_class, signals.endpoint, key, signals.categories)
    ruled_out = list(lane.ruled_out)
    limit_nusd = _limit_nusd(route.max_nusd_per_request, signals.max_cost_nusd)
    deadline_ms = -1 if signals.deadline_ms is None else signals.deadline_ms
    modalities = signals.modalities
    bits = _TEXT_ONLY if modalities == ("text",) else modality_bits(modalities)
    p_good = policy.judge.p_good
    key_matters = key >= 0 and policy.key_objection(key, -1, route.index) is not None
    # Most requests suit even the least able of the candidates; then there is no need to look at each.
    worst = lane.worst
    all_able = worst is not None and lasting_objection(worst, signals, bits, limit_nusd) is None

    ready: list[tuple[float, Candidate]] = []
    last_tier = -1
    best_of_last = 0.0
    for candidate in lane.candidates:
        objection = policy.key_objection(key, candidate.index) if key_matters else None
        if objection is None and not all_able:
            objection = lasting_objection(candidate, signals, bits, limit_nusd)
        if objection is None:
            p = p_good(candidate.deployment, signals)
            # A busy last tier still says what quality is to be kept.
            if candidate.last_tier > last_tier:
                last_tier, best_of_last = candidate.last_tier, p
            elif candidate.last_tier == last_tier and p > best_of_last:
                best_of_last = p
            objection = passing_objection(candidate, load[candidate.index], route.max_ttft_ms, deadline_ms)
            if objection is None:
                ready.append((p, candidate))
                continue
        ruled_out.append((candidate.index, *objection))
    if not ready:
        raise refusal(policy, tuple(ruled_out), signals, lane.view, route, key)

    conversation = crc32(affinity)
    floor = route.keep_quality * best_of_last
    if len(ready) == 1:
        reason = ONLY_ONE if ready[0][0] >= floor else BELOW_QUALITY
        order = ready
    elif signals.stakes_high:
        reason = STAKES
        order = _best_first(ready, signals, conversation)
    else:
        reason, order = _cheapest_first(ready, floor, last_tier, conversation)
    p, chosen = order[0]
    return Decision(
        chosen.index,
        chosen.tier,
        tuple([candidate.admitted for _, candidate in order]),
        tuple(ruled_out),
        p,
        predicted_nusd(chosen, signals),
        1.0,
        reason,
        route.baseline,
        lane.view.allowed,
        policy.judge.measured(chosen.deployment, signals),
    )


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


def _best_first(
    ready: list[tuple[float, Candidate]], signals: Signals, conversation: int
) -> list[tuple[float, Candidate]]:
    """By p_good; equals by cost, an unknown one last, and then by affinity."""

    def rank(entry: tuple[float, Candidate]) -> tuple[float, bool, int, int]:
        p, candidate = entry
        cost = 0 if candidate.per_hour else predicted_nusd(candidate, signals)
        return (-p, cost is None, cost or 0, -weight(conversation, candidate.seed))

    return sorted(ready, key=rank)


def _cheapest_first(
    ready: list[tuple[float, Candidate]], floor: float, last_tier: int, conversation: int
) -> tuple[str, list[tuple[float, Candidate]]]:
    """The reason, and `ready` in the order of `Decision.order`; `floor` is the least p_good that is good enough."""
    suitable_tiers = [candidate.tier for p, candidate in ready if p >= floor]
    if suitable_tiers:
        tier = min(suitable_tiers)
        reason = TOP_TIER if tier == last_tier else GOOD_ENOUGH
    else:
        # Under a fitted router the dearest need not be the best.
        _, tier = max([(p, candidate.tier) for p, candidate in ready])
        reason = BELOW_QUALITY
    ranked = []
    for p, candidate in ready:
        away = candidate.tier - tier
        if p >= floor:
            group = _DEARER + away if away >= 0 else _CHEAPER - away
        elif away >= 0:
            group = _LAST + away
        else:
            continue
        # Affinity chooses; among the rest of a tier a known cost goes before an unknown one.
        unknown = group > 0 and candidate.price is None and not candidate.per_hour
        ranked.append((group, unknown, -weight(conversation, candidate.seed), candidate.index, p, candidate))
    ranked.sort()
    return reason, [(entry[4], entry[5]) for entry in ranked]
