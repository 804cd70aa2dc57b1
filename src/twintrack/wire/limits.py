"""Headers that tell a client how much more it may ask: carried on as they are, or said as its dialect says them.

OpenAI and those who copy it (platform.openai.com/docs/guides/rate-limits): x-ratelimit-{limit,remaining,reset}-
{requests,tokens}, where a reset is a duration as 1s or 6m0s; retry-after, and retry-after-ms.
Anthropic (platform.claude.com/docs/en/api/rate-limits): anthropic-ratelimit-{requests,tokens,input-tokens,
output-tokens}-{limit,remaining,reset}, where a reset is a time as RFC 3339 has it; retry-after.
Both read in November 2026. The Gemini API sends none.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime

from twintrack.wire.http1 import Headers

_KINDS = (b"limit", b"remaining", b"reset")
_OPENAI = tuple(b"x-ratelimit-%b-%b" % (kind, what) for what in (b"requests", b"tokens") for kind in _KINDS)
_ANTHROPIC = tuple(
    b"anthropic-ratelimit-%b-%b" % (what, kind)
    for what in (b"requests", b"tokens", b"input-tokens", b"output-tokens")
    for kind in _KINDS
)
_RETRY = (b"retry-after", b"retry-after-ms")
_NAMES: dict[str, tuple[bytes, ...]] = {
    "openai": (*_OPENAI, *_RETRY),
    "responses": (*_OPENAI, *_RETRY),
    "anthropic": (*_ANTHROPIC, *_RETRY),
    "gemini": _RETRY,
}
_MARKS: dict[str, frozenset[bytes]] = {dialect: frozenset(names) for dialect, names in _NAMES.items()}
MARKS = frozenset().union(*_MARKS.values())
"""Every name there is: an answer without any of them has nothing to carry."""
_FAMILY = {"openai": "x-ratelimit", "responses": "x-ratelimit", "anthropic": "anthropic", "gemini": ""}

_DURATION = re.compile(rb"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_COUNT = re.compile(rb"\d{1,18}")


def carried(headers: Headers, from_dialect: str, to_dialect: str, now: float) -> bytes:
    """Header lines for the client, each with its line end; empty if the provider sent none.

    Args:
        headers: the provider's.
        from_dialect: what the provider was asked in; to_dialect: what the client asked in.
        now: Unix time in seconds, for resets.
    """
    if _MARKS[from_dialect].isdisjoint(headers):
        return b""
    family = _FAMILY[to_dialect]
    if _FAMILY[from_dialect] == family:
        names = _NAMES[from_dialect]
        return b"".join(b"%b: %b\r\n" % (name, headers[name]) for name in names if name in headers)
    lines = []
    if family == "anthropic":
        lines = [_to_anthropic(name, headers[name], now) for name in _OPENAI if name in headers]
    elif family == "x-ratelimit":
        lines = _to_openai(headers, now)
    return b"".join((*lines, _retry(headers, family)))


def _to_anthropic(name: bytes, value: bytes, now: float) -> bytes:
    _, _, kind, what = name.split(b"-")
    if kind == b"reset":
        seconds = _seconds(value)
        if seconds is None:
            return b""
        value = datetime.fromtimestamp(now + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()
    elif _COUNT.fullmatch(value) is None:
        return b""
    return b"anthropic-ratelimit-%b-%b: %b\r\n" % (what, kind, value)


def _to_openai(headers: Headers, now: float) -> list[bytes]:
    """`tokens` is the tightest of Anthropic's limits; where it is missing, that on input stands in."""
    lines = []
    for what in (b"requests", b"tokens"):
        said = what
        if what == b"tokens" and not any(b"anthropic-ratelimit-tokens-%b" % kind in headers for kind in _KINDS):
            said = b"input-tokens"
        for kind in _KINDS:
            value = headers.get(b"anthropic-ratelimit-%b-%b" % (said, kind), b"")
            if kind == b"reset":
                value = _duration(value, now)
            elif _COUNT.fullmatch(value) is None:
                value = b""
            if value:
                lines.append(b"x-ratelimit-%b-%b: %b\r\n" % (kind, what, value))
    return lines


def _retry(headers: Headers, family: str) -> bytes:
    """Every client reads retry-after; milliseconds only OpenAI's."""
    lines = b""
    milliseconds = headers.get(b"retry-after-ms", b"")
    if b"retry-after" in headers:
        lines = b"retry-after: %b\r\n" % headers[b"retry-after"]
    elif re.fullmatch(rb"\d{1,12}(\.\d{1,9})?", milliseconds):
        lines = b"retry-after: %d\r\n" % math.ceil(float(milliseconds) / 1000)
    if milliseconds and family == "x-ratelimit":
        lines += b"retry-after-ms: %b\r\n" % milliseconds
    return lines


def _seconds(duration: bytes) -> float | None:
    """6m0s as 360.0; None if it is no duration."""
    match = _DURATION.fullmatch(duration)
    if match is None or not duration or len(duration) > 40:
        return None
    days, hours, minutes, seconds, milliseconds = (float(part or 0) for part in match.groups())
    total = ((days * 24 + hours) * 60 + minutes) * 60 + seconds + milliseconds / 1000
    return total if total < 1e9 else None


def _duration(moment: bytes, now: float) -> bytes:
    """An RFC 3339 time as a duration from now, as 1m30s; empty if it is no such time."""
    try:
        at = datetime.fromisoformat(moment.decode())
    except ValueError:
        return b""
    if at.tzinfo is None:
        return b""
    left = max(math.ceil(at.timestamp() - now), 0)
    minutes, seconds = divmod(left, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, seconds)
    return b"%dm%ds" % (minutes, seconds) if minutes else b"%ds" % seconds
