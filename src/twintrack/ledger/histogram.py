"""Durations counted in buckets, packed so that adding two histograms is one addition.

Bucket 0 holds what is under 1 ms, bucket i what lies from 2^((i-1)/4) to 2^(i/4) ms, the last one everything from
2^20 ms (17 minutes) on. Bucket i is 32 bits wide, from bit 32·i of one integer, which is stored little-endian.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import Final

_BITS: Final = 32
_MASK: Final = (1 << _BITS) - 1
_BOUNDS_US: Final = tuple(round(1000 * 2 ** (i / 4)) for i in range(81))

_ONES: Final = tuple(1 << _BITS * i for i in range(len(_BOUNDS_US) + 1))


def packed(durations_us: Iterable[int]) -> int:
    """The histogram of some durations, each in microseconds."""
    bounds, ones = _BOUNDS_US, _ONES
    return sum([ones[bisect_right(bounds, duration)] for duration in durations_us])


def to_bytes(histogram: int) -> bytes:
    return histogram.to_bytes((histogram.bit_length() + 7) // 8, "little")


def from_bytes(data: bytes) -> int:
    return int.from_bytes(data, "little")


def count(histogram: int) -> int:
    """How many durations are in it."""
    total = 0
    while histogram:
        total += histogram & _MASK
        histogram >>= _BITS
    return total


def quantile_ms(histogram: int, share: float) -> float | None:
    """The duration that `share` (0 to 1) of all do not exceed, in ms; None if there are none.

    Exact to the width of a bucket, about a fifth of the value; inside it the durations are taken as evenly spread.
    """
    rank = share * count(histogram)
    if not histogram:
        return None
    below = 0
    bucket = 0
    while True:
        here = histogram >> (_BITS * bucket) & _MASK
        if here and below + here >= rank:
            break
        below += here
        bucket += 1
    low_us = _BOUNDS_US[bucket - 1] if bucket else 0
    high_us = _BOUNDS_US[min(bucket, len(_BOUNDS_US) - 1)]
    return (low_us + (high_us - low_us) * max(0.0, rank - below) / here) / 1000
