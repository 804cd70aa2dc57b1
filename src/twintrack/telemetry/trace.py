"""Who a span belongs to: W3C Trace Context (https://www.w3.org/TR/trace-context/, level 1 and 2), and ids of our own.

Ids follow from the request's, so that a span that is sent twice is the same span, and `x-twintrack-id` leads to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

_TRACEPARENT: Final = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-[!-~]*)?")
_NO_TRACE: Final = b"0" * 32
_NO_SPAN: Final = b"0" * 16
TRACEPARENT_CHARS: Final = 55


def traceparent(header: bytes) -> str:
    """The caller's, as it is kept: its first 55 characters. Empty if the header is not one; then the trace is ours."""
    found = _TRACEPARENT.fullmatch(header, 0, 512)
    if found is None or len(header) > 512:
        return ""
    version, trace_id, span_id, _, more = found.groups()
    if version == b"ff" or (version == b"00" and more is not None) or trace_id == _NO_TRACE or span_id == _NO_SPAN:
        return ""
    return header[:TRACEPARENT_CHARS].decode("ascii")


@dataclass(frozen=True, slots=True)
class Trace:
    trace_id: int
    parent_id: int | None
    """The caller's span; None: the trace begins with us."""
    root_id: int
    """Of the span of the request as a whole."""
    sampled: bool


def trace_of(request_id: str, caller: str, sample: float) -> Trace:
    """
    Args:
        caller: a traceparent that was found valid, or empty.
        sample: share of traces to keep, 0 to 1, where the caller does not say.
    """
    digest = blake2b(request_id.encode(), digest_size=24).digest()
    root_id = int.from_bytes(digest[16:], "big") or 1
    if caller:
        return Trace(int(caller[3:35], 16), int(caller[36:52], 16), root_id, bool(int(caller[53:55], 16) & 1))
    trace_id = int.from_bytes(digest[:16], "big") or 1
    # As the SDKs' ratio samplers decide, by the lower 64 bits.
    return Trace(trace_id, None, root_id, (trace_id & 0xFFFF_FFFF_FFFF_FFFF) < sample * 2**64)


def attempt_id(request_id: str, attempt: int) -> int:
    digest = blake2b(f"{request_id}/{attempt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") or 1
