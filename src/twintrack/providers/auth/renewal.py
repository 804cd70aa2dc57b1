"""A value that expires, fetched in good time by a thread of its own."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from twintrack.errors import TwintrackError, Unavailable

T = TypeVar("T")

_LONGEST_SLEEP_S = 60.0
"""A machine may sleep and its clock be set: so the thread looks at the clock this often."""
_FIRST_RETRY_S = 1.0
_LAST_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class Fetched(Generic[T]):
    value: T
    renew_at: float
    """When to fetch again, on the clock given to `Renewal`."""
    expires_at: float
    """From when on the value is of no use; infinity: it stays."""


class Renewal(Generic[T]):
    def __init__(
        self,
        name: str,
        fetch: Callable[[], Fetched[T]],
        fix: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Starts nothing.

        Args:
            name: of what is fetched, as it stands in an error: "AWS credentials".
            fetch: may take long; raises TwintrackError with what is known of the reason.
            fix: what an operator can do if it fails.
            clock: seconds since 1970, since that is how expiry is said.
        """
        self._name = name
        self._fetch = fetch
        self._fix = fix
        self._clock = clock
        self._fetched: Fetched[T] | None = None
        self._trouble = ""
        self._tried = threading.Event()
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def current(self) -> T:
        """Raises Unavailable."""
        fetched = self._fetched
        if fetched is not None and self._clock() < fetched.expires_at:
            return fetched.value
        raise Unavailable(
            f"There are no {self._name}" if fetched is None else f"The {self._name} have expired",
            why=self._trouble or ("they are being fetched" if self._thread is not None else "nobody has fetched them"),
            fix=self._fix,
        )

    @property
    def trouble(self) -> str:
        return self._trouble

    def take_over(self, before: Renewal[T]) -> None:
        self._fetched = before._fetched

    def start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._run, name=f"renew {self._name}", daemon=True)
            self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        self._tried.wait(timeout_s)
        return self._fetched is not None

    def close(self) -> None:
        """A fetch under way is not waited for; what it brings is not used."""
        self._closed = True
        self._wake.set()

    def _run(self) -> None:
        retry_s = _FIRST_RETRY_S
        due = self._clock()
        while not self._closed:
            if self._clock() >= due:
                try:
                    fetched = self._fetch()
                except Exception as error:  # noqa: BLE001 - whatever a library raises, the thread goes on
                    self._trouble = str(error) if isinstance(error, TwintrackError) else type(error).__name__
                    print(f"twintrack: {self._name}: {self._trouble}"[:1000], file=sys.stderr)
                    due = self._clock() + retry_s
                    retry_s = min(retry_s * 2, _LAST_RETRY_S)
                else:
                    self._fetched = fetched
                    self._trouble = ""
                    due = max(fetched.renew_at, self._clock() + _FIRST_RETRY_S)
                    retry_s = _FIRST_RETRY_S
                self._tried.set()
            self._wake.wait(min(max(due - self._clock(), 0.0), _LONGEST_SLEEP_S))
