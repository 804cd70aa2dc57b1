"""Wait for what will happen, not for a while: poll with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], within_s: float = 10.0, every_s: float = 0.01) -> T:
    """The first true value of `look`; an AssertionError with the last one after `within_s` seconds."""
    late = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > late:
            raise AssertionError(f"still {found!r} after {within_s:g} s")
        time.sleep(every_s)
