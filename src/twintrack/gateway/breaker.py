"""When a deployment is passed over: a circuit breaker, one for each deployment and worker.

    closed      requests go; three failures in a row open it
    open        nobody is sent, for a second, then twice as long after each probe that fails
    half open   the next request goes as a probe, alone; how it ends closes the breaker or opens it again

A provider that says when it wants to be asked again opens it at once, until then. Clients that name a deployment pass
by the breaker, so what becomes of their requests counts as well. (Nygard, Release It!, 2018, chapter 5.)
"""

from __future__ import annotations

FAILURES_TO_OPEN = 3
_SHORTEST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 30.0
_LONGEST_WISH_S = 300.0
"""The longest a provider's own word keeps requests away: some say a year, or what they read from a broken clock."""


class Breaker:
    __slots__ = ("_opened", "_probing", "failures", "half_open", "healthy", "until")

    def __init__(self) -> None:
        self.healthy = True
        """Requests may be sent."""
        self.failures = 0
        """In a row."""
        self.until = 0.0
        """When an open one lets a probe through, on the gateway's clock."""
        self._opened = 0
        """Times in a row, without a success between them."""
        self.half_open = False
        """The next request is the probe."""
        self._probing = False

    @property
    def open(self) -> bool:
        """Passed over, or waiting for what a probe finds."""
        return not self.healthy or self.half_open

    def dispatched(self) -> bool:
        """A request is sent; whether it is the probe, until whose end nobody else goes. Need not be called unless half
        open."""
        if not self.half_open:
            return False
        self.half_open = False
        self._probing = True
        self.healthy = False
        return True

    def alive(self) -> None:
        """It answered, if only that the client asked for nonsense."""
        self.failures = self._opened = 0
        self.half_open = self._probing = False
        self.healthy = True

    def failed(self, now: float, *, probe: bool = False) -> None:
        """Failures that were under way when it opened say nothing new: one outage, one pause."""
        self.failures += 1
        if probe or (self.healthy and (self.half_open or self.failures >= FAILURES_TO_OPEN)):
            self._open(now, min(_SHORTEST_PAUSE_S * 2.0 ** min(self._opened, 10), _LONGEST_PAUSE_S))

    def wished(self, now: float, wait_s: float) -> None:
        """The provider said how long it does not want to be asked."""
        self.failures += 1
        until = now + min(wait_s, _LONGEST_WISH_S)
        if until > self.until or self.healthy or self._probing:
            self._open(now, until - now)

    def undecided(self) -> None:
        """The probe ended without saying anything of the deployment, since its client left: the next one is it."""
        if self._probing:
            self._probing = False
            self.half_open = self.healthy = True

    def tick(self, now: float) -> None:
        if not self.healthy and not self._probing and now >= self.until:
            self.half_open = self.healthy = True

    def _open(self, now: float, pause_s: float) -> None:
        self._opened += 1
        self.half_open = self._probing = False
        self.healthy = False
        self.until = now + pause_s
