"""When a provider that refused wants to be asked again, and whether asking again can help at all.

retry-after           seconds or a date (RFC 9110 §10.2.3); dates in the past and negative numbers mean now
retry-after-ms        milliseconds (openai-python, _base_client.py, read 2026-11-20)
error.details[].retryDelay   "34s", in Google's bodies (google.rpc.RetryInfo, read 2026-11-20)

What cannot be read was not said. How much of a wish is granted is the gateway's to decide.
"""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import msgspec

from twintrack.wire.dialect import UNREADABLE
from twintrack.wire.http1 import Headers
from twintrack.wire.refusal import Refusal, refusal

_SECONDS = re.compile(rb"-?\d{1,300}(\.\d{1,30})?")
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_LONGEST_DATE = 64
_READ_BYTES = 65_536
"""Of a body: details stand in its first kilobytes."""

_SPENT_CODES = frozenset(
    (
        "insufficient_quota",  # OpenAI error codes guide, read 2026-11-20: 429, "exceeded your current quota"
        "billing_hard_limit_reached",  # the same
        "enforced_spend_limit_reached",  # OpenAI, project spend limits, read 2026-11-20
        "credit_balance_exhausted",  # the same
        "billing_error",  # Anthropic API errors, read 2026-11-20: 402
        "insufficient_balance",  # several who copy OpenAI's form
        "insufficient_credits",
    )
)
_SPENT_IN_429 = re.compile(
    r"insufficient (?:credits?|balance|funds|quota)|exceeded your current quota|spend(?:ing)? limit", re.IGNORECASE
)
"""As OpenAI, those who copy it, and Google say it; read 2026-11-20."""
_SPENT_IN_400 = "Your credit balance is too low"
"""How Anthropic's message begins (cline/cline#1263, read 2026-11-20). Nothing looser: other refusals quote what the
client wrote, and no client may talk us into believing that an account is empty."""
_MAY_BE_SPENT = frozenset((400, 402, 403, 429))


class _Detail(msgspec.Struct, gc=False):
    delay: str = msgspec.field(default="", name="retryDelay")


class _Error(msgspec.Struct, gc=False):
    details: list[_Detail] = []


class _Google(msgspec.Struct, gc=False):
    error: _Error


_GOOGLE = msgspec.json.Decoder(_Google | list[_Google])


class Wish(NamedTuple):
    wait_s: float | None
    """At least so long; None: it did not say."""
    spent: bool
    """The account behind the key is out of money or quota: nothing sent with it will be answered for now."""


def wish(status: int, headers: Headers, body: bytes, now: float) -> Wish:
    """Read a refusal. Never raises.

    Args:
        now: Unix time in seconds, for dates.
    """
    wait_s = _from_headers(headers, now)
    if wait_s is None:
        wait_s = _from_details(body[:_READ_BYTES])
    return Wish(wait_s, status in _MAY_BE_SPENT and _spent(refusal(status, body[:_READ_BYTES])))


def _spent(said: Refusal) -> bool:
    if said.status == 402:
        return True
    if not _SPENT_CODES.isdisjoint((said.code, said.type)):
        return True
    if said.status == 400:
        return said.message.startswith(_SPENT_IN_400)
    return said.status == 429 and bool(_SPENT_IN_429.search(said.message))


def _from_details(body: bytes) -> float | None:
    """From the one place where Google says it: a refusal may quote a request that has the same word elsewhere."""
    if b'"retryDelay"' not in body:
        return None
    try:
        said = _GOOGLE.decode(body)
    except UNREADABLE:
        return None
    for each in said if isinstance(said, list) else (said,):
        for detail in each.error.details:
            if found := _DELAY.fullmatch(detail.delay):
                return float(found[1])
    return None


def _from_headers(headers: Headers, now: float) -> float | None:
    milliseconds = headers.get(b"retry-after-ms", b"").strip()
    if _SECONDS.fullmatch(milliseconds):
        return max(float(milliseconds) / 1000, 0.0)
    said = headers.get(b"retry-after", b"").strip()
    if _SECONDS.fullmatch(said):
        return max(float(said), 0.0)
    if not said or len(said) > _LONGEST_DATE:
        return None
    try:
        at = parsedate_to_datetime(said.decode("ascii")).timestamp()
    except (ValueError, TypeError, OverflowError, UnicodeDecodeError):
        return None
    return max(at - now, 0.0)
