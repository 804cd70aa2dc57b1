"""Holds a route to its promise: how much quality one request may lose so that over all of them `keep_quality` remains.

To ask each request alone to keep 98 % is to keep 99.5 % over the route, and to pay for it. So the floor of a request
moves: a request of ordinary size may lose `allowance`, one with more money at stake more and one with less less, since
a loss should buy as much as it can. The allowance is a dual variable, moved by each request's surplus over the promise
(an integral controller; Neely 2010 calls its state a virtual queue).

Predictions may be wrong, so the surplus is an account that is kept in predictions and corrected by verdicts: how far
they lay above or below what was predicted, by deployment. What was given away by mistake is paid back once verdicts
show it. While they are few the account is taken `DOUBT` standard deviations lower, so that little of the slack is spent
until they come in. `tools/simulate_promise.py` chose the constants.

Pure: no clock, no I/O. Of a request it takes about a microsecond.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt
from typing import NamedTuple

STEP = 0.01
"""By how much the allowance follows one request's surplus. About a hundred requests move it halfway."""
WINDOW = 20_000
"""Requests over which the promise is kept; older ones fade."""
REPAY = 3_000
"""Requests over which a debt or a surplus is evened out."""
MOST_REPAID = 0.02
"""Of quality a request, in either direction."""
DOUBT = 1.6
"""Standard deviations that the account is taken lower for what verdicts leave open."""
PRIOR_VERDICTS = 50
"""How many verdicts the predictor's own word is worth; a bias of some 0.05 surprises nobody."""
_VARIANCE, _VARIANCE_VERDICTS = 0.12, 20.0
"""Of a verdict around its probability, before there are any."""
_LEAST_VARIANCE = 0.01
_STRICTEST = -0.15
"""Allowance below nothing: the predictions flatter the cheap ones so much that they must promise more."""
_SMALLEST, _LARGEST = 0.25, 4.0
"""Bounds on how much a request's size counts: no single one pays for all."""
MOST_LOST = 0.3
"""Share of the best quality: no request loses more, however much it saves and however well the route stands."""
_USUAL_REQUESTS = 2_000
CHECKED = ""
"""Stands among the names of deployments for the drafts that a route's checks let through."""
_RECKON_EVERY = 50


class Verdicts(NamedTuple):
    """Of one deployment's answers on a route: how they compare with the probability that was predicted."""

    number: float
    surplus: float
    """Sum of score − predicted."""
    squares: float
    """Sum of its squares."""


class Controller:
    """Of one route."""

    __slots__ = (
        "_best",
        "_least",
        "_net",
        "_predicted",
        "_rate",
        "_requests",
        "_variance",
        "allowance",
        "checked",
        "keep",
        "shifts",
        "trusted",
        "usual",
    )  # fmt: skip

    def __init__(self, keep: float, trusted: Sequence[bool]) -> None:
        """
        Args:
            keep: share of the last tier's quality.
            trusted: by deployment, whether its predictions rest on verdicts.
        """
        deployments = len(trusted) + 1
        self.checked = len(trusted)
        """Place of the drafts that checks let through, whoever gave them, behind those of the deployments."""
        self.keep = keep
        self.trusted = trusted
        self.allowance = 1.0 - keep
        """Share of the best quality that a request of ordinary size may lose."""
        self.shifts: Sequence[float] = [0.0] * deployments
        """By deployment: what verdicts add to its predictions."""
        self.usual = 0.0
        """Mean cost of a request at the best deployment, any unit."""
        self._least = 1.0 - keep
        """The allowance is no lower."""
        self._variance: Sequence[float] = [_VARIANCE / PRIOR_VERDICTS] * deployments
        """Of each shift."""
        self._predicted = 0.0
        """Sum of chosen − keep × best, as predicted."""
        self._best = 0.0
        """Sum of the best's, shifted."""
        self._net = [0.0] * deployments
        """How often each was chosen, less keep × how often it was the best: what its shift counts in the account."""
        self._rate = 0.0
        """Surplus that each request shall make until the account is even."""
        self._requests = 0

    def floor(self, best: float, cost: float) -> float:
        """What is good enough.

        Args:
            best: probability of a good answer by the best of the last tier, shifted.
            cost: of this request there, in the unit of `chose`; 0: unknown.
        """
        allowance = self.allowance
        if cost > 0.0 and allowance > 0.0:
            size = cost / self.usual if self.usual else 1.0
            allowance *= _SMALLEST if size < _SMALLEST else _LARGEST if size > _LARGEST else size
        return best * (1.0 - (allowance if allowance < MOST_LOST else MOST_LOST))

    def chose(self, chosen: int, p: float, best: int, p_best: float, cost: float = 0.0) -> None:
        """A request was decided.

        Args:
            chosen, best: deployments; `best` is the best of the last tier.
            p, p_best: their probabilities as predicted, not shifted.
            cost: of this request at the best one, any unit; 0: unknown.
        """
        keep, shifts = self.keep, self.shifts
        reference = p_best + shifts[best]
        if p + shifts[chosen] > reference:
            # To be better than the best is no credit: whoever is chosen for looking good looks better than it is.
            p = reference - shifts[chosen]
        surplus = p + shifts[chosen] - keep * reference
        allowance = self.allowance + STEP * (surplus - self._rate)
        self.allowance = self._least if allowance < self._least else 1.0 if allowance > 1.0 else allowance
        self._predicted += p - keep * p_best
        self._best += reference
        net = self._net
        net[chosen] += 1.0
        net[best] -= keep
        self._requests += 1
        if cost > 0.0:
            self.usual += (cost - self.usual) / min(self._requests, _USUAL_REQUESTS)
        if self._requests % _RECKON_EVERY == 0:
            fade = 1.0 - _RECKON_EVERY / WINDOW
            self._predicted *= fade
            self._best *= fade
            self._net = [each * fade for each in net]
            self._reckon()

    def instead(self, chosen: int, p: float, p_now: float) -> None:
        """Of a request whose choice is in the account somebody else gave the answer, and it was looked at.

        Args:
            chosen, p: as `chose` was told.
            p_now: probability that the answer is good; it rests on verdicts, and no shift is added.
        """
        # To be better than what was chosen is no credit here either.
        p_now = min(p_now, p + self.shifts[chosen])
        self._changed(chosen, p_now - (p + self.shifts[chosen]), p_now - p)

    def let_through(self, chosen: int, p: float, p_best: float) -> None:
        """Likewise, but a check alone let it through, which rests on no verdict. It is taken to be as good as the best,
        until verdicts on such drafts say by how much it is not.

        Args:
            p_best: as `chose` was told.
        """
        change = p_best + self.shifts[self.checked] - p - self.shifts[chosen]
        if change > 0.0:
            return  # no credit
        self._changed(chosen, change, p_best - p)
        self._net[self.checked] += 1.0

    def _changed(self, chosen: int, change: float, predicted: float) -> None:
        """The account had `chosen`: what the answer is better than that by, with the shifts and without."""
        allowance = self.allowance + STEP * change
        self.allowance = self._least if allowance < self._least else 1.0 if allowance > 1.0 else allowance
        self._predicted += predicted
        self._net[chosen] -= 1.0

    def learn(self, verdicts: Mapping[int, Verdicts]) -> None:
        """Verdicts by deployment, all that count: they take the place of those of before."""
        count = sum(each.number for each in verdicts.values())
        squares = sum(each.squares for each in verdicts.values())
        variance = (squares + _VARIANCE * _VARIANCE_VERDICTS) / (count + _VARIANCE_VERDICTS)
        variance = max(variance, _LEAST_VARIANCE)
        nothing = Verdicts(0.0, 0.0, 0.0)
        found = [verdicts.get(place, nothing) for place in range(len(self._net))]
        self.shifts = [each.surplus / (each.number + PRIOR_VERDICTS) for each in found]
        self._variance = [variance / (each.number + PRIOR_VERDICTS) for each in found]
        self._reckon()

    def account(self) -> tuple[float, float, float]:
        """Surplus over the promise within the window, in good answers, its standard deviation, and how many good
        answers the best would have given."""
        surplus = self._predicted + sum(map(_times, self.shifts, self._net))
        sd = sqrt(sum(each * net * net for each, net in zip(self._variance, self._net, strict=True)))
        return surplus, sd, self._best

    def _reckon(self) -> None:
        surplus, sd, _ = self.account()
        # Doubt withholds what could be given away; to ask for more than the promise takes a debt.
        self._least = _STRICTEST if surplus < 0.0 else 1.0 - self.keep
        rate = (DOUBT * sd - surplus) / REPAY
        self._rate = -MOST_REPAID if rate < -MOST_REPAID else MOST_REPAID if rate > MOST_REPAID else rate


def _times(a: float, b: float) -> float:
    return a * b
