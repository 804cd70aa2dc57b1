"""In which order those that are ready are asked: the cheapest that is good enough first.

    tier        the operator's order, cheap to premium; the cheapest tier with one that is good enough
    cost        inside it what this request would cost, where prices differ: two providers of one open model compete
    affinity    at equal cost a conversation stays with the deployment its hash chooses, so its prompt cache is warm

Where a conversation's prompt lies in a provider's cache, its cost there counts as it will be billed. So it moves to
another deployment, of the same tier or a cheaper one, only if that is cheaper all the same.
"""

from __future__ import annotations

from typing import NamedTuple

from twintrack.catalog.cost import cost_nusd
from twintrack.policy.affinity import weight
from twintrack.policy.checks import Candidate, predicted_nusd
from twintrack.policy.explain import BELOW_QUALITY, GOOD_ENOUGH, STAYS, TOP_TIER
from twintrack.signals.signals import Signals

Ready = list[tuple[float, Candidate]]
"""Probability of a good answer, and who would give it."""

_DEARER, _CHEAPER, _LAST = 0, 1_000, 2_000
"""Groups of the order, with the distance in tiers added."""


class Tier(NamedTuple):
    """A tier as the candidates of one kind of request make it."""

    one_price: bool = True
    """All in it cost the same."""
    alone: bool = True
    """There is at most one, so no draw is needed: groups of the order are of one tier each."""


class Warm(NamedTuple):
    """Where a conversation was answered lately."""

    deployment: int
    tokens: int
    """Of its prompt and answer then: what that provider's cache may hold."""


def best_first(ready: Ready, signals: Signals, conversation: int) -> Ready:
    """By p_good; equals by cost, an unknown one last, and then by affinity."""

    def rank(entry: tuple[float, Candidate]) -> tuple[float, bool, int, int]:
        p, candidate = entry
        cost = 0 if candidate.per_hour else predicted_nusd(candidate, signals)
        return (-p, cost is None, cost or 0, -weight(conversation, candidate.seed))

    return sorted(ready, key=rank)


def cheapest_first(
    ready: Ready,
    floor: float,
    signals: Signals,
    last_tier: int,
    conversation: int,
    tiers: tuple[Tier, ...],
    warm: Warm | None,
) -> tuple[str, Ready]:
    """The reason, and `ready` in the order of `Decision.order`.

    Args:
        floor: the least probability that is good enough.
        last_tier: the dearest that may answer.
    """
    tier = -1
    for p, candidate in ready:
        if p >= floor and not 0 <= tier <= candidate.tier:
            tier = candidate.tier
    suitable = tier >= 0
    if suitable:
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
        unknown, cost, draw = False, 0, 0
        its = tiers[candidate.tier]
        if warm is not None or not its.one_price:
            known = expected_nusd(candidate, signals, warm)
            unknown, cost = known is None, known or 0
        if not its.alone:
            draw = -weight(conversation, candidate.seed)
        ranked.append((group, unknown, cost, draw, candidate.index, p, candidate))
    ranked.sort()
    if warm is not None and suitable:
        stays = _stays(ranked, warm)
        if stays:
            ranked.insert(0, ranked.pop(stays))
            reason = STAYS
    return reason, [(entry[5], entry[6]) for entry in ranked]


def _stays(ranked: list[tuple[int, bool, int, int, int, float, Candidate]], warm: Warm) -> int:
    """The place in `ranked` of whom the conversation stays with; 0: it goes to the first."""
    _, unknown, cost, *_ = ranked[0]
    for place, (group, its_unknown, its_cost, _, index, *_) in enumerate(ranked):
        if index == warm.deployment:
            return place if group < _LAST and not unknown and not its_unknown and its_cost <= cost else 0
    return 0


def expected_nusd(candidate: Candidate, signals: Signals, warm: Warm | None) -> int | None:
    """What the request would cost at `candidate`, its cache considered; by the hour: nothing more. None: unknown."""
    if candidate.per_hour:
        return 0
    price = candidate.price
    if price is None:
        return None
    prompt = signals.prompt_tokens_est
    cached = min(warm.tokens, prompt) if warm is not None and warm.deployment == candidate.index else 0
    return cost_nusd(price, prompt, signals.output_tokens_est, cached)
