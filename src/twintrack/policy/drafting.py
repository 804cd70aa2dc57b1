"""Whether a cheaper deployment drafts before the one that was chosen answers: the gateway checks the draft first.

Worth it is a draft that may be believed, in a time the request has, for less than it saves:

    cost of the drafts + (1 - p_pass) × cost of the answer  <  cost of the answer

Pure, and asked only for routes with a cascade. Drafts are admitted for the request's class like everybody else, stand
first in the decision's order, and are told apart by their number alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import msgspec

from twintrack.config.snapshot import Cascade, Route
from twintrack.policy.affinity import weight
from twintrack.policy.checks import Candidate, Lately, lasting_objection, modality_bits, passing_objection
from twintrack.policy.checks import predicted_nusd as predicted
from twintrack.policy.choose import Decision, Drafting
from twintrack.policy.compiled import Policy
from twintrack.policy.explain import DRAFT, GOOD_ENOUGH, TOP_TIER
from twintrack.policy.objections import (
    DRAFT_DEAR,
    DRAFT_POOR,
    DRAFT_SAME,
    DRAFT_SLOW,
    DRAFT_UNPRICED,
    DRAFT_UNVERIFIED,
    Objection,
)
from twintrack.signals.signals import Signals

Load: TypeAlias = Sequence[Lately]
_CHOSEN_FOR_QUALITY = frozenset((GOOD_ENOUGH, TOP_TIER))
"""For any other reason the dear one answers by itself: the stakes are high, or there is no choice."""
_AGREEING = 2


class Believed(Protocol):
    """How drafts of a route fared lately."""

    def p_pass(self, route: str, prior: float) -> float:
        """Probability that a draft is believed; `prior` is what it is taken to be before any was asked for."""
        ...


def with_drafts(
    policy: Policy,
    route: Route,
    signals: Signals,
    load: Load,
    decision: Decision,
    believed: Believed,
    *,
    key: int,
    unverified: bool = False,
    alike: bool = False,
    doubted: tuple[float, float] | None = None,
) -> Decision:
    """`decision`, with drafts in front if they are worth it, else with why not.

    Args:
        key: as `decide` was asked with.
        unverified: a verifier is to judge drafts, and there is none.
        alike: asked twice, a deployment says the same.
        doubted: how good those are that the checks let through, and how good one has to be, if that is more.
    """
    rules = route.cascade
    if rules is None or decision.tier <= 0 or decision.reason not in _CHOSEN_FOR_QUALITY:
        return decision
    drafts = _drafts(policy, route, rules, signals, load, decision.tier, decision.allowed, key, decision.conversation)
    if not drafts:
        return decision
    agree = True
    if alike and rules.repeat_temperature is None:
        drafts = list({each.index: each for each in drafts}.values())
        agree = "agreement" not in rules.check or _can_agree(drafts, rules)
    answering = load[decision.deployment]
    chances = [policy.judge.p_good(each.deployment, signals) for each in drafts]
    prior = chances[0] * (chances[1] if "agreement" in rules.check and agree else 1.0)
    p_pass = believed.p_pass(route.name, prior)
    objection = (
        ((DRAFT_UNVERIFIED, 0, 0) if unverified else None)
        or (None if agree else (DRAFT_SAME, 0, 0))
        or _doubtful(doubted)
        or _too_poor(chances, rules)
        or _too_slow(drafts, load, answering, route, signals)
        or _too_dear(drafts, p_pass, decision, route, signals)
    )
    if objection is not None:
        return msgspec.structs.replace(decision, ruled_out=(*decision.ruled_out, (drafts[0].index, *objection)))
    first = drafts[0]
    indexes = {each.index for each in drafts}
    rest = [each for each in decision.order if each.deployment.index not in indexes]
    return msgspec.structs.replace(
        decision,
        deployment=first.index,
        tier=first.tier,
        order=(*(each.admitted for each in drafts), *rest),
        p_good=chances[0],
        predicted_nusd=predicted(first, signals),
        reason=DRAFT,
        measured=policy.judge.measured(first.deployment, signals),
        drafting=Drafting(len(drafts), p_pass, decision.p_good, decision.predicted_nusd),
    )


def _drafts(
    policy: Policy,
    route: Route,
    rules: Cascade,
    signals: Signals,
    load: Load,
    below: int,
    allowed: frozenset[int],
    key: int,
    conversation: int,
) -> list[Candidate]:
    """Who would draft, in order; nobody if a draft could not be believed.

    Args:
        below: the tier that is good enough.
        allowed: the privacy set that the decision was drawn from.
    """
    bits = modality_bits(signals.modalities)
    deadline_ms = -1 if signals.deadline_ms is None else signals.deadline_ms
    able: dict[int, Candidate] = {}
    for each in policy.lane(route, signals.data_class, signals.endpoint, key, signals.categories).candidates:
        if (
            each.tier < below
            and each.index in allowed
            and policy.key_objection(key, each.index, route.index) is None
            and lasting_objection(each, signals, bits, -1) is None
            and passing_objection(each, load[each.index], -1, deadline_ms) is None
        ):
            able[each.index] = each
    agreeing = "agreement" in rules.check
    if rules.drafts:
        drafts = [able[index] for index in rules.drafts if index in able]
    else:
        cheapest = sorted(able.values(), key=lambda each: (each.tier, -weight(conversation, each.seed)))
        drafts = cheapest[: _AGREEING if agreeing else 1]
    return [] if agreeing and not _can_agree(drafts, rules) else drafts


def _can_agree(drafts: list[Candidate], rules: Cascade) -> bool:
    """Whether there are two whose agreement is believed."""
    if not rules.believe:
        return len(drafts) >= _AGREEING
    who = [each.index for each in drafts]
    return any(who.count(one) > (one == other) and other in who for one, other in rules.believe)


def _doubtful(doubted: tuple[float, float] | None) -> Objection | None:
    return None if doubted is None else (DRAFT_POOR, int(1000 * doubted[0]), int(1000 * doubted[1]))


def _too_poor(chances: list[float], rules: Cascade) -> Objection | None:
    if chances[0] >= rules.min_p_good:
        return None
    return (DRAFT_POOR, int(1000 * chances[0]), int(1000 * rules.min_p_good))


def _too_slow(
    drafts: list[Candidate], load: Load, answering: Lately, route: Route, signals: Signals
) -> Objection | None:
    """Should no draft be believed, the answer still has to be in time; what was never measured takes no time."""
    drafting_ms = sum(load[each.index].latency_ms for each in drafts)
    if signals.deadline_ms is not None and drafting_ms + answering.latency_ms > signals.deadline_ms:
        return (DRAFT_SLOW, signals.deadline_ms, drafting_ms + answering.latency_ms)
    if 0 <= route.max_ttft_ms < drafting_ms + answering.ttft_ms:
        return (DRAFT_SLOW, route.max_ttft_ms, drafting_ms + answering.ttft_ms)
    return None


def _too_dear(
    drafts: list[Candidate], p_pass: float, decision: Decision, route: Route, signals: Signals
) -> Objection | None:
    """An answer of unknown price saves an unknown amount, and one that is paid by the hour none."""
    answer_nusd = decision.predicted_nusd
    drafts_nusd = 0
    for each in drafts:
        cost = 0 if each.per_hour else predicted(each, signals)
        if cost is None:
            return (DRAFT_UNPRICED, 0, 0)
        drafts_nusd += cost
    if answer_nusd is None:
        return (DRAFT_UNPRICED, 1, 0)
    expected = drafts_nusd + round((1.0 - p_pass) * answer_nusd)
    if expected >= answer_nusd:
        return (DRAFT_DEAR, answer_nusd, expected)
    limits = [each for each in (route.max_nusd_per_request, signals.max_cost_nusd) if each is not None and each >= 0]
    if limits and drafts_nusd + answer_nusd > min(limits):
        return (DRAFT_DEAR, min(limits), drafts_nusd + answer_nusd)
    return None
