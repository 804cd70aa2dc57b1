"""The objections that depend on the request or on the moment, for one deployment."""

from __future__ import annotations

from typing import Protocol

import msgspec

from twintrack.catalog.cost import TokenPrice, cost_nusd
from twintrack.config.snapshot import Deployment
from twintrack.policy.admitted import Admitted
from twintrack.policy.objections import (
    BUSY,
    CONTEXT,
    COST,
    COST_UNKNOWN,
    LATENCY,
    MODALITIES,
    MODALITY,
    OUTPUT,
    TOOLS,
    TTFT,
    UNHEALTHY,
    Objection,
)
from twintrack.signals.signals import Signals

_BIT = {name: 1 << place for place, name in enumerate(MODALITIES)}
_OTHER = 1 << len(MODALITIES)


class Lately(Protocol):
    """What was measured of one deployment. Whoever measures lets old figures fade, or a slow spell lasts for ever:
    a deployment that is passed over is not measured again."""

    @property
    def in_flight(self) -> int: ...
    @property
    def healthy(self) -> bool: ...
    @property
    def ttft_ms(self) -> int:
        """Smoothed; 0: unknown."""
        ...

    @property
    def latency_ms(self) -> int:
        """Until the answer is complete, smoothed; 0: unknown."""
        ...


class Candidate(msgspec.Struct, frozen=True, gc=False):
    """A deployment on a route, admitted for a class, with what the request path compares already computed."""

    admitted: Admitted
    deployment: Deployment
    index: int
    seed: int
    """Of its place in rendezvous hashing."""
    modalities: int
    """Bits as `modality_bits` sets them."""
    tools: bool
    context_tokens: int
    max_output_tokens: int
    max_in_flight: int
    price: TokenPrice | None
    per_hour: bool
    tier: int = -1
    """The cheapest of the route's tiers it stands in; -1: named by the client."""
    last_tier: int = -1


def modality_bits(modalities: tuple[str, ...]) -> int:
    """One bit each; all that are no word of ours share one that no deployment has."""
    bits = 0
    for modality in modalities:
        bits |= _BIT.get(modality, _OTHER)
    return bits


def lasting_objection(candidate: Candidate, signals: Signals, bits: int, limit_nusd: int) -> Objection | None:
    """What the request itself has against `candidate`.

    Args:
        bits: of the request's modalities.
        limit_nusd: most the request may cost, -1 for no limit.
    """
    if bits & ~candidate.modalities:
        return (MODALITY, candidate.modalities, bits)
    if signals.tools and not candidate.tools:
        return (TOOLS, 0, 1)
    asked = signals.max_output_tokens
    window = candidate.context_tokens
    # What the client allows as output counts: providers refuse a request whose prompt and allowance pass the window.
    if 0 < window < signals.prompt_tokens_est + asked:
        return (CONTEXT, window, signals.prompt_tokens_est + asked)
    if 0 < candidate.max_output_tokens < asked:
        return (OUTPUT, candidate.max_output_tokens, asked)
    # A deployment charged by the hour costs nothing more for one more request.
    if limit_nusd >= 0 and not candidate.per_hour:
        predicted = predicted_nusd(candidate, signals)
        if predicted is None:
            return (COST_UNKNOWN, limit_nusd, 0)
        if predicted > limit_nusd:
            return (COST, limit_nusd, predicted)
    return None


def passing_objection(candidate: Candidate, lately: Lately, max_ttft_ms: int, deadline_ms: int) -> Objection | None:
    """What the moment has against `candidate`; limits of -1 are none, and what was never measured passes."""
    if not lately.healthy:
        return (UNHEALTHY, 0, 1)
    if lately.in_flight >= candidate.max_in_flight:
        return (BUSY, lately.in_flight, candidate.max_in_flight)
    if 0 <= max_ttft_ms < lately.ttft_ms:
        return (TTFT, max_ttft_ms, lately.ttft_ms)
    if 0 <= deadline_ms < lately.latency_ms:
        return (LATENCY, deadline_ms, lately.latency_ms)
    return None


def predicted_nusd(candidate: Candidate, signals: Signals) -> int | None:
    """Cost of the request by the token, at the estimated numbers of tokens; None: unknown, or charged by the hour."""
    price = candidate.price
    if price is None:
        return None
    return cost_nusd(price, signals.prompt_tokens_est, signals.output_tokens_est)
