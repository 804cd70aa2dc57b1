"""Shared memory where each worker shows its counters and whether it is ready, so that any of them can answer for all.

A slot is written by one worker and read by everyone: a version that is odd while a write is going on, a length, and
msgpack. A reader that meets a write takes another look. A worker that is started again goes on from its slot.

One further place holds what the control plane tells the workers. In front of all stand whole numbers of 64 bits, each
written at once: the configuration that should serve, and of each worker the one it serves, how it stands, and when it
was last seen.
"""

from __future__ import annotations

import mmap
import struct
import time

from twintrack.server.readiness import Standing, State

_HEADER = struct.Struct("<QI")
_SLOT_BYTES = 4_194_304
"""Of address space: memory is taken for what is written. Some 200 deployments and 50 routes take 0.2 MB."""
_LOOKS = 50
_NUMBERS = 2
MOST_BYTES = _SLOT_BYTES - _HEADER.size
"""Of what a process may show."""


class Board:
    def __init__(self, workers: int, others: int = 0) -> None:
        """Made before workers are forked: anonymous memory is shared with children.

        `others`: processes that show counters and are no workers; their slots are the last.
        """
        self.slots = slots = workers + others
        self.started_ns = time.time_ns()
        """Since when what lies here was counted."""
        self._map = mmap.mmap(-1, (slots + 1) * _SLOT_BYTES)
        self._numbers = memoryview(mmap.mmap(-1, 8 * (1 + _NUMBERS * workers))).cast("Q")

    def want(self, generation: int) -> None:
        """The supervisor's: from now on this configuration should serve everywhere."""
        self._numbers[0] = generation

    @property
    def wanted(self) -> int:
        """Generation of the configuration that should serve; 0: nobody said."""
        return self._numbers[0]

    def report(self, slot: int, generation: int, state: State, now: float) -> None:
        """A worker's word on itself; `now`: seconds on the machine's monotonic clock."""
        at = 1 + _NUMBERS * slot
        self._numbers[at + 1] = int(now * 1000)
        self._numbers[at] = generation << 8 | state

    def forget(self, slot: int) -> None:
        """Its worker is gone."""
        self._numbers[1 + _NUMBERS * slot] = 0

    def standings(self) -> list[Standing]:
        """Of all workers, by slot."""
        found = []
        for at in range(1, len(self._numbers), _NUMBERS):
            number = self._numbers[at]
            found.append(Standing(number >> 8, State(number & 0xFF), self._numbers[at + 1] / 1000))
        return found

    def write(self, slot: int, payload: bytes) -> None:
        """`payload`: at most `MOST_BYTES`."""
        assert len(payload) <= MOST_BYTES
        at = slot * _SLOT_BYTES
        version = _HEADER.unpack_from(self._map, at)[0] | 1
        _HEADER.pack_into(self._map, at, version, 0)
        start = at + _HEADER.size
        self._map[start : start + len(payload)] = payload
        _HEADER.pack_into(self._map, at, version + 1, len(payload))

    def tell(self, payload: bytes) -> None:
        """The control plane's: what all workers shall know. At most `MOST_BYTES`."""
        self.write(self.slots, payload)

    def told(self) -> bytes:
        """What was told last; empty if nothing was yet."""
        return self.read(self.slots)

    def read(self, slot: int) -> bytes:
        """The slot's payload; empty if nothing was written yet."""
        at = slot * _SLOT_BYTES
        start = at + _HEADER.size
        for _ in range(_LOOKS):
            version, length = _HEADER.unpack_from(self._map, at)
            payload = self._map[start : start + length]
            if version % 2 == 0 and _HEADER.unpack_from(self._map, at)[0] == version:
                return payload
        return b""
