"""Shared memory where each worker shows its counters, so that any of them can answer for all.

A slot is written by one worker and read by everyone: a version that is odd while a write is going on, a length, and
msgpack. A reader that meets a write takes another look. A worker that is started again goes on from its slot.
"""

from __future__ import annotations

import mmap
import struct

_HEADER = struct.Struct("<QI")
_SLOT_BYTES = 131_072
_LOOKS = 50


class Board:
    def __init__(self, slots: int) -> None:
        """Made before workers are forked: anonymous memory is shared with children."""
        self.slots = slots
        self._map = mmap.mmap(-1, slots * _SLOT_BYTES)

    def write(self, slot: int, payload: bytes) -> None:
        """`payload` beyond the slot's size is left out: stale counters beat torn ones."""
        if len(payload) > _SLOT_BYTES - _HEADER.size:
            return
        at = slot * _SLOT_BYTES
        version = _HEADER.unpack_from(self._map, at)[0] | 1
        _HEADER.pack_into(self._map, at, version, 0)
        start = at + _HEADER.size
        self._map[start : start + len(payload)] = payload
        _HEADER.pack_into(self._map, at, version + 1, len(payload))

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
