"""How long a request's reading may take: by the clock in one turn of the loop, by the processor in all of them."""

from __future__ import annotations

import time

SLICE_NS = 500_000


class Slices:
    """Of one request. What its first slice takes of the processor is not worth asking the system for."""

    __slots__ = ("_cpu_began_ns", "_cpu_ns", "_later", "_most_cpu_ns")

    def __init__(self, most_s: float) -> None:
        """`most_s`: processor time that all slices behind the first may take."""
        self._later = False
        self._cpu_ns = 0
        self._cpu_began_ns = 0
        self._most_cpu_ns = int(most_s * 1e9)

    def begin(self) -> int:
        """When this slice is over, as `time.perf_counter_ns` counts."""
        if self._later:
            self._cpu_began_ns = time.thread_time_ns()
        return time.perf_counter_ns() + SLICE_NS

    def end(self) -> bool:
        """True: all of them together have taken too long."""
        if self._later:
            self._cpu_ns += time.thread_time_ns() - self._cpu_began_ns
        self._later = True
        return self._cpu_ns > self._most_cpu_ns
